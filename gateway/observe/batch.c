/* batch.c: the store's thread's part: what waits becomes observations on disk (store_message.c), then passes the rules and is counted. */
#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "gateway/observe/observation_json.h"
#include "gateway/observe/observe_private.h"

/* Watchers see each metric at most once a second, and all of them at most that many a second. */
enum { EVENTS_A_SECOND = 50 };

/* What waits in memory for a main database that can't be written; more is read from the files again. */
enum { FRESH_MAX = 20000 };

/* Up to so many messages their accounts are written with them. After more, which are a flood, it is done once a second: two rows of
 * each sensor cost as much as its observation. */
enum { SMALL_BATCH = 10 };
#define ACCOUNTS_EVERY_US G_USEC_PER_SEC

#define RETRY_US G_USEC_PER_SEC
#define HASHES_EVERY_US (10 * G_USEC_PER_SEC)

/* How long what nobody waits for is gathered, and what is durable when the broker doesn't wait for it. */
#define GATHER_US (20 * G_TIME_SPAN_MILLISECOND)
#define GATHER_DURABLE_US (8 * G_TIME_SPAN_MILLISECOND)

static void count_outcomes (Observe *observe)
{
  for (guint i = 0; i < observe->outcomes->len; i++) {
    const Outcome *outcome = &g_array_index (observe->outcomes, Outcome, i);
    if (outcome->kind == OUTCOME_STORED)
      account_stored (observe->accounts, outcome->broker, outcome->sensor);
    else if (outcome->kind == OUTCOME_REJECTED)
      account_rejected (observe->accounts, outcome->broker, outcome->sensor, outcome->reason);
    else
      account_dropped (observe->accounts, outcome->broker, outcome->sensor, outcome->reason);
  }
  g_array_set_size (observe->outcomes, 0);
}

static gboolean is_among (const GPtrArray *brokers, const char *broker)
{
  for (guint i = 0; i < brokers->len; i++)
    if (strcmp (brokers->pdata[i], broker) == 0)
      return TRUE;
  return FALSE;
}

/* Each broker's messages stand in the order in which they came, so its last one speaks for all. */
static void acknowledge (Observe *observe)
{
  g_autoptr (GPtrArray) brokers = g_ptr_array_new ();
  for (guint i = observe->batch->len; i-- > 0;) {
    const Pending *pending = observe->batch->pdata[i];
    if (!pending->is_durable || is_among (brokers, pending->message->broker))
      continue;
    g_ptr_array_add (brokers, pending->message->broker);
    observe_acknowledge (observe, pending->message->broker, pending->message->receipt);
  }
  observe->is_batch_durable = brokers->len > 0;
}

/* Nothing could be written: the batch stays, unacknowledged, and the deliveries are those on disk. */
static void keep_batch (Observe *observe, guint fresh_before)
{
  observation_files_roll_back (observe->files);
  g_array_set_size (observe->outcomes, 0);
  g_ptr_array_set_size (observe->fresh, (int) fresh_before);
  g_hash_table_remove_all (observe->deliveries);
  observe->retry_at_us = clock_monotonic_us (observe->clock) + RETRY_US;
  store_set_timer (observe->store, observe_run_batch, observe, observe->retry_at_us);
}

static void take_batch (Observe *observe)
{
  if (intake_take (observe->intake, observe->batch, BATCH_MESSAGES))
    observe_resume (observe);
}

/* Returns how many messages it has tried. What comes while nothing can be written doesn't make it try sooner. */
static guint store_batch (Observe *observe)
{
  g_autoptr (GError) error = NULL;
  guint fresh_before = observe->fresh->len;
  guint taken = observe->batch->len;
  if (taken == 0 || clock_monotonic_us (observe->clock) < observe->retry_at_us)
    return 0;
  gboolean is_stored = observe_store_batch (observe, &error);
  observe_settle_filters (observe, is_stored);
  if (is_stored) {
    count_outcomes (observe);
    acknowledge (observe);
    g_ptr_array_set_size (observe->batch, 0);
    return taken;
  }
  log_limited (LOG_LEVEL_ERROR, "observations: %u messages wait, they can't be stored: %s", observe->batch->len,
               error->message);
  if (observation_files_found_full (observe->files))
    store_note_full (observe->store);
  keep_batch (observe, fresh_before);
  return taken;
}

/* Rules */

