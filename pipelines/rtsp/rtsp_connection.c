#include "pipelines/rtsp/rtsp_connection.h"

#include <errno.h>
#include <gst/rtsp/gstrtsptransport.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/core/ids.h"
#include "gateway/core/log.h"
#include "pipelines/rtp/interleaved.h"
#include "pipelines/rtsp/rtsp_path.h"

enum {
  SESSION_TIMEOUT_S = 60,
  REQUEST_TIMEOUT_US = 10 * G_USEC_PER_SEC, /* from the first byte of a request to its last, and to the first request */
  DESCRIBE_WAIT_US = 10 * G_USEC_PER_SEC,
  CAMERA_AWAY_US = 60 * G_USEC_PER_SEC, /* a viewer waits so long for a camera that went away */
  BODY_MAX = 4096,
  READ_BYTES = 16 * 1024,
  ASKS_MAX = 256,
  VIEWERS_MAX = 1000,
  UNSENT_MAX = 256 * 1024, /* in the kernel: it would take 4 MB, half a minute of a stuck viewer's video, before we notice */
};

/* A question that gridgate has; it outlives the connection. */
typedef struct {
  RtspConnection *connection; /* NULL once that is closed */
  RtspServerShared *shared;
} PendingAsk;

struct RtspConnection {
  RtspServerLoop *place;
  GList link;
  int fd;
  LoopWatch *watch;
  char *address;
  GByteArray *input;
  gsize discard; /* bytes of a client's interleaved packet still to come */
  Outlet outlet;

  char *viewer, *nonce;
  char *session;  /* NULL: no track is set up */
  char *token;    /* that a DESCRIBE was admitted with */
  gint64 until_us; /* wall, of the permission; 0: without end */
  Player player;
  guint64 sent_before; /* what the outlet had sent when it began to play */

  GstRTSPMessage *request; /* that waits for the verdict or for the camera */
  PendingAsk *ask;
  StreamTap wait_tap;
  Stream *wait_stream; /* NULL: no DESCRIBE waits */
  gint64 wait_since_us;

  gint64 last_request_us, input_since_us;
  gboolean had_request, is_closed;
};

static void process (RtspConnection *connection);

/* ---- sending ---- */

static void watch_again (RtspConnection *connection)
{
  if (connection->watch == NULL)
    return;
  gboolean reads = connection->ask == NULL && connection->wait_stream == NULL;
  loop_watch_change (connection->watch, (reads ? EPOLLIN : 0u) | (outlet_is_waiting (&connection->outlet) ? EPOLLOUT : 0u));
}

static void on_waits (gpointer data)
{
  watch_again (data);
}

static gint64 now_us (const RtspConnection *connection)
{
  return loop_now_us (connection->place->loop);
}

static void send_response (RtspConnection *connection, GstRTSPMessage *taken)
{
  g_autoptr (GstRTSPMessage) response = taken;
  if (connection->is_closed)
    return;
  GString *text = rtsp_message_serialise (response);
  if (!outlet_send_bytes (&connection->outlet, loop_blocks (connection->place->loop), (const guint8 *) text->str, text->len,
                          now_us (connection)))
    rtsp_connection_close (connection, "closed");
  g_string_free (text, TRUE);
}

static void add_header (GstRTSPMessage *message, GstRTSPHeaderField field, char *value)
{
  gst_rtsp_message_take_header (message, field, value);
}

static GstRTSPMessage *response_new (RtspConnection *connection, const GstRTSPMessage *request, GstRTSPStatusCode status)
{
  GstRTSPMessage *response = NULL;
  gst_rtsp_message_new_response (&response, status, gst_rtsp_status_as_text (status), NULL);
  const char *sequence = request != NULL ? rtsp_message_header (request, GST_RTSP_HDR_CSEQ) : NULL;
  if (sequence != NULL)
    add_header (response, GST_RTSP_HDR_CSEQ, g_strdup (sequence));
  add_header (response, GST_RTSP_HDR_SERVER, g_strdup ("gridgate/" GRIDGATE_VERSION));
  if (connection->session != NULL)
    add_header (response, GST_RTSP_HDR_SESSION, g_strdup_printf ("%s;timeout=%d", connection->session, SESSION_TIMEOUT_S));
  return response;
}

