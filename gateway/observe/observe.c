#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "gateway/observe/observe_private.h"

#define DRAIN_US (5 * G_USEC_PER_SEC)
#define RETRY_US G_USEC_PER_SEC
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

/* The brokers' threads */

static Routes *routes_now (Observe *observe)
{
  g_mutex_lock (&observe->mutex);
  Routes *routes = routes_ref (observe->routes);
  g_mutex_unlock (&observe->mutex);
  return routes;
}

void observe_schedule (Observe *observe)
{
  if (g_atomic_int_compare_and_exchange (&observe->is_scheduled, 0, 1)
      && !store_submit (observe->store, observe_run_batch, NULL, observe))
    g_atomic_int_set (&observe->is_scheduled, 0);
}

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
  g_autoptr (Routes) routes = routes_now (observe);
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

/* Life */

static gboolean read_applied (Observe *observe, Database *database)
{
  observe->applied = database_integer (database, 0, "SELECT value FROM sensing WHERE key = 'applied'", "");
  observe->applied_written = observe->applied;
  return TRUE;
}

/* After a failed commit: what the rules have not kept passes again soon. */
static gboolean reload (Database *database, gpointer data, GError **error)
{
  Observe *observe = data;
  (void) error;
  account_save_all (observe->accounts);
  observe->counted = 0;
  store_set_timer (observe->store, observe_run_batch, observe, clock_monotonic_us (observe->clock) + RETRY_US);
  return read_applied (observe, database);
}

Observe *observe_new (Store *store, EventBus *events, DecoderFind find_decoder, const BrokerPort *brokers,
                      const ObservationSink *sink, GError **error)
{
  Database *reader = store_reader (store, error);
  if (reader == NULL)
    return NULL;
  Observe *observe = g_new0 (Observe, 1);
  g_mutex_init (&observe->mutex);
  observe->store = store;
  observe->events = events;
  observe->clock = store_clock (store);
  observe->find_decoder = find_decoder;
  observe->port = brokers;
  if (sink != NULL)
    observe->sink = *sink;
  observe->intake = intake_new (INTAKE_MESSAGES, INTAKE_BYTES);
  observe->last_values = last_values_new ();
  observe->losses = broker_losses_new ();
  observe->brokers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, slot_free);
  observe->deliveries = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  observe->announced = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  observe->requested = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  observe->touched = g_ptr_array_new ();
  observe->batch = g_ptr_array_new_with_free_func ((GDestroyNotify) pending_free);
  observe->fresh = g_ptr_array_new_with_free_func ((GDestroyNotify) observation_unref);
  observe->outcomes = g_array_new (FALSE, FALSE, sizeof (Outcome));
  observe->decoded = decoded_new ();
  observe->stale_rows = g_ptr_array_new_with_free_func (g_free);
  observe->warned = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  read_applied (observe, reader);
  observe->accounts = account_book_new (reader, error);
  if (observe->accounts != NULL)
    observe->files = observation_files_new (store_data_dir (store), observe->applied, error);
  if (observe->files == NULL) {
    observe_free (observe);
    return NULL;
  }
  observe->keeper = observation_keeper_new (store_data_dir (store), observe->files);
  store_add_rollback (store, reload, observe);
  return observe;
}

void observe_set_broker_changed (Observe *observe, ObserveBrokerChanged changed, gpointer data)
{
  observe->changed = changed;
  observe->changed_data = data;
}

void observe_set_deleted (Observe *observe, ObservationsDeleted deleted, gpointer data)
{
  observation_keeper_set_deleted (observe->keeper, deleted, data);
}

/* The site: the store's part */

typedef struct {
  Observe *observe;
  Site *site;
} SetSite;

static void read_hashes (Routes *routes, Database *database)
{
  g_autoptr (Statement) rows = database_query (database, NULL, "SELECT sensor, hash FROM last_payloads", "");
  while (statement_step (rows, NULL)) {
    SensorInput *input = routes_input (routes, statement_text (rows, 0));
    if (input == NULL)
      continue;
    input->has_last_hash = TRUE;
    input->last_hash = (guint64) statement_integer (rows, 1);
  }
}

