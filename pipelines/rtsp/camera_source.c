#include "pipelines/rtsp/camera_source.h"

#include "pipelines/rtsp/rtsp_client.h"
#include "pipelines/rtsp/sdp.h"

enum {
  STALL_US = 2500 * 1000,                /* without a picture: stalled */
  GIVE_UP_US = 6 * G_USEC_PER_SEC,       /* without a picture: connect anew */
  FIRST_PACKET_US = 5 * G_USEC_PER_SEC,  /* after PLAY */
  CHECK_US = 500 * 1000,
  STEADY_US = 20 * G_USEC_PER_SEC,       /* live for so long, the back-off starts anew */
  BACK_OFF_MAX_S = 60,
};

struct CameraSource {
  Stream *stream;
  Loop *loop;
  Resolver *resolver;
  CameraSettings settings;
  RtspClientSettings client_settings;
  char *name; /* "camera bridge" */
  CameraChanged changed;
  gpointer data;

  Receiver *receiver;
  RtspClient *client;
  LoopTimer *timer;  /* what the state waits for */
  LoopTimer *linger;
  CameraStatusNow status;
  guint failures;        /* in a row */
  gint64 connected_at_us, playing_since_us, live_since_us;
  gboolean has_begun; /* the stream */
};

static const char *const state_names[] = {
  [CAMERA_IDLE] = "idle",       [CAMERA_CONNECTING] = "connecting",   [CAMERA_LIVE] = "live",
  [CAMERA_STALLED] = "stalled", [CAMERA_BACKING_OFF] = "backing_off", [CAMERA_FAILED] = "failed",
};

const char *camera_state_name (CameraState state)
{
  return state_names[state];
}

CameraSettings camera_settings_copy (const CameraSettings *settings)
{
  CameraSettings copy = *settings;
  copy.url = g_strdup (settings->url);
  copy.username = g_strdup (settings->username);
  copy.password = g_strdup (settings->password);
  copy.ca_file = g_strdup (settings->ca_file);
  copy.fingerprint = g_strdup (settings->fingerprint);
  return copy;
}

void camera_settings_clear (CameraSettings *settings)
{
  g_free (settings->url);
  g_free (settings->username);
  g_free (settings->password);
  g_free (settings->ca_file);
  g_free (settings->fingerprint);
  *settings = (CameraSettings){ 0 };
}

gboolean camera_settings_equal (const CameraSettings *a, const CameraSettings *b)
{
  return g_strcmp0 (a->url, b->url) == 0 && g_strcmp0 (a->username, b->username) == 0
         && g_strcmp0 (a->password, b->password) == 0 && g_strcmp0 (a->ca_file, b->ca_file) == 0
         && g_strcmp0 (a->fingerprint, b->fingerprint) == 0 && a->is_udp == b->is_udp && a->on_demand == b->on_demand
         && a->linger_us == b->linger_us;
}

static void enter (CameraSource *source, CameraState state, const char *reason, const char *detail)
{
  CameraStatusNow *status = &source->status;
  char *copy = g_strdup (detail);
  g_free (status->detail);
  status->detail = copy;
  status->transitions[state] += status->state != state;
  status->state = state;
  status->reason = reason;
  status->since_us = g_get_real_time ();
  source->changed (source, source->data);
}

static gboolean is_wanted (const CameraSource *source)
{
  return !source->settings.on_demand || stream_is_wanted (source->stream);
}

static void disconnect (CameraSource *source, const char *reason)
{
  receiver_flush (source->receiver);
  if (source->has_begun)
    stream_end (source->stream, reason);
  source->has_begun = FALSE;
  receiver_reset (source->receiver);
  g_clear_pointer (&source->client, rtsp_client_free);
}

static gint64 with_jitter (gint64 us)
{
  return us * g_random_int_range (75, 126) / 100;
}

/* A person must act on these: trying often only locks the account or fills the camera's log. */
static gboolean needs_a_person (const char *reason)
{
  return g_str_equal (reason, "unauthorized") || g_str_equal (reason, "unsupported_codec") || g_str_equal (reason, "tls");
}

