#include "adapters/brokers/mqtt_subscriptions.h"

#include <string.h>

#include "gateway/core/log.h"

enum {
  FILTERS_A_REQUEST = 100,
  REQUEST_BYTES_MAX = 65536,
  REQUEST_HEAD_BYTES = 8, /* at most: fixed header, packet id, no properties */
  FILTER_HEAD_BYTES = 3,  /* its length, and its options */
};

/* What a filter that the session may hold is at, over this connection. */
typedef enum { FILTER_NOT_ASKED, FILTER_SUBSCRIBED, FILTER_UNSUBSCRIBED } FilterState;

typedef struct {
  guint16 packet_id;
  MqttType answer; /* SUBACK or UNSUBACK */
  GPtrArray *filters;
  gint64 since_us;
} Request;

struct MqttSubscriptions {
  char *broker;
  int qos, protocol;
  guint32 packet_bytes_max;
  GStrv wanted;
  GHashTable *known;   /* filters that the session may hold → FilterState */
  GQueue requests;     /* of Request, oldest first */
  char *refused;       /* the last that was */
  gboolean is_told;    /* the caller knows how the last requests ended */
  guint16 last_packet_id;
};

static void request_free (gpointer data)
{
  Request *request = data;
  g_ptr_array_unref (request->filters);
  g_free (request);
}

MqttSubscriptions *mqtt_subscriptions_new (const char *broker, int qos)
{
  MqttSubscriptions *subscriptions = g_new0 (MqttSubscriptions, 1);
  subscriptions->broker = g_strdup (broker);
  subscriptions->qos = qos;
  subscriptions->known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  subscriptions->is_told = TRUE;
  g_queue_init (&subscriptions->requests);
  return subscriptions;
}

void mqtt_subscriptions_start (MqttSubscriptions *subscriptions, int protocol, guint32 packet_bytes_max)
{
  GHashTableIter iter;
  g_hash_table_iter_init (&iter, subscriptions->known);
  while (g_hash_table_iter_next (&iter, NULL, NULL))
    g_hash_table_iter_replace (&iter, NULL);
  g_queue_clear_full (&subscriptions->requests, request_free);
  g_clear_pointer (&subscriptions->refused, g_free);
  subscriptions->protocol = protocol;
  subscriptions->packet_bytes_max = packet_bytes_max;
  subscriptions->is_told = TRUE;
}

static gboolean is_of_broker (const char *filter)
{
  return g_str_has_prefix (filter, "$SYS/");
}

static gboolean is_wanted (const MqttSubscriptions *subscriptions, const char *filter)
{
  return subscriptions->wanted != NULL && g_strv_contains ((const char *const *) subscriptions->wanted, filter);
}

static gboolean is_in_use (MqttSubscriptions *subscriptions, guint16 packet_id)
{
  for (GList *at = subscriptions->requests.head; at != NULL; at = at->next)
    if (((Request *) at->data)->packet_id == packet_id)
      return TRUE;
  return FALSE;
}

static guint16 next_packet_id (MqttSubscriptions *subscriptions)
{
  do
    subscriptions->last_packet_id++;
  while (subscriptions->last_packet_id == 0 || is_in_use (subscriptions, subscriptions->last_packet_id));
  return subscriptions->last_packet_id;
}

static void note_refused (MqttSubscriptions *subscriptions, const char *filter)
{
  g_hash_table_replace (subscriptions->known, g_strdup (filter), NULL);
  if (is_of_broker (filter))
    return;
  g_free (subscriptions->refused);
  subscriptions->refused = g_strdup (filter);
}

static gboolean write_request (const MqttSubscriptions *subscriptions, const Request *request, GByteArray *output)
{
  const GPtrArray *filters = request->filters;
  MqttSubscription list[FILTERS_A_REQUEST];
  if (request->answer == MQTT_UNSUBACK)
    return mqtt_unsubscribe_write (output, subscriptions->protocol, request->packet_id,
                                   (const char *const *) filters->pdata, filters->len);
  for (guint i = 0; i < filters->len; i++)
    list[i] = (MqttSubscription){ filters->pdata[i],
                                  (guint8) (is_of_broker (filters->pdata[i]) ? 0 : subscriptions->qos) };
  return mqtt_subscribe_write (output, subscriptions->protocol, request->packet_id, list, filters->len);
}

/* So many of them that the broker takes a request of them, at least one. */
static guint count_of_request (const MqttSubscriptions *subscriptions, const char *const *filters, guint count)
{
  gsize bytes = REQUEST_HEAD_BYTES;
  for (guint i = 0; i < MIN (count, FILTERS_A_REQUEST); i++) {
    bytes += FILTER_HEAD_BYTES + strlen (filters[i]);
    if (bytes > MIN (subscriptions->packet_bytes_max, REQUEST_BYTES_MAX))
      return MAX (i, 1);
  }
  return MIN (count, FILTERS_A_REQUEST);
}

/* FALSE, and nothing is appended: longer than MQTT can say, or than the broker takes. */
static gboolean append_request (const MqttSubscriptions *subscriptions, const Request *request, GByteArray *output)
{
  guint before = output->len;
  if (!write_request (subscriptions, request, output))
    return FALSE;
  if (output->len - before <= subscriptions->packet_bytes_max)
    return TRUE;
  g_byte_array_set_size (output, before);
  return FALSE;
}

