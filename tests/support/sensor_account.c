#include "tests/support/sensor_account.h"

#include <math.h>
#include <string.h>

#include "tests/support/test.h"

static json_t *village (Township *township)
{
  json_t *accounting = http_client_get (township->http, "/api/v1/accounting");
  json_t *broker = json_incref (json_array_get (json_object_get (accounting, "brokers"), 0));
  json_decref (accounting);
  assert_non_null (broker);
  return broker;
}

json_t *sensor_account (Township *township, const char *sensor)
{
  json_t *broker = village (township), *one, *found = sensor[0] == '\0' ? json_incref (broker) : NULL;
  gsize index;
  json_array_foreach (json_object_get (broker, "sensors"), index, one)
    if (found == NULL && strcmp (json_string_value (json_object_get (one, "id")), sensor) == 0)
      found = json_incref (one);
  json_decref (broker);
  assert_non_null (found);
  return found;
}

static gint64 count_in (const json_t *account, const char *what)
{
  json_t *count = json_object_get (account, what), *one;
  const char *reason;
  gint64 sum = json_integer_value (count);
  json_object_foreach (count, reason, one)
    sum += json_integer_value (one);
  return sum;
}

gint64 sensor_count (Township *township, const char *sensor, const char *what)
{
  json_t *account = sensor_account (township, sensor);
  gint64 count = count_in (account, what);
  json_decref (account);
  return count;
}

static void check_balance (const json_t *account)
{
  gint64 sum = count_in (account, "stored") + count_in (account, "rejected") + count_in (account, "dropped")
               + count_in (account, "pending");
  if (count_in (account, "received") != sum || count_in (account, "pending") < 0) {
    char *text = json_dumps (account, JSON_INDENT (1));
    fail_msg ("the account does not balance: %s", text);
  }
}

void sensor_accounts_balance (Township *township)
{
  json_t *broker = village (township), *one;
  gsize index;
  check_balance (broker);
  json_array_foreach (json_object_get (broker, "sensors"), index, one)
    check_balance (one);
  json_decref (broker);
}

static gboolean has_settled (gpointer data)
{
  return sensor_count (data, "", "pending") == 0;
}

void sensor_accounts_settle (Township *township, int seconds)
{
  if (!wait_until (has_settled, township, seconds))
    fail_msg ("%d messages are still pending", (int) sensor_count (township, "", "pending"));
  sensor_accounts_balance (township);
}

/* All pages of a list, one after the other. */
static json_t *whole_list (Township *township, const char *path)
{
  json_t *all = json_array ();
  g_autofree char *cursor = NULL;
  do {
    g_autofree char *escaped = cursor != NULL ? g_uri_escape_string (cursor, NULL, FALSE) : NULL;
    g_autofree char *page = g_strconcat (path, escaped != NULL ? "&cursor=" : "", escaped, NULL);
    json_t *answer = http_client_get (township->http, page);
    json_array_extend (all, json_object_get (answer, "items"));
    g_free (cursor);
    cursor = g_strdup (json_string_value (json_object_get (answer, "next")));
    json_decref (answer);
  } while (cursor != NULL);
  return all;
}

json_t *sensor_readings (Township *township, const char *sensor, const char *metric)
{
  g_autofree char *path = g_strdup_printf ("/api/v1/observations?sensor=%s&metric=%s&limit=1000"
                                           "&from=1970-01-01T00:00:00Z&to=2099-01-01T00:00:00Z", sensor, metric);
  return whole_list (township, path);
}

typedef struct {
  Township *township;
  const char *sensor, *metric;
  double value;
} Wanted;

static gboolean is_stored (gpointer data)
{
  const Wanted *wanted = data;
  json_t *readings = sensor_readings (wanted->township, wanted->sensor, wanted->metric), *one;
  gboolean is_there = FALSE;
  gsize index;
  json_array_foreach (readings, index, one)
    is_there |= fabs (json_number_value (json_object_get (one, "value")) - wanted->value) < 1e-9;
  json_decref (readings);
  return is_there;
}

void sensor_wait_for_value (Township *township, const char *sensor, const char *metric, double value, int seconds)
{
  if (wait_until (is_stored, &(Wanted){ township, sensor, metric, value }, seconds))
    return;
  g_autofree char *log = process_output (township->gateway);
  fail_msg ("no %s of %g came from %s; the gateway's log:\n%s", metric, value, sensor, log);
}

json_t *sensor_alerts (Township *township, const char *rule)
{
  json_t *all = whole_list (township, "/api/v1/alerts?limit=1000"), *of_rule = json_array (), *one;
  gsize index;
  json_array_foreach (all, index, one)
    if (strcmp (json_string_value (json_object_get (one, "rule")), rule) == 0)
      json_array_append (of_rule, one);
  json_decref (all);
  return of_rule;
}

gsize sensor_count_alerts (Township *township, const char *rule, const char *state)
{
  json_t *alerts = sensor_alerts (township, rule), *one;
  gsize index, count = 0;
  json_array_foreach (alerts, index, one)
    count += state == NULL || strcmp (json_string_value (json_object_get (one, "state")), state) == 0;
  json_decref (alerts);
  return count;
}
