#include "pipelines/record/retention.h"

/* A 64th of a limit is the margin that must be free again before recording resumes. */
static gboolean is_over (const RetentionLimits *limits, const RetentionFacts *facts)
{
  gint64 min_free = limits->min_free_percent > 0 ? facts->total_bytes / 100 * limits->min_free_percent
                                                 : limits->min_free_bytes;
  gint64 max = limits->max_bytes;
  if (facts->is_stopped) {
    min_free += min_free / 64;
    max -= max / 64;
  }
  return facts->is_full || (max > 0 && facts->bytes > max) || facts->free_bytes < min_free;
}

RetentionAction retention_decide (const RetentionLimits *limits, const RetentionFacts *facts)
{
  gint64 age_us = facts->now_us - facts->oldest_to_us;
  if (facts->has_oldest && limits->retain_us > 0 && age_us > MAX (limits->retain_us, limits->keep_at_least_us))
    return RETENTION_DELETE_OLDEST;
  if (!is_over (limits, facts))
    return RETENTION_KEEP;
  if (!facts->has_oldest)
    return RETENTION_STOP_FULL;
  return age_us > limits->keep_at_least_us ? RETENTION_DELETE_OLDEST : RETENTION_STOP_KEEP;
}

void retention_clock_start (RetentionClock *clock, gint64 newest_us, gint64 wall_us, gint64 monotonic_us)
{
  gint64 begin_us = newest_us > 0 ? newest_us : wall_us;
  *clock = (RetentionClock){ MIN (begin_us, wall_us), monotonic_us, begin_us };
}

gint64 retention_clock_advance (RetentionClock *clock, gint64 wall_us, gint64 monotonic_us)
{
  gint64 elapsed = MAX (monotonic_us - clock->monotonic_us, 0);
  clock->monotonic_us = monotonic_us;
  clock->now_us = MIN (clock->highest_us + 2 * elapsed, wall_us);
  clock->highest_us = MAX (clock->highest_us, clock->now_us);
  return clock->now_us;
}