static void ask (MqttSubscriptions *subscriptions, MqttType answer, const char *const *filters, guint count,
                 GByteArray *output)
{
  for (guint at = 0, here; at < count; at += here) {
    here = count_of_request (subscriptions, filters + at, count - at);
    Request *request = g_new0 (Request, 1);
    request->packet_id = next_packet_id (subscriptions);
    request->answer = answer;
    request->filters = g_ptr_array_new_with_free_func (g_free);
    request->since_us = g_get_monotonic_time ();
    for (guint i = at; i < at + here; i++)
      g_ptr_array_add (request->filters, g_strdup (filters[i]));
    g_queue_push_tail (&subscriptions->requests, request);
    if (!append_request (subscriptions, request, output)) {
      if (answer == MQTT_SUBACK)
        note_refused (subscriptions, request->filters->pdata[0]);
      g_queue_pop_tail (&subscriptions->requests);
      request_free (request);
    }
    subscriptions->is_told = FALSE;
  }
}

static GPtrArray *new_ones (MqttSubscriptions *subscriptions)
{
  GPtrArray *filters = g_ptr_array_new ();
  for (guint i = 0; subscriptions->wanted[i] != NULL; i++)
    if (GPOINTER_TO_INT (g_hash_table_lookup (subscriptions->known, subscriptions->wanted[i])) != FILTER_SUBSCRIBED) {
      g_ptr_array_add (filters, subscriptions->wanted[i]);
      g_hash_table_replace (subscriptions->known, g_strdup (subscriptions->wanted[i]), GINT_TO_POINTER (FILTER_SUBSCRIBED));
    }
  return filters;
}

/* They stay known until the broker has answered: with the connection the request may be lost. */
static GPtrArray *gone_ones (MqttSubscriptions *subscriptions)
{
  GPtrArray *filters = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer filter, filter_state;
  g_hash_table_iter_init (&iter, subscriptions->known);
  while (g_hash_table_iter_next (&iter, &filter, &filter_state))
    if (GPOINTER_TO_INT (filter_state) != FILTER_UNSUBSCRIBED && !is_wanted (subscriptions, filter)) {
      g_hash_table_iter_replace (&iter, GINT_TO_POINTER (FILTER_UNSUBSCRIBED));
      g_ptr_array_add (filters, filter);
    }
  return filters;
}

void mqtt_subscriptions_want (MqttSubscriptions *subscriptions, const char *const *wanted, GByteArray *output)
{
  GStrv before = subscriptions->wanted;
  subscriptions->wanted = g_strdupv ((GStrv) wanted);
  g_strfreev (before);
  g_clear_pointer (&subscriptions->refused, g_free);
  g_autoptr (GPtrArray) fresh = new_ones (subscriptions), gone = gone_ones (subscriptions);
  ask (subscriptions, MQTT_SUBACK, (const char *const *) fresh->pdata, fresh->len, output);
  ask (subscriptions, MQTT_UNSUBACK, (const char *const *) gone->pdata, gone->len, output);
}

void mqtt_subscriptions_forget (MqttSubscriptions *subscriptions, const char *const *filters, guint count, GByteArray *output)
{
  g_autoptr (GPtrArray) unwanted = g_ptr_array_new ();
  for (guint i = 0; i < count; i++)
    if (!is_wanted (subscriptions, filters[i]))
      g_ptr_array_add (unwanted, (gpointer) filters[i]);
  ask (subscriptions, MQTT_UNSUBACK, (const char *const *) unwanted->pdata, unwanted->len, output);
}

static void note_unsubscribed (MqttSubscriptions *subscriptions, const Request *request)
{
  for (guint i = 0; i < request->filters->len; i++)
    if (!is_wanted (subscriptions, request->filters->pdata[i]))
      g_hash_table_remove (subscriptions->known, request->filters->pdata[i]);
}

static void note_reasons (MqttSubscriptions *subscriptions, const Request *request, const MqttSuback *suback)
{
  if (request->answer == MQTT_UNSUBACK)
    note_unsubscribed (subscriptions, request);
  for (guint i = 0; request->answer == MQTT_SUBACK && i < MIN (request->filters->len, suback->reason_count); i++)
    if (suback->reasons[i] >= MQTT_FIRST_REFUSAL)
      note_refused (subscriptions, request->filters->pdata[i]);
}

gboolean mqtt_subscriptions_answer (MqttSubscriptions *subscriptions, MqttType type, const MqttSuback *suback)
{
  for (GList *at = subscriptions->requests.head; at != NULL; at = at->next) {
    Request *request = at->data;
    if (request->packet_id != suback->packet_id || request->answer != type)
      continue;
    note_reasons (subscriptions, request, suback);
    g_queue_delete_link (&subscriptions->requests, at);
    if (type == MQTT_SUBACK && subscriptions->requests.length == 0 && subscriptions->wanted != NULL)
      log_info ("broker %s: subscribed to %u topic filters", subscriptions->broker, g_strv_length (subscriptions->wanted));
    request_free (request);
    return TRUE;
  }
  return FALSE;
}

gint64 mqtt_subscriptions_waiting_since (const MqttSubscriptions *subscriptions)
{
  const GList *oldest = subscriptions->requests.head;
  return oldest != NULL ? ((const Request *) oldest->data)->since_us : 0;
}

gboolean mqtt_subscriptions_settled (MqttSubscriptions *subscriptions, const char **refused)
{
  gboolean is_news = !subscriptions->is_told && subscriptions->requests.length == 0;
  *refused = subscriptions->refused;
  subscriptions->is_told |= is_news;
  return is_news;
}

void mqtt_subscriptions_free (MqttSubscriptions *subscriptions)
{
  if (subscriptions == NULL)
    return;
  g_queue_clear_full (&subscriptions->requests, request_free);
  g_hash_table_unref (subscriptions->known);
  g_strfreev (subscriptions->wanted);
  g_free (subscriptions->refused);
  g_free (subscriptions->broker);
  g_free (subscriptions);
}
