/* observe_brokers.c: the connections to the brokers: what comes from them, what is told them, and how they are. */
#include <string.h>

#include "gateway/core/log.h"
#include "gateway/observe/observe_private.h"

#define REQUEST_EVERY_US (10 * G_USEC_PER_SEC)

enum { REQUESTS_REMEMBERED = 10000 };

/* A connection and what it was opened with. */
typedef struct {
  BrokerConnection *connection;
  char *settings; /* one line of all of them: another line needs another connection */
  guint sessions_lost; /* found gone when the broker was reached again */
  guint64 connects;    /* of which we have heard */
} BrokerSlot;

static void slot_free (gpointer data)
{
  BrokerSlot *slot = data;
  g_free (slot->settings);
  g_free (slot);
}

GHashTable *observe_brokers_table (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, slot_free);
}

/* The brokers' threads */

static void count_received (Observe *observe, const Pending *pending)
{
  account_received (observe->accounts, pending->message->broker, "");
  for (guint i = 0; i < pending->inputs->len; i++)
    account_received (observe->accounts, pending->message->broker,
                      ((const SensorInput *) pending->inputs->pdata[i])->sensor->id);
}

static void count_queue_full (Observe *observe, const Pending *pending)
{
  log_limited (LOG_LEVEL_WARNING, "broker %s: a message of %s is dropped, the queue is full", pending->message->broker,
               pending->message->topic);
  account_dropped (observe->accounts, pending->message->broker, "", REASON_QUEUE_FULL);
  for (guint i = 0; i < pending->inputs->len; i++)
    account_dropped (observe->accounts, pending->message->broker,
                     ((const SensorInput *) pending->inputs->pdata[i])->sensor->id, REASON_QUEUE_FULL);
}

/* What is not taken comes again, and counts only then. */
static BrokerAnswer receive (gpointer self, RawMessage *message)
{
  Observe *observe = self;
  g_autoptr (Routes) routes = observe_routes (observe);
  g_autoptr (Pending) pending = pending_new (message, routes);
  if (broker_losses_take (observe->losses, message) && pending->inputs->len == 0)
    return BROKER_TAKEN;
  gboolean is_durable = pending->is_durable;
  if (is_durable && !intake_has_room (observe->intake, pending))
    return BROKER_NO_ROOM;
  count_received (observe, pending);
  if (intake_put (observe->intake, pending))
    g_steal_pointer (&pending);
  else
    count_queue_full (observe, pending);
  if (is_durable)
    g_atomic_int_set (&observe->has_durable, 1);
  return is_durable ? BROKER_HELD : BROKER_TAKEN;
}

/* What the broker waits for goes at once. All else is gathered, since a batch costs as much as thirty messages (350 us of the
 * store's thread, two commits among it): the first one after a pause goes at once, too, and opens the gathering; so does the
 * first durable one. */
static void received_all (gpointer self, gboolean is_urgent)
{
  Observe *observe = self;
  gboolean is_durable = g_atomic_int_compare_and_exchange (&observe->has_durable, 1, 0);
  gint gathering = g_atomic_int_get (&observe->gathering);
  if (is_urgent || gathering == GATHERING_NOTHING || (is_durable && gathering != GATHERING_ALL)
      || intake_length (observe->intake) >= BATCH_MESSAGES)
    observe_schedule (observe);
}

/* A broker that was restarted without its persistence: what it kept for us while we were away never comes. */
static void note_connected (Observe *observe, const char *broker, const BrokerStatus *status)
{
  g_mutex_lock (&observe->mutex);
  BrokerSlot *slot = g_hash_table_lookup (observe->brokers, broker);
  gboolean is_lost = slot != NULL && status->connects > MAX (slot->connects, 1) && !status->session_present;
  if (slot != NULL) {
    slot->connects = status->connects;
    slot->sessions_lost += is_lost;
  }
  g_mutex_unlock (&observe->mutex);
  if (is_lost)
    log_warning ("broker %s: has lost our session, and with it what it kept for us: let it keep its sessions on disk", broker);
}

static void broker_changed (gpointer self, const char *broker, const BrokerStatus *status)
{
  Observe *observe = self;
  if (status->state == BROKER_CONNECTED)
    note_connected (observe, broker, status);
  if (observe->changed != NULL)
    observe->changed (observe->changed_data, broker, status);
}

/* The main thread: connections follow the site */

static const char *or_empty (const char *text)
{
  return text != NULL ? text : "";
}

static char *client_id_of (const Site *site, const Broker *broker)
{
  return broker->client_id != NULL ? g_strdup (broker->client_id)
                                   : g_strconcat ("gridgate-", site->gateway.id, "-", broker->id, NULL);
}

static char *settings_of (const Broker *broker, const char *client_id)
{
  return g_strdup_printf ("%s\n%d\n%d\n%s\n%s\n%s\n%s\n%s\n%s", broker->url, broker->protocol, broker->qos, client_id,
                          or_empty (broker->username), or_empty (broker->password_file), or_empty (broker->ca_file),
                          or_empty (broker->cert_file), or_empty (broker->key_file));
}

static void close_slot (Observe *observe, const char *id)
{
  gpointer key, value;
  g_mutex_lock (&observe->mutex);
  gboolean is_there = g_hash_table_steal_extended (observe->brokers, id, &key, &value);
  g_mutex_unlock (&observe->mutex);
  if (!is_there)
    return;
  BrokerSlot *slot = value;
  observe->port->close (slot->connection);
  slot_free (slot);
  g_free (key);
}

