/* An hour without the gateway, and a broker that comes back without its sessions. */
#include <math.h>
#include <signal.h>
#include <string.h>

#include "gateway/core/clock.h"
#include "tests/support/sensor_account.h"
#include "tests/support/test.h"

enum { MINUTES = 60, WAIT_S = 60 };
#define MINUTE_US ((gint64) G_TIME_SPAN_MINUTE)

typedef struct {
  const char *sensor, *metric, *topic, *qos;
  char *(*payload) (gint64 at_us, int value);
  int (*value) (int minute);
  double unit; /* of what `value` counts */
} Source;

static char *json_payload (gint64 at_us, int value)
{
  g_autofree char *at = time_to_rfc3339 (at_us);
  return g_strdup_printf ("{\"at\":\"%s\",\"level_cm\":%d}", at, value);
}

static char *senml_payload (gint64 at_us, int value)
{
  return g_strdup_printf ("[{\"n\":\"current\",\"u\":\"A\",\"t\":%" G_GINT64_FORMAT ",\"v\":%d}]", at_us / G_USEC_PER_SEC, value);
}

static char *csv_payload (gint64 at_us, int value)
{
  g_autofree char *at = time_to_rfc3339 (at_us);
  return g_strdup_printf ("%s;%d", at, value);
}

/* High from minute 20 to 25, an hour long over before anybody hears of it. */
static int flood_of_the_past (int minute)
{
  return minute >= 20 && minute < 26 ? 400 + minute : 100 + minute;
}

/* High since two minutes ago. */
static int flood_of_now (int minute)
{
  return minute >= MINUTES - 2 ? 500 + minute : 100 + minute;
}

static int steady (int minute)
{
  return minute + 1 > 40 ? 40 : minute + 1;
}

static const Source sources[] = {
  { "level-1", "water_level", "village/shimiao/level-1", "1", json_payload, flood_of_the_past, 0.01 },
  { "level-2", "water_level", "village/zhangwan/level-2", "2", json_payload, flood_of_now, 0.01 },
  { "meter-1", "current", "village/shimiao/meter-1", "1", senml_payload, steady, 1 },
  { "rain-1", "rain", "village/zhangwan/rain-1", "2", csv_payload, steady, 1 },
};

typedef struct {
  Township *township;
  gint64 start_us; /* of the hour: whole seconds */
} Outage;

static int setup (void **state)
{
  Outage *outage = *state = g_new0 (Outage, 1);
  outage->township = township_new ("sensing.yaml", NULL);
  return 0;
}

static int teardown (void **state)
{
  Outage *outage = *state;
  township_free (outage->township);
  g_free (outage);
  return 0;
}

static void send_the_hour (Outage *outage, const Source *source)
{
  g_autoptr (GString) lines = g_string_new (NULL);
  for (int minute = 0; minute < MINUTES; minute++) {
    g_autofree char *payload = source->payload (outage->start_us + minute * MINUTE_US, source->value (minute));
    g_string_append_printf (lines, "%s\n", payload);
  }
  mosquitto_publish_lines (outage->township->village, source->topic, source->qos, lines->str);
}

static gboolean is_all_received (gpointer data)
{
  for (gsize i = 0; i < G_N_ELEMENTS (sources); i++)
    if (sensor_count (data, sources[i].sensor, "stored") < MINUTES)
      return FALSE;
  return TRUE;
}

static gint64 time_of (const json_t *object, const char *field)
{
  gint64 time_us = 0;
  const char *text = json_string_value (json_object_get (object, field));
  assert_true (text != NULL && time_from_rfc3339 (text, &time_us));
  return time_us;
}

static void each_reading_is_in_its_place_once (Outage *outage, const Source *source)
{
  json_t *readings = sensor_readings (outage->township, source->sensor, source->metric);
  assert_int_equal (json_array_size (readings), MINUTES);
  for (int minute = 0; minute < MINUTES; minute++) {
    const json_t *one = json_array_get (readings, (gsize) minute);
    assert_int_equal (time_of (one, "phenomenon_time"), outage->start_us + minute * MINUTE_US);
    assert_float_equal (json_number_value (json_object_get (one, "value")), source->value (minute) * source->unit, 1e-9);
    assert_string_equal (json_string_value (json_object_get (one, "quality")), "good");
  }
  json_decref (readings);
}

