#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/center/center_connection.h"
#include "gateway/share/sharing.h"
#include "tests/support/certificate.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"
#include "tests/support/test.h"
#include "tests/unit/incident/book_fixture.h"

enum { WAIT_S = 20 };
#define TOPICS "gridgate/v1/gateway-1/"

/* A gateway's sharing with one center on a real broker, and mosquitto_sub as the one who listens there. */
typedef struct {
  BookFixture *base;
  Mosquitto *broker;
  Process *observer;
  Center center;
  CenterConnection *connection;
  DeliveryPort own, water;
  Sharing *sharing;
} CenterFixture;

static Process *observe (CenterFixture *fixture)
{
  g_autofree char *port = g_strdup_printf ("%d", mosquitto_port (fixture->broker));
  Process *observer = process_start (
    fixture->base->folder, (const char *const[]) { "stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-i", "observer", "-c",
                                                   "-q", "1", "-v", "-d", "-t", TOPICS "#", NULL });
  g_free (process_wait_for (observer, "Subscribed", WAIT_S));
  return observer;
}

static void begin_with (CenterFixture *fixture, const Center *center)
{
  BookFixture *base = fixture->base;
  fixture->center = *center;
  fixture->connection = center_connection_new (&fixture->center, "gateway-1", base->clock);
  fixture->own = center_connection_port (fixture->connection);
  fixture->water = center_connection_agency_port (fixture->connection, "water");
  fixture->sharing = sharing_new (base->store, base->book, base->site);
  assert_true (sharing_attach (fixture->sharing, "water@center", fixture->water, NULL));
  assert_true (sharing_attach (fixture->sharing, "center", fixture->own, NULL));
}

static void begin (CenterFixture *fixture, int protocol, CenterAck ack)
{
  Center center = { .id = (char *) "center", .url = (char *) mosquitto_url (fixture->broker), .protocol = protocol, .ack = ack };
  begin_with (fixture, &center);
}

static void finish (CenterFixture *fixture)
{
  sharing_detach (fixture->sharing, "water@center");
  sharing_detach (fixture->sharing, "center");
  fixture->water.operations->close (fixture->water.self);
  fixture->own.operations->close (fixture->own.self);
  fixture->own.operations->stop (fixture->own.self);
}

static int setup (void **state)
{
  CenterFixture *fixture = g_new0 (CenterFixture, 1);
  if (book_fixture_setup ((void **) &fixture->base) != 0)
    return -1;
  fixture->broker = mosquitto_start (fixture->base->folder, NULL);
  fixture->observer = observe (fixture);
  *state = fixture;
  return 0;
}

static int teardown (void **state)
{
  CenterFixture *fixture = *state;
  if (fixture->sharing != NULL)
    finish (fixture);
  store_close (g_steal_pointer (&fixture->base->store));
  if (fixture->sharing != NULL) {
    fixture->water.operations->free (fixture->water.self);
    fixture->own.operations->free (fixture->own.self);
  }
  sharing_free (fixture->sharing);
  process_free (fixture->observer);
  mosquitto_free (fixture->broker);
  book_fixture_teardown ((void **) &fixture->base);
  g_free (fixture);
  return 0;
}

static void expect (CenterFixture *fixture, const char *text)
{
  g_free (process_wait_for (fixture->observer, text, WAIT_S));
}

static gint64 count_of (CenterFixture *fixture, const char *table)
{
  return strcmp (table, "outbox") == 0
           ? database_integer (store_reader (fixture->base->store, NULL), -1, "SELECT count(*) FROM outbox", "")
           : database_integer (store_reader (fixture->base->store, NULL), -1, "SELECT count(*) FROM receipts", "");
}

static gboolean outbox_is_empty (gpointer data)
{
  return count_of (data, "outbox") == 0;
}

static Alert *flood (CenterFixture *fixture)
{
  return raise_alert (fixture->base, "flood", "flood", "v1", SEVERITY_SEVERE);
}

static void the_center_and_the_agency_get_their_feeds (CenterFixture *fixture, int protocol)
{
  begin (fixture, protocol, ACK_BROKER);
  expect (fixture, TOPICS "status {\"online\":true");
  alert_free (flood (fixture));
  assert_true (wait_until (outbox_is_empty, fixture, WAIT_S));
  assert_int_equal (count_of (fixture, "receipts"), 4);
  expect (fixture, "gridgate.incident.opened");
  assert_true (process_has_said (fixture->observer, TOPICS "incidents {\"specversion\":\"1.0\""));
  assert_true (process_has_said (fixture->observer, TOPICS "agencies/water/incidents {"));
  finish (fixture);
  expect (fixture, TOPICS "status {\"online\":false}");
}

