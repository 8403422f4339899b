/* media_report.c: what gridgate is told of streams and viewers. */
#include "gateway/core/log.h"
#include "pipelines/live/sound_note.h"
#include "pipelines/media_demand.h"
#include "pipelines/media_rtsp.h"

void media_send_event (Media *media, LinkKind kind, json_t *body)
{
  link_endpoint_post (media->link, link_message_new (kind, body));
}

void media_reply (Media *media, LinkMessage *request, json_t *body)
{
  link_endpoint_send (media->link, link_message_reply (request, body));
  link_message_free (request);
}

void media_reply_error (Media *media, LinkMessage *request, const GError *error)
{
  link_endpoint_send (media->link, link_message_error (request, error));
  link_message_free (request);
}

static void set_optional (json_t *body, const char *name, json_t *value)
{
  if (value != NULL)
    json_object_set_new (body, name, value);
}

static const Track *audio_of (const TrackList *tracks)
{
  for (guint i = 0; i < tracks->count; i++)
    if (tracks->tracks[i].medium == MEDIUM_AUDIO)
      return &tracks->tracks[i];
  return NULL;
}

static void add_tracks (json_t *body, const TrackList *tracks)
{
  int video = track_list_video (tracks);
  const Track *audio = audio_of (tracks);
  if (video >= 0)
    set_optional (body, "codec", json_string (codec_name (tracks->tracks[video].codec)));
  if (audio != NULL) {
    g_autofree char *name = sound_name (audio);
    const char *note = sound_note (audio);
    set_optional (body, "audio", json_string (name));
    set_optional (body, "audio_note", note != NULL ? json_string (note) : NULL);
  }
}

static json_t *state_body (const MediaStream *stream)
{
  const CameraStatusNow *status = camera_source_status (stream->source);
  const TrackList *tracks = stream_tracks (stream->stream);
  json_t *body = json_pack ("{s:s, s:s, s:s, s:I, s:s}", "camera", stream->camera, "stream", stream->name, "state",
                            camera_state_name (status->state), "since", (json_int_t) status->since_us, "reason",
                            status->reason);
  if (status->detail != NULL) {
    g_autofree char *detail = g_utf8_make_valid (status->detail, -1);
    set_optional (body, "detail", json_string (detail));
  }
  if (tracks != NULL)
    add_tracks (body, tracks);
  if (status->width > 0) {
    set_optional (body, "width", json_integer (status->width));
    set_optional (body, "height", json_integer (status->height));
  }
  if (stream->mime != NULL)
    set_optional (body, "mime", json_string (stream->mime));
  return body;
}

void media_send_state (MediaStream *stream)
{
  media_send_event (stream->media, LINK_CAMERA_STATE, state_body (stream));
}

static void log_state (MediaStream *stream)
{
  const CameraStatusNow *status = camera_source_status (stream->source);
  const TrackList *tracks = stream_tracks (stream->stream);
  int video = tracks != NULL ? track_list_video (tracks) : -1;
  const char *sub = g_str_equal (stream->name, "main") ? "" : " (sub)";
  const char *name = camera_state_name (status->state);
  if (stream->is_logged && stream->logged_state == status->state) /* it only learned more about the picture */
    return;
  stream->is_logged = TRUE;
  stream->logged_state = status->state;
  if (status->state == CAMERA_LIVE && status->width > 0)
    log_notice ("camera %s%s: live, %dx%d %s", stream->camera, sub, status->width, status->height,
                video >= 0 ? codec_name (tracks->tracks[video].codec) : "no video");
  else if (status->state == CAMERA_LIVE)
    log_notice ("camera %s%s: live, %s", stream->camera, sub, video >= 0 ? codec_name (tracks->tracks[video].codec) : "no video");
  else if (status->detail != NULL)
    log_warning ("camera %s%s: %s, %s: %s", stream->camera, sub, name, status->reason, status->detail);
  else
    log_info ("camera %s%s: %s", stream->camera, sub, name);
}

/* thread: the stream's loop. */
void media_camera_changed (CameraSource *source, gpointer data)
{
  MediaStream *stream = data;
  if (stream->source == NULL)
    stream->source = source; /* it is being made */
  log_state (stream);
  media_send_state (stream);
}

