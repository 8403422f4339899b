#include "pipelines/playback/recording_cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "gateway/core/log.h"

enum { ROWS_AT_ONCE = 16 };

/* What the next file is looked for until. */
#define FOR_EVER (G_MAXINT64 / 2)

struct RecordingCursor {
  char *data_dir, *camera, *stream;
  RecordingsIndex *index;

  SegmentRow *row;      /* of the open file; NULL: none */
  int fd;
  SegmentSamples *samples;
  gboolean is_new_file;
  GArray *part;         /* of SegmentSample */
  gboolean is_cut;      /* the next part begins with the key picture that was sought, */
  guint skip;           /* after so many pictures */

  gint64 sought_us;     /* where the next file is looked for, while none is open */
  gint64 after_us;      /* and it begins later than this */
  gint64 timeline_us;   /* the open file's zero */
  gint64 end_us;        /* the timeline's end */
  gint64 end_wall_us;   /* 0: nothing was handed out since the seek */
  gboolean is_placed;   /* `timeline_us` is that of the open file */
};

static gboolean read_file (gint64 offset, guint8 *bytes, gsize size, gpointer data)
{
  return pread (((RecordingCursor *) data)->fd, bytes, size, offset) == (gssize) size;
}

static void close_file (RecordingCursor *cursor)
{
  g_clear_pointer (&cursor->samples, segment_samples_free);
  g_clear_pointer (&cursor->row, segment_row_free);
  if (cursor->fd >= 0)
    close (cursor->fd);
  cursor->fd = -1;
  cursor->is_cut = FALSE;
  cursor->is_placed = FALSE;
}

RecordingCursor *recording_cursor_new (const char *data_dir, const char *camera, const char *stream, GError **error)
{
  RecordingsIndex *index = recordings_index_open (data_dir, DATABASE_READER, error);
  if (index == NULL)
    return NULL;
  RecordingCursor *cursor = g_new0 (RecordingCursor, 1);
  cursor->data_dir = g_strdup (data_dir);
  cursor->camera = g_strdup (camera);
  cursor->stream = g_strdup (stream);
  cursor->index = index;
  cursor->fd = -1;
  cursor->part = g_array_new (FALSE, FALSE, sizeof (SegmentSample));
  return cursor;
}

/* Takes `row`. FALSE: the file is gone or broken. */
static gboolean open_file (RecordingCursor *cursor, SegmentRow *row)
{
  g_autofree char *path = g_build_filename (cursor->data_dir, row->file, NULL);
  close_file (cursor);
  cursor->row = row;
  cursor->after_us = row->from_us;
  cursor->fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  cursor->samples = cursor->fd >= 0 ? segment_samples_new (read_file, cursor, row->bytes) : NULL;
  cursor->is_new_file = TRUE;
  if (cursor->samples != NULL)
    return TRUE;
  log_limited (LOG_LEVEL_WARNING, "recording %s can't be played back: %s", path,
               cursor->fd < 0 ? g_strerror (errno) : "it is broken");
  cursor->sought_us = row->to_us;
  close_file (cursor);
  return FALSE;
}

/* One look at the index. `*again`: all of what it showed is broken, and there may be more. */
static gboolean advance_once (RecordingCursor *cursor, gboolean *again, GError **error)
{
  gint64 from_us = cursor->row != NULL ? cursor->row->from_us : cursor->sought_us;
  g_autoptr (GPtrArray) rows
    = recordings_index_find (cursor->index, cursor->camera, cursor->stream, from_us, FOR_EVER, ROWS_AT_ONCE, error);
  for (guint i = 0; rows != NULL && i < rows->len; i++) {
    SegmentRow *row = rows->pdata[i];
    if (cursor->row != NULL && row->id == cursor->row->id && row->bytes > cursor->row->bytes) {
      segment_samples_grow (cursor->samples, row->bytes);
      cursor->row->bytes = row->bytes;
      return TRUE;
    }
    if (row->from_us <= cursor->after_us)
      continue;
    rows->pdata[i] = NULL; /* which segment_row_free takes */
    if (open_file (cursor, row))
      return TRUE;
    *again = TRUE;
  }
  return FALSE;
}