static void feeds_arrive_over_mqtt_3_1_1_and_leaving_is_said (void **state)
{
  the_center_and_the_agency_get_their_feeds (*state, 4);
}

static void feeds_arrive_over_mqtt_5_and_leaving_is_said (void **state)
{
  the_center_and_the_agency_get_their_feeds (*state, 5);
}

/* The same broker listens with TLS too: the observer stays where it is. */
static char *listen_with_tls (CenterFixture *fixture)
{
  const char *folder = fixture->base->folder;
  int port = port_free ();
  g_free (certificate_make (folder, "authority", &(CertificateForm){ 0 }));
  g_free (certificate_make (folder, "center", &(CertificateForm){ .host = "localhost", .issuer = "authority" }));
  g_autofree char *extra = g_strdup_printf ("listener %d 127.0.0.1\ncertfile %s/center.pem\nkeyfile %s/center.key\n", port,
                                            folder, folder);
  process_free (fixture->observer);
  mosquitto_free (fixture->broker);
  fixture->broker = mosquitto_start (folder, extra);
  fixture->observer = observe (fixture);
  return g_strdup_printf ("mqtts://localhost:%d", port);
}

static void feeds_arrive_over_tls (void **state)
{
  CenterFixture *fixture = *state;
  g_autofree char *url = listen_with_tls (fixture);
  g_autofree char *authority = certificate_path (fixture->base->folder, "authority", "pem");
  begin_with (fixture, &(Center){ .id = (char *) "center", .url = url, .protocol = 4, .ca_file = authority });
  expect (fixture, TOPICS "status {\"online\":true");
  alert_free (flood (fixture));
  expect (fixture, "gridgate.incident.opened");
  assert_true (wait_until (outbox_is_empty, fixture, WAIT_S));
}

static gboolean was_refused (gpointer broker)
{
  return mosquitto_has_said (broker, "alert unknown ca");
}

/* It is what an impostor at the center's address would be. */
static void a_center_that_cannot_prove_who_it_is_gets_nothing (void **state)
{
  CenterFixture *fixture = *state;
  g_autofree char *url = listen_with_tls (fixture);
  g_autofree char *stranger = certificate_path (fixture->base->folder, "stranger", "pem");
  g_free (certificate_make (fixture->base->folder, "stranger", &(CertificateForm){ 0 }));
  begin_with (fixture, &(Center){ .id = (char *) "center", .url = url, .protocol = 4, .ca_file = stranger });
  alert_free (flood (fixture));
  assert_true (wait_until (was_refused, fixture->broker, WAIT_S));
  assert_int_equal (count_of (fixture, "outbox"), 4);
  assert_false (process_has_said (fixture->observer, "online"));
}

static void a_broker_outage_loses_nothing_and_a_backlog_drains (void **state)
{
  CenterFixture *fixture = *state;
  begin (fixture, 4, ACK_BROKER);
  expect (fixture, TOPICS "status {\"online\":true");
  mosquitto_end (fixture->broker, SIGTERM);
  for (int i = 0; i < 50; i++) {
    g_autofree char *rule = g_strdup_printf ("rule-%d", i);
    alert_free (raise_alert (fixture->base, rule, "other", "v1", SEVERITY_MINOR));
  }
  alert_free (flood (fixture));
  assert_int_equal (count_of (fixture, "outbox"), 51 * 2 + 2);
  mosquitto_start_again (fixture->broker);
  assert_true (wait_until (outbox_is_empty, fixture, WAIT_S));
  assert_int_equal (count_of (fixture, "receipts"), 51 * 2 + 2);
  for (int i = 0; i < 50; i++) {
    g_autofree char *rule = g_strdup_printf ("\"rule\":\"rule-%d\"", i);
    assert_true (process_has_said (fixture->observer, rule)
                 || (expect (fixture, rule), process_has_said (fixture->observer, rule)));
  }
}

static void with_ack_application_a_row_stays_until_the_center_says_it_has_it (void **state)
{
  CenterFixture *fixture = *state;
  begin (fixture, 4, ACK_APPLICATION);
  expect (fixture, TOPICS "status {\"online\":true");
  g_autoptr (Alert) alert = raise_alert (fixture->base, "smoke", "smoke", "v1", SEVERITY_SEVERE);
  expect (fixture, "gridgate.alert.opened");
  assert_int_equal (count_of (fixture, "outbox"), 2);
  Database *reader = store_reader (fixture->base->store, NULL);
  Statement *rows = database_query (reader, NULL, "SELECT event FROM outbox ORDER BY number", "");
  json_t *ids = json_array ();
  while (statement_step (rows, NULL))
    json_array_append_new (ids, json_string (statement_text (rows, 0)));
  statement_end (rows);
  json_t *acks = json_pack ("{s:o}", "ids", ids);
  char *text = json_dumps (acks, 0);
  mosquitto_publish (fixture->broker, TOPICS "acks", text, NULL);
  assert_true (wait_until (outbox_is_empty, fixture, WAIT_S));
  free (text);
  json_decref (acks);
}

