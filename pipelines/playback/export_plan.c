#include "pipelines/playback/export_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "pipelines/playback/export_track.h"
#include "pipelines/playback/recording_cursor.h"

enum { MOVIE_TIME_SCALE = 1000, WRITE_BYTES = 256 * 1024, MDAT_HEAD = 16, FILES_MAX = 10000, FIXED_BYTES = 4096 };

/* 1904 to 1970, in seconds (ISO/IEC 14496-12 8.2.2) */
#define MOVIE_EPOCH_S G_GINT64_CONSTANT (2082844800)

struct ExportPlan {
  char *data_dir;
  GPtrArray *files;     /* of char *, relative to data_dir */
  GArray *chunks;       /* of ExportChunk */
  GArray *spans;        /* of ExportSpan */
  ExportTrack tracks[2];
  GByteArray *head;     /* up to the first sample */
  gint64 data_bytes;
};

/* ---- the first pass ---- */

typedef struct {
  ExportPlan *plan;
  gint64 from_us, to_us, reached_us;
  gsize index_bytes_max;
  guint entries[2];     /* of the open file; 0: what it has of this is left out */
  gboolean is_over, is_too_long;
} Collector;

static gsize index_bytes (const ExportPlan *plan)
{
  return export_track_index_bytes (&plan->tracks[0]) + export_track_index_bytes (&plan->tracks[1])
         + plan->chunks->len * sizeof (ExportChunk);
}

static void add_chunk (ExportPlan *plan, const SegmentSample *sample, guint entry)
{
  guint16 track = sample->is_video ? 0 : 1;
  ExportChunk *last = plan->chunks->len > 0 ? &g_array_index (plan->chunks, ExportChunk, plan->chunks->len - 1) : NULL;
  guint32 file = plan->files->len - 1;
  plan->data_bytes += sample->size;
  if (last != NULL && last->track == track && last->file == file && last->entry == entry
      && last->offset + last->size == sample->offset && last->size < G_MAXINT32) {
    last->samples++;
    last->size += sample->size;
    return;
  }
  ExportChunk chunk = { .file = file, .samples = 1, .size = sample->size, .track = track, .entry = (guint16) entry,
                        .offset = sample->offset };
  g_array_append_val (plan->chunks, chunk);
}

static void open_part_file (Collector *collector, const RecordedPart *part)
{
  ExportPlan *plan = collector->plan;
  g_ptr_array_add (plan->files, g_strdup (part->file));
  for (guint i = 0; i < 2; i++)
    collector->entries[i] = part->tracks[i]->entry != NULL ? export_track_entry (&plan->tracks[i], part->tracks[i]) : 0;
  collector->is_over |= collector->entries[0] == 0;
}

static void add_sample (Collector *collector, const RecordedPart *part, const SegmentSample *sample)
{
  ExportPlan *plan = collector->plan;
  guint number = sample->is_video ? 0 : 1;
  ExportTrack *track = &plan->tracks[number];
  guint32 time_scale = part->tracks[number]->time_scale;
  if (collector->entries[number] == 0)
    return;
  gint64 ticks = recorded_timeline_ticks (part, sample);
  if (time_scale != track->time_scale)
    ticks = ticks * track->time_scale / time_scale;
  if (!export_track_add (track, sample, MAX (ticks, 0)))
    return;
  add_chunk (plan, sample, collector->entries[number]);
  if (sample->is_video)
    g_array_index (plan->spans, ExportSpan, plan->spans->len - 1).to_us
      = MIN (recorded_wall_us (part, sample) + recorded_duration_us (part, sample), collector->to_us);
}

static gint64 part_start_us (const RecordedPart *part)
{
  for (guint i = 0; i < part->samples->len; i++)
    if (g_array_index (part->samples, SegmentSample, i).is_video)
      return recorded_wall_us (part, &g_array_index (part->samples, SegmentSample, i));
  return recorded_wall_us (part, &g_array_index (part->samples, SegmentSample, 0));
}

static void add_part (Collector *collector, const RecordedPart *part)
{
  GArray *spans = collector->plan->spans;
  ExportSpan span = { part_start_us (part), part_start_us (part) };
  if (span.from_us >= collector->to_us) {
    collector->is_over = TRUE;
    return;
  }
  if (part->is_new_file)
    open_part_file (collector, part);
  if (collector->is_over)
    return;
  if (spans->len == 0 || (part->gap_to_us > part->gap_from_us && spans->len < EXPORT_SPANS_MAX))
    g_array_append_val (spans, span);
  for (guint i = 0; i < part->samples->len; i++) {
    const SegmentSample *sample = &g_array_index (part->samples, SegmentSample, i);
    if (recorded_wall_us (part, sample) < collector->to_us)
      add_sample (collector, part, sample);
    else
      collector->is_over |= sample->is_video;
  }
  collector->is_too_long = index_bytes (collector->plan) > collector->index_bytes_max || collector->plan->files->len > FILES_MAX;
  collector->reached_us = span.from_us;
}

