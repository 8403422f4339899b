/* /playback/CAMERA?from=…&to=…: DESCRIBE, SETUP, PLAY and PAUSE on recordings. */
#include <string.h>

#include "gateway/core/ids.h"
#include "pipelines/rtsp/rtsp_connection_private.h"
#include "pipelines/rtsp/rtsp_range.h"

static const RtspRecordings *recordings_of (RtspConnection *connection)
{
  return connection_shared (connection)->recordings;
}

gboolean recorded_waits (const RtspConnection *connection)
{
  return connection->recorded.waits;
}

void recorded_close (RtspConnection *connection)
{
  gpointer session = g_steal_pointer (&connection->recorded.session);
  if (session != NULL)
    recordings_of (connection)->close (session);
  connection->recorded.waits = connection->recorded.is_playing = FALSE;
}

static void wait_with (RtspConnection *connection, GstRTSPMessage *taken)
{
  connection->request = taken;
  connection->recorded.waits = TRUE;
  connection_watch_again (connection);
}

static GstRTSPMessage *stop_waiting (RtspConnection *connection)
{
  connection->recorded.waits = FALSE;
  return g_steal_pointer (&connection->request);
}

/* ---- SETUP ---- */

/* What a SETUP took of a session that doesn't begin. */
static void end_unbegun (RtspConnection *connection)
{
  recorded_close (connection);
  transport_end (connection);
  if (connection->session == NULL)
    return;
  admission_release (&connection_shared (connection)->admission);
  g_clear_pointer (&connection->session, g_free);
}

static GstRTSPStatusCode begin_session (RtspConnection *connection)
{
  if (connection->session != NULL)
    return GST_RTSP_STS_OK;
  if (!admission_take (&connection_shared (connection)->admission))
    return GST_RTSP_STS_NOT_ENOUGH_BANDWIDTH;
  connection->session = random_hex (8);
  return GST_RTSP_STS_OK;
}

static GstRTSPStatusCode set_track_up (RtspConnection *connection, RtspTransport *transport, guint track, guint32 *ssrc)
{
  const RtspRecordings *recordings = recordings_of (connection);
  guint8 channels[2];
  if (connection->recorded.is_playing)
    return GST_RTSP_STS_METHOD_NOT_VALID_IN_THIS_STATE;
  if (!recordings->has_track (connection->recorded.session, track))
    return GST_RTSP_STS_NOT_FOUND;
  GstRTSPStatusCode status = begin_session (connection);
  if (status == GST_RTSP_STS_OK)
    status = transport_set_up (connection, track, transport, channels);
  if (status != GST_RTSP_STS_OK)
    return status;
  recordings->use_udp (connection->recorded.session, connection->udp);
  return recordings->set_up (connection->recorded.session, track, channels[0], channels[1], ssrc) ? GST_RTSP_STS_OK
                                                                                                 : GST_RTSP_STS_BAD_REQUEST;
}

static void set_up (RtspConnection *connection, const GstRTSPMessage *request, const RtspPath *path)
{
  RtspTransport transport;
  guint track = (guint) MAX (path->track, 0);
  guint32 ssrc = 0;
  gboolean is_first = connection->session == NULL;
  GstRTSPStatusCode status = GST_RTSP_STS_UNSUPPORTED_TRANSPORT;
  if (rtsp_transport_choose (rtsp_message_header (request, GST_RTSP_HDR_TRANSPORT), transport_takes (connection), &transport))
    status = set_track_up (connection, &transport, track, &ssrc);
  if (status != GST_RTSP_STS_OK && is_first)
    end_unbegun (connection);
  GstRTSPMessage *response = connection_response_new (connection, request, status);
  if (status == GST_RTSP_STS_OK)
    transport_add_answer (connection, response, &transport, &ssrc);
  connection_send (connection, response);
}

/* ---- what the session tells ---- */

static void answer_describe (RtspConnection *connection, const GstRTSPMessage *request, const RtspPath *path, const char *sdp)
{
  GstRTSPMessage *response = connection_response_new (connection, request, GST_RTSP_STS_OK);
  add_header (response, GST_RTSP_HDR_CONTENT_TYPE, g_strdup ("application/sdp"));
  add_header (response, GST_RTSP_HDR_CONTENT_BASE, g_strconcat (path->base, "/", NULL));
  gst_rtsp_message_set_body (response, (const guint8 *) sdp, (guint) strlen (sdp));
  connection_send (connection, response);
}

