#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/core/ids.h"
#include "gateway/core/log.h"
#include "pipelines/rtp/interleaved.h"
#include "pipelines/rtsp/rtsp_connection_private.h"

enum {
  REQUEST_TIMEOUT_US = 10 * G_USEC_PER_SEC, /* from the first byte of a request to its last, and to the first request */
  DESCRIBE_WAIT_US = 10 * G_USEC_PER_SEC,
  CAMERA_AWAY_US = 60 * G_USEC_PER_SEC, /* a viewer waits so long for a camera that went away */
  BODY_MAX = 4096,
  READ_BYTES = WIRE_READ_MIN,
  UNSENT_MAX = 256 * 1024, /* in the kernel: it would take 4 MB, half a minute of a stuck viewer's video, before we notice */
  HANDSHAKES_SLICE_US = 50 * 1000,
  HANDSHAKES_US = 10 * 1000, /* of each slice */
};

/* What became of a connection's input. */
typedef enum {
  STEP_ON,    /* look at what is left */
  STEP_WAIT,  /* for more, for an answer, or for nothing any more */
  STEP_MOVED, /* the connection is another thread's now */
} Step;

static Step process (RtspConnection *connection);

RtspServerShared *connection_shared (RtspConnection *connection)
{
  return rtsp_server_shared (connection->place->server);
}

/* ---- sending ---- */

void connection_watch_again (RtspConnection *connection)
{
  if (connection->watch == NULL)
    return;
  gboolean reads = connection->ask == NULL && connection->wait_stream == NULL && !recorded_waits (connection);
  loop_watch_change (connection->watch, (reads ? EPOLLIN : 0u) | (outlet_is_waiting (&connection->outlet) ? EPOLLOUT : 0u));
}

static void on_waits (gpointer data)
{
  connection_watch_again (data);
}

gint64 connection_now_us (const RtspConnection *connection)
{
  return loop_now_us (connection->place->loop);
}

void connection_send (RtspConnection *connection, GstRTSPMessage *taken)
{
  g_autoptr (GstRTSPMessage) response = taken;
  if (connection->is_closed)
    return;
  GString *text = rtsp_message_serialise (response);
  if (!outlet_send_bytes (&connection->outlet, loop_blocks (connection->place->loop), (const guint8 *) text->str, text->len,
                          connection_now_us (connection)))
    rtsp_connection_close (connection, "closed");
  g_string_free (text, TRUE);
}

GstRTSPMessage *connection_response_new (RtspConnection *connection, const GstRTSPMessage *request, GstRTSPStatusCode status)
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

void connection_respond (RtspConnection *connection, const GstRTSPMessage *request, GstRTSPStatusCode status)
{
  connection_send (connection, connection_response_new (connection, request, status));
}

void connection_respond_unauthorized (RtspConnection *connection, const GstRTSPMessage *request, gboolean is_stale)
{
  GstRTSPMessage *response = connection_response_new (connection, request, GST_RTSP_STS_UNAUTHORIZED);
  if (is_stale)
    digest_nonce_renew (&connection->nonce, loop_now_us (connection->place->loop));
  digest_add_challenges (response, connection->nonce.text, is_stale);
  connection_send (connection, response);
}

void connection_resume (RtspConnection *connection)
{
  if (connection->is_closed)
    return;
  connection_watch_again (connection);
  process (connection);
}

/* ---- the connection ---- */

static void on_ready (guint32 events, gpointer data);

static void settle (RtspConnection *connection, RtspServerLoop *place)
{
  connection->place = place;
  g_queue_push_tail_link (&place->connections, &connection->link);
  connection->watch = loop_watch_add (place->loop, connection->wire.fd, EPOLLIN, on_ready, connection);
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
  if (connection->session != NULL || connection->recorded.session != NULL || !(method & (GST_RTSP_DESCRIBE | GST_RTSP_SETUP))
      || !rtsp_path_parse (request->type_data.request.uri, &path))
    return FALSE;
  Loop *loop = directory_loop (connection_shared (connection)->directory, path.camera, path.stream);
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
  connection_respond (connection, NULL, GST_RTSP_STS_BAD_REQUEST);
  rtsp_connection_close (connection, "protocol");
}