static void back_off (CameraSource *source, const char *reason, const char *detail)
{
  gint64 now = loop_now_us (source->loop);
  if (source->live_since_us > 0 && now - source->live_since_us > STEADY_US)
    source->failures = 0;
  source->live_since_us = 0;
  gboolean is_failed = needs_a_person (reason);
  gint64 seconds = is_failed ? BACK_OFF_MAX_S : MIN (1 << MIN (source->failures, 6), BACK_OFF_MAX_S);
  source->failures++;
  g_autofree char *copy = g_strdup (detail); /* the client's, which goes */
  disconnect (source, reason);
  loop_timer_set (source->timer, now + with_jitter (seconds * G_USEC_PER_SEC));
  enter (source, is_failed ? CAMERA_FAILED : CAMERA_BACKING_OFF, reason, copy);
}

static void on_failed (const char *reason, const char *detail, gpointer data)
{
  back_off (data, reason, detail);
}

static void connect_now (CameraSource *source)
{
  source->connected_at_us = loop_now_us (source->loop);
  source->playing_since_us = 0;
  source->status.connects++;
  source->client = rtsp_client_new (source->loop, source->receiver, &source->client_settings, source->resolver, on_failed,
                                    source);
  loop_timer_set (source->timer, source->connected_at_us + CHECK_US);
  enter (source, CAMERA_CONNECTING, "", NULL);
}

static void go_idle (CameraSource *source)
{
  disconnect (source, "idle");
  loop_timer_clear (source->timer);
  source->failures = 0;
  source->live_since_us = 0;
  enter (source, CAMERA_IDLE, "", NULL);
}

/* ---- what the receiver tells ---- */

static gssize on_message (const guint8 *bytes, gsize size, gpointer data)
{
  CameraSource *source = data;
  return rtsp_client_message (source->client, bytes, size);
}

static void note_picture_size (CameraSource *source)
{
  int width = 0, height = 0;
  if (sprop_picture_size (receiver_sprop (source->receiver), &width, &height)) {
    source->status.width = width;
    source->status.height = height;
  }
}

/* Packets may come before the answer to PLAY. */
static void on_first_packet (gpointer data)
{
  CameraSource *source = data;
  const TrackList *tracks = rtsp_client_tracks (source->client);
  note_picture_size (source);
  source->client_settings.is_udp = rtsp_client_is_udp (source->client); /* it isn't asked in vain each time */
  source->has_begun = TRUE;
  stream_begin (source->stream, track_list_copy (tracks));
  source->live_since_us = loop_now_us (source->loop);
  loop_timer_set (source->timer, source->live_since_us + CHECK_US);
  enter (source, CAMERA_LIVE, "", NULL);
}

static void on_first_key_frame (gpointer data)
{
  CameraSource *source = data;
  source->status.first_frame_us = loop_now_us (source->loop) - source->connected_at_us;
}

static void on_parameter_sets (gpointer data)
{
  CameraSource *source = data;
  int width = source->status.width, height = source->status.height;
  note_picture_size (source);
  if (source->status.state == CAMERA_LIVE && (width != source->status.width || height != source->status.height))
    source->changed (source, source->data);
}

/* ---- time ---- */

static void check_connecting (CameraSource *source)
{
  gint64 now = loop_now_us (source->loop);
  if (rtsp_client_is_playing (source->client) && source->playing_since_us == 0)
    source->playing_since_us = now;
  if (source->playing_since_us > 0 && now - source->playing_since_us > FIRST_PACKET_US)
    back_off (source, "stalled", rtsp_client_is_udp (source->client)
                                   ? "the camera answers PLAY and no packet comes by UDP: a firewall on the way? Let UDP through "
                                     "from it to this gateway, or set transport: tcp"
                                   : "the camera answers PLAY and sends nothing");
  else
    loop_timer_set (source->timer, now + CHECK_US);
}

static void check_live (CameraSource *source)
{
  gint64 now = loop_now_us (source->loop);
  gint64 silent = now - MAX (receiver_last_video_us (source->receiver), source->live_since_us);
  if (rtsp_client_is_over (source->client)) {
    back_off (source, "closed", "the camera said goodbye (RTCP BYE)");
    return;
  }
  if (silent > GIVE_UP_US) {
    back_off (source, "stalled", "the camera sends no picture any more");
    return;
  }
  loop_timer_set (source->timer, now + CHECK_US);
  if (source->status.state == CAMERA_LIVE && silent > STALL_US)
    enter (source, CAMERA_STALLED, "stalled", "no picture came for three seconds");
  else if (source->status.state == CAMERA_STALLED && silent <= STALL_US)
    enter (source, CAMERA_LIVE, "", NULL);
}

