/* rules_read.c: what readings say: live ones, those that only tell a state, and those that came late. */
#include "gateway/alert/rules_private.h"

/* What a reading says to each step (or to the one term) of a feed's rule. */
typedef struct {
  Truth truth[PLAN_STEPS_MAX];
  guint count;
  gboolean is_moment; /* what is so is over at once: a change */
} Verdict;

static Verdict verdict_of_change (guint64 word, guint8 *has_last, guint64 *last, gboolean *is_news)
{
  Verdict verdict = { .count = 1, .is_moment = TRUE };
  verdict.truth[0] = *has_last && word != *last ? TRUTH_TRUE : TRUTH_BETWEEN;
  *is_news = !*has_last || word != *last;
  *has_last = TRUE;
  *last = word;
  return verdict;
}

static Verdict verdict_of_amount (const Judge *judges, guint count, double amount)
{
  Verdict verdict = { .count = count };
  for (guint i = 0; i < count; i++)
    verdict.truth[i] = judge_amount (&judges[i], amount);
  return verdict;
}

static double difference (const Judge *judge, RateWindow *window, gint64 now, double value)
{
  return rate_window_take (window, judge->window_us, now, judge->condition == CONDITION_FALL ? -value : value);
}

static const Judge *judges_of (const Feed *feed, guint *count)
{
  const RulePlan *plan = feed->watch->plan;
  *count = plan->terms > 0 ? 1 : plan->steps;
  return plan->terms > 0 ? &plan->term[feed->term] : plan->step;
}

/* Live ones */

static gboolean judge_live_change (Rules *rules, Feed *feed, const Observation *observation, Verdict *verdict,
                                   GError **error)
{
  gboolean is_news;
  feed->last_at_us = observation->phenomenon_time_us;
  *verdict = verdict_of_change (reading_word (observation), &feed->has_last, &feed->last, &is_news);
  return !is_news || rules->port.remember == NULL || rules->port.remember (rules->port.self, feed, error);
}

static gboolean judge_live (Rules *rules, Feed *feed, RuleTime now, const Observation *observation, Verdict *verdict,
                            GError **error)
{
  guint count;
  const Judge *judges = judges_of (feed, &count);
  if (judges->condition == CONDITION_CHANGED)
    return judge_live_change (rules, feed, observation, verdict, error);
  if (judges->condition == CONDITION_EQUALS) {
    *verdict = (Verdict){ .truth = { judge_equal (judges, observation) }, .count = 1 };
    return TRUE;
  }
  double amount = observation->value;
  if (feed->window != NULL) {
    amount = difference (judges, feed->window, now.rule, observation->value);
    rules_keep_feed_later (rules, feed);
  }
  *verdict = verdict_of_amount (judges, count, amount);
  return TRUE;
}

static void take_reading (Watch *watch, const Feed *feed, const Observation *observation)
{
  WatchCase *last_case = watch_case_begin (watch);
  last_case->sensor = feed->sensor;
  last_case->reading_at_us = observation->phenomenon_time_us;
  last_case->has_value = observation->kind != VALUE_TEXT;
  last_case->value = observation->value;
  if (g_strcmp0 (last_case->unit, observation->unit) != 0)
    last_case->unit = g_intern_string (observation->unit);
}

static gboolean is_off (const Watch *watch)
{
  for (guint i = 0; i < watch->plan->steps; i++)
    if (watch->step[i].phase != STEP_OFF)
      return FALSE;
  return TRUE;
}

static gboolean is_so (const Verdict *verdict)
{
  for (guint i = 0; i < verdict->count; i++)
    if (verdict->truth[i] == TRUTH_TRUE)
      return TRUE;
  return FALSE;
}

/* A count makes the truth of what is so often enough; FALSE when it isn't yet. */
static gboolean count_in (Watch *watch, Verdict *verdict, gboolean is_active, gint64 now)
{
  if (watch->plan->count == 1 || verdict->truth[0] != TRUTH_TRUE)
    return FALSE;
  if (!is_active || !watch_count (watch, now))
    verdict->truth[0] = TRUTH_BETWEEN;
  return is_active;
}

static gboolean see_all (Watch *watch, const Verdict *verdict, gint64 now)
{
  gboolean is_changed = FALSE;
  for (guint i = 0; i < verdict->count; i++)
    if (!verdict->is_moment || verdict->truth[i] == TRUTH_TRUE)
      is_changed |= watch_see (watch, i, verdict->truth[i], now);
  return is_changed;
}

