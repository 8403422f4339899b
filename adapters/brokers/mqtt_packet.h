/* mqtt_packet.h: the packets of MQTT 3.1.1 and 5.0 that a subscriber reads and writes, as bytes and nothing else.
 *
 * Readers borrow the caller's bytes, never look beyond them, and take what the standard allows; what it doesn't is
 * MQTT_MALFORMED or FALSE, after which a connection can't go on (MQTT 5 4.13). One thing is let through that the standard
 * forbids, for a broker would deliver it again and again: a topic that is no UTF-8.
 * Writers append to `output`.
 *
 * thread: any. */
#pragma once

#include <glib.h>

enum { MQTT_3_1_1 = 4, MQTT_5 = 5 };

typedef enum {
  MQTT_CONNECT = 1,
  MQTT_CONNACK,
  MQTT_PUBLISH,
  MQTT_PUBACK,
  MQTT_PUBREC,
  MQTT_PUBREL,
  MQTT_PUBCOMP,
  MQTT_SUBSCRIBE,
  MQTT_SUBACK,
  MQTT_UNSUBSCRIBE,
  MQTT_UNSUBACK,
  MQTT_PINGREQ,
  MQTT_PINGRESP,
  MQTT_DISCONNECT,
} MqttType;

enum { MQTT_FIRST_REFUSAL = 0x80 }; /* reason codes from here on are failures (MQTT 5 2.4, MQTT 3.1.1 3.9.3) */

typedef enum { MQTT_WHOLE, MQTT_MORE, MQTT_MALFORMED } MqttProgress;

/* The fixed header (2.1). */
typedef struct {
  MqttType type;
  guint8 flags;
  gsize head_bytes, body_bytes; /* at most 5, at most 268,435,455 */
} MqttHead;

/* MQTT_MORE: `size` bytes are not yet a header. */
MqttProgress mqtt_head_read (const guint8 *bytes, gsize size, MqttHead *head);

/* PUBLISH (3.3). */
typedef struct {
  const char *topic; /* not terminated */
  gsize topic_bytes;
  guint16 packet_id; /* 0 for QoS 0 */
  int qos;
  gboolean is_retained, is_redelivery;
  gsize payload_at; /* offset in the body; the payload is the rest of it; 0: not yet known */
} MqttPublish;

/* `size` of the body's bytes are there: MQTT_MORE when they don't reach to the payload. If `payload_at` is known without
 * MQTT_WHOLE, only properties are lacking or wrong. */
MqttProgress mqtt_publish_read (const MqttHead *head, const guint8 *body, gsize size, int protocol, MqttPublish *publish);

/* The others are read when the whole body is there. */

/* CONNACK (3.2). */
typedef struct {
  gboolean session_present;
  guint8 code;           /* 0: connected; else MQTT 3.1.1's or MQTT 5's number */
  int keep_alive_seconds; /* what the broker asks for, -1: what we said */
  guint32 packet_bytes_max; /* what it takes from us, G_MAXUINT32: anything */
} MqttConnack;
gboolean mqtt_connack_read (const MqttHead *head, const guint8 *body, int protocol, MqttConnack *connack);

/* PUBACK, PUBREC, PUBREL, PUBCOMP (3.4 to 3.7). `reason`: 0 where it isn't given. */
gboolean mqtt_ack_read (const MqttHead *head, const guint8 *body, int protocol, guint16 *packet_id, guint8 *reason);

/* SUBACK, UNSUBACK (3.9, 3.11); an UNSUBACK of MQTT 3.1.1 has no reasons. */
typedef struct {
  guint16 packet_id;
  const guint8 *reasons;
  gsize reason_count;
} MqttSuback;
gboolean mqtt_suback_read (const MqttHead *head, const guint8 *body, int protocol, MqttSuback *suback);

/* DISCONNECT of the broker (3.14), MQTT 5 alone. */
gboolean mqtt_disconnect_read (const MqttHead *head, const guint8 *body, int protocol, guint8 *reason);

typedef struct {
  int protocol;
  const char *client_id, *username, *password; /* the last two may be NULL */
  guint16 keep_alive_seconds;
  gboolean is_clean;         /* a new session */
  guint32 session_seconds;   /* MQTT 5: how long it is kept; 0: not beyond the connection */
  guint16 receive_maximum;   /* MQTT 5 */
} MqttConnect;

/* Texts over 65,535 bytes can't be said: FALSE, and nothing is appended. So with the others. */
gboolean mqtt_connect_write (GByteArray *output, const MqttConnect *connect);
gboolean mqtt_publish_write (GByteArray *output, int protocol, const char *topic, const guint8 *payload, gsize size); /* QoS 0 */

/* One filter and at which quality of service; retained messages come when the subscription is new (MQTT 5 3.8.3.1; in
 * MQTT 3.1.1 always). */
typedef struct {
  const char *filter;
  guint8 qos;
} MqttSubscription;
gboolean mqtt_subscribe_write (GByteArray *output, int protocol, guint16 packet_id, const MqttSubscription *list, guint count);
gboolean mqtt_unsubscribe_write (GByteArray *output, int protocol, guint16 packet_id, const char *const *filters, guint count);

/* `type`: PUBACK, PUBREC, PUBREL or PUBCOMP; the reason is success. */
void mqtt_ack_write (GByteArray *output, MqttType type, guint16 packet_id);
void mqtt_ping_write (GByteArray *output);
void mqtt_disconnect_write (GByteArray *output);
