#include "gateway/model/raw_message.h"

#include <string.h>

/* One piece of memory for all but the payload: tens of thousands may come in a second. */
RawMessage *raw_message_new_of (const char *broker, const char *topic, gsize topic_bytes, const void *payload, gsize size)
{
  gsize broker_bytes = strlen (broker) + 1;
  RawMessage *message = g_malloc0 (sizeof *message + broker_bytes + topic_bytes + 1);
  message->references = 1;
  message->broker = memcpy (message + 1, broker, broker_bytes);
  message->topic = memcpy (message->broker + broker_bytes, topic, topic_bytes);
  message->payload = g_bytes_new (payload, size <= RAW_PAYLOAD_MAX ? size : 0);
  message->payload_size = size;
  return message;
}

RawMessage *raw_message_new (const char *broker, const char *topic, const void *payload, gsize size)
{
  return raw_message_new_of (broker, topic, strlen (topic), payload, size);
}

RawMessage *raw_message_ref (RawMessage *message)
{
  g_atomic_int_inc (&message->references);
  return message;
}

void raw_message_unref (RawMessage *message)
{
  if (message == NULL || !g_atomic_int_dec_and_test (&message->references))
    return;
  g_bytes_unref (message->payload);
  g_free (message);
}

gsize raw_message_bytes (const RawMessage *message)
{
  return sizeof *message + strlen (message->topic) + g_bytes_get_size (message->payload);
}

/* FNV-1a, 64 bits. */
static guint64 hash_add (guint64 hash, const guint8 *bytes, gsize size)
{
  for (gsize i = 0; i < size; i++)
    hash = (hash ^ bytes[i]) * 0x100000001b3;
  return hash;
}

guint64 raw_message_hash (const RawMessage *message)
{
  gsize size;
  const guint8 *payload = g_bytes_get_data (message->payload, &size);
  guint64 hash = hash_add (0xcbf29ce484222325, (const guint8 *) message->topic, strlen (message->topic) + 1);
  return hash_add (hash, payload, size);
}
