#include "tests/unit/media/scripted_camera.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/rtsp/digest.h"

/* One client. */
typedef struct {
  int fd;
  SSL *ssl;                /* NULL: plain */
  int rtp_fd, rtcp_fd;     /* -1: not by UDP */
} Peer;

struct ScriptedCamera {
  CameraScript script;
  GThread *thread;
  int listen_fd, stop_fd;
  guint16 port;
  GMutex mutex;
  GString *log; /* "OPTIONS DESCRIBE …" */
  char *urls[32]; /* the last of each method, by its bit */
  guint connections, reports;
  SSL_CTX *tls;
};

static const char default_sdp[] = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                                  "a=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n";

/* Key frame of 640x360: SPS, PPS, IDR with marker. */
static const guint8 sps[] = { 0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01,
                              0x00, 0x00, 0x03, 0x00, 0x32, 0x0f, 0x16, 0x2e, 0x48 };
static const guint8 pps[] = { 0x68, 0xcb, 0x83, 0xcb, 0x20 };
static const guint8 idr[] = { 0x65, 0x88, 0x84, 0x00 };
static const guint8 goodbye[] = { 0x81, 203, 0, 1, 9, 9, 9, 9 }; /* the SSRC of its packets */
static const guint8 slice[] = { 0x41, 0x9a, 0x02, 0x03 };

static void send_all (const Peer *peer, const void *bytes, gsize size)
{
  gssize sent = peer->ssl != NULL ? SSL_write (peer->ssl, bytes, (int) size) : send (peer->fd, bytes, size, MSG_NOSIGNAL);
  if (sent != (gssize) size)
    g_test_message ("the connection is gone");
}

static void send_packet (const ScriptedCamera *camera, Peer *peer, guint16 sequence, guint frame, gboolean marker,
                         const guint8 *nal, gsize nal_size)
{
  guint32 timestamp = frame * 3600;
  gsize size = 12 + nal_size;
  guint8 bytes[64] = { '$', camera->script.channel, (guint8) (size >> 8), (guint8) size, 0x80, marker ? 0xe0 : 0x60,
                       (guint8) (sequence >> 8), (guint8) sequence, (guint8) (timestamp >> 24), (guint8) (timestamp >> 16),
                       (guint8) (timestamp >> 8), (guint8) timestamp, 9, 9, 9, 9 };
  memcpy (bytes + 16, nal, nal_size);
  if (peer->rtp_fd >= 0)
    send (peer->rtp_fd, bytes + 4, size, MSG_NOSIGNAL);
  else
    send_all (peer, bytes, 16 + nal_size);
}

static void send_frames (const ScriptedCamera *camera, Peer *peer)
{
  guint16 sequence = 0;
  for (guint frame = 0; frame < camera->script.frames; frame++) {
    if (frame > 0) {
      send_packet (camera, peer, sequence++, frame, TRUE, slice, sizeof slice);
      continue;
    }
    send_packet (camera, peer, sequence++, frame, FALSE, sps, sizeof sps);
    send_packet (camera, peer, sequence++, frame, FALSE, pps, sizeof pps);
    send_packet (camera, peer, sequence++, frame, TRUE, idr, sizeof idr);
  }
  if (camera->script.says_goodbye)
    send (peer->rtcp_fd, goodbye, sizeof goodbye, MSG_NOSIGNAL);
}

static gboolean is_admitted (const ScriptedCamera *camera, GstRTSPMessage *request, const char *method)
{
  DigestAnswer answer;
  if (camera->script.username == NULL)
    return TRUE;
  if (!digest_answer_read (request, &answer))
    return FALSE;
  DigestInput input = { camera->script.asks_sha256 ? DIGEST_SHA256 : DIGEST_MD5, answer.username, answer.realm,
                        camera->script.password, answer.nonce, answer.uri, method, answer.qop, answer.nc, answer.cnonce };
  g_autofree char *expected = digest_response (&input);
  gboolean fits = strcmp (expected, answer.response) == 0 && strcmp (answer.nonce, "nonce1") == 0;
  digest_answer_clear (&answer);
  return fits;
}

