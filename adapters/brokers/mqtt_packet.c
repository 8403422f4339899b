#include "adapters/brokers/mqtt_packet.h"

#include <string.h>

enum { TEXT_MAX = 65535, LENGTH_BYTES_MAX = 4, BODY_BYTES_MAX = 268435455 };

/* Reading: a part of a packet that shrinks from the front; `is_short` once something was asked for that isn't there. */
typedef struct {
  const guint8 *bytes;
  gsize size;
  gboolean is_short;
} Part;

static const guint8 *take (Part *part, gsize size)
{
  if (part->is_short || size > part->size) {
    part->is_short = TRUE;
    return NULL;
  }
  const guint8 *taken = part->bytes;
  part->bytes += size;
  part->size -= size;
  return taken;
}

static guint32 take_number (Part *part, gsize size)
{
  const guint8 *bytes = take (part, size);
  guint32 number = 0;
  for (gsize i = 0; bytes != NULL && i < size; i++)
    number = number << 8 | bytes[i];
  return number;
}

/* A variable byte integer (1.5.5). MQTT_MORE: the part ends within it. */
static MqttProgress take_length (Part *part, gsize *length)
{
  *length = 0;
  for (guint i = 0; i < LENGTH_BYTES_MAX; i++) {
    const guint8 *byte = take (part, 1);
    if (byte == NULL)
      return MQTT_MORE;
    *length |= (gsize) (*byte & 0x7f) << (7 * i);
    if (*byte < 0x80)
      return MQTT_WHOLE;
  }
  return MQTT_MALFORMED;
}

static const char *take_text (Part *part, gsize *size)
{
  *size = take_number (part, 2);
  return (const char *) take (part, *size);
}

/* Properties (MQTT 5 2.2.2) */

enum {
  SESSION_EXPIRY = 0x11,
  SERVER_KEEP_ALIVE = 0x13,
  RECEIVE_MAXIMUM = 0x21,
  TOPIC_ALIAS = 0x23,
  MAXIMUM_PACKET_SIZE = 0x27,
};

/* How a property's value is written: bytes of a number, or one of these. */
enum { VALUE_LENGTH = 5, VALUE_TEXT, VALUE_PAIR };

static int value_of (guint8 identifier)
{
  static const guint8 kinds[] = {
    [0x01] = 1, [0x02] = 4, [0x03] = VALUE_TEXT, [0x08] = VALUE_TEXT, [0x09] = VALUE_TEXT, [0x0b] = VALUE_LENGTH,
    [0x11] = 4, [0x12] = VALUE_TEXT, [0x13] = 2, [0x15] = VALUE_TEXT, [0x16] = VALUE_TEXT, [0x17] = 1, [0x18] = 4,
    [0x19] = 1, [0x1a] = VALUE_TEXT, [0x1c] = VALUE_TEXT, [0x1f] = VALUE_TEXT, [0x21] = 2, [0x22] = 2, [0x23] = 2,
    [0x24] = 1, [0x25] = 1, [0x26] = VALUE_PAIR, [0x27] = 4, [0x28] = 1, [0x29] = 1, [0x2a] = 1,
  };
  return identifier < G_N_ELEMENTS (kinds) ? kinds[identifier] : 0;
}

/* FALSE when it is none. `number` is set for numbers. */
static gboolean take_property (Part *part, guint8 *identifier, guint32 *number)
{
  gsize size;
  *identifier = (guint8) take_number (part, 1);
  *number = 0;
  int kind = value_of (*identifier);
  switch (kind) {
  case 0:
    return FALSE;
  case VALUE_LENGTH:
    return take_length (part, &size) == MQTT_WHOLE;
  case VALUE_PAIR:
    take_text (part, &size);
    /* fall through */
  case VALUE_TEXT:
    take_text (part, &size);
    break;
  default:
    *number = take_number (part, (gsize) kind);
  }
  return !part->is_short;
}

