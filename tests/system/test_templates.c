/* One entry and a thousand devices that begin to send at once: all are sensors, also after kills; a capture replays alike. */
#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/support/township.h"

enum { DEVICES = 1000, MORE = 200, ANSWER_S = 60 };

typedef struct {
  Township *township;
  Process *capture;
  char *capture_path;
} Fixture;

static gboolean is_capturing (gpointer data)
{
  return process_has_said (data, "subscribed");
}

static int fixture_setup (void **state)
{
  Fixture *fixture = *state = g_new0 (Fixture, 1);
  fixture->township = township_new ("templates.yaml", NULL);
  g_autofree char *program = built_program ("gridgate");
  fixture->capture_path = g_build_filename (fixture->township->folder, "capture.jsonl", NULL);
  fixture->capture = process_start (fixture->township->folder, (const char *[]){ program, "capture", "-c", fixture->township->site_path,
                                                                                 "-o", fixture->capture_path, NULL });
  assert_true (wait_until (is_capturing, fixture->capture, ANSWER_S));
  return 0;
}

static int fixture_teardown (void **state)
{
  Fixture *fixture = *state;
  process_free (fixture->capture);
  township_free (fixture->township);
  g_free (fixture->capture_path);
  g_free (fixture);
  return 0;
}

/* A device's part of MQTT 3.1.1, by hand: so that a thousand topics take one connection. */

static void append_text (GByteArray *packet, const char *text)
{
  gsize length = strlen (text);
  const guint8 head[] = { (guint8) (length >> 8), (guint8) length };
  g_byte_array_append (packet, head, sizeof head);
  g_byte_array_append (packet, (const guint8 *) text, (guint) length);
}

static void append_publish (GByteArray *bytes, guint16 id, const char *topic, const char *payload)
{
  gsize length = 2 + strlen (topic) + 2 + strlen (payload);
  assert_true (length < 128); /* its length is one byte */
  const guint8 head[] = { 0x32, (guint8) length }, number[] = { (guint8) (id >> 8), (guint8) id };
  g_byte_array_append (bytes, head, sizeof head);
  append_text (bytes, topic);
  g_byte_array_append (bytes, number, sizeof number);
  g_byte_array_append (bytes, (const guint8 *) payload, (guint) strlen (payload));
}

static void read_whole (int fd, gsize size)
{
  guint8 bytes[4096];
  while (size > 0) {
    gssize count = recv (fd, bytes, MIN (size, sizeof bytes), 0);
    assert_true (count > 0);
    size -= (gsize) count;
  }
}

static int connect_device (Township *township)
{
  static const guint8 hello[] = { 0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 1, 'd' };
  const struct timeval patience = { .tv_sec = ANSWER_S };
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((guint16) mosquitto_port (township->village)),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  assert_int_equal (connect (fd, (struct sockaddr *) &address, sizeof address), 0);
  assert_int_equal (send (fd, hello, sizeof hello, MSG_NOSIGNAL), sizeof hello);
  read_whole (fd, 4); /* CONNACK */
  return fd;
}

/* Devices `from` to before `to` send once, all in one piece; the broker has them when this returns. Number 77 is flooded. */
static void devices_send (Township *township, guint from, guint to)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  int fd = connect_device (township);
  for (guint i = from; i < to; i++) {
    g_autofree char *topic = g_strdup_printf ("village/v%u/%u/level", i % 10, i);
    append_publish (bytes, (guint16) (i + 1), topic, i == 77 ? "{\"level\": 3.9}" : "{\"level\": 1.5}");
  }
  for (gsize sent = 0; sent < bytes->len;) {
    gssize count = send (fd, bytes->data + sent, bytes->len - sent, MSG_NOSIGNAL);
    assert_true (count > 0);
    sent += (gsize) count;
  }
  read_whole (fd, 4 * (to - from)); /* PUBACKs */
  close (fd);
}

/* What the gateway shows */

typedef struct {
  Township *township;
  guint devices;
} Wanted;