/* The open file may have grown, or the next one is opened. FALSE: neither. */
static gboolean advance (RecordingCursor *cursor, GError **error)
{
  gboolean again = TRUE;
  while (again) {
    again = FALSE;
    if (advance_once (cursor, &again, error))
      return TRUE;
  }
  return FALSE;
}

static gint64 to_us (gint64 ticks, guint32 time_scale)
{
  return time_scale > 0 ? ticks / time_scale * G_USEC_PER_SEC + ticks % time_scale * G_USEC_PER_SEC / time_scale : 0;
}

/* Puts the cursor before the fragment with the last key picture at or before `at_us` of the open file. */
static void find_key (RecordingCursor *cursor, gint64 at_us)
{
  guint32 time_scale = segment_samples_track (cursor->samples, 0)->time_scale;
  gint64 best_at = segment_samples_at (cursor->samples), here = best_at;
  guint best_skip = 0;
  gboolean is_past = FALSE;
  while (!is_past && segment_samples_next (cursor->samples, cursor->part)) {
    for (guint i = 0, video = 0; i < cursor->part->len && !is_past; i++) {
      const SegmentSample *sample = &g_array_index (cursor->part, SegmentSample, i);
      if (!sample->is_video)
        continue;
      is_past = cursor->row->from_us + to_us (sample->dts, time_scale) > at_us;
      if (sample->is_key && !is_past) {
        best_at = here;
        best_skip = video;
      }
      video++;
    }
    here = segment_samples_at (cursor->samples);
  }
  segment_samples_go (cursor->samples, best_at);
  cursor->skip = best_skip;
  cursor->is_cut = TRUE;
}

gboolean recording_cursor_seek (RecordingCursor *cursor, gint64 at_us, gboolean forget, GError **error)
{
  close_file (cursor);
  if (forget)
    cursor->end_us = 0;
  cursor->end_wall_us = 0;
  cursor->sought_us = at_us;
  cursor->after_us = 0;
  g_autoptr (GPtrArray) rows
    = recordings_index_find (cursor->index, cursor->camera, cursor->stream, at_us, FOR_EVER, ROWS_AT_ONCE, error);
  if (rows == NULL)
    return FALSE;
  /* of files that touch the time, the one that began last */
  guint last = 0;
  while (last + 1 < rows->len && ((const SegmentRow *) rows->pdata[last + 1])->from_us <= at_us)
    last++;
  for (guint i = last; i < rows->len; i++) {
    SegmentRow *row = g_steal_pointer (&rows->pdata[i]);
    if (!open_file (cursor, row))
      continue;
    find_key (cursor, at_us);
    break;
  }
  return TRUE;
}

/* Leaves out the pictures before the key picture that was sought, and the sound before it. */
static void cut_front (RecordingCursor *cursor)
{
  guint kept = 0, video = 0;
  gint64 key_us = G_MININT64;
  for (guint i = 0; i < cursor->part->len; i++) {
    const SegmentSample *sample = &g_array_index (cursor->part, SegmentSample, i);
    if (sample->is_video && video++ == cursor->skip)
      key_us = to_us (sample->dts, segment_samples_track (cursor->samples, 0)->time_scale);
  }
  video = 0;
  for (guint i = 0; i < cursor->part->len; i++) {
    SegmentSample sample = g_array_index (cursor->part, SegmentSample, i);
    gboolean is_kept = sample.is_video
                         ? video++ >= cursor->skip
                         : to_us (sample.dts, segment_samples_track (cursor->samples, 1)->time_scale) >= key_us;
    if (is_kept)
      g_array_index (cursor->part, SegmentSample, kept++) = sample;
  }
  g_array_set_size (cursor->part, kept);
  cursor->is_cut = FALSE;
}

