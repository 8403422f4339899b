/* What becomes of alerts: steps, late data, silences, storms, others that keep quiet, kills and clocks that step. */
#include <string.h>

#include "gateway/alert/silence.h"
#include "tests/support/test.h"
#include "tests/unit/sensing/engine_fixture.h"
#include "tests/unit/sensing/sensing_site.h"

static json_t *only_alert (Fixture *fixture, json_t **list)
{
  *list = alerts (fixture, NULL);
  assert_int_equal (json_array_size (json_object_get (*list, "items")), 1);
  return json_array_get (json_object_get (*list, "items"), 0);
}

static void assert_field (const json_t *alert, const char *field, const char *value)
{
  assert_string_equal (json_string_value (json_object_get (alert, field)), value);
}

/* Steps */

static void add_step (Rule *rule, Severity severity, double above, double clear)
{
  RuleStep *step = g_new0 (RuleStep, 1);
  step->severity = severity;
  comparison_init (&step->comparison);
  step->comparison.above = above;
  step->comparison.clear = (Range){ TRUE, clear, clear };
  g_ptr_array_add (rule->when.steps, step);
}

static Site *steps_site (void)
{
  Site *site = flood_site (3, 3, 0);
  Rule *rule = site->rules->pdata[0];
  comparison_init (&rule->when.comparison);
  rule->when.steps = g_ptr_array_new_with_free_func ((GDestroyNotify) rule_step_free);
  add_step (rule, SEVERITY_MINOR, 3.0, 2.8);
  add_step (rule, SEVERITY_SEVERE, 3.2, 3.1);
  add_step (rule, SEVERITY_EXTREME, 3.5, 3.4);
  return site;
}

static void escalation_and_de_escalation_are_one_alert (void **state)
{
  static const struct {
    double value;
    const char *severity;
  } levels[] = { { 3.1, "minor" }, { 3.6, "extreme" }, { 3.45, "extreme" }, { 3.3, "severe" }, { 2.9, "minor" } };
  (void) state;
  json_t *list;
  g_autoptr (Fixture) fixture = fixture_with (steps_site ());
  for (gsize i = 0; i < G_N_ELEMENTS (levels); i++) {
    feed_value (fixture, "level-1", levels[i].value);
    assert_field (only_alert (fixture, &list), "severity", levels[i].severity);
    json_decref (list);
  }
  assert_int_equal (fixture->opened, 1);
  assert_int_equal (fixture->changed, 3);
  feed_value (fixture, "level-1", 2);
  assert_field (only_alert (fixture, &list), "state", "cleared");
  json_decref (list);
  assert_int_equal (fixture->cleared, 1);
  assert_int_equal (database_integer (store_reader (fixture->store, NULL), 0, "SELECT peak FROM alerts", ""),
                    SEVERITY_EXTREME);
}

static void a_level_survives_a_kill (void **state)
{
  (void) state;
  json_t *list;
  g_autoptr (Fixture) fixture = fixture_with (steps_site ());
  feed_value (fixture, "level-1", 3.6);
  restart_after (fixture, SECOND);
  feed_value (fixture, "level-1", 3.45); /* in the band of the highest step */
  assert_field (only_alert (fixture, &list), "severity", "extreme");
  json_decref (list);
  assert_int_equal (fixture->changed, 0);
}

/* Kills and clocks */

static Site *downtime_site (gboolean counts)
{
  Site *site = flood_site (3.2, 3.0, 10 * SECOND);
  ((Rule *) site->rules->pdata[0])->when.counts_downtime = counts;
  return site;
}

static void downtime_counts_for_a_hold_only_where_its_rule_says_so (void **state)
{
  (void) state;
  for (int counts = 0; counts < 2; counts++) {
    g_autoptr (Fixture) fixture = fixture_with (downtime_site (counts));
    feed_value (fixture, "level-1", 4);
    pass_in_steps (fixture, 3 * SECOND);
    restart_after (fixture, 60 * SECOND);
    assert_int_equal (count_alerts (fixture, "open"), counts);
  }
}

static void a_wall_clock_that_went_back_gives_no_downtime (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (downtime_site (TRUE));
  feed_value (fixture, "level-1", 4);
  pass_in_steps (fixture, 3 * SECOND);
  clock_fake_step_wall (fixture->clock, -3600 * (gint64) SECOND);
  restart_after (fixture, 0);
  pass_in_steps (fixture, 6 * SECOND);
  assert_int_equal (count_alerts (fixture, NULL), 0);
  pass_in_steps (fixture, 2 * SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 1);
}

