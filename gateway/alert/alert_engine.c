#include "gateway/alert/alert_engine.h"

#include <string.h>

#include "gateway/alert/alert_book.h"
#include "gateway/alert/watch.h"
#include "gateway/core/error.h"
#include "gateway/core/ids.h"
#include "gateway/core/log.h"

/* How far the rule clock in the database may lag behind: a hold loses at most that much by a kill. */
enum { KEEP_CLOCK_US = G_USEC_PER_SEC / 2, SILENCE_TICK_US = 10 * G_USEC_PER_SEC, RETRY_US = G_USEC_PER_SEC };

#define DEVICE_CATEGORY "device"
#define STATE_COLUMNS "SELECT definition, phase, hold_ends, last_at, value, unit, alert, rule, subject FROM rule_states"

typedef struct {
  char *first_metric; /* what a rule without a metric means */
  GPtrArray *watches; /* of Watch, borrowed: the site's rules */
  Watch *silent;      /* borrowed; NULL: never silent */
  gint64 silent_after_us, heard; /* heard: rule clock */
  gboolean is_heard_unwritten;
} SensorRules;

struct AlertEngine {
  Store *store;
  EventBus *events;
  AlertSink sink;
  Clock *clock;
  gint64 clock_base, clock_start; /* rule clock = base + monotonic − start */
  gint64 clock_written;
  Site *site;
  GHashTable *watches; /* watch_key → Watch */
  GHashTable *active;  /* set of Watch that are not idle */
  GHashTable *sensors; /* id → SensorRules */
};

static gboolean tick (Database *database, gpointer data, GError **error);

static void sensor_rules_free (gpointer data)
{
  SensorRules *rules = data;
  g_ptr_array_unref (rules->watches);
  g_free (rules->first_metric);
  g_free (rules);
}

/* The rule clock */

static gint64 rule_clock (const AlertEngine *engine)
{
  return engine->clock_base + clock_monotonic_us (engine->clock) - engine->clock_start;
}

static gboolean keep_clock (AlertEngine *engine, Database *database, GError **error)
{
  gint64 now = rule_clock (engine);
  if (now - engine->clock_written < KEEP_CLOCK_US)
    return TRUE;
  engine->clock_written = now;
  return database_run (database, error, "INSERT OR REPLACE INTO sensing (key, value) VALUES ('rule_clock', ?)", "i", now);
}

static gboolean keep_heard (AlertEngine *engine, Database *database, GError **error)
{
  GHashTableIter iter;
  gpointer id, value;
  g_hash_table_iter_init (&iter, engine->sensors);
  while (g_hash_table_iter_next (&iter, &id, &value)) {
    SensorRules *rules = value;
    if (!rules->is_heard_unwritten)
      continue;
    if (!database_run (database, error, "INSERT OR REPLACE INTO sensors_heard (sensor, heard) VALUES (?, ?)", "si",
                       (const char *) id, rules->heard))
      return FALSE;
    rules->is_heard_unwritten = FALSE;
  }
  return TRUE;
}

/* When the next hold or silence ends, or the rule clock wants writing; the rule clock's G_MAXINT64 when nothing runs. */
static gint64 next_tick (AlertEngine *engine)
{
  gint64 now = rule_clock (engine), next = G_MAXINT64;
  GHashTableIter iter;
  gpointer key, value;
  g_hash_table_iter_init (&iter, engine->active);
  while (g_hash_table_iter_next (&iter, &key, &value)) {
    Watch *watch = key;
    if (watch->phase == PHASE_HOLDING)
      next = MIN (next, MIN (watch->hold_ends, now + KEEP_CLOCK_US));
  }
  g_hash_table_iter_init (&iter, engine->sensors);
  while (g_hash_table_iter_next (&iter, &key, &value)) {
    SensorRules *rules = value;
    if (rules->silent != NULL)
      next = MIN (next, rules->silent->phase == PHASE_IDLE
                          ? MIN (rules->heard + rules->silent_after_us, now + SILENCE_TICK_US)
                          : now + SILENCE_TICK_US);
  }
  return next;
}

