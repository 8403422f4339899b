/* alert_rows.c: states of watches and memories of feeds as rows. */
#include <string.h>

#include "gateway/alert/alert_engine_private.h"
#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "gateway/observe/observation_walk.h"

#define DEVICE_CATEGORY "device"

gboolean engine_keep (gpointer self, const Watch *watch, GError **error)
{
  AlertEngine *engine = self;
  const char *rule = watch->plan->rule->id;
  g_autofree char *subject = watch_subject (watch);
  if (watch_is_plain (watch))
    return database_run (engine->database, error, "DELETE FROM rule_states WHERE rule = ? AND subject = ?", "ss", rule,
                         subject);
  g_autoptr (GBytes) bytes = watch_pack (watch);
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);
  gint64 due = watch_next_due (watch);
  const WatchCase *last_case = watch_case (watch);
  return database_run (engine->database, error,
                       "INSERT OR REPLACE INTO rule_states"
                       " (rule, subject, definition, phase, hold_ends, last_at, value, unit, alert, data)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, CASE WHEN ?7 THEN ?8 END, ?9, ?10, ?11)",
                       "sssiiiidssb", rule, subject, watch->plan->definition, (gint64) watch_level (watch),
                       due == G_MAXINT64 ? (gint64) 0 : due, last_case->reading_at_us, (gint64) last_case->has_value,
                       last_case->value, last_case->unit, watch_has_alert (watch) ? last_case->alert : NULL, data, size);
}

/* A memory's bytes: version, what is known, the value before, when it was heard, the window's slice and its values. */

enum { MEMORY_VERSION = 1, MEMORY_HEAD = 5 };

gboolean engine_remember (gpointer self, const Feed *feed, GError **error)
{
  AlertEngine *engine = self;
  gint64 words[MEMORY_HEAD + RATE_SLICES] = { GINT64_TO_LE (MEMORY_VERSION), GINT64_TO_LE (feed->has_last),
                                              (gint64) GUINT64_TO_LE (feed->last), GINT64_TO_LE (feed->heard) };
  gsize count = MEMORY_HEAD;
  if (feed->window != NULL) {
    words[4] = GINT64_TO_LE (feed->window->slice);
    for (guint i = 0; i < RATE_SLICES; i++) {
      memcpy (&words[count], &feed->window->least[i], sizeof words[0]);
      words[count] = GINT64_TO_LE (words[count]);
      count++;
    }
  }
  return database_run (engine->database, error,
                       "INSERT OR REPLACE INTO rule_memories (rule, sensor, term, definition, data) VALUES (?, ?, ?, ?, ?)",
                       "ssisb", feed->watch->plan->rule->id, feed->sensor, (gint64) feed->term,
                       feed->watch->plan->definition, words, count * sizeof words[0]);
}

static void recall_memory (Feed *feed, const void *data, gsize size, gboolean is_whole, gint64 now)
{
  gsize count = MEMORY_HEAD + (feed->window != NULL ? RATE_SLICES : 0);
  g_autofree gint64 *words = g_memdup2 (data, size);
  if (words == NULL || size != count * sizeof *words || GINT64_FROM_LE (words[0]) != MEMORY_VERSION)
    return;
  feed->has_last = GINT64_FROM_LE (words[1]) != 0;
  feed->last = GUINT64_FROM_LE ((guint64) words[2]);
  if (!is_whole)
    return;
  feed->heard = MIN (GINT64_FROM_LE (words[3]), now);
  if (feed->window == NULL)
    return;
  feed->window->slice = GINT64_FROM_LE (words[4]);
  for (guint i = 0; i < RATE_SLICES; i++) {
    gint64 word = GINT64_FROM_LE (words[MEMORY_HEAD + i]);
    memcpy (&feed->window->least[i], &word, sizeof word);
  }
}

gboolean engine_flush (AlertEngine *engine, GError **error)
{
  engine->flushed = engine_now (engine).rule;
  return rules_flush (engine->rules, error)
         && database_run (engine->database, error, "INSERT OR REPLACE INTO sensing (key, value) VALUES ('remembered', ?)",
                          "i", engine->last_number);
}