static void timers_hold_through_an_hour_more_or_less_and_through_1970 (void **state)
{
  (void) state;
  Site *site = flood_site (3.2, 3.0, 10 * SECOND);
  ((Rule *) site->rules->pdata[0])->when.clear_hold_us = 10 * SECOND;
  ((Sensor *) site->sensors->pdata[1])->silent_after_us = 100 * SECOND;
  g_autoptr (Fixture) fixture = fixture_with (site);
  feed_value (fixture, "level-1", 4);
  pass_in_steps (fixture, 4 * SECOND);
  clock_fake_step_wall (fixture->clock, 3600LL * SECOND);
  pass_in_steps (fixture, 4 * SECOND);
  clock_fake_step_wall (fixture->clock, -clock_wall_us (fixture->clock));
  pass_in_steps (fixture, 2 * SECOND - 1);
  assert_int_equal (count_alerts (fixture, NULL), 0);
  pass (fixture, 1);
  assert_int_equal (count_alerts (fixture, "open"), 1);
  feed_value (fixture, "level-1", 1);
  clock_fake_step_wall (fixture->clock, 1777622400 * (gint64) SECOND);
  pass_in_steps (fixture, 9 * SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 1);
  pass_in_steps (fixture, SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 0);
  pass_in_steps (fixture, 79 * SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 0);
  pass_in_steps (fixture, 2 * SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 1); /* level-2 is silent */
}

/* A count and a window survive a kill. */
static void what_was_counted_survives_a_kill (void **state)
{
  (void) state;
  Site *site = flood_site (3.2, 3.0, 0);
  Rule *rule = site->rules->pdata[0];
  rule->when.count = 3;
  rule->when.comparison.within_us = 600 * (gint64) SECOND;
  g_autoptr (Fixture) fixture = fixture_with (site);
  for (int i = 0; i < 2; i++) {
    feed_value (fixture, "level-1", 4);
    restart_after (fixture, SECOND);
  }
  assert_int_equal (count_alerts (fixture, NULL), 0);
  feed_value (fixture, "level-1", 4);
  assert_int_equal (count_alerts (fixture, "open"), 1);
}

static void a_window_survives_an_orderly_end (void **state)
{
  (void) state;
  Site *site = flood_site (3.2, 3.0, 0);
  Rule *rule = site->rules->pdata[0];
  comparison_init (&rule->when.comparison);
  rule->when.comparison.rise = 0.5;
  rule->when.comparison.within_us = 600 * (gint64) SECOND;
  g_autoptr (Fixture) fixture = fixture_with (site);
  feed_value (fixture, "level-1", 1);
  pass_in_steps (fixture, 12 * SECOND);
  restart_after (fixture, 3600LL * SECOND);
  feed_value (fixture, "level-1", 1.4);
  assert_int_equal (count_alerts (fixture, NULL), 0);
  feed_value (fixture, "level-1", 1.6);
  assert_int_equal (count_alerts (fixture, "open"), 1);
}

/* Late data */

static void feed_late (Fixture *fixture, double value, gint64 seconds_ago)
{
  Observation *late = reading (fixture, "level-1", value);
  late->is_historical = TRUE;
  late->phenomenon_time_us -= seconds_ago * SECOND;
  assert_true (feed (fixture, late));
}

static void late_data_gives_a_historical_alert_of_its_own_time (void **state)
{
  (void) state;
  json_t *list;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 10 * SECOND));
  feed_late (fixture, 1, 3600);
  feed_late (fixture, 4, 3000);
  feed_late (fixture, 4, 2995);
  assert_int_equal (count_alerts (fixture, NULL), 0);
  feed_late (fixture, 4, 2980);
  restart_after (fixture, 0);
  feed_late (fixture, 1, 2000);
  const json_t *alert = only_alert (fixture, &list);
  assert_true (json_is_true (json_object_get (alert, "historical")));
  assert_field (alert, "opened_at", "2026-05-01T07:10:10.000Z"); /* the hold's end */
  assert_field (alert, "cleared_at", "2026-05-01T07:26:40.000Z");
  json_decref (list);
}