static gboolean pass (Observation *observation, guint marks, gpointer data, GError **error)
{
  gpointer *observe_and_database = data;
  Observe *observe = observe_and_database[0];
  (void) marks;
  if (observe->sink.observed != NULL
      && !observe->sink.observed (observe->sink.self, observe_and_database[1], observation, error))
    return FALSE;
  last_values_take (observe->last_values, observation);
  return TRUE;
}

/* What this transaction brings is in memory, unless an earlier one has failed or the gateway has been started. */
static gboolean pass_all (Observe *observe, Database *database, GError **error)
{
  gpointer both[] = { observe, database };
  gint64 first = observe->fresh->len > 0 ? ((Observation *) observe->fresh->pdata[0])->number : 0;
  if (first != observe->applied + 1)
    return observation_files_each_after (observe->files, observe->applied, pass, both, error);
  for (guint i = 0; i < observe->fresh->len; i++)
    if (!pass (observe->fresh->pdata[i], 0, both, error))
      return FALSE;
  return TRUE;
}

/* How far they are stands in the same transaction as whatever they write. Of readings that change nothing it is left for later: then this
 * transaction is empty and costs no commit, and after a kill they pass once more and change nothing again. */
gboolean observe_apply (Observe *observe, Database *database, gboolean is_time, GError **error)
{
  gint64 last = observation_files_last (observe->files), before = database_total_changes (database);
  if (observe->applied != last && !pass_all (observe, database, error))
    return FALSE;
  observe->applied = last;
  if (observe->applied_written == last || (!is_time && database_total_changes (database) == before))
    return TRUE;
  if (!database_run (database, error, "INSERT OR REPLACE INTO sensing (key, value) VALUES ('applied', ?)", "i", last))
    return FALSE;
  observe->applied_written = last;
  return TRUE;
}

/* After a start: what was stored since the accounts were written last. */
static gboolean count_again (Observation *observation, guint marks, gpointer data, GError **error)
{
  Observe *observe = data;
  (void) error;
  observe->counted_again = observation->number;
  const SensorInput *input = marks != 0 ? routes_input (observe->routes, observation->sensor) : NULL;
  if (input == NULL) /* of a message that counts already, or configured no more */
    return TRUE;
  if (marks & FIRST_OF_MESSAGE)
    account_stored (observe->accounts, input->sensor->broker, "");
  if (marks & FIRST_OF_SENSOR)
    account_stored (observe->accounts, input->sensor->broker, observation->sensor);
  return TRUE;
}

gboolean observe_count_again (Observe *observe, Database *database, GError **error)
{
  gint64 counted = database_integer (database, observe->applied, "SELECT value FROM sensing WHERE key = 'counted'", "");
  gint64 after = MAX (counted, observe->counted_again); /* the start may have failed behind it, and be tried once more */
  if (!observation_files_each_after (observe->files, after, count_again, observe, error))
    return FALSE;
  account_settle (observe->accounts);
  return TRUE;
}

/* A kill forgets the hashes of ten seconds: then a retained message may be stored once more, as historical. */
static gboolean keep_hashes (Observe *observe, Database *database, GError **error)
{
  gint64 now = clock_monotonic_us (observe->clock);
  if (now - observe->hashes_written_us < HASHES_EVERY_US)
    return TRUE;
  observe->hashes_written_us = now;
  GHashTableIter iter;
  gpointer at;
  g_hash_table_iter_init (&iter, routes_inputs (observe->routes));
  while (g_hash_table_iter_next (&iter, NULL, &at)) {
    SensorInput *input = at;
    if (!input->is_hash_unwritten)
      continue;
    if (!database_run (database, error, "INSERT OR REPLACE INTO last_payloads (sensor, hash) VALUES (?, ?)", "si",
                       input->sensor->id, (gint64) input->last_hash))
      return FALSE;
    input->is_hash_unwritten = FALSE;
  }
  return TRUE;
}

/* Watchers */

static gboolean may_announce (Observe *observe, const Observation *observation, gint64 now)
{
  if (now - observe->announced_second >= G_USEC_PER_SEC) {
    observe->announced_second = now;
    observe->announced_in_second = 0;
  }
  if (observe->announced_in_second >= EVENTS_A_SECOND)
    return FALSE;
  g_autofree char *key = g_strconcat (observation->sensor, "\n", observation->metric, NULL);
  gint64 *last = g_hash_table_lookup (observe->announced, key);
  if (last != NULL && now - *last < G_USEC_PER_SEC)
    return FALSE;
  observe->announced_in_second++;
  g_hash_table_replace (observe->announced, g_steal_pointer (&key), g_memdup2 (&now, sizeof now));
  return TRUE;
}