/* What lies before the part that was one too many had room. */
static gboolean refuse_too_long (const Collector *collector, GError **error)
{
  g_autofree char *reached = time_to_rfc3339 (collector->reached_us);
  return error_set (error, ERROR_REFUSE,
                    "there are too many pictures and sounds in this time for one file: ask for up to %s (%" G_GINT64_FORMAT
                    " minutes), and for the rest in another",
                    reached, MAX (collector->reached_us - collector->from_us, 0) / (60 * G_USEC_PER_SEC));
}

static gboolean collect (ExportPlan *plan, const char *camera, const char *stream, gint64 from_us, gint64 to_us,
                         gsize index_bytes_max, GError **error)
{
  Collector collector = { .plan = plan, .from_us = from_us, .to_us = to_us, .index_bytes_max = index_bytes_max };
  RecordedPart part;
  GError *failure = NULL;
  g_autoptr (RecordingCursor) cursor = recording_cursor_new (plan->data_dir, camera, stream, error);
  if (cursor == NULL || !recording_cursor_seek (cursor, from_us, TRUE, error))
    return FALSE;
  while (!collector.is_over && !collector.is_too_long && recording_cursor_next (cursor, &part, &failure))
    add_part (&collector, &part);
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  if (collector.is_too_long)
    return refuse_too_long (&collector, error);
  return plan->tracks[0].sizes->len > 0 || error_set (error, ERROR_GIVE_UP, "nothing is recorded in this time");
}

/* ---- the head ---- */

static void append_movie_head (const ExportPlan *plan, GByteArray *out)
{
  gint64 duration_ms = MAX (export_track_duration_ms (&plan->tracks[0]), export_track_duration_ms (&plan->tracks[1]));
  gint64 created_s = g_array_index (plan->spans, ExportSpan, 0).from_us / G_USEC_PER_SEC + MOVIE_EPOCH_S;
  gsize box = box_open_full (out, "mvhd", 1, 0);
  box_put_64 (out, created_s);
  box_put_64 (out, created_s);
  box_put_32 (out, MOVIE_TIME_SCALE);
  box_put_64 (out, duration_ms);
  box_put_32 (out, 0x00010000); /* rate */
  box_put_32 (out, 0x01000000); /* volume, reserved */
  box_put_64 (out, 0);
  box_put_matrix (out);
  for (guint i = 0; i < 6; i++)
    box_put_32 (out, 0);
  box_put_32 (out, 3); /* the next track's number */
  box_close (out, box);
}

static void append_head (const ExportPlan *plan, gint64 data_at, GByteArray *out)
{
  gsize box = box_open (out, "ftyp");
  g_byte_array_append (out, (const guint8 *) "isom\0\0\2\0isomiso2mp41", 20);
  box_close (out, box);
  gsize moov = box_open (out, "moov");
  append_movie_head (plan, out);
  for (guint i = 0; i < 2; i++)
    if (plan->tracks[i].sizes->len > 0)
      export_track_append (&plan->tracks[i], i, plan->chunks, data_at, out);
  box_close (out, moov);
  box_put_32 (out, 1); /* the size stands behind the type */
  g_byte_array_append (out, (const guint8 *) "mdat", 4);
  box_put_64 (out, MDAT_HEAD + plan->data_bytes);
}

/* Its own size stands in it, but only where it has the same width whatever it is: it is written twice, in one place. */
static void make_head (ExportPlan *plan)
{
  plan->head = g_byte_array_sized_new ((guint) index_bytes (plan) + FIXED_BYTES);
  append_head (plan, 0, plan->head);
  guint size = plan->head->len;
  g_byte_array_set_size (plan->head, 0);
  append_head (plan, size, plan->head);
  g_assert (plan->head->len == size);
}

ExportPlan *export_plan_new (const char *data_dir, const char *camera, const char *stream, gint64 from_us, gint64 to_us,
                             gsize index_bytes_max, GError **error)
{
  if (from_us >= to_us || to_us - from_us > EXPORT_LONGEST_US) {
    error_set (error, ERROR_REFUSE, "an export lasts up to 24 hours: ask for several");
    return NULL;
  }
  g_autoptr (ExportPlan) plan = g_new0 (ExportPlan, 1);
  plan->data_dir = g_strdup (data_dir);
  plan->files = g_ptr_array_new_with_free_func (g_free);
  plan->chunks = g_array_new (FALSE, FALSE, sizeof (ExportChunk));
  plan->spans = g_array_new (FALSE, FALSE, sizeof (ExportSpan));
  export_track_init (&plan->tracks[0], TRUE);
  export_track_init (&plan->tracks[1], FALSE);
  if (!collect (plan, camera, stream, from_us, to_us, index_bytes_max, error))
    return NULL;
  make_head (plan);
  export_track_finish (&plan->tracks[0]); /* all of it stands in the head */
  export_track_finish (&plan->tracks[1]);
  return g_steal_pointer (&plan);
}