static void answer (const ScriptedCamera *camera, Peer *peer, const GstRTSPMessage *request, int status, const char *headers,
                    const char *body)
{
  const char *sequence = camera->script.sequence != NULL ? camera->script.sequence : rtsp_message_header (request, GST_RTSP_HDR_CSEQ);
  g_autofree char *text = NULL;
  if (camera->script.has_odd_lines) {
    g_auto (GStrv) lines = g_strsplit (headers, "\r\n", -1);
    g_autofree char *joined = g_strjoinv ("\n", lines);
    text = g_strdup_printf ("RTSP/1.0 %d\ncseq: %s\n%scontent-length:%zu\n\n%s", status, sequence, joined, strlen (body), body);
  } else {
    text = g_strdup_printf ("RTSP/1.0 %d X\r\nCSeq: %s\r\n%sContent-Length: %zu\r\n\r\n%s", status, sequence, headers,
                            body[0] == '\0' ? 0 : strlen (body) - (gsize) (gssize) camera->script.body_is_longer_by, body);
  }
  send_all (peer, text, strlen (text));
}

/* A slow camera is the behaviour that is tested: nothing tells when it will be done. */
static void think (const ScriptedCamera *camera, guint milliseconds)
{
  struct pollfd stop = { camera->stop_fd, POLLIN, 0 };
  if (milliseconds > 0)
    poll (&stop, 1, (int) milliseconds);
}

static guint16 bound_port (int fd)
{
  struct sockaddr_in address = { 0 };
  socklen_t size = sizeof address;
  getsockname (fd, (struct sockaddr *) &address, &size);
  return ntohs (address.sin_port);
}

static int open_udp (int client_port)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (bind (fd, (struct sockaddr *) &address, sizeof address) != 0)
    return -1;
  address.sin_port = htons ((guint16) client_port);
  return connect (fd, (struct sockaddr *) &address, sizeof address) == 0 ? fd : -1;
}

static void answer_udp_setup (const ScriptedCamera *camera, Peer *peer, const GstRTSPMessage *request, const char *ports)
{
  if (camera->script.refuses_udp) {
    answer (camera, peer, request, 461, "", "");
    return;
  }
  int client_port = atoi (ports);
  peer->rtp_fd = open_udp (client_port);
  peer->rtcp_fd = open_udp (client_port + 1);
  const char *source = camera->script.source;
  g_autofree char *headers
    = g_strdup_printf ("Session: abc\r\nTransport: RTP/AVP;unicast;client_port=%d-%d;server_port=%u-%u%s%s\r\n", client_port,
                       client_port + 1, bound_port (peer->rtp_fd), bound_port (peer->rtcp_fd), source != NULL ? ";source=" : "",
                       source != NULL ? source : "");
  answer (camera, peer, request, 200, g_strcmp0 (source, "-") == 0 ? "Session: abc\r\n" : headers, "");
}

static void answer_setup (const ScriptedCamera *camera, Peer *peer, const GstRTSPMessage *request)
{
  gboolean is_first = strstr (request->type_data.request.uri, "trackID=0") != NULL;
  if (camera->script.refuses_audio && !is_first) {
    answer (camera, peer, request, 461, "", "");
    return;
  }
  const char *asked = rtsp_message_header (request, GST_RTSP_HDR_TRANSPORT);
  const char *ports = asked != NULL ? strstr (asked, "client_port=") : NULL;
  if (ports != NULL && (camera->script.serves_udp || camera->script.refuses_udp)) {
    answer_udp_setup (camera, peer, request, ports + strlen ("client_port="));
    return;
  }
  if (camera->script.transport != NULL) {
    g_autofree char *given = g_strdup_printf ("Session: abc\r\nTransport: %s\r\n", camera->script.transport);
    answer (camera, peer, request, 200, given, "");
    return;
  }
  g_autofree char *headers = g_strdup_printf ("Session: abc; timeout=%u\r\nTransport: RTP/AVP/TCP; unicast; interleaved=%u-%u\r\n",
                                              camera->script.session_timeout != 0 ? camera->script.session_timeout : 30,
                                              camera->script.channel, camera->script.channel + 1);
  answer (camera, peer, request, 200, headers, "");
}

