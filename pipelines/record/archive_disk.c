/* What the archive's thread does with files and rows. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "gateway/core/log.h"
#include "pipelines/live/fragment.h"
#include "pipelines/record/archive_private.h"
#include "pipelines/record/segment_name.h"

enum {
  SILENCE_US = 3 * G_USEC_PER_SEC, /* inside a file: the camera said nothing and went on */
  NAME_TRIES = 100,
  ENDED_MAX = 4096,                /* whose rows can't be written; the next start finds the files */
  ASTRAY_US = 60 * 1000,           /* a file whose time is so far from the pictures' by reports ends: another begins right */
};

/* An index that can't be written is not worth stopping the recording: rows come with the next sync. */
void archive_log_failure (Archive *archive, const char *what, const char *camera, GError *error)
{
  if (error == NULL)
    return;
  log_limited (LOG_LEVEL_WARNING, "recording %s: %s: %s", camera, what, error->message);
  archive->has_failed |= strcmp (what, "index") == 0;
  archive->is_broken |= strcmp (what, "index") == 0 && error_is (error, ERROR_GIVE_UP);
  g_error_free (error);
}

gboolean archive_index_begin (Archive *archive)
{
  GError *error = NULL;
  if (!archive->has_begun)
    archive->has_begun = recordings_index_begin (archive->index, &error);
  archive_log_failure (archive, "index", "all", error);
  return archive->has_begun;
}

gboolean archive_index_commit (Archive *archive)
{
  GError *error = NULL;
  gboolean is_good = !archive->has_begun || recordings_index_commit (archive->index, &error);
  archive->has_begun = FALSE;
  archive->has_lost |= !is_good;
  archive_log_failure (archive, "index", "all", error);
  return is_good;
}

/* ---- gaps ---- */

static void put_gap (ArchiveTrack *track)
{
  Archive *archive = track->archive;
  GError *error = NULL;
  if (archive_index_begin (archive))
    recordings_index_open_gap (archive->index, track->camera, track->stream, track->gap_from_us, track->gap_reason, &error);
  archive_log_failure (archive, "index", track->camera, error);
}

static void open_gap (ArchiveTrack *track, const char *reason)
{
  if (track->end_us == 0 || reason == NULL || track->gap_reason != NULL)
    return;
  track->gap_reason = g_strdup (reason);
  track->gap_from_us = track->end_us;
  put_gap (track);
  archive_count_gap (track->account, reason);
}

/* Ends the gap that lasts, also one that a process before us left. */
static void close_gap (ArchiveTrack *track, gint64 to_us)
{
  Archive *archive = track->archive;
  GError *error = NULL;
  if (archive->has_lost && track->gap_reason != NULL)
    put_gap (track);
  g_clear_pointer (&track->gap_reason, g_free);
  if (archive_index_begin (archive))
    recordings_index_close_gap (archive->index, track->camera, track->stream, to_us, &error);
  archive_log_failure (archive, "index", track->camera, error);
}

static void note_silence (ArchiveTrack *track, const AccessUnit *first)
{
  Archive *archive = track->archive;
  const SegmentFile *file = track->segment->file;
  GError *error = NULL;
  gint64 silence_us = access_unit_dts_us (first) - file->end_us;
  if (silence_us < SILENCE_US)
    return;
  gint64 from_us = segment_file_to_us (file);
  if (archive_index_begin (archive))
    recordings_index_add_gap (archive->index, track->camera, track->stream, from_us, from_us + silence_us, "stalled", &error);
  archive_log_failure (archive, "index", track->camera, error);
  archive_count_gap (track->account, "stalled");
}

/* ---- files ---- */

/* `to_us` 0: where the file itself ends. Synced, with its row, by the next sync. */
static void end_file (ArchiveTrack *track, gint64 to_us)
{
  OpenSegment *segment = g_steal_pointer (&track->segment);
  if (segment == NULL)
    return;
  track->end_us = to_us != 0 ? to_us : segment_file_to_us (segment->file);
  track->account->files--;
  segment->row->to_us = track->end_us;
  segment->row->bytes = segment->file->bytes;
  g_ptr_array_add (track->archive->ended, segment);
}

