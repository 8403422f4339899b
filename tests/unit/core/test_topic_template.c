#include "gateway/core/topic_template.h"

#include <string.h>

#include "gateway/core/topic_filter.h"
#include "tests/support/test.h"

#define TOPIC "village/{village}/{device}/level"

static void assert_filled (const char *topic, const char *real, const char *text, const char *expected)
{
  g_autofree char *filled = topic_template_fill (topic, real, text);
  assert_non_null (filled);
  assert_string_equal (filled, expected);
}

static void levels_fill_the_places_of_their_names (void **state)
{
  (void) state;
  assert_filled (TOPIC, "village/shimiao/7/level", "{village}-{device}", "shimiao-7");
  assert_filled (TOPIC, "village/shimiao/7/level", "水位 {device} ({device})", "水位 7 (7)");
  assert_filled (TOPIC, "village/shimiao/7/level", TOPIC, "village/shimiao/7/level");
  assert_filled ("bridge/{device}/#", "bridge/door/availability", "bridge/{device}/#", "bridge/door/#");
  assert_filled (TOPIC, "village/{device}/7/level", "{village}-{device}", "{device}-7"); /* what is filled in is not filled */
}

static void other_topics_fill_nothing (void **state)
{
  (void) state;
  static const char *const others[] = { "village/shimiao/7", "village/shimiao/7/level/1", "village/shimiao/7/flow", "",
                                        "village//7/level" };
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    assert_null (topic_template_fill (TOPIC, others[i], "{device}"));
  assert_null (topic_template_fill ("{root}/level", "$SYS/level", "{root}"));
}

static void assert_problem (char *problem, const char *words)
{
  if (words == NULL) {
    assert_null (problem);
    return;
  }
  assert_non_null (problem);
  assert_non_null (strstr (problem, words));
  g_free (problem);
}

static void what_is_wrong_is_said (void **state)
{
  (void) state;
  assert_problem (topic_template_problem (TOPIC), NULL);
  assert_problem (topic_template_problem ("village/{village/level"), "not closed");
  assert_problem (topic_template_problem ("village/a{village}/level"), "a{village}");
  assert_problem (topic_template_problem ("village/{}/level"), "{}");
  assert_problem (topic_template_problem ("village/{a b}/level"), "{a b}");
  assert_problem (topic_template_problem ("{device}/{device}"), "twice");
  assert_problem (topic_template_problem ("a/#/{device}"), "before other levels");
  assert_problem (topic_template_text_problem (TOPIC, "{village}-{device}"), NULL);
  assert_problem (topic_template_text_problem (TOPIC, "{village}-{divice}"), "{divice}");
  assert_problem (topic_template_text_problem (TOPIC, "{village"), "not closed");
  assert_problem (topic_template_text_problem (TOPIC, "{village{device}"), "not closed");
  assert_problem (topic_template_text_problem (TOPIC, "village}"), "not opened");
}

static char *random_path (GRand *random, const char *const *levels, guint count)
{
  g_autoptr (GString) path = g_string_new (NULL);
  guint length = (guint) g_rand_int_range (random, 1, 5);
  for (guint i = 0; i < length; i++)
    g_string_append_printf (path, "%s%s", i > 0 ? "/" : "", levels[g_rand_int_range (random, 0, (gint32) count)]);
  return g_strdup (path->str);
}

static gboolean has_empty_name (const char *topic, const char *real)
{
  g_auto (GStrv) levels = g_strsplit (topic, "/", -1), found = g_strsplit (real, "/", -1);
  for (guint i = 0; levels[i] != NULL && found[i] != NULL; i++)
    if (levels[i][0] == '{' && found[i][0] == '\0')
      return TRUE;
  return FALSE;
}

static void what_a_text_may_become_is_known (void **state)
{
  (void) state;
  assert_true (topic_template_may_make ("{village}-{device}", "shimiao-7"));
  assert_true (topic_template_may_make ("{village}-{device}", "a-b-c"));
  assert_true (topic_template_may_make ("level-{device}", "level-7"));
  assert_true (topic_template_may_make ("{a}{b}-1", "xyz-1"));
  assert_true (topic_template_may_make ("{device}-1", "1-1-1"));
  assert_true (topic_template_may_make ("level", "level"));
  assert_false (topic_template_may_make ("{village}-{device}", "shimiao"));
  assert_false (topic_template_may_make ("{village}-{device}", "shimiao-"));
  assert_false (topic_template_may_make ("level-{device}", "level-"));
  assert_false (topic_template_may_make ("{a}{b}", "x"));
  assert_false (topic_template_may_make ("{device}-1", "-1"));
  assert_false (topic_template_may_make ("level", "level-7"));
  assert_false (topic_template_may_make ("level-{device", "level-7"));
}

static void a_topic_is_filled_from_when_the_filter_takes_it (void **state)
{
  (void) state;
  static const char *const parts[] = { "a", "b", "{x}", "{y}", "{z}", "+", "" };
  static const char *const real_parts[] = { "a", "b", "", "$a", "{x}" };
  g_autoptr (GRand) random = g_rand_new_with_seed (5);
  guint taken = 0;
  for (guint i = 0; i < 20000; i++) {
    g_autofree char *path = random_path (random, parts, G_N_ELEMENTS (parts));
    g_autofree char *topic = g_rand_boolean (random) ? g_strdup (path) : g_strconcat (path, "/#", NULL);
    g_autofree char *real = random_path (random, real_parts, G_N_ELEMENTS (real_parts));
    g_autofree char *problem = topic_template_problem (topic), *filter = topic_template_filter (topic);
    if (problem != NULL || real[0] == '\0') /* an empty topic is none (MQTT 5.0 4.7.3) */
      continue;
    g_autofree char *filled = topic_template_fill (topic, real, topic);
    if ((filled != NULL) != (topic_filter_matches (filter, real) && !has_empty_name (topic, real)))
      fail_msg ("%s, filter %s, topic %s", topic, filter, real);
    if (filled == NULL)
      continue;
    taken++;
    if (!topic_filter_matches (filled, real) && strchr (real, '{') == NULL)
      fail_msg ("%s filled from %s is %s", topic, real, filled);
  }
  assert_true (taken > 1000);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (levels_fill_the_places_of_their_names),
    cmocka_unit_test (other_topics_fill_nothing),
    cmocka_unit_test (what_is_wrong_is_said),
    cmocka_unit_test (what_a_text_may_become_is_known),
    cmocka_unit_test (a_topic_is_filled_from_when_the_filter_takes_it),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