static void set_broker (Observe *observe, const Site *site, const Broker *broker, Routes *routes)
{
  g_autofree char *client_id = client_id_of (site, broker);
  g_autofree char *settings = settings_of (broker, client_id);
  g_auto (GStrv) filters = broker_losses_add_filter (routes_filters (routes, broker->id));
  BrokerSlot *slot = g_hash_table_lookup (observe->brokers, broker->id);
  if (slot != NULL && strcmp (slot->settings, settings) != 0) {
    close_slot (observe, broker->id);
    slot = NULL;
  }
  if (slot == NULL) {
    BrokerHandlers handlers = { observe, receive, received_all, broker_changed };
    slot = g_new0 (BrokerSlot, 1);
    slot->settings = g_steal_pointer (&settings);
    g_mutex_lock (&observe->mutex); /* its thread may be heard before it stands in the table */
    slot->connection = observe->port->open (broker, client_id, &handlers);
    g_hash_table_insert (observe->brokers, g_strdup (broker->id), slot);
    g_mutex_unlock (&observe->mutex);
  }
  observe->port->subscribe (slot->connection, (const char *const *) filters);
}

static void close_where_gone (Observe *observe, const Site *site)
{
  g_autoptr (GList) ids = g_hash_table_get_keys (observe->brokers);
  for (GList *at = ids, *next; at != NULL; at = next) {
    next = at->next;
    if (site == NULL || site_broker (site, at->data) == NULL)
      close_slot (observe, at->data);
  }
}

void observe_set_brokers (Observe *observe, const Site *site, Routes *routes)
{
  close_where_gone (observe, site);
  for (guint i = 0; i < site->brokers->len; i++)
    set_broker (observe, site, site->brokers->pdata[i], routes);
}

void observe_close_brokers (Observe *observe)
{
  close_where_gone (observe, NULL);
}

/* Any thread: what is told them */

void observe_forget_topic (Observe *observe, const char *broker, const char *topic)
{
  g_mutex_lock (&observe->mutex);
  BrokerSlot *slot = g_hash_table_lookup (observe->brokers, broker);
  if (slot != NULL)
    observe->port->forget (slot->connection, topic);
  g_mutex_unlock (&observe->mutex);
}

void observe_acknowledge (Observe *observe, const char *broker, guint64 receipt)
{
  g_mutex_lock (&observe->mutex);
  BrokerSlot *slot = g_hash_table_lookup (observe->brokers, broker);
  if (slot != NULL)
    observe->port->acknowledge (slot->connection, receipt);
  g_mutex_unlock (&observe->mutex);
}

void observe_resume (Observe *observe)
{
  GHashTableIter iter;
  gpointer slot;
  g_mutex_lock (&observe->mutex);
  g_hash_table_iter_init (&iter, observe->brokers);
  while (g_hash_table_iter_next (&iter, NULL, &slot))
    observe->port->resume (((BrokerSlot *) slot)->connection);
  g_mutex_unlock (&observe->mutex);
}

/* Hundreds of messages may tell at once that a node's births are not known. */
static gboolean may_request (Observe *observe, const char *topic)
{
  gint64 now = clock_monotonic_us (observe->clock);
  gint64 *last = g_hash_table_lookup (observe->requested, topic);
  if (last != NULL && now - *last < REQUEST_EVERY_US)
    return FALSE;
  if (g_hash_table_size (observe->requested) >= REQUESTS_REMEMBERED)
    g_hash_table_remove_all (observe->requested);
  g_hash_table_replace (observe->requested, g_strdup (topic), g_memdup2 (&now, sizeof now));
  return TRUE;
}

void observe_request (Observe *observe, const char *broker, const char *topic, GBytes *payload)
{
  if (!may_request (observe, topic))
    return;
  g_mutex_lock (&observe->mutex);
  BrokerSlot *slot = g_hash_table_lookup (observe->brokers, broker);
  if (slot != NULL)
    observe->port->publish (slot->connection, topic, payload);
  g_mutex_unlock (&observe->mutex);
}

/* How they are */

gboolean observe_broker_status (Observe *observe, const char *broker, BrokerStatus *status)
{
  g_mutex_lock (&observe->mutex);
  BrokerSlot *slot = g_hash_table_lookup (observe->brokers, broker);
  if (slot != NULL)
    observe->port->status (slot->connection, status);
  g_mutex_unlock (&observe->mutex);
  return slot != NULL;
}

static guint sessions_lost (Observe *observe, const char *broker)
{
  g_mutex_lock (&observe->mutex);
  const BrokerSlot *slot = g_hash_table_lookup (observe->brokers, broker);
  guint count = slot != NULL ? slot->sessions_lost : 0;
  g_mutex_unlock (&observe->mutex);
  return count;
}

void observe_describe_connection (Observe *observe, const char *broker, json_t *object)
{
  BrokerStatus status;
  if (!observe_broker_status (observe, broker, &status))
    return;
  g_autofree char *since = time_to_rfc3339 (status.since_us);
  json_object_set_new (object, "state", json_string (broker_state_name (status.state)));
  json_object_set_new (object, "reason", status.reason != NULL ? json_string (status.reason) : json_null ());
  json_object_set_new (object, "detail", json_string (status.detail));
  json_object_set_new (object, "since", json_string (since));
  json_object_set_new (object, "session_present", status.connects > 0 ? json_boolean (status.session_present) : json_null ());
  json_object_set_new (object, "sessions_lost", json_integer (sessions_lost (observe, broker)));
}