static void arm (AlertEngine *engine, gint64 at)
{
  store_set_timer (engine->store, tick, engine,
                   at == G_MAXINT64 ? at : at - engine->clock_base + engine->clock_start);
}

/* One watch from state to state */

static gboolean open_alert (AlertEngine *engine, Database *database, Watch *watch, GError **error)
{
  g_autoptr (Alert) alert = g_new0 (Alert, 1);
  alert->opened_at_us = clock_wall_us (engine->clock);
  alert->id = ulid_new (alert->opened_at_us);
  alert->rule = g_strdup (watch->rule);
  alert->sensor = g_strdup (watch_subject_id (watch, "sensor"));
  alert->camera = g_strdup (watch_subject_id (watch, "camera"));
  alert->grid = g_strdup (watch->grid);
  alert->category = g_strdup (watch->category);
  alert->severity = watch->severity;
  alert->has_value = watch->has_value;
  alert->value = watch->value;
  alert->unit = g_strdup (watch->unit);
  if (engine->sink.opened != NULL && !engine->sink.opened (engine->sink.self, database, alert, error))
    return FALSE;
  watch->phase = PHASE_OPEN;
  g_free (watch->alert);
  watch->alert = g_strdup (alert->id);
  if (!alert_write (database, alert, NULL, error) || !watch_write (watch, database, error))
    return FALSE;
  alert_announce (engine->store, engine->events, alert);
  log_notice ("alert %s of rule %s: opened for %s", alert->id, watch->rule, watch->subject);
  return TRUE;
}

static gboolean clear_alert (AlertEngine *engine, Database *database, const char *id, const char *note, GError **error)
{
  GError *problem = NULL;
  g_autoptr (Alert) alert = alert_find (database, id, &problem);
  if (problem != NULL) {
    g_propagate_error (error, problem);
    return FALSE;
  }
  if (alert == NULL || alert->cleared_at_us != 0)
    return TRUE;
  alert->cleared_at_us = MAX (clock_wall_us (engine->clock), alert->opened_at_us); /* the wall clock may step back */
  if (engine->sink.cleared != NULL && !engine->sink.cleared (engine->sink.self, database, alert, error))
    return FALSE;
  if (!alert_write (database, alert, note, error))
    return FALSE;
  alert_announce (engine->store, engine->events, alert);
  log_notice ("alert %s of rule %s: cleared%s%s", id, alert->rule, note != NULL ? ", " : "", note != NULL ? note : "");
  return TRUE;
}

static gboolean begin (AlertEngine *engine, Database *database, Watch *watch, GError **error)
{
  g_hash_table_add (engine->active, watch);
  if (watch->hold_us == 0)
    return open_alert (engine, database, watch, error);
  watch->phase = PHASE_HOLDING;
  watch->hold_ends = rule_clock (engine) + watch->hold_us;
  arm (engine, next_tick (engine));
  return watch_write (watch, database, error);
}

static gboolean end (AlertEngine *engine, Database *database, Watch *watch, GError **error)
{
  if (watch->phase == PHASE_OPEN && !clear_alert (engine, database, watch->alert, NULL, error))
    return FALSE;
  watch_reset (watch);
  g_hash_table_remove (engine->active, watch);
  return watch_write (watch, database, error);
}

static gboolean turn (AlertEngine *engine, Database *database, Watch *watch, Truth truth, GError **error)
{
  if (watch->phase == PHASE_IDLE)
    return truth != TRUTH_TRUE || begin (engine, database, watch, error);
  if (truth == TRUTH_FALSE || (truth == TRUTH_BETWEEN && watch->phase == PHASE_HOLDING))
    return end (engine, database, watch, error);
  return TRUE;
}

/* Observations */

static void take_reading (Watch *watch, const Observation *observation)
{
  watch->has_value = TRUE;
  watch->value = observation->value;
  g_free (watch->unit);
  watch->unit = g_strdup (observation->unit);
}