/* What no watch takes any more. */
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
  const char *rule = statement_text (row, 0), *id = "";
  SubjectKind kind = SUBJECT_SENSOR;
  if (!watch_subject_parse (statement_text (row, 1), &kind, &id))
    return NULL;
  if (kind == SUBJECT_LATE)
    return rules_late_watch (engine->rules, rule, id);
  if (kind == SUBJECT_GATEWAY)
    return rules_own_watch (engine->rules, rule, DEVICE_CATEGORY, SEVERITY_MODERATE, 0, kind, id,
                            engine->site->gateway.division);
  if (strcmp (rule, "alert_storm") == 0 && site_grid (engine->site, id) != NULL)
    return rules_own_watch (engine->rules, rule, "storm", SEVERITY_MODERATE, 0, kind, id, id);
  return rules_watch (engine->rules, rule, kind, id);
}

static void note_loaded (AlertEngine *engine, Watch *watch, gint64 now)
{
  if (watch_case (watch)->is_silenced)
    g_hash_table_add (engine->silenced, watch);
  if (strcmp (watch->plan->rule->id, "alert_storm") != 0 || !watch_has_alert (watch))
    return;
  g_hash_table_add (engine->storms, watch);
  storm_resume (engine->storm, watch->id, now);
}

/* FALSE when the row means nothing to the watch any more. An alert that is open stays so, whatever its rule says now: the next
 * reading decides. */
static gboolean take_row (Watch *watch, Statement *row)
{
  gsize size;
  const void *data = statement_blob (row, 7, &size);
  const char *alert = statement_text (row, 6);
  gboolean is_same = g_strcmp0 (watch->plan->definition, statement_text (row, 2)) == 0;
  gboolean is_taken = is_same && watch_unpack (watch, data, size);
  if (!is_taken && alert == NULL)
    return FALSE;
  WatchCase *last_case = watch_case_begin (watch);
  if (!is_taken) {
    watch->step[0] = (WatchStep){ STEP_ON, TRUTH_TRUE, 0 };
    last_case->severity = watch->plan->severity[0];
  }
  last_case->reading_at_us = statement_integer (row, 3);
  last_case->has_value = !statement_is_null (row, 4);
  last_case->value = statement_real (row, 4);
  last_case->unit = g_intern_string (statement_text (row, 5));
  watch_set_alert (watch, alert != NULL ? alert : "");
  return TRUE;
}

/* The rows that nobody takes. */
static GPtrArray *load_states (AlertEngine *engine, gint64 now, GError **error)
{
  GError *problem = NULL;
  g_autoptr (GPtrArray) stale = g_ptr_array_new_with_free_func (stale_free);
  g_autoptr (Statement) rows = database_query (
    engine->database, &problem,
    "SELECT rule, subject, definition, last_at, value, unit, alert, data FROM rule_states", "");
  while (statement_step (rows, &problem)) {
    Watch *watch = watch_of_row (engine, rows);
    if (watch != NULL && take_row (watch, rows)) {
      note_loaded (engine, watch, now);
      continue;
    }
    Stale *one = g_new0 (Stale, 1);
    one->rule = g_strdup (statement_text (rows, 0));
    one->subject = g_strdup (statement_text (rows, 1));
    one->alert = g_strdup (statement_text (rows, 6));
    g_ptr_array_add (stale, one);
  }
  if (problem == NULL)
    return g_steal_pointer (&stale);
  g_propagate_error (error, problem);
  return NULL;
}

static gboolean load_memories (AlertEngine *engine, gboolean is_whole, gint64 now, GError **error)
{
  GError *problem = NULL;
  g_autoptr (Statement) rows = database_query (engine->database, &problem,
                                               "SELECT rule, sensor, term, definition, data FROM rule_memories", "");
  while (statement_step (rows, &problem)) {
    gsize size;
    const void *data = statement_blob (rows, 4, &size);
    Feed *feed = rules_feed (engine->rules, statement_text (rows, 0), statement_text (rows, 1),
                             (guint) statement_integer (rows, 2));
    if (feed != NULL && g_strcmp0 (feed->watch->plan->definition, statement_text (rows, 3)) == 0)
      recall_memory (feed, data, size, is_whole, now);
  }
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, problem);
  return FALSE;
}