/* A DESCRIBE opens what a SETUP opens once more: places are few, and most that describe and go no further would hold theirs until
 * they time out. */
static void on_described (const char *sdp, gpointer data)
{
  RtspConnection *connection = data;
  g_autoptr (GstRTSPMessage) request = stop_waiting (connection);
  g_auto (RtspPath) path = { 0 };
  if (sdp == NULL || !rtsp_path_parse (request->type_data.request.uri, &path)) {
    recorded_close (connection);
    connection_respond (connection, request, GST_RTSP_STS_NOT_FOUND);
  } else if (request->type_data.request.method == GST_RTSP_DESCRIBE) {
    answer_describe (connection, request, &path, sdp);
    recorded_close (connection);
  } else {
    set_up (connection, request, &path);
  }
  connection_resume (connection);
}

/* Clients want whole URLs in RTP-Info. */
static char *with_base (const char *rtp_info, const char *base)
{
  g_auto (GStrv) tracks = g_strsplit (rtp_info, ",", -1);
  GString *text = g_string_new (NULL);
  for (char **track = tracks; *track != NULL; track++)
    g_string_append_printf (text, "%surl=%s/%s", text->len > 0 ? "," : "", base, *track);
  return g_string_free (text, FALSE);
}

static void on_playing (const RtspRecordedPlay *play, gpointer data)
{
  RtspConnection *connection = data;
  g_autoptr (GstRTSPMessage) request = stop_waiting (connection);
  g_auto (RtspPath) path = { 0 };
  rtsp_path_parse (request->type_data.request.uri, &path);
  GstRTSPMessage *response
    = connection_response_new (connection, request, play != NULL ? GST_RTSP_STS_OK : GST_RTSP_STS_INVALID_RANGE);
  if (play != NULL) {
    g_autofree char *from = rtsp_clock_text (play->from_us);
    g_autofree char *to = connection->recorded.play_to_us >= 0 ? rtsp_clock_text (connection->recorded.play_to_us) : g_strdup ("");
    add_header (response, GST_RTSP_HDR_RANGE, g_strdup_printf ("clock=%s-%s", from, to));
    add_header (response, GST_RTSP_HDR_SCALE, g_strdup_printf ("%.2f", play->scale));
    add_header (response, GST_RTSP_HDR_RTP_INFO, with_base (play->rtp_info, path.base));
  } else {
    connection->recorded.is_playing = FALSE;
  }
  connection_send (connection, response);
  connection_resume (connection);
}

/* Whoever says nothing more has to go in a while, as one that paused: a client that hangs would keep its place for ever. */
static void on_finished (gpointer data)
{
  RtspConnection *connection = data;
  connection->recorded.is_playing = FALSE;
  connection->last_request_us = connection_now_us (connection);
}

static void on_ended (const char *reason, gpointer data)
{
  rtsp_connection_close (data, reason);
}

static const RtspRecordedEvents events = { on_described, on_playing, on_finished, on_ended };

/* ---- requests ---- */

gboolean recorded_is_open_for (const RtspConnection *connection, const RtspPath *path)
{
  return connection->recorded.session != NULL && recorded_is_of (connection, path);
}

gboolean recorded_is_of (const RtspConnection *connection, const RtspPath *path)
{
  return g_strcmp0 (connection->recorded.camera, path->camera) == 0 && connection->recorded.stream == path->stream;
}

void recorded_remember (RtspConnection *connection, const RtspPath *path)
{
  if (path->from_us < 0 && recorded_is_of (connection, path))
    return;
  g_free (connection->recorded.camera);
  g_free (connection->recorded.reason);
  connection->recorded.camera = g_strdup (path->camera);
  connection->recorded.reason = g_strdup (path->reason);
  connection->recorded.stream = path->stream;
  connection->recorded.from_us = path->from_us;
  connection->recorded.to_us = path->to_us;
}

static void open_now (RtspConnection *connection, GstRTSPMessage *taken)
{
  const RtspRecordings *recordings = recordings_of (connection);
  RtspRecordedTime time = { connection->recorded.camera, connection->recorded.stream, connection->recorded.from_us,
                            connection->recorded.to_us, &connection->outlet };
  connection->recorded.play_to_us = connection->recorded.to_us;
  wait_with (connection, taken);
  connection->recorded.session = recordings->open (connection->place->loop, &time, &events, connection, recordings->owner);
  if (connection->recorded.session != NULL)
    return;
  g_autoptr (GstRTSPMessage) request = stop_waiting (connection);
  connection_respond (connection, request, GST_RTSP_STS_NOT_ENOUGH_BANDWIDTH);
}