static void late_data_that_ends_while_it_was_so_ends_with_its_last_reading (void **state)
{
  (void) state;
  json_t *list;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  feed_late (fixture, 4, 3600);
  feed_late (fixture, 5, 1800);
  feed_value (fixture, "level-1", 1); /* live ones are another matter */
  pass (fixture, 599 * SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 1);
  pass (fixture, 2 * SECOND);
  assert_field (only_alert (fixture, &list), "cleared_at", "2026-05-01T07:30:00.000Z");
  json_decref (list);
}

static void a_state_that_was_kept_raises_nothing (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  Observation *kept = reading (fixture, "level-1", 9);
  kept->is_historical = kept->is_state = TRUE;
  assert_true (feed (fixture, kept));
  assert_int_equal (count_alerts (fixture, NULL), 0);
}

/* Values that are no numbers */

static void feed_text (Fixture *fixture, const char *text)
{
  Observation *observation = reading (fixture, "level-1", 0);
  observation_set_text (observation, text);
  assert_true (feed (fixture, observation));
}

static void a_text_is_compared_as_a_text (void **state)
{
  (void) state;
  Site *site = flood_site (3.2, 3.0, 0);
  Rule *rule = site->rules->pdata[0];
  comparison_init (&rule->when.comparison);
  rule->when.comparison.equals = (RuleValue){ RULE_VALUE_TEXT, 0, g_strdup ("open") };
  Rule *changes = test_site_add_rule (site, "changes", 0, 0, 0);
  comparison_init (&changes->when.comparison);
  changes->when.comparison.changed = TRUE;
  test_site_add_rule (site, "number", 0, 0, 0);
  g_autoptr (Fixture) fixture = fixture_with (site);
  feed_text (fixture, "closed");
  assert_int_equal (count_alerts (fixture, NULL), 0);
  feed_text (fixture, "open");
  assert_int_equal (count_alerts (fixture, "open"), 1);
  assert_int_equal (count_alerts (fixture, "cleared"), 1); /* a change is over at once */
  feed_text (fixture, "open");
  feed_text (fixture, "closed");
  assert_int_equal (count_alerts (fixture, "open"), 0);
  assert_int_equal (count_alerts (fixture, "cleared"), 3);
}

/* Silences */

typedef struct {
  Fixture *fixture;
  json_t *body, *silence;
  const char *end;
} SilenceJob;

static gboolean silence_job (Database *database, gpointer data, GError **error)
{
  SilenceJob *job = data;
  gint64 now = clock_wall_us (job->fixture->clock);
  gboolean is_done = job->end != NULL
                       ? silence_end (database, job->end, "wang", now, &job->silence, error)
                       : silence_add (database, job->fixture->site, "zhang", NULL, job->body, now, &job->silence, error);
  return is_done && alert_engine_silences_changed (job->fixture->engine, database, error);
}

/* The id; free with g_free. */
static char *add_silence (Fixture *fixture, const char *matcher, const char *name, gint64 from_s, gint64 to_s)
{
  gint64 now = clock_wall_us (fixture->clock);
  g_autofree char *from = time_to_rfc3339 (now + from_s * SECOND), *to = time_to_rfc3339 (now + to_s * SECOND);
  SilenceJob job = { fixture, json_pack ("{s:[s], s:s, s:s, s:s}", matcher, name, "from", from, "to", to, "reason",
                                         "the pump is being repaired"), NULL, NULL };
  assert_true (store_run (fixture->store, silence_job, &job, NULL));
  char *id = g_strdup (json_string_value (json_object_get (job.silence, "id")));
  json_decref (job.silence);
  json_decref (job.body);
  return id;
}

static void a_silenced_alert_is_recorded_and_told_to_nobody (void **state)
{
  (void) state;
  json_t *list;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  g_autofree char *id = add_silence (fixture, "grids", "6211", 0, 3600);
  feed_value (fixture, "level-1", 4);
  const json_t *alert = only_alert (fixture, &list);
  assert_true (json_is_true (json_object_get (alert, "silenced")));
  assert_true (json_is_null (json_object_get (alert, "incident")));
  json_decref (list);
  restart_after (fixture, SECOND);
  feed_value (fixture, "level-1", 1);
  assert_int_equal (count_alerts (fixture, "cleared"), 1);
  assert_int_equal (fixture->opened + fixture->cleared, 0);
}

