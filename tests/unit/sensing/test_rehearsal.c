#include <string.h>

#include "gateway/alert/rehearsal.h"
#include "gateway/alert/rule_preview.h"
#include "gateway/core/clock.h"
#include "gateway/observe/observation_files.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/sensing/sensing_site.h"

#define SECOND G_TIME_SPAN_SECOND
#define HOUR G_TIME_SPAN_HOUR

/* 2026-05-02T08:00:00Z */
static const gint64 now_us = 1777708800000000;

static Observation *observation_at (double value, gint64 at_us)
{
  Observation *observation = observation_new ("level-1", "water_level");
  observation->value = value;
  observation->phenomenon_time_us = observation->receive_time_us = at_us;
  return observation;
}

static Site *flood_site (gint64 hold_us)
{
  Site *site = test_site_new ();
  site->gateway.time_zone = g_strdup ("UTC");
  test_site_add_sensor (site, "level-1");
  test_site_add_rule (site, "flood", 3.2, 3.0, hold_us);
  site_publish (site);
  return site;
}

static void note (gpointer data, const Alert *alert, const char *event)
{
  g_autofree char *at = time_to_rfc3339 (alert->cleared_at_us != 0 ? alert->cleared_at_us : alert->opened_at_us);
  g_string_append_printf (data, "%s %s\n", at + 11, event);
}

static void a_hold_ends_at_its_time_between_two_readings (void **state)
{
  (void) state;
  g_autoptr (Site) site = flood_site (10 * SECOND);
  g_autoptr (GString) story = g_string_new (NULL);
  g_autoptr (Rehearsal) rehearsal = rehearsal_new (site, NULL, now_us, note, story);
  const struct {
    double value;
    gint64 second;
  } readings[] = { { 4, 0 }, { 4, 5 }, { 1, 60 }, { 4, 70 }, { 1, 75 } };
  for (gsize i = 0; i < G_N_ELEMENTS (readings); i++) {
    gint64 at_us = now_us + readings[i].second * SECOND;
    g_autoptr (Observation) observation = observation_at (readings[i].value, at_us);
    rehearsal_observe (rehearsal, at_us, observation);
  }
  assert_string_equal (story->str, "08:00:10.000Z opened\n08:01:00.000Z cleared\n");
}

static void a_clock_that_steps_back_stands_still_for_the_rules (void **state)
{
  (void) state;
  g_autoptr (Site) site = flood_site (10 * SECOND);
  g_autoptr (GString) story = g_string_new (NULL);
  g_autoptr (Rehearsal) rehearsal = rehearsal_new (site, NULL, now_us, note, story);
  const gint64 times[] = { now_us, now_us + 6 * SECOND, now_us - HOUR, now_us - HOUR + 3 * SECOND };
  for (gsize i = 0; i < G_N_ELEMENTS (times); i++) {
    g_autoptr (Observation) observation = observation_at (4, times[i]);
    rehearsal_observe (rehearsal, times[i], observation);
  }
  assert_string_equal (story->str, ""); /* nine of ten seconds */
  rehearsal_pass (rehearsal, now_us - HOUR + 4 * SECOND);
  assert_string_equal (story->str, "07:00:04.000Z opened\n");
}

/* A flood of a minute every hour for two days. */
static void store_two_days (const char *folder)
{
  ObservationFiles *files = observation_files_new (folder, 0, NULL);
  assert_non_null (files);
  for (gint64 at_us = now_us - 48 * HOUR; at_us < now_us; at_us += 60 * SECOND) {
    g_autoptr (Observation) observation = observation_at (at_us % HOUR == 0 ? 4 : 1, at_us);
    if (at_us % HOUR == 0)
      assert_true (observation_files_begin (files, at_us, NULL));
    assert_true (observation_files_add (files, observation, 0, NULL));
    if (at_us % HOUR == HOUR - 60 * SECOND)
      assert_true (observation_files_commit (files, NULL));
  }
  observation_files_free (files);
}

static void a_preview_counts_what_the_last_day_would_have_raised (void **state)
{
  const char *folder = *state;
  g_autoptr (Site) site = flood_site (10 * SECOND);
  store_two_days (folder);
  json_t *preview = rule_preview (folder, site, site->rules->pdata[0], NULL, now_us, NULL);
  assert_non_null (preview);
  assert_int_equal (json_integer_value (json_object_get (preview, "alerts")), 24);
  assert_int_equal (json_integer_value (json_object_get (preview, "observations")), 24 * 60);
  assert_true (json_is_true (json_object_get (preview, "is_complete")));
  const json_t *examples = json_object_get (preview, "examples");
  assert_int_equal (json_array_size (examples), PREVIEW_EXAMPLES);
  const json_t *first = json_array_get (examples, 0);
  assert_string_equal (json_string_value (json_object_get (first, "opened_at")), "2026-05-01T08:00:10.000Z");
  assert_string_equal (json_string_value (json_object_get (first, "cleared_at")), "2026-05-01T08:01:00.000Z");
  json_decref (preview);

  Rule *rule = site->rules->pdata[0];
  rule->when.hold_us = 90 * SECOND;
  preview = rule_preview (folder, site, rule, NULL, now_us, NULL);
  assert_int_equal (json_integer_value (json_object_get (preview, "alerts")), 0);
  json_decref (preview);
}

static void a_preview_leaves_the_files_of_earlier_days_alone (void **state)
{
  g_autoptr (Site) site = flood_site (10 * SECOND);
  store_two_days (*state);
  g_autofree char *earlier = g_build_filename (*state, "observations-20260430.db", NULL);
  assert_true (g_file_test (earlier, G_FILE_TEST_EXISTS));
  assert_true (g_file_set_contents (earlier, "not to be read", -1, NULL));
  json_t *preview = rule_preview (*state, site, site->rules->pdata[0], NULL, now_us, NULL);
  assert_non_null (preview);
  assert_int_equal (json_integer_value (json_object_get (preview, "observations")), 24 * 60);
  json_decref (preview);
}

static void whoever_is_bound_to_a_grid_previews_its_sensors_alone (void **state)
{
  static const struct {
    const char *within;
    int alerts;
  } cases[] = { { "621101", 24 }, { "621102", 0 } };
  g_autoptr (Site) site = flood_site (10 * SECOND);
  store_two_days (*state);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    json_t *preview = rule_preview (*state, site, site->rules->pdata[0], cases[i].within, now_us, NULL);
    assert_int_equal (json_integer_value (json_object_get (preview, "alerts")), cases[i].alerts);
    assert_int_equal (json_array_size (json_object_get (preview, "examples")) > 0, cases[i].alerts > 0);
    json_decref (preview);
  }
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_hold_ends_at_its_time_between_two_readings),
    cmocka_unit_test (a_clock_that_steps_back_stands_still_for_the_rules),
    cmocka_unit_test_setup_teardown (a_preview_counts_what_the_last_day_would_have_raised, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (a_preview_leaves_the_files_of_earlier_days_alone, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (whoever_is_bound_to_a_grid_previews_its_sensors_alone, folder_setup, folder_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