static gboolean take_last (Observation *observation, guint marks, gpointer data, GError **error)
{
  (void) marks, (void) error;
  last_values_take (data, observation);
  return TRUE;
}

/* What was on disk when the gateway ended, but not yet in the main database. */
static gboolean catch_up (Observe *observe, Database *database, GError **error)
{
  read_hashes (observe->routes, database);
  if (!observation_files_each_last (observe->files, take_last, observe->last_values, error))
    return FALSE;
  if (!observe_count_again (observe, database, error) || !observe_apply (observe, database, TRUE, error)
      || !observe_save_accounts (observe, database, error))
    return FALSE;
  observe_publish_after_commit (observe);
  return TRUE;
}

static gboolean set_site (Database *database, gpointer data, GError **error)
{
  SetSite *set = data;
  Observe *observe = set->observe;
  Routes *routes = routes_new (set->site, observe->find_decoder, observe->routes, error);
  if (routes == NULL || !observe_adopt (observe, database, set->site, error)) {
    routes_unref (routes);
    return FALSE;
  }
  g_mutex_lock (&observe->mutex);
  Routes *before = observe->routes;
  observe->routes = routes;
  g_mutex_unlock (&observe->mutex);
  last_values_keep_only (observe->last_values, set->site);
  g_hash_table_remove_all (observe->announced);
  if (before == NULL && !catch_up (observe, database, error)) {
    observe->routes = NULL;
    routes_unref (routes);
    return FALSE;
  }
  routes_unref (before);
  observe_schedule (observe); /* for what has waited */
  return TRUE;
}

/* The site: the main thread's part */

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
    slot->connection = observe->port->open (broker, client_id, &handlers);
    g_mutex_lock (&observe->mutex);
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

gboolean observe_set_site (Observe *observe, Site *site, GError **error)
{
  SetSite set = { observe, site };
  if (!store_run (observe->store, set_site, &set, error)) {
    observe_keep_site (observe);
    return FALSE;
  }
  g_autoptr (Routes) routes = routes_now (observe);
  observation_keeper_set_routes (observe->keeper, routes);
  observation_keeper_start (observe->keeper);
  if (observe->port == NULL)
    return TRUE;
  close_where_gone (observe, site);
  for (guint i = 0; i < site->brokers->len; i++)
    set_broker (observe, site, site->brokers->pdata[i], routes);
  return TRUE;
}

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

/* Views */

static guint sessions_lost (Observe *observe, const char *broker)
{
  g_mutex_lock (&observe->mutex);
  const BrokerSlot *slot = g_hash_table_lookup (observe->brokers, broker);
  guint count = slot != NULL ? slot->sessions_lost : 0;
  g_mutex_unlock (&observe->mutex);
  return count;
}

static void describe_broker_state (Observe *observe, const char *broker, json_t *object)
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

static json_t *describe_broker (Observe *observe, const Site *site, const Broker *broker)
{
  json_t *object = json_pack ("{s:s}", "id", broker->id);
  json_t *sensors = json_array ();
  describe_broker_state (observe, broker->id, object);
  account_describe (observe->accounts, broker->id, "", object);
  broker_losses_describe (observe->losses, broker->id, object);
  for (guint i = 0; i < site->sensors->len; i++) {
    const Sensor *sensor = site->sensors->pdata[i];
    if (strcmp (sensor->broker, broker->id) != 0)
      continue;
    json_t *one = json_pack ("{s:s}", "id", sensor->id);
    account_describe (observe->accounts, broker->id, sensor->id, one);
    json_array_append_new (sensors, one);
  }
  json_object_set_new (object, "sensors", sensors);
  json_object_set_new (object, "templates", templates_describe (site, broker->id));
  return object;
}

