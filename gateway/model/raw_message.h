/* raw_message.h: one message as a broker delivered it, before anybody has looked into it.
 *
 * Immutable and reference-counted once it has been handed over.
 *
 * thread: any. */
#pragma once

#include <glib.h>

enum { RAW_PAYLOAD_MAX = 64 * 1024 };

typedef struct {
  gint references;
  char *broker, *topic;
  GBytes *payload;     /* empty when it was over RAW_PAYLOAD_MAX */
  gsize payload_size;  /* as delivered */
  gint64 receive_time_us;
  int qos;
  guint64 receipt;       /* the connection's number of it, growing, for its acknowledgement; 0 for QoS 0 */
  guint16 packet_id;     /* MQTT's, 0 for QoS 0 */
  gboolean is_retained;
  gboolean is_redelivery; /* MQTT's DUP: the broker sends it again and doesn't know whether it had arrived */
} RawMessage;

/* Copies everything; a payload over RAW_PAYLOAD_MAX is left out. */
RawMessage *raw_message_new (const char *broker, const char *topic, const void *payload, gsize size);

/* The same of a topic that isn't terminated. */
RawMessage *raw_message_new_of (const char *broker, const char *topic, gsize topic_bytes, const void *payload, gsize size);
RawMessage *raw_message_ref (RawMessage *message);
void raw_message_unref (RawMessage *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RawMessage, raw_message_unref)

/* Memory that it costs, for bounded queues. */
gsize raw_message_bytes (const RawMessage *message);

/* A hash of topic and payload: equal messages have equal ones. */
guint64 raw_message_hash (const RawMessage *message);