static void respond (RtspConnection *connection, const GstRTSPMessage *request, GstRTSPStatusCode status)
{
  send_response (connection, response_new (connection, request, status));
}

static void respond_unauthorized (RtspConnection *connection, const GstRTSPMessage *request, gboolean is_stale)
{
  GstRTSPMessage *response = response_new (connection, request, GST_RTSP_STS_UNAUTHORIZED);
  digest_add_challenges (response, connection->nonce, is_stale);
  send_response (connection, response);
}

/* ---- playing ---- */

static RtspServerShared *shared_of (RtspConnection *connection)
{
  return rtsp_server_shared (connection->place->server);
}

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

static void end_session (RtspConnection *connection, const char *reason)
{
  if (connection->session == NULL)
    return;
  RtspServerShared *shared = shared_of (connection);
  if (connection->player.is_playing) {
    RtspServerCounts *counts = counts_of (connection->place, connection->player.stream);
    counts->viewers--;
    counts->skips += connection->outlet.skip_count;
    counts->drops += is_drop (reason);
    connection->outlet.skip_count = 0;
    shared->handlers.viewer_ended (connection->viewer, connection->outlet.sent_bytes - connection->sent_before, reason,
                                   shared->data);
  }
  player_finish (&connection->player);
  g_atomic_int_add (&shared->viewers, -1);
  g_clear_pointer (&connection->session, g_free);
}

static void on_player_ended (const char *reason, gpointer data)
{
  rtsp_connection_close (data, reason);
}

/* ---- DESCRIBE ---- */

static void stop_waiting (RtspConnection *connection)
{
  Stream *stream = g_steal_pointer (&connection->wait_stream);
  if (stream != NULL)
    stream_remove_tap (stream, &connection->wait_tap);
  watch_again (connection);
}

static void answer_describe (RtspConnection *connection, const DirectoryEntry *entry)
{
  g_autoptr (GstRTSPMessage) request = g_steal_pointer (&connection->request);
  g_autofree char *sdp = camera_source_sdp (entry->source);
  g_auto (RtspPath) path = { 0 };
  if (sdp == NULL || !rtsp_path_parse (request->type_data.request.uri, &path)) {
    respond (connection, request, GST_RTSP_STS_SERVICE_UNAVAILABLE);
    return;
  }
  GstRTSPMessage *response = response_new (connection, request, GST_RTSP_STS_OK);
  add_header (response, GST_RTSP_HDR_CONTENT_TYPE, g_strdup ("application/sdp"));
  add_header (response, GST_RTSP_HDR_CONTENT_BASE, g_strconcat (path.base, "/", NULL));
  gst_rtsp_message_set_body (response, (const guint8 *) sdp, (guint) strlen (sdp));
  send_response (connection, response);
}

static gboolean find_entry (RtspConnection *connection, const RtspPath *path, DirectoryEntry *entry)
{
  return directory_find (shared_of (connection)->directory, connection->place->loop, path->camera, path->stream, entry);
}

/* Answers the DESCRIBE that waits; `is_late`: whatever there is by now. */
static void try_describe (RtspConnection *connection, gboolean is_late)
{
  DirectoryEntry entry;
  g_auto (RtspPath) path = { 0 };
  gboolean is_there = rtsp_path_parse (connection->request->type_data.request.uri, &path)
                      && find_entry (connection, &path, &entry);
  if (is_there && !is_late && !camera_source_is_described (entry.source)
      && camera_source_status (entry.source)->state != CAMERA_FAILED)
    return;
  stop_waiting (connection);
  if (is_there) {
    answer_describe (connection, &entry);
  } else {
    respond (connection, connection->request, GST_RTSP_STS_NOT_FOUND);
    g_clear_pointer (&connection->request, gst_rtsp_message_free);
  }
}

static RtspConnection *of_wait_tap (StreamTap *tap)
{
  return (RtspConnection *) (void *) ((char *) tap - G_STRUCT_OFFSET (RtspConnection, wait_tap));
}

static void resume (gpointer data)
{
  RtspConnection *connection = data;
  if (connection->is_closed)
    return;
  watch_again (connection);
  process (connection);
}

