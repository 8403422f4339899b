/* What the archive's thread does with files and index. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "gateway/core/log.h"
#include "pipelines/live/fragment.h"
#include "pipelines/record/archive_private.h"
#include "pipelines/record/segment_walk.h"

enum {
  SILENCE_US = 3 * G_USEC_PER_SEC,       /* inside a file: the camera said nothing and went on */
  WRITE_ERROR_REST_US = 10 * G_USEC_PER_SEC,
  TELL_US = 60 * G_USEC_PER_SEC,         /* how often bytes and oldest are told without a change */
  NAME_TRIES = 100,
  ASTRAY_US = 60 * 1000,                 /* a file whose time is so far from the pictures' by reports ends: another begins right */
  MOVED_MAX_US = 5 * G_USEC_PER_SEC,
};

/* An index that can't be written is not worth stopping the recording: rows come with the next sync. */
static void log_failure (const char *what, const char *camera, GError *error)
{
  if (error != NULL)
    log_limited (LOG_LEVEL_WARNING, "recording %s: %s: %s", camera, what, error->message);
  g_clear_error (&error);
}

static void tell (Archive *archive)
{
  archive->told_us = clock_monotonic_us (archive->clock);
  if (archive->changed != NULL)
    archive->changed (archive->stop_reason == NULL, archive->stop_reason != NULL ? archive->stop_reason : "",
                      archive->since_us, archive->bytes, recordings_index_oldest_us (archive->index), archive->data);
}

/* A file that can't be read now may be whole: its row stays open, for the next start to repair. */
static void leave_for_later (Archive *archive, const SegmentRow *row, GError *error)
{
  archive->predecessor_end_us = MAX (archive->predecessor_end_us, row->to_us);
  log_failure ("its last file is not repaired", row->camera, error);
}

/* The gap begins where the camera's newest file ends: `row` may be one that was left by an earlier start. */
static gboolean repair_row (Archive *archive, const SegmentRow *row, GError **error)
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
  gint64 to_us = row->from_us + facts.duration_us;
  archive->predecessor_end_us = MAX (archive->predecessor_end_us, to_us);
  return recordings_index_update (archive->index, row->id, to_us, facts.good_bytes, FALSE, error)
         && recordings_index_open_gap (archive->index, row->camera, row->stream,
                                       recordings_index_end_us (archive->index, row->camera, row->stream),
                                       "media_restart", error);
}

gboolean archive_disk_open (Archive *archive, GError **error)
{
  g_autofree char *folder = g_build_filename (archive->data_dir, "recordings", NULL);
  if (!folder_make (folder, error))
    return FALSE;
  archive->index = recordings_index_open (archive->data_dir, DATABASE_WRITER, error);
  if (archive->index == NULL)
    return FALSE;
  g_autoptr (GPtrArray) rows = recordings_index_open_rows (archive->index, error);
  if (rows == NULL || !recordings_index_begin (archive->index, error))
    return FALSE;
  for (guint i = 0; i < rows->len; i++)
    if (!repair_row (archive, rows->pdata[i], error))
      return FALSE;
  if (!recordings_index_commit (archive->index, error))
    return FALSE;
  if (rows->len > 0)
    log_notice ("recordings: %u files were open when the process ended; what could be read is whole again", rows->len);
  archive->bytes = recordings_index_bytes (archive->index);
  archive->since_us = clock_wall_us (archive->clock);
  retention_clock_start (&archive->age, recordings_index_newest_us (archive->index), archive->since_us,
                         clock_monotonic_us (archive->clock));
  return TRUE;
}

/* `to_us` 0: where the file itself ends. */
static void end_file (ArchiveTrack *track, gint64 to_us)
{
  GError *error = NULL;
  if (track->file == NULL)
    return;
  track->end_us = to_us != 0 ? to_us : segment_file_to_us (track->file);
  segment_file_sync (track->file);
  recordings_index_update (track->archive->index, track->segment_id, track->end_us, track->file->bytes, FALSE, &error);
  log_failure ("index", track->camera, error);
  g_clear_pointer (&track->file, segment_file_free);
}

static void open_gap (ArchiveTrack *track, const char *reason)
{
  GError *error = NULL;
  if (track->end_us == 0 || reason == NULL)
    return;
  recordings_index_open_gap (track->archive->index, track->camera, track->stream, track->end_us, reason, &error);
  log_failure ("index", track->camera, error);
}

