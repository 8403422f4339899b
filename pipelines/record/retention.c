#include "pipelines/record/retention.h"

#include <string.h>

enum { FULL_BYTES = 4 * 1024 * 1024 }; /* free: a disk is full, whatever the limits say */

RetentionHold *retention_hold_new (const char *camera, gint64 from_us, gint64 to_us, gint64 until_us)
{
  RetentionHold *hold = g_new (RetentionHold, 1);
  *hold = (RetentionHold){ g_strdup (camera), from_us, to_us, until_us };
  return hold;
}

void retention_hold_free (RetentionHold *hold)
{
  if (hold == NULL)
    return;
  g_free (hold->camera);
  g_free (hold);
}

const RetentionHold *retention_held_by (const GPtrArray *holds, const char *camera, gint64 from_us, gint64 to_us,
                                        gint64 now_us)
{
  for (guint i = 0; holds != NULL && i < holds->len; i++) {
    const RetentionHold *hold = holds->pdata[i];
    if (from_us < hold->to_us && to_us > hold->from_us && (hold->until_us == 0 || now_us < hold->until_us)
        && strcmp (hold->camera, camera) == 0)
      return hold;
  }
  return NULL;
}

gboolean retention_holds_any (const GPtrArray *holds, gint64 now_us)
{
  for (guint i = 0; holds != NULL && i < holds->len; i++) {
    const RetentionHold *hold = holds->pdata[i];
    if (hold->until_us == 0 || now_us < hold->until_us)
      return TRUE;
  }
  return FALSE;
}

gboolean retention_is_too_old (gint64 retain_us, gint64 keep_at_least_us, gint64 age_us)
{
  return retain_us > 0 && age_us > MAX (retain_us, keep_at_least_us);
}

gboolean retention_is_over (gint64 max_bytes, gint64 bytes, gboolean is_stopped)
{
  return max_bytes > 0 && bytes > max_bytes - (is_stopped ? max_bytes / 64 : 0);
}

gboolean retention_lacks_space (const RetentionLimits *limits, const RetentionFacts *facts, RetentionReason *reason)
{
  gint64 min_free = limits->min_free_percent > 0 ? facts->total_bytes / 100 * limits->min_free_percent
                                                 : limits->min_free_bytes;
  if (facts->is_stopped)
    min_free += min_free / 64;
  gboolean is_over = retention_is_over (limits->max_bytes, facts->bytes, facts->is_stopped);
  *reason = is_over ? RETENTION_TOTAL_BYTES : RETENTION_FREE_SPACE;
  return is_over || facts->free_bytes < MAX (min_free, FULL_BYTES);
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
