#include <signal.h>
#include <string.h>

#include "adapters/brokers/mqtt_broker.h"
#include "tests/support/certificate.h"
#include "tests/support/folder.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

enum { WATCHDOG_SECONDS = 30 };

/* What arrived, and what is said to it. */
typedef struct {
  GMutex mutex;
  GCond changed;
  GPtrArray *messages; /* of RawMessage */
  BrokerStatus status;
  guint changes, refused;
  BrokerAnswer answer;
} Receiver;

static BrokerAnswer received (gpointer self, RawMessage *message)
{
  Receiver *receiver = self;
  g_mutex_lock (&receiver->mutex);
  BrokerAnswer answer = receiver->answer;
  if (answer != BROKER_NO_ROOM)
    g_ptr_array_add (receiver->messages, raw_message_ref (message));
  receiver->refused += answer == BROKER_NO_ROOM;
  g_cond_broadcast (&receiver->changed);
  g_mutex_unlock (&receiver->mutex);
  return answer;
}

static void changed (gpointer self, const char *broker, const BrokerStatus *status)
{
  Receiver *receiver = self;
  assert_string_equal (broker, "village");
  g_mutex_lock (&receiver->mutex);
  receiver->status = *status;
  receiver->changes++;
  g_cond_broadcast (&receiver->changed);
  g_mutex_unlock (&receiver->mutex);
}

static Receiver *receiver_new (void)
{
  Receiver *receiver = g_new0 (Receiver, 1);
  g_mutex_init (&receiver->mutex);
  g_cond_init (&receiver->changed);
  receiver->messages = g_ptr_array_new_with_free_func ((GDestroyNotify) raw_message_unref);
  return receiver;
}

static void receiver_free (Receiver *receiver)
{
  g_ptr_array_unref (receiver->messages);
  g_cond_clear (&receiver->changed);
  g_mutex_clear (&receiver->mutex);
  g_free (receiver);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Receiver, receiver_free)

static BrokerConnection *connect_tls (const char *url, int protocol, const char *ca_file, Receiver *receiver)
{
  Broker settings = { .id = (char *) "village", .url = (char *) url, .protocol = protocol, .qos = 1,
                      .ca_file = (char *) ca_file };
  BrokerHandlers handlers = { receiver, received, NULL, changed };
  return mqtt_broker_port.open (&settings, "gridgate-test-village", &handlers);
}

static BrokerConnection *connect_at (const char *url, int protocol, int qos, Receiver *receiver)
{
  Broker settings = { .id = (char *) "village", .url = (char *) url, .protocol = protocol, .qos = qos };
  BrokerHandlers handlers = { receiver, received, NULL, changed };
  return mqtt_broker_port.open (&settings, "gridgate-test-village", &handlers);
}

static BrokerConnection *connect_to (const char *url, int protocol, const char *password_file, Receiver *receiver)
{
  Broker settings = { .id = (char *) "village", .url = (char *) url, .protocol = protocol, .qos = 1,
                      .username = (char *) (password_file != NULL ? "gateway" : NULL),
                      .password_file = (char *) password_file };
  BrokerHandlers handlers = { receiver, received, NULL, changed };
  return mqtt_broker_port.open (&settings, "gridgate-test-village", &handlers);
}

static void subscribe (BrokerConnection *connection, const char *filter)
{
  const char *filters[] = { filter, NULL };
  mqtt_broker_port.subscribe (connection, filters);
}

static void wait_for_state (Receiver *receiver, BrokerState state, const char *reason)
{
  gint64 until = g_get_monotonic_time () + WATCHDOG_SECONDS * G_USEC_PER_SEC;
  g_mutex_lock (&receiver->mutex);
  gboolean in_time = TRUE;
  while (in_time && (receiver->changes == 0 || receiver->status.state != state
                     || g_strcmp0 (receiver->status.reason, reason) != 0))
    in_time = g_cond_wait_until (&receiver->changed, &receiver->mutex, until);
  BrokerStatus status = receiver->status;
  g_mutex_unlock (&receiver->mutex);
  if (!in_time)
    fail_msg ("state is %s, %s, %s", broker_state_name (status.state), status.reason, status.detail);
}