static void stop_recording (Archive *archive, const char *reason)
{
  if (archive->stop_reason != NULL)
    return;
  log_error ("recording stops: %s", reason);
  archive->stop_reason = reason;
  archive->since_us = clock_wall_us (archive->clock);
  archive->stopped_monotonic_us = clock_monotonic_us (archive->clock);
  for (guint i = 0; i < archive->tracks->len; i++) {
    end_file (archive->tracks->pdata[i], 0);
    open_gap (archive->tracks->pdata[i], reason);
  }
  tell (archive);
}

static void resume_recording (Archive *archive)
{
  log_notice ("recording resumes");
  archive->stop_reason = NULL;
  archive->since_us = clock_wall_us (archive->clock);
  tell (archive);
}

/* recordings/CAMERA/STREAM/YYYYMMDD/HHMMSS-mmm[-N].mp4 in UTC; camera ids are [A-Za-z0-9._-] and start with no dot. */
static char *relative_name (const ArchiveTrack *track, gint64 wall_us, guint try)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (wall_us / G_USEC_PER_SEC);
  if (time == NULL)
    return NULL;
  g_autofree char *day = g_date_time_format (time, "%Y%m%d"), *second = g_date_time_format (time, "%H%M%S");
  g_autofree char *number = try > 0 ? g_strdup_printf ("-%u", try) : g_strdup ("");
  return g_strdup_printf ("recordings/%s/%s/%s/%s-%03d%s.mp4", track->camera, track->stream, day, second,
                          (int) (wall_us / 1000 % 1000), number);
}

