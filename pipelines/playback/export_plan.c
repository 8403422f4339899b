#include "pipelines/playback/export_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "pipelines/playback/export_track.h"
#include "pipelines/playback/recording_cursor.h"

enum { MOVIE_TIME_SCALE = 1000, WRITE_BYTES = 256 * 1024, MDAT_HEAD = 16, FILES_MAX = 10000, FIXED_BYTES = 4096,
       PARTS_A_LOOK = 16 };

/* 1904 to 1970, in seconds (ISO/IEC 14496-12 8.2.2) */
#define MOVIE_EPOCH_S G_GINT64_CONSTANT (2082844800)

typedef struct {
  char *path;            /* relative to data_dir */
  gint64 from_us, to_us; /* wall, of its pictures that are taken */
} ExportFile;

struct ExportPlan {
  char *data_dir;
  GArray *files;        /* of ExportFile */
  GArray *chunks;       /* of ExportChunk */
  GArray *spans;        /* of ExportSpan */
  ExportTrack tracks[2];
  GByteArray *head;     /* up to the first sample */
  gint64 data_bytes;
  gint64 sent, reached_us;
};

static ExportFile *file_at (const ExportPlan *plan, guint index)
{
  return &g_array_index (plan->files, ExportFile, index);
}

static void clear_file (gpointer data)
{
  g_free (((ExportFile *) data)->path);
}

/* ---- the first pass ---- */

