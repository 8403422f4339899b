#include <string.h>

#include "gateway/core/ids.h"
#include "pipelines/rtsp/rtsp_connection_private.h"
#include "pipelines/rtsp/rtsp_transport.h"

/* ---- playing ---- */

static RtspServerCounts *counts_of (RtspServerLoop *place, Stream *stream)
{
  RtspServerCounts *counts = g_hash_table_lookup (place->counts, stream);
  if (counts == NULL) {
    counts = g_new0 (RtspServerCounts, 1);
    g_hash_table_insert (place->counts, stream, counts);
  }
  return counts;
}

static gboolean is_drop (const char *reason)
{
  return g_str_equal (reason, "too slow");
}

void session_count_skips (RtspConnection *connection)
{
  UdpOutlet *udp = connection->udp;
  if (!connection->views)
    return;
  if (connection->recorded.session == NULL)
    counts_of (connection->place, connection->player.stream)->skips
      += connection->outlet.skip_count + (udp != NULL ? udp->skip_count : 0);
  connection->outlet.skip_count = 0;
  if (udp != NULL)
    udp->skip_count = 0;
}

void session_end (RtspConnection *connection, const char *reason)
{
  if (connection->session == NULL)
    return;
  if (connection->recorded.session != NULL) {
    recorded_end (connection, reason);
    return;
  }
  RtspServerShared *shared = connection_shared (connection);
  const UdpOutlet *udp = connection->udp;
  session_count_skips (connection);
  if (connection->views) {
    guint64 sent_bytes = connection->outlet.sent_bytes - connection->sent_before + (udp != NULL ? udp->sent_bytes : 0);
    connection->views = FALSE;
    RtspServerCounts *counts = counts_of (connection->place, connection->player.stream);
    counts->viewers--;
    counts->drops += is_drop (reason);
    shared->handlers.viewer_ended (connection->viewer, sent_bytes, reason, NULL, shared->data);
    g_free (connection->viewer);
    connection->viewer = ulid_new (g_get_real_time ()); /* whoever plays again is another entry in the register */
  }
  player_finish (&connection->player);
  transport_end (connection);
  admission_release (&shared->admission);
  g_clear_pointer (&connection->session, g_free);
}

static void on_player_ended (const char *reason, gpointer data)
{
  rtsp_connection_close (data, reason);
}

/* ---- DESCRIBE ---- */

void session_stop_waiting (RtspConnection *connection)
{
  Stream *stream = g_steal_pointer (&connection->wait_stream);
  if (stream != NULL)
    stream_remove_tap (stream, &connection->wait_tap);
  connection_watch_again (connection);
}

static void answer_describe (RtspConnection *connection, const DirectoryEntry *entry)
{
  g_autoptr (GstRTSPMessage) request = g_steal_pointer (&connection->request);
  g_autofree char *sdp = camera_source_sdp (entry->source);
  g_auto (RtspPath) path = { 0 };
  if (sdp == NULL || !rtsp_path_parse (request->type_data.request.uri, &path)) {
    connection_respond (connection, request, GST_RTSP_STS_SERVICE_UNAVAILABLE);
    return;
  }
  GstRTSPMessage *response = connection_response_new (connection, request, GST_RTSP_STS_OK);
  add_header (response, GST_RTSP_HDR_CONTENT_TYPE, g_strdup ("application/sdp"));
  add_header (response, GST_RTSP_HDR_CONTENT_BASE, g_strconcat (path.base, "/", NULL));
  gst_rtsp_message_set_body (response, (const guint8 *) sdp, (guint) strlen (sdp));
  connection_send (connection, response);
}

gboolean session_find_entry (RtspConnection *connection, const RtspPath *path, DirectoryEntry *entry)
{
  return directory_find (connection_shared (connection)->directory, connection->place->loop, path->camera, path->stream, entry);
}

/* Answers the DESCRIBE that waits; `is_late`: whatever there is by now. */
void session_try_describe (RtspConnection *connection, gboolean is_late)
{
  DirectoryEntry entry;
  g_auto (RtspPath) path = { 0 };
  gboolean is_there = rtsp_path_parse (connection->request->type_data.request.uri, &path)
                      && session_find_entry (connection, &path, &entry);
  if (is_there && !is_late && !camera_source_is_described (entry.source)
      && camera_source_status (entry.source)->state != CAMERA_FAILED)
    return;
  session_stop_waiting (connection);
  if (is_there) {
    answer_describe (connection, &entry);
  } else {
    connection_respond (connection, connection->request, GST_RTSP_STS_NOT_FOUND);
    g_clear_pointer (&connection->request, gst_rtsp_message_free);
  }
}

static RtspConnection *of_wait_tap (StreamTap *tap)
{
  return (RtspConnection *) (void *) ((char *) tap - G_STRUCT_OFFSET (RtspConnection, wait_tap));
}

static void on_wait_started (StreamTap *tap, const TrackList *tracks)
{
  (void) tracks;
  session_try_describe (of_wait_tap (tap), FALSE);
}

