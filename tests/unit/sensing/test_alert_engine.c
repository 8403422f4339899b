#include <string.h>

#include "gateway/core/error.h"
#include "tests/support/test.h"
#include "tests/unit/sensing/engine_fixture.h"
#include "tests/unit/sensing/sensing_site.h"

static void an_alert_opens_above_and_clears_below_its_clear_value (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  feed_value (fixture, "level-1", 3.2);
  assert_int_equal (count_alerts (fixture, NULL), 0);
  feed_value (fixture, "level-1", 3.3);
  feed_value (fixture, "level-1", 3.4);
  assert_int_equal (count_alerts (fixture, "open"), 1);
  feed_value (fixture, "level-1", 3.1);
  feed_value (fixture, "level-1", 3.0);
  assert_int_equal (count_alerts (fixture, "open"), 1);
  feed_value (fixture, "level-1", 2.9);
  assert_int_equal (count_alerts (fixture, "open"), 0);
  assert_int_equal (count_alerts (fixture, "cleared"), 1);
  assert_int_equal (fixture->opened, 1);
  assert_int_equal (fixture->cleared, 1);

  json_t *list = alerts (fixture, NULL);
  json_t *alert = json_array_get (json_object_get (list, "items"), 0);
  assert_string_equal (json_string_value (json_object_get (alert, "sensor")), "level-1");
  assert_string_equal (json_string_value (json_object_get (alert, "severity")), "severe");
  assert_string_equal (json_string_value (json_object_get (alert, "grid")), "621101");
  assert_string_equal (json_string_value (json_object_get (alert, "incident")), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  assert_true (json_number_value (json_object_get (alert, "value")) == 3.3);
  json_decref (list);
}

static void an_alert_opens_below_and_clears_above (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (1.0, 1.5, 0));
  feed_value (fixture, "level-1", 0.9);
  assert_int_equal (count_alerts (fixture, "open"), 1);
  feed_value (fixture, "level-1", 1.4);
  assert_int_equal (count_alerts (fixture, "open"), 1);
  feed_value (fixture, "level-1", 1.6);
  assert_int_equal (count_alerts (fixture, "open"), 0);
}

static void one_alert_is_open_per_rule_and_sensor (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  feed_value (fixture, "level-1", 4);
  feed_value (fixture, "level-2", 4);
  feed_value (fixture, "level-1", 5);
  assert_int_equal (count_alerts (fixture, "open"), 2);
}

static void a_hold_ends_by_the_clock_without_a_second_reading (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 10 * SECOND));
  feed_value (fixture, "level-1", 4);
  pass_in_steps (fixture, 10 * SECOND - 1);
  assert_int_equal (count_alerts (fixture, NULL), 0);
  pass (fixture, 1);
  assert_int_equal (count_alerts (fixture, "open"), 1);
}

static void a_reading_in_the_band_ends_a_hold_but_no_alert (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 10 * SECOND));
  feed_value (fixture, "level-1", 4);
  pass_in_steps (fixture, 5 * SECOND);
  feed_value (fixture, "level-1", 3.1);
  pass_in_steps (fixture, 20 * SECOND);
  assert_int_equal (count_alerts (fixture, NULL), 0);
}

static void a_hold_goes_on_where_it_was_when_the_gateway_was_killed (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 10 * SECOND));
  feed_value (fixture, "level-1", 4);
  pass_in_steps (fixture, 8 * SECOND);
  restart_after (fixture, 3600 * SECOND);
  pass_in_steps (fixture, 2 * SECOND - SECOND / 4);
  assert_int_equal (count_alerts (fixture, NULL), 0);
  pass_in_steps (fixture, 3 * SECOND / 4); /* half a second of the clock may be lost by a kill */
  assert_int_equal (count_alerts (fixture, "open"), 1);
}

static void a_hold_does_not_move_with_the_wall_clock (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 10 * SECOND));
  feed_value (fixture, "level-1", 4);
  clock_fake_step_wall (fixture->clock, 3600LL * SECOND);
  pass (fixture, 5 * SECOND);
  assert_int_equal (count_alerts (fixture, NULL), 0);
  clock_fake_step_wall (fixture->clock, -2 * 3600LL * SECOND);
  pass (fixture, 5 * SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 1);
  feed_value (fixture, "level-1", 1);
  assert_int_equal (count_alerts (fixture, "open"), 0);
}

static void an_open_alert_is_neither_lost_nor_doubled_by_a_restart (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  feed_value (fixture, "level-1", 4);
  restart_after (fixture, SECOND);
  feed_value (fixture, "level-1", 4.1);
  assert_int_equal (count_alerts (fixture, NULL), 1);
  restart_after (fixture, SECOND);
  feed_value (fixture, "level-1", 2);
  assert_int_equal (count_alerts (fixture, "cleared"), 1);
  assert_int_equal (count_alerts (fixture, "open"), 0);
}