/* The broker keeps the hour for the gateway, which is killed once more while it fetches it. */
static void an_hour_that_the_broker_kept_is_stored_in_its_place_and_once (void **state)
{
  Outage *outage = *state;
  Township *township = outage->township;
  assert_int_equal (process_end (township->gateway, SIGTERM, 20), 0);
  outage->start_us = g_get_real_time () / G_USEC_PER_SEC * G_USEC_PER_SEC - MINUTES * MINUTE_US;
  for (gsize i = 0; i < G_N_ELEMENTS (sources); i++)
    send_the_hour (outage, &sources[i]);
  township_start_gateway (township);
  process_end (township->gateway, SIGKILL, 5);
  township_start_gateway (township);

  if (!wait_until (is_all_received, township, WAIT_S)) {
    json_t *account = sensor_account (township, "");
    char *text = json_dumps (account, JSON_INDENT (1));
    fail_msg ("not all came: %s", text);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (sources); i++)
    each_reading_is_in_its_place_once (outage, &sources[i]);
  sensor_accounts_settle (township, WAIT_S);
}

static gboolean a_flood_is_open (gpointer township)
{
  return sensor_count_alerts (township, "flood", "open") == 1;
}

static const json_t *alert_of (const json_t *alerts, const char *sensor)
{
  for (gsize i = 0; i < json_array_size (alerts); i++)
    if (strcmp (json_string_value (json_object_get (json_array_get (alerts, i), "sensor")), sensor) == 0)
      return json_array_get (alerts, i);
  fail_msg ("there is no alert of %s", sensor);
  return NULL;
}