/* A name that is free; free with g_free. NULL when there is none. */
static char *free_name (const ArchiveTrack *track, gint64 wall_us, GError **error)
{
  for (guint try = 0; try < NAME_TRIES; try++) {
    g_autofree char *relative = relative_name (track, wall_us, try);
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

static const char *tracks_of (const GPtrArray *units)
{
  gboolean is_h264 = ((const AccessUnit *) units->pdata[0])->format->codec == CODEC_H264;
  for (guint i = 0; i < units->len; i++)
    if (!access_unit_is_video (units->pdata[i]))
      return is_h264 ? "h264,aac" : "h265,aac";
  return is_h264 ? "h264" : "h265";
}

/* The row is committed before the file is made: a file without a row would never be deleted. */
static gboolean start_file (ArchiveTrack *track, const GPtrArray *units, GBytes *head, GError **error)
{
  Archive *archive = track->archive;
  gint64 from_us = access_unit_dts_wall_us (units->pdata[0]);
  g_autofree char *name = free_name (track, from_us, error);
  if (name == NULL)
    return FALSE;
  if (track->end_us == 0 && archive->predecessor_end_us != 0) {
    track->end_us = recordings_index_end_us (archive->index, track->camera, track->stream);
    open_gap (track, "media_restart");
  }
  track->segment_id = recordings_index_add (archive->index, track->camera, track->stream, name, from_us,
                                            tracks_of (units), error);
  if (track->segment_id < 0 || !recordings_index_close_gap (archive->index, track->camera, track->stream, from_us, error))
    return FALSE;
  g_autofree char *path = g_build_filename (archive->data_dir, name, NULL);
  track->file = segment_file_new (path, units, head, error);
  if (track->file == NULL)
    return recordings_index_remove (archive->index, track->segment_id, NULL) && FALSE;
  archive->bytes += track->file->bytes;
  return TRUE;
}

/* NULL when no file can hold what the camera sends: its own fault, so the others are recorded on. */
static GBytes *head_or_gap (ArchiveTrack *track, const GPtrArray *units)
{
  GError *error = NULL;
  GBytes *head = segment_file_head (units, &error);
  if (head == NULL)
    open_gap (track, "unsupported_codec");
  log_failure ("not recorded", track->camera, error);
  return head;
}

/* Whether a key picture begins the next file. */
static gboolean is_time_to_cut (const ArchiveTrack *track, const GPtrArray *units)
{
  const AccessUnit *first = units->pdata[0];
  MediaFormat *audio = NULL;
  for (guint i = 0; i < units->len && audio == NULL; i++)
    if (!access_unit_is_video (units->pdata[i]))
      audio = ((const AccessUnit *) units->pdata[i])->format;
  g_mutex_lock (&track->archive->mutex);
  gint64 segment_us = track->archive->settings.segment_us;
  g_mutex_unlock (&track->archive->mutex);
  return first->format != track->file->video || (audio != NULL && audio != track->file->audio)
         || access_unit_dts_us (first) - track->file->zero_us >= segment_us
         || (track->file->is_reported && ABS (segment_file_astray_us (track->file, first)) > ASTRAY_US);
}

/* A file that was begun before the camera's first report is late by what encoding and network took: it is moved as a whole. */
static void follow_reports (ArchiveTrack *track, const AccessUnit *first)
{
  GError *error = NULL;
  SegmentFile *file = track->file;
  if (file == NULL || file->is_reported || !first->is_reported || !access_unit_is_video (first))
    return;
  gint64 moved_us = segment_file_astray_us (file, first);
  file->is_reported = TRUE;
  if (ABS (moved_us) > MOVED_MAX_US)
    return;
  recordings_index_move (track->archive->index, track->segment_id, file->from_us, file->from_us + moved_us, &error);
  log_failure ("index", track->camera, error);
  file->from_us += moved_us;
}

static void note_silence (ArchiveTrack *track, const AccessUnit *first)
{
  GError *error = NULL;
  gint64 silence_us = access_unit_dts_us (first) - track->file->end_us;
  if (silence_us < SILENCE_US)
    return;
  gint64 from_us = segment_file_to_us (track->file);
  recordings_index_add_gap (track->archive->index, track->camera, track->stream, from_us, from_us + silence_us, "stalled",
                            &error);
  log_failure ("index", track->camera, error);
}

static void write_failed (ArchiveTrack *track, GError *error)
{
  const char *reason = error_is (error, ERROR_RETRY) ? "disk_full" : "write_error";
  log_failure ("write", track->camera, error);
  end_file (track, 0);
  stop_recording (track->archive, reason);
}

static void list_track (ArchiveTrack *track)
{
  if (!track->is_listed)
    g_ptr_array_add (track->archive->tracks, track);
  track->is_listed = TRUE;
}

void archive_disk_begin (ArchiveTrack *track, gint64 from_us, const char *reason)
{
  RecordingsIndex *index = track->archive->index;
  list_track (track);
  track->end_us = MAX (from_us, recordings_index_known_us (index, track->camera, track->stream));
  open_gap (track, reason);
}

void archive_disk_write (ArchiveTrack *track, GPtrArray *units, gboolean is_new, const char *reason)
{
  Archive *archive = track->archive;
  GError *error = NULL;
  AccessUnit *first = units->pdata[0];
  gboolean is_key = access_unit_is_video (first) && first->is_key;

  list_track (track);
  if (archive->stop_reason != NULL)
    return;
  if (is_new && track->file != NULL) {
    end_file (track, 0);
    open_gap (track, reason);
  }
  follow_reports (track, first);
  if (track->file != NULL && is_key && is_time_to_cut (track, units)) {
    gint64 from_us = access_unit_dts_wall_us (first);
    end_file (track, ABS (from_us - segment_file_to_us (track->file)) < GAP_MIN_US ? from_us : 0);
    open_gap (track, "stalled"); /* which closes at once, and is forgotten when it is short */
  }
  if (track->file == NULL) {
    g_autoptr (GBytes) head = is_key ? head_or_gap (track, units) : NULL;
    if (head == NULL)
      return;
    if (!start_file (track, units, head, &error)) {
      write_failed (track, error);
      return;
    }
  } else if (access_unit_is_video (first)) {
    note_silence (track, first);
  }
  gint64 before = track->file->bytes;
  gboolean is_good = segment_file_append (track->file, units, &error);
  archive->bytes += track->file->bytes - before;
  if (!is_good)
    write_failed (track, error);
}

void archive_disk_pause (ArchiveTrack *track, const char *reason)
{
  GError *error = NULL;
  end_file (track, 0);
  open_gap (track, reason);
  if (reason == NULL) /* nobody wants it recorded: what is missing from now on is no gap */
    recordings_index_close_gap (track->archive->index, track->camera, track->stream,
                                clock_wall_us (track->archive->clock), &error);
  log_failure ("index", track->camera, error);
}

void archive_disk_sync (Archive *archive)
{
  GError *error = NULL;
  gboolean has_begun = FALSE;
  for (guint i = 0; i < archive->tracks->len; i++) {
    ArchiveTrack *track = archive->tracks->pdata[i];
    if (track->file == NULL || !track->file->is_dirty)
      continue;
    segment_file_sync (track->file);
    if (!has_begun)
      has_begun = recordings_index_begin (archive->index, &error);
    if (has_begun && error == NULL)
      recordings_index_update (archive->index, track->segment_id, segment_file_to_us (track->file), track->file->bytes,
                               TRUE, &error);
  }
  if (has_begun)
    recordings_index_commit (archive->index, error == NULL ? &error : NULL);
  log_failure ("index", "all", error);
}

/* The file goes first: a row without a file does no harm and goes with the next turn, and until then counts its bytes. */
static gboolean delete_segment (Archive *archive, const SegmentRow *row)
{
  GError *error = NULL;
  g_autofree char *path = g_build_filename (archive->data_dir, row->file, NULL);
  g_autofree char *folder = g_path_get_dirname (path);
  if (unlink (path) != 0 && errno != ENOENT) {
    log_limited (LOG_LEVEL_WARNING, "recording %s: can't be deleted: %s", path, g_strerror (errno));
    return FALSE;
  }
  (void) rmdir (folder); /* goes when the day is empty */
  gboolean is_good = recordings_index_remove (archive->index, row->id, &error);
  log_failure ("index", row->camera, error);
  if (is_good)
    archive->bytes -= row->bytes;
  return is_good;
}

static RetentionFacts facts_now (Archive *archive, const SegmentRow *oldest)
{
  gint64 monotonic_us = clock_monotonic_us (archive->clock);
  RetentionFacts facts = { .bytes = archive->bytes, .is_stopped = archive->stop_reason != NULL };
  facts.now_us = retention_clock_advance (&archive->age, clock_wall_us (archive->clock), monotonic_us);
  facts.has_oldest = oldest != NULL;
  facts.oldest_to_us = oldest != NULL ? oldest->to_us : 0;
  if (!disk_free (archive->data_dir, &facts.free_bytes, &facts.total_bytes))
    facts.free_bytes = G_MAXINT64 / 2;
  facts.is_full = facts.free_bytes < 4 * 1024 * 1024; /* whatever the limits say */
  return facts;
}

/* Deletes at most a tick's share, in one transaction. Returns what is left to do. */
static RetentionAction delete_old (Archive *archive, const RetentionLimits *limits)
{
  RetentionAction action = RETENTION_KEEP;
  gboolean has_begun = FALSE, goes_on = TRUE;
  gint64 before = archive->bytes;
  GError *error = NULL;

  for (guint i = 0; i < ARCHIVE_DELETIONS_PER_TICK && goes_on && error == NULL; i++) {
    SegmentRow *oldest = recordings_index_oldest (archive->index, &error);
    RetentionFacts facts = facts_now (archive, oldest);
    action = retention_decide (limits, &facts);
    goes_on = action == RETENTION_DELETE_OLDEST;
    if (goes_on && !has_begun)
      goes_on = has_begun = recordings_index_begin (archive->index, &error);
    goes_on = goes_on && delete_segment (archive, oldest);
    segment_row_free (oldest);
  }
  if (has_begun && !recordings_index_commit (archive->index, error == NULL ? &error : NULL))
    archive->bytes = before; /* the rows are all back */
  log_failure ("index", "all", error);
  return action;
}

void archive_disk_retain (Archive *archive)
{
  g_mutex_lock (&archive->mutex);
  RetentionLimits limits = archive->settings.limits;
  g_mutex_unlock (&archive->mutex);
  RetentionAction action = delete_old (archive, &limits);
  gint64 now_us = clock_monotonic_us (archive->clock);
  if (action == RETENTION_STOP_KEEP || action == RETENTION_STOP_FULL)
    stop_recording (archive, action == RETENTION_STOP_KEEP ? "keep_at_least" : "disk_full");
  else if (archive->stop_reason != NULL && action == RETENTION_KEEP
           && (strcmp (archive->stop_reason, "write_error") != 0
               || now_us - archive->stopped_monotonic_us > WRITE_ERROR_REST_US))
    resume_recording (archive);
  else if (now_us - archive->told_us > TELL_US)
    tell (archive);
}

void archive_disk_close (Archive *archive)
{
  for (guint i = 0; i < archive->tracks->len; i++)
    archive_disk_pause (archive->tracks->pdata[i], "media_stopped");
}
