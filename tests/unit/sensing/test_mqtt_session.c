/* What no real broker does on demand: the test plays the broker. */
#include <string.h>

#include "adapters/brokers/mqtt_broker.h"
#include "tests/support/test.h"
#include "tests/unit/sensing/broker_receiver.h"
#include "tests/unit/sensing/scripted_broker.h"

typedef struct {
  ScriptedBroker *broker;
  BrokerReceiver *receiver;
  BrokerConnection *connection;
} Bench;

/* `protocol` 0: let them find out. */
static void bench_open (Bench *bench, int protocol)
{
  bench->broker = scripted_broker_new ();
  bench->receiver = broker_receiver_new ();
  Broker settings = { .id = (char *) "village", .url = (char *) scripted_broker_url (bench->broker), .protocol = protocol,
                      .qos = 2 };
  BrokerHandlers handlers = broker_receiver_handlers (bench->receiver);
  bench->connection = mqtt_broker_port.open (&settings, "gridgate-test-village", &handlers);
}

static void bench_close (Bench *bench)
{
  scripted_broker_hang_up (bench->broker);
  mqtt_broker_port.close (bench->connection);
  broker_receiver_free (bench->receiver);
  scripted_broker_free (bench->broker);
}

static void publish (Bench *bench, guint8 flags, guint16 packet_id, const char *payload)
{
  scripted_broker_publish (bench->broker, 5, flags, packet_id, "village/level", payload);
}

enum { QOS_1 = 2, QOS_2 = 4, AGAIN = 8 };

/* What the client writes next is this, so nothing was written before. */
static void expect_nothing_written (Bench *bench)
{
  gsize size;
  g_autoptr (GBytes) payload = g_bytes_new_static ("mark", 4);
  mqtt_broker_port.publish (bench->connection, "mark", payload);
  assert_memory_equal (scripted_broker_expect (bench->broker, MQTT_PUBLISH, &size), "\0\4mark", 6);
}

static void acknowledge (Bench *bench, guint index)
{
  mqtt_broker_port.acknowledge (bench->connection, broker_receiver_wait (bench->receiver, index)->receipt);
}

static void acknowledgements_keep_the_order_in_which_messages_came (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 5);
  scripted_broker_welcome (bench.broker, 5, FALSE);
  broker_receiver_answer (bench.receiver, BROKER_HELD);
  publish (&bench, QOS_1, 10, "held");
  broker_receiver_wait (bench.receiver, 0);
  broker_receiver_answer (bench.receiver, BROKER_TAKEN);
  publish (&bench, QOS_1, 9, "taken");
  publish (&bench, 0, 0, "of QoS 0");
  broker_receiver_wait (bench.receiver, 2);
  broker_receiver_answer (bench.receiver, BROKER_HELD);
  publish (&bench, QOS_2, 8, "held");
  broker_receiver_wait (bench.receiver, 3);
  expect_nothing_written (&bench);
  acknowledge (&bench, 0);
  scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, 10);
  scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, 9);
  expect_nothing_written (&bench);
  acknowledge (&bench, 3);
  scripted_broker_expect_ack (bench.broker, MQTT_PUBREC, 8);
  bench_close (&bench);
}

/* QoS 2, method A of the standard (4.3.3): the number is free again with PUBREL. */
static void qos_2_ends_as_the_standard_says (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 5);
  scripted_broker_welcome (bench.broker, 5, FALSE);
  for (int i = 0; i < 2; i++) {
    publish (&bench, QOS_2, 7, "level");
    scripted_broker_expect_ack (bench.broker, MQTT_PUBREC, 7);
    scripted_broker_send_hex (bench.broker, "62020007");
    scripted_broker_expect_ack (bench.broker, MQTT_PUBCOMP, 7);
  }
  broker_receiver_wait (bench.receiver, 1);
  bench_close (&bench);
}

static void a_release_that_comes_after_the_connection_was_lost_is_answered (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 5);
  scripted_broker_welcome (bench.broker, 5, FALSE);
  publish (&bench, QOS_2, 7, "released");
  scripted_broker_expect_ack (bench.broker, MQTT_PUBREC, 7);
  broker_receiver_answer (bench.receiver, BROKER_HELD);
  publish (&bench, QOS_2, 8, "not yet");
  broker_receiver_wait (bench.receiver, 1);
  scripted_broker_welcome (bench.broker, 5, TRUE); /* the broker has read the first PUBREC, and there is no second */
  scripted_broker_send_hex (bench.broker, "62020007");
  publish (&bench, QOS_2 | AGAIN, 8, "not yet");
  scripted_broker_expect_ack (bench.broker, MQTT_PUBCOMP, 7);
  assert_true (broker_receiver_wait (bench.receiver, 2)->is_redelivery);
  acknowledge (&bench, 1); /* of the former connection: nothing follows */
  expect_nothing_written (&bench);
  acknowledge (&bench, 2);
  scripted_broker_expect_ack (bench.broker, MQTT_PUBREC, 8);
  bench_close (&bench);
}