static void on_wait_started (StreamTap *tap, const TrackList *tracks)
{
  (void) tracks;
  try_describe (of_wait_tap (tap), FALSE);
}

static void on_wait_unit (StreamTap *tap, const Unit *unit)
{
  (void) unit;
  try_describe (of_wait_tap (tap), FALSE);
}

static void on_wait_ended (StreamTap *tap, const char *reason)
{
  (void) tap, (void) reason;
}

/* The tap makes an on-demand camera be pulled, and tells when it is live. */
static void start_describe (RtspConnection *connection, const DirectoryEntry *entry)
{
  connection->wait_tap = (StreamTap){ on_wait_started, on_wait_unit, on_wait_ended };
  connection->wait_stream = entry->stream;
  connection->wait_since_us = now_us (connection);
  watch_again (connection);
  stream_add_tap (entry->stream, &connection->wait_tap);
  if (connection->wait_stream != NULL)
    try_describe (connection, FALSE);
}

/* ---- SETUP and PLAY ---- */

/* The first of the offered transports that is interleaved; RTP and RTCP channels, -1 when the client leaves them to us. */
static gboolean choose_transport (const GstRTSPMessage *request, int *rtp, int *rtcp)
{
  const char *header = rtsp_message_header (request, GST_RTSP_HDR_TRANSPORT);
  g_auto (GStrv) offers = g_strsplit (header != NULL ? header : "", ",", 8);
  for (char **offer = offers; *offer != NULL; offer++) {
    GString *text = g_string_new (*offer);
    g_string_replace (text, " ", "", 0); /* GStreamer drops what stands after a space */
    GstRTSPTransport *transport = NULL;
    gst_rtsp_transport_new (&transport);
    gboolean fits = gst_rtsp_transport_parse (text->str, transport) == GST_RTSP_OK
                    && transport->lower_transport == GST_RTSP_LOWER_TRANS_TCP && !transport->mode_record;
    *rtp = transport->interleaved.min;
    *rtcp = transport->interleaved.max;
    gst_rtsp_transport_free (transport);
    g_string_free (text, TRUE);
    if (fits)
      return *rtp < 255 && *rtcp < 255;
  }
  return FALSE;
}

static GstRTSPStatusCode begin_session (RtspConnection *connection, const DirectoryEntry *entry)
{
  RtspServerShared *shared = shared_of (connection);
  const TrackList *tracks = stream_tracks (entry->stream);
  if (tracks == NULL)
    return GST_RTSP_STS_SERVICE_UNAVAILABLE;
  if (g_atomic_int_add (&shared->viewers, 1) >= VIEWERS_MAX) {
    g_atomic_int_add (&shared->viewers, -1);
    return GST_RTSP_STS_NOT_ENOUGH_BANDWIDTH;
  }
  connection->session = random_hex (8);
  player_init (&connection->player, entry->stream, tracks, &connection->outlet, on_player_ended, connection);
  return GST_RTSP_STS_OK;
}

static GstRTSPStatusCode set_track_up (RtspConnection *connection, guint track, int *rtp, int *rtcp)
{
  if (track >= connection->player.tracks->count)
    return GST_RTSP_STS_NOT_FOUND;
  *rtp = *rtp < 0 ? (int) (2 * track) : *rtp;
  *rtcp = *rtcp < 0 ? *rtp + 1 : *rtcp;
  return player_set_up (&connection->player, track, (guint8) *rtp, (guint8) *rtcp) ? GST_RTSP_STS_OK
                                                                                   : GST_RTSP_STS_BAD_REQUEST;
}

/* The client may play: this is what SETUP itself does. */
static void set_up (RtspConnection *connection, const GstRTSPMessage *request, const RtspPath *path,
                    const DirectoryEntry *entry)
{
  int rtp, rtcp;
  GstRTSPStatusCode status = GST_RTSP_STS_OK;
  gboolean is_first = connection->session == NULL;
  if (!choose_transport (request, &rtp, &rtcp))
    status = GST_RTSP_STS_UNSUPPORTED_TRANSPORT;
  else if (connection->player.is_playing)
    status = GST_RTSP_STS_METHOD_NOT_VALID_IN_THIS_STATE;
  else if (is_first)
    status = begin_session (connection, entry);
  if (status == GST_RTSP_STS_OK)
    status = set_track_up (connection, (guint) MAX (path->track, 0), &rtp, &rtcp);
  if (status != GST_RTSP_STS_OK && is_first)
    end_session (connection, "refused");
  GstRTSPMessage *response = response_new (connection, request, status);
  if (status == GST_RTSP_STS_OK)
    add_header (response, GST_RTSP_HDR_TRANSPORT, g_strdup_printf ("RTP/AVP/TCP;unicast;interleaved=%d-%d", rtp, rtcp));
  send_response (connection, response);
}