static RawMessage *wait_for_message (Receiver *receiver, guint index)
{
  gint64 until = g_get_monotonic_time () + WATCHDOG_SECONDS * G_USEC_PER_SEC;
  g_mutex_lock (&receiver->mutex);
  gboolean in_time = TRUE;
  while (in_time && receiver->messages->len <= index)
    in_time = g_cond_wait_until (&receiver->changed, &receiver->mutex, until);
  RawMessage *message = in_time ? receiver->messages->pdata[index] : NULL;
  g_mutex_unlock (&receiver->mutex);
  assert_non_null (message);
  return message;
}

static const char *text_of (const RawMessage *message)
{
  return g_bytes_get_data (message->payload, NULL);
}

static const char *const qos_1[] = { "-q", "1", NULL };
static const char *const qos_2[] = { "-q", "2", NULL };
static const char *const qos_1_retained[] = { "-q", "1", "-r", NULL };

/* Retained ones show that the subscription stands, without a pause. */
static void messages_arrive (const char *folder, int protocol)
{
  g_autoptr (Mosquitto) mosquitto = mosquitto_start (folder, NULL);
  g_autoptr (Receiver) receiver = receiver_new ();
  mosquitto_publish (mosquitto, "village/level", "before", qos_1_retained);
  BrokerConnection *connection = connect_to (mosquitto_url (mosquitto), protocol, NULL, receiver);
  subscribe (connection, "village/#");
  const RawMessage *retained = wait_for_message (receiver, 0);
  assert_true (retained->is_retained);
  assert_memory_equal (text_of (retained), "before", 6);
  mosquitto_publish (mosquitto, "village/level", "now", qos_1);
  const RawMessage *live = wait_for_message (receiver, 1);
  assert_string_equal (live->topic, "village/level");
  assert_string_equal (live->broker, "village");
  assert_int_equal (live->qos, 1);
  assert_int_equal (live->payload_size, 3);
  assert_false (live->is_retained);
  assert_true (live->packet_id != 0);
  mqtt_broker_port.close (connection);
}

static void what_is_published_arrives (const char *folder, int protocol)
{
  g_autoptr (Mosquitto) mosquitto = mosquitto_start (folder, NULL);
  g_autoptr (Receiver) receiver = receiver_new ();
  g_autoptr (GBytes) payload = g_bytes_new_static ("rebirth", 7);
  BrokerConnection *connection = connect_to (mosquitto_url (mosquitto), protocol, NULL, receiver);
  mosquitto_publish (mosquitto, "village/level", "before", qos_1_retained);
  subscribe (connection, "village/#");
  wait_for_message (receiver, 0);
  mqtt_broker_port.publish (connection, "village/command", payload);
  const RawMessage *command = wait_for_message (receiver, 1);
  assert_string_equal (command->topic, "village/command");
  assert_memory_equal (text_of (command), "rebirth", 7);
  assert_int_equal (command->qos, 0);
  mqtt_broker_port.close (connection);
}

static void what_is_published_arrives_over_3_1_1 (void **state)
{
  what_is_published_arrives (*state, 4);
}

static void what_is_published_arrives_over_5 (void **state)
{
  what_is_published_arrives (*state, 5);
}

static void messages_arrive_over_mqtt_3_1_1 (void **state)
{
  messages_arrive (*state, 4);
}

static void messages_arrive_over_mqtt_5 (void **state)
{
  messages_arrive (*state, 5);
}

static void brokers_tell_what_they_have_dropped (const char *folder, int protocol)
{
  g_autoptr (Mosquitto) broker = mosquitto_start (folder, "sys_interval 1\n");
  g_autoptr (Receiver) receiver = receiver_new ();
  BrokerConnection *connection = connect_to (mosquitto_url (broker), protocol, NULL, receiver);
  const char *filters[] = { "village/#", "$SYS/broker/publish/messages/dropped", NULL };
  mqtt_broker_port.subscribe (connection, filters);
  RawMessage *count = wait_for_message (receiver, 0);
  assert_string_equal (count->topic, filters[1]);
  assert_memory_equal (text_of (count), "0", 1);
  assert_int_equal (count->qos, 0);
  mqtt_broker_port.close (connection);
}

