#include "gateway/observe/topic_filter.h"
#include "tests/support/test.h"

static void filters_match_as_mqtt_says (void **state)
{
  (void) state;
  assert_true (topic_filter_matches ("a/b", "a/b"));
  assert_false (topic_filter_matches ("a/b", "a/bc"));
  assert_false (topic_filter_matches ("a/b", "a"));
  assert_true (topic_filter_matches ("a/+", "a/b"));
  assert_true (topic_filter_matches ("a/+", "a/"));
  assert_false (topic_filter_matches ("a/+", "a"));
  assert_false (topic_filter_matches ("a/+", "a/b/c"));
  assert_true (topic_filter_matches ("+/b/+", "a/b/c"));
  assert_true (topic_filter_matches ("a/#", "a"));
  assert_true (topic_filter_matches ("a/#", "a/b/c"));
  assert_true (topic_filter_matches ("#", "a/b"));
  assert_false (topic_filter_matches ("#", "$SYS/x"));
  assert_false (topic_filter_matches ("+/x", "$SYS/x"));
  assert_true (topic_filter_matches ("$SYS/#", "$SYS/x"));
}

static void a_wider_filter_covers_a_narrower_one (void **state)
{
  (void) state;
  assert_true (topic_filter_covers ("a/#", "a/+"));
  assert_true (topic_filter_covers ("a/#", "a/#"));
  assert_true (topic_filter_covers ("a/+", "a/b"));
  assert_true (topic_filter_covers ("#", "a/#"));
  assert_false (topic_filter_covers ("a/+", "a/#"));
  assert_false (topic_filter_covers ("a/b", "a/+"));
  assert_false (topic_filter_covers ("a/+/c", "a/#"));
}

static void subscriptions_do_not_overlap_where_one_covers_another (void **state)
{
  (void) state;
  static const char *const filters[] = { "a/b", "a/+", "a/b", "c", "c", "d/#", "d/e/f" };
  g_autoptr (GPtrArray) list = g_ptr_array_new ();
  for (guint i = 0; i < G_N_ELEMENTS (filters); i++)
    g_ptr_array_add (list, (gpointer) filters[i]);
  g_auto (GStrv) reduced = topic_filters_reduce (list);
  g_autofree char *joined = g_strjoinv (" ", reduced);
  assert_string_equal (joined, "a/+ c d/#");
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (filters_match_as_mqtt_says),
    cmocka_unit_test (a_wider_filter_covers_a_narrower_one),
    cmocka_unit_test (subscriptions_do_not_overlap_where_one_covers_another),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
