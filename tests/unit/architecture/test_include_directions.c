/* Holds the directions in which folders may include each other: the table of ARCHITECTURE.md. */
#include <glib.h>
#include <string.h>

#include "tests/support/test.h"

/* What a folder may use besides itself, as one space-separated list. A folder that is not here may not hold code. */
static const struct {
  const char *folder, *may_use;
} rules[] = {
  { "gateway/core", "" },
  { "gateway/model", "gateway/core" },
  { "gateway/link", "gateway/core gateway/model" },
  { "gateway/store", "gateway/core gateway/model gateway/link" },
  { "gateway/access", "gateway/core gateway/model gateway/link gateway/store" },
  { "gateway/observe", "gateway/core gateway/model gateway/link gateway/store" },
  { "gateway/alert", "gateway/core gateway/model gateway/link gateway/store gateway/observe" },
  { "gateway/incident", "gateway/core gateway/model gateway/link gateway/store gateway/alert" },
  { "gateway/share", "gateway/core gateway/model gateway/link gateway/store gateway/incident gateway/alert" },
  { "gateway/http", "gateway/core gateway/model gateway/link gateway/store gateway/access gateway/observe gateway/alert "
                    "gateway/incident gateway/share" },
  { "gateway", "config gateway/core gateway/model gateway/link gateway/store gateway/access gateway/observe "
               "gateway/alert gateway/incident gateway/share gateway/http" },
  { "config", "gateway/core gateway/model" },
  { "adapters/brokers", "gateway/core gateway/model" },
  { "adapters/decoders", "gateway/core gateway/model" },
  { "adapters/center", "gateway/core gateway/model" },
  { "adapters/agencies", "gateway/core gateway/model" },
  { "pipelines/rtp", "gateway/core gateway/model gateway/link" },
  { "pipelines/rtsp", "gateway/core gateway/model gateway/link pipelines/rtp" },
  { "pipelines/live", "gateway/core gateway/model gateway/link pipelines/rtp" },
  { "pipelines/record", "gateway/core gateway/model gateway/link pipelines/rtp pipelines/live" },
  { "pipelines/playback", "gateway/core gateway/model gateway/link pipelines/rtp pipelines/rtsp pipelines/live "
                          "pipelines/record" },
  { "pipelines/vision", "gateway/core gateway/model gateway/link" },
  { "pipelines/sim", "gateway/core gateway/model gateway/link" },
  { "pipelines", "gateway/core gateway/model gateway/link pipelines/rtp pipelines/rtsp pipelines/live pipelines/record "
                 "pipelines/playback pipelines/vision pipelines/sim" },
  { "console", "gateway/http" },
};

/* What single files may do beyond their folder's rule: `file` includes something of `folder`. */
static const struct {
  const char *file, *folder;
} exceptions[] = {
  { "gateway/wiring.c", "adapters" }, /* the one place that names concrete adapters */
  { "gateway/receivers.c", "adapters" }, /* wiring's part for those who receive */
};

/* pipelines/record keeps an index of its own in SQLite and uses the one wrapper that we have. */
static gboolean is_shared_header (const char *folder, const char *included)
{
  return strcmp (folder, "pipelines/record") == 0 && strcmp (included, "gateway/store/database.h") == 0;
}

static const char *find_rule (const char *folder)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rules); i++)
    if (strcmp (rules[i].folder, folder) == 0)
      return rules[i].may_use;
  return NULL;
}

static gboolean is_excepted (const char *file, const char *included)
{
  for (gsize i = 0; i < G_N_ELEMENTS (exceptions); i++)
    if (strcmp (exceptions[i].file, file) == 0 && g_str_has_prefix (included, exceptions[i].folder))
      return TRUE;
  return FALSE;
}

/* NULL when `file` may include `included`, else what is wrong; free with g_free. */
static char *judge (const char *file, const char *included)
{
  g_autofree char *folder = g_path_get_dirname (file);
  g_autofree char *other = g_path_get_dirname (included);
  const char *may_use = find_rule (folder);
  if (may_use == NULL)
    return g_strdup_printf ("%s: the folder %s has no rule", file, folder);
  if (strchr (included, '/') == NULL)
    return g_strdup_printf ("%s: \"%s\" is not named from the root", file, included);
  g_auto (GStrv) allowed = g_strsplit (may_use, " ", -1);
  if (strcmp (folder, other) == 0 || g_strv_contains ((const char *const *) allowed, other) || is_excepted (file, included)
      || is_shared_header (folder, included))
    return NULL;
  return g_strdup_printf ("%s: %s may not include \"%s\"", file, folder, included);
}