static void handle_play (RtspConnection *connection, GstRTSPMessage *request)
{
  Player *player = &connection->player;
  g_auto (RtspPath) path = { 0 };
  if (connection->session == NULL || !rtsp_path_parse (request->type_data.request.uri, &path)) {
    respond (connection, request, GST_RTSP_STS_SESSION_NOT_FOUND);
    return;
  }
  GstRTSPMessage *response = response_new (connection, request, GST_RTSP_STS_OK);
  add_header (response, GST_RTSP_HDR_RANGE, g_strdup ("npt=now-"));
  char *info = player->is_playing ? NULL : player_rtp_info (player, path.base);
  if (info != NULL)
    add_header (response, GST_RTSP_HDR_RTP_INFO, info);
  send_response (connection, response);
  if (player->is_playing || connection->is_closed)
    return;
  RtspServerShared *shared = shared_of (connection);
  counts_of (connection->place, player->stream)->viewers++;
  connection->sent_before = connection->outlet.sent_bytes;
  shared->handlers.viewer_started (connection->viewer, player->stream, shared->data);
  player_start (player);
}

/* ---- who may ---- */

static void on_verdict (int status, gint64 until_us, gpointer data)
{
  PendingAsk *ask = data;
  RtspConnection *connection = ask->connection;
  g_atomic_int_add (&ask->shared->asks, -1);
  g_free (ask);
  if (connection == NULL)
    return;
  connection->ask = NULL;

  g_autoptr (GstRTSPMessage) request = g_steal_pointer (&connection->request);
  g_auto (RtspPath) path = { 0 };
  DirectoryEntry entry;
  rtsp_path_parse (request->type_data.request.uri, &path);
  if (status == GST_RTSP_STS_OK && !find_entry (connection, &path, &entry))
    status = GST_RTSP_STS_NOT_FOUND;
  if (status == GST_RTSP_STS_UNAUTHORIZED) {
    respond_unauthorized (connection, request, FALSE);
  } else if (status != GST_RTSP_STS_OK) {
    respond (connection, request, (GstRTSPStatusCode) status);
  } else {
    connection->until_us = until_us;
    if (path.token != NULL) {
      g_free (connection->token);
      connection->token = g_strdup (path.token);
    }
    if (request->type_data.request.method == GST_RTSP_DESCRIBE) {
      connection->request = g_steal_pointer (&request);
      start_describe (connection, &entry);
    } else {
      set_up (connection, request, &path, &entry);
    }
  }
  resume (connection);
}

/* The answer must be to our nonce, and about this resource. */
static gboolean is_fresh (const RtspConnection *connection, const DigestAnswer *answer, const RtspPath *path)
{
  g_auto (RtspPath) answered = { 0 };
  return strcmp (answer->nonce, connection->nonce) == 0 && strcmp (answer->realm, DIGEST_REALM) == 0
         && rtsp_path_parse (answer->uri, &answered) && strcmp (answered.camera, path->camera) == 0
         && answered.stream == path->stream;
}

static void put_question (RtspConnection *connection, GstRTSPMessage *request, const RtspPath *path,
                          const DigestAnswer *answer)
{
  RtspServerShared *shared = shared_of (connection);
  if (g_atomic_int_add (&shared->asks, 1) >= ASKS_MAX) {
    g_atomic_int_add (&shared->asks, -1);
    respond (connection, request, GST_RTSP_STS_SERVICE_UNAVAILABLE);
    return;
  }
  RtspAsk question = { connection->viewer, path->camera, path->stream, connection->address,
                       rtsp_message_header (request, GST_RTSP_HDR_USER_AGENT),
                       gst_rtsp_method_as_text (request->type_data.request.method) };
  question.token = path->token != NULL ? path->token : answer == NULL ? connection->token : NULL;
  question.answer = answer;
  PendingAsk *ask = g_new (PendingAsk, 1);
  *ask = (PendingAsk){ connection, shared };
  connection->ask = ask;
  gst_rtsp_message_copy (request, &connection->request);
  watch_again (connection);
  shared->handlers.ask (&question, connection->place->loop, on_verdict, ask, shared->data);
}

