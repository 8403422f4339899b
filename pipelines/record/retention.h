/* retention.h: what recordings may stay: by age, by bytes, by free space, and never younger than keep_at_least for space.
 *
 * thread: any; pure. */
#pragma once

#include <glib.h>

typedef struct {
  gint64 retain_us;        /* older is deleted; 0: never by age */
  gint64 keep_at_least_us; /* younger is never deleted for space */
  gint64 max_bytes;        /* 0: no limit */
  gint64 min_free_bytes;
  guint min_free_percent;  /* 0: min_free_bytes counts */
} RetentionLimits;

typedef struct {
  gint64 now_us; /* of the retention clock */
  gint64 bytes;  /* of all recordings */
  gint64 free_bytes, total_bytes; /* of the file system */
  gboolean is_full;               /* a write just failed for space */
  gboolean is_stopped;            /* recording is stopped for space: it resumes with a margin */
  gboolean has_oldest;
  gint64 oldest_to_us; /* when the oldest finished segment ends */
} RetentionFacts;

typedef enum {
  RETENTION_KEEP,
  RETENTION_DELETE_OLDEST,
  RETENTION_STOP_KEEP, /* there is no room, and what is there must be kept */
  RETENTION_STOP_FULL, /* there is no room, and nothing of ours to delete */
} RetentionAction;

RetentionAction retention_decide (const RetentionLimits *limits, const RetentionFacts *facts);

/* The clock that ages recordings. It follows the wall, but runs at most twice as fast as time does: a wall clock that
 * jumps forward (a dead battery, a wrong time server) must not delete a month in an hour. It begins at the newest
 * recording, so that a wrong clock at start does no harm either. A wall that was behind for a while and comes back is
 * followed at once to where it had been. */
typedef struct {
  gint64 now_us, monotonic_us;
  gint64 highest_us; /* that it has shown, or a recording */
} RetentionClock;

/* `newest_us`: the end of the newest recording; 0: there is none. */
void retention_clock_start (RetentionClock *clock, gint64 newest_us, gint64 wall_us, gint64 monotonic_us);
gint64 retention_clock_advance (RetentionClock *clock, gint64 wall_us, gint64 monotonic_us);
