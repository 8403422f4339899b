#include "gateway/alert/rules.h"

#include <string.h>

#include "gateway/alert/rules_private.h"

static void sensor_feeds_free (gpointer data)
{
  SensorFeeds *feeds = data;
  g_free (feeds->series);
  g_free (feeds);
}

static void feed_free (gpointer data)
{
  Feed *feed = data;
  g_free (feed->window);
  g_free (feed);
}

static void late_free (gpointer data)
{
  RulesLate *late = data;
  late->feed->late = NULL;
  watch_free (late->watch);
  g_free (late->window);
  g_free (late);
}

static void awaited_free (gpointer data)
{
  Awaited *awaited = data;
  g_ptr_array_unref (awaited->watches);
  g_free (awaited);
}

static void free_watch (gpointer data)
{
  watch_free (data);
}

static void free_plan (gpointer data)
{
  rule_plan_free (data);
}

Rules *rules_new (Site *site, const GPtrArray *only, const RulesPort *port, RuleTime now)
{
  Rules *rules = g_new0 (Rules, 1);
  rules->port = *port;
  rules->site = site_ref (site);
  rules->zone = g_time_zone_new_identifier (site->gateway.time_zone);
  if (rules->zone == NULL)
    rules->zone = g_time_zone_new_utc ();
  rules->plans = g_ptr_array_new_with_free_func (free_plan);
  rules->own_plans = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  rules->watches = g_hash_table_new_full (watch_hash, watch_equal, free_watch, NULL);
  rules->late = g_hash_table_new_full (NULL, NULL, NULL, late_free);
  rules->feeds = g_ptr_array_new_with_free_func (feed_free);
  rules->sensors = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, sensor_feeds_free);
  rules->awaited = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, awaited_free);
  rules->quiet = g_hash_table_new (NULL, NULL);
  rules->unkept = g_hash_table_new (NULL, NULL);
  rules->unkept_feeds = g_ptr_array_new ();
  rules->heap = due_heap_new ();
  rules_build (rules, only, now);
  rules_loaded (rules, now.rule, 0);
  return rules;
}

void rules_free (Rules *rules)
{
  if (rules == NULL)
    return;
  due_heap_free (rules->heap);
  g_ptr_array_unref (rules->unkept_feeds);
  g_hash_table_unref (rules->unkept);
  g_hash_table_unref (rules->quiet);
  g_hash_table_unref (rules->awaited);
  g_hash_table_unref (rules->sensors);
  g_hash_table_unref (rules->late);
  g_ptr_array_unref (rules->feeds);
  g_hash_table_unref (rules->watches);
  g_hash_table_unref (rules->own_plans);
  g_ptr_array_unref (rules->plans);
  g_time_zone_unref (rules->zone);
  site_unref (rules->site);
  g_free (rules);
}

/* Looking up */

SensorFeeds *rules_sensor (const Rules *rules, const char *sensor)
{
  return g_hash_table_lookup (rules->sensors, sensor);
}

const Series *sensor_series (const SensorFeeds *sensor, const char *metric)
{
  for (guint i = 0; i < sensor->series_count; i++)
    if (strcmp (sensor->series[i].metric, metric) == 0)
      return &sensor->series[i];
  return NULL;
}

Watch *rules_watch (const Rules *rules, const char *rule, SubjectKind kind, const char *id)
{
  Rule wanted_rule = { .id = (char *) rule };
  RulePlan plan = { .rule = &wanted_rule };
  Watch wanted = { .plan = &plan, .kind = kind, .id = id };
  return g_hash_table_lookup (rules->watches, &wanted);
}

static Feed *find_feed (Feed *feed, const char *rule, guint term)
{
  while (feed != NULL && (feed->term != term || strcmp (feed->watch->plan->rule->id, rule) != 0))
    feed = feed->next;
  return feed;
}

Feed *rules_feed (const Rules *rules, const char *rule, const char *sensor, guint term)
{
  const SensorFeeds *feeds = rules_sensor (rules, sensor);
  Feed *found = feeds != NULL ? find_feed (feeds->silent.first, rule, term) : NULL;
  for (guint i = 0; feeds != NULL && found == NULL && i < feeds->series_count; i++)
    found = find_feed (feeds->series[i].feeds.first, rule, term);
  return found;
}

