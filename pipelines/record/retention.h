/* retention.h: what recordings may stay: by age, by a camera's bytes, by all bytes, by free space; never younger than
 * keep_at_least for space, and never what is held.
 *
 * thread: any; pure. */
#pragma once

#include <glib.h>

typedef enum {
  RETENTION_AGE,
  RETENTION_CAMERA_BYTES,
  RETENTION_TOTAL_BYTES,
  RETENTION_FREE_SPACE,
  RETENTION_REASONS
} RetentionReason;

/* The site's; a camera may have a time and bytes of its own. */
typedef struct {
  gint64 retain_us;        /* older is deleted; 0: never by age */
  gint64 keep_at_least_us; /* younger is never deleted for space */
  gint64 max_bytes;        /* of all recordings; 0: no limit */
  gint64 min_free_bytes;
  guint min_free_percent;  /* 0: min_free_bytes counts */
} RetentionLimits;

typedef struct {
  gint64 bytes; /* of all recordings */
  gint64 free_bytes, total_bytes; /* of the file system */
  gboolean is_stopped;            /* recording is stopped for space: it resumes with a margin */
} RetentionFacts;

/* A legal hold: what touches [from, to] of the camera stays until `until_us` (0: until the hold is lifted). */
typedef struct {
  char *camera;
  gint64 from_us, to_us, until_us;
} RetentionHold;

RetentionHold *retention_hold_new (const char *camera, gint64 from_us, gint64 to_us, gint64 until_us);
void retention_hold_free (RetentionHold *hold);

/* The hold that keeps [from, to] of the camera; NULL: none does. `holds`: of RetentionHold, or NULL. */
const RetentionHold *retention_held_by (const GPtrArray *holds, const char *camera, gint64 from_us, gint64 to_us,
                                        gint64 now_us);

/* Whether any hold has not ended. */
gboolean retention_holds_any (const GPtrArray *holds, gint64 now_us);

gboolean retention_is_too_old (gint64 retain_us, gint64 keep_at_least_us, gint64 age_us);

/* Whether `bytes` are more than `max_bytes` (0: no limit); a 64th less must be free again before what stopped resumes. */
gboolean retention_is_over (gint64 max_bytes, gint64 bytes, gboolean is_stopped);

/* Whether all recordings together take too much, and why. */
gboolean retention_lacks_space (const RetentionLimits *limits, const RetentionFacts *facts, RetentionReason *reason);

/* The clock that ages recordings. It follows the wall, but runs at most twice as fast as time does: a wall clock that
 * jumps forward (a dead battery, a wrong time server) must not delete a month in an hour. It begins at the newest
 * recording, or where an earlier process had come, so that a wrong clock at start does no harm either. A wall that was behind for a while and comes back is
 * followed at once to where it had been. */
typedef struct {
  gint64 now_us, monotonic_us;
  gint64 highest_us; /* that it has shown, or a recording */
} RetentionClock;

/* `newest_us`: where an earlier process had come (what was recorded under a wrong clock says nothing), or the end of the newest
 * recording; 0: there is neither. */
void retention_clock_start (RetentionClock *clock, gint64 newest_us, gint64 wall_us, gint64 monotonic_us);
gint64 retention_clock_advance (RetentionClock *clock, gint64 wall_us, gint64 monotonic_us);
