#include "pipelines/media_demand.h"

#include <libavutil/log.h>
#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "pipelines/media_demand_private.h"
#include "pipelines/record/deletions.h"

enum { EXTRA_BYTES_MAX = 4096 };

/* ---- jobs and answers ---- */

static void run_job (gpointer data, gpointer unused)
{
  g_autofree ReaderJob *job = data;
  (void) unused;
  job->run (job->data);
}

gboolean media_demand_read (MediaDemand *demand, void (*run) (gpointer data), gpointer data)
{
  if (g_thread_pool_unprocessed (demand->readers) >= READER_JOBS_MAX)
    return FALSE;
  ReaderJob *job = g_new (ReaderJob, 1);
  *job = (ReaderJob){ run, data };
  g_thread_pool_push (demand->readers, job, NULL);
  return TRUE;
}

void media_demand_answer (MediaDemand *demand, LinkMessage *request, json_t *body, int fd)
{
  LinkMessage *reply = link_message_reply (request, body);
  if (fd >= 0)
    link_message_add_fd (reply, fd);
  link_endpoint_post (demand->media->link, reply);
  link_message_free (request);
}

void media_demand_answer_error (MediaDemand *demand, LinkMessage *request, const GError *error)
{
  link_endpoint_post (demand->media->link, link_message_error (request, error));
  link_message_free (request);
}

StreamDemand *media_demand_find (Media *media, LinkMessage *request)
{
  const char *camera = link_message_string (request, "camera"), *name = link_message_string (request, "stream");
  MediaStream *stream = media_find_stream (media, camera, name);
  StreamDemand *found = stream != NULL ? g_hash_table_lookup (media->demand->streams, stream) : NULL;
  if (found != NULL)
    return found;
  g_autoptr (GError) error = NULL;
  error_set (&error, ERROR_REFUSE, "camera %s has no stream %s", camera, name);
  media_demand_answer_error (media->demand, request, error);
  return NULL;
}

/* ---- recordings as a whole ---- */

static void add_camera_counts (json_t *body, const ArchiveState *state)
{
  json_t *deleted = json_object (), *gaps = json_object ();
  GHashTableIter iterator;
  gpointer reason, count;
  for (guint i = 0; i < RETENTION_REASONS; i++)
    json_object_set_new (deleted, retention_reason_name (i), json_integer (state->deleted_bytes[i]));
  g_hash_table_iter_init (&iterator, state->gaps);
  while (g_hash_table_iter_next (&iterator, &reason, &count))
    json_object_set_new (gaps, reason, json_integer (GPOINTER_TO_UINT (count)));
  json_object_set_new (body, "writes", json_boolean (state->is_writing));
  json_object_set_new (body, "deleted", deleted);
  json_object_set_new (body, "gaps", gaps);
}

/* thread: the disk thread. */
static void on_archive_changed (const ArchiveState *state, gpointer data)
{
  MediaDemand *demand = data;
  json_t *body = json_pack ("{s:s, s:s, s:s, s:I, s:I, s:I}", "camera", state->camera, "state",
                            state->is_recording ? "recording" : "stopped", "reason", state->reason, "since",
                            (json_int_t) state->since_us, "bytes", (json_int_t) state->bytes, "oldest",
                            (json_int_t) state->oldest_us);
  if (*state->camera != '\0')
    add_camera_counts (body, state);
  g_mutex_lock (&demand->mutex);
  json_object_set_new (demand->recording, state->camera, json_deep_copy (body));
  g_mutex_unlock (&demand->mutex);
  media_send_event (demand->media, LINK_RECORDING_STATE, body);
}

static void tell_recording_again (MediaDemand *demand)
{
  const char *camera;
  json_t *body;
  g_mutex_lock (&demand->mutex);
  json_object_foreach (demand->recording, camera, body)
    media_send_event (demand->media, LINK_RECORDING_STATE, json_deep_copy (body));
  g_mutex_unlock (&demand->mutex);
}

static gpointer copy_hold (gconstpointer source, gpointer data)
{
  const RetentionHold *hold = source;
  (void) data;
  return retention_hold_new (hold->camera, hold->from_us, hold->to_us, hold->until_us);
}

