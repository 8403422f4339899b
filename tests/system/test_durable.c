/* Kills of gridgate at random moments of a stream of messages, durable and not, of every quality of service.
 *
 * GRIDGATE_KILLS kills instead of a few: ./run soak kills. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/observe/observe_private.h"
#include "tests/support/sensor_account.h"
#include "tests/support/test.h"

enum { KILLS = 12, KILLS_MAX = 1000, MESSAGES_A_ROUND = 30, WAIT_S = 60 };

/* Messages 1, -2, 3, -4 …: each flips the rule. */
typedef struct {
  const char *sensor, *qos;
  gboolean must_be_whole; /* durable, and the broker keeps it until it is acknowledged */
  Process *publisher;
  int sent;
  int sent_at[KILLS_MAX + 1]; /* before each kill, and at the end */
  gint64 shown_at[KILLS_MAX]; /* stored, as /accounting said before it */
  int *stored;                /* what is there at the end, in its order */
  gsize stored_count;
} Counter;

typedef struct {
  Township *township;
  Counter counters[6];
  int kills;
} Kills;

static int setup (void **state)
{
  static const Counter counters[] = { { "kept-0", "0" },       { "kept-1", "1", TRUE }, { "kept-2", "2", TRUE },
                                      { "fast-0", "0" },       { "fast-1", "1" },       { "fast-2", "2" } };
  Kills *kills = *state = g_new0 (Kills, 1);
  const char *count = g_getenv ("GRIDGATE_KILLS");
  kills->kills = count != NULL ? CLAMP (atoi (count), 1, KILLS_MAX) : KILLS;
  kills->township = township_new ("kills.yaml", NULL);
  memcpy (kills->counters, counters, sizeof counters);
  g_autofree char *port = g_strdup_printf ("%d", mosquitto_port (kills->township->village));
  for (gsize i = 0; i < G_N_ELEMENTS (kills->counters); i++) {
    Counter *counter = &kills->counters[i];
    g_autofree char *topic = g_strconcat ("village/", counter->sensor, NULL);
    counter->publisher = process_start (kills->township->folder, (const char *[]){ "mosquitto_pub", "-p", port, "-q", counter->qos,
                                                                                   "-t", topic, "-l", NULL });
  }
  return 0;
}

static int teardown (void **state)
{
  Kills *kills = *state;
  for (gsize i = 0; i < G_N_ELEMENTS (kills->counters); i++) {
    process_free (kills->counters[i].publisher);
    g_free (kills->counters[i].stored);
  }
  township_free (kills->township);
  g_free (kills);
  return 0;
}

static int value_of (int number)
{
  return number % 2 == 1 ? number : -number;
}

static void send_next (Counter *counter)
{
  counter->sent++;
  g_autofree char *line = g_strdup_printf ("%d", value_of (counter->sent));
  process_write_line (counter->publisher, line);
}

/* What is sent at QoS 0 while nobody is there is lost by the broker, whoever the gateway is: so nothing is sent then. */
static void send_some (Kills *kills, int count, gboolean is_gateway_there)
{
  for (int message = 0; message < count; message++)
    for (gsize i = 0; i < G_N_ELEMENTS (kills->counters); i++)
      if (is_gateway_there || kills->counters[i].qos[0] != '0')
        send_next (&kills->counters[i]);
}

static void note_kill (Kills *kills, int kill_number)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kills->counters); i++) {
    Counter *counter = &kills->counters[i];
    counter->sent_at[kill_number] = counter->sent;
    if (kill_number < kills->kills)
      counter->shown_at[kill_number] = sensor_count (kills->township, counter->sensor, "stored");
  }
}

/* One message more of each; when it has come, so has all that was before it. */
static void send_the_last (Kills *kills)
{
  send_some (kills, 1, TRUE);
  note_kill (kills, kills->kills);
  for (gsize i = 0; i < G_N_ELEMENTS (kills->counters); i++)
    sensor_wait_for_value (kills->township, kills->counters[i].sensor, "count", value_of (kills->counters[i].sent), WAIT_S);
  sensor_accounts_settle (kills->township, WAIT_S);
}

static void read_stored (Kills *kills, Counter *counter)
{
  json_t *readings = sensor_readings (kills->township, counter->sensor, "count"), *one;
  gsize index;
  counter->stored_count = json_array_size (readings);
  counter->stored = g_new (int, counter->stored_count);
  json_array_foreach (readings, index, one)
    counter->stored[index] = (int) json_number_value (json_object_get (one, "value"));
  json_decref (readings);
}

typedef struct {
  Kills *kills;
  gint64 at_least;
} Moment;

static gboolean has_come (gpointer data)
{
  const Moment *moment = data;
  return sensor_count (moment->kills->township, moment->kills->counters[1].sensor, "stored") >= moment->at_least;
}

/* Some of what was sent in this round is stored by then. */
static void wait_for_a_moment (Kills *kills, GRand *chance, int count)
{
  Moment moment = { kills, kills->counters[1].sent - g_rand_int_range (chance, 0, count + 1) };
  assert_true (kills->counters[1].must_be_whole);
  assert_true (wait_until (has_come, &moment, WAIT_S));
}

static void the_gateway_is_killed_while_messages_come (void **state)
{
  Kills *kills = *state;
  g_autoptr (GRand) chance = g_rand_new_with_seed (20261123);
  for (int kill_number = 0; kill_number < kills->kills; kill_number++) {
    int before = g_rand_int_range (chance, 0, MESSAGES_A_ROUND);
    send_some (kills, before, TRUE);
    wait_for_a_moment (kills, chance, before);
    note_kill (kills, kill_number);
    process_end (kills->township->gateway, SIGKILL, 5);
    send_some (kills, MESSAGES_A_ROUND - before, FALSE);
    township_start_gateway (kills->township);
  }
  send_the_last (kills);
  for (gsize i = 0; i < G_N_ELEMENTS (kills->counters); i++)
    read_stored (kills, &kills->counters[i]);
}