static void on_wait_unit (StreamTap *tap, const Unit *unit)
{
  (void) unit;
  session_try_describe (of_wait_tap (tap), FALSE);
}

static void on_wait_ended (StreamTap *tap, const char *reason)
{
  (void) tap, (void) reason;
}

/* The tap makes an on-demand camera be pulled, and tells when it is live. */
void session_start_describe (RtspConnection *connection, const DirectoryEntry *entry)
{
  connection->wait_tap = (StreamTap){ on_wait_started, on_wait_unit, on_wait_ended };
  connection->wait_stream = entry->stream;
  connection->wait_since_us = connection_now_us (connection);
  connection_watch_again (connection);
  stream_add_tap (entry->stream, &connection->wait_tap);
  if (connection->wait_stream != NULL)
    session_try_describe (connection, FALSE);
}

/* ---- SETUP and PLAY ---- */

static GstRTSPStatusCode begin_session (RtspConnection *connection, const DirectoryEntry *entry)
{
  RtspServerShared *shared = connection_shared (connection);
  const TrackList *tracks = stream_tracks (entry->stream);
  if (tracks == NULL)
    return GST_RTSP_STS_SERVICE_UNAVAILABLE;
  if (!admission_take (&shared->admission))
    return GST_RTSP_STS_NOT_ENOUGH_BANDWIDTH;
  connection->session = random_hex (8);
  player_init (&connection->player, entry->stream, tracks, &connection->outlet, on_player_ended, connection);
  return GST_RTSP_STS_OK;
}

static GstRTSPStatusCode set_track_up (RtspConnection *connection, guint track, RtspTransport *transport)
{
  guint8 channels[2];
  if (track >= connection->player.tracks->count)
    return GST_RTSP_STS_NOT_FOUND;
  GstRTSPStatusCode status = transport_set_up (connection, track, transport, channels);
  if (status == GST_RTSP_STS_OK && connection->udp != NULL)
    player_use_udp (&connection->player, connection->udp);
  if (status != GST_RTSP_STS_OK || player_set_up (&connection->player, track, channels[0], channels[1]))
    return status;
  return GST_RTSP_STS_BAD_REQUEST;
}

/* The client may play: this is what SETUP itself does. */
void session_set_up (RtspConnection *connection, const GstRTSPMessage *request, const RtspPath *path,
                    const DirectoryEntry *entry)
{
  RtspTransport transport;
  GstRTSPStatusCode status = GST_RTSP_STS_OK;
  gboolean is_first = connection->session == NULL;
  guint track = (guint) MAX (path->track, 0), ssrc;
  if (!rtsp_transport_choose (rtsp_message_header (request, GST_RTSP_HDR_TRANSPORT), transport_takes (connection), &transport))
    status = GST_RTSP_STS_UNSUPPORTED_TRANSPORT;
  else if (connection->player.is_playing)
    status = GST_RTSP_STS_METHOD_NOT_VALID_IN_THIS_STATE;
  else if (is_first)
    status = begin_session (connection, entry);
  if (status == GST_RTSP_STS_OK)
    status = set_track_up (connection, track, &transport);
  if (status != GST_RTSP_STS_OK && is_first)
    session_end (connection, "refused");
  GstRTSPMessage *response = connection_response_new (connection, request, status);
  if (status == GST_RTSP_STS_OK)
    transport_add_answer (connection, response, &transport,
                          player_ssrc (&connection->player, track, &ssrc) ? &ssrc : NULL);
  connection_send (connection, response);
}

static void handle_play (RtspConnection *connection, GstRTSPMessage *request)
{
  Player *player = &connection->player;
  g_auto (RtspPath) path = { 0 };
  if (connection->session == NULL || !rtsp_path_parse (request->type_data.request.uri, &path)) {
    connection_respond (connection, request, GST_RTSP_STS_SESSION_NOT_FOUND);
    return;
  }
  if (connection->recorded.session != NULL) {
    recorded_play (connection, request);
    return;
  }
  if (connection->views) {
    connection_respond (connection, request, GST_RTSP_STS_OK);
    return;
  }
  RtspServerShared *shared = connection_shared (connection);
  connection->views = TRUE;
  connection->sent_before = connection->outlet.sent_bytes;
  connection->played_us = g_get_real_time ();
  counts_of (connection->place, player->stream)->viewers++;
  shared->handlers.viewer_started (connection->viewer, player->stream, connection->played_us, shared->data);

  GstRTSPMessage *response = connection_response_new (connection, request, GST_RTSP_STS_OK);
  char *info = player_rtp_info (player, path.base);
  add_header (response, GST_RTSP_HDR_RANGE, g_strdup ("npt=now-"));
  if (info != NULL)
    add_header (response, GST_RTSP_HDR_RTP_INFO, info);
  connection_send (connection, response);
  if (!connection->is_closed)
    player_start (player);
}

/* ---- requests ---- */

