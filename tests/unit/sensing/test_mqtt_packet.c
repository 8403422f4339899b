#include <string.h>

#include "adapters/brokers/mqtt_packet.h"
#include "tests/support/test.h"

/* A packet as a broker sends it. A buffer of just its size lets AddressSanitizer see who looks beyond. */
typedef struct {
  const char *name;
  int protocol;
  const char *hex;
} Packet;

#define T "0003612f62" /* the topic a/b */

/* Spaces show where something begins. */
static guint8 *bytes_of (const char *hex, gsize *size)
{
  g_auto (GStrv) parts = g_strsplit (hex, " ", -1);
  g_autofree char *digits = g_strjoinv ("", parts);
  *size = strlen (digits) / 2;
  guint8 *bytes = g_malloc (*size);
  for (gsize i = 0; i < *size; i++)
    bytes[i] = (guint8) (g_ascii_xdigit_value (digits[2 * i]) << 4 | g_ascii_xdigit_value (digits[2 * i + 1]));
  return bytes;
}

static MqttProgress read_body (const MqttHead *head, const guint8 *body, gsize size, int protocol)
{
  MqttPublish publish;
  MqttConnack connack;
  MqttSuback suback;
  guint16 packet_id;
  guint8 reason;
  gboolean is_good = FALSE;
  if (head->type == MQTT_PUBLISH) {
    MqttProgress progress = mqtt_publish_read (head, body, MIN (size, head->body_bytes), protocol, &publish);
    return progress == MQTT_WHOLE && size < head->body_bytes ? MQTT_MORE : progress;
  }
  if (size < head->body_bytes)
    return MQTT_MORE;
  if (head->type == MQTT_CONNACK)
    is_good = mqtt_connack_read (head, body, protocol, &connack);
  else if (head->type >= MQTT_PUBACK && head->type <= MQTT_PUBCOMP)
    is_good = mqtt_ack_read (head, body, protocol, &packet_id, &reason);
  else if (head->type == MQTT_SUBACK || head->type == MQTT_UNSUBACK)
    is_good = mqtt_suback_read (head, body, protocol, &suback);
  else if (head->type == MQTT_DISCONNECT)
    is_good = mqtt_disconnect_read (head, body, protocol, &reason);
  else if (head->type == MQTT_PINGRESP)
    is_good = TRUE;
  return is_good ? MQTT_WHOLE : MQTT_MALFORMED;
}

static MqttProgress read_packet (const guint8 *bytes, gsize size, int protocol)
{
  MqttHead head;
  MqttProgress progress = mqtt_head_read (bytes, size, &head);
  return progress == MQTT_WHOLE ? read_body (&head, bytes + head.head_bytes, size - head.head_bytes, protocol) : progress;
}