static gboolean judge_live (AlertEngine *engine, Database *database, Watch *watch, const Observation *observation,
                            GError **error)
{
  Truth truth = watch_judge (watch, observation->value);
  gboolean was_idle = watch->phase == PHASE_IDLE;
  if (was_idle && truth != TRUTH_TRUE)
    return TRUE;
  watch->last_at_us = observation->phenomenon_time_us;
  if (watch->phase != PHASE_OPEN)
    take_reading (watch, observation);
  if (!turn (engine, database, watch, truth, error))
    return FALSE;
  return was_idle || watch->phase == PHASE_IDLE || watch_write (watch, database, error);
}

/* Late and retained readings never start anything. One that is newer than the last live reading and surely of that time
 * may end it: the level is known to be low again. */
static gboolean judge_historical (AlertEngine *engine, Database *database, Watch *watch, const Observation *observation,
                                  GError **error)
{
  if (watch->phase == PHASE_IDLE || observation->quality != QUALITY_GOOD
      || observation->phenomenon_time_us <= watch->last_at_us)
    return TRUE;
  Truth truth = watch_judge (watch, observation->value);
  return truth == TRUTH_TRUE || turn (engine, database, watch, truth, error);
}

static gboolean is_meant (const SensorRules *rules, const Watch *watch, const Observation *observation)
{
  const char *metric = watch->site_rule->match_metric;
  return g_strcmp0 (metric != NULL ? metric : rules->first_metric, observation->metric) == 0;
}

static gboolean note_heard (AlertEngine *engine, Database *database, SensorRules *rules, GError **error)
{
  rules->heard = rule_clock (engine);
  rules->is_heard_unwritten = TRUE;
  return rules->silent == NULL || turn (engine, database, rules->silent, TRUTH_FALSE, error);
}

gboolean alert_engine_observe (AlertEngine *engine, Database *database, const Observation *observation, GError **error)
{
  SensorRules *rules = g_hash_table_lookup (engine->sensors, observation->sensor);
  if (rules == NULL)
    return TRUE;
  if (!observation->is_historical && !note_heard (engine, database, rules, error))
    return FALSE;
  if (observation->quality == QUALITY_BAD)
    return TRUE;
  for (guint i = 0; i < rules->watches->len; i++) {
    Watch *watch = rules->watches->pdata[i];
    if (!is_meant (rules, watch, observation))
      continue;
    if (!(observation->is_historical ? judge_historical : judge_live) (engine, database, watch, observation, error))
      return FALSE;
  }
  return keep_clock (engine, database, error);
}

/* The timer */