static gint64 bitrate_of (MediaStream *stream, guint64 received_bytes)
{
  gint64 now = loop_now_us (stream->loop);
  gint64 passed = now - stream->last_statistics_us;
  guint64 bytes = received_bytes - stream->last_received_bytes;
  gboolean is_first = stream->last_statistics_us == 0;
  stream->last_statistics_us = now;
  stream->last_received_bytes = received_bytes;
  return is_first || passed <= 0 ? 0 : (gint64) bytes * 8 * G_USEC_PER_SEC / passed;
}

static json_t *transitions_of (const CameraStatusNow *status)
{
  json_t *transitions = json_object ();
  for (CameraState state = CAMERA_IDLE; state <= CAMERA_FAILED; state++)
    json_object_set_new (transitions, camera_state_name (state), json_integer ((json_int_t) status->transitions[state]));
  return transitions;
}

/* thread: the stream's loop. */
static void send_statistics (gpointer data)
{
  MediaStream *stream = data;
  const CameraStatusNow *status = camera_source_status (stream->source);
  StreamCounters *counters = stream_counters (stream->stream);
  counters->bitrate = bitrate_of (stream, counters->received_bytes);
  if (status->state == CAMERA_IDLE && stream->told_idle == status->transitions[CAMERA_IDLE])
    return;
  stream->told_idle = status->transitions[CAMERA_IDLE];
  RtspServerCounts viewers = rtsp_server_counts (stream->media->server, stream->stream);
  json_t *body = json_pack (
    "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "camera", stream->camera, "stream",
    stream->name, "received_bytes", (json_int_t) counters->received_bytes, "received_packets",
    (json_int_t) counters->received_packets, "lost_packets", (json_int_t) counters->lost_packets, "repaired_timestamps",
    (json_int_t) counters->repaired_timestamps, "malformed_packets", (json_int_t) counters->malformed_packets, "connects",
    (json_int_t) status->connects, "bitrate", (json_int_t) counters->bitrate, "key_frame_interval",
    (json_int_t) counters->key_frame_interval_us, "first_frame", (json_int_t) status->first_frame_us, "viewers_rtsp",
    (json_int_t) viewers.viewers, "viewers_websocket", (json_int_t) stream->viewers_websocket, "viewer_skips",
    (json_int_t) (viewers.skips + stream->websocket_skips), "viewer_drops",
    (json_int_t) (viewers.drops + stream->websocket_drops));
  json_t *repairs = json_object ();
  for (guint kind = 0; kind < REPAIR_KINDS; kind++)
    json_object_set_new (repairs, repair_names[kind], json_integer ((json_int_t) counters->repairs[kind]));
  json_object_set_new (body, "repairs", repairs);
  set_optional (body, "transitions", transitions_of (status));
  json_object_set_new (body, "spared_packets", json_integer ((json_int_t) counters->spared_packets));
  if (counters->has_clock_skew)
    set_optional (body, "clock_skew", json_integer (counters->clock_skew_us));
  media_send_event (stream->media, LINK_CAMERA_STATISTICS, body);
}

void media_send_statistics (Media *media)
{
  GHashTableIter iterator;
  gpointer value;
  g_hash_table_iter_init (&iterator, media->streams);
  while (g_hash_table_iter_next (&iterator, NULL, &value))
    loop_post (((MediaStream *) value)->loop, send_statistics, value);
}

json_t *media_viewer_body (const char *viewer, const MediaStream *stream, const char *protocol, gint64 at_us)
{
  return json_pack ("{s:s, s:s, s:s, s:s, s:I}", "viewer", viewer, "camera", stream->camera, "stream", stream->name,
                    "protocol", protocol, "at", (json_int_t) at_us);
}

json_t *media_viewer_ended_body (const char *viewer, guint64 sent_bytes, const char *reason, const char *watched)
{
  json_t *body = json_pack ("{s:s, s:I, s:I, s:s}", "viewer", viewer, "at", (json_int_t) g_get_real_time (), "sent_bytes",
                            (json_int_t) sent_bytes, "reason", reason);
  if (watched != NULL)
    json_object_set_new (body, "watched", json_string (watched));
  return body;
}