typedef struct {
  ExportPlan *plan;
  gint64 from_us, to_us, reached_us;
  gsize index_bytes_max;
  const ExportClient *client; /* or NULL */
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

static gint64 part_start_us (const RecordedPart *part)
{
  for (guint i = 0; i < part->samples->len; i++)
    if (g_array_index (part->samples, SegmentSample, i).is_video)
      return recorded_wall_us (part, &g_array_index (part->samples, SegmentSample, i));
  return recorded_wall_us (part, &g_array_index (part->samples, SegmentSample, 0));
}

static void open_part_file (Collector *collector, const RecordedPart *part)
{
  ExportPlan *plan = collector->plan;
  ExportFile file = { g_strdup (part->file), part_start_us (part), part_start_us (part) };
  g_array_append_val (plan->files, file);
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
  if (!sample->is_video)
    return;
  gint64 end_us = MIN (recorded_wall_us (part, sample) + recorded_duration_us (part, sample), collector->to_us);
  g_array_index (plan->spans, ExportSpan, plan->spans->len - 1).to_us = end_us;
  file_at (plan, plan->files->len - 1)->to_us = end_us;
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

/* FALSE: nobody waits for it any more. Each few parts: a day is 86,400 of them, and a look takes a microsecond. */
static gboolean is_wanted (const Collector *collector, guint parts)
{
  const ExportClient *client = collector->client;
  if (client == NULL || parts % PARTS_A_LOOK != 0)
    return TRUE;
  struct pollfd polled[2] = { { client->cancel_fd, POLLIN, 0 }, { client->pipe_fd, 0, 0 } };
  return poll (polled, 2, 0) <= 0;
}

static gboolean collect (ExportPlan *plan, const char *camera, const char *stream, gint64 from_us, gint64 to_us,
                         gsize index_bytes_max, const ExportClient *client, GError **error)
{
  Collector collector = { .plan = plan, .from_us = from_us, .to_us = to_us, .index_bytes_max = index_bytes_max, .client = client };
  RecordedPart part;
  GError *failure = NULL;
  g_autoptr (RecordingCursor) cursor = recording_cursor_new (plan->data_dir, camera, stream, error);
  if (cursor == NULL || !recording_cursor_seek (cursor, from_us, TRUE, error))
    return FALSE;
  for (guint i = 0; !collector.is_over && !collector.is_too_long && recording_cursor_next (cursor, &part, &failure); i++) {
    if (!is_wanted (&collector, i))
      return error_set (error, ERROR_RETRY, "the client went away before the export was planned");
    add_part (&collector, &part);
  }
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
                             gsize index_bytes_max, const ExportClient *client, GError **error)
{
  if (from_us >= to_us || to_us - from_us > EXPORT_LONGEST_US) {
    error_set (error, ERROR_REFUSE, "an export lasts up to 24 hours: ask for several");
    return NULL;
  }
  g_autoptr (ExportPlan) plan = g_new0 (ExportPlan, 1);
  plan->data_dir = g_strdup (data_dir);
  plan->files = g_array_new (FALSE, FALSE, sizeof (ExportFile));
  g_array_set_clear_func (plan->files, clear_file);
  plan->chunks = g_array_new (FALSE, FALSE, sizeof (ExportChunk));
  plan->spans = g_array_new (FALSE, FALSE, sizeof (ExportSpan));
  export_track_init (&plan->tracks[0], TRUE);
  export_track_init (&plan->tracks[1], FALSE);
  if (!collect (plan, camera, stream, from_us, to_us, index_bytes_max, client, error))
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
  g_array_unref (plan->files);
  g_free (plan->data_dir);
  g_free (plan);
}

gint64 export_plan_sent_bytes (const ExportPlan *plan)
{
  return plan->sent;
}

gint64 export_plan_reached_us (const ExportPlan *plan)
{
  return plan->reached_us;
}

/* ---- the second pass ---- */

typedef struct {
  ExportPlan *plan;
  const ExportClient *client;
  gint64 start_us;
  gint64 window_us, window_sent; /* when the present window began, and what was sent before it */
  guint file;                    /* that is open; G_MAXUINT: none */
  int fd;
} Sending;

/* How early a byte more would be. */
static gint64 early_us (const Sending *sending, gint64 now_us)
{
  gint64 sent = sending->plan->sent, rate = sending->client->bytes_per_second;
  if (rate <= 0)
    return 0;
  return sending->start_us + sent / rate * G_USEC_PER_SEC + sent % rate * G_USEC_PER_SEC / rate - now_us;
}

static void tell_moved (const Sending *sending)
{
  if (sending->client->moved != NULL && sending->file != G_MAXUINT)
    sending->client->moved (file_at (sending->plan, sending->file)->from_us, sending->client->data);
}

/* At a window's end: FALSE when the client takes too little, or has been at it for too long. */
static gboolean check_pace (Sending *sending, gint64 now_us, GError **error)
{
  const ExportClient *client = sending->client;
  gint64 lasted_us = now_us - sending->window_us;
  if (client->longest_us > 0 && now_us - sending->start_us > client->longest_us)
    return error_set (error, ERROR_REFUSE, "the client has been at it for %" G_GINT64_FORMAT " minutes: ask for less at a time",
                      client->longest_us / (60 * G_USEC_PER_SEC));
  if (client->least_bytes_per_second == 0 || lasted_us < client->window_us)
    return TRUE;
  gint64 taken = sending->plan->sent - sending->window_sent;
  if (taken < (gint64) ((double) client->least_bytes_per_second * (double) lasted_us / G_USEC_PER_SEC))
    return error_set (error, ERROR_REFUSE, "the client is too slow: it took %" G_GINT64_FORMAT " bytes in %" G_GINT64_FORMAT
                      " seconds", taken, lasted_us / G_USEC_PER_SEC);
  sending->window_us = now_us;
  sending->window_sent = sending->plan->sent;
  tell_moved (sending);
  return TRUE;
}

/* Milliseconds until the pace is looked at again; -1: it isn't. */
static int look_ms (const Sending *sending, gint64 now_us)
{
  const ExportClient *client = sending->client;
  gint64 at_us = client->least_bytes_per_second > 0 ? sending->window_us + client->window_us : G_MAXINT64;
  if (client->longest_us > 0)
    at_us = MIN (at_us, sending->start_us + client->longest_us);
  return at_us == G_MAXINT64 ? -1 : (int) (CLAMP (at_us - now_us, 0, G_USEC_PER_SEC * G_GINT64_CONSTANT (3600)) / 1000 + 1);
}

/* Until the pipe takes something, and the pace allows it. */
static gboolean wait_for_room (Sending *sending, GError **error)
{
  struct pollfd polled[2] = { { sending->client->cancel_fd, POLLIN, 0 }, { sending->client->pipe_fd, POLLOUT, 0 } };
  gint64 now_us = g_get_monotonic_time (), early = early_us (sending, now_us);
  if (early >= 1000)
    (void) poll (polled, 1, (int) (early / 1000));
  while (polled[0].revents == 0 && polled[1].revents == 0) {
    now_us = g_get_monotonic_time ();
    if (!check_pace (sending, now_us, error))
      return FALSE;
    if (poll (polled, 2, look_ms (sending, now_us)) < 0 && errno != EINTR)
      return error_set_errno (error, errno, "an export's pipe");
  }
  if (polled[0].revents != 0)
    return error_set (error, ERROR_RETRY, "the export was ended");
  return !(polled[1].revents & (POLLERR | POLLHUP)) || error_set (error, ERROR_GIVE_UP, "the client is gone");
}

/* What write or splice to the pipe returned: FALSE when it is no reason to try again. */
static gboolean note_sent (Sending *sending, gssize sent, GError **error)
{
  if (sent > 0) {
    sending->plan->sent += sent;
    return TRUE;
  }
  return errno == EAGAIN || errno == EINTR || error_set_errno (error, errno, "the client is gone");
}

static gboolean send_head (Sending *sending, GError **error)
{
  const ExportPlan *plan = sending->plan;
  while (plan->sent < plan->head->len) {
    gsize left = plan->head->len - (gsize) plan->sent;
    if (!wait_for_room (sending, error)
        || !note_sent (sending, write (sending->client->pipe_fd, plan->head->data + plan->sent, MIN (left, WRITE_BYTES)), error))
      return FALSE;
  }
  return TRUE;
}

/* The pipe never waits here, the disk may: that time is not the client's. */
static gboolean splice_some (Sending *sending, off_t *at, gsize size, GError **error)
{
  const char *path = file_at (sending->plan, sending->file)->path;
  gint64 start_us = g_get_monotonic_time ();
  gssize sent = splice (sending->fd, at, sending->client->pipe_fd, NULL, size, SPLICE_F_NONBLOCK);
  int problem = errno;
  sending->window_us += g_get_monotonic_time () - start_us;
  if (sent == 0)
    return error_set (error, ERROR_RECONFIGURE, "recording %s is shorter than it was", path);
  if (sent < 0 && problem != EAGAIN && problem != EINTR && problem != EPIPE)
    return error_set (error, ERROR_RECONFIGURE, "recording %s: %s", path, g_strerror (problem));
  errno = problem;
  return note_sent (sending, sent, error);
}

static gboolean send_chunk (const ExportChunk *chunk, Sending *sending, GError **error)
{
  off_t at = chunk->offset, end = chunk->offset + chunk->size;
  while (at < end)
    if (!wait_for_room (sending, error) || !splice_some (sending, &at, MIN ((gsize) (end - at), WRITE_BYTES), error))
      return FALSE;
  return TRUE;
}

static void close_recording (Sending *sending)
{
  if (sending->fd >= 0)
    close (sending->fd);
  sending->fd = -1;
}

static gboolean open_recording (Sending *sending, guint file, GError **error)
{
  ExportPlan *plan = sending->plan;
  g_autofree char *path = g_build_filename (plan->data_dir, file_at (plan, file)->path, NULL);
  close_recording (sending);
  sending->file = file;
  tell_moved (sending);
  sending->fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (sending->fd < 0)
    return error_set (error, ERROR_RECONFIGURE, "recording %s: %s", path, g_strerror (errno));
  plan->reached_us = MAX (plan->reached_us, file_at (plan, file)->to_us);
  (void) posix_fadvise (sending->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  return TRUE;
}

gboolean export_plan_write (ExportPlan *plan, const ExportClient *client, GError **error)
{
  gint64 now_us = g_get_monotonic_time ();
  plan->sent = plan->reached_us = 0;
  Sending sending = { plan, client, now_us, now_us, 0, G_MAXUINT, -1 };
  gboolean is_good = send_head (&sending, error);
  for (guint i = 0; i < plan->chunks->len && is_good; i++) {
    const ExportChunk *chunk = &g_array_index (plan->chunks, ExportChunk, i);
    is_good = (chunk->file == sending.file || open_recording (&sending, chunk->file, error)) && send_chunk (chunk, &sending, error);
  }
  close_recording (&sending);
  return is_good;
}