/* Those of a body, as a part of their own. MQTT 3.1.1 has none. MQTT_MORE: its size is 0 when even that isn't known. */
static MqttProgress take_properties (Part *body, int protocol, Part *properties)
{
  gsize size = 0;
  MqttProgress progress = protocol == MQTT_5 ? take_length (body, &size) : MQTT_WHOLE;
  *properties = (Part){ NULL, 0, FALSE };
  if (progress != MQTT_WHOLE)
    return progress;
  *properties = (Part){ take (body, size), size, FALSE };
  return properties->bytes != NULL ? MQTT_WHOLE : MQTT_MORE;
}

/* Where nothing in them matters. */
static gboolean skip_properties (Part *body, int protocol)
{
  Part properties;
  guint8 identifier;
  guint32 number;
  if (take_properties (body, protocol, &properties) != MQTT_WHOLE)
    return FALSE;
  while (properties.size > 0)
    if (!take_property (&properties, &identifier, &number))
      return FALSE;
  return TRUE;
}

/* Packets */

/* Flags that each type must have (2.1.3). */
static gboolean are_flags_right (const MqttHead *head)
{
  if (head->type == MQTT_PUBLISH)
    return (head->flags & 6) != 6; /* QoS 3 */
  if (head->type == MQTT_PUBREL || head->type == MQTT_SUBSCRIBE || head->type == MQTT_UNSUBSCRIBE)
    return head->flags == 2;
  return head->flags == 0;
}

MqttProgress mqtt_head_read (const guint8 *bytes, gsize size, MqttHead *head)
{
  Part part = { bytes, size, FALSE };
  guint8 first = (guint8) take_number (&part, 1);
  if (part.is_short)
    return MQTT_MORE;
  head->type = (MqttType) (first >> 4);
  head->flags = first & 0x0f;
  if (head->type < MQTT_CONNECT || head->type > MQTT_DISCONNECT || !are_flags_right (head))
    return MQTT_MALFORMED;
  MqttProgress progress = take_length (&part, &head->body_bytes);
  head->head_bytes = size - part.size;
  return progress;
}

/* A topic alias can't be: we allow none (3.1.2.11.5). */
static gboolean are_publish_properties_right (Part properties)
{
  guint8 identifier;
  guint32 number;
  while (properties.size > 0)
    if (!take_property (&properties, &identifier, &number) || identifier == TOPIC_ALIAS)
      return FALSE;
  return TRUE;
}

MqttProgress mqtt_publish_read (const MqttHead *head, const guint8 *body, gsize size, int protocol, MqttPublish *publish)
{
  Part part = { body, size, FALSE }, properties;
  MqttProgress when_short = size < head->body_bytes ? MQTT_MORE : MQTT_MALFORMED;
  publish->qos = head->flags >> 1 & 3;
  publish->is_retained = head->flags & 1;
  publish->is_redelivery = publish->qos > 0 && (head->flags & 8) != 0;
  publish->topic = take_text (&part, &publish->topic_bytes);
  publish->packet_id = publish->qos > 0 ? (guint16) take_number (&part, 2) : 0;
  publish->payload_at = 0;
  if (part.is_short)
    return when_short;
  MqttProgress progress = take_properties (&part, protocol, &properties);
  gsize payload_at = size - part.size + (progress == MQTT_MORE ? properties.size : 0);
  if (progress == MQTT_MALFORMED || payload_at > head->body_bytes || publish->topic_bytes == 0
      || (publish->qos > 0 && publish->packet_id == 0))
    return MQTT_MALFORMED;
  if (progress == MQTT_WHOLE || properties.size > 0)
    publish->payload_at = payload_at;
  if (progress == MQTT_MORE)
    return when_short;
  return are_publish_properties_right (properties) ? MQTT_WHOLE : MQTT_MALFORMED;
}