static void on_timer (gpointer data)
{
  CameraSource *source = data;
  switch (source->status.state) {
  case CAMERA_IDLE:
    break;
  case CAMERA_CONNECTING:
    check_connecting (source);
    break;
  case CAMERA_LIVE:
  case CAMERA_STALLED:
    check_live (source);
    break;
  case CAMERA_BACKING_OFF:
  case CAMERA_FAILED:
    connect_now (source);
    break;
  }
}

static void on_linger (gpointer data)
{
  CameraSource *source = data;
  if (!is_wanted (source))
    go_idle (source);
}

static void on_wanted (Stream *stream, gboolean is_wanted_now, gpointer data)
{
  (void) stream;
  CameraSource *source = data;
  if (!source->settings.on_demand)
    return;
  if (!is_wanted_now) {
    loop_timer_set (source->linger, loop_now_us (source->loop) + source->settings.linger_us);
    return;
  }
  loop_timer_clear (source->linger);
  if (source->status.state == CAMERA_IDLE)
    connect_now (source);
}

/* ---- its life ---- */

static void start (gpointer data)
{
  CameraSource *source = data;
  if (source->status.state == CAMERA_IDLE && is_wanted (source))
    connect_now (source);
  else
    source->changed (source, source->data);
}

CameraSource *camera_source_new (Stream *stream, const CameraSettings *settings, Resolver *resolver, CameraChanged changed,
                                 gpointer data)
{
  static const ReceiverEvents events = { on_message, on_first_packet, on_first_key_frame, on_parameter_sets };
  CameraSource *source = g_new0 (CameraSource, 1);
  source->stream = stream;
  source->loop = stream_loop (stream);
  source->resolver = resolver;
  source->settings = camera_settings_copy (settings);
  source->name = g_strdup_printf ("camera %s%s", stream_camera (stream),
                                  g_str_equal (stream_name (stream), "main") ? "" : " (sub)");
  source->client_settings = (RtspClientSettings){
    source->name,
    source->settings.url,
    source->settings.username,
    source->settings.password,
    source->settings.ca_file,
    source->settings.fingerprint,
    source->settings.is_udp,
  };
  source->changed = changed;
  source->data = data;
  source->status.reason = "";
  source->status.since_us = g_get_real_time ();
  source->receiver = receiver_new (stream, &events, source);
  source->timer = loop_timer_new (source->loop, on_timer, source);
  source->linger = loop_timer_new (source->loop, on_linger, source);
  stream_set_wanted (stream, on_wanted, source);
  start (source);
  return source;
}

const CameraStatusNow *camera_source_status (const CameraSource *source)
{
  return &source->status;
}

const CameraSettings *camera_source_settings (const CameraSource *source)
{
  return &source->settings;
}

char *camera_source_sdp (const CameraSource *source)
{
  const TrackList *tracks = stream_tracks (source->stream);
  int video = tracks != NULL ? track_list_video (tracks) : -1;
  if (tracks == NULL)
    return NULL;
  if (video < 0)
    return g_strdup (tracks->sdp);
  g_autofree char *format = sprop_format (receiver_sprop (source->receiver), tracks->tracks[video].format);
  return sdp_write (tracks, format);
}

gboolean camera_source_is_described (const CameraSource *source)
{
  const TrackList *tracks = stream_tracks (source->stream);
  return tracks != NULL
         && (track_list_video (tracks) < 0 || sprop_is_whole (receiver_sprop (source->receiver)));
}

void camera_source_free (CameraSource *source)
{
  if (source == NULL)
    return;
  stream_set_wanted (source->stream, NULL, NULL);
  disconnect (source, "removed");
  loop_timer_free (source->timer);
  loop_timer_free (source->linger);
  receiver_free (source->receiver);
  camera_settings_clear (&source->settings);
  g_free (source->name);
  g_free (source->status.detail);
  g_free (source);
}