json_t *observe_accounting_json (Observe *observe)
{
  json_t *brokers = json_array ();
  g_mutex_lock (&observe->mutex);
  g_autoptr (Routes) routes = observe->routes != NULL ? routes_ref (observe->routes) : NULL;
  g_mutex_unlock (&observe->mutex);
  if (routes != NULL) {
    const Site *site = routes_site (routes);
    for (guint i = 0; i < site->brokers->len; i++)
      json_array_append_new (brokers, describe_broker (observe, site, site->brokers->pdata[i]));
  }
  return json_pack ("{s:o}", "brokers", brokers);
}

json_t *observe_sensor_json (Observe *observe, const char *sensor)
{
  g_mutex_lock (&observe->mutex);
  g_autoptr (Routes) routes = observe->routes != NULL ? routes_ref (observe->routes) : NULL;
  g_mutex_unlock (&observe->mutex);
  const SensorInput *input = routes != NULL ? routes_input (routes, sensor) : NULL;
  if (input == NULL)
    return NULL;
  json_t *object = last_values_describe (observe->last_values, input->sensor);
  json_object_set_new (object, "device_clock", device_clock_to_json (&input->clock, input->sensor->clock));
  return object;
}

gboolean observe_broker_status (Observe *observe, const char *broker, BrokerStatus *status)
{
  g_mutex_lock (&observe->mutex);
  BrokerSlot *slot = g_hash_table_lookup (observe->brokers, broker);
  if (slot != NULL)
    observe->port->status (slot->connection, status);
  g_mutex_unlock (&observe->mutex);
  return slot != NULL;
}

guint observe_waiting (Observe *observe)
{
  return intake_length (observe->intake);
}

/* What was taken in and can still be stored is: what is not durable is nowhere else. */
static void drain (Observe *observe)
{
  gint64 until_us = g_get_monotonic_time () + DRAIN_US;
  for (guint before = G_MAXUINT, now = intake_length (observe->intake);
       now > 0 && now < before && g_get_monotonic_time () < until_us; now = intake_length (observe->intake)) {
    before = now;
    store_run (observe->store, observe_run_batch, observe, NULL);
  }
}

/* What was counted since it was written last, and how far the rules are. */
static gboolean save_accounts (Database *database, gpointer data, GError **error)
{
  Observe *observe = data;
  if ((!observe->are_rules_behind && !observe_apply (observe, database, TRUE, error))
      || !observe_save_accounts (observe, database, error))
    return FALSE;
  observe_publish_after_commit (observe);
  return TRUE;
}

void observe_stop (Observe *observe)
{
  observation_keeper_stop (observe->keeper);
  g_autoptr (GList) ids = g_hash_table_get_keys (observe->brokers);
  for (GList *at = ids, *next; at != NULL; at = next) {
    next = at->next;
    close_slot (observe, at->data);
  }
  drain (observe);
  g_autoptr (GError) error = NULL;
  if (observe->routes != NULL && !store_run (observe->store, save_accounts, observe, &error))
    log_error ("observations: the last accounts were not written: %s", error->message);
}

void observe_free (Observe *observe)
{
  if (observe == NULL)
    return;
  observation_keeper_free (observe->keeper);
  observation_files_free (observe->files);
  account_book_free (observe->accounts);
  g_hash_table_unref (observe->warned);
  g_ptr_array_unref (observe->stale_rows);
  if (observe->adopting != observe->discovered)
    discovered_free (observe->adopting);
  discovered_free (observe->discovered);
  decoded_free (observe->decoded);
  g_array_unref (observe->outcomes);
  g_ptr_array_unref (observe->fresh);
  g_ptr_array_unref (observe->touched);
  g_hash_table_unref (observe->requested);
  g_ptr_array_unref (observe->batch);
  g_hash_table_unref (observe->announced);
  g_hash_table_unref (observe->deliveries);
  g_hash_table_unref (observe->brokers);
  broker_losses_free (observe->losses);
  last_values_free (observe->last_values);
  intake_free (observe->intake);
  routes_unref (observe->routes);
  g_mutex_clear (&observe->mutex);
  g_free (observe);
}
