#include "gateway/observe/filter.h"
#include "tests/support/test.h"
#include "tests/unit/sensing/sensing_site.h"

#define SECOND G_TIME_SPAN_SECOND
#define MINUTE G_TIME_SPAN_MINUTE

static const gint64 now_us = 1777622400000000;

typedef struct {
  Site *site;
  Sensor *sensor;
  Metric *metric;
  Filter filter;
} Fixture;

static Fixture *fixture_new (void)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  fixture->site = test_site_new ();
  fixture->sensor = test_site_add_sensor (fixture->site, "level-1");
  fixture->metric = fixture->sensor->metrics->pdata[0];
  filter_init (&fixture->filter, fixture->sensor);
  return fixture;
}

static void fixture_free (Fixture *fixture)
{
  filter_clear (&fixture->filter);
  site_unref (fixture->site);
  g_free (fixture);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

static const char *reason (Fixture *fixture, gint64 after_us, double value, Quality quality, gboolean is_historical)
{
  g_autoptr (Observation) observation = observation_new ("level-1", "water_level");
  observation->receive_time_us = now_us + after_us;
  observation->value = value;
  observation->quality = quality;
  observation->is_historical = is_historical;
  return filter_reason (&fixture->filter, fixture->sensor, 0, observation);
}

static void a_change_within_the_deadband_is_no_news (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_new ();
  fixture->metric->deadband = 0.1;
  assert_null (reason (fixture, 0, 3, QUALITY_GOOD, FALSE));
  assert_string_equal (reason (fixture, SECOND, 3.05, QUALITY_GOOD, FALSE), REASON_DEADBAND);
  assert_string_equal (reason (fixture, 2 * SECOND, 3.09, QUALITY_GOOD, FALSE), REASON_DEADBAND); /* to what was stored */
  assert_null (reason (fixture, 3 * SECOND, 3.2, QUALITY_GOOD, FALSE));
  assert_null (reason (fixture, 4 * SECOND, 3.2, QUALITY_BAD, FALSE)); /* another quality is news */
}

static void a_steady_level_is_still_heard_of (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_new ();
  fixture->metric->deadband = 0.1;
  assert_null (reason (fixture, 0, 3, QUALITY_GOOD, FALSE));
  assert_non_null (reason (fixture, FILTER_HEARTBEAT_US - 1, 3, QUALITY_GOOD, FALSE));
  assert_null (reason (fixture, FILTER_HEARTBEAT_US, 3, QUALITY_GOOD, FALSE));
  fixture->sensor->silent_after_us = 2 * MINUTE;
  assert_null (reason (fixture, FILTER_HEARTBEAT_US + MINUTE, 3, QUALITY_GOOD, FALSE));
}

static void readings_that_come_too_soon_are_left_out (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_new ();
  fixture->metric->at_most_every_us = 10 * SECOND;
  assert_null (reason (fixture, 0, 3, QUALITY_GOOD, FALSE));
  assert_string_equal (reason (fixture, 9 * SECOND, 9, QUALITY_GOOD, FALSE), REASON_TOO_OFTEN);
  assert_null (reason (fixture, 9 * SECOND, 9, QUALITY_GOOD, TRUE)); /* late data has a place of its own */
  assert_null (reason (fixture, 10 * SECOND, 9, QUALITY_GOOD, FALSE));
  assert_null (reason (fixture, -MINUTE, 9, QUALITY_GOOD, FALSE)); /* the clock was set back */
}

static void a_message_counts_once_within_its_window (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_new ();
  assert_false (filter_is_repeated (&fixture->filter, 7, now_us, MINUTE));
  assert_false (filter_is_repeated (&fixture->filter, 8, now_us, MINUTE));
  assert_true (filter_is_repeated (&fixture->filter, 7, now_us + 59 * SECOND, MINUTE));
  assert_false (filter_is_repeated (&fixture->filter, 7, now_us + MINUTE, MINUTE));
  for (guint64 i = 100; i < 100 + FILTER_MESSAGES; i++)
    assert_false (filter_is_repeated (&fixture->filter, i, now_us, MINUTE));
  assert_false (filter_is_repeated (&fixture->filter, 8, now_us, MINUTE)); /* forgotten: the memory is bounded */
}

static void a_batch_that_failed_leaves_no_trace (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_new ();
  fixture->metric->deadband = 0.1;
  assert_null (reason (fixture, 0, 3, QUALITY_GOOD, FALSE));
  Filter before;
  filter_init (&before, fixture->sensor);
  filter_copy (&fixture->filter, &before, fixture->sensor);
  assert_null (reason (fixture, SECOND, 4, QUALITY_GOOD, FALSE));
  filter_copy (&before, &fixture->filter, fixture->sensor);
  assert_null (reason (fixture, SECOND, 4, QUALITY_GOOD, FALSE));
  filter_clear (&before);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_change_within_the_deadband_is_no_news),
    cmocka_unit_test (a_steady_level_is_still_heard_of),
    cmocka_unit_test (readings_that_come_too_soon_are_left_out),
    cmocka_unit_test (a_message_counts_once_within_its_window),
    cmocka_unit_test (a_batch_that_failed_leaves_no_trace),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
