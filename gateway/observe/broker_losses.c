#include "gateway/observe/broker_losses.h"

#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/log.h"

typedef struct {
  guint64 count;
  gint64 grew_us; /* wall; 0: not while we looked */
} Loss;

struct BrokerLosses {
  GMutex mutex;
  GHashTable *losses; /* broker → Loss */
};

BrokerLosses *broker_losses_new (void)
{
  BrokerLosses *losses = g_new0 (BrokerLosses, 1);
  g_mutex_init (&losses->mutex);
  losses->losses = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return losses;
}

static gboolean read_count (const RawMessage *message, guint64 *count)
{
  gsize size;
  const char *payload = g_bytes_get_data (message->payload, &size);
  g_autofree char *text = g_strndup (payload != NULL ? payload : "", MIN (size, 32u));
  return g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64, count, NULL);
}

/* How much it grew; a broker that was started again counts from nothing. */
static guint64 note (BrokerLosses *losses, const RawMessage *message, guint64 count)
{
  guint64 grown = 0;
  g_mutex_lock (&losses->mutex);
  Loss *loss = g_hash_table_lookup (losses->losses, message->broker);
  if (loss == NULL) {
    loss = g_new0 (Loss, 1);
    g_hash_table_insert (losses->losses, g_strdup (message->broker), loss);
  } else {
    grown = count > loss->count ? count - loss->count : 0;
  }
  loss->count = count;
  if (grown > 0)
    loss->grew_us = message->receive_time_us;
  g_mutex_unlock (&losses->mutex);
  return grown;
}

gboolean broker_losses_take (BrokerLosses *losses, const RawMessage *message)
{
  guint64 count;
  if (strcmp (message->topic, BROKER_LOSSES_TOPIC) != 0)
    return FALSE;
  if (!read_count (message, &count))
    return TRUE; /* nothing of a sensor's in any case */
  guint64 grown = note (losses, message, count);
  if (grown > 0)
    log_limited (LOG_LEVEL_WARNING,
                 "broker %s has itself dropped %" G_GUINT64_FORMAT " messages: raise its max_queued_messages, or find the"
                 " client that is too slow", message->broker, grown);
  return TRUE;
}

void broker_losses_describe (BrokerLosses *losses, const char *broker, json_t *object)
{
  g_mutex_lock (&losses->mutex);
  const Loss *known = g_hash_table_lookup (losses->losses, broker);
  Loss loss = known != NULL ? *known : (Loss){ 0 };
  g_mutex_unlock (&losses->mutex);
  g_autofree char *grew = loss.grew_us != 0 ? time_to_rfc3339 (loss.grew_us) : NULL;
  json_object_set_new (object, "broker_dropped", known != NULL ? json_integer ((json_int_t) loss.count) : json_null ());
  json_object_set_new (object, "broker_dropped_at", grew != NULL ? json_string (grew) : json_null ());
}

GStrv broker_losses_add_filter (GStrv filters)
{
  guint count = g_strv_length (filters);
  for (guint i = 0; i < count; i++)
    if (strcmp (filters[i], BROKER_LOSSES_TOPIC) == 0)
      return filters;
  filters = g_renew (char *, filters, count + 2);
  filters[count] = g_strdup (BROKER_LOSSES_TOPIC);
  filters[count + 1] = NULL;
  return filters;
}

void broker_losses_free (BrokerLosses *losses)
{
  if (losses == NULL)
    return;
  g_hash_table_unref (losses->losses);
  g_mutex_clear (&losses->mutex);
  g_free (losses);
}
