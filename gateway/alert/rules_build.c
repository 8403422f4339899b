/* rules_build.c: the index of rules: which watches a reading of a sensor's metric concerns. */
#include <string.h>

#include "gateway/alert/rules_private.h"
#include "gateway/core/topic_filter.h"

#define DEVICE_CATEGORY "device"

guint watch_hash (gconstpointer watch)
{
  const Watch *one = watch;
  return g_str_hash (one->plan->rule->id) * 31 + g_str_hash (one->id) + (guint) one->kind;
}

gboolean watch_equal (gconstpointer left, gconstpointer right)
{
  const Watch *one = left, *other = right;
  return one->kind == other->kind && strcmp (one->id, other->id) == 0
         && strcmp (one->plan->rule->id, other->plan->rule->id) == 0;
}

void rules_add_watch (Rules *rules, Watch *watch)
{
  Awaited *awaited = g_hash_table_lookup (rules->awaited, watch->plan->rule->id);
  g_hash_table_add (rules->watches, watch);
  if (awaited != NULL)
    g_ptr_array_add (awaited->watches, watch);
}

static Watch *watch_for (Rules *rules, RulePlan *plan, SubjectKind kind, const char *id, const char *grid)
{
  Watch *known = rules_watch (rules, plan->rule->id, kind, id);
  if (known != NULL)
    return known;
  Watch *watch = watch_new (plan, kind, id, grid);
  rules_add_watch (rules, watch);
  return watch;
}

static Series *series_of (SensorFeeds *sensor, const char *metric)
{
  for (guint i = 0; i < sensor->series_count; i++)
    if (strcmp (sensor->series[i].metric, metric) == 0)
      return &sensor->series[i];
  sensor->series = g_renew (Series, sensor->series, sensor->series_count + 1);
  sensor->series[sensor->series_count] = (Series){ .metric = metric };
  return &sensor->series[sensor->series_count++];
}

static void append (FeedList *list, Feed *feed)
{
  if (list->last != NULL)
    list->last->next = feed;
  else
    list->first = feed;
  list->last = feed;
}

static void add_feed (Rules *rules, Watch *watch, const Sensor *sensor, const char *metric, guint term, gint64 now)
{
  SensorFeeds *feeds = rules_sensor (rules, sensor->id);
  const RulePlan *plan = watch->plan;
  const Judge *judge = plan->terms > 0 ? &plan->term[term] : &plan->step[0];
  Feed *feed = g_new0 (Feed, 1);
  feed->watch = watch;
  feed->sensor = sensor->id;
  feed->term = (guint8) term;
  feed->heard = now;
  if (judge_needs_window (judge)) {
    feed->window = g_new (RateWindow, 1);
    rate_window_init (feed->window);
  }
  g_ptr_array_add (rules->feeds, feed);
  if (rule_plan_is_silent (plan)) /* it is known from the first flush on since when nothing was heard */
    rules_keep_feed_later (rules, feed);
  append (metric != NULL ? &series_of (feeds, metric)->feeds : &feeds->silent, feed);
}

static const char *metric_of (const Sensor *sensor, const char *name)
{
  for (guint i = 0; i < sensor->metrics->len; i++) {
    const Metric *metric = sensor->metrics->pdata[i];
    if (name == NULL || strcmp (metric->name, name) == 0)
      return metric->name;
  }
  return NULL;
}

static gboolean rule_matches (const Site *site, const Rule *rule, const Sensor *sensor)
{
  if (rule->match_sensors != NULL && !g_strv_contains ((const char *const *) rule->match_sensors, sensor->id))
    return FALSE;
  if (rule->match_topic != NULL && !topic_filter_covers (rule->match_topic, sensor->topic))
    return FALSE;
  return rule->match_grid == NULL || site_grid_is_within (site, sensor->grid, rule->match_grid);
}

static void add_terms (Rules *rules, RulePlan *plan, const Sensor *sensor, gint64 now)
{
  const RuleWhen *when = &plan->rule->when;
  const GPtrArray *terms = when->all != NULL ? when->all : when->any;
  for (guint i = 0; i < plan->terms; i++) {
    const RuleTerm *term = terms->pdata[i];
    const char *metric = metric_of (sensor, term->metric);
    if (metric != NULL
        && (term->sensors == NULL || g_strv_contains ((const char *const *) term->sensors, sensor->id)))
      add_feed (rules, watch_for (rules, plan, SUBJECT_GRID, sensor->grid, sensor->grid), sensor, metric, i, now);
  }
}

static void add_rule (Rules *rules, RulePlan *plan, guint from, gint64 now)
{
  const Rule *rule = plan->rule;
  gboolean any_metric = rule_plan_is_silent (plan) && rule->match_metric == NULL;
  for (guint i = from; i < rules->site->sensors->len; i++) {
    const Sensor *sensor = rules->site->sensors->pdata[i];
    if (!rule_matches (rules->site, rule, sensor))
      continue;
    const char *metric = metric_of (sensor, rule->match_metric);
    if (plan->terms > 0)
      add_terms (rules, plan, sensor, now);
    else if (metric != NULL)
      add_feed (rules, watch_for (rules, plan, SUBJECT_SENSOR, sensor->id, sensor->grid), sensor,
                any_metric ? NULL : metric, 0, now);
  }
}

