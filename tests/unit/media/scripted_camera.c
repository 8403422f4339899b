#include "tests/unit/media/scripted_camera.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/rtsp/digest.h"

struct ScriptedCamera {
  CameraScript script;
  GThread *thread;
  int listen_fd, stop_fd;
  guint16 port;
  GMutex mutex;
  GString *log; /* "OPTIONS DESCRIBE …" */
};

static const char default_sdp[] = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                                  "a=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n";

/* Key frame of 640x360: SPS, PPS, IDR with marker. */
static const guint8 sps[] = { 0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01,
                              0x00, 0x00, 0x03, 0x00, 0x32, 0x0f, 0x16, 0x2e, 0x48 };
static const guint8 pps[] = { 0x68, 0xcb, 0x83, 0xcb, 0x20 };
static const guint8 idr[] = { 0x65, 0x88, 0x84, 0x00 };
static const guint8 slice[] = { 0x41, 0x9a, 0x02, 0x03 };

static void send_all (int fd, const void *bytes, gsize size)
{
  if (send (fd, bytes, size, MSG_NOSIGNAL) != (gssize) size)
    g_test_message ("the connection is gone");
}

static void send_packet (const ScriptedCamera *camera, int fd, guint16 sequence, guint frame, gboolean marker,
                         const guint8 *nal, gsize nal_size)
{
  guint32 timestamp = frame * 3600;
  gsize size = 12 + nal_size;
  guint8 bytes[64] = { '$', camera->script.channel, (guint8) (size >> 8), (guint8) size, 0x80, marker ? 0xe0 : 0x60,
                       (guint8) (sequence >> 8), (guint8) sequence, (guint8) (timestamp >> 24), (guint8) (timestamp >> 16),
                       (guint8) (timestamp >> 8), (guint8) timestamp, 9, 9, 9, 9 };
  memcpy (bytes + 16, nal, nal_size);
  send_all (fd, bytes, 16 + nal_size);
}

static void send_frames (const ScriptedCamera *camera, int fd)
{
  guint16 sequence = 0;
  for (guint frame = 0; frame < camera->script.frames; frame++) {
    if (frame > 0) {
      send_packet (camera, fd, sequence++, frame, TRUE, slice, sizeof slice);
      continue;
    }
    send_packet (camera, fd, sequence++, frame, FALSE, sps, sizeof sps);
    send_packet (camera, fd, sequence++, frame, FALSE, pps, sizeof pps);
    send_packet (camera, fd, sequence++, frame, TRUE, idr, sizeof idr);
  }
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

static void answer (const ScriptedCamera *camera, int fd, const GstRTSPMessage *request, int status, const char *headers,
                    const char *body)
{
  g_autofree char *text = g_strdup_printf ("RTSP/1.0 %d X\r\nCSeq: %s\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                                           rtsp_message_header (request, GST_RTSP_HDR_CSEQ), headers, strlen (body), body);
  (void) camera;
  send_all (fd, text, strlen (text));
}

/* A slow camera is the behaviour that is tested: nothing tells when it will be done. */
static void think (const ScriptedCamera *camera, guint milliseconds)
{
  struct pollfd stop = { camera->stop_fd, POLLIN, 0 };
  if (milliseconds > 0)
    poll (&stop, 1, (int) milliseconds);
}

static void answer_setup (const ScriptedCamera *camera, int fd, const GstRTSPMessage *request)
{
  gboolean is_first = strstr (request->type_data.request.uri, "trackID=0") != NULL;
  if (camera->script.refuses_audio && !is_first) {
    answer (camera, fd, request, 461, "", "");
    return;
  }
  g_autofree char *headers = g_strdup_printf ("Session: abc; timeout=%u\r\nTransport: RTP/AVP/TCP; unicast; interleaved=%u-%u\r\n",
                                              camera->script.session_timeout != 0 ? camera->script.session_timeout : 30,
                                              camera->script.channel, camera->script.channel + 1);
  answer (camera, fd, request, 200, headers, "");
}

static void handle (const ScriptedCamera *camera, int fd, GstRTSPMessage *request)
{
  const CameraScript *script = &camera->script;
  GstRTSPMethod method = request->type_data.request.method;
  if (script->raw_answer != NULL) {
    send_all (fd, script->raw_answer, strlen (script->raw_answer));
  } else if (method != GST_RTSP_OPTIONS && !is_admitted (camera, request, gst_rtsp_method_as_text (method))) {
    answer (camera, fd, request, 401,
            script->asks_sha256 ? "WWW-Authenticate: Digest realm=\"cam\", nonce=\"nonce1\", algorithm=SHA-256, qop=\"auth\"\r\n"
                                : "WWW-Authenticate: Digest realm=\"cam\", nonce=\"nonce1\"\r\n", "");
  } else if (method == GST_RTSP_OPTIONS) {
    answer (camera, fd, request, 200, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", "");
  } else if (method == GST_RTSP_DESCRIBE) {
    think (camera, script->describes_after_ms);
    answer (camera, fd, request, 200, "Content-Type: application/sdp\r\n", script->sdp != NULL ? script->sdp : default_sdp);
  } else if (method == GST_RTSP_SETUP) {
    answer_setup (camera, fd, request);
  } else if (method == GST_RTSP_PLAY) {
    if (script->sends_before_answer)
      send_frames (camera, fd);
    answer (camera, fd, request, 200, "", "");
    think (camera, script->plays_after_ms);
    if (!script->sends_before_answer)
      send_frames (camera, fd);
  } else {
    answer (camera, fd, request, 200, "", "");
  }
}

static void note (ScriptedCamera *camera, const GstRTSPMessage *request)
{
  g_mutex_lock (&camera->mutex);
  g_string_append_printf (camera->log, "%s ", gst_rtsp_method_as_text (request->type_data.request.method));
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

static void serve (ScriptedCamera *camera, int fd)
{
  guint8 input[16384];
  gsize filled = 0;
  while (wait_readable (camera, fd)) {
    gssize size = recv (fd, input + filled, sizeof input - filled, 0);
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
    handle (camera, fd, request);
    if (request->type_data.request.method == GST_RTSP_PLAY && camera->script.closes_at_the_end)
      return;
  }
}

static gpointer run (gpointer data)
{
  ScriptedCamera *camera = data;
  while (wait_readable (camera, camera->listen_fd)) {
    int fd = accept (camera->listen_fd, NULL, NULL);
    if (fd < 0)
      continue;
    serve (camera, fd);
    close (fd);
  }
  return NULL;
}

ScriptedCamera *scripted_camera_new (const CameraScript *script)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  ScriptedCamera *camera = g_new0 (ScriptedCamera, 1);
  camera->script = *script;
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
  return g_strdup_printf ("rtsp://127.0.0.1:%u/stream1", camera->port);
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
  g_string_free (camera->log, TRUE);
  g_mutex_clear (&camera->mutex);
  g_free (camera);
}