static void good_packets_are_read_and_no_part_of_them_is (void **state)
{
  (void) state;
  static const Packet packets[] = {
    { "CONNACK", 4, "20020100" },
    { "CONNACK refused", 4, "20020005" },
    { "CONNACK", 5, "2003000000" },
    { "CONNACK of 3.1.1 to a client of 5", 5, "20020001" },
    { "CONNACK with properties", 5, "200e01000b" "13000a" "2700010000" "210014" },
    { "CONNACK with all kinds", 5, "2015000012" "2401" "120002636c" "260001610001621f0001" "78" },
    { "PUBLISH QoS 0", 4, "3006" T "78" },
    { "PUBLISH without a payload", 4, "3005" T },
    { "PUBLISH QoS 1", 4, "3208" T "000778" },
    { "PUBLISH QoS 2, again, retained", 4, "3d08" T "ffff78" },
    { "PUBLISH", 5, "3209" T "00070078" },
    { "PUBLISH with properties", 5, "3213" T "00070a" "0101" "0200000001" "0b8001" "78" },
    { "PUBACK", 4, "40020007" },
    { "PUBACK without a reason", 5, "40020007" },
    { "PUBACK with a reason", 5, "4003000710" },
    { "PUBACK with properties", 5, "400900071005" "1f00026e6f" },
    { "PUBREC", 4, "50020007" },
    { "PUBREL", 4, "62020007" },
    { "PUBREL", 5, "620400070000" },
    { "PUBCOMP", 4, "70020007" },
    { "SUBACK", 4, "900500070001 80" },
    { "SUBACK", 5, "90050007000187" },
    { "UNSUBACK", 4, "b0020007" },
    { "UNSUBACK", 5, "b00400070000" },
    { "PINGRESP", 4, "d000" },
    { "DISCONNECT", 5, "e000" },
    { "DISCONNECT with a reason", 5, "e0018e" },
    { "DISCONNECT with properties", 5, "e0078e051f00026e6f" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (packets); i++) {
    gsize size;
    g_autofree guint8 *bytes = bytes_of (packets[i].hex, &size);
    for (gsize length = 0; length < size; length++) {
      g_autofree guint8 *part = g_memdup2 (bytes, length);
      if (read_packet (part, length, packets[i].protocol) != MQTT_MORE)
        fail_msg ("%s of protocol %d: %d bytes of it", packets[i].name, packets[i].protocol, (int) length);
    }
    if (read_packet (bytes, size, packets[i].protocol) != MQTT_WHOLE)
      fail_msg ("%s of protocol %d", packets[i].name, packets[i].protocol);
  }
}

static void what_the_standard_forbids_is_malformed (void **state)
{
  (void) state;
  static const Packet packets[] = {
    { "type 0", 4, "0000" },
    { "AUTH", 5, "f000" },
    { "a length of five bytes", 4, "30ffffffff01" },
    { "flags of a CONNACK", 4, "21020000" },
    { "flags of a PUBREL", 4, "60020007" },
    { "flags of a SUBACK", 4, "910300070000" },
    { "flags of a PINGRESP", 4, "d100" },
    { "QoS 3", 4, "3608" T "000778" },
    { "CONNACK too short", 4, "200100" },
    { "CONNACK too long", 4, "2003000000" },
    { "CONNACK, reserved flags", 4, "20020200" },
    { "CONNACK without properties, connected", 5, "20020000" },
    { "CONNACK, properties beyond its end", 5, "2004000002 11" },
    { "CONNACK, something behind the properties", 5, "200400000000" },
    { "CONNACK, a property that there is none of", 5, "200500000204 00" },
    { "CONNACK, a property cut short", 5, "2005000002 1300" },
    { "PUBLISH without a topic", 4, "30020000" },
    { "PUBLISH, the topic beyond its end", 4, "3004000461 62" },
    { "PUBLISH, no packet id", 4, "3205" T },
    { "PUBLISH, half a packet id", 4, "3206" T "00" },
    { "PUBLISH, packet id 0", 4, "3207" T "0000" },
    { "PUBLISH without properties", 5, "3207" T "0007" },
    { "PUBLISH, properties beyond its end", 5, "3209" T "00070501" },
    { "PUBLISH, length of properties of five bytes", 5, "320c" T "0007ffffffff01" },
    { "PUBLISH with a topic alias", 5, "320b" T "000703230001" },
    { "PUBLISH, a text beyond its properties", 5, "320c" T "00070403000561" },
    { "PUBLISH, a number without end", 5, "320a" T "0007020b80" },
    { "PUBACK too short", 4, "400100" },
    { "PUBACK too long", 4, "4003000700" },
    { "PUBACK, packet id 0", 4, "40020000" },
    { "PUBACK, properties beyond its end", 5, "40040007 0005" },
    { "SUBACK without a packet id", 4, "900100" },
    { "SUBACK without an answer", 4, "90020007" },
    { "SUBACK without properties", 5, "90020007" },
    { "SUBACK, packet id 0", 4, "9003000001" },
    { "UNSUBACK without an answer", 5, "b003000700" },
    { "DISCONNECT of a broker", 4, "e000" },
    { "DISCONNECT, something behind the properties", 5, "e0038e0000" },
    { "CONNECT", 4, "100c00044d5154540402001e0000" },
    { "SUBSCRIBE", 4, "8206000100016101" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (packets); i++) {
    gsize size;
    g_autofree guint8 *bytes = bytes_of (packets[i].hex, &size);
    if (read_packet (bytes, size, packets[i].protocol) != MQTT_MALFORMED)
      fail_msg ("%s of protocol %d is taken", packets[i].name, packets[i].protocol);
  }
}

static void a_publish_says_what_it_is (void **state)
{
  (void) state;
  gsize size;
  MqttHead head;
  MqttPublish publish;
  g_autofree guint8 *bytes = bytes_of ("3d0b" T "ffff02010178", &size);
  assert_int_equal (mqtt_head_read (bytes, size, &head), MQTT_WHOLE);
  assert_int_equal (mqtt_publish_read (&head, bytes + 2, size - 2, 5, &publish), MQTT_WHOLE);
  assert_int_equal (publish.topic_bytes, 3);
  assert_memory_equal (publish.topic, "a/b", 3);
  assert_int_equal (publish.packet_id, 0xffff);
  assert_int_equal (publish.qos, 2);
  assert_true (publish.is_retained);
  assert_true (publish.is_redelivery);
  assert_int_equal (publish.payload_at, 10);
}

static void a_connack_says_what_the_broker_asks_for (void **state)
{
  (void) state;
  gsize size;
  MqttHead head;
  MqttConnack connack;
  g_autofree guint8 *bytes = bytes_of ("200b010008" "13000a" "2700010000", &size);
  assert_int_equal (mqtt_head_read (bytes, size, &head), MQTT_WHOLE);
  assert_true (mqtt_connack_read (&head, bytes + 2, 5, &connack));
  assert_true (connack.session_present);
  assert_int_equal (connack.code, 0);
  assert_int_equal (connack.keep_alive_seconds, 10);
  assert_int_equal (connack.packet_bytes_max, 65536);
  g_autofree guint8 *refused = bytes_of ("20020005", &size);
  assert_int_equal (mqtt_head_read (refused, size, &head), MQTT_WHOLE);
  assert_true (mqtt_connack_read (&head, refused + 2, 4, &connack));
  assert_int_equal (connack.code, 5);
  assert_int_equal (connack.keep_alive_seconds, -1);
}

static void assert_written (GByteArray *output, const char *hex)
{
  gsize size;
  g_autofree guint8 *bytes = bytes_of (hex, &size);
  assert_int_equal (output->len, size);
  assert_memory_equal (output->data, bytes, size);
  g_byte_array_set_size (output, 0);
}

static void a_client_says_who_it_is (void **state)
{
  (void) state;
  g_autoptr (GByteArray) output = g_byte_array_new ();
  MqttConnect connect = { MQTT_3_1_1, "me", NULL, NULL, 30, TRUE, 0, 512 };
  assert_true (mqtt_connect_write (output, &connect));
  assert_written (output, "100e" "00044d515454" "04" "02" "001e" "00026d65");
  connect = (MqttConnect){ MQTT_3_1_1, "me", "us", "pw", 30, FALSE, 3600, 512 };
  assert_true (mqtt_connect_write (output, &connect));
  assert_written (output, "1016" "00044d515454" "04" "c0" "001e" "00026d65" "00027573" "00027077");
  connect.protocol = MQTT_5;
  assert_true (mqtt_connect_write (output, &connect));
  assert_written (output, "101f" "00044d515454" "05" "c0" "001e" "08" "1100000e10" "210200" "00026d65" "00027573" "00027077");
  connect = (MqttConnect){ MQTT_5, "me", NULL, NULL, 30, TRUE, 0, 512 };
  assert_true (mqtt_connect_write (output, &connect));
  assert_written (output, "1012" "00044d515454" "05" "02" "001e" "03" "210200" "00026d65");
}

static void a_client_asks_and_answers (void **state)
{
  (void) state;
  g_autoptr (GByteArray) output = g_byte_array_new ();
  const MqttSubscription list[] = { { "a/b", 1 }, { "$SYS/c", 0 } };
  const char *const filters[] = { "a/b", "c" };
  assert_true (mqtt_subscribe_write (output, MQTT_3_1_1, 7, list, 2));
  assert_true (mqtt_subscribe_write (output, MQTT_5, 7, list, 2));
  assert_true (mqtt_unsubscribe_write (output, MQTT_3_1_1, 8, filters, 2));
  assert_true (mqtt_unsubscribe_write (output, MQTT_5, 8, filters, 2));
  assert_written (output, "8211" "0007" T "01" "0006245359532f63" "00" " 8212" "0007" "00" T "11" "0006245359532f63" "10"
                          " a20a" "0008" T "000163" " a20b" "0008" "00" T "000163");
  assert_true (mqtt_publish_write (output, MQTT_3_1_1, "a/b", (const guint8 *) "xy", 2));
  assert_true (mqtt_publish_write (output, MQTT_5, "a/b", NULL, 0));
  assert_written (output, "3007" T "7879" " 3006" T "00");
  mqtt_ack_write (output, MQTT_PUBACK, 0x102);
  mqtt_ack_write (output, MQTT_PUBREC, 0x102);
  mqtt_ack_write (output, MQTT_PUBREL, 0x102);
  mqtt_ack_write (output, MQTT_PUBCOMP, 0x102);
  mqtt_ping_write (output);
  mqtt_disconnect_write (output);
  assert_written (output, "40020102" " 50020102" " 62020102" " 70020102" " c000" " e000");
}

static void what_mqtt_cannot_say_is_not_written (void **state)
{
  (void) state;
  g_autoptr (GByteArray) output = g_byte_array_new ();
  g_autofree char *text = g_strnfill (65536, 'a');
  const char *const filters[] = { "a", text };
  const MqttSubscription list[] = { { "a", 1 }, { text, 1 } };
  MqttConnect connect = { MQTT_5, text, NULL, NULL, 30, TRUE, 0, 512 };
  assert_false (mqtt_connect_write (output, &connect));
  assert_false (mqtt_publish_write (output, MQTT_5, text, NULL, 0));
  assert_false (mqtt_subscribe_write (output, MQTT_5, 1, list, 2));
  assert_false (mqtt_unsubscribe_write (output, MQTT_5, 1, filters, 2));
  assert_int_equal (output->len, 0);
  text[65535] = '\0';
  assert_true (mqtt_publish_write (output, MQTT_3_1_1, text, NULL, 0));
  assert_int_equal (output->len, 1 + 3 + 2 + 65535); /* its length takes three bytes */
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (good_packets_are_read_and_no_part_of_them_is),
    cmocka_unit_test (what_the_standard_forbids_is_malformed),
    cmocka_unit_test (a_publish_says_what_it_is),
    cmocka_unit_test (a_connack_says_what_the_broker_asks_for),
    cmocka_unit_test (a_client_says_who_it_is),
    cmocka_unit_test (a_client_asks_and_answers),
    cmocka_unit_test (what_mqtt_cannot_say_is_not_written),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
