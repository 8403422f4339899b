/* alert_fate.c: what becomes of an alert: whom it is told, what it joins, when a silence or a storm is over. */
#include <string.h>

#include "gateway/alert/alert_book.h"
#include "gateway/alert/alert_engine_private.h"
#include "gateway/core/error.h"
#include "gateway/core/log.h"

#define STORM_RULE "alert_storm"
#define STORM_CATEGORY "storm"

static gboolean write_and_announce (AlertEngine *engine, const Alert *alert, const char *note, GError **error)
{
  if (!alert_write (engine->database, alert, note, error))
    return FALSE;
  alert_announce (engine->store, engine->events, alert);
  return TRUE;
}

/* NULL with an error when it isn't there. */
static Alert *find (AlertEngine *engine, const char *id, GError **error)
{
  GError *problem = NULL;
  Alert *alert = alert_find (engine->database, id, &problem);
  if (alert == NULL && problem == NULL)
    error_set (&problem, ERROR_GIVE_UP, "alert %s has a state but no row", id);
  if (alert == NULL)
    g_propagate_error (error, problem);
  return alert;
}

/* Storms */

static Watch *storm_watch (AlertEngine *engine, const char *grid)
{
  return rules_own_watch (engine->rules, STORM_RULE, STORM_CATEGORY, SEVERITY_MODERATE, 0, SUBJECT_GRID, grid, grid);
}

static gboolean join_storm (AlertEngine *engine, const Watch *storm, Alert *alert, GError **error)
{
  g_autoptr (Alert) summary = find (engine, watch_case (storm)->alert, error);
  if (summary == NULL)
    return FALSE;
  alert->incident = g_strdup (summary->incident);
  alert->is_untold = TRUE;
  return engine->sink.joined == NULL || engine->sink.joined (engine->sink.self, engine->database, alert, error);
}

/* Whether the alert is one of a storm, which it may begin. */
static gboolean is_of_storm (AlertEngine *engine, const Alert *alert, Watch **storm, GError **error)
{
  RuleTime now = engine_now (engine);
  *storm = NULL;
  if (alert->historical || strcmp (alert->rule, STORM_RULE) == 0)
    return TRUE;
  gboolean is_too_many = storm_note (engine->storm, alert->grid, now.rule);
  if (!is_too_many)
    return TRUE;
  *storm = storm_watch (engine, alert->grid);
  if (watch_has_alert (*storm))
    return TRUE;
  return rules_tell (engine->rules, now, *storm, TRUE, error);
}

static gboolean tell_opened (AlertEngine *engine, Alert *alert, GError **error)
{
  const AlertSink *sink = &engine->sink;
  Watch *storm;
  if (!is_of_storm (engine, alert, &storm, error))
    return FALSE;
  if (storm != NULL && watch_has_alert (storm))
    return join_storm (engine, storm, alert, error);
  return sink->opened == NULL || sink->opened (sink->self, engine->database, alert, error);
}

gint64 engine_next_storm_end (const AlertEngine *engine)
{
  GHashTableIter iter;
  gpointer watch;
  gint64 next = G_MAXINT64;
  g_hash_table_iter_init (&iter, engine->storms);
  while (g_hash_table_iter_next (&iter, &watch, NULL))
    next = MIN (next, storm_end (engine->storm, ((Watch *) watch)->id));
  return next;
}

gboolean engine_look_at_storms (AlertEngine *engine, GError **error)
{
  RuleTime now = engine_now (engine);
  g_autoptr (GList) storms = g_hash_table_get_keys (engine->storms);
  for (GList *at = storms; at != NULL; at = at->next) {
    Watch *watch = at->data;
    if (storm_end (engine->storm, watch->id) <= now.rule && !rules_tell (engine->rules, now, watch, FALSE, error))
      return FALSE;
  }
  return TRUE;
}

/* Silences */

static gboolean speak (AlertEngine *engine, Watch *watch, GError **error)
{
  g_autoptr (Alert) alert = find (engine, watch_case (watch)->alert, error);
  if (alert == NULL)
    return FALSE;
  if (silence_set_covers (engine->silences, engine->site, alert, clock_wall_us (engine->clock)))
    return TRUE;
  alert->silenced = alert->is_untold = FALSE;
  if (!tell_opened (engine, alert, error) || !write_and_announce (engine, alert, NULL, error))
    return FALSE;
  watch_case_begin (watch)->is_silenced = FALSE;
  g_hash_table_remove (engine->silenced, watch);
  log_notice ("alert %s of rule %s: its silence is over and it is told now", alert->id, alert->rule);
  return engine_keep (engine, watch, error);
}

gboolean engine_look_at_silences (AlertEngine *engine, GError **error)
{
  g_autoptr (GList) silenced = g_hash_table_get_keys (engine->silenced);
  for (GList *at = silenced; at != NULL; at = at->next)
    if (!speak (engine, at->data, error))
      return FALSE;
  return TRUE;
}

