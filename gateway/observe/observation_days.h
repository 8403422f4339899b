/* observation_days.h: the files of the days: what they are called, and how a reader gets at them.
 *
 *   DATA_DIR/observations-YYYYMMDD.db           is written to on that day (UTC)
 *   DATA_DIR/observations-YYYYMMDD-compact.db   what a closed day becomes (observation_compact.h). It never changes: another one may
 *                                               be put in its place, as a whole
 *   DATA_DIR/observations-YYYYMMDD.compacting   a half-made one, which a start removes
 *
 * From the moment in which a day's compact file is there its other file counts no more, and is deleted soon. A day that has a
 * compact file, or a half-made one, is never written to again: what is stored then goes to the next day's file (its times are
 * its own), as late data does anyway.
 *
 * thread: any. */
#pragma once

#include "gateway/store/database.h"

/* For readers: the paths of the files that count, oldest first. Free with g_ptr_array_unref. */
GPtrArray *observation_files_list (const char *data_dir);

/* The same in the order of their numbers: a clock that was in another year once leaves files that are not as old as they are called. A file
 * without any number goes with the one before it. */
GPtrArray *observation_files_by_number (const char *data_dir);

/* Those whose day has a compact file: nobody needs them. */
GPtrArray *observation_files_superseded (const char *data_dir);

/* With -wal and -shm. */
void observation_file_remove (const char *path);

/* A reader of it, or of the compact file that has taken its place since it was listed. NULL with an error. */
Database *observation_file_open (const char *path, GError **error);

/* Neither it nor the compact file that would have taken its place is there any more: retention has deleted it. */
gboolean observation_file_is_gone (const char *path);

gboolean observation_file_is_compact (const char *path);

/* FALSE: nothing from `from_us` on can stand in this file. Data may come days late, but never much before its time. */
gboolean observation_file_may_have (const char *path, gint64 from_us);

/* Below 0, 0, above 0, by their days. */
int observation_file_compare_days (const char *one, const char *other);

/* The last number of the file, 0 when there is none. */
gboolean observation_file_read_last (const char *path, gint64 *last, GError **error);

/* The same; 0 also when it can't be read, which is logged. */
gint64 observation_file_last_number (const char *path);

/* The file that the day of `wall_us` is to be written to: of that day, or of the first after it that may be written; NULL when in ten
 * years none may. */
char *observation_day_path (const char *data_dir, gint64 wall_us);

/* "….db", "…-compact.db" and "….compacting" of the day of `path`. */
char *observation_written_path (const char *path);
char *observation_compact_path (const char *path);
char *observation_compacting_path (const char *path);

/* What a process that was killed left half-made. */
void observation_files_remove_half_made (const char *data_dir);