static void handle (const ScriptedCamera *camera, Peer *peer, GstRTSPMessage *request)
{
  const CameraScript *script = &camera->script;
  GstRTSPMethod method = request->type_data.request.method;
  if (script->raw_answer != NULL) {
    send_all (peer, script->raw_answer, strlen (script->raw_answer));
  } else if (script->refuses != NULL && strcmp (script->refuses, gst_rtsp_method_as_text (method)) == 0) {
    answer (camera, peer, request, 501, "", "");
  } else if (script->redirects_to != NULL && method == GST_RTSP_DESCRIBE && camera->connections <= script->redirects) {
    g_autofree char *location = g_strdup_printf ("Location: %s\r\n", script->redirects_to);
    answer (camera, peer, request, 302, location, "");
  } else if (script->challenge != NULL && method == GST_RTSP_DESCRIBE) {
    g_autofree char *challenge = g_strdup_printf ("WWW-Authenticate: %s\r\n", script->challenge);
    answer (camera, peer, request, 401, challenge, "");
  } else if (method != GST_RTSP_OPTIONS && !is_admitted (camera, request, gst_rtsp_method_as_text (method))) {
    answer (camera, peer, request, 401,
            script->asks_sha256 ? "WWW-Authenticate: Digest realm=\"cam\", nonce=\"nonce1\", algorithm=SHA-256, qop=\"auth\"\r\n"
                                : "WWW-Authenticate: Digest realm=\"cam\", nonce=\"nonce1\"\r\n", "");
  } else if (method == GST_RTSP_OPTIONS) {
    g_autofree char *offers = g_strdup_printf ("Public: %s\r\n", script->offers != NULL ? script->offers : "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN");
    answer (camera, peer, request, 200, offers, "");
  } else if (method == GST_RTSP_DESCRIBE) {
    think (camera, script->describes_after_ms);
    answer (camera, peer, request, 200, "Content-Type: application/sdp\r\n", script->sdp != NULL ? script->sdp : default_sdp);
  } else if (method == GST_RTSP_SETUP) {
    answer_setup (camera, peer, request);
  } else if (method == GST_RTSP_PLAY) {
    if (script->sends_before_answer)
      send_frames (camera, peer);
    answer (camera, peer, request, 200, "", "");
    think (camera, script->plays_after_ms);
    if (!script->sends_before_answer)
      send_frames (camera, peer);
  } else {
    answer (camera, peer, request, 200, "", "");
  }
}

static void note (ScriptedCamera *camera, const GstRTSPMessage *request)
{
  g_mutex_lock (&camera->mutex);
  g_string_append_printf (camera->log, "%s ", gst_rtsp_method_as_text (request->type_data.request.method));
  char **url = &camera->urls[g_bit_nth_lsf (request->type_data.request.method, -1)];
  g_free (*url);
  *url = g_strdup (request->type_data.request.uri);
  g_mutex_unlock (&camera->mutex);
}

/* FALSE when the camera is to stop. */
static gboolean wait_readable (const ScriptedCamera *camera, int fd)
{
  struct pollfd fds[] = { { fd, POLLIN, 0 }, { camera->stop_fd, POLLIN, 0 } };
  while (poll (fds, 2, -1) < 0)
    ;
  return fds[1].revents == 0;
}

static void serve (ScriptedCamera *camera, Peer *peer)
{
  guint8 input[16384];
  gsize filled = 0;
  while ((peer->ssl != NULL && SSL_has_pending (peer->ssl)) || wait_readable (camera, peer->fd)) {
    gssize size = peer->ssl != NULL ? SSL_read (peer->ssl, input + filled, (int) (sizeof input - filled))
                                    : recv (peer->fd, input + filled, sizeof input - filled, 0);
    if (size <= 0)
      return;
    filled += (gsize) size;
    g_autoptr (GstRTSPMessage) request = NULL;
    gsize used;
    if (rtsp_message_parse (input, filled, 0, &request, &used, NULL) != RTSP_WHOLE || request == NULL)
      continue;
    filled -= used;
    memmove (input, input + used, filled);
    note (camera, request);
    if (camera->script.ignores_keep_alive && request->type_data.request.method == GST_RTSP_OPTIONS
        && scripted_camera_requests (camera, "PLAY") > 0)
      continue;
    handle (camera, peer, request);
    if (request->type_data.request.method == GST_RTSP_PLAY && camera->script.closes_at_the_end)
      return;
  }
}

