#include "gateway/alert/alert_engine.h"

#include <string.h>

#include "gateway/alert/alert_engine_private.h"
#include "gateway/core/error.h"
#include "gateway/core/log.h"

/* How far the rule clock in the database may lag behind: a hold loses at most that much by a kill. */
enum { KEEP_CLOCK_US = G_USEC_PER_SEC / 2, TICK_US = 10 * G_USEC_PER_SEC, RETRY_US = G_USEC_PER_SEC };

#define DEVICE_CATEGORY "device"
#define DOWNTIME_MAX_US (366 * G_TIME_SPAN_DAY)

static gboolean tick (Database *database, gpointer data, GError **error);

/* The rule clock */

RuleTime engine_now (const AlertEngine *engine)
{
  gint64 rule = engine->clock_base + clock_monotonic_us (engine->clock) - engine->clock_start;
  return (RuleTime){ rule, clock_wall_us (engine->clock) };
}

static gboolean keep_value (AlertEngine *engine, const char *key, gint64 value, GError **error)
{
  return database_run (engine->database, error, "INSERT OR REPLACE INTO sensing (key, value) VALUES (?, ?)", "si", key,
                       value);
}

/* With the wall clock beside it, for holds that count the time in which the gateway didn't run. */
static gboolean keep_clock (AlertEngine *engine, GError **error)
{
  RuleTime now = engine_now (engine);
  if (now.rule - engine->clock_written < KEEP_CLOCK_US)
    return TRUE;
  engine->clock_written = now.rule;
  return keep_value (engine, "rule_clock", now.rule, error) && keep_value (engine, "rule_clock_wall", now.wall, error);
}

/* When the next thing is due, or the rule clock or something else wants writing. */
static gint64 next_tick (const AlertEngine *engine)
{
  gint64 now = engine_now (engine).rule, next = MIN (rules_next (engine->rules), engine_next_storm_end (engine));
  if (rules_have_unkept (engine->rules))
    next = MIN (next, MAX (engine->flushed + TICK_US, now));
  if (rules_have_schedules (engine->rules) || g_hash_table_size (engine->silenced) > 0)
    next = MIN (next, now + TICK_US);
  if (rules_hold (engine->rules))
    next = MIN (next, now + KEEP_CLOCK_US);
  return next;
}

static void arm_at (AlertEngine *engine, gint64 at)
{
  engine->armed = at;
  store_set_timer (engine->store, tick, engine,
                   at == G_MAXINT64 ? at : at - engine->clock_base + engine->clock_start);
}

/* After a reading the timer is only brought forward: most move nothing. */
static void arm_if_sooner (AlertEngine *engine)
{
  gint64 next = next_tick (engine);
  if (next < engine->armed)
    arm_at (engine, next);
}

static gboolean run_tick (AlertEngine *engine, GError **error)
{
  RuleTime now = engine_now (engine);
  if (!rules_pass (engine->rules, now, error) || !engine_look_at_storms (engine, error)
      || !engine_look_at_silences (engine, error))
    return FALSE;
  return (now.rule - engine->flushed < TICK_US || engine_flush (engine, error)) && keep_clock (engine, error);
}

static gboolean tick (Database *database, gpointer data, GError **error)
{
  AlertEngine *engine = data;
  engine->database = database;
  engine->armed = G_MAXINT64; /* a timer that has run is gone */
  if (engine->rules == NULL || !run_tick (engine, error))
    return engine->rules == NULL;
  arm_at (engine, next_tick (engine));
  return TRUE;
}

/* Observations */

gboolean alert_engine_observe (AlertEngine *engine, Database *database, const Observation *observation, GError **error)
{
  engine->database = database;
  if (engine->rules == NULL)
    return TRUE;
  if (!rules_observe (engine->rules, engine_now (engine), observation, error))
    return FALSE;
  engine->last_number = MAX (engine->last_number, observation->number);
  arm_if_sooner (engine);
  return keep_clock (engine, error);
}

/* Conditions that are no readings */

