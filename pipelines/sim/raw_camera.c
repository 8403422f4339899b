#include "pipelines/sim/raw_camera.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/core/error.h"
#include "pipelines/sim/raw_packets.h"
#include "pipelines/sim/say.h"

enum { CONNECTIONS_MAX = 8, HEAD_MAX = 16 * 1024, FRAME_US = 100000 };
enum { FRAMES_BEFORE_CLOSE = 10, FRAMES_BEFORE_STALL = 20, ENDLESS_CHUNK = 4096 };

struct RawCamera {
  const CameraScript *script;
  GSocketService *service;
  GCancellable *ended;
  int port;
  GMutex mutex;
  GCond idle;
  guint connections; /* being served */
};

/* One client, on its thread. */
typedef struct {
  RawCamera *camera;
  GSocket *socket;
  RawFault fault;
  char head[HEAD_MAX]; /* of the request being read */
  gsize head_size;
} Session;

static gboolean send_bytes (Session *session, const void *bytes, gsize size)
{
  for (gsize done = 0; done < size;) {
    gssize count
        = g_socket_send (session->socket, (const char *) bytes + done, size - done, session->camera->ended, NULL);
    if (count <= 0)
      return FALSE;
    done += (gsize) count;
  }
  return TRUE;
}

static gboolean respond (Session *session, const char *status, const char *headers, const char *body)
{
  const char *sequence = g_strstr_len (session->head, (gssize) session->head_size, "CSeq:");
  int number = sequence ? (int) g_ascii_strtoll (sequence + strlen ("CSeq:"), NULL, 10) : 0;
  g_autofree char *text = g_strdup_printf ("RTSP/1.0 %s\r\nCSeq: %d\r\n%s\r\n%s", status, number, headers, body);
  return send_bytes (session, text, strlen (text));
}

/* A request's head up to its empty line; FALSE when the client is gone. */
static gboolean read_request (Session *session)
{
  session->head_size = 0;
  while (session->head_size < HEAD_MAX - 1) {
    gssize count
        = g_socket_receive (session->socket, session->head + session->head_size, 1, session->camera->ended, NULL);
    if (count <= 0)
      return FALSE;
    session->head[++session->head_size] = '\0';
    if (g_str_has_suffix (session->head, "\r\n\r\n"))
      return TRUE;
  }
  return FALSE;
}

static gboolean describe (Session *session)
{
  g_autofree char *whole = raw_description (session->fault == RAW_UNKNOWN_CODEC ? "X-FUTURE" : "H264");
  const char *body = session->fault == RAW_NO_SDP ? "" : whole;
  if (session->fault == RAW_EMPTY_SDP)
    *strstr (whole, "m=video") = '\0';
  if (session->fault == RAW_NOT_FOUND)
    return respond (session, "404 Not Found", "", "");
  if (session->fault == RAW_NO_SDP)
    return respond (session, "200 OK", "", "");
  gsize length = session->fault == RAW_LYING_CONTENT_LENGTH ? 999999999 : strlen (body);
  g_autofree char *headers = g_strdup_printf ("Content-Type: application/sdp\r\nContent-Length: %zu\r\n", length);
  return respond (session, "200 OK", headers, body);
}

/* FALSE when the client has gone or has ended the session; what else it says meanwhile is left unread. */
static gboolean wait_for_frame (Session *session)
{
  char text[512];
  if (!g_socket_condition_timed_wait (session->socket, G_IO_IN | G_IO_HUP, FRAME_US, session->camera->ended, NULL))
    return !g_cancellable_is_cancelled (session->camera->ended);
  gssize count = g_socket_receive (session->socket, text, sizeof text - 1, session->camera->ended, NULL);
  if (count <= 0)
    return FALSE;
  text[count] = '\0';
  return strstr (text, "TEARDOWN") == NULL;
}

static gboolean send_frame (Session *session, RawPackets *packets)
{
  g_autoptr (GByteArray) bytes = raw_packets_frame (packets, session->fault);
  return send_bytes (session, bytes->data, bytes->len);
}