static GPtrArray *camera_limits (MediaDemand *demand)
{
  GPtrArray *cameras = g_ptr_array_new_with_free_func ((GDestroyNotify) archive_camera_free);
  GHashTableIter iterator;
  gpointer key;
  g_hash_table_iter_init (&iterator, demand->streams);
  while (g_hash_table_iter_next (&iterator, &key, NULL)) {
    const MediaStream *stream = key;
    if (strcmp (stream->name, "main") != 0)
      continue;
    ArchiveCamera *camera = g_new (ArchiveCamera, 1);
    *camera = (ArchiveCamera){ g_strdup (stream->camera), stream->retain_us, stream->keep_at_least_us, stream->max_bytes };
    g_ptr_array_add (cameras, camera);
  }
  return cameras;
}

/* Free with settings_clear. */
static ArchiveSettings settings_of (MediaDemand *demand)
{
  const MediaSite *site = &demand->media->site;
  return (ArchiveSettings){ .segment_us = site->segment_us, .cameras = camera_limits (demand),
                            .holds = g_ptr_array_copy (demand->media->holds, copy_hold, NULL), .pins = demand->media->pins,
                            .limits = { .retain_us = site->retain_us, .keep_at_least_us = site->keep_at_least_us,
                                        .max_bytes = site->max_bytes, .min_free_bytes = site->min_free_bytes,
                                        .min_free_percent = site->min_free_percent } };
}

static void settings_clear (ArchiveSettings *settings)
{
  g_ptr_array_unref (settings->cameras);
  g_ptr_array_unref (settings->holds);
}

static void open_archive (MediaDemand *demand, const MediaSite *site)
{
  g_autoptr (GError) error = NULL;
  ArchiveState state = { .camera = "", .is_recording = TRUE, .reason = "", .since_us = g_get_real_time () };
  ArchiveSettings settings = settings_of (demand);
  demand->archive = archive_new (site->data_dir, &settings, clock_system (), on_archive_changed, demand, &error);
  settings_clear (&settings);
  if (demand->archive == NULL) {
    log_error ("recordings: %s: nothing is recorded", error->message);
    state.is_recording = FALSE;
    state.reason = "write_error";
  } else {
    demand->data_dir = g_strdup (site->data_dir);
  }
  on_archive_changed (&state, demand);
}

static void give_archive (gpointer data)
{
  StreamDemand *stream = data;
  recorder_set_archive (stream->recorder, stream->demand->archive);
}

/* Streams may have been here before there was a place to record them to. */
static void give_archive_to_all (MediaDemand *demand)
{
  GHashTableIter iterator;
  gpointer value;
  g_hash_table_iter_init (&iterator, demand->streams);
  while (g_hash_table_iter_next (&iterator, NULL, &value))
    loop_call (((StreamDemand *) value)->stream->loop, give_archive, value);
}

/* The site is whole: what may be deleted, and what must not, is known only now. */
static void follow_site (MediaDemand *demand)
{
  const MediaSite *site = &demand->media->site;
  if (demand->archive == NULL) {
    open_archive (demand, site);
    give_archive_to_all (demand);
    return;
  }
  if (strcmp (demand->data_dir, site->data_dir) != 0)
    log_warning ("recordings stay in %s until this process starts again", demand->data_dir);
  ArchiveSettings settings = settings_of (demand);
  archive_set (demand->archive, &settings);
  settings_clear (&settings);
  tell_recording_again (demand);
}

/* ---- streams ---- */

/* They count for whoever asks over RTSP; gridgate refuses browsers itself, before it upgrades them. */
static void note_browsers (StreamDemand *stream, guint count)
{
  Admission *admission = rtsp_server_admission (stream->demand->media->server);
  g_atomic_int_add (&admission->viewers, (gint) count - (gint) stream->stream->viewers_websocket);
  stream->stream->viewers_websocket = count;
}

static void follow_counts (StreamDemand *stream)
{
  LiveCounts counts = live_hub_counts (stream->hub);
  note_browsers (stream, counts.viewers);
  stream->stream->websocket_skips = counts.skips;
  stream->stream->websocket_drops = counts.drops;
}