static guint count_template (Township *township)
{
  json_t *accounting = http_client_get (township->http, "/api/v1/accounting");
  json_t *broker = json_array_get (json_object_get (accounting, "brokers"), 0);
  json_t *template = json_array_get (json_object_get (broker, "templates"), 0);
  guint devices = (guint) json_integer_value (json_object_get (template, "devices"));
  json_decref (accounting);
  return devices;
}

/* All pages of a list; each item is given to `each`. */
static void each_of (Township *township, const char *path, void (*each) (const json_t *item, gpointer data), gpointer data)
{
  g_autofree char *cursor = NULL;
  do {
    g_autofree char *escaped = cursor != NULL ? g_uri_escape_string (cursor, NULL, FALSE) : NULL;
    g_autofree char *whole = g_strdup_printf ("%slimit=1000%s%s", path, escaped != NULL ? "&cursor=" : "", escaped != NULL ? escaped : "");
    json_t *answer = http_client_get (township->http, whole), *item;
    gsize index;
    json_array_foreach (json_object_get (answer, "items"), index, item)
      each (item, data);
    g_free (cursor);
    cursor = g_strdup (json_string_value (json_object_get (answer, "next")));
    json_decref (answer);
  } while (cursor != NULL);
}

static void count_sensor (const json_t *item, gpointer data)
{
  guint *stored = g_hash_table_lookup (data, json_string_value (json_object_get (item, "sensor")));
  if (stored == NULL) {
    stored = g_new0 (guint, 1);
    g_hash_table_insert (data, g_strdup (json_string_value (json_object_get (item, "sensor"))), stored);
  }
  ++*stored;
}

/* Sensor → how many observations it has. */
static GHashTable *stored_of_all (Township *township)
{
  GHashTable *stored = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  each_of (township, "/api/v1/observations?", count_sensor, stored);
  return stored;
}

static gboolean all_have_stored (gpointer data)
{
  const Wanted *wanted = data;
  if (count_template (wanted->township) < wanted->devices)
    return FALSE;
  g_autoptr (GHashTable) stored = stored_of_all (wanted->township);
  return g_hash_table_size (stored) >= wanted->devices;
}

static void assert_balanced (Township *township)
{
  json_t *accounting = http_client_get (township->http, "/api/v1/accounting"), *count;
  json_t *broker = json_array_get (json_object_get (accounting, "brokers"), 0);
  json_int_t sum = json_integer_value (json_object_get (broker, "stored")) + json_integer_value (json_object_get (broker, "pending"));
  const char *reason;
  json_object_foreach (json_object_get (broker, "rejected"), reason, count)
    sum += json_integer_value (count);
  json_object_foreach (json_object_get (broker, "dropped"), reason, count)
    sum += json_integer_value (count);
  assert_int_equal (json_integer_value (json_object_get (broker, "received")), sum);
  json_decref (accounting);
}

static gboolean has_items (const json_t *answer)
{
  return json_array_size (json_object_get (answer, "items")) > 0;
}

