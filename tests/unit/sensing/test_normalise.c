#include <stdlib.h>

#include "gateway/core/clock.h"
#include "gateway/observe/normalise.h"
#include "tests/support/test.h"
#include "tests/unit/sensing/sensing_site.h"

#define SECOND G_TIME_SPAN_SECOND
#define MINUTE G_TIME_SPAN_MINUTE

/* 2026-05-01T08:00:00Z */
static const gint64 now_us = 1777622400000000;

typedef struct {
  Site *site;
  Sensor *sensor;
  DeviceClock clock;
} Fixture;

static Fixture fixture_with (ClockTrust trust)
{
  Fixture fixture = { .site = test_site_new () };
  fixture.sensor = test_site_add_sensor (fixture.site, "level-1");
  fixture.sensor->clock = trust;
  fixture.sensor->time_path = g_strdup ("$.at");
  return fixture;
}

static Observation *take (Fixture *fixture, gint64 receive_us, gint64 device_us, double value)
{
  g_autoptr (RawMessage) message = raw_message_new ("village", "village/level-1", "", 0);
  message->receive_time_us = receive_us;
  Reading reading = { .value = value, .has_time = device_us != 0, .time_us = device_us, .sequence = -1 };
  g_autoptr (GArray) readings = g_array_new (FALSE, FALSE, sizeof (Reading));
  g_array_append_val (readings, reading);
  device_clock_watch (&fixture->clock, readings, receive_us);
  return normalise (fixture->sensor, &fixture->clock, message, &reading);
}

static void assert_taken (Fixture *fixture, gint64 receive_us, gint64 device_us, gint64 phenomenon_us, Quality quality,
                          gboolean is_historical)
{
  g_autoptr (Observation) observation = take (fixture, receive_us, device_us, 1);
  assert_int_equal (observation->phenomenon_time_us, phenomenon_us);
  assert_int_equal (observation->quality, quality);
  assert_int_equal (observation->is_historical, is_historical);
}

static void value_and_unit_follow_the_metric (void **state)
{
  (void) state;
  Fixture fixture = fixture_with (CLOCK_TRUST_AUTO);
  Metric *metric = fixture.sensor->metrics->pdata[0];
  metric->scale = 0.01;
  metric->offset = -2;
  g_autoptr (Observation) observation = take (&fixture, now_us, now_us, 450);
  assert_true (observation->value == 2.5);
  assert_string_equal (observation->unit, "m");
  metric->scale = 1e300;
  g_autoptr (Observation) beyond = take (&fixture, now_us, now_us, 1e300);
  assert_int_equal (beyond->quality, QUALITY_BAD);
  site_unref (fixture.site);
}

static void a_plausible_device_time_is_believed (void **state)
{
  (void) state;
  Fixture fixture = fixture_with (CLOCK_TRUST_AUTO);
  assert_taken (&fixture, now_us, now_us - 30 * SECOND, now_us - 30 * SECOND, QUALITY_GOOD, FALSE);
  assert_taken (&fixture, now_us, now_us + MINUTE, now_us + MINUTE, QUALITY_GOOD, FALSE);
  assert_taken (&fixture, now_us, 0, now_us, QUALITY_UNCERTAIN, FALSE); /* it should have told one */
  site_unref (fixture.site);
}

static void impossible_times_give_way_to_the_time_of_receipt (void **state)
{
  (void) state;
  Fixture fixture = fixture_with (CLOCK_TRUST_AUTO);
  assert_taken (&fixture, now_us, 12 * SECOND, now_us, QUALITY_UNCERTAIN, FALSE); /* 1970 */
  assert_taken (&fixture, now_us, now_us + 8 * 60 * MINUTE, now_us, QUALITY_UNCERTAIN, FALSE);
  assert_taken (&fixture, now_us, now_us - 3 * AGE_MAX_US, now_us, QUALITY_UNCERTAIN, FALSE);
  site_unref (fixture.site);
}

static void late_data_is_historical_at_its_own_time (void **state)
{
  (void) state;
  Fixture fixture = fixture_with (CLOCK_TRUST_AUTO);
  for (int i = 0; i < 10; i++) /* a backlog: an hour of minutes, drained in ten seconds */
    assert_taken (&fixture, now_us + i * SECOND, now_us - 60 * MINUTE + i * MINUTE, now_us - 60 * MINUTE + i * MINUTE,
                  QUALITY_GOOD, TRUE);
  site_unref (fixture.site);
}