static gboolean end_holds (AlertEngine *engine, Database *database, GError **error)
{
  gint64 now = rule_clock (engine);
  g_autoptr (GList) active = g_hash_table_get_keys (engine->active);
  for (GList *at = active; at != NULL; at = at->next) {
    Watch *watch = at->data;
    if (watch->phase == PHASE_HOLDING && watch->hold_ends <= now && !open_alert (engine, database, watch, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean find_silent (AlertEngine *engine, Database *database, GError **error)
{
  gint64 now = rule_clock (engine);
  GHashTableIter iter;
  gpointer id, value;
  g_hash_table_iter_init (&iter, engine->sensors);
  while (g_hash_table_iter_next (&iter, &id, &value)) {
    SensorRules *rules = value;
    if (rules->silent != NULL && rules->silent->phase == PHASE_IDLE && now - rules->heard >= rules->silent_after_us
        && !turn (engine, database, rules->silent, TRUTH_TRUE, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean tick (Database *database, gpointer data, GError **error)
{
  AlertEngine *engine = data;
  if (!end_holds (engine, database, error) || !find_silent (engine, database, error)
      || !keep_heard (engine, database, error) || !keep_clock (engine, database, error))
    return FALSE;
  arm (engine, next_tick (engine));
  return TRUE;
}

/* Conditions that are no readings */

static Watch *gateway_watch (AlertEngine *engine, const char *rule, const char *subject, const char *category,
                             Severity severity, gint64 hold_us)
{
  g_autofree char *gateway_subject = g_strconcat ("gateway:", subject, NULL);
  char *key = watch_key (rule, gateway_subject);
  Watch *watch = g_hash_table_lookup (engine->watches, key);
  if (watch != NULL) {
    g_free (key);
    return watch;
  }
  const char *division = engine->site != NULL ? engine->site->gateway.division : "";
  watch = watch_new (rule, "gateway", subject, division, category, severity, hold_us);
  g_hash_table_insert (engine->watches, key, watch);
  return watch;
}

gboolean alert_engine_condition (AlertEngine *engine, Database *database, const AlertCondition *condition,
                                 gboolean is_true, GError **error)
{
  Watch *watch = gateway_watch (engine, condition->rule, condition->subject, condition->category, condition->severity,
                                condition->hold_us);
  watch->hold_us = condition->hold_us;
  return turn (engine, database, watch, is_true ? TRUTH_TRUE : TRUTH_FALSE, error);
}

typedef struct {
  AlertEngine *engine;
  AlertCondition condition;
  char *rule, *category, *subject;
  gboolean is_camera, is_true;
} Posted;

static void posted_free (gpointer data, const GError *error)
{
  Posted *posted = data;
  if (error != NULL)
    log_limited (LOG_LEVEL_ERROR, "alerts: the state of %s %s was not taken: %s", posted->rule, posted->subject,
                 error->message);
  g_free (posted->rule);
  g_free (posted->category);
  g_free (posted->subject);
  g_free (posted);
}

static gboolean run_posted (Database *database, gpointer data, GError **error)
{
  Posted *posted = data;
  AlertEngine *engine = posted->engine;
  if (!posted->is_camera)
    return alert_engine_condition (engine, database, &posted->condition, posted->is_true, error);
  g_autofree char *subject = g_strconcat ("camera:", posted->subject, NULL);
  g_autofree char *key = watch_key (posted->rule, subject);
  Watch *watch = g_hash_table_lookup (engine->watches, key);
  if (watch == NULL) /* a camera that the site doesn't have any more */
    return TRUE;
  return turn (engine, database, watch, posted->is_true ? TRUTH_TRUE : TRUTH_FALSE, error);
}

static void post (AlertEngine *engine, const AlertCondition *condition, gboolean is_camera, gboolean is_true)
{
  Posted *posted = g_new0 (Posted, 1);
  posted->engine = engine;
  posted->condition = *condition;
  posted->condition.rule = posted->rule = g_strdup (condition->rule);
  posted->condition.category = posted->category = g_strdup (condition->category);
  posted->condition.subject = posted->subject = g_strdup (condition->subject);
  posted->is_camera = is_camera;
  posted->is_true = is_true;
  if (!store_submit (engine->store, run_posted, posted_free, posted))
    posted_free (posted, NULL);
}

void alert_engine_post_condition (AlertEngine *engine, const AlertCondition *condition, gboolean is_true)
{
  post (engine, condition, FALSE, is_true);
}

void alert_engine_camera_state (AlertEngine *engine, const char *camera, gboolean is_up)
{
  AlertCondition condition = { .rule = "camera_down", .category = DEVICE_CATEGORY, .subject = camera };
  post (engine, &condition, TRUE, !is_up);
}

void alert_engine_recording_state (AlertEngine *engine, const char *camera, gboolean is_stopped)
{
  AlertCondition condition = { .rule = "recording_stopped", .category = DEVICE_CATEGORY, .subject = camera };
  post (engine, &condition, TRUE, is_stopped);
}

/* The site */

static gboolean rule_covers (const Site *site, const Rule *rule, const Sensor *sensor)
{
  if (rule->match_sensors != NULL && !g_strv_contains ((const char *const *) rule->match_sensors, sensor->id))
    return FALSE;
  if (rule->match_grid != NULL && !site_grid_is_within (site, sensor->grid, rule->match_grid))
    return FALSE;
  if (rule->match_metric == NULL)
    return TRUE;
  for (guint i = 0; i < sensor->metrics->len; i++)
    if (strcmp (((const Metric *) sensor->metrics->pdata[i])->name, rule->match_metric) == 0)
      return TRUE;
  return FALSE;
}

static Watch *add_watch (GHashTable *watches, Watch *watch)
{
  g_hash_table_replace (watches, watch_key (watch->rule, watch->subject), watch);
  return watch;
}

static SensorRules *sensor_rules_new (const Site *site, const Sensor *sensor, GHashTable *watches)
{
  SensorRules *rules = g_new0 (SensorRules, 1);
  rules->watches = g_ptr_array_new ();
  if (sensor->metrics->len > 0)
    rules->first_metric = g_strdup (((const Metric *) sensor->metrics->pdata[0])->name);
  for (guint i = 0; i < site->rules->len; i++) {
    const Rule *rule = site->rules->pdata[i];
    if (rule_covers (site, rule, sensor))
      g_ptr_array_add (rules->watches, add_watch (watches, watch_new_for_rule (rule, sensor)));
  }
  rules->silent_after_us = sensor->silent_after_us;
  if (sensor->silent_after_us > 0)
    rules->silent = add_watch (watches, watch_new ("sensor_silent", "sensor", sensor->id, sensor->grid, DEVICE_CATEGORY,
                                                   SEVERITY_MODERATE, 0));
  return rules;
}

static gint64 heard_before (AlertEngine *engine, Database *database, const char *sensor)
{
  SensorRules *known = engine->sensors != NULL ? g_hash_table_lookup (engine->sensors, sensor) : NULL;
  if (known != NULL)
    return known->heard;
  gint64 now = rule_clock (engine);
  return MIN (now, database_integer (database, now, "SELECT heard FROM sensors_heard WHERE sensor = ?", "s", sensor));
}

static void build (AlertEngine *engine, Database *database, Site *site)
{
  GHashTable *watches = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) watch_free);
  GHashTable *sensors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, sensor_rules_free);
  for (guint i = 0; i < site->sensors->len; i++) {
    const Sensor *sensor = site->sensors->pdata[i];
    SensorRules *rules = sensor_rules_new (site, sensor, watches);
    rules->heard = heard_before (engine, database, sensor->id);
    rules->is_heard_unwritten = TRUE;
    g_hash_table_insert (sensors, g_strdup (sensor->id), rules);
  }
  for (guint i = 0; i < site->cameras->len; i++) {
    const Camera *camera = site->cameras->pdata[i];
    add_watch (watches, watch_new ("camera_down", "camera", camera->id, camera->grid, DEVICE_CATEGORY,
                                   SEVERITY_MODERATE, camera->down_after_us));
    add_watch (watches, watch_new ("recording_stopped", "camera", camera->id, camera->grid, DEVICE_CATEGORY,
                                   SEVERITY_SEVERE, 0));
  }
  g_hash_table_remove_all (engine->active);
  g_clear_pointer (&engine->watches, g_hash_table_unref);
  g_clear_pointer (&engine->sensors, g_hash_table_unref);
  g_clear_pointer (&engine->site, site_unref);
  engine->watches = watches;
  engine->sensors = sensors;
  engine->site = site_ref (site);
}

/* A row whose rule, sensor or camera is gone, or whose rule means something else now. */
typedef struct {
  char *rule, *subject, *alert;
} Stale;

static void stale_free (gpointer data)
{
  Stale *stale = data;
  g_free (stale->rule);
  g_free (stale->subject);
  g_free (stale->alert);
  g_free (stale);
}

static Watch *watch_of_row (AlertEngine *engine, Statement *row)
{
  const char *rule = statement_text (row, 7), *subject = statement_text (row, 8);
  if (g_str_has_prefix (subject, "gateway:"))
    return gateway_watch (engine, rule, subject + strlen ("gateway:"), DEVICE_CATEGORY, SEVERITY_MODERATE, 0);
  g_autofree char *key = watch_key (rule, subject);
  return g_hash_table_lookup (engine->watches, key);
}

/* Memory after the rows; rows that no watch takes are put into `stale` unless that is NULL. */
static gboolean load (AlertEngine *engine, Database *database, GPtrArray *stale, GError **error)
{
  GHashTableIter iter;
  gpointer watch_at;
  g_hash_table_iter_init (&iter, engine->active);
  while (g_hash_table_iter_next (&iter, &watch_at, NULL))
    watch_reset (watch_at);
  g_hash_table_remove_all (engine->active);

  GError *problem = NULL;
  g_autoptr (Statement) rows = database_query (database, &problem, STATE_COLUMNS, "");
  while (statement_step (rows, &problem)) {
    Watch *watch = watch_of_row (engine, rows);
    gboolean is_open = statement_integer (rows, 1) == PHASE_OPEN;
    if (watch != NULL && (is_open || g_strcmp0 (watch->definition, statement_text (rows, 0)) == 0)) {
      watch_read (watch, rows);
      g_hash_table_add (engine->active, watch);
    } else if (stale != NULL) {
      Stale *one = g_new0 (Stale, 1);
      one->rule = g_strdup (statement_text (rows, 7));
      one->subject = g_strdup (statement_text (rows, 8));
      one->alert = g_strdup (statement_text (rows, 6));
      g_ptr_array_add (stale, one);
    }
  }
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, problem);
  return FALSE;
}

static gboolean retire (AlertEngine *engine, Database *database, const Stale *stale, GError **error)
{
  if (stale->alert != NULL
      && !clear_alert (engine, database, stale->alert, "the rule or its device is no longer configured", error))
    return FALSE;
  return database_run (database, error, "DELETE FROM rule_states WHERE rule = ? AND subject = ?", "ss", stale->rule,
                       stale->subject);
}

typedef struct {
  AlertEngine *engine;
  Site *site;
} SetSite;

static gboolean set_site (Database *database, gpointer data, GError **error)
{
  SetSite *set = data;
  g_autoptr (GPtrArray) stale = g_ptr_array_new_with_free_func (stale_free);
  build (set->engine, database, set->site);
  if (!load (set->engine, database, stale, error))
    return FALSE;
  for (guint i = 0; i < stale->len; i++)
    if (!retire (set->engine, database, stale->pdata[i], error))
      return FALSE;
  return tick (database, set->engine, error);
}

gboolean alert_engine_set_site (AlertEngine *engine, Site *site, GError **error)
{
  SetSite set = { engine, site };
  return store_run (engine->store, set_site, &set, error);
}

/* After a failed commit. The timer tries again what the failed job would have done. */
static gboolean reload (Database *database, gpointer data, GError **error)
{
  AlertEngine *engine = data;
  engine->clock_written = 0;
  arm (engine, rule_clock (engine) + RETRY_US);
  return engine->watches == NULL || load (engine, database, NULL, error);
}

AlertEngine *alert_engine_new (Store *store, EventBus *events, const AlertSink *sink, GError **error)
{
  Database *reader = store_reader (store, error);
  if (reader == NULL)
    return NULL;
  AlertEngine *engine = g_new0 (AlertEngine, 1);
  engine->store = store;
  engine->events = events;
  engine->clock = store_clock (store);
  if (sink != NULL)
    engine->sink = *sink;
  engine->clock_base = database_integer (reader, 0, "SELECT value FROM sensing WHERE key = 'rule_clock'", "");
  engine->clock_start = clock_monotonic_us (engine->clock);
  engine->watches = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) watch_free);
  engine->active = g_hash_table_new (NULL, NULL);
  engine->sensors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, sensor_rules_free);
  store_add_rollback (store, reload, engine);
  return engine;
}

void alert_engine_free (AlertEngine *engine)
{
  if (engine == NULL)
    return;
  g_hash_table_unref (engine->active);
  g_hash_table_unref (engine->sensors);
  g_hash_table_unref (engine->watches);
  site_unref (engine->site);
  g_free (engine);
}
