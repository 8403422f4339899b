#include "gateway/core/topic_filter.h"
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
  assert_string_equal (joined, "a/+ d/# c");
}

static void assert_reduced (const char *filters, const char *expected)
{
  g_auto (GStrv) list = g_strsplit (filters, " ", -1);
  g_autoptr (GPtrArray) array = g_ptr_array_new ();
  for (guint i = 0; list[i] != NULL; i++)
    g_ptr_array_add (array, list[i]);
  g_auto (GStrv) reduced = topic_filters_reduce (array);
  g_autofree char *joined = g_strjoinv (" ", reduced);
  assert_string_equal (joined, expected);
}

/* A broker may deliver a message once for each filter that matches (mosquitto 2.1 does): then two would count one twice. */
static void subscriptions_that_cross_become_one (void **state)
{
  (void) state;
  assert_reduced ("a/+/c a/b/+", "a/+/+");
  assert_reduced ("a/+/c a/b/#", "a/+/#");
  assert_reduced ("a/+/c a/+/d", "a/+/c a/+/d");
  assert_reduced ("+/b a/#", "+/#");
  assert_reduced ("a/+ a/#", "a/#");
  assert_reduced ("a/# a", "a/#");
  assert_reduced ("a/+/c a/b/+ a/x/d/# a/+/+/e", "a/+/+/#"); /* a/b/c belongs to it, too */
  assert_reduced ("spBv1.0/g/+/n1/# spBv1.0/g/+/n2/#", "spBv1.0/g/+/n1/# spBv1.0/g/+/n2/#");
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (filters_match_as_mqtt_says),
    cmocka_unit_test (a_wider_filter_covers_a_narrower_one),
    cmocka_unit_test (subscriptions_do_not_overlap_where_one_covers_another),
    cmocka_unit_test (subscriptions_that_cross_become_one),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