static void a_command_is_carried_out_once_and_answered_each_time (void **state)
{
  CenterFixture *fixture = *state;
  begin (fixture, 4, ACK_BROKER);
  g_autoptr (Alert) alert = flood (fixture);
  g_autofree char *command = g_strdup_printf (
    "{\"id\":\"c1\",\"command\":\"incident.action\",\"actor\":\"duty\",\"arguments\":{\"incident\":\"%s\","
    "\"action\":\"accept\",\"revision\":1}}", alert->incident);
  expect (fixture, TOPICS "status {\"online\":true");
  g_autofree const char *const *once = g_memdup2 ((const char *const[]) { "-q", "1", NULL }, 3 * sizeof (char *));
  assert_true (wait_until (outbox_is_empty, fixture, WAIT_S));
  mosquitto_publish (fixture->broker, TOPICS "commands", command, once);
  expect (fixture, TOPICS "replies {\"id\":\"c1\",\"ok\":true");
  mosquitto_publish (fixture->broker, TOPICS "commands", command, once);
  expect (fixture, TOPICS "replies {\"id\":\"c1\",\"ok\":true");
  json_t *incident = look_at (fixture->base, alert->incident);
  assert_string_equal (text_of (incident, "state"), "accepted");
  assert_int_equal (json_integer_value (json_object_get (incident, "revision")), 2);
  json_decref (incident);

  mosquitto_publish (fixture->broker, TOPICS "commands", "{\"id\":\"c2\",\"command\":\"live.push\"}", once);
  expect (fixture, TOPICS "replies {\"id\":\"c2\",\"ok\":false,\"problem\":{\"type\":\"urn:gridgate:problem:not-in-this-version\"");
  g_autofree char *stale = g_strdup_printf (
    "{\"id\":\"c3\",\"command\":\"incident.action\",\"arguments\":{\"incident\":\"%s\",\"action\":\"close\","
    "\"revision\":1}}", alert->incident);
  mosquitto_publish (fixture->broker, TOPICS "commands", stale, once);
  expect (fixture, "urn:gridgate:problem:stale-revision");
  mosquitto_publish (fixture->broker, TOPICS "commands", "not json", once);
}

static void states_are_retained_and_emptied_when_their_thing_is_removed (void **state)
{
  CenterFixture *fixture = *state;
  begin (fixture, 4, ACK_BROKER);
  sharing_camera_state (fixture->sharing, "bridge", "{\"state\":\"live\"}");
  expect (fixture, TOPICS "cameras/bridge {\"state\":\"live\"}");
  sharing_camera_state (fixture->sharing, "bridge", NULL);
  expect (fixture, TOPICS "cameras/bridge (null)");
}

static void note_nothing (gpointer data, gboolean is_ready)
{
  (void) data, (void) is_ready;
}

static void the_broker_says_that_a_killed_gateway_is_gone (void **state)
{
  CenterFixture *fixture = *state;
  pid_t child = fork ();
  if (child == 0) {
    Center center = { .id = (char *) "center", .url = (char *) mosquitto_url (fixture->broker), .protocol = 4 };
    CenterConnection *connection = center_connection_new (&center, "gateway-1", clock_system ());
    DeliveryPort port = center_connection_port (connection);
    DeliverySink sink = { .ready = note_nothing };
    port.operations->open (port.self, &sink, NULL);
    pause ();
  }
  expect (fixture, TOPICS "status {\"online\":true");
  kill (child, SIGKILL);
  assert_int_equal (waitpid (child, NULL, 0), child);
  expect (fixture, TOPICS "status {\"online\":false}");
}

#define center_test(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    center_test (the_broker_says_that_a_killed_gateway_is_gone),
    center_test (feeds_arrive_over_mqtt_3_1_1_and_leaving_is_said),
    center_test (feeds_arrive_over_mqtt_5_and_leaving_is_said),
    center_test (a_broker_outage_loses_nothing_and_a_backlog_drains),
    center_test (with_ack_application_a_row_stays_until_the_center_says_it_has_it),
    center_test (a_command_is_carried_out_once_and_answered_each_time),
    center_test (feeds_arrive_over_tls),
    center_test (a_center_that_cannot_prove_who_it_is_gets_nothing),
    center_test (states_are_retained_and_emptied_when_their_thing_is_removed),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