/* What came back by UDP while it played. */
static void count_reports (ScriptedCamera *camera, const Peer *peer)
{
  guint8 bytes[2048];
  if (peer->rtcp_fd < 0)
    return;
  g_mutex_lock (&camera->mutex);
  while (recv (peer->rtcp_fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
    camera->reports += bytes[1] == 201;
  g_mutex_unlock (&camera->mutex);
}

static void serve_client (ScriptedCamera *camera, int fd)
{
  Peer peer = { fd, camera->tls != NULL ? SSL_new (camera->tls) : NULL, -1, -1 };
  if (peer.ssl != NULL)
    SSL_set_fd (peer.ssl, fd);
  if (peer.ssl == NULL || SSL_accept (peer.ssl) == 1)
    serve (camera, &peer);
  count_reports (camera, &peer);
  SSL_free (peer.ssl);
  close (fd);
  if (peer.rtp_fd >= 0)
    close (peer.rtp_fd);
  if (peer.rtcp_fd >= 0)
    close (peer.rtcp_fd);
}

static void open_tls (ScriptedCamera *camera)
{
  camera->tls = SSL_CTX_new (TLS_server_method ());
  g_assert (SSL_CTX_use_certificate_chain_file (camera->tls, camera->script.cert_file) == 1);
  g_assert (SSL_CTX_use_PrivateKey_file (camera->tls, camera->script.key_file, SSL_FILETYPE_PEM) == 1);
}

static gpointer run (gpointer data)
{
  ScriptedCamera *camera = data;
  while (wait_readable (camera, camera->listen_fd)) {
    int fd = accept (camera->listen_fd, NULL, NULL);
    if (fd < 0)
      continue;
    camera->connections++;
    serve_client (camera, fd);
  }
  return NULL;
}

ScriptedCamera *scripted_camera_new (const CameraScript *script)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  ScriptedCamera *camera = g_new0 (ScriptedCamera, 1);
  camera->script = *script;
  if (script->cert_file != NULL)
    open_tls (camera);
  camera->log = g_string_new (NULL);
  g_mutex_init (&camera->mutex);
  camera->stop_fd = eventfd (0, EFD_CLOEXEC);
  camera->listen_fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert (bind (camera->listen_fd, (struct sockaddr *) &address, sizeof address) == 0);
  g_assert (listen (camera->listen_fd, 4) == 0);
  getsockname (camera->listen_fd, (struct sockaddr *) &address, &size);
  camera->port = ntohs (address.sin_port);
  camera->thread = g_thread_new ("camera", run, camera);
  return camera;
}

char *scripted_camera_url (const ScriptedCamera *camera)
{
  return g_strdup_printf ("rtsp%s://127.0.0.1:%u/stream1", camera->tls != NULL ? "s" : "", camera->port);
}

guint16 scripted_camera_port (const ScriptedCamera *camera)
{
  return camera->port;
}

char *scripted_camera_last (ScriptedCamera *camera, const char *method)
{
  g_mutex_lock (&camera->mutex);
  char *url = g_strdup (camera->urls[g_bit_nth_lsf (gst_rtsp_find_method (method), -1)]);
  g_mutex_unlock (&camera->mutex);
  return url;
}

guint scripted_camera_reports (ScriptedCamera *camera)
{
  g_mutex_lock (&camera->mutex);
  guint reports = camera->reports;
  g_mutex_unlock (&camera->mutex);
  return reports;
}

guint scripted_camera_requests (ScriptedCamera *camera, const char *method)
{
  guint count = 0;
  g_mutex_lock (&camera->mutex);
  for (const char *found = strstr (camera->log->str, method); found != NULL; found = strstr (found + 1, method))
    count++;
  g_mutex_unlock (&camera->mutex);
  return count;
}

void scripted_camera_free (ScriptedCamera *camera)
{
  if (camera == NULL)
    return;
  guint64 one = 1;
  (void) !write (camera->stop_fd, &one, sizeof one);
  g_thread_join (camera->thread);
  close (camera->listen_fd);
  close (camera->stop_fd);
  for (guint i = 0; i < G_N_ELEMENTS (camera->urls); i++)
    g_free (camera->urls[i]);
  SSL_CTX_free (camera->tls);
  g_string_free (camera->log, TRUE);
  g_mutex_clear (&camera->mutex);
  g_free (camera);
}
