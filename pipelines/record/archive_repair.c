/* What a killed predecessor left, and the index built anew from the files.
 *
 * Repairing at the start takes what the index says is open, and files that are newer than all it knows of their stream. An index
 * that is lost or can't be read is moved aside, never deleted, and a new one is filled by a thread that walks the files, the
 * oldest days first, while recording goes on; the disk thread enters what it finds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "gateway/core/log.h"
#include "pipelines/record/archive_private.h"
#include "pipelines/record/segment_name.h"
#include "pipelines/record/segment_walk.h"

enum { BATCH_FILES = 128 };

#define REBUILDING "rebuilding"
#define NEW_US ((gint64) 86400 * G_USEC_PER_SEC) /* what is older is not ours, even if the clock was set back */

/* One day of one stream: recordings/CAMERA/STREAM/YYYYMMDD. */
typedef struct {
  char *path; /* relative */
  char day[9];
} DayFolder;

/* A file that was walked. `gap_from_us`: unknown time goes before it; 0: none. */
typedef struct {
  SegmentRow *row;
  char *tracks;
  gint64 gap_from_us, file_bytes;
} Found;

struct Rebuild {
  Archive *archive;
  GThread *thread;
  GHashTable *ends; /* "camera/stream" → gint64: where what was found ends */
  GHashTable *known; /* the disk thread's: "camera/stream" whose last file had a row already */
  GPtrArray *batch; /* of Found: the thread's, and the disk thread's while it is waited for */
  guint files;
  GMutex mutex;
  GCond entered;
  gboolean is_entered;
  gint is_ending;
};

static void found_free (gpointer data)
{
  Found *found = data;
  segment_row_free (found->row);
  g_free (found->tracks);
  g_free (found);
}

static void day_folder_free (gpointer data)
{
  g_free (((DayFolder *) data)->path);
  g_free (data);
}

/* ---- the files ---- */

static gint compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

static GPtrArray *names_in (const char *data_dir, const char *relative)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *path = g_build_filename (data_dir, relative, NULL);
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  const char *name;
  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  return names;
}

static void add_days (GPtrArray *days, const char *data_dir, const char *stream_path)
{
  g_autoptr (GPtrArray) names = names_in (data_dir, stream_path);
  for (guint i = 0; i < names->len; i++) {
    const char *name = names->pdata[i];
    if (strlen (name) != 8 || strspn (name, "0123456789") != 8)
      continue;
    DayFolder *day = g_new0 (DayFolder, 1);
    day->path = g_build_filename (stream_path, name, NULL);
    g_strlcpy (day->day, name, sizeof day->day);
    g_ptr_array_add (days, day);
  }
}

static gint compare_days (gconstpointer a, gconstpointer b)
{
  const DayFolder *one = *(DayFolder *const *) a, *other = *(DayFolder *const *) b;
  int order = strcmp (one->day, other->day);
  return order != 0 ? order : strcmp (one->path, other->path);
}

/* All days of all streams, the oldest first. */
static GPtrArray *all_days (const char *data_dir)
{
  GPtrArray *days = g_ptr_array_new_with_free_func (day_folder_free);
  g_autoptr (GPtrArray) cameras = names_in (data_dir, "recordings");
  for (guint i = 0; i < cameras->len; i++)
    for (guint stream = 0; stream < STREAMS; stream++) {
      g_autofree char *path = g_build_filename ("recordings", cameras->pdata[i], stream_of_number (stream), NULL);
      add_days (days, data_dir, path);
    }
  g_ptr_array_sort (days, compare_days);
  return days;
}

/* NULL: it is no recording of ours, or holds nothing. */
static Found *look_at (const char *data_dir, const char *relative, const SegmentName *name)
{
  SegmentFacts facts = { 0 };
  struct stat status = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (data_dir, relative, NULL);
  if (!segment_walk_file (path, FALSE, &facts, &error) || lstat (path, &status) != 0) {
    log_limited (LOG_LEVEL_WARNING, "recordings: %s", error != NULL ? error->message : g_strerror (errno));
    return NULL;
  }
  Found *found = g_new0 (Found, 1);
  found->row = g_new0 (SegmentRow, 1);
  *found->row = (SegmentRow){ 0, name->wall_us, name->wall_us + facts.duration_us, facts.fragments > 0 ? facts.good_bytes : 0,
                              g_strdup (name->camera), g_strdup (name->stream), g_strdup (relative) };
  found->tracks = g_strconcat (facts.is_h265 ? "h265" : "h264", facts.has_audio ? ",aac" : "", NULL);
  found->file_bytes = status.st_size;
  return found;
}

