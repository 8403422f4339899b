#include "config/defaults.h"
#include "config/key.h"
#include "config/loader.h"
#include "config/schema.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/folder.h"
#include "tests/support/test.h"

static void assert_loads (const char *folder, const char *text)
{
  g_autofree char *name = g_build_filename (folder, "site.yaml", NULL);
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (Site) site = site_load_text (name, text, strlen (text), errors);
  for (guint i = 0; i < errors->len; i++)
    print_error ("%s\n", (const char *) errors->pdata[i]);
  assert_non_null (site);
}

static char *replace (const char *pattern, const char *text, const char *with)
{
  g_autoptr (GRegex) regex = g_regex_new (pattern, G_REGEX_MULTILINE, 0, NULL);
  return g_regex_replace (regex, text, -1, 0, with, 0, NULL);
}

static char *uncomment (const char *defaults)
{
  return replace ("^( *)#([^# ])", defaults, "\\1\\2");
}

static void the_defaults_load_as_they_are (void **state)
{
  g_autofree char *defaults = config_defaults ();
  assert_loads (*state, defaults);
}

static void the_defaults_load_with_every_setting_uncommented (void **state)
{
  static const char *const secrets[] = { "village.password", "bridge.password", "center.password", "rtsp.pem", "rtsp.key" };
  for (gsize i = 0; i < G_N_ELEMENTS (secrets); i++) {
    g_autofree char *path = g_build_filename (*state, secrets[i], NULL);
    assert_true (g_file_set_contents (path, "x\n", -1, NULL));
  }
  g_autofree char *defaults = config_defaults ();
  g_autofree char *plain = uncomment (defaults);
  g_autofree char *filled = replace ("/etc/gridgate", plain, *state);
  assert_string_not_equal (plain, defaults);
  assert_loads (*state, filled);
}

static void assert_section_is_shown (const Section *section, const char *defaults, const json_t *schema)
{
  const json_t *properties = json_object_get (schema, "properties");
  if (properties == NULL)
    properties = json_object_get (json_object_get (schema, "items"), "properties");
  for (const Key *key = section->keys; key->name != NULL; key++) {
    const json_t *property = json_object_get (properties, key->name);
    if (key->type == NULL) {
      assert_null (property);
      continue;
    }
    if (property == NULL || strstr (defaults, key->help) == NULL || strstr (defaults, key->help_zh) == NULL)
      fail_msg ("%s.%s is missing", section->name, key->name);
    if (key->section != NULL)
      assert_section_is_shown (key->section, defaults, property);
  }
}

static void every_key_of_the_table_is_in_the_defaults_and_in_the_schema (void **state)
{
  (void) state;
  g_autofree char *defaults = config_defaults ();
  char *text = config_schema ();
  json_t *schema = json_loads (text, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null (schema);
  assert_string_equal (json_string_value (json_object_get (schema, "$schema")),
                       "https://json-schema.org/draft/2020-12/schema");
  assert_section_is_shown (&site_section, defaults, schema);
  json_decref (schema);
  free (text);
}

static void the_example_in_the_repository_is_what_the_table_says (void **state)
{
  (void) state;
  g_autofree char *path = g_build_filename (g_getenv ("GRIDGATE_SOURCE_ROOT"), "config/examples/gridgate.yaml", NULL);
  g_autofree char *example = NULL;
  g_autofree char *defaults = config_defaults ();
  assert_true (g_file_get_contents (path, &example, NULL, NULL));
  if (strcmp (example, defaults) != 0)
    fail_msg ("config/examples/gridgate.yaml is out of date: gridgate defaults >config/examples/gridgate.yaml");
}

/* A table with a hole would crash at the first file that uses the key. */
static void assert_rows_are_whole (const Section *section)
{
  for (const Key *key = section->keys; key->name != NULL; key++) {
    if (key->type == NULL)
      continue;
    if (key->help == NULL || key->help_zh == NULL || key->help[strlen (key->help) - 1] == ' ')
      fail_msg ("%s.%s has no help", section->name, key->name);
    assert_true (key->fallback == NULL || key->example == NULL);
    if (key->section != NULL)
      assert_rows_are_whole (key->section);
  }
}

static void every_row_has_its_help_in_both_languages (void **state)
{
  (void) state;
  assert_rows_are_whole (&site_section);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown (test, folder_setup, folder_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    IN_FOLDER (the_defaults_load_as_they_are),
    IN_FOLDER (the_defaults_load_with_every_setting_uncommented),
    cmocka_unit_test (every_key_of_the_table_is_in_the_defaults_and_in_the_schema),
    cmocka_unit_test (the_example_in_the_repository_is_what_the_table_says),
    cmocka_unit_test (every_row_has_its_help_in_both_languages),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
