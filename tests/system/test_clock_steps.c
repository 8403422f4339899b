/* The machine's wall clock is set while the gateway runs: an hour on, an hour back, to 1970, years ahead. */
#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/observe/observation_files.h"
#include "tests/support/sensor_account.h"
#include "tests/support/test.h"

enum { WAIT_S = 60, OLD_DAYS = 4 };
#define HOLD_US ((gint64) 2 * G_USEC_PER_SEC) /* of rule flood in sensing.yaml */
#define TOPIC "village/shimiao/level-1"

/* A bearer's right does not end by the clock, as a session's does. */
static int setup (void **state)
{
  Township *township = *state = township_new_as (&(TownshipForm){ .site = "sensing.yaml", .has_stepped_clock = TRUE });
  http_client_set_bearer (township->http, township->token_secret);
  return 0;
}

static int teardown (void **state)
{
  township_free (*state);
  return 0;
}

/* Without a time of its own: it is as old as the gateway's clock says. */
static void publish_level (Township *township, int level_cm)
{
  g_autofree char *payload = g_strdup_printf ("{\"level_cm\":%d}", level_cm);
  township_publish (township, TOPIC, payload);
  sensor_wait_for_value (township, "level-1", "water_level", level_cm / 100.0, WAIT_S);
}

static gboolean is_one_open (gpointer township)
{
  return sensor_count_alerts (township, "flood", "open") == 1;
}

static gboolean is_none_open (gpointer township)
{
  return sensor_count_alerts (township, "flood", "open") == 0;
}

static gint64 time_of (const json_t *object, const char *field)
{
  gint64 time_us = 0;
  const char *text = json_string_value (json_object_get (object, field));
  assert_true (text != NULL && time_from_rfc3339 (text, &time_us));
  return time_us;
}

/* The newest reading is of now by the stepped clock, and so is the alert that opened last. */
static void times_are_sane (Township *township, double value, gint64 from_us, gint64 to_us)
{
  json_t *readings = sensor_readings (township, "level-1", "water_level"), *one;
  gsize index, found = 0;
  json_array_foreach (readings, index, one) {
    if (json_number_value (json_object_get (one, "value")) != value)
      continue;
    found++;
    assert_in_range (time_of (one, "receive_time") - from_us / 1000 * 1000, 0, to_us - from_us + 1000);
    assert_int_equal (time_of (one, "phenomenon_time"), time_of (one, "receive_time"));
  }
  assert_int_equal (found, 1);
  json_decref (readings);
}

static void check_alerts (Township *township, gsize count)
{
  json_t *alerts = sensor_alerts (township, "flood"), *one;
  gsize index;
  assert_int_equal (json_array_size (alerts), count);
  json_array_foreach (alerts, index, one) {
    assert_true (json_is_false (json_object_get (one, "historical")));
    if (json_is_string (json_object_get (one, "cleared_at")))
      assert_true (time_of (one, "cleared_at") >= time_of (one, "opened_at"));
  }
  json_decref (alerts);
}

/* A hold is running when the clock is set by `step_us`: it ends at its time, opens one alert, and the next reading clears it. */
static void step_under_a_hold (Township *township, gint64 offset_us, int number)
{
  int high_cm = 400 + number, low_cm = 100 + number;
  gint64 before_us = g_get_monotonic_time ();
  publish_level (township, high_cm);
  stepped_clock_set (township->clock, offset_us);
  assert_true (wait_until (is_one_open, township, WAIT_S));
  assert_true (g_get_monotonic_time () - before_us >= HOLD_US);
  check_alerts (township, (gsize) number);

  gint64 from_us = stepped_clock_now_us (township->clock);
  publish_level (township, low_cm);
  assert_true (wait_until (is_none_open, township, WAIT_S));
  times_are_sane (township, low_cm / 100.0, from_us, stepped_clock_now_us (township->clock));
  check_alerts (township, (gsize) number);
}

static void holds_keep_their_length_and_no_alert_is_lost_or_doubled (void **state)
{
  Township *township = *state;
  step_under_a_hold (township, G_TIME_SPAN_HOUR, 1);
  step_under_a_hold (township, -G_TIME_SPAN_HOUR, 2);
  step_under_a_hold (township, G_TIME_SPAN_DAY - g_get_real_time (), 3); /* 1970-01-02 */
  step_under_a_hold (township, 0, 4);
  sensor_accounts_settle (township, WAIT_S);
}

static guint count_days (Township *township)
{
  g_autofree char *data = township_data_dir (township);
  g_autoptr (GPtrArray) days = observation_files_list (data);
  return days->len;
}

static void retention_deletes_nothing_in_bulk_when_the_clock_runs_ahead (void **state)
{
  Township *township = *state;
  for (int day = 1; day <= OLD_DAYS; day++) {
    stepped_clock_set (township->clock, -(gint64) day * G_TIME_SPAN_DAY);
    publish_level (township, 200 + day);
  }
  guint days = count_days (township);
  assert_true (days > OLD_DAYS);
  stepped_clock_set (township->clock, 3650 * (gint64) G_TIME_SPAN_DAY);
  publish_level (township, 250);
  publish_level (township, 251);
  stepped_clock_set (township->clock, 0);
  publish_level (township, 252);
  assert_true (count_days (township) >= days);
  for (int day = 1; day <= OLD_DAYS; day++)
    sensor_wait_for_value (township, "level-1", "water_level", (200 + day) / 100.0, 0);
  sensor_accounts_settle (township, WAIT_S);
  check_alerts (township, 4);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (holds_keep_their_length_and_no_alert_is_lost_or_doubled),
    cmocka_unit_test (retention_deletes_nothing_in_bulk_when_the_clock_runs_ahead),
  };
  return cmocka_run_group_tests (tests, setup, teardown);
}