/* Whether we write it ourselves, and its row is not there yet. */
static gboolean is_ours (const Archive *archive, const SegmentRow *row)
{
  for (guint i = 0; i < archive->tracks->len; i++) {
    const OpenSegment *segment = ((ArchiveTrack *) archive->tracks->pdata[i])->segment;
    if (segment != NULL && strcmp (segment->row->file, row->file) == 0)
      return TRUE;
  }
  for (guint i = 0; i < archive->ended->len; i++)
    if (strcmp (((OpenSegment *) archive->ended->pdata[i])->row->file, row->file) == 0)
      return TRUE;
  return FALSE;
}

/* The index has its row, or will have it. */
static gboolean is_known (Archive *archive, const SegmentRow *row)
{
  return recordings_index_has_file (archive->index, row)
         || (row->from_us > archive->since_us - NEW_US && is_ours (archive, row));
}

/* Enters a file that the index does not know, without its torn tail; one without a whole picture goes. */
static gboolean enter (Archive *archive, const Found *found, GError **error)
{
  SegmentRow *row = found->row;
  g_autofree char *path = g_build_filename (archive->data_dir, row->file, NULL);
  if (row->bytes == 0) {
    (void) unlink (path);
    return TRUE;
  }
  if (row->bytes < found->file_bytes)
    (void) !truncate (path, row->bytes);
  if (!recordings_index_put (archive->index, row, found->tracks, FALSE, error))
    return FALSE;
  archive_add_bytes (archive_account (archive, row->camera), archive, row->stream, row->bytes);
  return TRUE;
}

/* ---- building anew ---- */

/* Where a file ends within a jitter of the next one, it ends there: as when both were recorded. */
static void join (Rebuild *rebuild, Found *found)
{
  SegmentRow *row = found->row;
  g_autofree char *key = g_strconcat (row->camera, "/", row->stream, NULL);
  const gint64 *end_us = g_hash_table_lookup (rebuild->ends, key);
  Found *before = rebuild->batch->len > 0 ? rebuild->batch->pdata[rebuild->batch->len - 1] : NULL;
  gboolean is_next = end_us != NULL && ABS (row->from_us - *end_us) < GAP_MIN_US;
  if (is_next && before != NULL && strcmp (before->row->camera, row->camera) == 0
      && strcmp (before->row->stream, row->stream) == 0)
    before->row->to_us = row->from_us;
  if (end_us != NULL && row->from_us - *end_us >= GAP_MIN_US)
    found->gap_from_us = *end_us;
  g_hash_table_replace (rebuild->ends, g_steal_pointer (&key), g_memdup2 (&row->to_us, sizeof row->to_us));
}

/* Time before a file is unknown, unless that file and the one before it have rows: then what lies between is known, too. */
static gboolean enter_found (Rebuild *rebuild, const Found *found, GError **error)
{
  RecordingsIndex *index = rebuild->archive->index;
  const SegmentRow *row = found->row;
  g_autofree char *key = g_strconcat (row->camera, "/", row->stream, NULL);
  gboolean has_row = is_known (rebuild->archive, row), had_row = g_hash_table_contains (rebuild->known, key);
  if (found->gap_from_us != 0 && !(has_row && had_row)
      && !recordings_index_add_gap (index, row->camera, row->stream, found->gap_from_us, row->from_us, "index_rebuilt", error))
    return FALSE;
  if (has_row)
    g_hash_table_add (rebuild->known, g_steal_pointer (&key));
  else
    g_hash_table_remove (rebuild->known, key);
  return has_row || enter (rebuild->archive, found, error);
}

/* On the disk thread. */
static void enter_batch (gpointer data)
{
  Rebuild *rebuild = data;
  Archive *archive = rebuild->archive;
  GError *error = NULL;
  for (guint i = 0; i < rebuild->batch->len && error == NULL && archive_index_begin (archive); i++)
    enter_found (rebuild, rebuild->batch->pdata[i], &error);
  archive_log_failure (archive, "index", "all", error);
  archive_index_commit (archive);
  g_mutex_lock (&rebuild->mutex);
  rebuild->is_entered = TRUE;
  g_cond_signal (&rebuild->entered);
  g_mutex_unlock (&rebuild->mutex);
}