void rules_each (const Rules *rules, void (*each) (Watch *watch, gpointer data), gpointer data)
{
  g_autoptr (GList) watches = g_hash_table_get_keys (rules->watches); /* what is done may make further ones */
  for (GList *at = watches; at != NULL; at = at->next)
    each (at->data, data);
}

/* Late data */

RulesLate *rules_begin_late (Rules *rules, Feed *feed)
{
  const Watch *live = feed->watch;
  RulesLate *late = g_new0 (RulesLate, 1);
  late->feed = feed;
  late->watch = watch_new (live->plan, SUBJECT_LATE, live->id, live->grid);
  if (feed->window != NULL) {
    late->window = g_new (RateWindow, 1);
    rate_window_init (late->window);
  }
  feed->late = late;
  g_hash_table_insert (rules->late, late->watch, late);
  return late;
}

Watch *rules_late_watch (Rules *rules, const char *rule, const char *sensor)
{
  Feed *feed = rules_feed (rules, rule, sensor, 0);
  if (feed == NULL || feed->watch->kind != SUBJECT_SENSOR || rule_plan_is_silent (feed->watch->plan))
    return NULL;
  return (feed->late != NULL ? feed->late : rules_begin_late (rules, feed))->watch;
}

gboolean rules_end_late (Rules *rules, RulesLate *late, RuleTime now, GError **error)
{
  Watch *watch = late->watch;
  gboolean was_plain = watch_is_plain (watch);
  watch_reset_steps (watch);
  if (!rules_settle (rules, watch, now, watch_case (watch)->reading_at_us, !was_plain, error))
    return FALSE;
  due_heap_set (rules->heap, watch, G_MAXINT64);
  g_hash_table_remove (rules->unkept, watch);
  g_hash_table_remove (rules->late, watch);
  return TRUE;
}

/* What keeps others quiet */

static gboolean keeps_quiet (const Rules *rules, const Watch *cause, const Watch *watch, gint64 now)
{
  gint64 ended = watch_case (cause)->ended;
  gboolean is_so = watch_has_alert (cause) || (ended != 0 && now < ended + watch->plan->unless->recovery_us);
  return is_so && site_grid_is_within (rules->site, watch->grid, cause->grid);
}

static gboolean is_kept_quiet (const Rules *rules, const Watch *watch, gint64 now)
{
  const Unless *unless = watch->kind != SUBJECT_LATE ? watch->plan->unless : NULL;
  const Awaited *awaited = unless != NULL ? g_hash_table_lookup (rules->awaited, unless->alert) : NULL;
  for (guint i = 0; awaited != NULL && i < awaited->watches->len; i++)
    if (keeps_quiet (rules, awaited->watches->pdata[i], watch, now))
      return TRUE;
  return FALSE;
}

static void note_end (Rules *rules, Watch *watch, gint64 now)
{
  const Awaited *awaited
    = watch->kind != SUBJECT_LATE ? g_hash_table_lookup (rules->awaited, watch->plan->rule->id) : NULL;
  if (awaited == NULL)
    return;
  watch_case_begin (watch)->ended = awaited->recovery_us > 0 ? MAX (now, 1) : 0;
  rules->may_speak = TRUE;
}

/* Those that wait may have waits of different length: each is looked at when one of them may end. */
static gint64 end_of_recovery (const Rules *rules, const Watch *watch)
{
  gint64 ended = watch_case (watch)->ended;
  const Awaited *awaited = ended != 0 ? g_hash_table_lookup (rules->awaited, watch->plan->rule->id) : NULL;
  return awaited != NULL ? ended + awaited->recovery_us : 0;
}

/* From machines to alerts */

static gint64 silent_due (const Watch *watch, gint64 heard)
{
  gint64 due = G_MAXINT64;
  for (guint i = 0; i < watch->plan->steps; i++)
    if ((watch->step[i].phase == STEP_OFF || watch->step[i].phase == STEP_CLEARING)
        && watch->step[i].truth != TRUTH_TRUE)
      due = MIN (due, heard + watch->plan->step[i].window_us);
  return due;
}

static const Feed *silent_feed (const Rules *rules, const Watch *watch)
{
  return rule_plan_is_silent (watch->plan) ? rules_feed (rules, watch->plan->rule->id, watch->id, 0) : NULL;
}