static void a_job_that_fails_leaves_no_trace_in_memory (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  g_autoptr (Observation) high = reading (fixture, "level-1", 4);
  FeedJob failing = { fixture->engine, high, TRUE };
  assert_false (store_run (fixture->store, feed_job, &failing, NULL));
  assert_int_equal (count_alerts (fixture, NULL), 0);
  assert_int_equal (event_bus_last (fixture->bus), 0);
  failing.fails = FALSE;
  assert_true (store_run (fixture->store, feed_job, &failing, NULL));
  assert_int_equal (count_alerts (fixture, "open"), 1);
  assert_int_equal (event_bus_last (fixture->bus), 1);
}

static void a_hold_whose_alert_was_refused_opens_it_later (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 10 * SECOND));
  feed_value (fixture, "level-1", 4);
  fixture->sink_fails = TRUE;
  pass (fixture, 10 * SECOND);
  assert_int_equal (count_alerts (fixture, NULL), 0);
  fixture->sink_fails = FALSE;
  pass (fixture, 2 * SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 1);
}

static void historical_readings_open_no_live_alert_and_older_ones_clear_none (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  Observation *kept = reading (fixture, "level-1", 9);
  kept->is_historical = TRUE;
  kept->quality = QUALITY_UNCERTAIN; /* as of what a broker had retained */
  assert_true (feed (fixture, kept));
  assert_int_equal (count_alerts (fixture, NULL), 0);

  feed_value (fixture, "level-1", 4);
  Observation *older = reading (fixture, "level-1", 1);
  older->is_historical = TRUE;
  older->phenomenon_time_us -= SECOND;
  assert_true (feed (fixture, older));
  assert_int_equal (count_alerts (fixture, "open"), 1);

  Observation *newer = reading (fixture, "level-1", 1);
  newer->is_historical = TRUE;
  newer->phenomenon_time_us += SECOND;
  assert_true (feed (fixture, newer));
  assert_int_equal (count_alerts (fixture, "open"), 0);
}

static void bad_quality_decides_nothing (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  Observation *bad = reading (fixture, "level-1", 9);
  bad->quality = QUALITY_BAD;
  assert_true (feed (fixture, bad));
  assert_int_equal (count_alerts (fixture, NULL), 0);
}

static void a_silent_sensor_raises_an_alert_until_it_is_heard (void **state)
{
  (void) state;
  Site *site = flood_site (3.2, 3.0, 0);
  ((Sensor *) site->sensors->pdata[0])->silent_after_us = 600 * (gint64) SECOND;
  g_autoptr (Fixture) fixture = fixture_with (site);
  pass (fixture, 300 * SECOND);
  feed_value (fixture, "level-1", 1);
  pass (fixture, 599 * SECOND);
  assert_int_equal (count_alerts (fixture, NULL), 0);
  restart_after (fixture, 3600LL * SECOND); /* time that gridgate didn't run is no silence */
  assert_int_equal (count_alerts (fixture, NULL), 0);
  pass (fixture, 2 * SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 1);
  pass (fixture, 3600LL * SECOND);
  assert_int_equal (count_alerts (fixture, NULL), 1);
  feed_value (fixture, "level-1", 1);
  assert_int_equal (count_alerts (fixture, "open"), 0);
}

static void a_camera_is_down_after_its_time_and_up_at_once (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  alert_engine_camera_state (fixture->engine, "bridge", FALSE);
  pass (fixture, 0);
  pass_in_steps (fixture, 50 * SECOND);
  alert_engine_camera_state (fixture->engine, "bridge", FALSE);
  pass_in_steps (fixture, 9 * SECOND);
  assert_int_equal (count_alerts (fixture, NULL), 0);
  pass (fixture, SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 1);
  alert_engine_camera_state (fixture->engine, "bridge", TRUE);
  pass (fixture, 0);
  assert_int_equal (count_alerts (fixture, "open"), 0);
  alert_engine_recording_state (fixture->engine, "bridge", TRUE);
  alert_engine_camera_state (fixture->engine, "nobody", FALSE);
  pass (fixture, 0);
  assert_int_equal (count_alerts (fixture, "open"), 1);
}

static void a_condition_of_the_gateway_opens_once_and_survives_a_restart (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  AlertCondition disk = { "disk_full", "device", "", SEVERITY_EXTREME, 0 };
  alert_engine_post_condition (fixture->engine, &disk, TRUE);
  alert_engine_post_condition (fixture->engine, &disk, TRUE);
  pass (fixture, 0);
  restart_after (fixture, SECOND);
  alert_engine_post_condition (fixture->engine, &disk, TRUE);
  pass (fixture, 0);
  assert_int_equal (count_alerts (fixture, NULL), 1);
  alert_engine_post_condition (fixture->engine, &disk, FALSE);
  pass (fixture, 0);
  assert_int_equal (count_alerts (fixture, "open"), 0);
}

static void a_reload_keeps_the_state_of_rules_that_mean_the_same (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 10 * SECOND));
  feed_value (fixture, "level-1", 4);
  pass_in_steps (fixture, 8 * SECOND);
  change_site (fixture, flood_site (3.2, 3.0, 10 * SECOND));
  pass (fixture, 2 * SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 1);
}