/* Waits, so that what is found is never more than a batch. */
static void hand_over (Rebuild *rebuild, ArchiveTask task)
{
  rebuild->is_entered = FALSE;
  archive_call (rebuild->archive, task, rebuild);
  g_mutex_lock (&rebuild->mutex);
  while (!rebuild->is_entered && !g_atomic_int_get (&rebuild->is_ending))
    g_cond_wait (&rebuild->entered, &rebuild->mutex);
  g_mutex_unlock (&rebuild->mutex);
  if (!g_atomic_int_get (&rebuild->is_ending))
    g_ptr_array_set_size (rebuild->batch, 0);
}

static void walk_day (Rebuild *rebuild, const DayFolder *day)
{
  g_autoptr (GPtrArray) names = names_in (rebuild->archive->data_dir, day->path);
  for (guint i = 0; i < names->len && !g_atomic_int_get (&rebuild->is_ending); i++) {
    SegmentName name;
    g_autofree char *relative = g_build_filename (day->path, names->pdata[i], NULL);
    Found *found = segment_name_parse (relative, &name) ? look_at (rebuild->archive->data_dir, relative, &name) : NULL;
    if (found == NULL)
      continue;
    if (found->row->bytes > 0)
      join (rebuild, found);
    g_ptr_array_add (rebuild->batch, found);
    rebuild->files++;
    if (rebuild->batch->len >= BATCH_FILES && i + 1 < names->len) {
      /* the last one stays: the next may say where it ends */
      g_autoptr (GPtrArray) whole = g_steal_pointer (&rebuild->batch);
      Found *last = g_ptr_array_steal_index (whole, whole->len - 1);
      rebuild->batch = g_steal_pointer (&whole);
      hand_over (rebuild, enter_batch);
      g_ptr_array_add (rebuild->batch, last);
    }
  }
  if (!g_atomic_int_get (&rebuild->is_ending))
    hand_over (rebuild, enter_batch);
}

/* From the end of what was found to what was recorded meanwhile. */
static void enter_last_gap (Archive *archive, const char *key, gint64 end_us)
{
  GError *error = NULL;
  g_auto (GStrv) parts = g_strsplit (key, "/", 2);
  gint64 next_us = recordings_index_begin_after (archive->index, parts[0], parts[1], end_us);
  if (next_us - end_us >= GAP_MIN_US && archive_index_begin (archive))
    recordings_index_add_gap (archive->index, parts[0], parts[1], end_us, next_us, "index_rebuilt", &error);
  archive_log_failure (archive, "index", parts[0], error);
}

static void enter_end (gpointer data)
{
  Rebuild *rebuild = data;
  Archive *archive = rebuild->archive;
  GError *error = NULL;
  GHashTableIter iterator;
  gpointer key, value;
  g_hash_table_iter_init (&iterator, rebuild->ends);
  while (g_hash_table_iter_next (&iterator, &key, &value))
    enter_last_gap (archive, key, *(gint64 *) value);
  if (archive_index_begin (archive))
    recordings_index_set_mark (archive->index, REBUILDING, FALSE, &error);
  archive_log_failure (archive, "index", "all", error);
  archive_index_commit (archive);
  archive->is_rebuilt = TRUE;
  log_notice ("recordings: the index is whole again, with %u files", rebuild->files);
  g_mutex_lock (&rebuild->mutex);
  rebuild->is_entered = TRUE;
  g_cond_signal (&rebuild->entered);
  g_mutex_unlock (&rebuild->mutex);
}

static gpointer run_rebuild (gpointer data)
{
  Rebuild *rebuild = data;
  g_autoptr (GPtrArray) days = all_days (rebuild->archive->data_dir);
  for (guint i = 0; i < days->len && !g_atomic_int_get (&rebuild->is_ending); i++)
    walk_day (rebuild, days->pdata[i]);
  if (!g_atomic_int_get (&rebuild->is_ending))
    hand_over (rebuild, enter_end);
  return NULL;
}

static void start_rebuild (Archive *archive)
{
  archive_end_rebuild (archive);
  Rebuild *rebuild = g_new0 (Rebuild, 1);
  rebuild->archive = archive;
  rebuild->ends = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  rebuild->known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  rebuild->batch = g_ptr_array_new_with_free_func (found_free);
  g_mutex_init (&rebuild->mutex);
  g_cond_init (&rebuild->entered);
  archive->rebuild = rebuild;
  log_notice ("recordings: the index is built anew from the files");
  rebuild->thread = g_thread_new ("rebuild", run_rebuild, rebuild);
}