/* thread: the stream's loop, as are the next two. */
static void on_viewer_started (LiveHub *hub, const char *viewer, gint64 at_us, gpointer data)
{
  StreamDemand *stream = data;
  (void) hub;
  follow_counts (stream);
  media_send_event (stream->demand->media, LINK_VIEWER_STARTED,
                    media_viewer_body (viewer, stream->stream, "websocket", at_us));
}

static void on_viewer_ended (LiveHub *hub, const char *viewer, guint64 sent_bytes, const char *reason, gpointer data)
{
  StreamDemand *stream = data;
  (void) hub;
  follow_counts (stream);
  media_send_event (stream->demand->media, LINK_VIEWER_ENDED, media_viewer_ended_body (viewer, sent_bytes, reason, NULL));
}

static void on_described (LiveHub *hub, gpointer data)
{
  MediaStream *stream = ((StreamDemand *) data)->stream;
  if (g_strcmp0 (stream->mime, live_hub_mime (hub)) == 0)
    return;
  g_free (stream->mime);
  stream->mime = g_strdup (live_hub_mime (hub));
  if (stream->source != NULL)
    media_send_state (stream);
}

static RecordingMode mode_of (const char *record)
{
  if (g_strcmp0 (record, "continuous") == 0)
    return RECORDING_CONTINUOUS;
  return g_strcmp0 (record, "event") == 0 ? RECORDING_EVENT : RECORDING_OFF;
}

static void set_on_loop (gpointer data)
{
  StreamDemand *stream = data;
  recorder_set (stream->recorder, mode_of (stream->stream->record), stream->stream->pre_roll_us,
                stream->stream->is_on_demand);
}

static void open_on_loop (gpointer data)
{
  StreamDemand *stream = data;
  LiveEvents events = { on_viewer_started, on_viewer_ended, on_described, stream };
  stream->assembler = assembler_new (stream->stream->stream);
  stream->hub = live_hub_new (stream->assembler, &events);
  stream->recorder = recorder_new (stream->assembler, stream->demand->archive);
  set_on_loop (stream);
}

static void close_on_loop (gpointer data)
{
  StreamDemand *stream = data;
  gboolean is_removed = !stream->stream->is_put;
  media_clips_close (stream, is_removed);
  media_pictures_close (stream);
  live_hub_free (stream->hub);
  note_browsers (stream, 0);
  recorder_free (stream->recorder, is_removed ? NULL : "media_stopped");
  assembler_free (stream->assembler);
}

static void on_stream_opened (MediaStream *media_stream, gpointer data)
{
  MediaDemand *demand = data;
  StreamDemand *stream = g_new0 (StreamDemand, 1);
  stream->demand = demand;
  stream->stream = media_stream;
  stream->clips = g_ptr_array_new ();
  stream->pictures = g_ptr_array_new ();
  g_hash_table_insert (demand->streams, media_stream, stream);
  loop_call (media_stream->loop, open_on_loop, stream);
}

static void on_stream_changed (MediaStream *media_stream, gpointer data)
{
  StreamDemand *stream = g_hash_table_lookup (((MediaDemand *) data)->streams, media_stream);
  loop_call (media_stream->loop, set_on_loop, stream);
}

static void on_stream_closing (MediaStream *media_stream, gpointer data)
{
  MediaDemand *demand = data;
  StreamDemand *stream = g_hash_table_lookup (demand->streams, media_stream);
  loop_call (media_stream->loop, close_on_loop, stream);
  g_hash_table_remove (demand->streams, media_stream);
}

static void stream_demand_free (gpointer data)
{
  StreamDemand *stream = data;
  g_ptr_array_unref (stream->clips);
  g_ptr_array_unref (stream->pictures);
  g_free (stream);
}

static void on_site_ended (Media *media, json_t *reply, gpointer data)
{
  MediaDemand *demand = data;
  (void) media;
  follow_site (demand);
  gint64 end_us = demand->archive != NULL ? archive_predecessor_end_us (demand->archive) : 0;
  if (end_us != 0)
    json_object_set_new (reply, "stopped_at", json_integer (end_us));
}

/* ---- browsers ---- */

typedef struct {
  StreamDemand *stream;
  const char *viewer, *reason;
  int fd;
  const guint8 *extra;
  gsize extra_size;
  GError *error;
  gboolean is_good;
} Viewing;