static void a_receiver_without_room_stops_the_reading_but_not_the_pings (void **state)
{
  (void) state;
  Bench bench;
  gsize size;
  bench_open (&bench, 5);
  scripted_broker_answer (bench.broker, "2006000003 130001"); /* keep alive: one second */
  broker_receiver_answer (bench.receiver, BROKER_NO_ROOM);
  publish (&bench, QOS_1, 1, "first");
  publish (&bench, QOS_1, 2, "second");
  broker_receiver_wait_for_refusal (bench.receiver);
  for (int i = 0; i < 3; i++) /* their answers would stand behind the messages */
    scripted_broker_expect (bench.broker, MQTT_PINGREQ, &size);
  broker_receiver_answer (bench.receiver, BROKER_TAKEN);
  mqtt_broker_port.resume (bench.connection);
  broker_receiver_expect (bench.receiver, 0, "first");
  broker_receiver_expect (bench.receiver, 1, "second");
  bench_close (&bench);
}

static void no_more_is_taken_than_the_window_holds (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 4);
  scripted_broker_welcome (bench.broker, 4, FALSE);
  broker_receiver_answer (bench.receiver, BROKER_HELD);
  for (guint16 i = 1; i <= BROKER_WINDOW + 2; i++)
    scripted_broker_publish (bench.broker, 4, QOS_1, i, "village/level", "level");
  broker_receiver_wait (bench.receiver, BROKER_WINDOW - 1);
  expect_nothing_written (&bench);
  assert_int_equal (bench.receiver->messages->len, BROKER_WINDOW);
  acknowledge (&bench, 1);
  scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, 1);
  scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, 2);
  broker_receiver_wait (bench.receiver, BROKER_WINDOW + 1);
  acknowledge (&bench, BROKER_WINDOW + 1);
  for (guint16 i = 3; i <= BROKER_WINDOW + 2; i++)
    scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, i);
  bench_close (&bench);
}

static void packet_ids_begin_again_after_65535 (void **state)
{
  (void) state;
  enum { AT_ONCE = 500, MESSAGES = 66000 };
  Bench bench;
  bench_open (&bench, 4);
  scripted_broker_welcome (bench.broker, 4, FALSE);
  for (guint from = 0; from < MESSAGES; from += AT_ONCE) {
    for (guint i = from; i < from + AT_ONCE; i++)
      scripted_broker_publish (bench.broker, 4, QOS_1, (guint16) (i % 65535 + 1), "village/level", "");
    for (guint i = from; i < from + AT_ONCE; i++)
      scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, (guint16) (i % 65535 + 1));
  }
  assert_int_equal (bench.receiver->messages->len, MESSAGES);
  bench_close (&bench);
}

static void a_broker_that_dies_within_a_packet_begins_anew (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 4);
  scripted_broker_welcome (bench.broker, 4, FALSE);
  scripted_broker_publish (bench.broker, 4, QOS_1, 1, "village/level", "whole");
  broker_receiver_wait (bench.receiver, 0);
  scripted_broker_send_hex (bench.broker, "3210 0003612f62 0002"); /* seven bytes of sixteen */
  scripted_broker_welcome (bench.broker, 4, TRUE);
  scripted_broker_publish (bench.broker, 4, QOS_1 | AGAIN, 2, "village/level", "again");
  broker_receiver_expect (bench.receiver, 1, "again");
  assert_int_equal (broker_receiver_status (bench.receiver).connects, 2);
  bench_close (&bench);
}