/* Whoever is told of that grid is told that it is past. */
static void only_past_alerts_are_told_of (const char *grid, const char *output)
{
  g_auto (GStrv) lines = g_strsplit (output, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    if (strstr (*line, grid) != NULL && (strstr (*line, "gridgate.alert.") == NULL || strstr (*line, "\"historical\":true") == NULL))
      fail_msg ("was told: %s", *line);
}

static void what_was_over_by_then_is_a_historical_alert_and_pages_nobody (void **state)
{
  Outage *outage = *state;
  Township *township = outage->township;
  assert_true (wait_until (a_flood_is_open, township, WAIT_S));
  json_t *alerts = sensor_alerts (township, "flood");
  assert_int_equal (json_array_size (alerts), 2);
  const json_t *past = alert_of (alerts, "level-1"), *now = alert_of (alerts, "level-2");
  assert_true (json_is_true (json_object_get (past, "historical")));
  assert_true (json_is_null (json_object_get (past, "incident")));
  assert_int_equal (time_of (past, "opened_at"), outage->start_us + 20 * MINUTE_US + 2 * G_USEC_PER_SEC);
  assert_int_equal (time_of (past, "cleared_at"), outage->start_us + 26 * MINUTE_US);
  assert_true (json_is_false (json_object_get (now, "historical")));
  json_decref (alerts);

  /* what is so now is told, by the same line and later than the other would have been */
  g_free (process_wait_for (township->subscriber, "gridgate.incident.opened", WAIT_S));
  json_t *incidents = http_client_get (township->http, "/api/v1/incidents");
  json_t *items = json_object_get (incidents, "items");
  assert_int_equal (json_array_size (items), 1);
  assert_string_equal (json_string_value (json_object_get (json_array_get (items, 0), "grid")), "621121104202");
  json_decref (incidents);
  g_autofree char *told = process_output (township->subscriber);
  only_past_alerts_are_told_of ("\"621121104201\"", told);
}

/* Of level-1 five readings were above, of level-2 the last two. */
static void a_changed_rule_says_from_what_is_stored_what_it_would_have_raised (void **state)
{
  Outage *outage = *state;
  json_t *rule = json_pack ("{s:s, s:s, s:{s:s}, s:{s:f, s:i}}", "id", "flood", "category", "flood", "match", "metric", "water_level",
                            "when", "above", 4.205, "clear", 4);
  g_autoptr (HttpAnswer) preview = http_client_call (outage->township->http, "POST", "/api/v1/rules/preview", rule);
  assert_int_equal (preview->status, 200);
  assert_int_equal (json_integer_value (json_object_get (preview->json, "alerts")), 2);
  assert_true (json_is_true (json_object_get (preview->json, "is_complete")));
  json_decref (rule);
  assert_int_equal (sensor_count_alerts (outage->township, "flood", NULL), 2);
}

/* A broker whose folder was restored from an old copy: it knows retained messages and nobody's session. */
static void restore_an_old_copy (Township *township, const char *level_cm)
{
  g_autoptr (Mosquitto) old = mosquitto_start (township->folder, NULL);
  g_autofree char *payload = g_strdup_printf ("{\"level_cm\":%s}", level_cm);
  mosquitto_publish (old, "village/shimiao/level-1", payload, (const char *[]){ "-r", "-q", "1", NULL });
  mosquitto_end (old, SIGTERM);
  g_autofree char *copy = mosquitto_store_path (old), *store = mosquitto_store_path (township->village), *bytes = NULL;
  gsize size;
  assert_true (g_file_get_contents (copy, &bytes, &size, NULL));
  assert_true (g_file_set_contents (store, bytes, (gssize) size, NULL));
}

static gboolean has_lost_its_session (const json_t *accounting)
{
  const json_t *broker = json_array_get (json_object_get (accounting, "brokers"), 0);
  return json_is_false (json_object_get (broker, "session_present"));
}

static gboolean has_an_item (const json_t *answer)
{
  return json_array_size (json_object_get (answer, "items")) > 0;
}

static gboolean has_kept_its_session (const json_t *accounting)
{
  const json_t *broker = json_array_get (json_object_get (accounting, "brokers"), 0);
  return json_is_true (json_object_get (broker, "session_present"));
}

static void a_broker_that_lost_the_session_is_subscribed_to_anew_and_what_it_retained_fires_nothing (void **state)
{
  Outage *outage = *state;
  Township *township = outage->township;
  json_decref (township_wait_for (township, "/api/v1/accounting", has_kept_its_session, WAIT_S));
  gsize alerts = sensor_count_alerts (township, "flood", NULL);
  mosquitto_end (township->village, SIGKILL);
  restore_an_old_copy (township, "900");
  mosquitto_start_again (township->village);
  json_decref (township_wait_for (township, "/api/v1/accounting", has_lost_its_session, WAIT_S));
  assert_true (process_has_said (township->gateway, "broker village: has lost our session"));

  sensor_wait_for_value (township, "level-1", "water_level", 9, WAIT_S);
  township_publish (township, "village/shimiao/level-1", "{\"level_cm\":270}");
  sensor_wait_for_value (township, "level-1", "water_level", 2.7, WAIT_S);
  township_publish (township, "village/zhangwan/rain-1", "nonsense");
  sensor_accounts_settle (township, WAIT_S);
  assert_int_equal (sensor_count_alerts (township, "flood", NULL), alerts);

  g_autofree char *level = json_payload (g_get_real_time (), 360);
  township_publish (township, "village/shimiao/level-1", level);
  json_decref (township_wait_for (township, "/api/v1/incidents?grid=621121104201&category=flood&state=reported", has_an_item, WAIT_S));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (an_hour_that_the_broker_kept_is_stored_in_its_place_and_once),
    cmocka_unit_test (what_was_over_by_then_is_a_historical_alert_and_pages_nobody),
    cmocka_unit_test (a_changed_rule_says_from_what_is_stored_what_it_would_have_raised),
    cmocka_unit_test (a_broker_that_lost_the_session_is_subscribed_to_anew_and_what_it_retained_fires_nothing),
  };
  return cmocka_run_group_tests (tests, setup, teardown);
}