static void judge_file (const char *root, const char *file, GPtrArray *wrong)
{
  g_autofree char *path = g_build_filename (root, file, NULL);
  g_autofree char *text = NULL;
  assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_autoptr (GRegex) regex = g_regex_new ("^\\s*#\\s*include\\s+\"([^\"]+)\"", G_REGEX_MULTILINE, 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;
  g_regex_match (regex, text, 0, &match);
  for (; g_match_info_matches (match); g_match_info_next (match, NULL)) {
    g_autofree char *included = g_match_info_fetch (match, 1);
    char *fault = judge (file, included);
    if (fault != NULL)
      g_ptr_array_add (wrong, fault);
  }
}

/* Returns how many files of C there are. */
static guint walk (const char *root, const char *folder, GPtrArray *wrong)
{
  g_autofree char *path = g_build_filename (root, folder, NULL);
  g_autoptr (GDir) directory = g_dir_open (path, 0, NULL);
  guint files = 0;
  assert_non_null (directory);
  for (const char *name = g_dir_read_name (directory); name != NULL; name = g_dir_read_name (directory)) {
    g_autofree char *inner = g_build_filename (folder, name, NULL);
    g_autofree char *full = g_build_filename (root, inner, NULL);
    if (g_file_test (full, G_FILE_TEST_IS_SYMLINK) || strcmp (name, "node_modules") == 0)
      continue;
    if (g_file_test (full, G_FILE_TEST_IS_DIR))
      files += walk (root, inner, wrong);
    else if (g_str_has_suffix (name, ".c") || g_str_has_suffix (name, ".h")) {
      judge_file (root, inner, wrong);
      files++;
    }
  }
  return files;
}

static void folders_include_each_other_only_as_architecture_says (void **state)
{
  (void) state;
  static const char *const folders[] = { "gateway", "pipelines", "adapters", "config", "console" };
  g_autoptr (GPtrArray) wrong = g_ptr_array_new_with_free_func (g_free);
  guint files = 0;
  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++)
    files += walk (g_getenv ("GRIDGATE_SOURCE_ROOT"), folders[i], wrong);
  for (guint i = 0; i < wrong->len; i++)
    print_error ("%s\n", (const char *) wrong->pdata[i]);
  assert_true (files > 100);
  assert_int_equal (wrong->len, 0);
}

static void no_two_folders_use_each_other (void **state)
{
  (void) state;
  for (gsize i = 0; i < G_N_ELEMENTS (rules); i++) {
    g_auto (GStrv) allowed = g_strsplit (rules[i].may_use, " ", -1);
    for (guint j = 0; allowed[j] != NULL && allowed[j][0] != '\0'; j++) {
      const char *back = find_rule (allowed[j]);
      assert_non_null (back);
      g_auto (GStrv) theirs = g_strsplit (back, " ", -1);
      if (g_strv_contains ((const char *const *) theirs, rules[i].folder))
        fail_msg ("%s and %s use each other", rules[i].folder, allowed[j]);
    }
  }
}

static void a_wrong_direction_is_seen (void **state)
{
  (void) state;
  static const char *const pairs[][2] = {
    { "gateway/core/log.c", "gateway/model/site.h" },      { "adapters/center/center.c", "adapters/brokers/paho.h" },
    { "config/loader.c", "gateway/store/store.h" },        { "gateway/incident/book.c", "gateway/share/outbox.h" },
    { "gateway/daemon.c", "adapters/center/center.h" },    { "pipelines/record/index.c", "gateway/store/store.h" },
    { "pipelines/rtp/loop.c", "pipelines/rtsp/server.h" }, { "gateway/unheard/of.c", "gateway/core/log.h" },
    { "config/loader.c", "reader.h" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (pairs); i++) {
    g_autofree char *fault = judge (pairs[i][0], pairs[i][1]);
    assert_non_null (fault);
  }
  assert_null (judge ("pipelines/record/index.c", "gateway/store/database.h"));
  assert_null (judge ("gateway/wiring.c", "adapters/center/center.h"));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (folders_include_each_other_only_as_architecture_says),
    cmocka_unit_test (no_two_folders_use_each_other),
    cmocka_unit_test (a_wrong_direction_is_seen),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