/* Takes a verdict, and for a change its end. `clock`: the watch's; `at_us`: what an alert shows. */
static gboolean take_verdict (Rules *rules, Watch *watch, const Verdict *verdict, gint64 clock, RuleTime now,
                              gint64 at_us, gboolean is_changed, GError **error)
{
  is_changed |= see_all (watch, verdict, clock);
  if (!rules_settle (rules, watch, now, at_us, is_changed, error))
    return FALSE;
  if (!verdict->is_moment || verdict->truth[0] != TRUTH_TRUE)
    return TRUE;
  is_changed = watch_see (watch, 0, TRUTH_FALSE, clock);
  return rules_settle (rules, watch, now, at_us, is_changed, error);
}

static gboolean read_term (Rules *rules, Feed *feed, RuleTime now, const Observation *observation, Verdict *verdict,
                           GError **error)
{
  Watch *watch = feed->watch;
  gint64 until;
  if (!is_so (verdict))
    return TRUE;
  watch_term (watch, feed->term, now.rule);
  take_reading (watch, feed, observation);
  Verdict whole = { .truth = { watch_terms (watch, now.rule, &until) }, .count = 1 };
  return take_verdict (rules, watch, &whole, now.rule, now, now.wall, TRUE, error);
}

static gboolean read_live (Rules *rules, Feed *feed, RuleTime now, const Observation *observation, GError **error)
{
  Watch *watch = feed->watch;
  Verdict verdict;
  if (!judge_live (rules, feed, now, observation, &verdict, error))
    return FALSE;
  if (watch->plan->terms > 0)
    return read_term (rules, feed, now, observation, &verdict, error);
  gboolean was_off = is_off (watch);
  gboolean was_so = is_so (&verdict);
  gboolean is_changed = count_in (watch, &verdict, watch->plan->is_active, now.rule);
  if (!was_off || was_so) {
    gboolean is_other
      = watch->is_holding && watch_case (watch)->value != observation->value && observation->kind != VALUE_TEXT;
    take_reading (watch, feed, observation);
    is_changed |= is_other;
    if (!was_off && rules->port.keep != NULL)
      g_hash_table_add (rules->unkept, watch);
  }
  return take_verdict (rules, watch, &verdict, now.rule, now, now.wall, is_changed, error);
}

/* States: what a broker had kept, and late data that is newer than all that is known. They start nothing, but what is
 * surely over is over. */
static gboolean read_state (Rules *rules, Feed *feed, RuleTime now, const Observation *observation, GError **error)
{
  Watch *watch = feed->watch;
  guint count;
  const Judge *judges = judges_of (feed, &count);
  gboolean is_newer = observation->quality == QUALITY_GOOD && observation->phenomenon_time_us > watch_case (watch)->reading_at_us;
  if (watch->plan->terms > 0 || feed->window != NULL)
    return TRUE;
  if (judges->condition == CONDITION_CHANGED) {
    gboolean is_news;
    if (feed->has_last && (!is_newer || observation->phenomenon_time_us <= feed->last_at_us))
      return TRUE;
    verdict_of_change (reading_word (observation), &feed->has_last, &feed->last, &is_news);
    return !is_news || rules->port.remember == NULL || rules->port.remember (rules->port.self, feed, error);
  }
  if (!is_newer || is_off (watch))
    return TRUE;
  Verdict verdict = { .truth = { TRUTH_FALSE }, .count = 1 };
  if (judges->condition == CONDITION_EQUALS)
    verdict.truth[0] = judge_equal (judges, observation);
  else
    verdict = verdict_of_amount (judges, count, observation->value);
  gboolean is_changed = FALSE;
  for (guint i = 0; i < verdict.count; i++)
    if (verdict.truth[i] != TRUTH_TRUE)
      is_changed |= watch_see (watch, i, verdict.truth[i], now.rule);
  return rules_settle (rules, watch, now, now.wall, is_changed, error);
}

/* Late ones */

static Verdict judge_late (RulesLate *late, const Observation *observation, gint64 at_us)
{
  guint count;
  gboolean is_news;
  const Judge *judges = judges_of (late->feed, &count);
  if (judges->condition == CONDITION_CHANGED)
    return verdict_of_change (reading_word (observation), &late->has_last, &late->last, &is_news);
  if (judges->condition == CONDITION_EQUALS)
    return (Verdict){ .truth = { judge_equal (judges, observation) }, .count = 1 };
  double amount = observation->value;
  if (late->window != NULL)
    amount = difference (judges, late->window, at_us, observation->value);
  return verdict_of_amount (judges, count, amount);
}

/* Holds that would have ended between two late readings. */
static gboolean pass_late (Rules *rules, Watch *watch, RuleTime now, gint64 at_us, GError **error)
{
  for (gint64 due = watch_next_due (watch); due <= at_us; due = watch_next_due (watch))
    if (watch_pass (watch, due) && !rules_settle (rules, watch, now, due, TRUE, error))
      return FALSE;
  return TRUE;
}