static void what_is_still_open_when_its_silence_ends_is_told_then (void **state)
{
  (void) state;
  json_t *list;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  g_autofree char *id = add_silence (fixture, "rules", "flood", 0, 100);
  feed_value (fixture, "level-1", 4);
  restart_after (fixture, SECOND);
  pass_in_steps (fixture, 95 * SECOND);
  assert_int_equal (fixture->opened, 0);
  pass_in_steps (fixture, 15 * SECOND);
  assert_int_equal (fixture->opened, 1);
  const json_t *alert = only_alert (fixture, &list);
  assert_false (json_is_true (json_object_get (alert, "silenced")));
  assert_field (alert, "incident", "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  json_decref (list);
  feed_value (fixture, "level-1", 1);
  assert_int_equal (fixture->cleared, 1);
}

static void a_silence_that_somebody_ends_is_over_at_once (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  g_autofree char *id = add_silence (fixture, "sensors", "level-1", 0, 3600);
  feed_value (fixture, "level-1", 4);
  feed_value (fixture, "level-2", 4); /* not of it */
  assert_int_equal (fixture->opened, 1);
  SilenceJob job = { fixture, NULL, NULL, id };
  assert_true (store_run (fixture->store, silence_job, &job, NULL));
  assert_string_equal (json_string_value (json_object_get (job.silence, "ended_by")), "wang");
  json_decref (job.silence);
  assert_int_equal (fixture->opened, 2);
}

static void a_maintenance_window_begins_and_ends_by_itself (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  g_autofree char *id = add_silence (fixture, "categories", "flood", 100, 200);
  feed_value (fixture, "level-1", 4);
  assert_int_equal (fixture->opened, 1);
  pass_in_steps (fixture, 150 * SECOND);
  feed_value (fixture, "level-2", 4);
  assert_int_equal (fixture->opened, 1);
  feed_value (fixture, "level-1", 1); /* known before the window: its end is told */
  assert_int_equal (fixture->cleared, 1);
}

static void a_silence_that_makes_no_sense_is_refused (void **state)
{
  (void) state;
  static const char *const wrong[] = {
    "{\"to\":\"2026-05-02T00:00:00Z\",\"reason\":\"x\"}",
    "{\"rules\":[\"flood\"],\"to\":\"2026-05-02T00:00:00Z\"}",
    "{\"rules\":[\"nothing\"],\"to\":\"2026-05-02T00:00:00Z\",\"reason\":\"x\"}",
    "{\"rules\":[],\"to\":\"2026-05-02T00:00:00Z\",\"reason\":\"x\"}",
    "{\"rules\":[\"flood\"],\"to\":\"2026-04-02T00:00:00Z\",\"reason\":\"x\"}",
    "{\"rules\":[\"flood\"],\"to\":\"2027-05-02T00:00:00Z\",\"reason\":\"x\"}",
    "{\"rules\":[\"flood\"],\"to\":\"tomorrow\",\"reason\":\"x\"}",
    "{\"rule\":[\"flood\"],\"to\":\"2026-05-02T00:00:00Z\",\"reason\":\"x\"}",
    "{\"grids\":[\"nowhere\"],\"to\":\"2026-05-02T00:00:00Z\",\"reason\":\"x\"}",
  };
  g_autoptr (Fixture) fixture = fixture_with (flood_site (3.2, 3.0, 0));
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (GError) error = NULL;
    SilenceJob job = { fixture, json_loads (wrong[i], 0, NULL), NULL, NULL };
    assert_false (store_run (fixture->store, silence_job, &job, &error));
    json_decref (job.body);
  }
}

/* Storms */

static Site *storm_site (int sensors, int storm)
{
  Site *site = test_site_new ();
  for (int i = 0; i < sensors; i++) {
    g_autofree char *id = g_strdup_printf ("s%d", i);
    test_site_add_sensor (site, id);
  }
  test_site_add_rule (site, "flood", 3.2, 3.0, 0);
  site->alerts.storm = storm;
  return site;
}

