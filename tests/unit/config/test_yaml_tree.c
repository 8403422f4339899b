#include "config/yaml_tree.h"

#include <string.h>

#include "tests/support/test.h"

/* Parses `text`, which must fail with exactly this one problem. */
static void assert_refused_bytes (const char *text, gsize size, const char *expected)
{
  g_autoptr (Problems) problems = problems_new ();
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  problems_add_file (problems, "f.yaml");
  assert_null (yaml_tree_parse (0, text, size, problems));
  problems_report (problems, errors);
  assert_int_equal (errors->len, 1);
  assert_string_equal (errors->pdata[0], expected);
}

static void assert_refused (const char *text, const char *expected)
{
  assert_refused_bytes (text, strlen (text), expected);
}

static YamlTree *parse_good (Problems *problems, const char *text)
{
  problems_add_file (problems, "f.yaml");
  YamlTree *tree = yaml_tree_parse (0, text, strlen (text), problems);
  assert_non_null (tree);
  return tree;
}

static void nodes_know_their_places_in_characters (void **state)
{
  (void) state;
  g_autoptr (Problems) problems = problems_new ();
  g_autoptr (YamlTree) tree = parse_good (problems, "a:\n  - {名称: 石庙, b: \"x y\"}\n");
  const YamlNode *list = yaml_map_get (yaml_tree_root (tree), "a");
  const YamlNode *b = yaml_map_get (list->children->pdata[0], "b");
  assert_int_equal (list->kind, YAML_LIST);
  assert_string_equal (b->text, "x y");
  assert_false (b->is_plain);
  assert_int_equal (b->line, 2);
  assert_int_equal (b->column, 17);
}

static void an_alias_is_what_its_anchor_is (void **state)
{
  (void) state;
  g_autoptr (Problems) problems = problems_new ();
  g_autoptr (YamlTree) tree = parse_good (problems, "a: &x {k: v}\nb: *x\n");
  const YamlNode *root = yaml_tree_root (tree);
  assert_ptr_equal (yaml_map_get (root, "a"), yaml_map_get (root, "b"));
}

static void an_empty_file_is_an_empty_map (void **state)
{
  (void) state;
  static const char *const texts[] = { "", "# nothing\n", "---\n" };
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (Problems) problems = problems_new ();
    g_autoptr (YamlTree) tree = parse_good (problems, texts[i]);
    assert_int_equal (yaml_tree_root (tree)->kind, YAML_MAP);
  }
}

static void what_is_not_yaml_is_told_with_its_place (void **state)
{
  (void) state;
  assert_refused ("a:\n  b: c\n d: e\n", "f.yaml:3:2: not YAML: invalid indentation in mapping");
  assert_refused ("a:\n\tb: c\n", "f.yaml:2:1: not YAML: tab character may not be used as indentation");
  assert_refused ("\"abc", "f.yaml:1:2: not YAML: double-quoted scalar without closing quote");
}

static void what_yaml_allows_but_we_do_not_is_told_with_its_place (void **state)
{
  (void) state;
  assert_refused ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: key a stands twice, first in line 1");
  assert_refused ("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document begins here, expected one");
  assert_refused ("a: !!str x\n", "f.yaml:1:10: a tag (!…) is not allowed here, expected the value alone");
  assert_refused ("[a, b]: c\n", "f.yaml:1:1: a list or map stands as a key, expected a name");
}

static void an_alias_inside_its_own_anchor_is_refused (void **state)
{
  (void) state;
  assert_refused ("a: &x\n  b: *x\n", "f.yaml:2:6: this alias (*…) has no anchor (&…) above it");
}

static void bytes_that_are_not_utf8_are_refused (void **state)
{
  (void) state;
  assert_refused ("a: 石\nb: \xff\n", "f.yaml:2:4: a byte that is not UTF-8, expected UTF-8 text");
  assert_refused_bytes ("a: b\0c", 6, "f.yaml:1:5: a byte that is not UTF-8, expected UTF-8 text");
}

static void depth_is_bounded (void **state)
{
  (void) state;
  g_autofree char *deep = g_strnfill (YAML_DEPTH_MAX + 1, '[');
  g_autofree char *expected = g_strdup_printf ("f.yaml:1:%d: nested too deeply, expected at most 32 levels",
                                               YAML_DEPTH_MAX + 1);
  assert_refused (deep, expected);
}

/* Nine levels of nine aliases each: 387 million nodes from a few lines. */
static void aliases_that_unfold_to_gigabytes_are_refused (void **state)
{
  (void) state;
  GString *text = g_string_new ("a0: &a0 [x]\n");
  for (int level = 1; level <= 9; level++) {
    g_string_append_printf (text, "a%d: &a%d [", level, level);
    for (int i = 0; i < 9; i++)
      g_string_append_printf (text, "*a%d%s", level - 1, i < 8 ? ", " : "]\n");
  }
  g_autoptr (Problems) problems = problems_new ();
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  problems_add_file (problems, "f.yaml");
  assert_null (yaml_tree_parse (0, text->str, text->len, problems));
  problems_report (problems, errors);
  assert_non_null (strstr (errors->pdata[0], "the file is too large with its aliases written out"));
  g_string_free (text, TRUE);
}

static void a_file_over_the_bound_is_refused_unread (void **state)
{
  (void) state;
  g_autofree char *large = g_strnfill (YAML_FILE_MAX + 1, '#');
  assert_refused (large, "f.yaml: the file has 4194305 bytes, expected at most 4MiB");
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (nodes_know_their_places_in_characters),
    cmocka_unit_test (an_alias_is_what_its_anchor_is),
    cmocka_unit_test (an_empty_file_is_an_empty_map),
    cmocka_unit_test (what_is_not_yaml_is_told_with_its_place),
    cmocka_unit_test (what_yaml_allows_but_we_do_not_is_told_with_its_place),
    cmocka_unit_test (an_alias_inside_its_own_anchor_is_refused),
    cmocka_unit_test (bytes_that_are_not_utf8_are_refused),
    cmocka_unit_test (depth_is_bounded),
    cmocka_unit_test (aliases_that_unfold_to_gigabytes_are_refused),
    cmocka_unit_test (a_file_over_the_bound_is_refused_unread),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
