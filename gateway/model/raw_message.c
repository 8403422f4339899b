#include "gateway/model/raw_message.h"

#include <string.h>

RawMessage *raw_message_new (const char *broker, const char *topic, const void *payload, gsize size)
{
  RawMessage *message = g_new0 (RawMessage, 1);
  message->references = 1;
  message->broker = g_strdup (broker);
  message->topic = g_strdup (topic);
  message->payload = g_bytes_new (payload, size <= RAW_PAYLOAD_MAX ? size : 0);
  message->payload_size = size;
  return message;
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
  g_free (message->topic);
  g_free (message->broker);
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