/* DESCRIBE, and SETUP of a session's first track. */
static void handle_asked (RtspConnection *connection, GstRTSPMessage *request)
{
  g_auto (RtspPath) path = { 0 };
  DigestAnswer answer;
  if (!rtsp_path_parse (request->type_data.request.uri, &path)) {
    respond (connection, request, GST_RTSP_STS_NOT_FOUND);
    return;
  }
  gboolean has_answer = digest_answer_read (request, &answer);
  if (has_answer && !is_fresh (connection, &answer, &path))
    respond_unauthorized (connection, request, TRUE);
  else
    put_question (connection, request, &path, has_answer ? &answer : NULL);
  digest_answer_clear (&answer);
}

/* ---- requests ---- */

static void handle_setup (RtspConnection *connection, GstRTSPMessage *request)
{
  g_auto (RtspPath) path = { 0 };
  Player *player = &connection->player;
  if (connection->session == NULL) {
    handle_asked (connection, request);
    return;
  }
  if (!rtsp_path_parse (request->type_data.request.uri, &path)
      || strcmp (path.camera, stream_camera (player->stream)) != 0
      || strcmp (path.stream, stream_name (player->stream)) != 0) {
    respond (connection, request, GST_RTSP_STS_AGGREGATE_OPERATION_NOT_ALLOWED);
    return;
  }
  set_up (connection, request, &path, NULL);
}

static void handle_options (RtspConnection *connection, GstRTSPMessage *request)
{
  GstRTSPMessage *response = response_new (connection, request, GST_RTSP_STS_OK);
  add_header (response, GST_RTSP_HDR_PUBLIC, g_strdup ("OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"));
  send_response (connection, response);
}

static void handle_parameter (RtspConnection *connection, GstRTSPMessage *request)
{
  respond (connection, request, GST_RTSP_STS_OK);
}

static void handle_teardown (RtspConnection *connection, GstRTSPMessage *request)
{
  gboolean has_session = connection->session != NULL;
  end_session (connection, "teardown");
  respond (connection, request, has_session ? GST_RTSP_STS_OK : GST_RTSP_STS_SESSION_NOT_FOUND);
}

static void handle_pause (RtspConnection *connection, GstRTSPMessage *request)
{
  respond (connection, request, GST_RTSP_STS_METHOD_NOT_VALID_IN_THIS_STATE);
}