gboolean alert_engine_condition (AlertEngine *engine, Database *database, const AlertCondition *condition,
                                 gboolean is_true, GError **error)
{
  engine->database = database;
  if (engine->rules == NULL)
    return TRUE;
  Watch *watch = rules_own_watch (engine->rules, condition->rule, condition->category, condition->severity,
                                  condition->hold_us, SUBJECT_GATEWAY, condition->subject,
                                  engine->site->gateway.division);
  if (!rules_tell (engine->rules, engine_now (engine), watch, is_true, error))
    return FALSE;
  arm_if_sooner (engine);
  return TRUE;
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
  engine->database = database;
  if (!posted->is_camera)
    return alert_engine_condition (engine, database, &posted->condition, posted->is_true, error);
  Watch *watch = engine->rules != NULL
                   ? rules_watch (engine->rules, posted->rule, SUBJECT_CAMERA, posted->subject) : NULL;
  if (watch == NULL) /* a camera that the site doesn't have any more */
    return TRUE;
  if (!rules_tell (engine->rules, engine_now (engine), watch, posted->is_true, error))
    return FALSE;
  arm_if_sooner (engine);
  return TRUE;
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

/* Silences */

static gboolean load_silences (AlertEngine *engine, GError **error)
{
  SilenceSet *set = silence_set_load (engine->database, clock_wall_us (engine->clock), error);
  if (set == NULL)
    return FALSE;
  silence_set_free (engine->silences);
  engine->silences = set;
  return TRUE;
}

gboolean alert_engine_silences_changed (AlertEngine *engine, Database *database, GError **error)
{
  engine->database = database;
  if (!load_silences (engine, error) || (engine->rules != NULL && !engine_look_at_silences (engine, error)))
    return FALSE;
  if (engine->rules != NULL)
    arm_at (engine, next_tick (engine));
  return TRUE;
}

/* The site */

typedef struct {
  AlertEngine *engine;
  Site *site;
} SetSite;

static void build (AlertEngine *engine, Site *site)
{
  const RulesPort port = { engine, engine_opened, engine_changed, engine_cleared, engine_keep, engine_remember };
  rules_free (engine->rules);
  site_unref (engine->site);
  storm_free (engine->storm);
  engine->site = site_ref (site);
  engine->storm = storm_new ((guint) site->alerts.storm);
  engine->rules = rules_new (site, NULL, &port, engine_now (engine));
}

/* Whether it is the present site and further sensors that a template has become. */
static gboolean is_grown (const AlertEngine *engine, Site *site)
{
  const Site *before = engine->site;
  gboolean is_same = before != NULL && site_configured (engine->site) == site_configured (site)
                     && before->sensors->len <= site->sensors->len;
  for (guint i = 0; is_same && i < before->sensors->len; i++)
    is_same = before->sensors->pdata[i] == site->sensors->pdata[i];
  return is_same;
}

static void grow (AlertEngine *engine, Site *site)
{
  rules_grow (engine->rules, site, engine_now (engine));
  site_unref (engine->site);
  engine->site = site_ref (site);
  arm_at (engine, next_tick (engine));
}

static gboolean set_site (Database *database, gpointer data, GError **error)
{
  SetSite *set = data;
  AlertEngine *engine = set->engine;
  engine->database = database;
  if (engine->rules != NULL && is_grown (engine, set->site)) {
    grow (engine, set->site);
    return TRUE;
  }
  if ((engine->rules != NULL && !engine_flush (engine, error)) || !load_silences (engine, error))
    return FALSE;
  build (engine, set->site);
  if (!engine_load (engine, TRUE, error) || !run_tick (engine, error) || !engine_flush (engine, error))
    return FALSE;
  arm_at (engine, next_tick (engine));
  return TRUE;
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
  engine->database = database;
  engine->clock_written = 0;
  engine->armed = engine_now (engine).rule + RETRY_US;
  store_set_timer (engine->store, tick, engine, clock_monotonic_us (engine->clock) + RETRY_US);
  if (engine->rules == NULL)
    return TRUE;
  rules_forget (engine->rules);
  return load_silences (engine, error) && engine_load (engine, FALSE, error);
}

static gint64 downtime (AlertEngine *engine, Database *reader)
{
  gint64 wall = clock_wall_us (engine->clock);
  gint64 written = database_integer (reader, wall, "SELECT value FROM sensing WHERE key = 'rule_clock_wall'", "");
  return CLAMP (wall - written, 0, DOWNTIME_MAX_US); /* the wall clock may have been set meanwhile */
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
  engine->downtime_us = downtime (engine, reader);
  engine->armed = G_MAXINT64;
  engine->storms = g_hash_table_new (NULL, NULL);
  engine->silenced = g_hash_table_new (NULL, NULL);
  store_add_rollback (store, reload, engine);
  return engine;
}

void alert_engine_free (AlertEngine *engine)
{
  if (engine == NULL)
    return;
  silence_set_free (engine->silences);
  g_hash_table_unref (engine->silenced);
  g_hash_table_unref (engine->storms);
  storm_free (engine->storm);
  rules_free (engine->rules);
  site_unref (engine->site);
  g_free (engine);
}