static gboolean read_connack_properties (Part properties, MqttConnack *connack)
{
  guint8 identifier;
  guint32 number;
  while (properties.size > 0) {
    if (!take_property (&properties, &identifier, &number))
      return FALSE;
    if (identifier == SERVER_KEEP_ALIVE)
      connack->keep_alive_seconds = (int) number;
    else if (identifier == MAXIMUM_PACKET_SIZE)
      connack->packet_bytes_max = number;
  }
  return TRUE;
}

gboolean mqtt_connack_read (const MqttHead *head, const guint8 *body, int protocol, MqttConnack *connack)
{
  Part part = { body, head->body_bytes, FALSE }, properties;
  guint32 flags = take_number (&part, 1);
  *connack = (MqttConnack){ flags & 1, (guint8) take_number (&part, 1), -1, G_MAXUINT32 };
  if (part.is_short || flags > 1)
    return FALSE;
  if (protocol == MQTT_5 && part.size == 0 && connack->code != 0)
    return TRUE; /* of a broker that speaks MQTT 3.1.1 alone and says so in its own way */
  return take_properties (&part, protocol, &properties) == MQTT_WHOLE && part.size == 0
         && read_connack_properties (properties, connack);
}

/* MQTT 5 leaves out a reason of 0, and properties that are none (3.4.2.1, 3.14.2.1). */
static gboolean take_reason (Part *part, int protocol, guint8 *reason)
{
  *reason = 0;
  if (part->is_short || protocol != MQTT_5 || part->size == 0)
    return !part->is_short && part->size == 0;
  *reason = (guint8) take_number (part, 1);
  return part->size == 0 || (skip_properties (part, protocol) && part->size == 0);
}

gboolean mqtt_ack_read (const MqttHead *head, const guint8 *body, int protocol, guint16 *packet_id, guint8 *reason)
{
  Part part = { body, head->body_bytes, FALSE };
  *packet_id = (guint16) take_number (&part, 2);
  return take_reason (&part, protocol, reason) && *packet_id != 0;
}

gboolean mqtt_suback_read (const MqttHead *head, const guint8 *body, int protocol, MqttSuback *suback)
{
  Part part = { body, head->body_bytes, FALSE };
  suback->packet_id = (guint16) take_number (&part, 2);
  if (part.is_short || suback->packet_id == 0 || !skip_properties (&part, protocol))
    return FALSE;
  suback->reasons = part.bytes;
  suback->reason_count = part.size;
  return suback->reason_count > 0 || (head->type == MQTT_UNSUBACK && protocol != MQTT_5);
}

gboolean mqtt_disconnect_read (const MqttHead *head, const guint8 *body, int protocol, guint8 *reason)
{
  Part part = { body, head->body_bytes, FALSE };
  return protocol == MQTT_5 && take_reason (&part, protocol, reason);
}

/* Writing */

static void add_number (GByteArray *output, guint32 number, guint size)
{
  for (guint i = size; i-- > 0;) {
    guint8 byte = (guint8) (number >> (8 * i));
    g_byte_array_append (output, &byte, 1);
  }
}