/* How often each message is there. */
static guint *count_each (const Counter *counter)
{
  guint *times = g_new0 (guint, (gsize) counter->sent + 1);
  for (gsize i = 0; i < counter->stored_count; i++) {
    int number = abs (counter->stored[i]);
    assert_true (number >= 1 && number <= counter->sent && counter->stored[i] == value_of (number));
    times[number]++;
  }
  return times;
}

/* Of the messages after `from` up to `to`. */
static guint count_missing (const guint *times, int from, int to)
{
  guint missing = 0;
  for (int number = from + 1; number <= to; number++)
    missing += times[number] == 0;
  return missing;
}

static void what_the_account_showed_as_stored_is_there_once (void **state)
{
  Kills *kills = *state;
  for (gsize i = 0; i < G_N_ELEMENTS (kills->counters); i++) {
    const Counter *counter = &kills->counters[i];
    g_autofree guint *times = count_each (counter);
    for (int number = 1; number <= counter->sent; number++)
      assert_true (times[number] <= 1);
    for (int kill_number = 0; kill_number < kills->kills; kill_number++) {
      int sent = counter->sent_at[kill_number];
      assert_true (sent - (gint64) count_missing (times, 0, sent) >= counter->shown_at[kill_number]);
    }
    assert_int_equal (sensor_count (kills->township, counter->sensor, "stored"), counter->stored_count);
  }
}

/* Kill by kill, from the messages sent since the one before up to those before the next. */
static void nothing_durable_is_missing_and_of_the_rest_no_more_than_the_queue_holds (void **state)
{
  Kills *kills = *state;
  for (gsize i = 0; i < G_N_ELEMENTS (kills->counters); i++) {
    const Counter *counter = &kills->counters[i];
    g_autofree guint *times = count_each (counter);
    g_autoptr (GString) report = g_string_new (NULL);
    guint all = count_missing (times, 0, counter->sent);
    for (int kill_number = 0; kill_number < kills->kills; kill_number++) {
      int from = kill_number > 0 ? counter->sent_at[kill_number - 1] : 0;
      guint missing = count_missing (times, from, counter->sent_at[kill_number]);
      g_string_append_printf (report, " %u", missing);
      assert_true (missing <= INTAKE_MESSAGES);
    }
    print_message ("%s (QoS %s, %s): %d sent, %u missing in %d kills; before each:%s\n", counter->sensor, counter->qos,
                   counter->sensor[0] == 'k' ? "durable" : "not durable", counter->sent, all, kills->kills, report->str);
    if (counter->must_be_whole)
      assert_int_equal (all, 0);
  }
}

/* As the rule would judge what is stored, in its order. */
static void call_for_alerts (const Counter *counter, guint *opened, guint *open)
{
  *opened = *open = 0;
  for (gsize i = 0; i < counter->stored_count; i++) {
    *opened += counter->stored[i] > 0 && *open == 0;
    *open = counter->stored[i] > 0;
  }
}

static void every_alert_that_the_readings_call_for_is_there_once (void **state)
{
  Kills *kills = *state;
  json_t *alerts = sensor_alerts (kills->township, "flips"), *one;
  for (gsize i = 0; i < G_N_ELEMENTS (kills->counters); i++) {
    const Counter *counter = &kills->counters[i];
    guint wanted_opened, wanted_open, opened = 0, open = 0;
    gsize index;
    call_for_alerts (counter, &wanted_opened, &wanted_open);
    json_array_foreach (alerts, index, one) {
      gboolean is_its = strcmp (json_string_value (json_object_get (one, "sensor")), counter->sensor) == 0;
      opened += is_its;
      open += is_its && strcmp (json_string_value (json_object_get (one, "state")), "open") == 0;
    }
    print_message ("%s: %u alerts, %u open\n", counter->sensor, opened, open);
    assert_int_equal (opened, wanted_opened);
    assert_int_equal (open, wanted_open);
  }
  json_decref (alerts);
}

/* The sum of the samples whose line begins so. */
static gint64 metric (const char *metrics, const char *start)
{
  g_auto (GStrv) lines = g_strsplit (metrics, "\n", -1);
  gint64 sum = 0;
  for (guint i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], start))
      sum += g_ascii_strtoll (strrchr (lines[i], ' ') + 1, NULL, 10);
  return sum;
}

static void the_metrics_balance_as_the_account_does (void **state)
{
  Kills *kills = *state;
  g_autoptr (HttpAnswer) answer = http_client_call (kills->township->http, "GET", "/metrics", NULL);
  gint64 received = metric (answer->body, "gridgate_messages_received_total{broker=\"village\"}");
  assert_true (received > 0);
  assert_int_equal (received, metric (answer->body, "gridgate_messages_total{broker=\"village\"")
                                + metric (answer->body, "gridgate_messages_pending{broker=\"village\"}"));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (the_gateway_is_killed_while_messages_come),
    cmocka_unit_test (what_the_account_showed_as_stored_is_there_once),
    cmocka_unit_test (nothing_durable_is_missing_and_of_the_rest_no_more_than_the_queue_holds),
    cmocka_unit_test (every_alert_that_the_readings_call_for_is_there_once),
    cmocka_unit_test (the_metrics_balance_as_the_account_does),
  };
  return cmocka_run_group_tests (tests, setup, teardown);
}