void archive_disk_stop (ArchiveTrack *track, const char *reason)
{
  end_file (track, 0);
  open_gap (track, reason);
}

/* A name that is free; free with g_free. NULL when there is none. */
static char *free_name (const ArchiveTrack *track, gint64 wall_us, GError **error)
{
  for (guint try = 0; try < NAME_TRIES; try++) {
    g_autofree char *relative = segment_name_new (track->camera, track->stream, wall_us, try);
    if (relative == NULL)
      break;
    g_autofree char *path = g_build_filename (track->archive->data_dir, relative, NULL);
    g_autofree char *folder = g_path_get_dirname (path);
    if (!folder_make (folder, error))
      return NULL;
    if (access (path, F_OK) != 0)
      return g_steal_pointer (&relative);
  }
  error_set (error, ERROR_GIVE_UP, "no file name is left for %s", track->camera);
  return NULL;
}

/* "h264" "h264,aac": one of a handful, so it may stay for ever. */
static const char *tracks_of (const GPtrArray *units)
{
  const char *video = codec_name (((const AccessUnit *) units->pdata[0])->format->codec);
  for (guint i = 0; i < units->len; i++) {
    const AccessUnit *unit = units->pdata[i];
    if (access_unit_is_video (unit))
      continue;
    g_autofree char *both = g_strconcat (video, ",", codec_name (unit->format->codec), NULL);
    return g_intern_string (both);
  }
  return video;
}

static OpenSegment *open_segment_new (const ArchiveTrack *track, SegmentFile *file, const char *name,
                                      const GPtrArray *units)
{
  OpenSegment *segment = g_new (OpenSegment, 1);
  SegmentRow *row = g_new0 (SegmentRow, 1);
  *row = (SegmentRow){ 0, file->from_us, file->from_us, file->bytes, g_strdup (track->camera), g_strdup (track->stream),
                       g_strdup (name) };
  *segment = (OpenSegment){ file, row, tracks_of (units), FALSE };
  return segment;
}

static gboolean start_file (ArchiveTrack *track, const GPtrArray *units, GBytes *head, GError **error)
{
  Archive *archive = track->archive;
  gint64 from_us = access_unit_dts_wall_us (units->pdata[0]);
  g_autofree char *name = free_name (track, from_us, error);
  if (name == NULL)
    return FALSE;
  g_autofree char *path = g_build_filename (archive->data_dir, name, NULL);
  SegmentFile *file = segment_file_new (path, units, head, error);
  if (file == NULL)
    return FALSE;
  if (track->end_us == 0 && (archive->predecessor_end_us != 0 || archive->is_rebuilt)) {
    track->end_us = recordings_index_end_us (archive->index, track->camera, track->stream);
    open_gap (track, archive->is_rebuilt ? "index_rebuilt" : "media_restart");
  }
  if (track->end_us == 0 || track->gap_reason != NULL)
    close_gap (track, from_us);
  track->segment = open_segment_new (track, file, name, units);
  track->account->files++;
  archive_add_bytes (track->account, archive, track->stream, file->bytes);
  return TRUE;
}

/* NULL when no file can hold what the camera sends: its own fault, so the others are recorded on. */
static GBytes *head_or_gap (ArchiveTrack *track, const GPtrArray *units)
{
  GError *error = NULL;
  GBytes *head = segment_file_head (units, &error);
  if (head == NULL)
    open_gap (track, "unsupported_codec");
  archive_log_failure (track->archive, "not recorded", track->camera, error);
  return head;
}

/* Whether a key picture begins the next file. */
static gboolean is_time_to_cut (const ArchiveTrack *track, const GPtrArray *units)
{
  const AccessUnit *first = units->pdata[0];
  const SegmentFile *file = track->segment->file;
  MediaFormat *audio = NULL;
  for (guint i = 0; i < units->len && audio == NULL; i++)
    if (!access_unit_is_video (units->pdata[i]))
      audio = ((const AccessUnit *) units->pdata[i])->format;
  g_mutex_lock (&track->archive->mutex);
  gint64 segment_us = track->archive->settings.segment_us;
  g_mutex_unlock (&track->archive->mutex);
  return first->format != file->video || (audio != NULL && audio != file->audio)
         || access_unit_dts_us (first) - file->zero_us >= segment_us
         || (file->is_reported && ABS (segment_file_astray_us (file, first)) > ASTRAY_US);
}