static void what_is_no_mqtt_ends_the_connection_and_says_so (void **state)
{
  (void) state;
  static const struct {
    const char *hex, *detail;
  } list[] = {
    { "00", "what the broker sends is no MQTT" },
    { "3207 0003612f62 0000", "a PUBLISH that is none" },
    { "2003000000", "has no place here" },
    { "e0018e", "another client has come with our client id" },
    { "e0018b", "being shut down" },
    { "90ffffff7f", "too large for its kind" },
    { "6003000700", "no MQTT" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (list); i++) {
    Bench bench;
    bench_open (&bench, 5);
    scripted_broker_welcome (bench.broker, 5, FALSE);
    scripted_broker_send_hex (bench.broker, list[i].hex);
    broker_receiver_wait_for_state (bench.receiver, BROKER_BACKING_OFF, "lost");
    if (strstr (broker_receiver_status (bench.receiver).detail, list[i].detail) == NULL)
      fail_msg ("%s: %s", list[i].hex, broker_receiver_status (bench.receiver).detail);
    bench_close (&bench);
  }
}

static void who_is_no_broker_is_not_stayed_with (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 4);
  scripted_broker_accept (bench.broker);
  scripted_broker_send (bench.broker, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
  broker_receiver_wait_for_state (bench.receiver, BROKER_BACKING_OFF, "unreachable");
  assert_non_null (strstr (broker_receiver_status (bench.receiver).detail, "no MQTT broker"));
  bench_close (&bench);
}

static void a_broker_that_falls_silent_is_lost (void **state)
{
  (void) state;
  Bench bench;
  gsize size;
  bench_open (&bench, 5);
  scripted_broker_answer (bench.broker, "2006000003 130001");
  scripted_broker_expect (bench.broker, MQTT_PINGREQ, &size);
  scripted_broker_send_hex (bench.broker, "d000");
  scripted_broker_expect (bench.broker, MQTT_PINGREQ, &size);
  broker_receiver_wait_for_state (bench.receiver, BROKER_BACKING_OFF, "lost");
  assert_non_null (strstr (broker_receiver_status (bench.receiver).detail, "doesn't answer any more"));
  bench_close (&bench);
}

/* A megabyte is passed over, in pieces; what comes behind it is taken. */
static void what_is_too_large_is_told_without_its_contents (void **state)
{
  (void) state;
  enum { LARGE = 1024 * 1024 };
  g_autofree char *payload = g_strnfill (LARGE, 'x');
  Bench bench;
  bench_open (&bench, 5);
  scripted_broker_welcome (bench.broker, 5, FALSE);
  publish (&bench, QOS_1, 1, payload);
  publish (&bench, QOS_1, 2, "behind");
  const RawMessage *large = broker_receiver_wait (bench.receiver, 0);
  assert_int_equal (large->payload_size, LARGE);
  assert_int_equal (g_bytes_get_size (large->payload), 0);
  assert_string_equal (large->topic, "village/level");
  broker_receiver_expect (bench.receiver, 1, "behind");
  scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, 1);
  scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, 2);
  payload[RAW_PAYLOAD_MAX] = '\0';
  publish (&bench, QOS_1, 3, payload);
  broker_receiver_expect (bench.receiver, 2, payload);
  bench_close (&bench);
}

/* A PUBLISH of MQTT 5 with so many user properties, of ten thousand bytes each. */
static void publish_with_properties (Bench *bench, guint16 packet_id, gsize properties, gsize payload_bytes)
{
  enum { PROPERTY = 10000, PROPERTY_BYTES = 5 + PROPERTY };
  g_autoptr (GByteArray) packet = g_byte_array_new ();
  g_autofree char *text = g_strnfill (MAX (PROPERTY, payload_bytes), 'x');
  gsize bytes = properties * PROPERTY_BYTES, left = 2 + 3 + 2 + 4 + bytes + payload_bytes;
  const guint8 head[] = { MQTT_PUBLISH << 4 | QOS_1, (guint8) (left | 0x80), (guint8) (left >> 7 | 0x80),
                          (guint8) (left >> 14 | 0x80), (guint8) (left >> 21), 0, 3, 'a', '/', 'b',
                          (guint8) (packet_id >> 8), (guint8) packet_id, (guint8) (bytes | 0x80), (guint8) (bytes >> 7 | 0x80),
                          (guint8) (bytes >> 14 | 0x80), (guint8) (bytes >> 21) };
  g_byte_array_append (packet, head, sizeof head);
  for (gsize i = 0; i < properties; i++) {
    g_byte_array_append (packet, (const guint8[]){ 0x26, PROPERTY >> 8, PROPERTY & 0xff }, 3);
    g_byte_array_append (packet, (const guint8 *) text, PROPERTY);
    g_byte_array_append (packet, (const guint8[]){ 0, 0 }, 2);
  }
  g_byte_array_append (packet, (const guint8 *) text, (guint) payload_bytes);
  scripted_broker_send (bench->broker, packet->data, packet->len);
}

