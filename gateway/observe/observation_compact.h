/* observation_compact.h: a day's file written anew, without what need not be kept of it, and as small as it gets.
 *
 * In the compact form the rows of a series lie together, in the order of their times: some 35 bytes a number instead of 52, and a
 * day of one sensor is some dozen pages instead of one a reading. It has the same tables and columns, so that the same queries
 * read both; what is different:
 *
 *   observations   WITHOUT ROWID, by (series, at, number). There is no index by number: who goes by numbers through a compact
 *                  file sorts it. FIRST_OF_SENSOR and FIRST_OF_MESSAGE are gone from `flags`: all of it has been counted
 *   series         has keep_days, what was configured when the file was written; NULL: nothing
 *   compacted      (first, last, rows): the numbers that the day had, and how many rows are left; PRAGMA user_version is 1
 *
 * It is made beside the day's file, which is only read, and published by a rename: a kill at any moment leaves the one or the
 * other whole.
 *
 * thread: any, one at a time for a day. */
#pragma once

#include "gateway/observe/observation_days.h"

/* With what a series was last written as; 0: nothing was configured. Returns the days that it is kept now (0: nothing is
 * configured), and in `is_kept` whether it stays in the file. */
typedef guint (*CompactKeep) (gpointer self, const char *sensor, const char *metric, guint written_days, gboolean *is_kept);

typedef struct {
  gpointer self;
  CompactKeep keep;                /* NULL: all is kept */
  gboolean (*go_on) (gpointer self); /* called every few ms of work, and may wait. FALSE: give up. NULL: straight through */
  gboolean is_bare;                /* without rejected payloads and deliveries */
} CompactWork;

typedef struct {
  gint64 kept, deleted; /* rows */
} CompactResult;

/* Writes ….compacting of the day of `path` and has it on disk when it returns. On failure it is gone again: ERROR_RETRY when
 * the disk has no room or `go_on` said no. */
gboolean observation_compact_write (const char *path, const CompactWork *work, CompactResult *result, GError **error);

/* What was written takes its place, or is gone again. */
gboolean observation_compact_publish (const char *path, GError **error);