/* The name says when the file begins, so that the index can be built from it. */
static void move_file (ArchiveTrack *track, gint64 from_us)
{
  Archive *archive = track->archive;
  SegmentFile *file = track->segment->file;
  GError *error = NULL;
  g_autofree char *name = free_name (track, from_us, &error);
  g_autofree char *path = name != NULL ? g_build_filename (archive->data_dir, name, NULL) : NULL;
  if (name != NULL && rename (file->path, path) != 0)
    error_set_errno (&error, errno, "%s", path);
  if (error != NULL) {
    archive_log_failure (archive, "its file keeps an older name", track->camera, error);
    error = NULL;
    g_clear_pointer (&name, g_free);
  } else {
    g_free (file->path);
    file->path = g_steal_pointer (&path);
    file->is_named = FALSE;
  }
  file->from_us = from_us;
  if (archive_index_begin (archive))
    recordings_index_move (archive->index, track->segment->row, name, from_us, &error);
  archive_log_failure (archive, "index", track->camera, error);
}

/* A file that was begun before the camera's first report is late by what encoding and network took: it is moved as a whole. */
static void follow_reports (ArchiveTrack *track, const AccessUnit *first)
{
  if (track->segment == NULL || !first->is_reported || !access_unit_is_video (first))
    return;
  SegmentFile *file = track->segment->file;
  if (file->is_reported)
    return;
  gint64 moved_us = segment_file_astray_us (file, first);
  file->is_reported = TRUE;
  if (ABS (moved_us) <= ARCHIVE_MOVED_MAX_US && moved_us / 1000 != 0)
    move_file (track, file->from_us + moved_us);
}

/* The next file begins where the last one ends, as far as the wall agrees. */
static void cut_file (ArchiveTrack *track, const AccessUnit *first)
{
  gint64 from_us = access_unit_dts_wall_us (first), jitter_us = from_us - segment_file_to_us (track->segment->file);
  end_file (track, ABS (jitter_us) < GAP_MIN_US ? from_us : 0);
  if (jitter_us >= GAP_MIN_US)
    open_gap (track, "stalled");
}

static void write_failed (ArchiveTrack *track, GError *error)
{
  const char *reason = error_is (error, ERROR_RETRY) ? "disk_full" : "write_error";
  archive_log_failure (track->archive, "write", track->camera, error);
  end_file (track, 0);
  archive_stop_recording (track->archive, reason);
}

static void list_track (ArchiveTrack *track)
{
  if (track->account != NULL)
    return;
  track->account = archive_account (track->archive, track->camera);
  g_ptr_array_add (track->archive->tracks, track);
}

void archive_disk_begin (ArchiveTrack *track, gint64 from_us, const char *reason)
{
  list_track (track);
  track->end_us = MAX (from_us, recordings_index_known_us (track->archive->index, track->camera, track->stream));
  open_gap (track, reason);
}

/* FALSE: nothing more can be written of these units. */
static gboolean has_file (ArchiveTrack *track, const GPtrArray *units, gboolean is_key)
{
  GError *error = NULL;
  if (track->segment != NULL)
    return TRUE;
  g_autoptr (GBytes) head = is_key ? head_or_gap (track, units) : NULL;
  if (head == NULL)
    return FALSE;
  if (start_file (track, units, head, &error))
    return TRUE;
  write_failed (track, error);
  return FALSE;
}

void archive_disk_write (ArchiveTrack *track, GPtrArray *units, gboolean is_new, const char *reason)
{
  Archive *archive = track->archive;
  GError *error = NULL;
  AccessUnit *first = units->pdata[0];
  gboolean is_key = access_unit_is_video (first) && first->is_key;

  list_track (track);
  if (archive->stop_reason != NULL || track->account->stop_reason != NULL)
    return;
  if (is_new && track->segment != NULL)
    archive_disk_stop (track, reason);
  follow_reports (track, first);
  if (track->segment != NULL && is_key && is_time_to_cut (track, units))
    cut_file (track, first);
  else if (track->segment != NULL && access_unit_is_video (first))
    note_silence (track, first);
  if (!has_file (track, units, is_key))
    return;
  SegmentFile *file = track->segment->file;
  gint64 before = file->bytes;
  gboolean is_good = segment_file_append (file, units, &error);
  archive_add_bytes (track->account, archive, track->stream, file->bytes - before);
  if (!is_good)
    write_failed (track, error);
}

