/* Twenty kills of gridgate in a stream of QoS 1 messages: what the broker considers delivered is on our disk. */
#include <signal.h>
#include <string.h>

#include "tests/support/test.h"
#include "tests/support/township.h"

enum { KILLS = 20, MESSAGES_A_ROUND = 40, ANSWER_S = 40 };

static int township_setup (void **state)
{
  *state = township_new ("flood.yaml", NULL);
  return 0;
}

static int township_teardown (void **state)
{
  township_free (*state);
  return 0;
}

static Process *start_publisher (Township *township)
{
  g_autofree char *port = g_strdup_printf ("%d", mosquitto_port (township->village));
  return process_start (township->folder, (const char *[]){ "mosquitto_pub", "-p", port, "-q", "1", "-t",
                                                            "village/shimiao/level-1", "-l", NULL });
}

/* Marks which values are stored; returns how often one came twice. */
static guint read_stored (Township *township, gboolean *seen, guint count)
{
  guint twice = 0;
  g_autofree char *cursor = NULL;
  do {
    g_autofree char *escaped = cursor != NULL ? g_uri_escape_string (cursor, NULL, FALSE) : NULL;
    g_autofree char *path = g_strdup_printf ("/api/v1/observations?sensor=level-1&metric=water_level&limit=1000%s%s",
                                             escaped != NULL ? "&cursor=" : "", escaped != NULL ? escaped : "");
    json_t *answer = http_client_get (township->http, path), *one;
    gsize index;
    json_array_foreach (json_object_get (answer, "items"), index, one)
    {
      guint number = (guint) (json_number_value (json_object_get (one, "value")) * 100 + 0.5);
      assert_true (number < count);
      twice += seen[number];
      seen[number] = TRUE;
    }
    g_free (cursor);
    cursor = g_strdup (json_string_value (json_object_get (answer, "next")));
    json_decref (answer);
  } while (cursor != NULL);
  return twice;
}

static gboolean is_connected (gpointer data)
{
  return process_has_said (((Township *) data)->gateway, "broker village: connected");
}

typedef struct {
  Township *township;
  gboolean *seen;
  guint count, twice;
} Stored;

static gboolean all_are_stored (gpointer data)
{
  Stored *stored = data;
  memset (stored->seen, 0, stored->count * sizeof *stored->seen);
  stored->twice = read_stored (stored->township, stored->seen, stored->count);
  for (guint i = 0; i < stored->count; i++)
    if (!stored->seen[i])
      return FALSE;
  return TRUE;
}

static void twenty_kills_of_gridgate_lose_no_message (void **state)
{
  Township *township = *state;
  g_autoptr (Process) publisher = start_publisher (township);
  g_autoptr (GRand) chance = g_rand_new_with_seed (20261123);
  guint sent = 0;
  for (int kill_number = 0; kill_number < KILLS; kill_number++) {
    assert_true (wait_until (is_connected, township, ANSWER_S));
    guint before_kill = (guint) g_rand_int_range (chance, 0, MESSAGES_A_ROUND);
    for (guint i = 0; i < MESSAGES_A_ROUND; i++) {
      g_autofree char *line = g_strdup_printf ("{\"level_cm\": %u}", sent++);
      process_write_line (publisher, line);
      if (i == before_kill)
        process_end (township->gateway, SIGKILL, 5);
    }
    township_start_gateway (township);
  }

  g_autofree gboolean *seen = g_new0 (gboolean, sent);
  Stored stored = { township, seen, sent, 0 };
  gboolean are_all_there = wait_until (all_are_stored, &stored, ANSWER_S);
  guint missing = 0;
  for (guint i = 0; i < sent; i++)
    missing += !seen[i];
  print_message ("%u messages, %d kills: %u missing, %u twice\n", sent, KILLS, missing, stored.twice);
  assert_true (are_all_there);
}

static void the_account_balances_after_it (void **state)
{
  Township *township = *state;
  json_t *accounting = http_client_get (township->http, "/api/v1/accounting");
  json_t *broker = json_array_get (json_object_get (accounting, "brokers"), 0), *count;
  json_int_t sum = json_integer_value (json_object_get (broker, "stored"))
                   + json_integer_value (json_object_get (broker, "pending"));
  const char *reason;
  json_object_foreach (json_object_get (broker, "rejected"), reason, count)
    sum += json_integer_value (count);
  json_object_foreach (json_object_get (broker, "dropped"), reason, count)
    sum += json_integer_value (count);
  assert_int_equal (json_integer_value (json_object_get (broker, "received")), sum);
  json_decref (accounting);
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
  Township *township = *state;
  g_autoptr (HttpAnswer) answer = http_client_call (township->http, "GET", "/metrics", NULL);
  gint64 received = metric (answer->body, "gridgate_messages_received_total{broker=\"village\"}");
  assert_true (received > 0);
  assert_int_equal (received, metric (answer->body, "gridgate_messages_total{broker=\"village\"")
                                + metric (answer->body, "gridgate_messages_pending{broker=\"village\"}"));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (twenty_kills_of_gridgate_lose_no_message),
    cmocka_unit_test (the_account_balances_after_it),
    cmocka_unit_test (the_metrics_balance_as_the_account_does),
  };
  return cmocka_run_group_tests (tests, township_setup, township_teardown);
}