static void properties_without_measure_make_a_message_too_large_and_no_more (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 5);
  scripted_broker_welcome (bench.broker, 5, FALSE);
  publish_with_properties (&bench, 1, 20, RAW_PAYLOAD_MAX);
  publish_with_properties (&bench, 2, 40, 1);
  publish_with_properties (&bench, 3, 10, 1);
  for (guint16 i = 0; i < 3; i++) {
    const RawMessage *message = broker_receiver_wait (bench.receiver, i);
    assert_string_equal (message->topic, "a/b");
    assert_int_equal (message->payload_size > RAW_PAYLOAD_MAX, i < 2);
    scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, i + 1);
  }
  assert_int_equal (broker_receiver_status (bench.receiver).connects, 1);
  bench_close (&bench);
}

static void more_than_a_window_at_once_is_taken_without_a_wait (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 4);
  scripted_broker_welcome (bench.broker, 4, FALSE);
  g_autoptr (GByteArray) packets = g_byte_array_new ();
  for (guint16 i = 1; i <= 3 * BROKER_WINDOW; i++)
    g_byte_array_append (packets, (const guint8[]){ 0x32, 7, 0, 3, 'a', '/', 'b', (guint8) (i >> 8), (guint8) i }, 9);
  gint64 start_us = g_get_monotonic_time ();
  scripted_broker_send (bench.broker, packets->data, packets->len);
  for (guint16 i = 1; i <= 3 * BROKER_WINDOW; i++)
    scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, i);
  assert_true (g_get_monotonic_time () - start_us < 15 * G_USEC_PER_SEC); /* a wait would be 20 s */
  bench_close (&bench);
}

static void what_is_sent_again_while_it_waits_is_taken_once (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 4);
  scripted_broker_welcome (bench.broker, 4, FALSE);
  broker_receiver_answer (bench.receiver, BROKER_HELD);
  scripted_broker_publish (bench.broker, 4, QOS_1, 7, "village/level", "waits");
  scripted_broker_publish (bench.broker, 4, QOS_1 | AGAIN, 7, "village/level", "waits");
  scripted_broker_publish (bench.broker, 4, QOS_1, 8, "village/level", "next");
  broker_receiver_expect (bench.receiver, 1, "next");
  acknowledge (&bench, 1);
  scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, 7);
  scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, 8);
  bench_close (&bench);
}

static void a_broker_that_wants_no_pings_soon_is_pinged_no_sooner (void **state)
{
  (void) state;
  static const char *const answers[] = { "2006000003 130000", "2006000003 13ffff" };
  for (guint i = 0; i < G_N_ELEMENTS (answers); i++) {
    Bench bench;
    bench_open (&bench, 5);
    scripted_broker_answer (bench.broker, answers[i]);
    broker_receiver_wait_for_state (bench.receiver, BROKER_CONNECTED, NULL);
    publish (&bench, 0, 0, "level");
    broker_receiver_wait (bench.receiver, 0);
    expect_nothing_written (&bench);
    bench_close (&bench);
  }
}

static void a_topic_that_is_no_text_does_not_stop_the_others (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 4);
  scripted_broker_welcome (bench.broker, 4, FALSE);
  scripted_broker_send_hex (bench.broker, "3006 0003 61ff62 78" "3006 0003 610062 78" "3006 0003 612f62 78");
  assert_string_equal (broker_receiver_wait (bench.receiver, 0)->topic, "a\xef\xbf\xbd"
                                                                        "b");
  assert_string_equal (broker_receiver_wait (bench.receiver, 1)->topic, "a\xef\xbf\xbd"
                                                                        "b");
  assert_string_equal (broker_receiver_wait (bench.receiver, 2)->topic, "a/b");
  bench_close (&bench);
}