/* Closing it then sends RST, and what waits in its buffers is lost. */
static void reset_at_close (Session *session)
{
  const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
  setsockopt (g_socket_get_fd (session->socket), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* FALSE when the session is over. */
static gboolean send_next (Session *session, RawPackets *packets, int frame)
{
  gboolean ends = session->fault == RAW_CLOSES_AFTER_PLAY || session->fault == RAW_RESETS;
  if (ends && frame == FRAMES_BEFORE_CLOSE)
    return FALSE;
  return session->fault == RAW_STALLS && frame >= FRAMES_BEFORE_STALL ? TRUE : send_frame (session, packets);
}

static void play (Session *session)
{
  RawPackets packets = { 0 };
  if (session->fault == RAW_EARLY_RTP)
    for (int frame = 0; frame < 3; frame++)
      if (!send_frame (session, &packets))
        return;
  if (!respond (session, "200 OK", "Session: 12345678\r\nRange: npt=0.000-\r\n", ""))
    return;
  if (session->fault == RAW_RESETS)
    reset_at_close (session);
  for (int frame = 0; send_next (session, &packets, frame) && wait_for_frame (session); frame++)
    ;
}

static void stay_silent (Session *session)
{
  char nothing[512];
  while (g_socket_receive (session->socket, nothing, sizeof nothing, session->camera->ended, NULL) > 0)
    ;
}

static void send_endless_header (Session *session)
{
  char chunk[ENDLESS_CHUNK];
  memset (chunk, 'x', sizeof chunk);
  if (!send_bytes (session, "RTSP/1.0 200 OK\r\nX-Long: ", strlen ("RTSP/1.0 200 OK\r\nX-Long: ")))
    return;
  while (send_bytes (session, chunk, sizeof chunk))
    ;
}

static gboolean is_method (const Session *session, const char *method)
{
  return g_str_has_prefix (session->head, method);
}

/* FALSE when the session is over. */
static gboolean answer (Session *session)
{
  static const char garbage[] = "\x16\x03\x01\x02\xff\x00\x00rubbish that is no RTSP\r\n\r\n";
  if (session->fault == RAW_GARBAGE)
    return send_bytes (session, garbage, sizeof garbage - 1);
  if (is_method (session, "OPTIONS"))
    return respond (session, "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", "");
  if (is_method (session, "DESCRIBE"))
    return describe (session);
  if (is_method (session, "SETUP"))
    return respond (session, "200 OK",
                    "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 12345678;timeout=60\r\n", "");
  if (is_method (session, "PLAY")) {
    play (session);
    return FALSE;
  }
  return respond (session, "200 OK", "", "") && !is_method (session, "TEARDOWN");
}

static void serve (Session *session)
{
  if (session->fault == RAW_SILENT)
    stay_silent (session);
  while (read_request (session)) {
    if (session->fault == RAW_ENDLESS_HEADER)
      send_endless_header (session);
    else if (!answer (session))
      return;
  }
}

static void count_connections (RawCamera *camera, int change)
{
  g_mutex_lock (&camera->mutex);
  camera->connections += (guint) change;
  g_cond_signal (&camera->idle);
  g_mutex_unlock (&camera->mutex);
}

static gboolean client_came (GThreadedSocketService *service, GSocketConnection *connection, GObject *source,
                             gpointer data)
{
  (void) service, (void) source;
  RawCamera *camera = data;
  count_connections (camera, +1);
  Session *session = g_new0 (Session, 1);
  session->camera = camera;
  session->socket = g_socket_connection_get_socket (connection);
  session->fault = (RawFault) camera->script->raw_fault;
  say ("camera %s: 客户端接入 / a client came", camera->script->id);
  serve (session);
  say ("camera %s: 客户端离开 / a client left", camera->script->id);
  g_free (session);
  g_io_stream_close (G_IO_STREAM (connection), NULL, NULL);
  count_connections (camera, -1);
  return TRUE;
}

RawCamera *raw_camera_new (const CameraScript *script, GError **error)
{
  RawCamera *camera = g_new0 (RawCamera, 1);
  camera->script = script;
  camera->ended = g_cancellable_new ();
  g_mutex_init (&camera->mutex);
  g_cond_init (&camera->idle);
  camera->service = g_threaded_socket_service_new (CONNECTIONS_MAX);
  g_autoptr (GError) cause = NULL;
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) wanted = g_inet_socket_address_new (loopback, (guint16) script->port), bound = NULL;
  g_signal_connect (camera->service, "run", G_CALLBACK (client_came), camera);
  if (!g_socket_listener_add_address (G_SOCKET_LISTENER (camera->service), wanted, G_SOCKET_TYPE_STREAM,
                                      G_SOCKET_PROTOCOL_TCP, NULL, &bound, &cause)) {
    error_set (error, ERROR_RECONFIGURE, "camera %s: port %d can't be listened on: %s", script->id, script->port,
               cause->message);
    raw_camera_free (camera);
    return NULL;
  }
  camera->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  return camera;
}

int raw_camera_port (const RawCamera *camera)
{
  return camera->port;
}

void raw_camera_free (RawCamera *camera)
{
  if (camera == NULL)
    return;
  g_socket_service_stop (camera->service);
  g_socket_listener_close (G_SOCKET_LISTENER (camera->service));
  g_cancellable_cancel (camera->ended);
  g_mutex_lock (&camera->mutex);
  while (camera->connections > 0)
    g_cond_wait (&camera->idle, &camera->mutex);
  g_mutex_unlock (&camera->mutex);
  g_object_unref (camera->service);
  g_object_unref (camera->ended);
  g_mutex_clear (&camera->mutex);
  g_cond_clear (&camera->idle);
  g_free (camera);
}