static void a_clock_that_is_always_behind_by_the_same_is_wrong_and_not_late (void **state)
{
  (void) state;
  Fixture fixture = fixture_with (CLOCK_TRUST_AUTO);
  gint64 behind = 8 * 60 * MINUTE;
  for (int i = 0; i < 4; i++)
    observation_unref (take (&fixture, now_us + i * MINUTE, now_us + i * MINUTE - behind, 1));
  assert_taken (&fixture, now_us + 4 * MINUTE, now_us + 4 * MINUTE - behind, now_us + 4 * MINUTE, QUALITY_UNCERTAIN, FALSE);
  Fixture trusted = fixture_with (CLOCK_TRUST_DEVICE);
  for (int i = 0; i < 6; i++)
    assert_taken (&trusted, now_us + i * MINUTE, now_us + i * MINUTE - behind, now_us + i * MINUTE - behind, QUALITY_GOOD,
                  TRUE);
  site_unref (trusted.site);
  site_unref (fixture.site);
}

static void assert_clock (const Fixture *fixture, const char *expected)
{
  json_t *json = device_clock_to_json (&fixture->clock, fixture->sensor->clock);
  char *text = json_dumps (json, JSON_SORT_KEYS | JSON_COMPACT);
  assert_string_equal (text, expected);
  free (text);
  json_decref (json);
}

static void what_a_devices_clock_is_off_is_shown_with_what_becomes_of_it (void **state)
{
  (void) state;
  Fixture fixture = fixture_with (CLOCK_TRUST_AUTO);
  assert_clock (&fixture, "{\"measured_at\":null,\"skew_ms\":null,\"trust\":\"auto\",\"use\":\"unknown\"}");
  observation_unref (take (&fixture, now_us, now_us + 1500000, 1));
  assert_clock (&fixture, "{\"measured_at\":\"2026-05-01T08:00:00.000Z\",\"skew_ms\":1500,\"trust\":\"auto\",\"use\":\"believed\"}");
  for (int i = 1; i <= 5; i++) {
    observation_unref (take (&fixture, now_us + i * MINUTE, now_us + i * MINUTE + 8 * 60 * MINUTE, 1));
    assert_int_equal (device_clock_use (&fixture.clock, CLOCK_TRUST_AUTO), i < 4 ? DEVICE_TIME_REFUSED : DEVICE_TIME_MOVED);
  }
  assert_clock (&fixture, "{\"measured_at\":\"2026-05-01T08:05:00.000Z\",\"skew_ms\":28800000,\"trust\":\"auto\",\"use\":\"moved\"}");
  assert_int_equal (device_clock_use (&fixture.clock, CLOCK_TRUST_DEVICE), DEVICE_TIME_REFUSED);
  assert_int_equal (device_clock_use (&fixture.clock, CLOCK_TRUST_GATEWAY), DEVICE_TIME_IGNORED);
  site_unref (fixture.site);
}

static void the_gateways_clock_alone_counts_where_it_is_configured (void **state)
{
  (void) state;
  Fixture fixture = fixture_with (CLOCK_TRUST_GATEWAY);
  assert_taken (&fixture, now_us, now_us - 60 * MINUTE, now_us, QUALITY_GOOD, FALSE);
  site_unref (fixture.site);
}

static const UnitOfMeasure units[] = {
  { "m", "length", 1, 0 }, { "cm", "length", 0.01, 0 }, { "K", "temperature", 1, 0 }, { "Cel", "temperature", 1, 273.15 },
  { NULL, NULL, 0, 0 },
};

static Observation *take_in (Fixture *fixture, const char *unit, double value)
{
  g_autoptr (RawMessage) message = raw_message_new ("village", "village/level-1", "", 0);
  message->receive_time_us = now_us;
  Reading reading = { .value = value, .unit = unit, .sequence = -1 };
  return normalise (fixture->sensor, &fixture->clock, message, &reading);
}

static void assert_value (Observation *observation, double value, Quality quality)
{
  assert_true (observation->value > value - 1e-9 && observation->value < value + 1e-9);
  assert_int_equal (observation->quality, quality);
  observation_unref (observation);
}

static void values_come_to_the_metrics_unit (void **state)
{
  (void) state;
  Fixture fixture = fixture_with (CLOCK_TRUST_GATEWAY);
  Metric *metric = fixture.sensor->metrics->pdata[0];
  metric->units = units;
  assert_value (take_in (&fixture, "cm", 325), 3.25, QUALITY_GOOD); /* the payload says its unit */
  assert_value (take_in (&fixture, "m", 3.25), 3.25, QUALITY_GOOD);
  assert_value (take_in (&fixture, "Cel", 20), 20, QUALITY_BAD); /* no length: kept as it came, and bad */
  assert_value (take_in (&fixture, "{furlongs}", 20), 20, QUALITY_BAD);
  metric->raw_unit = g_strdup ("cm"); /* the configuration knows better */
  assert_value (take_in (&fixture, "m", 325), 3.25, QUALITY_GOOD);
  metric->scale = 10;
  metric->offset = 5;
  assert_value (take_in (&fixture, NULL, 32), 3.25, QUALITY_GOOD); /* scale and offset first */
  g_free (metric->raw_unit);
  g_free (metric->unit);
  metric->raw_unit = g_strdup ("Cel");
  metric->unit = g_strdup ("K");
  metric->scale = 1;
  metric->offset = 0;
  assert_value (take_in (&fixture, NULL, -10), 263.15, QUALITY_GOOD);
  site_unref (fixture.site);
}