void archive_disk_pause (ArchiveTrack *track, const char *reason)
{
  list_track (track);
  archive_disk_stop (track, reason);
  if (reason == NULL) /* nobody wants it recorded: what is missing from now on is no gap */
    close_gap (track, clock_wall_us (track->archive->clock));
}

/* ---- syncing ---- */

static gboolean sync_file (Archive *archive, OpenSegment *segment)
{
  if (segment->file == NULL || segment_file_sync (segment->file))
    return TRUE;
  segment->has_failed = TRUE;
  log_limited (LOG_LEVEL_ERROR, "recording %s: sync: %s", segment->file->path, g_strerror (errno));
  archive_stop_recording (archive, "write_error");
  return FALSE;
}

static void put_row (Archive *archive, OpenSegment *segment, gboolean is_open)
{
  GError *error = NULL;
  if (archive_index_begin (archive))
    recordings_index_put (archive->index, segment->row, segment->tracks, is_open, &error);
  archive_log_failure (archive, "index", segment->row->camera, error);
}

/* Once all that is dirty is on its way to the disk, the first file's journal commit serves most of the others. */
static void start_sync (Archive *archive)
{
  for (guint i = 0; i < archive->tracks->len; i++) {
    const ArchiveTrack *track = archive->tracks->pdata[i];
    if (track->segment != NULL)
      segment_file_start_sync (track->segment->file);
  }
}

static void sync_growing (Archive *archive)
{
  for (guint i = 0; i < archive->tracks->len; i++) {
    OpenSegment *segment = ((ArchiveTrack *) archive->tracks->pdata[i])->segment;
    if (segment == NULL || !(segment->file->is_dirty || archive->has_lost) || !sync_file (archive, segment))
      continue;
    segment->row->to_us = segment_file_to_us (segment->file);
    segment->row->bytes = segment->file->bytes;
    put_row (archive, segment, TRUE);
  }
}

/* A file that could not be synced keeps its row open: the next start looks at what is really there. */
static void sync_ended (Archive *archive, guint count)
{
  for (guint i = 0; i < count; i++) {
    OpenSegment *segment = archive->ended->pdata[i];
    (void) sync_file (archive, segment);
    g_clear_pointer (&segment->file, segment_file_free);
    put_row (archive, segment, segment->has_failed);
    Shelf *shelf = &archive_account (archive, segment->row->camera)->shelves[stream_number (segment->row->stream)];
    shelf->is_known &= shelf->oldest != NULL;
  }
}

static void put_lost_gaps (Archive *archive)
{
  for (guint i = 0; i < archive->tracks->len && archive->has_lost; i++) {
    ArchiveTrack *track = archive->tracks->pdata[i];
    if (track->gap_reason != NULL)
      put_gap (track);
  }
}

void archive_disk_sync (Archive *archive)
{
  guint ended = archive->ended->len; /* one that fails adds files of others */
  archive->has_lost |= archive->has_failed;
  archive->has_failed = FALSE;
  start_sync (archive);
  sync_ended (archive, ended);
  sync_growing (archive);
  put_lost_gaps (archive);
  if (!archive_index_commit (archive) || archive->has_failed) {
    archive->has_lost = TRUE;
    if (archive->ended->len > ENDED_MAX)
      g_ptr_array_remove_range (archive->ended, 0, archive->ended->len - ENDED_MAX);
    return;
  }
  archive->has_lost = FALSE;
  g_ptr_array_remove_range (archive->ended, 0, ended);
}

void archive_disk_close (Archive *archive)
{
  for (guint i = 0; i < archive->tracks->len; i++)
    archive_disk_pause (archive->tracks->pdata[i], "media_stopped");
  archive_save_age (archive);
  archive_disk_sync (archive);
  archive_end_rebuild (archive);
}