void archive_end_rebuild (Archive *archive)
{
  Rebuild *rebuild = g_steal_pointer (&archive->rebuild);
  if (rebuild == NULL)
    return;
  g_mutex_lock (&rebuild->mutex);
  g_atomic_int_set (&rebuild->is_ending, TRUE);
  g_cond_signal (&rebuild->entered);
  g_mutex_unlock (&rebuild->mutex);
  g_thread_join (rebuild->thread);
  g_ptr_array_unref (rebuild->batch);
  g_hash_table_unref (rebuild->ends);
  g_hash_table_unref (rebuild->known);
  g_cond_clear (&rebuild->entered);
  g_mutex_clear (&rebuild->mutex);
  g_free (rebuild);
}

/* recordings.db.corrupt-TIME, with what belongs to it. */
static gboolean move_aside (const char *data_dir, gint64 now_us, GError **error)
{
  static const char *const suffixes[] = { "", "-wal", "-shm" };
  g_autofree char *path = g_build_filename (data_dir, "recordings.db", NULL);
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (now_us / G_USEC_PER_SEC);
  g_autofree char *stamp = g_date_time_format (time, "%Y%m%dT%H%M%SZ");
  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++) {
    g_autofree char *from = g_strconcat (path, suffixes[i], NULL);
    g_autofree char *to = g_strdup_printf ("%s.corrupt-%s%s", path, stamp, suffixes[i]);
    if (rename (from, to) != 0 && errno != ENOENT)
      return error_set_errno (error, errno, "%s", from);
  }
  log_error ("%s can't be read: it is kept as recordings.db.corrupt-%s", path, stamp);
  return TRUE;
}

static gboolean open_empty (Archive *archive, GError **error)
{
  archive->index = recordings_index_open (archive->data_dir, DATABASE_WRITER, error);
  return archive->index != NULL && recordings_index_set_mark (archive->index, REBUILDING, TRUE, error);
}

void archive_replace_index (Archive *archive)
{
  g_autoptr (GError) error = NULL;
  gint64 now_us = clock_wall_us (archive->clock);
  archive_end_rebuild (archive);
  g_clear_pointer (&archive->index, recordings_index_close);
  archive->is_broken = archive->has_begun = FALSE;
  archive->has_lost = TRUE;
  if (!move_aside (archive->data_dir, now_us, &error) || !open_empty (archive, &error)
      || !archive_read_accounts (archive, &error)) {
    log_error ("recordings: %s: this process ends, to begin anew", error->message);
    _exit (EXIT_FAILURE);
  }
  start_rebuild (archive);
}

/* ---- at the start ---- */

/* A file that can't be read now may be whole: its row stays open, for the next start to repair. */
static void leave_for_later (Archive *archive, const SegmentRow *row, GError *error)
{
  archive->predecessor_end_us = MAX (archive->predecessor_end_us, row->to_us);
  archive_log_failure (archive, "its last file is not repaired", row->camera, error);
}

/* The gap begins where the camera's newest file ends: `row` may be one that was left by an earlier start. */
static gboolean repair_row (Archive *archive, SegmentRow *row, GError **error)
{
  SegmentFacts facts = { 0 };
  struct stat status;
  GError *walk_error = NULL;
  g_autofree char *path = g_build_filename (archive->data_dir, row->file, NULL);

  if (!segment_walk_file (path, TRUE, &facts, &walk_error) && !(lstat (path, &status) != 0 && errno == ENOENT)) {
    leave_for_later (archive, row, walk_error);
    return TRUE;
  }
  g_clear_error (&walk_error);
  if (facts.fragments == 0) {
    (void) unlink (path);
    return recordings_index_remove (archive->index, row->id, error);
  }
  row->to_us = row->from_us + facts.duration_us;
  row->bytes = facts.good_bytes;
  archive->predecessor_end_us = MAX (archive->predecessor_end_us, row->to_us);
  return recordings_index_put (archive->index, row, "", FALSE, error)
         && recordings_index_open_gap (archive->index, row->camera, row->stream,
                                       recordings_index_end_us (archive->index, row->camera, row->stream),
                                       "media_restart", error);
}

static gboolean repair_rows (Archive *archive, GError **error)
{
  g_autoptr (GPtrArray) rows = recordings_index_open_rows (archive->index, error);
  for (guint i = 0; rows != NULL && i < rows->len; i++)
    if (!repair_row (archive, rows->pdata[i], error))
      return FALSE;
  if (rows != NULL && rows->len > 0)
    log_notice ("recordings: %u files were open when the process ended; what could be read is whole again", rows->len);
  return rows != NULL;
}