static void view_on_loop (gpointer data)
{
  Viewing *viewing = data;
  viewing->is_good = live_hub_add_viewer (viewing->stream->hub, viewing->viewer, viewing->fd, viewing->extra,
                                          viewing->extra_size, &viewing->error);
}

void media_demand_view (Media *media, LinkMessage *request)
{
  StreamDemand *stream = media_demand_find (media, request);
  if (stream == NULL)
    return;
  const char *text = link_message_string (request, "extra");
  gsize extra_size = 0;
  g_autofree guchar *extra = text != NULL && *text != '\0' ? g_base64_decode (text, &extra_size) : NULL;
  int fd = link_message_steal_fd (request, 0);
  Viewing viewing = { .stream = stream, .viewer = link_message_string (request, "viewer"), .fd = fd, .extra = extra,
                      .extra_size = extra_size };
  if (fd < 0 || extra_size > EXTRA_BYTES_MAX) {
    error_set (&viewing.error, ERROR_GIVE_UP, "a viewer needs a socket, and %d bytes at most read beyond its request",
               EXTRA_BYTES_MAX);
    if (fd >= 0)
      close (fd);
  } else {
    loop_call (stream->stream->loop, view_on_loop, &viewing);
  }
  if (viewing.is_good)
    media_demand_answer (media->demand, request, NULL, -1);
  else
    media_demand_answer_error (media->demand, request, viewing.error);
  g_clear_error (&viewing.error);
}

static void end_on_loop (gpointer data)
{
  Viewing *viewing = data;
  viewing->is_good = live_hub_end_viewer (viewing->stream->hub, viewing->viewer, viewing->reason);
  follow_counts (viewing->stream);
}

static gboolean on_end_viewer (Media *media, const char *viewer, const char *reason, gpointer data)
{
  MediaDemand *demand = data;
  GHashTableIter iterator;
  gpointer value;
  (void) media;
  g_hash_table_iter_init (&iterator, demand->streams);
  while (g_hash_table_iter_next (&iterator, NULL, &value)) {
    Viewing viewing = { .stream = value, .viewer = viewer, .reason = reason };
    loop_call (viewing.stream->stream->loop, end_on_loop, &viewing);
    if (viewing.is_good)
      return TRUE;
  }
  return FALSE;
}

typedef struct {
  MediaStream *stream;
  GPtrArray *bodies;
} Telling;

static void add_viewer (LiveHub *hub, const char *viewer, gint64 at_us, gpointer data)
{
  Telling *telling = data;
  (void) hub;
  g_ptr_array_add (telling->bodies, media_viewer_body (viewer, telling->stream, "websocket", at_us));
}

/* thread: the stream's loop. */
static void on_tell_viewers (MediaStream *media_stream, GPtrArray *bodies, gpointer data)
{
  StreamDemand *stream = g_hash_table_lookup (((MediaDemand *) data)->streams, media_stream);
  Telling telling = { media_stream, bodies };
  live_hub_each_viewer (stream->hub, add_viewer, &telling);
}

/* ---- its life ---- */

MediaDemand *media_demand_new (Media *media)
{
  MediaDemand *demand = g_new0 (MediaDemand, 1);
  MediaPart part = { NULL, on_stream_opened, on_stream_changed, on_stream_closing, on_end_viewer, on_site_ended,
                     on_tell_viewers, demand };
  av_log_set_level (AV_LOG_FATAL); /* what matters comes back as an error */
  demand->media = media;
  g_mutex_init (&demand->mutex);
  demand->recording = json_object ();
  demand->streams = g_hash_table_new_full (NULL, NULL, NULL, stream_demand_free);
  demand->readers = g_thread_pool_new (run_job, NULL, READER_THREADS, FALSE, NULL);
  media_add_part (media, &part);
  return demand;
}

void media_demand_free (MediaDemand *demand)
{
  if (demand == NULL)
    return;
  archive_free (demand->archive);
  g_thread_pool_free (demand->readers, FALSE, TRUE);
  g_hash_table_unref (demand->streams);
  json_decref (demand->recording);
  g_mutex_clear (&demand->mutex);
  g_free (demand->data_dir);
  g_free (demand);
}
