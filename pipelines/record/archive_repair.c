/* What a killed predecessor left: files that the index says are open, and files that are newer than all it knows of their
 * stream. An index that is lost or can't be read is moved aside, never deleted, and built anew (archive_rebuild.c). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "gateway/core/log.h"
#include "pipelines/record/archive_private.h"
#include "pipelines/record/recorded_files.h"
#include "pipelines/record/segment_walk.h"

#define NEW_US ((gint64) 86400 * G_USEC_PER_SEC) /* what is older is not ours, even if the clock was set back */

#define ASIDE "recordings.broken"

enum { ASIDE_FILES_MAX = 64 };

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

gboolean archive_knows_file (Archive *archive, const SegmentRow *row)
{
  return recordings_index_has_file (archive->index, row)
         || (row->from_us > archive->since_us - NEW_US && is_ours (archive, row));
}

static void make_room_aside (const Archive *archive)
{
  g_autoptr (GPtrArray) names = recorded_names (archive->data_dir, ASIDE);
  for (guint i = 0; i + ASIDE_FILES_MAX <= names->len; i++) {
    g_autofree char *path = g_build_filename (archive->data_dir, ASIDE, names->pdata[i], NULL);
    (void) unlink (path);
  }
}

/* Without a whole fragment there is nothing to play, but where only the head is damaged somebody may still get the pictures
 * out. Names begin with the day, so that the oldest make room. */
static void set_aside (const Archive *archive, const char *relative)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) parts = g_strsplit (relative, "/", 5);
  g_autofree char *from = g_build_filename (archive->data_dir, relative, NULL);
  g_autofree char *folder = g_build_filename (archive->data_dir, ASIDE, NULL);
  struct stat status;
  if (g_strv_length (parts) != 5 || lstat (from, &status) != 0)
    return;
  if (status.st_size == 0) {
    (void) unlink (from);
    return;
  }
  g_autofree char *name = g_strconcat (parts[3], "-", parts[1], "-", parts[2], "-", parts[4], NULL);
  g_autofree char *to = g_build_filename (folder, name, NULL);
  make_room_aside (archive);
  if (folder_make (folder, &error) && rename (from, to) != 0)
    error_set_errno (&error, errno, "%s", to);
  log_limited (LOG_LEVEL_WARNING, "recording %s has no whole fragment: %s%s", from,
               error != NULL ? "it can't be set aside: " : "it is kept as ", error != NULL ? error->message : to);
}

gboolean archive_enter_file (Archive *archive, const FoundFile *found, GError **error)
{
  SegmentRow *row = found->row;
  struct stat status;
  g_autofree char *path = g_build_filename (archive->data_dir, row->file, NULL);
  if (lstat (path, &status) != 0 && errno == ENOENT)
    return TRUE; /* since it was looked at it was moved by a report, or deleted */
  if (row->bytes == 0) {
    set_aside (archive, row->file);
    return TRUE;
  }
  if (row->bytes < found->file_bytes)
    (void) !truncate (path, row->bytes);
  if (!recordings_index_put (archive->index, row, found->tracks, FALSE, error))
    return FALSE;
  archive_add_bytes (archive_account (archive, row->camera), archive, row->stream, row->bytes);
  return TRUE;
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
  return archive->index != NULL && recordings_index_set_mark (archive->index, ARCHIVE_REBUILDING, TRUE, error);
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
  archive_start_rebuild (archive);
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
    set_aside (archive, row->file);
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

static gboolean enter_newer (Archive *archive, const FoundFile *found, GError **error)
{
  const SegmentRow *row = found->row;
  if (!recordings_index_close_gap (archive->index, row->camera, row->stream, row->from_us, error)
      || !archive_enter_file (archive, found, error))
    return FALSE;
  archive->predecessor_end_us = MAX (archive->predecessor_end_us, row->to_us);
  return row->bytes == 0
         || recordings_index_open_gap (archive->index, row->camera, row->stream, row->to_us, "media_restart", error);
}

static gboolean take_newer_file (Archive *archive, const char *relative, gint64 end_us, GError **error)
{
  SegmentName name;
  if (!segment_name_parse (relative, &name) || name.wall_us < end_us - ARCHIVE_MOVED_MAX_US)
    return TRUE;
  FoundFile *found = found_file_look (archive->data_dir, relative, &name);
  if (found == NULL)
    return TRUE;
  gboolean is_good = archive_knows_file (archive, found->row) || enter_newer (archive, found, error);
  found_file_free (found);
  return is_good;
}

/* Files that were begun within a second before the process was killed have no row yet. Their names may lie before the end of what is
 * known by as much as a report moves a file. */
static gboolean take_newer_files (Archive *archive, GError **error)
{
  gboolean is_good = TRUE;
  g_autoptr (GPtrArray) days = recorded_days (archive->data_dir);
  for (guint i = 0; i < days->len && is_good; i++) {
    const DayFolder *day = days->pdata[i];
    g_auto (GStrv) parts = g_strsplit (day->path, "/", 4);
    gint64 end_us = recordings_index_end_us (archive->index, parts[1], parts[2]);
    g_autofree char *first = segment_name_new (parts[1], parts[2], MAX (end_us - ARCHIVE_MOVED_MAX_US, 0), 0);
    g_auto (GStrv) first_parts = g_strsplit (first != NULL ? first : "", "/", 5);
    if (first == NULL || strcmp (day->day, first_parts[3]) < 0)
      continue;
    g_autoptr (GPtrArray) names = recorded_names (archive->data_dir, day->path);
    for (guint j = 0; j < names->len && is_good; j++) {
      g_autofree char *relative = g_build_filename (day->path, names->pdata[j], NULL);
      is_good = take_newer_file (archive, relative, end_us, error);
    }
  }
  return is_good;
}

static gboolean has_recordings (const char *data_dir)
{
  g_autoptr (GPtrArray) days = recorded_days (data_dir);
  return days->len > 0;
}

static gboolean repair (Archive *archive, GError **error)
{
  gint64 rebuilding = recordings_index_mark (archive->index, ARCHIVE_REBUILDING);
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
  gint64 aged_us = recordings_index_mark (archive->index, ARCHIVE_AGE);
  retention_clock_start (&archive->age, aged_us > 0 ? aged_us : recordings_index_newest_us (archive->index),
                         archive->since_us, clock_monotonic_us (archive->clock));
  if (recordings_index_mark (archive->index, ARCHIVE_REBUILDING))
    archive_start_rebuild (archive);
  return TRUE;
}