static void handle_setup (RtspConnection *connection, GstRTSPMessage *request)
{
  g_auto (RtspPath) path = { 0 };
  Player *player = &connection->player;
  if (connection->session == NULL) {
    admission_ask (connection, request);
    return;
  }
  gboolean is_path = rtsp_path_parse (request->type_data.request.uri, &path);
  if (is_path && connection->recorded.session != NULL && path.is_playback && recorded_is_open_for (connection, &path)) {
    GstRTSPMessage *copy = NULL;
    gst_rtsp_message_copy (request, &copy);
    recorded_open (connection, copy, &path);
    return;
  }
  if (!is_path || connection->recorded.session != NULL || path.is_playback || strcmp (path.camera, stream_camera (player->stream)) != 0
      || strcmp (path.stream, stream_name (player->stream)) != 0) {
    connection_respond (connection, request, GST_RTSP_STS_AGGREGATE_OPERATION_NOT_ALLOWED);
    return;
  }
  session_set_up (connection, request, &path, NULL);
}

/* What is live can't pause: clients that are told it can end with a PAUSE, and take the refusal for a fault (GStreamer). */
static void handle_options (RtspConnection *connection, GstRTSPMessage *request)
{
  g_auto (RtspPath) path = { 0 };
  gboolean is_playback
    = connection->recorded.session != NULL || (rtsp_path_parse (request->type_data.request.uri, &path) && path.is_playback);
  GstRTSPMessage *response = connection_response_new (connection, request, GST_RTSP_STS_OK);
  add_header (response, GST_RTSP_HDR_PUBLIC, g_strdup_printf ("OPTIONS, DESCRIBE, SETUP, PLAY, %sGET_PARAMETER, SET_PARAMETER, TEARDOWN",
                                                              is_playback ? "PAUSE, " : ""));
  connection_send (connection, response);
}

static void handle_parameter (RtspConnection *connection, GstRTSPMessage *request)
{
  connection_respond (connection, request, GST_RTSP_STS_OK);
}

static void handle_teardown (RtspConnection *connection, GstRTSPMessage *request)
{
  gboolean has_session = connection->session != NULL;
  session_end (connection, "teardown");
  connection_respond (connection, request, has_session ? GST_RTSP_STS_OK : GST_RTSP_STS_SESSION_NOT_FOUND);
}

static void handle_pause (RtspConnection *connection, GstRTSPMessage *request)
{
  if (connection->session != NULL && connection->recorded.session != NULL)
    recorded_pause (connection, request);
  else
    connection_respond (connection, request, connection->session == NULL ? GST_RTSP_STS_SESSION_NOT_FOUND
                                                                         : GST_RTSP_STS_METHOD_NOT_VALID_IN_THIS_STATE);
}

static const struct {
  GstRTSPMethod method;
  void (*handle) (RtspConnection *connection, GstRTSPMessage *request);
} methods[] = {
  { GST_RTSP_OPTIONS, handle_options },
  { GST_RTSP_DESCRIBE, admission_ask },
  { GST_RTSP_SETUP, handle_setup },
  { GST_RTSP_PLAY, handle_play },
  { GST_RTSP_GET_PARAMETER, handle_parameter },
  { GST_RTSP_SET_PARAMETER, handle_parameter },
  { GST_RTSP_TEARDOWN, handle_teardown },
  { GST_RTSP_PAUSE, handle_pause },
};

/* A request that names a session must name ours. */
static gboolean names_our_session (const RtspConnection *connection, const GstRTSPMessage *request)
{
  const char *session = rtsp_message_header (request, GST_RTSP_HDR_SESSION);
  if (session == NULL)
    return TRUE;
  gsize length = strcspn (session, "; ");
  return connection->session != NULL && strlen (connection->session) == length
         && strncmp (session, connection->session, length) == 0;
}

void session_handle (RtspConnection *connection, GstRTSPMessage *request)
{
  connection->last_request_us = connection_now_us (connection);
  connection->had_request = TRUE;
  if (request->type != GST_RTSP_MESSAGE_REQUEST)
    return; /* we ask nothing, so it answers nothing */
  if (rtsp_message_header (request, GST_RTSP_HDR_CSEQ) == NULL) {
    connection_respond (connection, request, GST_RTSP_STS_BAD_REQUEST);
    return;
  }
  const char *required = rtsp_message_header (request, GST_RTSP_HDR_REQUIRE);
  if (required != NULL) {
    GstRTSPMessage *response = connection_response_new (connection, request, GST_RTSP_STS_OPTION_NOT_SUPPORTED);
    add_header (response, GST_RTSP_HDR_UNSUPPORTED, g_strdup (required)); /* RFC 2326 12.41 */
    connection_send (connection, response);
    return;
  }
  if (!names_our_session (connection, request)) {
    connection_respond (connection, request, GST_RTSP_STS_SESSION_NOT_FOUND);
    return;
  }
  for (guint i = 0; i < G_N_ELEMENTS (methods); i++)
    if (methods[i].method == request->type_data.request.method) {
      methods[i].handle (connection, request);
      return;
    }
  connection_respond (connection, request, GST_RTSP_STS_NOT_IMPLEMENTED);
}