static gboolean retire (AlertEngine *engine, const Stale *stale, GError **error)
{
  if (stale->alert != NULL
      && !engine_clear_alert (engine, stale->alert, clock_wall_us (engine->clock),
                              "the rule or its device is no longer configured", error))
    return FALSE;
  return database_run (engine->database, error, "DELETE FROM rule_states WHERE rule = ? AND subject = ?", "ss",
                       stale->rule, stale->subject);
}

static gboolean recall_one (Observation *observation, gpointer data, GError **error)
{
  AlertEngine *engine = data;
  (void) error;
  rules_recall (engine->rules, engine_now (engine), observation);
  return TRUE;
}

/* Windows and silence are written now and then only: what was judged since is in the files. */
static void recall_since_flush (AlertEngine *engine)
{
  g_autoptr (GError) error = NULL;
  gint64 applied = database_integer (engine->database, 0, "SELECT value FROM sensing WHERE key = 'applied'", "");
  gint64 remembered
    = database_integer (engine->database, applied, "SELECT value FROM sensing WHERE key = 'remembered'", "");
  const ObservationWalk walk = { .after = remembered, .up_to = applied, .limit = 1000000 };
  engine->last_number = MAX (applied, engine->last_number);
  engine->is_recalled = TRUE;
  if (remembered < applied && !observation_walk (store_data_dir (engine->store), &walk, recall_one, engine, &error))
    log_warning ("rules: windows begin without the last readings: %s", error->message);
}

static gboolean has_feed (const AlertEngine *engine, const char *rule, const char *sensor)
{
  for (guint term = 0; term < PLAN_TERMS_MAX; term++)
    if (rules_feed (engine->rules, rule, sensor, term) != NULL)
      return TRUE;
  return FALSE;
}

/* Memories of rules and sensors that are gone. */
static gboolean drop_old_memories (AlertEngine *engine, GError **error)
{
  GError *problem = NULL;
  g_autoptr (GPtrArray) gone = g_ptr_array_new_with_free_func (stale_free);
  g_autoptr (Statement) rows
    = database_query (engine->database, &problem, "SELECT DISTINCT rule, sensor FROM rule_memories", "");
  while (statement_step (rows, &problem)) {
    const char *rule = statement_text (rows, 0), *sensor = statement_text (rows, 1);
    if (has_feed (engine, rule, sensor))
      continue;
    Stale *one = g_new0 (Stale, 1);
    one->rule = g_strdup (rule);
    one->subject = g_strdup (sensor);
    g_ptr_array_add (gone, one);
  }
  for (guint i = 0; problem == NULL && i < gone->len; i++) {
    const Stale *one = gone->pdata[i];
    database_run (engine->database, &problem, "DELETE FROM rule_memories WHERE rule = ? AND sensor = ?", "ss", one->rule,
                  one->subject);
  }
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, problem);
  return FALSE;
}

gboolean engine_load (AlertEngine *engine, gboolean is_whole, GError **error)
{
  gint64 now = engine_now (engine).rule;
  g_hash_table_remove_all (engine->storms);
  g_hash_table_remove_all (engine->silenced);
  g_autoptr (GPtrArray) stale = load_states (engine, now, error);
  if (stale == NULL || !load_memories (engine, is_whole, now, error))
    return FALSE;
  if (is_whole && !engine->is_recalled)
    recall_since_flush (engine);
  rules_loaded (engine->rules, now, engine->downtime_us);
  engine->downtime_us = 0;
  for (guint i = 0; is_whole && i < stale->len; i++)
    if (!retire (engine, stale->pdata[i], error))
      return FALSE;
  return !is_whole || drop_old_memories (engine, error);
}