static void a_hold_of_a_changed_rule_starts_anew_with_the_next_reading (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 10 * SECOND));
  feed_value (fixture, "level-1", 4);
  change_site (fixture, flood_site (5, 5, 10 * SECOND));
  pass_in_steps (fixture, 20 * SECOND);
  assert_int_equal (count_alerts (fixture, NULL), 0);
}

static void alerts_of_what_is_gone_are_cleared_with_a_note (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  feed_value (fixture, "level-1", 4);
  feed_value (fixture, "level-2", 4);
  Site *site = test_site_new ();
  test_site_add_sensor (site, "level-2");
  test_site_add_rule (site, "flood", 3.2, 3.0, 0);
  change_site (fixture, site);
  assert_int_equal (count_alerts (fixture, "open"), 1);
  assert_int_equal (fixture->cleared, 1);
  assert_int_equal (database_integer (store_reader (fixture->store, NULL), 0,
                                      "SELECT count(*) FROM alerts WHERE note IS NOT NULL AND sensor = 'level-1'", ""),
                    1);
}

static void a_rule_holds_for_its_grid_and_its_sensors_only (void **state)
{
  (void) state;
  Site *site = flood_site (3.2, 3.0, 0);
  Rule *rule = site->rules->pdata[0];
  rule->match_grid = g_strdup ("6211");
  rule->match_sensors = g_strsplit ("level-2", ",", 0);
  Rule *elsewhere = test_site_add_rule (site, "elsewhere", 3.2, 3.0, 0);
  elsewhere->match_grid = g_strdup ("621102");
  g_autoptr (Fixture) fixture = fixture_with (site);
  feed_value (fixture, "level-1", 4);
  assert_int_equal (count_alerts (fixture, NULL), 0);
  feed_value (fixture, "level-2", 4);
  assert_int_equal (count_alerts (fixture, NULL), 1);
}

static void a_long_list_comes_in_pages (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  for (int i = 0; i < 5; i++) {
    feed_value (fixture, "level-1", 4);
    pass (fixture, SECOND);
    feed_value (fixture, "level-1", 1);
  }
  g_autofree char *cursor = NULL;
  guint seen = 0;
  do {
    AlertFilter filter = { .rule = "flood", .categories = (const char *const[]){ "flood", NULL } };
    json_t *list = alert_list (store_reader (fixture->store, NULL), &filter, 2, cursor, NULL);
    seen += (guint) json_array_size (json_object_get (list, "items"));
    g_free (cursor);
    cursor = g_strdup (json_string_value (json_object_get (list, "next")));
    json_decref (list);
  } while (cursor != NULL);
  assert_int_equal (seen, 5);
  AlertFilter other = { .categories = (const char *const[]){ "fire", NULL } };
  json_t *list = alert_list (store_reader (fixture->store, NULL), &other, 2, NULL, NULL);
  assert_int_equal (json_array_size (json_object_get (list, "items")), 0);
  json_decref (list);
  g_autoptr (GError) error = NULL;
  assert_null (alert_list (store_reader (fixture->store, NULL), &other, 2, "x' OR 1", &error));
  assert_true (error_is (error, ERROR_REFUSE));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (an_alert_opens_above_and_clears_below_its_clear_value),
    cmocka_unit_test (an_alert_opens_below_and_clears_above),
    cmocka_unit_test (one_alert_is_open_per_rule_and_sensor),
    cmocka_unit_test (a_hold_ends_by_the_clock_without_a_second_reading),
    cmocka_unit_test (a_reading_in_the_band_ends_a_hold_but_no_alert),
    cmocka_unit_test (a_hold_goes_on_where_it_was_when_the_gateway_was_killed),
    cmocka_unit_test (a_hold_does_not_move_with_the_wall_clock),
    cmocka_unit_test (an_open_alert_is_neither_lost_nor_doubled_by_a_restart),
    cmocka_unit_test (a_job_that_fails_leaves_no_trace_in_memory),
    cmocka_unit_test (a_hold_whose_alert_was_refused_opens_it_later),
    cmocka_unit_test (historical_readings_open_no_live_alert_and_older_ones_clear_none),
    cmocka_unit_test (bad_quality_decides_nothing),
    cmocka_unit_test (a_silent_sensor_raises_an_alert_until_it_is_heard),
    cmocka_unit_test (a_camera_is_down_after_its_time_and_up_at_once),
    cmocka_unit_test (a_condition_of_the_gateway_opens_once_and_survives_a_restart),
    cmocka_unit_test (a_reload_keeps_the_state_of_rules_that_mean_the_same),
    cmocka_unit_test (a_hold_of_a_changed_rule_starts_anew_with_the_next_reading),
    cmocka_unit_test (alerts_of_what_is_gone_are_cleared_with_a_note),
    cmocka_unit_test (a_rule_holds_for_its_grid_and_its_sensors_only),
    cmocka_unit_test (a_long_list_comes_in_pages),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