static gint64 due_of (const Rules *rules, const Watch *watch, gint64 now)
{
  gint64 due = watch_next_due (watch), until;
  const Feed *silent = silent_feed (rules, watch);
  if (watch->kind == SUBJECT_LATE)
    return now + LATE_IDLE_US;
  if (silent != NULL)
    due = MIN (due, silent_due (watch, silent->heard));
  if (watch->plan->terms > 0 && watch->step[0].truth == TRUTH_TRUE) { /* until somebody looks at its end */
    watch_terms (watch, now, &until);
    due = MIN (due, until);
  }
  if (watch_case (watch)->ended != 0)
    due = MIN (due, MAX (end_of_recovery (rules, watch), now));
  return due;
}

/* The rule clock must be kept while some hold runs. */
static void note_hold (Rules *rules, Watch *watch)
{
  gboolean is_holding = watch->kind != SUBJECT_LATE && watch_next_due (watch) != G_MAXINT64;
  if (is_holding != watch->is_holding)
    rules->holds += is_holding ? 1 : -1;
  watch->is_holding = is_holding;
}

static gboolean settle_alert (Rules *rules, Watch *watch, RuleTime now, gint64 at_us, gboolean *is_changed, GError **error)
{
  const RulesPort *port = &rules->port;
  guint level = watch_level (watch);
  Severity severity = level > 0 ? watch->plan->severity[level - 1] : watch_case (watch)->severity;
  gboolean is_open = watch_has_alert (watch);
  if (level > 0 && !is_open && is_kept_quiet (rules, watch, now.rule))
    return g_hash_table_add (rules->quiet, watch), TRUE;
  g_hash_table_remove (rules->quiet, watch);
  if (level > 0 ? is_open && severity == watch_case (watch)->severity : !is_open)
    return TRUE;
  *is_changed = TRUE;
  watch_case_begin (watch)->severity = severity;
  if (level > 0)
    return is_open ? port->changed (port->self, watch, at_us, error) : port->opened (port->self, watch, at_us, error);
  if (!port->cleared (port->self, watch, at_us, error))
    return FALSE;
  watch_set_alert (watch, "");
  watch_case_begin (watch)->is_silenced = FALSE;
  note_end (rules, watch, now.rule);
  return TRUE;
}

gboolean rules_settle (Rules *rules, Watch *watch, RuleTime now, gint64 at_us, gboolean is_changed, GError **error)
{
  if (!settle_alert (rules, watch, now, at_us, &is_changed, error))
    return FALSE;
  if (!is_changed)
    return TRUE;
  due_heap_set (rules->heap, watch, due_of (rules, watch, now.rule));
  note_hold (rules, watch);
  g_hash_table_remove (rules->unkept, watch);
  return rules->port.keep == NULL || rules->port.keep (rules->port.self, watch, error);
}

gboolean rules_tell (Rules *rules, RuleTime now, Watch *watch, gboolean is_so, GError **error)
{
  gboolean is_changed = watch_see (watch, 0, is_so ? TRUTH_TRUE : TRUTH_FALSE, now.rule);
  return rules_settle (rules, watch, now, now.wall, is_changed, error) && rules_let_speak (rules, now, error);
}

/* Time */

gboolean rules_let_speak (Rules *rules, RuleTime now, GError **error)
{
  if (!rules->may_speak)
    return TRUE;
  rules->may_speak = FALSE;
  g_autoptr (GList) quiet = g_hash_table_get_keys (rules->quiet);
  for (GList *at = quiet; at != NULL; at = at->next)
    if (!rules_settle (rules, at->data, now, now.wall, FALSE, error))
      return FALSE;
  return TRUE;
}

typedef struct {
  Rules *rules;
  RulePlan *plan;
  RuleTime now;
  GError **error;
  gboolean is_good;
} Turn;

static void turn_watch (Watch *watch, gpointer data)
{
  Turn *turn = data;
  if (watch->plan != turn->plan || !turn->is_good)
    return;
  gboolean is_changed = watch_turn (watch, turn->plan->is_active, turn->now.rule);
  turn->is_good = rules_settle (turn->rules, watch, turn->now, turn->now.wall, is_changed, turn->error);
}

