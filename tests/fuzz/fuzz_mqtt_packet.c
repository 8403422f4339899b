/* What a broker sends, first bytes saying in which protocol and in pieces of which size: packet by packet, and as a connection takes
 * it. However it is cut, the same messages come. */
#include "adapters/brokers/mqtt_session_private.h"

#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz_target.h"

static void read_body (const MqttHead *head, const guint8 *body, int protocol)
{
  MqttConnack connack;
  MqttSuback suback;
  guint16 packet_id;
  guint8 reason;
  mqtt_connack_read (head, body, protocol, &connack);
  mqtt_ack_read (head, body, protocol, &packet_id, &reason);
  mqtt_disconnect_read (head, body, protocol, &reason);
  if (mqtt_suback_read (head, body, protocol, &suback))
    g_assert (suback.reasons + suback.reason_count == body + head->body_bytes);
}

static void read_all (const guint8 *bytes, gsize size, int protocol)
{
  MqttHead head;
  MqttPublish publish;
  while (mqtt_head_read (bytes, size, &head) == MQTT_WHOLE) {
    gsize there = MIN (size - head.head_bytes, head.body_bytes);
    if (mqtt_publish_read (&head, bytes + head.head_bytes, there, protocol, &publish) == MQTT_WHOLE)
      g_assert (publish.payload_at <= there && publish.topic_bytes < there);
    if (there < head.body_bytes)
      return;
    read_body (&head, bytes + head.head_bytes, protocol);
    bytes += head.head_bytes + there;
    size -= head.head_bytes + there;
  }
}

/* The sum of what is handed over. */
static BrokerAnswer received (gpointer self, RawMessage *message)
{
  guint64 *sum = self;
  g_assert (message->payload_size <= RAW_PAYLOAD_MAX || g_bytes_get_size (message->payload) == 0);
  *sum = *sum * 31 + raw_message_hash (message) + message->packet_id + message->payload_size;
  return BROKER_TAKEN;
}

static void changed (gpointer self, const char *broker, const BrokerStatus *status)
{
  (void) self, (void) broker, (void) status;
}

static guint64 run (const guint8 *bytes, gsize size, int protocol, gsize piece, gboolean *goes_on)
{
  guint64 sum = 0;
  Broker settings = { .id = (char *) "fuzz", .url = (char *) "mqtt://fuzz" };
  BrokerConnection connection = { .settings = &settings, .handlers = { &sum, received, NULL, changed, FALSE },
                                  .subscriptions = mqtt_subscriptions_new ("fuzz", 1) };
  g_autoptr (GByteArray) requests = g_byte_array_new ();
  const char *const filters[] = { "a", "b", NULL };
  g_mutex_init (&connection.mutex);
  mqtt_subscriptions_start (connection.subscriptions, protocol, G_MAXUINT32);
  mqtt_subscriptions_want (connection.subscriptions, filters, requests);
  MqttSession *session = mqtt_session_new (&connection, NULL, protocol);
  *goes_on = TRUE;
  for (gsize at = 0; at < size && *goes_on; at += piece) {
    gsize left = session->filled - session->at, part = MIN (piece, size - at);
    memmove (session->input, session->input + session->at, left);
    session->at = 0;
    session->filled = left;
    if (part > MQTT_INPUT_BYTES - left)
      break;
    memcpy (session->input + left, bytes + at, part);
    session->filled += part;
    *goes_on = mqtt_session_parse (session);
    mqtt_window_flush (&session->window, 0, session->output);
  }
  mqtt_session_free (session);
  mqtt_subscriptions_free (connection.subscriptions);
  g_mutex_clear (&connection.mutex);
  return sum;
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  if (size < 2)
    return 0;
  int protocol = (bytes[0] & 1) != 0 ? MQTT_5 : MQTT_3_1_1;
  gsize piece = (gsize) bytes[1] + 1;
  gboolean whole_goes_on, goes_on;
  read_all (bytes + 2, size - 2, protocol);
  guint64 whole = run (bytes + 2, size - 2, protocol, 128, &whole_goes_on);
  guint64 pieces = run (bytes + 2, size - 2, protocol, piece, &goes_on);
  g_assert (whole == pieces && whole_goes_on == goes_on);
  return 0;
}
