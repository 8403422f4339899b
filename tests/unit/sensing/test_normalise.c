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

static void the_gateways_clock_alone_counts_where_it_is_configured (void **state)
{
  (void) state;
  Fixture fixture = fixture_with (CLOCK_TRUST_GATEWAY);
  assert_taken (&fixture, now_us, now_us - 60 * MINUTE, now_us, QUALITY_GOOD, FALSE);
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
    cmocka_unit_test (the_gateways_clock_alone_counts_where_it_is_configured),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