static void announce (Observe *observe, const Observation *observation, gint64 now)
{
  Site *site = routes_site (observe->routes);
  const Sensor *sensor = observe->events != NULL && may_announce (observe, observation, now)
                           ? site_sensor (site, observation->sensor) : NULL;
  if (sensor == NULL)
    return;
  json_t *json = observation_to_json (site->gateway.id, observation);
  char *text = json_dumps (json, JSON_COMPACT | JSON_REAL_PRECISION (15));
  event_bus_publish (observe->events, "observation", text, sensor->grid, NULL, NULL, 0);
  free (text);
  json_decref (json);
}

static void publish (gpointer data)
{
  Observe *observe = data;
  gint64 now = clock_monotonic_us (observe->clock);
  account_publish (observe->accounts);
  observation_keeper_set_applied (observe->keeper, MIN (observe->applied_written, observe->counted));
  for (guint i = 0; i < observe->fresh->len; i++)
    announce (observe, observe->fresh->pdata[i], now);
  g_ptr_array_set_size (observe->fresh, 0);
}

void observe_publish_after_commit (Observe *observe)
{
  store_after_commit (observe->store, publish, observe, NULL);
}

/* A whole batch leaves a backlog; after any other one, what comes next is gathered, and none comes after a pause. */
static void go_on (Observe *observe, guint taken)
{
  if (taken >= BATCH_MESSAGES) {
    observe_schedule (observe);
  } else if (taken > 0) {
    gint64 wait_us = observe->is_batch_durable ? GATHER_DURABLE_US : GATHER_US;
    store_set_timer (observe->store, observe_run_batch, observe, clock_monotonic_us (observe->clock) + wait_us);
    g_atomic_int_set (&observe->gathering, observe->is_batch_durable ? GATHERING_ALL : GATHERING_REST);
  }
}

gboolean observe_save_accounts (Observe *observe, Database *database, GError **error)
{
  observe->accounts_saved_us = clock_monotonic_us (observe->clock);
  gint64 last = observation_files_last (observe->files);
  if (!account_save (observe->accounts, database, error)
      || !database_run (database, error, "INSERT OR REPLACE INTO sensing (key, value) VALUES ('counted', ?)", "i", last))
    return FALSE;
  observe->counted = last;
  return TRUE;
}

static gboolean pass_on (Observe *observe, Database *database, guint taken, GError **error)
{
  gboolean is_time = taken <= SMALL_BATCH
                     || clock_monotonic_us (observe->clock) - observe->accounts_saved_us >= ACCOUNTS_EVERY_US;
  if (!observe_apply (observe, database, is_time, error) || !keep_hashes (observe, database, error)
      || (is_time && account_has_changed (observe->accounts) && !observe_save_accounts (observe, database, error)))
    return FALSE;
  observe_publish_after_commit (observe);
  return TRUE;
}

static gboolean run_batch (Observe *observe, Database *database, GError **error)
{
  gboolean is_waiting;
  if (observe->fresh->len > FRESH_MAX)
    g_ptr_array_set_size (observe->fresh, 0);
  take_batch (observe);
  if (!observe_discover (observe, database, &is_waiting, error))
    return FALSE;
  if (is_waiting)
    return TRUE;
  guint taken = store_batch (observe);
  if (!observe->are_rules_behind && !pass_on (observe, database, taken, error))
    return FALSE;
  if (observe->batch->len == 0)
    go_on (observe, taken);
  return TRUE;
}

gboolean observe_run_batch (Database *database, gpointer data, GError **error)
{
  Observe *observe = data;
  GError *problem = NULL;
  g_atomic_int_set (&observe->is_scheduled, 0);
  g_atomic_int_set (&observe->gathering, GATHERING_NOTHING);
  if (observe->routes == NULL || run_batch (observe, database, &problem))
    return TRUE;
  log_limited (LOG_LEVEL_ERROR, "observations: the rules have not seen the last ones yet: %s", problem->message);
  g_propagate_error (error, problem);
  return FALSE;
}