static const struct {
  GstRTSPMethod method;
  void (*handle) (RtspConnection *connection, GstRTSPMessage *request);
} methods[] = {
  { GST_RTSP_OPTIONS, handle_options },
  { GST_RTSP_DESCRIBE, handle_asked },
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

static void handle_request (RtspConnection *connection, GstRTSPMessage *request)
{
  connection->last_request_us = now_us (connection);
  connection->had_request = TRUE;
  if (request->type != GST_RTSP_MESSAGE_REQUEST)
    return; /* we ask nothing, so it answers nothing */
  if (rtsp_message_header (request, GST_RTSP_HDR_CSEQ) == NULL) {
    respond (connection, request, GST_RTSP_STS_BAD_REQUEST);
    return;
  }
  if (rtsp_message_header (request, GST_RTSP_HDR_REQUIRE) != NULL) {
    respond (connection, request, GST_RTSP_STS_OPTION_NOT_SUPPORTED);
    return;
  }
  if (!names_our_session (connection, request)) {
    respond (connection, request, GST_RTSP_STS_SESSION_NOT_FOUND);
    return;
  }
  for (guint i = 0; i < G_N_ELEMENTS (methods); i++)
    if (methods[i].method == request->type_data.request.method) {
      methods[i].handle (connection, request);
      return;
    }
  respond (connection, request, GST_RTSP_STS_NOT_IMPLEMENTED);
}

/* ---- the connection ---- */

static void on_ready (guint32 events, gpointer data);

static void settle (RtspConnection *connection, RtspServerLoop *place)
{
  connection->place = place;
  g_queue_push_tail_link (&place->connections, &connection->link);
  connection->watch = loop_watch_add (place->loop, connection->fd, EPOLLIN, on_ready, connection);
  if (connection->watch == NULL)
    rtsp_connection_close (connection, "closed");
}

static void adopt (gpointer data)
{
  RtspConnection *connection = data;
  settle (connection, connection->place);
  if (!connection->is_closed)
    process (connection);
}

/* To the loop of the camera that the request names. FALSE when it is there already. */
static gboolean move (RtspConnection *connection, const GstRTSPMessage *request)
{
  g_auto (RtspPath) path = { 0 };
  GstRTSPMethod method = request->type == GST_RTSP_MESSAGE_REQUEST ? request->type_data.request.method : 0;
  if (connection->session != NULL || !(method & (GST_RTSP_DESCRIBE | GST_RTSP_SETUP))
      || !rtsp_path_parse (request->type_data.request.uri, &path))
    return FALSE;
  Loop *loop = directory_loop (shared_of (connection)->directory, path.camera, path.stream);
  if (loop == NULL || loop == connection->place->loop)
    return FALSE;
  if (outlet_is_waiting (&connection->outlet)) { /* blocks belong to a loop */
    rtsp_connection_close (connection, "too slow");
    return TRUE;
  }
  g_clear_pointer (&connection->watch, loop_watch_remove);
  g_queue_unlink (&connection->place->connections, &connection->link);
  connection->place = rtsp_server_loop (connection->place->server, loop);
  loop_post (loop, adopt, connection);
  return TRUE;
}

static void refuse_and_close (RtspConnection *connection, const char *problem)
{
  log_limited (LOG_LEVEL_INFO, "rtsp client %s: %s", connection->address, problem);
  respond (connection, NULL, GST_RTSP_STS_BAD_REQUEST);
  rtsp_connection_close (connection, "protocol");
}

/* FALSE when there is nothing more to do with what came in. */
static gboolean process_message (RtspConnection *connection)
{
  g_autoptr (GstRTSPMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  gsize used;
  switch (rtsp_message_parse (connection->input->data, connection->input->len, BODY_MAX, &message, &used, &error)) {
  case RTSP_MORE:
    return FALSE;
  case RTSP_BROKEN:
    refuse_and_close (connection, error->message);
    return FALSE;
  case RTSP_WHOLE:
    break;
  }
  if (message != NULL && move (connection, message))
    return FALSE;
  g_byte_array_remove_range (connection->input, 0, (guint) used);
  if (message != NULL)
    handle_request (connection, message);
  return TRUE;
}

/* Receiver reports and the like, which we don't need: `size` bytes of which perhaps not all are here. */
static void discard (RtspConnection *connection, gsize size)
{
  gsize here = MIN (size, connection->input->len);
  g_byte_array_remove_range (connection->input, 0, (guint) here);
  connection->discard = size - here;
}

static gboolean process_one (RtspConnection *connection)
{
  const guint8 *bytes = connection->input->data;
  gsize available = connection->input->len, size;
  if (connection->discard > 0) {
    discard (connection, connection->discard);
    return connection->discard == 0;
  }
  switch (interleaved_next (bytes, available, &size)) {
  case INTERLEAVED_FRAME:
    discard (connection, size);
    return TRUE;
  case INTERLEAVED_MORE:
    if (available < INTERLEAVED_HEADER)
      return FALSE;
    discard (connection, INTERLEAVED_HEADER + ((gsize) bytes[2] << 8 | bytes[3]));
    return FALSE;
  case INTERLEAVED_MESSAGE:
    return process_message (connection);
  case INTERLEAVED_GARBAGE:
    refuse_and_close (connection, "sends neither RTSP nor interleaved packets");
    return FALSE;
  }
  return FALSE;
}

static void process (RtspConnection *connection)
{
  while (!connection->is_closed && connection->ask == NULL && connection->wait_stream == NULL && connection->input->len > 0)
    if (!process_one (connection))
      break;
}

static void read_some (RtspConnection *connection)
{
  guint8 bytes[READ_BYTES];
  gssize size = recv (connection->fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (size <= 0) {
    rtsp_connection_close (connection, "closed");
    return;
  }
  if (connection->input->len == 0)
    connection->input_since_us = now_us (connection);
  g_byte_array_append (connection->input, bytes, (guint) size);
  process (connection);
}

static void on_ready (guint32 events, gpointer data)
{
  RtspConnection *connection = data;
  if (events & EPOLLOUT && outlet_is_waiting (&connection->outlet)) {
    if (!outlet_flush (&connection->outlet, now_us (connection))) {
      rtsp_connection_close (connection, "closed");
      return;
    }
    if (!outlet_is_waiting (&connection->outlet))
      watch_again (connection);
  }
  if (events & EPOLLIN)
    read_some (connection);
  else if (events & (EPOLLERR | EPOLLHUP))
    rtsp_connection_close (connection, "closed");
}

void rtsp_connection_open (RtspServerLoop *place, int fd, const char *address)
{
  int on = 1, unsent = UNSENT_MAX;
  RtspConnection *connection = g_new0 (RtspConnection, 1);
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt (fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
  connection->fd = fd;
  connection->link.data = connection;
  connection->address = g_strdup (address);
  connection->input = g_byte_array_new ();
  connection->viewer = ulid_new (g_get_real_time ());
  connection->nonce = random_hex (16);
  connection->last_request_us = loop_now_us (place->loop);
  outlet_init (&connection->outlet, fd, &outlet_limits_default, on_waits, connection);
  g_atomic_int_inc (&rtsp_server_shared (place->server)->connections);
  settle (connection, place);
}

void rtsp_connection_tick (RtspConnection *connection)
{
  gint64 now = now_us (connection);
  const Player *player = &connection->player;
  gint64 idle_us = now - connection->last_request_us;
  if (connection->wait_stream != NULL)
    try_describe (connection, now - connection->wait_since_us >= DESCRIBE_WAIT_US);
  if (connection->wait_stream != NULL || connection->ask != NULL)
    return;
  process (connection); /* what was sent while a DESCRIBE waited */
  if (connection->is_closed)
    return;
  if (outlet_is_lost (&connection->outlet, now)) {
    rtsp_connection_close (connection, "too slow");
  } else if (connection->until_us > 0 && g_get_real_time () >= connection->until_us) {
    rtsp_connection_close (connection, "permission ended");
  } else if (player->is_playing && player->away_since_us > 0 && now - player->away_since_us > CAMERA_AWAY_US) {
    rtsp_connection_close (connection, "camera away");
  } else if (connection->input->len > 0 && now - connection->input_since_us > REQUEST_TIMEOUT_US) {
    rtsp_connection_close (connection, "timeout");
  } else if (!player->is_playing
             && idle_us > (connection->had_request ? SESSION_TIMEOUT_S * G_USEC_PER_SEC : REQUEST_TIMEOUT_US)) {
    rtsp_connection_close (connection, "timeout");
  }
}

static void release (gpointer data)
{
  RtspConnection *connection = data;
  g_byte_array_unref (connection->input);
  g_clear_pointer (&connection->request, gst_rtsp_message_free);
  g_free (connection->address);
  g_free (connection->viewer);
  g_free (connection->nonce);
  g_free (connection->token);
  g_free (connection);
}

void rtsp_connection_close (RtspConnection *connection, const char *reason)
{
  if (connection->is_closed)
    return;
  connection->is_closed = TRUE;
  stop_waiting (connection);
  end_session (connection, reason);
  if (connection->ask != NULL)
    connection->ask->connection = NULL;
  g_queue_unlink (&connection->place->connections, &connection->link);
  g_clear_pointer (&connection->watch, loop_watch_remove);
  outlet_finish (&connection->outlet);
  close (connection->fd);
  g_atomic_int_add (&shared_of (connection)->connections, -1);
  loop_free_later (connection->place->loop, connection, release);
}

gboolean rtsp_connection_is_viewer (const RtspConnection *connection, const char *viewer)
{
  return strcmp (connection->viewer, viewer) == 0;
}

gboolean rtsp_connection_watches (const RtspConnection *connection, const Stream *stream)
{
  return connection->wait_stream == stream || (connection->session != NULL && connection->player.stream == stream);
}