static void brokers_tell_over_both_protocols_what_they_have_dropped (void **state)
{
  brokers_tell_what_they_have_dropped (*state, 4);
  brokers_tell_what_they_have_dropped (*state, 5);
}

static void the_session_keeps_what_came_while_nobody_listened (void **state)
{
  g_autoptr (Mosquitto) mosquitto = mosquitto_start (*state, NULL);
  for (int protocol = 4; protocol <= 5; protocol++) {
    g_autoptr (Receiver) receiver = receiver_new ();
    mosquitto_publish (mosquitto, "village/level", "first", qos_1_retained);
    BrokerConnection *connection = connect_to (mosquitto_url (mosquitto), protocol, NULL, receiver);
    subscribe (connection, "village/level");
    wait_for_message (receiver, 0);
    mqtt_broker_port.close (connection);
    mosquitto_publish (mosquitto, "village/level", "missed", qos_1);
    connection = connect_to (mosquitto_url (mosquitto), protocol, NULL, receiver);
    assert_memory_equal (text_of (wait_for_message (receiver, 1)), "missed", 6);
    mqtt_broker_port.close (connection);
  }
}

static void a_broker_that_restarts_is_connected_and_subscribed_again (void **state)
{
  g_autoptr (Mosquitto) mosquitto = mosquitto_start (*state, NULL);
  g_autoptr (Receiver) receiver = receiver_new ();
  BrokerConnection *connection = connect_to (mosquitto_url (mosquitto), 4, NULL, receiver);
  subscribe (connection, "village/level");
  wait_for_state (receiver, BROKER_CONNECTED, NULL);
  mosquitto_end (mosquitto, SIGKILL); /* without its sessions */
  wait_for_state (receiver, BROKER_BACKING_OFF, "lost");
  mosquitto_start_again (mosquitto);
  mosquitto_publish (mosquitto, "village/level", "again", qos_1_retained);
  assert_memory_equal (text_of (wait_for_message (receiver, 0)), "again", 5);
  BrokerStatus status;
  mqtt_broker_port.status (connection, &status);
  assert_int_equal (status.connects, 2);
  mqtt_broker_port.close (connection);
}

static void a_wrong_password_is_told_apart_from_an_unreachable_broker (void **state)
{
  g_autofree char *password_file = g_build_filename (*state, "password", NULL);
  assert_true (g_file_set_contents (password_file, "wrong", -1, NULL));
  g_autoptr (Mosquitto) mosquitto = mosquitto_start (*state, "allow_anonymous false\n");
  for (int protocol = 4; protocol <= 5; protocol++) {
    g_autoptr (Receiver) receiver = receiver_new ();
    BrokerConnection *connection = connect_to (mosquitto_url (mosquitto), protocol, password_file, receiver);
    wait_for_state (receiver, BROKER_REFUSED, "not_authorized");
    mqtt_broker_port.close (connection);
  }
  mosquitto_end (mosquitto, SIGTERM);
  g_autoptr (Receiver) receiver = receiver_new ();
  BrokerConnection *connection = connect_to (mosquitto_url (mosquitto), 4, password_file, receiver);
  wait_for_state (receiver, BROKER_BACKING_OFF, "unreachable");
  mqtt_broker_port.close (connection);
}