/* Three ways in which brokers that don't know MQTT 5 say so. */
static void a_broker_of_3_1_1_is_spoken_to_in_3_1_1 (void **state)
{
  (void) state;
  static const char *const refusals[] = { "20020001", "2003008400", "" };
  gsize size;
  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++) {
    Bench bench;
    bench_open (&bench, 0);
    scripted_broker_accept (bench.broker);
    assert_int_equal (scripted_broker_expect (bench.broker, MQTT_CONNECT, &size)[6], 5);
    scripted_broker_send_hex (bench.broker, refusals[i]);
    scripted_broker_welcome (bench.broker, 4, FALSE);
    broker_receiver_wait_for_state (bench.receiver, BROKER_CONNECTED, NULL);
    scripted_broker_publish (bench.broker, 4, QOS_1, 1, "village/level", "level");
    broker_receiver_expect (bench.receiver, 0, "level");
    scripted_broker_accept (bench.broker); /* it is remembered where it was said: the third may only have been starting */
    assert_int_equal (scripted_broker_expect (bench.broker, MQTT_CONNECT, &size)[6], refusals[i][0] != '\0' ? 4 : 5);
    bench_close (&bench);
  }
}

static void a_configured_protocol_is_kept_to (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 5);
  scripted_broker_answer (bench.broker, "20020001");
  broker_receiver_wait_for_state (bench.receiver, BROKER_REFUSED, "bad_protocol");
  bench_close (&bench);
}

/* --- Subscriptions --- */

static void want (Bench *bench, const char *first, guint count)
{
  g_auto (GStrv) filters = g_new0 (char *, count + 2);
  filters[0] = g_strdup (first);
  for (guint i = 1; i <= count; i++)
    filters[i] = g_strdup_printf ("village/%u", i);
  mqtt_broker_port.subscribe (bench->connection, (const char *const *) filters);
}

/* Answers a request by `code` for each of `count` filters, whose first is `first`. */
static void answer_request (Bench *bench, MqttType type, const char *first, guint count, guint8 code)
{
  gsize size;
  const guint8 *body = scripted_broker_expect (bench->broker, type, &size);
  assert_memory_equal (body + 5, first, strlen (first));
  g_autoptr (GByteArray) answer = g_byte_array_new ();
  g_byte_array_append (answer, (const guint8[]){ (guint8) ((type + 1) << 4), (guint8) (3 + count), body[0], body[1], 0 }, 5);
  for (guint i = 0; i < count; i++)
    g_byte_array_append (answer, &code, 1);
  scripted_broker_send (bench->broker, answer->data, answer->len);
}

static void only_what_differs_is_asked_for (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 5);
  scripted_broker_welcome (bench.broker, 5, FALSE);
  want (&bench, "a", 150);
  answer_request (&bench, MQTT_SUBSCRIBE, "a", 100, 1);
  answer_request (&bench, MQTT_SUBSCRIBE, "village/100", 51, 1);
  want (&bench, "b", 150);
  answer_request (&bench, MQTT_SUBSCRIBE, "b", 1, 1);
  answer_request (&bench, MQTT_UNSUBSCRIBE, "a", 1, 0);
  mqtt_broker_port.forget (bench.connection, "b"); /* wanted */
  mqtt_broker_port.forget (bench.connection, "c");
  answer_request (&bench, MQTT_UNSUBSCRIBE, "c", 1, 0);
  expect_nothing_written (&bench);
  scripted_broker_welcome (bench.broker, 5, FALSE); /* the session may be a new one */
  answer_request (&bench, MQTT_SUBSCRIBE, "b", 100, 1);
  answer_request (&bench, MQTT_SUBSCRIBE, "village/100", 51, 1);
  bench_close (&bench);
}

static void what_was_unsubscribed_as_the_connection_was_lost_is_unsubscribed_again (void **state)
{
  (void) state;
  Bench bench;
  gsize size;
  bench_open (&bench, 5);
  scripted_broker_welcome (bench.broker, 5, FALSE);
  want (&bench, "a", 1);
  answer_request (&bench, MQTT_SUBSCRIBE, "a", 2, 1);
  want (&bench, "b", 1);
  answer_request (&bench, MQTT_SUBSCRIBE, "b", 1, 1);
  scripted_broker_expect (bench.broker, MQTT_UNSUBSCRIBE, &size);
  for (int i = 0; i < 2; i++) {
    scripted_broker_welcome (bench.broker, 5, TRUE);
    answer_request (&bench, MQTT_SUBSCRIBE, "b", 2, 1);
    if (i == 0)
      answer_request (&bench, MQTT_UNSUBSCRIBE, "a", 1, 0);
    scripted_broker_publish (bench.broker, 5, QOS_1, 1, "village/level", "behind the answer");
    scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, 1);
    expect_nothing_written (&bench);
  }
  bench_close (&bench);
}