static void a_storm_becomes_one_matter_and_the_rest_is_recorded (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (storm_site (20, 5));
  for (int i = 0; i < 20; i++) {
    g_autofree char *id = g_strdup_printf ("s%d", i);
    feed_value (fixture, id, 4);
  }
  assert_int_equal (count_alerts (fixture, "open"), 21); /* with alert_storm itself */
  assert_int_equal (fixture->opened, 6);
  assert_int_equal (fixture->joined, 15);
  pass_in_steps (fixture, 30 * SECOND);
  restart_after (fixture, SECOND);
  feed_value (fixture, "s19", 1);
  assert_int_equal (fixture->cleared, 0);
  assert_int_equal (fixture->joined, 16);
  pass_in_steps (fixture, 62 * SECOND);
  assert_int_equal (fixture->cleared, 1); /* the storm is over */
  feed_value (fixture, "s19", 4);
  assert_int_equal (fixture->opened, 7);
}

static void alerts_spread_over_time_are_no_storm (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (storm_site (20, 5));
  for (int i = 0; i < 20; i++) {
    g_autofree char *id = g_strdup_printf ("s%d", i);
    feed_value (fixture, id, 4);
    pass (fixture, 13 * SECOND);
  }
  assert_int_equal (fixture->opened, 20);
  assert_int_equal (fixture->joined, 0);
}

/* Others keep it quiet */

static Site *village_site (void)
{
  Site *site = storm_site (20, 0);
  Sensor *uplink = test_site_add_sensor (site, "uplink");
  Rule *rule = test_site_add_rule (site, "village_uplink_down", 0.5, 0.5, 0);
  for (guint i = 0; i < site->sensors->len; i++)
    ((Sensor *) site->sensors->pdata[i])->silent_after_us = 600 * (gint64) SECOND;
  uplink->silent_after_us = 0;
  rule->match_sensors = g_strsplit ("uplink", ",", 0);
  site->alerts.unless = (Unless){ g_strdup ("village_uplink_down"), 60 * SECOND };
  ((Rule *) site->rules->pdata[0])->match_sensors = g_strsplit ("s0", ",", 0);
  return site;
}

static void a_village_that_is_cut_off_is_one_alert (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (village_site ());
  feed_value (fixture, "uplink", 1);
  pass_in_steps (fixture, 620 * SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 1);
  restart_after (fixture, SECOND);
  pass_in_steps (fixture, 20 * SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 1);
  feed_value (fixture, "uplink", 0);
  for (int i = 0; i < 19; i++) { /* all but one are heard again within the grace */
    g_autofree char *id = g_strdup_printf ("s%d", i);
    feed_value (fixture, id, 1);
  }
  pass_in_steps (fixture, 12 * SECOND); /* when each was heard is kept every ten seconds, and in the files of observations */
  restart_after (fixture, SECOND);
  pass_in_steps (fixture, 38 * SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 0);
  pass_in_steps (fixture, 15 * SECOND);
  assert_int_equal (count_alerts (fixture, "open"), 1);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (escalation_and_de_escalation_are_one_alert),
    cmocka_unit_test (a_level_survives_a_kill),
    cmocka_unit_test (downtime_counts_for_a_hold_only_where_its_rule_says_so),
    cmocka_unit_test (a_wall_clock_that_went_back_gives_no_downtime),
    cmocka_unit_test (timers_hold_through_an_hour_more_or_less_and_through_1970),
    cmocka_unit_test (what_was_counted_survives_a_kill),
    cmocka_unit_test (a_window_survives_an_orderly_end),
    cmocka_unit_test (late_data_gives_a_historical_alert_of_its_own_time),
    cmocka_unit_test (late_data_that_ends_while_it_was_so_ends_with_its_last_reading),
    cmocka_unit_test (a_state_that_was_kept_raises_nothing),
    cmocka_unit_test (a_text_is_compared_as_a_text),
    cmocka_unit_test (a_silenced_alert_is_recorded_and_told_to_nobody),
    cmocka_unit_test (what_is_still_open_when_its_silence_ends_is_told_then),
    cmocka_unit_test (a_silence_that_somebody_ends_is_over_at_once),
    cmocka_unit_test (a_maintenance_window_begins_and_ends_by_itself),
    cmocka_unit_test (a_silence_that_makes_no_sense_is_refused),
    cmocka_unit_test (a_storm_becomes_one_matter_and_the_rest_is_recorded),
    cmocka_unit_test (alerts_spread_over_time_are_no_storm),
    cmocka_unit_test (a_village_that_is_cut_off_is_one_alert),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