static void what_is_out_of_range_is_kept_and_bad (void **state)
{
  (void) state;
  Fixture fixture = fixture_with (CLOCK_TRUST_GATEWAY);
  Metric *metric = fixture.sensor->metrics->pdata[0];
  metric->has_minimum = metric->has_maximum = TRUE;
  metric->minimum = -2;
  metric->maximum = 20;
  assert_value (take_in (&fixture, NULL, -2), -2, QUALITY_GOOD);
  assert_value (take_in (&fixture, NULL, -2.001), -2.001, QUALITY_BAD);
  assert_value (take_in (&fixture, NULL, 20.001), 20.001, QUALITY_BAD);
  site_unref (fixture.site);
}

static void a_retained_message_and_a_birth_are_states (void **state)
{
  (void) state;
  Fixture fixture = fixture_with (CLOCK_TRUST_AUTO);
  g_autoptr (RawMessage) message = raw_message_new ("village", "village/level-1", "", 0);
  message->receive_time_us = now_us;
  Reading reading = { .value = 1, .has_time = TRUE, .time_us = now_us, .sequence = -1, .is_state = TRUE };
  g_autoptr (Observation) birth = normalise (fixture.sensor, &fixture.clock, message, &reading);
  assert_true (birth->is_state && birth->is_historical);
  reading.is_state = FALSE;
  message->is_retained = TRUE;
  g_autoptr (Observation) retained = normalise (fixture.sensor, &fixture.clock, message, &reading);
  assert_true (retained->is_state && retained->is_historical);
  message->is_retained = FALSE;
  reading.is_historical = TRUE;
  g_autoptr (Observation) late = normalise (fixture.sensor, &fixture.clock, message, &reading);
  assert_true (!late->is_state && late->is_historical);
  site_unref (fixture.site);
}

/* A logger whose clock stands at 1970 sends ten minutes at once, every ten minutes. */
static void readings_of_a_wrong_clock_keep_their_distances (void **state)
{
  (void) state;
  Fixture fixture = fixture_with (CLOCK_TRUST_AUTO);
  g_autoptr (RawMessage) message = raw_message_new ("village", "village/level-1", "", 0);
  for (int batch = 0; batch < 5; batch++) {
    g_autoptr (GArray) readings = g_array_new (FALSE, FALSE, sizeof (Reading));
    message->receive_time_us = now_us + batch * 10 * MINUTE;
    for (int i = 0; i < 10; i++) {
      Reading reading = { .value = i, .has_time = TRUE, .time_us = (batch * 10 + i) * MINUTE, .sequence = -1 };
      g_array_append_val (readings, reading);
    }
    device_clock_watch (&fixture.clock, readings, message->receive_time_us);
    g_autoptr (Observation) first = normalise (fixture.sensor, &fixture.clock, message, &g_array_index (readings, Reading, 0));
    gint64 expected = message->receive_time_us - (batch < DEVICE_CLOCK_EVEN_AFTER ? 0 : 9 * MINUTE);
    assert_int_equal (first->phenomenon_time_us, expected);
    assert_int_equal (first->quality, QUALITY_UNCERTAIN);
  }
  site_unref (fixture.site);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (value_and_unit_follow_the_metric),
    cmocka_unit_test (a_plausible_device_time_is_believed),
    cmocka_unit_test (impossible_times_give_way_to_the_time_of_receipt),
    cmocka_unit_test (late_data_is_historical_at_its_own_time),
    cmocka_unit_test (a_clock_that_is_always_behind_by_the_same_is_wrong_and_not_late),
    cmocka_unit_test (what_a_devices_clock_is_off_is_shown_with_what_becomes_of_it),
    cmocka_unit_test (the_gateways_clock_alone_counts_where_it_is_configured),
    cmocka_unit_test (values_come_to_the_metrics_unit),
    cmocka_unit_test (what_is_out_of_range_is_kept_and_bad),
    cmocka_unit_test (a_retained_message_and_a_birth_are_states),
    cmocka_unit_test (readings_of_a_wrong_clock_keep_their_distances),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