static void requests_are_no_larger_than_the_broker_takes (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 5);
  scripted_broker_answer (bench.broker, "2008000005 2700000064"); /* 100 bytes */
  want (&bench, "a", 9);
  answer_request (&bench, MQTT_SUBSCRIBE, "a", 8, 1);
  answer_request (&bench, MQTT_SUBSCRIBE, "village/8", 2, 1);
  broker_receiver_wait_for_state (bench.receiver, BROKER_CONNECTED, NULL);
  g_autofree char *too_long = g_strnfill (100, 'x');
  want (&bench, too_long, 9);
  answer_request (&bench, MQTT_UNSUBSCRIBE, "a", 1, 0);
  want (&bench, "village/9", 8);
  expect_nothing_written (&bench);
  bench_close (&bench);
}

static void a_subscription_that_is_refused_is_named_until_it_is_granted (void **state)
{
  (void) state;
  Bench bench;
  bench_open (&bench, 5);
  scripted_broker_welcome (bench.broker, 5, FALSE);
  want (&bench, "secret", 0);
  answer_request (&bench, MQTT_SUBSCRIBE, "secret", 1, 0x87);
  broker_receiver_wait_for_state (bench.receiver, BROKER_CONNECTED, "subscription_refused");
  assert_non_null (strstr (broker_receiver_status (bench.receiver).detail, "secret"));
  want (&bench, "secret", 1);
  answer_request (&bench, MQTT_SUBSCRIBE, "secret", 2, 1);
  broker_receiver_wait_for_state (bench.receiver, BROKER_CONNECTED, NULL);
  bench_close (&bench);
}

static void closing_says_good_bye_after_the_last_acknowledgement (void **state)
{
  (void) state;
  Bench bench;
  gsize size;
  bench_open (&bench, 5);
  scripted_broker_welcome (bench.broker, 5, FALSE);
  broker_receiver_answer (bench.receiver, BROKER_HELD);
  publish (&bench, QOS_1, 1, "stored");
  publish (&bench, QOS_1, 2, "not stored");
  broker_receiver_wait (bench.receiver, 1);
  acknowledge (&bench, 0);
  mqtt_broker_port.close (bench.connection);
  scripted_broker_expect_ack (bench.broker, MQTT_PUBACK, 1);
  scripted_broker_expect (bench.broker, MQTT_DISCONNECT, &size);
  assert_int_equal (broker_receiver_status (bench.receiver).state, BROKER_CLOSED);
  broker_receiver_free (bench.receiver);
  scripted_broker_free (bench.broker);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (acknowledgements_keep_the_order_in_which_messages_came),
    cmocka_unit_test (qos_2_ends_as_the_standard_says),
    cmocka_unit_test (a_release_that_comes_after_the_connection_was_lost_is_answered),
    cmocka_unit_test (a_receiver_without_room_stops_the_reading_but_not_the_pings),
    cmocka_unit_test (no_more_is_taken_than_the_window_holds),
    cmocka_unit_test (packet_ids_begin_again_after_65535),
    cmocka_unit_test (a_broker_that_dies_within_a_packet_begins_anew),
    cmocka_unit_test (what_is_no_mqtt_ends_the_connection_and_says_so),
    cmocka_unit_test (who_is_no_broker_is_not_stayed_with),
    cmocka_unit_test (a_broker_that_falls_silent_is_lost),
    cmocka_unit_test (what_is_too_large_is_told_without_its_contents),
    cmocka_unit_test (properties_without_measure_make_a_message_too_large_and_no_more),
    cmocka_unit_test (more_than_a_window_at_once_is_taken_without_a_wait),
    cmocka_unit_test (what_is_sent_again_while_it_waits_is_taken_once),
    cmocka_unit_test (a_broker_that_wants_no_pings_soon_is_pinged_no_sooner),
    cmocka_unit_test (a_topic_that_is_no_text_does_not_stop_the_others),
    cmocka_unit_test (a_broker_of_3_1_1_is_spoken_to_in_3_1_1),
    cmocka_unit_test (a_configured_protocol_is_kept_to),
    cmocka_unit_test (only_what_differs_is_asked_for),
    cmocka_unit_test (what_was_unsubscribed_as_the_connection_was_lost_is_unsubscribed_again),
    cmocka_unit_test (requests_are_no_larger_than_the_broker_takes),
    cmocka_unit_test (a_subscription_that_is_refused_is_named_until_it_is_granted),
    cmocka_unit_test (closing_says_good_bye_after_the_last_acknowledgement),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