static void keep_from_starting (Verdict *verdict)
{
  for (guint i = 0; i < verdict->count; i++)
    if (verdict->truth[i] == TRUTH_TRUE)
      verdict->truth[i] = TRUTH_BETWEEN;
}

static gboolean read_late (Rules *rules, Feed *feed, RuleTime now, const Observation *observation, GError **error)
{
  gint64 at_us = observation->phenomenon_time_us;
  const RulePlan *plan = feed->watch->plan;
  if (plan->terms > 0 || observation->quality != QUALITY_GOOD)
    return TRUE;
  RulesLate *late = feed->late != NULL ? feed->late : rules_begin_late (rules, feed);
  Watch *watch = late->watch;
  if (at_us <= watch_case (watch)->reading_at_us) /* older than what was gone through already */
    return TRUE;
  if (!pass_late (rules, watch, now, at_us, error))
    return FALSE;
  Verdict verdict = judge_late (late, observation, at_us);
  gboolean is_active = !plan->has_schedule || schedule_is_active (&plan->schedule, rules->zone, at_us);
  if (!is_active && !verdict.is_moment)
    keep_from_starting (&verdict);
  gboolean is_counted = count_in (watch, &verdict, is_active, at_us);
  take_reading (watch, feed, observation);
  if (!take_verdict (rules, watch, &verdict, at_us, now, at_us, is_counted, error))
    return FALSE;
  due_heap_set (rules->heap, watch, now.rule + LATE_IDLE_US);
  return late->window != NULL || late->has_last || !watch_is_plain (watch) || rules_end_late (rules, late, now, error);
}

/* Both */

static gboolean hear (Rules *rules, Feed *feed, RuleTime now, GError **error)
{
  Watch *watch = feed->watch;
  gboolean is_changed = FALSE;
  feed->heard = now.rule;
  rules_keep_feed_later (rules, feed);
  for (guint i = 0; i < watch->plan->steps; i++)
    is_changed |= watch_see (watch, i, TRUTH_FALSE, now.rule);
  return rules_settle (rules, watch, now, now.wall, is_changed, error);
}

static gboolean read_feed (Rules *rules, Feed *feed, RuleTime now, const Observation *observation, GError **error)
{
  if (rule_plan_is_silent (feed->watch->plan))
    return observation->is_historical || hear (rules, feed, now, error);
  if (observation->quality == QUALITY_BAD)
    return TRUE;
  if (!observation->is_historical)
    return read_live (rules, feed, now, observation, error);
  return read_state (rules, feed, now, observation, error)
         && (observation->is_state || read_late (rules, feed, now, observation, error));
}

gboolean rules_observe (Rules *rules, RuleTime now, const Observation *observation, GError **error)
{
  const SensorFeeds *sensor = rules_sensor (rules, observation->sensor);
  if (sensor == NULL)
    return TRUE;
  if (!rules_look_at_schedules (rules, now, error))
    return FALSE;
  for (Feed *feed = observation->is_historical ? NULL : sensor->silent.first; feed != NULL; feed = feed->next)
    if (!hear (rules, feed, now, error))
      return FALSE;
  const Series *series = sensor_series (sensor, observation->metric);
  for (Feed *feed = series != NULL ? series->feeds.first : NULL; feed != NULL; feed = feed->next)
    if (!read_feed (rules, feed, now, observation, error))
      return FALSE;
  return rules_let_speak (rules, now, error);
}

static void recall_feed (Rules *rules, Feed *feed, RuleTime now, const Observation *observation)
{
  guint count;
  if (rule_plan_is_silent (feed->watch->plan))
    feed->heard = now.rule;
  else if (feed->window != NULL && observation->quality != QUALITY_BAD)
    difference (judges_of (feed, &count), feed->window, now.rule, observation->value);
  else
    return;
  rules_keep_feed_later (rules, feed);
}

void rules_recall (Rules *rules, RuleTime now, const Observation *observation)
{
  const SensorFeeds *sensor = rules_sensor (rules, observation->sensor);
  const Series *series = sensor != NULL ? sensor_series (sensor, observation->metric) : NULL;
  if (sensor == NULL || observation->is_historical)
    return;
  for (Feed *feed = sensor->silent.first; feed != NULL; feed = feed->next)
    recall_feed (rules, feed, now, observation);
  for (Feed *feed = series != NULL ? series->feeds.first : NULL; feed != NULL; feed = feed->next)
    recall_feed (rules, feed, now, observation);
}