static void messages_arrive_over_tls (void **state)
{
  g_autoptr (Mosquitto) mosquitto = mosquitto_start_tls (*state, "localhost");
  g_autofree char *url = g_strdup_printf ("mqtts://localhost:%d", mosquitto_port (mosquitto));
  g_autofree char *authority = certificate_path (*state, "authority", "pem");
  const char *const options[] = { "-q", "1", "-r", "--cafile", authority, "--insecure", NULL };
  mosquitto_publish (mosquitto, "village/level", "sealed", options);
  for (int protocol = 4; protocol <= 5; protocol++) {
    g_autoptr (Receiver) receiver = receiver_new ();
    BrokerConnection *connection = connect_tls (url, protocol, authority, receiver);
    subscribe (connection, protocol == 4 ? "village/level" : "village/+");
    assert_memory_equal (text_of (wait_for_message (receiver, 0)), "sealed", 6);
    mqtt_broker_port.close (connection);
  }
}

/* "localhost" is told by a certificate for another name, and by an authority that we weren't given. */
static void a_broker_that_cannot_prove_who_it_is_gets_nothing (void **state)
{
  g_autoptr (Mosquitto) mosquitto = mosquitto_start_tls (*state, "village.example");
  g_autofree char *url = g_strdup_printf ("mqtts://localhost:%d", mosquitto_port (mosquitto));
  g_autofree char *authority = certificate_path (*state, "authority", "pem");
  g_autofree char *stranger = certificate_path (*state, "stranger", "pem");
  g_free (certificate_make (*state, "stranger", &(CertificateForm){ 0 }));
  g_autoptr (Receiver) name_receiver = receiver_new (), receiver = receiver_new ();
  BrokerConnection *connection = connect_tls (url, 4, authority, name_receiver);
  wait_for_state (name_receiver, BROKER_REFUSED, "tls");
  assert_non_null (strstr (name_receiver->status.detail, "certificate is not made out to this name"));
  mqtt_broker_port.close (connection);
  connection = connect_tls (url, 4, stranger, receiver);
  wait_for_state (receiver, BROKER_REFUSED, "tls");
  mqtt_broker_port.close (connection);
}

static void a_password_file_that_is_not_there_is_named (void **state)
{
  g_autofree char *password_file = g_build_filename (*state, "nothing-here", NULL);
  g_autoptr (Receiver) receiver = receiver_new ();
  BrokerConnection *connection = connect_to ("mqtt://127.0.0.1:1", 4, password_file, receiver);
  wait_for_state (receiver, BROKER_REFUSED, "password_file");
  assert_non_null (strstr (receiver->status.detail, password_file));
  mqtt_broker_port.close (connection);
}

static void filters_that_are_no_longer_wanted_are_unsubscribed (void **state)
{
  g_autoptr (Mosquitto) mosquitto = mosquitto_start (*state, NULL);
  g_autoptr (Receiver) receiver = receiver_new ();
  mosquitto_publish (mosquitto, "village/one", "1", qos_1_retained);
  mosquitto_publish (mosquitto, "village/two", "2", qos_1_retained);
  BrokerConnection *connection = connect_to (mosquitto_url (mosquitto), 4, NULL, receiver);
  subscribe (connection, "village/one");
  wait_for_message (receiver, 0);
  subscribe (connection, "village/two");
  wait_for_message (receiver, 1);
  mosquitto_publish (mosquitto, "village/one", "unwanted", qos_1);
  mosquitto_publish (mosquitto, "village/two", "wanted", qos_1);
  assert_memory_equal (text_of (wait_for_message (receiver, 2)), "wanted", 6);
  mqtt_broker_port.close (connection);
}

/* A message of before a reload may ask to forget what the reload has just added. */
static void a_filter_that_is_wanted_is_not_forgotten (void **state)
{
  g_autoptr (Mosquitto) mosquitto = mosquitto_start (*state, NULL);
  g_autoptr (Receiver) receiver = receiver_new ();
  mosquitto_publish (mosquitto, "village/level", "0", qos_1_retained);
  BrokerConnection *connection = connect_to (mosquitto_url (mosquitto), 4, NULL, receiver);
  subscribe (connection, "village/level");
  wait_for_message (receiver, 0);
  mqtt_broker_port.forget (connection, "village/level");
  for (guint i = 1; i <= 10; i++) { /* the first may come before an end of the subscription */
    mosquitto_publish (mosquitto, "village/level", "1", qos_1);
    wait_for_message (receiver, i);
  }
  mqtt_broker_port.close (connection);
}