gboolean rules_look_at_schedules (Rules *rules, RuleTime now, GError **error)
{
  gint64 minute = now.wall / G_TIME_SPAN_MINUTE;
  if (!rules->has_schedules || minute == rules->minute)
    return TRUE;
  rules->minute = minute;
  for (guint i = 0; i < rules->plans->len; i++) {
    RulePlan *plan = rules->plans->pdata[i];
    gboolean is_active = !plan->has_schedule || schedule_is_active (&plan->schedule, rules->zone, now.wall);
    if (is_active == plan->is_active)
      continue;
    plan->is_active = is_active;
    Turn turn = { rules, plan, now, error, TRUE };
    rules_each (rules, turn_watch, &turn);
    if (!turn.is_good)
      return FALSE;
  }
  return TRUE;
}

static gboolean pass_silent (Watch *watch, const Feed *feed, gint64 now)
{
  gboolean is_changed = FALSE;
  for (guint i = 0; i < watch->plan->steps; i++)
    if (now - feed->heard >= watch->plan->step[i].window_us)
      is_changed |= watch_see (watch, i, TRUTH_TRUE, now);
  return is_changed;
}

static gboolean pass_watch (Rules *rules, Watch *watch, RuleTime now, GError **error)
{
  gint64 until;
  const Feed *silent = silent_feed (rules, watch);
  if (watch->kind == SUBJECT_LATE)
    return rules_end_late (rules, g_hash_table_lookup (rules->late, watch), now, error);
  gboolean is_changed = watch_pass (watch, now.rule);
  if (silent != NULL)
    is_changed |= pass_silent (watch, silent, now.rule);
  if (watch->plan->terms > 0 && watch_terms (watch, now.rule, &until) == TRUTH_FALSE)
    is_changed |= watch_see (watch, 0, TRUTH_FALSE, now.rule);
  if (watch_case (watch)->ended != 0 && end_of_recovery (rules, watch) <= now.rule) {
    watch_case_begin (watch)->ended = 0;
    rules->may_speak = is_changed = TRUE;
  }
  due_heap_set (rules->heap, watch, due_of (rules, watch, now.rule)); /* it may have been heard meanwhile */
  return rules_settle (rules, watch, now, now.wall, is_changed, error);
}

gboolean rules_pass (Rules *rules, RuleTime now, GError **error)
{
  Watch *watch;
  if (!rules_look_at_schedules (rules, now, error))
    return FALSE;
  while ((watch = due_heap_first (rules->heap)) != NULL && watch->due <= now.rule)
    if (!pass_watch (rules, watch, now, error))
      return FALSE;
  return rules_let_speak (rules, now, error);
}

gint64 rules_next (const Rules *rules)
{
  const Watch *watch = due_heap_first (rules->heap);
  return watch != NULL ? watch->due : G_MAXINT64;
}

gboolean rules_hold (const Rules *rules)
{
  return rules->holds > 0;
}

gboolean rules_have_schedules (const Rules *rules)
{
  return rules->has_schedules;
}

/* States from outside */

static void count_downtime (Watch *watch, gint64 downtime_us)
{
  for (guint i = 0; i < watch->plan->steps; i++)
    if (watch->step[i].due != 0)
      watch->step[i].due -= downtime_us;
}

void rules_arm (Rules *rules, Watch *watch, gint64 now)
{
  due_heap_set (rules->heap, watch, due_of (rules, watch, now));
}

static void take_up (Rules *rules, Watch *watch, gint64 now, gint64 downtime_us)
{
  if (watch->plan->counts_downtime && watch->kind != SUBJECT_LATE && downtime_us > 0) {
    count_downtime (watch, downtime_us);
    g_hash_table_add (rules->unkept, watch);
  }
  if (watch->kind != SUBJECT_LATE && watch_level (watch) > 0 && !watch_has_alert (watch))
    g_hash_table_add (rules->quiet, watch);
  rules_arm (rules, watch, now);
  note_hold (rules, watch);
}

void rules_loaded (Rules *rules, gint64 now, gint64 downtime_us)
{
  GHashTableIter iter;
  gpointer watch;
  g_hash_table_remove_all (rules->quiet);
  g_hash_table_remove_all (rules->unkept);
  rules->may_speak = TRUE;
  g_hash_table_iter_init (&iter, rules->watches);
  while (g_hash_table_iter_next (&iter, &watch, NULL))
    take_up (rules, watch, now, downtime_us);
  g_hash_table_iter_init (&iter, rules->late);
  while (g_hash_table_iter_next (&iter, &watch, NULL))
    take_up (rules, watch, now, 0);
}
