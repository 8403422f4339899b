#include "gateway/core/log.h"
#include "gateway/observe/observe_private.h"

#define DRAIN_US (5 * G_USEC_PER_SEC)
#define RETRY_US G_USEC_PER_SEC

Routes *observe_routes (Observe *observe)
{
  g_mutex_lock (&observe->mutex);
  Routes *routes = observe->routes != NULL ? routes_ref (observe->routes) : NULL;
  g_mutex_unlock (&observe->mutex);
  return routes;
}

void observe_schedule (Observe *observe)
{
  if (g_atomic_int_compare_and_exchange (&observe->is_scheduled, 0, 1)
      && !store_submit (observe->store, observe_run_batch, NULL, observe))
    g_atomic_int_set (&observe->is_scheduled, 0);
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
  observe->accounts_saved_us = 0;
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
  observe->brokers = observe_brokers_table ();
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

gboolean observe_set_site (Observe *observe, Site *site, GError **error)
{
  SetSite set = { observe, site };
  if (!store_run (observe->store, set_site, &set, error)) {
    observe_keep_site (observe);
    return FALSE;
  }
  g_autoptr (Routes) routes = observe_routes (observe);
  observation_keeper_set_routes (observe->keeper, routes);
  observation_keeper_start (observe->keeper);
  if (observe->port != NULL)
    observe_set_brokers (observe, site, routes);
  return TRUE;
}

guint observe_waiting (Observe *observe)
{
  return intake_length (observe->intake);
}

typedef struct {
  Observe *observe;
  guint left; /* messages that are not stored */
} Draining;

static gboolean drain_some (Database *database, gpointer data, GError **error)
{
  Draining *draining = data;
  Observe *observe = draining->observe;
  gboolean is_done = observe_run_batch (database, observe, error);
  draining->left = intake_length (observe->intake) + observe->batch->len;
  return is_done;
}

/* What was taken in and can still be stored is: what is not durable is nowhere else. A batch of unknown sensors takes two jobs. */
static void drain (Observe *observe)
{
  Draining draining = { observe, G_MAXUINT };
  gint64 until_us = g_get_monotonic_time () + DRAIN_US;
  for (guint idle = 0; draining.left > 0 && idle < 2 && g_get_monotonic_time () < until_us;) {
    guint before = draining.left;
    store_run (observe->store, drain_some, &draining, NULL);
    idle = draining.left < before ? 0 : idle + 1;
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
  observe_close_brokers (observe);
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