static RulePlan *own_plan (Rules *rules, const char *id, const char *category, Severity severity, gint64 silent_us,
                           gint64 hold_us)
{
  gboolean is_of_devices = strcmp (id, "sensor_silent") == 0 || strcmp (id, "camera_down") == 0;
  char *key = g_strdup_printf ("%s\n%s\n%d\n%" G_GINT64_FORMAT "\n%" G_GINT64_FORMAT, id, category, (int) severity,
                               silent_us, hold_us);
  RulePlan *plan = g_hash_table_lookup (rules->own_plans, key);
  if (plan != NULL) {
    g_free (key);
    return plan;
  }
  plan = rule_plan_new_built_in (id, category, severity, silent_us, hold_us,
                                 is_of_devices ? &site_configured (rules->site)->alerts.unless : NULL);
  g_ptr_array_add (rules->plans, plan);
  g_hash_table_insert (rules->own_plans, key, plan);
  return plan;
}

static void add_silent_sensors (Rules *rules, guint from, gint64 now)
{
  for (guint i = from; i < rules->site->sensors->len; i++) {
    const Sensor *sensor = rules->site->sensors->pdata[i];
    if (sensor->silent_after_us == 0)
      continue;
    RulePlan *plan = own_plan (rules, "sensor_silent", DEVICE_CATEGORY, SEVERITY_MODERATE, sensor->silent_after_us, 0);
    add_feed (rules, watch_for (rules, plan, SUBJECT_SENSOR, sensor->id, sensor->grid), sensor, NULL, 0, now);
  }
}

static void add_cameras (Rules *rules)
{
  for (guint i = 0; i < rules->site->cameras->len; i++) {
    const Camera *camera = rules->site->cameras->pdata[i];
    watch_for (rules, own_plan (rules, "camera_down", DEVICE_CATEGORY, SEVERITY_MODERATE, 0, camera->down_after_us),
               SUBJECT_CAMERA, camera->id, camera->grid);
    watch_for (rules, own_plan (rules, "recording_stopped", DEVICE_CATEGORY, SEVERITY_SEVERE, 0, 0), SUBJECT_CAMERA,
               camera->id, camera->grid);
  }
}

Watch *rules_own_watch (Rules *rules, const char *rule, const char *category, Severity severity, gint64 hold_us,
                        SubjectKind kind, const char *id, const char *grid)
{
  RulePlan *plan = own_plan (rules, rule, category, severity, 0, hold_us);
  Watch *watch = rules_watch (rules, rule, kind, id);
  if (watch == NULL) {
    char *own_id = g_strdup (id);
    watch = watch_new (plan, kind, own_id, g_intern_string (grid));
    watch->own_id = own_id;
    rules_add_watch (rules, watch);
  }
  watch->plan = plan; /* it may hold for another time now */
  return watch;
}

static void await (Rules *rules, const Unless *unless)
{
  if (unless->alert == NULL)
    return;
  Awaited *awaited = g_hash_table_lookup (rules->awaited, unless->alert);
  if (awaited == NULL) {
    awaited = g_new0 (Awaited, 1);
    awaited->watches = g_ptr_array_new ();
    g_hash_table_insert (rules->awaited, (gpointer) unless->alert, awaited);
  }
  awaited->recovery_us = MAX (awaited->recovery_us, unless->recovery_us);
}

static void add_sensors (Rules *rules, guint from)
{
  for (guint i = from; i < rules->site->sensors->len; i++) {
    SensorFeeds *feeds = g_new0 (SensorFeeds, 1);
    g_hash_table_insert (rules->sensors, ((Sensor *) rules->site->sensors->pdata[i])->id, feeds);
  }
}

void rules_build (Rules *rules, const GPtrArray *only, RuleTime now)
{
  const GPtrArray *list = only != NULL ? only : rules->site->rules;
  rules->has_own = only == NULL;
  add_sensors (rules, 0);
  await (rules, &rules->site->alerts.unless);
  for (guint i = 0; i < list->len; i++)
    await (rules, &((const Rule *) list->pdata[i])->unless);
  for (guint i = 0; i < list->len; i++) {
    RulePlan *plan = rule_plan_new (list->pdata[i]);
    g_ptr_array_add (rules->plans, plan);
    rules->has_schedules |= plan->has_schedule;
    if (plan->has_schedule)
      plan->is_active = schedule_is_active (&plan->schedule, rules->zone, now.wall);
    add_rule (rules, plan, 0, now.rule);
  }
  if (rules->has_own) {
    add_silent_sensors (rules, 0, now.rule);
    add_cameras (rules);
  }
}

/* What borrows from the sensors of before is not in danger: all of them are of the new site, too. */
void rules_grow (Rules *rules, Site *site, RuleTime now)
{
  Site *before = rules->site;
  guint from = before->sensors->len, feeds = rules->feeds->len;
  rules->site = site_ref (site);
  add_sensors (rules, from);
  for (guint i = 0, plans = rules->plans->len; i < plans; i++) {
    RulePlan *plan = rules->plans->pdata[i];
    if (plan->own == NULL)
      add_rule (rules, plan, from, now.rule);
  }
  if (rules->has_own)
    add_silent_sensors (rules, from, now.rule);
  for (guint i = feeds; i < rules->feeds->len; i++)
    rules_arm (rules, ((const Feed *) rules->feeds->pdata[i])->watch, now.rule);
  site_unref (before);
}