gint64 export_plan_bytes (const ExportPlan *plan)
{
  return plan->head->len + plan->data_bytes;
}

const GArray *export_plan_spans (const ExportPlan *plan)
{
  return plan->spans;
}

void export_plan_free (ExportPlan *plan)
{
  if (plan == NULL)
    return;
  export_track_finish (&plan->tracks[0]);
  export_track_finish (&plan->tracks[1]);
  g_clear_pointer (&plan->head, g_byte_array_unref);
  g_array_unref (plan->spans);
  g_array_unref (plan->chunks);
  g_ptr_array_unref (plan->files);
  g_free (plan->data_dir);
  g_free (plan);
}

/* ---- the second pass ---- */

typedef struct {
  int pipe_fd, cancel_fd;
  gint64 bytes_per_second, start_us, sent;
} Sending;

/* Until the pipe takes something, and the pace allows it. */
static gboolean wait_for_room (const Sending *sending, GError **error)
{
  struct pollfd polled[2] = { { sending->cancel_fd, POLLIN, 0 }, { sending->pipe_fd, POLLOUT, 0 } };
  gint64 early_us = 0;
  if (sending->bytes_per_second > 0)
    early_us = sending->start_us + sending->sent / sending->bytes_per_second * G_USEC_PER_SEC
               + sending->sent % sending->bytes_per_second * G_USEC_PER_SEC / sending->bytes_per_second
               - g_get_monotonic_time ();
  if (early_us >= 1000)
    (void) poll (polled, 1, (int) (early_us / 1000));
  while (polled[0].revents == 0 && poll (polled, 2, -1) < 0 && errno == EINTR)
    ;
  if (polled[0].revents != 0)
    return error_set (error, ERROR_RETRY, "the export was ended");
  return !(polled[1].revents & (POLLERR | POLLHUP)) || error_set (error, ERROR_GIVE_UP, "the client is gone");
}

/* What write or splice returned: FALSE when it is no reason to try again. */
static gboolean note_sent (Sending *sending, gssize sent, GError **error)
{
  if (sent > 0) {
    sending->sent += sent;
    return TRUE;
  }
  if (sent == 0)
    return error_set (error, ERROR_GIVE_UP, "a recording is shorter than it was");
  return errno == EAGAIN || errno == EINTR || error_set_errno (error, errno, "the client is gone");
}

static gboolean send_head (const ExportPlan *plan, Sending *sending, GError **error)
{
  while (sending->sent < plan->head->len) {
    gsize left = plan->head->len - (gsize) sending->sent;
    if (!wait_for_room (sending, error)
        || !note_sent (sending, write (sending->pipe_fd, plan->head->data + sending->sent, MIN (left, WRITE_BYTES)), error))
      return FALSE;
  }
  return TRUE;
}

static gboolean send_chunk (const ExportChunk *chunk, int file_fd, Sending *sending, GError **error)
{
  off_t at = chunk->offset, end = chunk->offset + chunk->size;
  while (at < end) {
    if (!wait_for_room (sending, error)
        || !note_sent (sending, splice (file_fd, &at, sending->pipe_fd, NULL, MIN ((gsize) (end - at), WRITE_BYTES),
                                        SPLICE_F_NONBLOCK), error))
      return FALSE;
  }
  return TRUE;
}

static int open_recording (const ExportPlan *plan, guint file, GError **error)
{
  g_autofree char *path = g_build_filename (plan->data_dir, plan->files->pdata[file], NULL);
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    error_set_errno (error, errno, "recording %s", path);
  else
    (void) posix_fadvise (fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  return fd;
}

gboolean export_plan_write (const ExportPlan *plan, int pipe_fd, int cancel_fd, gint64 bytes_per_second, GError **error)
{
  Sending sending = { pipe_fd, cancel_fd, bytes_per_second, g_get_monotonic_time (), 0 };
  gboolean is_good = send_head (plan, &sending, error);
  guint open_file = G_MAXUINT;
  int fd = -1;
  for (guint i = 0; i < plan->chunks->len && is_good; i++) {
    const ExportChunk *chunk = &g_array_index (plan->chunks, ExportChunk, i);
    if (chunk->file != open_file) {
      if (fd >= 0)
        close (fd);
      open_file = chunk->file;
      fd = open_recording (plan, chunk->file, error);
    }
    is_good = fd >= 0 && send_chunk (chunk, fd, &sending, error);
  }
  if (fd >= 0)
    close (fd);
  return is_good;
}