static void a_thousand_devices_that_begin_at_once_are_sensors_and_one_raises_its_alert (void **state)
{
  Township *township = ((Fixture *) *state)->township;
  gint64 start = g_get_monotonic_time ();
  devices_send (township, 0, DEVICES);
  assert_true (wait_until (all_have_stored, &(Wanted){ township, DEVICES }, ANSWER_S));
  print_message ("%d devices were known after %.1f s\n", DEVICES, (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC);
  json_t *alerts = township_wait_for (township, "/api/v1/alerts", has_items, ANSWER_S), *alert = json_array_get (json_object_get (alerts, "items"), 0);
  assert_int_equal (json_array_size (json_object_get (alerts, "items")), 1);
  assert_string_equal (json_string_value (json_object_get (alert, "sensor")), "v7-77");
  assert_string_equal (json_string_value (json_object_get (alert, "grid")), "621121104207");
  json_t *incidents = township_wait_for (township, "/api/v1/incidents", has_items, ANSWER_S);
  assert_string_equal (json_string_value (json_object_get (json_array_get (json_object_get (incidents, "items"), 0), "title")),
                       "水位超警: v7 第 77 号水位");
  json_decref (incidents);
  json_t *sensor = http_client_get (township->http, "/api/v1/sensors/v7-77");
  assert_string_equal (json_string_value (json_object_get (sensor, "name")), "v7 第 77 号水位");
  assert_string_equal (json_string_value (json_object_get (sensor, "template")), "{village}-{device}");
  assert_int_equal (json_array_size (json_object_get (sensor, "values")), 1);
  json_t *other = http_client_get (township->http, "/api/v1/sensors/v8-78");
  assert_string_equal (json_string_value (json_object_get (other, "grid")), "621121104"); /* none is called v8 */
  assert_balanced (township);
  json_decref (other);
  json_decref (sensor);
  json_decref (alerts);
}

static void a_kill_forgets_none_of_them (void **state)
{
  Township *township = ((Fixture *) *state)->township;
  process_end (township->gateway, SIGKILL, 5);
  township_start_gateway (township);
  assert_int_equal (count_template (township), DEVICES);
  g_autoptr (GHashTable) stored = stored_of_all (township);
  assert_int_equal (g_hash_table_size (stored), DEVICES);
}

/* Killed at once, at whatever point discovery has come to: the broker delivers again what was not on disk. */
static void a_kill_in_the_middle_of_discovery_loses_and_doubles_nothing (void **state)
{
  Township *township = ((Fixture *) *state)->township;
  g_autoptr (GRand) chance = g_rand_new_with_seed (20261126);
  for (guint from = DEVICES; from < DEVICES + MORE; from += MORE / 4) {
    gint64 until = g_get_monotonic_time () + g_rand_int_range (chance, 0, 60) * G_TIME_SPAN_MILLISECOND;
    devices_send (township, from, from + MORE / 4);
    while (g_get_monotonic_time () < until)
      count_template (township);
    process_end (township->gateway, SIGKILL, 5);
    township_start_gateway (township);
  }
  assert_true (wait_until (all_have_stored, &(Wanted){ township, DEVICES + MORE }, ANSWER_S));
  g_autoptr (GHashTable) stored = stored_of_all (township);
  GHashTableIter iter;
  gpointer sensor, count;
  g_hash_table_iter_init (&iter, stored);
  while (g_hash_table_iter_next (&iter, &sensor, &count))
    if (*(guint *) count != 1)
      fail_msg ("%s has %u observations", (char *) sensor, *(guint *) count);
  assert_int_equal (g_hash_table_size (stored), DEVICES + MORE);
  assert_balanced (township);
}

static gboolean has_captured_all (gpointer data)
{
  g_autofree char *text = NULL;
  guint lines = 0;
  if (!g_file_get_contents (((Fixture *) data)->capture_path, &text, NULL, NULL))
    return FALSE;
  for (const char *at = text; *at != '\0'; at++)
    lines += *at == '\n';
  return lines >= DEVICES + MORE;
}

static void a_replay_of_the_capture_raises_the_same_alert (void **state)
{
  Fixture *fixture = *state;
  Township *township = fixture->township;
  assert_true (wait_until (has_captured_all, fixture, ANSWER_S));
  assert_int_equal (process_end (fixture->capture, SIGINT, ANSWER_S), 0);
  g_autofree char *program = built_program ("gridgate"), *output = NULL;
  gint64 start = g_get_monotonic_time ();
  assert_int_equal (process_run (township->folder, ANSWER_S, &output, (const char *[]){ program, "replay", "-c", township->site_path,
                                                                                        fixture->capture_path, NULL }), 0);
  print_message ("replayed in %.1f s\n", (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC);
  const char *line = strstr (output, "{\"event\"");
  assert_non_null (line); /* beside warnings of grids that are none */
  assert_null (strstr (line + 1, "{\"event\""));
  json_t *alert = json_loads (line, JSON_DISABLE_EOF_CHECK, NULL);
  assert_string_equal (json_string_value (json_object_get (alert, "event")), "opened");
  assert_string_equal (json_string_value (json_object_get (alert, "sensor")), "v7-77");
  assert_string_equal (json_string_value (json_object_get (alert, "grid")), "621121104207");
  assert_string_equal (json_string_value (json_object_get (alert, "rule")), "flood");
  json_decref (alert);
}

static gboolean has_center_got (Township *township, const char *pattern)
{
  g_autofree char *output = process_output (township->subscriber);
  return g_regex_match_simple (pattern, output, 0, 0);
}

static gboolean is_told (gpointer data)
{
  return has_center_got (data, "/sensors/v0-0 \\{[^\n]*1\\.625");
}

static gboolean is_told_again (gpointer data)
{
  return has_center_got (data, "/sensors/v0-0 \\{[^\n]*1\\.875");
}

static gboolean is_taken_back (gpointer data)
{
  return has_center_got (data, "/sensors/v0-0 \n");
}

/* Who forgot the sensors over a restart would take their retained states back. */
static void a_restart_takes_no_state_back_at_the_center (void **state)
{
  Township *township = ((Fixture *) *state)->township;
  township_publish (township, "village/v0/0/level", "{\"level\": 1.625}");
  assert_true (wait_until (is_told, township, ANSWER_S));
  process_end (township->gateway, SIGKILL, 5);
  township_start_gateway (township);
  township_publish (township, "village/v1/1/level", "{\"level\": 4.5}");
  g_free (process_wait_for (township->subscriber, "4.5", ANSWER_S)); /* by now it is told whatever there was to tell */
  assert_false (has_center_got (township, "/sensors/\\S+ \n"));
}

static gboolean is_gone (gpointer data)
{
  g_autoptr (HttpAnswer) answer = http_client_call (((Township *) data)->http, "GET", "/api/v1/sensors/v0-0", NULL);
  return answer->status == 404;
}

static gboolean is_there (gpointer data)
{
  return !is_gone (data);
}

static void one_that_is_forgotten_comes_back_when_it_sends (void **state)
{
  Township *township = ((Fixture *) *state)->township;
  township_publish (township, "village/v0/0/level", "{\"level\": 1.875}");
  assert_true (wait_until (is_told_again, township, ANSWER_S));
  g_autoptr (HttpAnswer) answer = http_client_call (township->http, "DELETE", "/api/v1/sensors/v0-0", NULL);
  assert_int_equal (answer->status, 204);
  assert_true (wait_until (is_gone, township, ANSWER_S));
  assert_true (wait_until (is_taken_back, township, ANSWER_S));
  township_publish (township, "village/v0/0/level", "{\"level\": 1.6}");
  assert_true (wait_until (is_there, township, ANSWER_S));
}

static gboolean are_none_counted (gpointer data)
{
  return count_template (data) == 0;
}

static void a_reload_without_the_entry_forgets_them_all (void **state)
{
  Township *township = ((Fixture *) *state)->township;
  township_edit_site (township, "topic: \"village/{village}/{device}/level\"", "topic: \"other/{village}/{device}/level\"");
  kill (process_pid (township->gateway), SIGHUP);
  assert_true (wait_until (is_gone, township, ANSWER_S));
  assert_true (wait_until (are_none_counted, township, ANSWER_S));
  assert_balanced (township);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_thousand_devices_that_begin_at_once_are_sensors_and_one_raises_its_alert),
    cmocka_unit_test (a_kill_forgets_none_of_them),
    cmocka_unit_test (a_kill_in_the_middle_of_discovery_loses_and_doubles_nothing),
    cmocka_unit_test (a_replay_of_the_capture_raises_the_same_alert),
    cmocka_unit_test (a_restart_takes_no_state_back_at_the_center),
    cmocka_unit_test (one_that_is_forgotten_comes_back_when_it_sends),
    cmocka_unit_test (a_reload_without_the_entry_forgets_them_all),
  };
  return cmocka_run_group_tests (tests, fixture_setup, fixture_teardown);
}