static const SegmentSample *first_picture (const RecordedPart *part)
{
  for (guint i = 0; i < part->samples->len; i++)
    if (g_array_index (part->samples, SegmentSample, i).is_video)
      return &g_array_index (part->samples, SegmentSample, i);
  return NULL;
}

/* Where the part lies on the timeline: joined to what came before, unless time is missing within one file only. */
static void place (RecordingCursor *cursor, RecordedPart *part)
{
  const SegmentSample *first = first_picture (part);
  gint64 first_us = first != NULL ? recorded_dts_us (part, first) : 0;
  gint64 wall_us = part->wall_us + first_us;
  gboolean is_gap = first != NULL && cursor->end_wall_us != 0 && wall_us - cursor->end_wall_us >= GAP_MIN_US;
  if (is_gap) {
    part->gap_from_us = cursor->end_wall_us;
    part->gap_to_us = wall_us;
  }
  if (!cursor->is_placed || is_gap)
    cursor->timeline_us = cursor->end_us - first_us;
  cursor->is_placed |= first != NULL;
  part->timeline_us = cursor->timeline_us;
  for (guint i = 0; i < part->samples->len; i++) {
    const SegmentSample *sample = &g_array_index (part->samples, SegmentSample, i);
    if (!sample->is_video)
      continue;
    gint64 end_us = recorded_dts_us (part, sample) + recorded_duration_us (part, sample);
    cursor->end_us = cursor->timeline_us + end_us;
    cursor->end_wall_us = part->wall_us + end_us;
  }
}

static gboolean read_part (RecordingCursor *cursor)
{
  while (cursor->samples != NULL && segment_samples_next (cursor->samples, cursor->part)) {
    if (cursor->is_cut)
      cut_front (cursor);
    if (cursor->part->len > 0)
      return TRUE;
  }
  return FALSE;
}

gboolean recording_cursor_next (RecordingCursor *cursor, RecordedPart *part, GError **error)
{
  GError *failure = NULL;
  while (!read_part (cursor))
    if (!advance (cursor, &failure)) {
      if (failure != NULL)
        g_propagate_error (error, failure);
      return FALSE;
    }
  *part = (RecordedPart){ .samples = cursor->part, .fd = cursor->fd, .file = cursor->row->file,
                          .wall_us = cursor->row->from_us, .is_new_file = cursor->is_new_file };
  part->tracks[0] = segment_samples_track (cursor->samples, 0);
  part->tracks[1] = segment_samples_track (cursor->samples, 1);
  cursor->is_new_file = FALSE;
  place (cursor, part);
  return TRUE;
}

char *recording_cursor_gap_reason (RecordingCursor *cursor, gint64 from_us, gint64 to_us)
{
  return recordings_index_gap_reason (cursor->index, cursor->camera, cursor->stream, from_us, to_us);
}

void recording_cursor_free (RecordingCursor *cursor)
{
  if (cursor == NULL)
    return;
  close_file (cursor);
  recordings_index_close (cursor->index);
  g_array_unref (cursor->part);
  g_free (cursor->data_dir);
  g_free (cursor->camera);
  g_free (cursor->stream);
  g_free (cursor);
}

gint64 recorded_dts_us (const RecordedPart *part, const SegmentSample *sample)
{
  return to_us (sample->dts, part->tracks[!sample->is_video]->time_scale);
}

gint64 recorded_wall_us (const RecordedPart *part, const SegmentSample *sample)
{
  return part->wall_us + recorded_dts_us (part, sample);
}

gint64 recorded_duration_us (const RecordedPart *part, const SegmentSample *sample)
{
  return to_us (sample->duration, part->tracks[!sample->is_video]->time_scale);
}

gint64 recorded_timeline_ticks (const RecordedPart *part, const SegmentSample *sample)
{
  gint64 scaled = part->timeline_us * part->tracks[!sample->is_video]->time_scale;
  return sample->dts + (scaled + (scaled >= 0 ? G_USEC_PER_SEC / 2 : -G_USEC_PER_SEC / 2)) / G_USEC_PER_SEC;
}