void recorded_open (RtspConnection *connection, GstRTSPMessage *request, const RtspPath *path)
{
  gboolean is_describe = request->type_data.request.method == GST_RTSP_DESCRIBE;
  if (!is_describe && recorded_is_open_for (connection, path)) {
    set_up (connection, request, path);
    gst_rtsp_message_free (request);
    return;
  }
  recorded_close (connection);
  recorded_remember (connection, path);
  gint64 from_us = connection->recorded.from_us, to_us = connection->recorded.to_us;
  if (recordings_of (connection) != NULL && from_us >= 0 && (to_us < 0 || to_us > from_us)) {
    open_now (connection, request);
    return;
  }
  connection_respond (connection, request, recordings_of (connection) == NULL ? GST_RTSP_STS_NOT_FOUND : GST_RTSP_STS_BAD_REQUEST);
  gst_rtsp_message_free (request);
}

static void enter_in_register (RtspConnection *connection)
{
  RtspServerShared *shared = connection_shared (connection);
  if (connection->views)
    return;
  connection->views = TRUE;
  connection->sent_before = connection->outlet.sent_bytes;
  connection->played_us = g_get_real_time ();
  shared->handlers.recording_started (connection->viewer, connection->recorded.camera, connection->recorded.stream,
                                      connection->played_us, shared->data);
}

/* A range without an end ends where the recording that was described does; no range at all goes on as before. FALSE when nothing
 * lies in it. */
static gboolean take_end (RtspConnection *connection, gboolean is_given, const RtspRange *range)
{
  gint64 described_us = connection->recorded.to_us, former_us = connection->recorded.play_to_us;
  gint64 to_us = range->to_us >= 0 ? range->to_us : is_given ? described_us : former_us;
  if (to_us >= 0 && range->from_us >= to_us)
    return FALSE;
  connection->recorded.play_to_us = to_us;
  return TRUE;
}

/* A PLAY while it plays moves it at once (RFC 2326 10.5 would queue it; clients that seek pause first, or mean this). */
void recorded_play (RtspConnection *connection, GstRTSPMessage *request)
{
  RtspRange range;
  const char *text = rtsp_message_header (request, GST_RTSP_HDR_RANGE);
  if (!rtsp_range_parse (text, connection->recorded.from_us, &range) || !take_end (connection, text != NULL, &range)) {
    connection_respond (connection, request, GST_RTSP_STS_INVALID_RANGE);
    return;
  }
  double scale = rtsp_scale_parse (rtsp_message_header (request, GST_RTSP_HDR_SCALE));
  GstRTSPMessage *copy = NULL;
  gst_rtsp_message_copy (request, &copy);
  enter_in_register (connection);
  connection->recorded.is_playing = TRUE;
  wait_with (connection, copy);
  recordings_of (connection)->play (connection->recorded.session, range.from_us, connection->recorded.play_to_us, scale);
}

void recorded_pause (RtspConnection *connection, GstRTSPMessage *request)
{
  recordings_of (connection)->pause (connection->recorded.session);
  connection->recorded.is_playing = FALSE;
  connection_respond (connection, request, GST_RTSP_STS_OK);
}

void recorded_resume (RtspConnection *connection)
{
  if (connection->recorded.session != NULL)
    recordings_of (connection)->resume (connection->recorded.session);
}

/* The session ends: TEARDOWN, or the connection does. */
void recorded_end (RtspConnection *connection, const char *reason)
{
  RtspServerShared *shared = connection_shared (connection);
  g_autofree char *watched = recordings_of (connection)->watched (connection->recorded.session);
  recorded_close (connection);
  if (connection->views) {
    guint64 sent_bytes = connection->outlet.sent_bytes - connection->sent_before
                         + (connection->udp != NULL ? connection->udp->sent_bytes : 0);
    connection->views = FALSE;
    shared->handlers.viewer_ended (connection->viewer, sent_bytes, reason, watched, shared->data);
    g_free (connection->viewer);
    connection->viewer = ulid_new (g_get_real_time ());
  }
  transport_end (connection);
  admission_release (&shared->admission);
  g_clear_pointer (&connection->session, g_free);
}