static Step process_message (RtspConnection *connection)
{
  g_autoptr (GstRTSPMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  gsize used;
  switch (rtsp_message_parse (connection->input->data, connection->input->len, BODY_MAX, &message, &used, &error)) {
  case RTSP_MORE:
    return STEP_WAIT;
  case RTSP_BROKEN:
    refuse_and_close (connection, error->message);
    return STEP_WAIT;
  case RTSP_WHOLE:
    break;
  }
  if (message != NULL && move (connection, message))
    return STEP_MOVED;
  g_byte_array_remove_range (connection->input, 0, (guint) used);
  connection->input_since_us = connection_now_us (connection);
  if (message != NULL)
    session_handle (connection, message);
  return STEP_ON;
}

/* Receiver reports and the like, which we don't need: `size` bytes of which perhaps not all are here. */
static void discard (RtspConnection *connection, gsize size)
{
  gsize here = MIN (size, connection->input->len);
  g_byte_array_remove_range (connection->input, 0, (guint) here);
  connection->discard = size - here;
}

static Step process_one (RtspConnection *connection)
{
  const guint8 *bytes = connection->input->data;
  gsize available = connection->input->len, size;
  if (connection->discard > 0) {
    discard (connection, connection->discard);
    return connection->discard == 0 ? STEP_ON : STEP_WAIT;
  }
  switch (interleaved_next (bytes, available, &size)) {
  case INTERLEAVED_FRAME:
    discard (connection, size);
    return STEP_ON;
  case INTERLEAVED_MORE:
    if (available >= INTERLEAVED_HEADER)
      discard (connection, INTERLEAVED_HEADER + ((gsize) bytes[2] << 8 | bytes[3]));
    return STEP_WAIT;
  case INTERLEAVED_MESSAGE:
    return process_message (connection);
  case INTERLEAVED_GARBAGE:
    refuse_and_close (connection, "sends neither RTSP nor interleaved packets");
    break;
  }
  return STEP_WAIT;
}

/* STEP_MOVED: the connection must not be touched any more. */
static Step process (RtspConnection *connection)
{
  Step step = STEP_ON;
  while (step == STEP_ON && !connection->is_closed && connection->ask == NULL && connection->wait_stream == NULL
         && !recorded_waits (connection) && connection->input->len > 0)
    step = process_one (connection);
  return step;
}

static void read_some (RtspConnection *connection)
{
  guint8 bytes[READ_BYTES];
  gssize size = wire_read (&connection->wire, bytes, sizeof bytes);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (size <= 0) {
    rtsp_connection_close (connection, "closed");
    return;
  }
  if (connection->input->len == 0)
    connection->input_since_us = connection_now_us (connection);
  g_byte_array_append (connection->input, bytes, (guint) size);
  process (connection);
}

/* A step of a handshake takes a millisecond of RSA, and cameras live on this loop, too: handshakes get a fifth of its time, and what
 * comes beyond waits for the next slice, unread. */
static gboolean may_shake_hands (RtspConnection *connection)
{
  RtspServerLoop *place = connection->place;
  gint64 now_us = connection_now_us (connection);
  if (now_us - place->handshakes_since_us >= HANDSHAKES_SLICE_US) {
    place->handshakes_since_us = now_us;
    place->handshakes_us = 0;
  }
  if (place->handshakes_us < HANDSHAKES_US)
    return TRUE;
  connection->is_put_off = TRUE;
  g_atomic_int_inc (&connection_shared (connection)->put_off);
  loop_watch_change (connection->watch, 0);
  loop_timer_set (place->handshakes, place->handshakes_since_us + HANDSHAKES_SLICE_US);
  return FALSE;
}

void rtsp_connection_shake_hands_again (RtspConnection *connection)
{
  if (connection->is_put_off && !connection->is_closed)
    loop_watch_change (connection->watch, EPOLLIN | EPOLLOUT); /* whichever the step that was put off waits for */
  connection->is_put_off = FALSE;
}

/* What the client says next stays in the socket until the loop's next turn. */
static void shake_hands (RtspConnection *connection)
{
  g_autoptr (GError) error = NULL;
  if (!may_shake_hands (connection))
    return;
  gint64 start_us = g_get_monotonic_time ();
  WireState state = wire_handshake (&connection->wire, &error);
  connection->place->handshakes_us += g_get_monotonic_time () - start_us;
  if (state == WIRE_BROKEN) {
    log_limited (LOG_LEVEL_INFO, "rtsp client %s: %s", connection->address, error->message);
    rtsp_connection_close (connection, "protocol");
    return;
  }
  connection->shakes_hands = state != WIRE_OPEN;
  loop_watch_change (connection->watch, state == WIRE_WAITS_TO_WRITE ? EPOLLOUT : EPOLLIN);
}

static void on_ready (guint32 events, gpointer data)
{
  RtspConnection *connection = data;
  if (connection->shakes_hands) {
    if (events & (EPOLLERR | EPOLLHUP))
      rtsp_connection_close (connection, "closed");
    else
      shake_hands (connection);
    return;
  }
  if (events & EPOLLOUT && outlet_is_waiting (&connection->outlet)) {
    if (!outlet_flush (&connection->outlet, connection_now_us (connection))) {
      rtsp_connection_close (connection, "closed");
      return;
    }
    if (!outlet_is_waiting (&connection->outlet)) {
      connection_watch_again (connection);
      recorded_resume (connection);
    }
    if (connection->is_closed)
      return;
  }
  if (events & EPOLLIN)
    read_some (connection);
  else if (events & (EPOLLERR | EPOLLHUP))
    rtsp_connection_close (connection, "closed");
}

static void start_tls (RtspConnection *connection, WireContext *tls)
{
  g_autoptr (GError) error = NULL;
  connection->shakes_hands = TRUE;
  if (wire_start_server (&connection->wire, tls, &error))
    return;
  log_limited (LOG_LEVEL_WARNING, "rtsp client %s: %s", connection->address, error->message);
  rtsp_connection_close (connection, "protocol");
}

void rtsp_connection_open (RtspServerLoop *place, int fd, const char *address, WireContext *tls)
{
  int on = 1, unsent = UNSENT_MAX;
  RtspConnection *connection = g_new0 (RtspConnection, 1);
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt (fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
  wire_init (&connection->wire, fd);
  connection->link.data = connection;
  connection->address = g_strdup (address);
  connection->input = g_byte_array_new ();
  connection->viewer = ulid_new (g_get_real_time ());
  digest_nonce_renew (&connection->nonce, loop_now_us (place->loop));
  connection->last_request_us = loop_now_us (place->loop);
  outlet_init (&connection->outlet, &connection->wire, &outlet_limits_default, on_waits, connection);
  g_atomic_int_inc (&rtsp_server_shared (place->server)->connections);
  settle (connection, place);
  if (tls != NULL && !connection->is_closed)
    start_tls (connection, tls);
}

/* Its last request or, over UDP, its last receiver report. A viewer over TCP lives as long as it takes bytes. */
static gint64 last_sign_us (const RtspConnection *connection)
{
  gint64 last_us = connection->last_request_us;
  for (guint i = 0; i < TRACKS_MAX; i++)
    last_us = MAX (last_us, (gint64) g_atomic_int_get (&connection->udp_peers[i].heard_s) * G_USEC_PER_SEC);
  return last_us;
}

/* What ends a connection whatever it waits for: a client that seeks and reads nothing waits for an answer that can't leave.
 * NULL: nothing does. */
static const char *end_reason (const RtspConnection *connection, gint64 now)
{
  if (outlet_is_lost (&connection->outlet, now))
    return "too slow";
  if (connection->until_us > 0 && g_get_real_time () >= connection->until_us)
    return "permission ended";
  return recorded_waits (connection) && now - connection->last_request_us > SESSION_TIMEOUT_S * G_USEC_PER_SEC ? "timeout" : NULL;
}

void rtsp_connection_tick (RtspConnection *connection)
{
  gint64 now = connection_now_us (connection);
  const Player *player = &connection->player;
  gint64 idle_us = now - last_sign_us (connection);
  session_count_skips (connection); /* while it lasts: a viewer may be slow for hours */
  const char *reason = end_reason (connection, now);
  if (reason != NULL) {
    rtsp_connection_close (connection, reason);
    return;
  }
  if (connection->wait_stream != NULL)
    session_try_describe (connection, now - connection->wait_since_us >= DESCRIBE_WAIT_US);
  if (connection->wait_stream != NULL || connection->ask != NULL || recorded_waits (connection))
    return;
  if (process (connection) == STEP_MOVED || connection->is_closed) /* what was sent while a DESCRIBE waited */
    return;
  if (player->is_playing && player->away_since_us > 0 && now - player->away_since_us > CAMERA_AWAY_US) {
    rtsp_connection_close (connection, "camera away");
  } else if (connection->input->len > 0 && now - connection->input_since_us > REQUEST_TIMEOUT_US) {
    rtsp_connection_close (connection, "timeout");
  } else if ((connection->udp != NULL || !(connection->recorded.is_playing || player->is_playing))
             && idle_us > (connection->had_request ? SESSION_TIMEOUT_S * G_USEC_PER_SEC : REQUEST_TIMEOUT_US)) {
    rtsp_connection_close (connection, "timeout");
  }
}

static void release (gpointer data)
{
  RtspConnection *connection = data;
  g_byte_array_unref (connection->input);
  g_clear_pointer (&connection->request, gst_rtsp_message_free);
  g_free (connection->recorded.camera);
  g_free (connection->recorded.reason);
  g_free (connection->address);
  g_free (connection->viewer);
  g_free (connection->token);
  g_free (connection);
}

void rtsp_connection_close (RtspConnection *connection, const char *reason)
{
  if (connection->is_closed)
    return;
  connection->is_closed = TRUE;
  session_stop_waiting (connection);
  session_end (connection, reason);
  recorded_close (connection);
  admission_cancel (connection);
  g_queue_unlink (&connection->place->connections, &connection->link);
  g_clear_pointer (&connection->watch, loop_watch_remove);
  outlet_finish (&connection->outlet);
  wire_finish (&connection->wire);
  close (connection->wire.fd);
  g_atomic_int_add (&connection_shared (connection)->connections, -1);
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

const char *rtsp_connection_viewer (const RtspConnection *connection, const Stream *stream, gint64 *at_us)
{
  *at_us = connection->played_us;
  gboolean plays = connection->session != NULL && connection->player.is_playing && connection->player.stream == stream;
  return plays ? connection->viewer : NULL;
}

const char *rtsp_connection_recorded (const RtspConnection *connection, const char **camera, const char **stream, gint64 *at_us)
{
  *camera = connection->recorded.camera;
  *stream = connection->recorded.stream;
  *at_us = connection->played_us;
  return connection->recorded.session != NULL && connection->views ? connection->viewer : NULL;
}