static gboolean enter_newer (Archive *archive, const Found *found, GError **error)
{
  const SegmentRow *row = found->row;
  if (!recordings_index_close_gap (archive->index, row->camera, row->stream, row->from_us, error)
      || !enter (archive, found, error))
    return FALSE;
  archive->predecessor_end_us = MAX (archive->predecessor_end_us, row->to_us);
  return row->bytes == 0
         || recordings_index_open_gap (archive->index, row->camera, row->stream, row->to_us, "media_restart", error);
}

static gboolean take_newer_file (Archive *archive, const char *relative, gint64 end_us, GError **error)
{
  SegmentName name;
  if (!segment_name_parse (relative, &name) || name.wall_us < end_us - GAP_MIN_US)
    return TRUE;
  Found *found = look_at (archive->data_dir, relative, &name);
  if (found == NULL)
    return TRUE;
  gboolean is_good = is_known (archive, found->row) || enter_newer (archive, found, error);
  found_free (found);
  return is_good;
}

/* Files that were begun within a second before the process was killed have no row yet. */
static gboolean take_newer_files (Archive *archive, GError **error)
{
  gboolean is_good = TRUE;
  g_autoptr (GPtrArray) days = all_days (archive->data_dir);
  for (guint i = 0; i < days->len && is_good; i++) {
    const DayFolder *day = days->pdata[i];
    g_auto (GStrv) parts = g_strsplit (day->path, "/", 4);
    gint64 end_us = recordings_index_end_us (archive->index, parts[1], parts[2]);
    g_autofree char *first = segment_name_new (parts[1], parts[2], MAX (end_us - GAP_MIN_US, 0), 0);
    g_auto (GStrv) first_parts = g_strsplit (first != NULL ? first : "", "/", 5);
    if (first == NULL || strcmp (day->day, first_parts[3]) < 0)
      continue;
    g_autoptr (GPtrArray) names = names_in (archive->data_dir, day->path);
    for (guint j = 0; j < names->len && is_good; j++) {
      g_autofree char *relative = g_build_filename (day->path, names->pdata[j], NULL);
      is_good = take_newer_file (archive, relative, end_us, error);
    }
  }
  return is_good;
}

static gboolean has_recordings (const char *data_dir)
{
  g_autoptr (GPtrArray) days = all_days (data_dir);
  return days->len > 0;
}

static gboolean repair (Archive *archive, GError **error)
{
  gint64 rebuilding = recordings_index_mark (archive->index, REBUILDING);
  if (!recordings_index_begin (archive->index, error) || !repair_rows (archive, error)
      || (!rebuilding && !take_newer_files (archive, error)) || !recordings_index_commit (archive->index, error))
    return FALSE;
  return archive_read_accounts (archive, error);
}

/* Opens what is there; an index that says it is none is moved aside first. */
static gboolean open_index (Archive *archive, GError **error)
{
  g_autofree char *path = g_build_filename (archive->data_dir, "recordings.db", NULL);
  gboolean is_lost = !g_file_test (path, G_FILE_TEST_EXISTS) && has_recordings (archive->data_dir);
  GError *failure = NULL;
  if (is_lost)
    return open_empty (archive, error);
  archive->index = recordings_index_open (archive->data_dir, DATABASE_WRITER, &failure);
  if (archive->index != NULL && repair (archive, &failure))
    return TRUE;
  if (!error_is (failure, ERROR_GIVE_UP)) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  g_error_free (failure);
  g_clear_pointer (&archive->index, recordings_index_close);
  return move_aside (archive->data_dir, clock_wall_us (archive->clock), error) && open_empty (archive, error)
         && archive_read_accounts (archive, error);
}

gboolean archive_disk_open (Archive *archive, GError **error)
{
  g_autofree char *folder = g_build_filename (archive->data_dir, "recordings", NULL);
  if (!folder_make (folder, error) || !open_index (archive, error))
    return FALSE;
  archive->since_us = clock_wall_us (archive->clock);
  retention_clock_start (&archive->age, recordings_index_newest_us (archive->index), archive->since_us,
                         clock_monotonic_us (archive->clock));
  if (recordings_index_mark (archive->index, REBUILDING))
    start_rebuild (archive);
  return TRUE;
}