static void add_length (GByteArray *output, gsize length)
{
  do {
    guint8 byte = (guint8) ((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
    g_byte_array_append (output, &byte, 1);
    length >>= 7;
  } while (length > 0);
}

static gboolean add_text (GByteArray *output, const char *text)
{
  gsize size = strlen (text);
  if (size > TEXT_MAX)
    return FALSE;
  add_number (output, (guint32) size, 2);
  g_byte_array_append (output, (const guint8 *) text, (guint) size);
  return TRUE;
}

/* The packet of this body; nothing when it didn't succeed. */
static gboolean add_packet (GByteArray *output, MqttType type, guint8 flags, const GByteArray *body, gboolean is_good)
{
  if (!is_good || body->len > BODY_BYTES_MAX)
    return FALSE;
  add_number (output, (guint32) type << 4 | flags, 1);
  add_length (output, body->len);
  g_byte_array_append (output, body->data, body->len);
  return TRUE;
}

static void add_connect_properties (GByteArray *body, const MqttConnect *connect)
{
  add_number (body, connect->session_seconds > 0 ? 8 : 3, 1);
  if (connect->session_seconds > 0) {
    add_number (body, SESSION_EXPIRY, 1);
    add_number (body, connect->session_seconds, 4);
  }
  add_number (body, RECEIVE_MAXIMUM, 1);
  add_number (body, connect->receive_maximum, 2);
}

gboolean mqtt_connect_write (GByteArray *output, const MqttConnect *connect)
{
  enum { CLEAN = 2, PASSWORD = 0x40, USERNAME = 0x80 };
  g_autoptr (GByteArray) body = g_byte_array_new ();
  add_text (body, "MQTT");
  add_number (body, (guint32) connect->protocol, 1);
  add_number (body, (connect->is_clean ? CLEAN : 0) | (connect->username != NULL ? USERNAME : 0)
                      | (connect->password != NULL ? PASSWORD : 0), 1);
  add_number (body, connect->keep_alive_seconds, 2);
  if (connect->protocol == MQTT_5)
    add_connect_properties (body, connect);
  gboolean is_good = add_text (body, connect->client_id)
                     && (connect->username == NULL || add_text (body, connect->username))
                     && (connect->password == NULL || add_text (body, connect->password));
  return add_packet (output, MQTT_CONNECT, 0, body, is_good);
}

gboolean mqtt_publish_write (GByteArray *output, int protocol, const char *topic, const guint8 *payload, gsize size)
{
  g_autoptr (GByteArray) body = g_byte_array_new ();
  gboolean is_good = add_text (body, topic) && size <= BODY_BYTES_MAX;
  if (protocol == MQTT_5)
    add_number (body, 0, 1); /* no properties */
  if (is_good && size > 0)
    g_byte_array_append (body, payload, (guint) size);
  return add_packet (output, MQTT_PUBLISH, 0, body, is_good);
}

/* Of SUBSCRIBE and UNSUBSCRIBE. */
static void add_request_head (GByteArray *body, int protocol, guint16 packet_id)
{
  add_number (body, packet_id, 2);
  if (protocol == MQTT_5)
    add_number (body, 0, 1); /* no properties */
}

gboolean mqtt_subscribe_write (GByteArray *output, int protocol, guint16 packet_id, const MqttSubscription *list, guint count)
{
  enum { RETAINED_WHEN_NEW = 0x10 };
  g_autoptr (GByteArray) body = g_byte_array_new ();
  gboolean is_good = TRUE;
  add_request_head (body, protocol, packet_id);
  for (guint i = 0; i < count && is_good; i++) {
    is_good = add_text (body, list[i].filter);
    add_number (body, list[i].qos | (protocol == MQTT_5 ? RETAINED_WHEN_NEW : 0u), 1);
  }
  return add_packet (output, MQTT_SUBSCRIBE, 2, body, is_good);
}

gboolean mqtt_unsubscribe_write (GByteArray *output, int protocol, guint16 packet_id, const char *const *filters, guint count)
{
  g_autoptr (GByteArray) body = g_byte_array_new ();
  gboolean is_good = TRUE;
  add_request_head (body, protocol, packet_id);
  for (guint i = 0; i < count && is_good; i++)
    is_good = add_text (body, filters[i]);
  return add_packet (output, MQTT_UNSUBSCRIBE, 2, body, is_good);
}

void mqtt_ack_write (GByteArray *output, MqttType type, guint16 packet_id)
{
  const guint8 bytes[] = { (guint8) ((guint) type << 4 | (type == MQTT_PUBREL ? 2u : 0u)), 2, (guint8) (packet_id >> 8),
                           (guint8) packet_id };
  g_byte_array_append (output, bytes, sizeof bytes);
}

void mqtt_ping_write (GByteArray *output)
{
  g_byte_array_append (output, (const guint8[]){ MQTT_PINGREQ << 4, 0 }, 2);
}

void mqtt_disconnect_write (GByteArray *output)
{
  g_byte_array_append (output, (const guint8[]){ MQTT_DISCONNECT << 4, 0 }, 2);
}