static void set_answer (Receiver *receiver, BrokerAnswer answer)
{
  g_mutex_lock (&receiver->mutex);
  receiver->answer = answer;
  g_mutex_unlock (&receiver->mutex);
}

/* Shows by a retained message that the subscription stands, and takes it away: two messages. */
static void subscribe_for_good (Mosquitto *mosquitto, BrokerConnection *connection, Receiver *receiver)
{
  mosquitto_publish (mosquitto, "village/ready", "ready", qos_1_retained);
  subscribe (connection, "village/#");
  wait_for_message (receiver, 0);
  mosquitto_publish (mosquitto, "village/ready", "", qos_1_retained);
  wait_for_message (receiver, 1);
}

static void publish_numbers (Mosquitto *mosquitto, guint from, guint to)
{
  for (guint i = from; i < to; i++) {
    g_autofree char *number = g_strdup_printf ("%u", i);
    mosquitto_publish (mosquitto, "village/level", number, qos_2);
  }
}

static void assert_number (Receiver *receiver, guint index, guint number, gboolean is_redelivery)
{
  g_autofree char *text = g_strdup_printf ("%u", number);
  const RawMessage *message = wait_for_message (receiver, index);
  assert_int_equal (message->payload_size, strlen (text));
  assert_memory_equal (text_of (message), text, strlen (text));
  assert_int_equal (message->is_redelivery, is_redelivery);
}

/* Of four that came, two are on disk when the gateway ends. */
static void what_is_not_acknowledged_comes_again_and_what_is_does_not (const char *folder, int protocol, int qos)
{
  g_autoptr (Mosquitto) mosquitto = mosquitto_start (folder, NULL);
  g_autoptr (Receiver) receiver = receiver_new (), next = receiver_new ();
  BrokerConnection *connection = connect_at (mosquitto_url (mosquitto), protocol, qos, receiver);
  subscribe_for_good (mosquitto, connection, receiver);
  set_answer (receiver, BROKER_HELD);
  publish_numbers (mosquitto, 0, 4);
  assert_number (receiver, 5, 3, FALSE);
  assert_int_equal (wait_for_message (receiver, 5)->qos, qos);
  mqtt_broker_port.acknowledge (connection, wait_for_message (receiver, 3)->receipt);
  mqtt_broker_port.close (connection);

  connection = connect_at (mosquitto_url (mosquitto), protocol, qos, next);
  assert_number (next, 0, 2, TRUE);
  assert_number (next, 1, 3, TRUE);
  publish_numbers (mosquitto, 4, 5);
  assert_number (next, 2, 4, FALSE);
  mqtt_broker_port.close (connection);
}

static void what_is_not_acknowledged_comes_again (void **state)
{
  for (int protocol = 4; protocol <= 5; protocol++)
    for (int qos = 1; qos <= 2; qos++)
      what_is_not_acknowledged_comes_again_and_what_is_does_not (*state, protocol, qos);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (messages_arrive_over_mqtt_3_1_1, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (messages_arrive_over_mqtt_5, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (brokers_tell_over_both_protocols_what_they_have_dropped, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (what_is_published_arrives_over_3_1_1, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (what_is_published_arrives_over_5, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (the_session_keeps_what_came_while_nobody_listened, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (a_broker_that_restarts_is_connected_and_subscribed_again, folder_setup,
                                     folder_teardown),
    cmocka_unit_test_setup_teardown (a_wrong_password_is_told_apart_from_an_unreachable_broker, folder_setup,
                                     folder_teardown),
    cmocka_unit_test_setup_teardown (messages_arrive_over_tls, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (a_broker_that_cannot_prove_who_it_is_gets_nothing, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (a_password_file_that_is_not_there_is_named, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (filters_that_are_no_longer_wanted_are_unsubscribed, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (a_filter_that_is_wanted_is_not_forgotten, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (what_is_not_acknowledged_comes_again, folder_setup, folder_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