/* The port */

static Alert *alert_of (AlertEngine *engine, const Watch *watch, gint64 at_us)
{
  const WatchCase *last_case = watch_case (watch);
  Alert *alert = g_new0 (Alert, 1);
  gboolean is_sensor = watch->kind == SUBJECT_SENSOR || watch->kind == SUBJECT_LATE;
  alert->id = ulid_new (clock_wall_us (engine->clock));
  alert->opened_at_us = at_us;
  alert->rule = g_strdup (watch->plan->rule->id);
  alert->sensor = g_strdup (is_sensor ? watch->id : watch->kind == SUBJECT_GRID ? last_case->sensor : NULL);
  alert->camera = g_strdup (watch->kind == SUBJECT_CAMERA ? watch->id : NULL);
  alert->grid = g_strdup (watch->grid);
  alert->category = g_strdup (watch->plan->rule->category);
  alert->severity = alert->peak = last_case->severity;
  alert->historical = watch->kind == SUBJECT_LATE;
  alert->has_value = last_case->has_value;
  alert->value = last_case->value;
  alert->unit = g_strdup (last_case->unit);
  return alert;
}

static void note_storm (AlertEngine *engine, Watch *watch, gboolean is_open)
{
  if (strcmp (watch->plan->rule->id, STORM_RULE) != 0)
    return;
  if (is_open)
    g_hash_table_add (engine->storms, watch);
  else
    g_hash_table_remove (engine->storms, watch);
}

gboolean engine_opened (gpointer self, Watch *watch, gint64 at_us, GError **error)
{
  AlertEngine *engine = self;
  g_autoptr (Alert) alert = alert_of (engine, watch, at_us);
  alert->silenced = alert->is_untold
    = silence_set_covers (engine->silences, engine->site, alert, clock_wall_us (engine->clock));
  if (!alert->silenced && !tell_opened (engine, alert, error))
    return FALSE;
  watch_set_alert (watch, alert->id);
  watch_case_begin (watch)->is_silenced = alert->silenced;
  if (alert->silenced)
    g_hash_table_add (engine->silenced, watch);
  note_storm (engine, watch, TRUE);
  if (!write_and_announce (engine, alert, NULL, error))
    return FALSE;
  log_notice ("alert %s of rule %s: opened for %s%s%s", alert->id, alert->rule, watch->id,
              alert->silenced ? ", silenced" : "", alert->historical ? ", from late data" : "");
  return TRUE;
}

/* Whoever knows of it hears of it. */
static gboolean tell_further (AlertEngine *engine, const Alert *alert,
                              gboolean (*tell) (gpointer self, Database *database, const Alert *alert, GError **error),
                              GError **error)
{
  if (alert->is_untold)
    tell = alert->incident != NULL ? engine->sink.joined : NULL;
  return tell == NULL || tell (engine->sink.self, engine->database, alert, error);
}

gboolean engine_changed (gpointer self, Watch *watch, gint64 at_us, GError **error)
{
  AlertEngine *engine = self;
  g_autoptr (Alert) alert = find (engine, watch_case (watch)->alert, error);
  const WatchCase *last_case = watch_case (watch);
  (void) at_us;
  if (alert == NULL)
    return FALSE;
  alert->severity = last_case->severity;
  alert->peak = MAX (alert->peak, alert->severity);
  if (last_case->has_value)
    alert->value = last_case->value;
  if (!tell_further (engine, alert, engine->sink.changed, error) || !write_and_announce (engine, alert, NULL, error))
    return FALSE;
  log_notice ("alert %s of rule %s: now %s", alert->id, alert->rule, severity_name (alert->severity));
  return TRUE;
}

gboolean engine_clear_alert (AlertEngine *engine, const char *id, gint64 at_us, const char *note, GError **error)
{
  GError *problem = NULL;
  g_autoptr (Alert) alert = alert_find (engine->database, id, &problem);
  if (problem != NULL) {
    g_propagate_error (error, problem);
    return FALSE;
  }
  if (alert == NULL || alert->cleared_at_us != 0)
    return TRUE;
  alert->cleared_at_us = MAX (at_us, alert->opened_at_us); /* the wall clock may step back */
  if (!tell_further (engine, alert, engine->sink.cleared, error) || !write_and_announce (engine, alert, note, error))
    return FALSE;
  log_notice ("alert %s of rule %s: cleared%s%s", id, alert->rule, note != NULL ? ", " : "", note != NULL ? note : "");
  return TRUE;
}

gboolean engine_cleared (gpointer self, Watch *watch, gint64 at_us, GError **error)
{
  AlertEngine *engine = self;
  g_hash_table_remove (engine->silenced, watch);
  note_storm (engine, watch, FALSE);
  return engine_clear_alert (engine, watch_case (watch)->alert, at_us, NULL, error);
}
