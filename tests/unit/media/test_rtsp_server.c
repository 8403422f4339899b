#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "pipelines/rtsp/rtsp_server.h"
#include "tests/support/test.h"
#include "tests/unit/media/scripted_camera.h"

enum { LOOPS = 2, CROWD = 200 };

typedef struct {
  Loop *loops[LOOPS];
  Resolver *resolver;
  Directory *directory;
  RtspServer *server;
  ScriptedCamera *camera;
  CameraSettings settings;
  Stream *stream;
  CameraSource *source;
  gint verdict; /* what gridgate would say */
  gint started, ended;
  GMutex mutex;
  char *asked;       /* "METHOD camera stream token username" of the last question */
  char *viewer;      /* of the last one that started */
  char *end_reason;
} Bench;

typedef struct {
  int fd;
  guint sequence;
  char input[64 * 1024];
  gsize filled;
} Client;

/* ---- gridgate's part ---- */

static void ask (const RtspAsk *question, Loop *loop, RtspVerdict verdict, gpointer verdict_data, gpointer data)
{
  Bench *bench = data;
  (void) loop;
  g_mutex_lock (&bench->mutex);
  g_free (bench->asked);
  bench->asked = g_strdup_printf ("%s %s %s %s %s", question->method, question->camera, question->stream,
                                  question->token != NULL ? question->token : "-",
                                  question->answer != NULL ? question->answer->username : "-");
  g_mutex_unlock (&bench->mutex);
  verdict (g_atomic_int_get (&bench->verdict), 0, verdict_data);
}

static void on_viewer_started (const char *viewer, Stream *stream, gint64 at_us, gpointer data)
{
  assert_in_range (at_us, 1, g_get_real_time ());
  (void) stream;
  Bench *bench = data;
  g_mutex_lock (&bench->mutex);
  g_free (bench->viewer);
  bench->viewer = g_strdup (viewer);
  g_mutex_unlock (&bench->mutex);
  g_atomic_int_inc (&bench->started);
}

static void on_viewer_ended (const char *viewer, guint64 sent_bytes, const char *reason, gpointer data)
{
  (void) viewer, (void) sent_bytes;
  Bench *bench = data;
  g_mutex_lock (&bench->mutex);
  g_free (bench->end_reason);
  bench->end_reason = g_strdup (reason);
  g_mutex_unlock (&bench->mutex);
  g_atomic_int_inc (&bench->ended);
}

static void assert_asked (Bench *bench, const char *expected)
{
  g_mutex_lock (&bench->mutex);
  assert_string_equal (bench->asked, expected);
  g_mutex_unlock (&bench->mutex);
}

/* ---- the site: one camera, on the second loop ---- */

static void on_changed (CameraSource *source, gpointer data)
{
  (void) source, (void) data;
}

static void open_stream (gpointer data)
{
  Bench *bench = data;
  bench->stream = stream_new (bench->loops[1], "bridge", "main");
  bench->source = camera_source_new (bench->stream, &bench->settings, bench->resolver, on_changed, bench);
  DirectoryEntry entry = { bench->loops[1], bench->stream, bench->source };
  directory_put (bench->directory, &entry);
}

static void close_stream (gpointer data)
{
  Bench *bench = data;
  rtsp_server_end_stream (bench->server, bench->stream, "camera removed");
  directory_remove (bench->directory, bench->stream);
  camera_source_free (bench->source);
  g_clear_pointer (&bench->stream, stream_free);
}

static int setup (void **state)
{
  static const RtspServerHandlers handlers = { ask, on_viewer_started, on_viewer_ended };
  Bench *bench = *state = g_new0 (Bench, 1);
  g_mutex_init (&bench->mutex);
  bench->verdict = 200;
  for (guint i = 0; i < LOOPS; i++)
    bench->loops[i] = loop_new (NULL);
  bench->resolver = resolver_new ();
  bench->directory = directory_new ();
  bench->server = rtsp_server_new (bench->loops, LOOPS, bench->directory, &handlers, bench);
  bench->camera = scripted_camera_new (&(CameraScript){ .frames = 3 });
  bench->settings.url = scripted_camera_url (bench->camera);
  loop_call (bench->loops[1], open_stream, bench);
  return rtsp_server_listen (bench->server, "127.0.0.1:0", NULL) ? 0 : -1;
}

static int teardown (void **state)
{
  Bench *bench = *state;
  if (bench->stream != NULL)
    loop_call (bench->loops[1], close_stream, bench);
  rtsp_server_stop (bench->server);
  resolver_free (bench->resolver);
  for (guint i = 0; i < LOOPS; i++)
    loop_free (bench->loops[i]); /* asserts that all blocks came back */
  rtsp_server_free (bench->server);
  directory_free (bench->directory);
  scripted_camera_free (bench->camera);
  camera_settings_clear (&bench->settings);
  g_free (bench->asked);
  g_free (bench->viewer);
  g_free (bench->end_reason);
  g_free (bench);
  return 0;
}

/* ---- a client ---- */

static void client_open (Client *client, Bench *bench)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons (rtsp_server_port (bench->server)),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct timeval watchdog = { .tv_sec = 20 };
  *client = (Client){ .fd = socket (AF_INET, SOCK_STREAM, 0) };
  setsockopt (client->fd, SOL_SOCKET, SO_RCVTIMEO, &watchdog, sizeof watchdog);
  assert_int_equal (connect (client->fd, (struct sockaddr *) &address, sizeof address), 0);
}

static void say (Client *client, const char *text)
{
  assert_int_equal (send (client->fd, text, strlen (text), MSG_NOSIGNAL), strlen (text));
}

static void request (Client *client, const char *method, const char *path, const char *headers)
{
  g_autofree char *text = g_strdup_printf ("%s rtsp://127.0.0.1%s RTSP/1.0\r\nCSeq: %u\r\n%s\r\n", method, path,
                                           ++client->sequence, headers);
  say (client, text);
}

/* FALSE when the server has closed. */
static gboolean receive (Client *client)
{
  gssize size = recv (client->fd, client->input + client->filled, sizeof client->input - client->filled - 1, 0);
  if (size <= 0)
    return FALSE;
  client->filled += (gsize) size;
  client->input[client->filled] = '\0';
  return TRUE;
}

static void drop_input (Client *client, gsize size)
{
  client->filled -= size;
  memmove (client->input, client->input + size, client->filled + 1);
}

/* The next answer, with packets before it left out; g_free. NULL when the server has closed. */
static char *next_answer (Client *client)
{
  for (;;) {
    while (client->filled >= 4 && client->input[0] == '$') {
      gsize size = 4 + ((gsize) (guint8) client->input[2] << 8 | (guint8) client->input[3]);
      if (size > client->filled)
        break;
      drop_input (client, size);
    }
    char *end = client->filled > 0 && client->input[0] == 'R' ? strstr (client->input, "\r\n\r\n") : NULL;
    if (end != NULL) {
      char *length = strstr (client->input, "Content-Length: ");
      gsize body = length != NULL && length < end ? (gsize) atoi (length + 16) : 0;
      gsize size = (gsize) (end - client->input) + 4 + body;
      if (size <= client->filled) {
        char *answer = g_strndup (client->input, size);
        drop_input (client, size);
        return answer;
      }
    }
    if (!receive (client))
      return NULL;
  }
}

static void assert_answer (Client *client, int status, const char *contains)
{
  g_autofree char *answer = next_answer (client);
  assert_non_null (answer);
  if (atoi (answer + 9) != status || (contains != NULL && strstr (answer, contains) == NULL))
    fail_msg ("expected %d with %s, got %s", status, contains != NULL ? contains : "", answer);
}

static void assert_closed (Client *client)
{
  assert_null (next_answer (client));
  close (client->fd);
}

#define TRANSPORT "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"

static void play (Client *client)
{
  request (client, "DESCRIBE", "/live/bridge", "");
  assert_answer (client, 200, "m=video");
  request (client, "SETUP", "/live/bridge/trackID=0", TRANSPORT);
  assert_answer (client, 200, "interleaved=0-1");
  request (client, "PLAY", "/live/bridge", "");
  assert_answer (client, 200, "RTP-Info: url=rtsp://127.0.0.1/live/bridge/trackID=0;seq=");
}

/* The next media packet; the client keeps what follows. */
static void assert_next_packet (Client *client, guint8 channel, guint8 nal)
{
  while (client->filled < 17)
    assert_true (receive (client));
  assert_int_equal (client->input[0], '$');
  assert_int_equal (client->input[1], channel);
  assert_int_equal ((guint8) client->input[16], nal);
  drop_input (client, 4 + ((gsize) (guint8) client->input[2] << 8 | (guint8) client->input[3]));
}

static void nothing (gpointer data)
{
  (void) data;
}

/* ---- what must hold ---- */

typedef struct {
  Bench *bench;
  guint *count;
} Present;

static void visit (const char *viewer, gint64 at_us, gpointer data)
{
  Present *present = data;
  assert_string_equal (viewer, present->bench->viewer);
  assert_in_range (at_us, 1, g_get_real_time ());
  ++*present->count;
}

static void count_present (gpointer data)
{
  Present *present = data;
  rtsp_server_each_viewer (present->bench->server, present->bench->stream, visit, present);
}

static void a_viewer_starts_at_the_kept_key_frame (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  play (&client);
  assert_asked (bench, "SETUP bridge main - -");
  assert_next_packet (&client, 0, 0x67);
  assert_next_packet (&client, 0, 0x68);
  assert_next_packet (&client, 0, 0x65);
  assert_next_packet (&client, 0, 0x41);
  request (&client, "GET_PARAMETER", "/live/bridge", "");
  assert_answer (&client, 200, "Session:");
  guint present = 0;
  Present count = { bench, &present };
  loop_call (bench->loops[1], count_present, &count);
  assert_int_equal (present, 1);
  request (&client, "TEARDOWN", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  assert_int_equal (bench->started, 1);
  loop_call (bench->loops[1], count_present, &count);
  assert_int_equal (present, 1);
  assert_int_equal (bench->ended, 1);
  close (client.fd);
}

/* The camera's description has no parameter sets: they come in-band, and DESCRIBE waits for them. */
static void the_description_has_the_parameter_sets (void **state)
{
  Client client;
  client_open (&client, *state);
  request (&client, "DESCRIBE", "/live/bridge", "");
  assert_answer (&client, 200, "sprop-parameter-sets=Z0LAHtkAoC/5cBEAAAMAAQAAAwAyDxYuSA==,aMuDyyA=");
  close (client.fd);
}

static void other_channels_get_a_copy_of_their_own (void **state)
{
  Client client;
  client_open (&client, *state);
  request (&client, "DESCRIBE", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  request (&client, "SETUP", "/live/bridge/trackID=0",
           "Transport: RTP/AVP;unicast;client_port=1-2, RTP/AVP/TCP; unicast; interleaved=6-7\r\n");
  assert_answer (&client, 200, "interleaved=6-7");
  request (&client, "PLAY", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  assert_next_packet (&client, 6, 0x67);
  close (client.fd);
}

/* ---- UDP ---- */

typedef struct {
  int fd;
  guint16 port;
} UdpClient;

static UdpClient udp_client_open (void)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct timeval watchdog = { .tv_sec = 20 };
  socklen_t size = sizeof address;
  UdpClient client = { .fd = socket (AF_INET, SOCK_DGRAM, 0) };
  setsockopt (client.fd, SOL_SOCKET, SO_RCVTIMEO, &watchdog, sizeof watchdog);
  assert_int_equal (bind (client.fd, (struct sockaddr *) &address, sizeof address), 0);
  assert_int_equal (getsockname (client.fd, (struct sockaddr *) &address, &size), 0);
  client.port = ntohs (address.sin_port);
  return client;
}

/* The next datagram is an RTP packet of this NAL type, from `port`. */
static void assert_next_datagram (const UdpClient *client, guint16 port, guint8 nal)
{
  guint8 packet[2048];
  struct sockaddr_in from;
  socklen_t from_size = sizeof from;
  assert_in_range (recvfrom (client->fd, packet, sizeof packet, 0, (struct sockaddr *) &from, &from_size), 13, sizeof packet);
  assert_int_equal (packet[0], 0x80);
  assert_int_equal (packet[12], nal);
  assert_int_equal (ntohs (from.sin_port), port);
}

static void set_up_udp (Client *client, const UdpClient *rtp, const UdpClient *rtcp, const char *more)
{
  g_autofree char *transport = g_strdup_printf ("Transport: RTP/AVP;unicast;client_port=%u-%u%s\r\n", rtp->port, rtcp->port, more);
  request (client, "DESCRIBE", "/live/bridge", "");
  assert_answer (client, 200, NULL);
  request (client, "SETUP", "/live/bridge/trackID=0", transport);
}

static void a_viewer_over_udp_gets_packets_from_the_ports_it_was_told (void **state)
{
  Bench *bench = *state;
  UdpClient rtp = udp_client_open (), rtcp = udp_client_open ();
  Client client;
  assert_true (rtsp_server_open_udp (bench->server, 0, NULL));
  client_open (&client, bench);
  set_up_udp (&client, &rtp, &rtcp, ";destination=192.0.2.1"); /* nobody is flooded that doesn't ask himself */
  g_autofree char *answer = next_answer (&client);
  const char *server_port = strstr (answer, ";source=127.0.0.1;server_port=");
  assert_non_null (server_port);
  assert_non_null (strstr (answer, ";ssrc="));
  assert_null (strstr (answer, "destination"));
  guint16 port = (guint16) atoi (server_port + strlen (";source=127.0.0.1;server_port="));
  assert_int_equal (port % 2, 0);
  request (&client, "PLAY", "/live/bridge", "");
  assert_answer (&client, 200, "RTP-Info: url=");
  assert_next_datagram (&rtp, port, 0x67);
  assert_next_datagram (&rtp, port, 0x68);
  assert_next_datagram (&rtp, port, 0x65);
  assert_next_datagram (&rtp, port, 0x41);
  request (&client, "TEARDOWN", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  assert_int_equal (bench->ended, 1);
  close (client.fd);
  close (rtp.fd);
  close (rtcp.fd);
}

static void a_viewer_over_udp_ends_with_its_connection (void **state)
{
  Bench *bench = *state;
  UdpClient rtp = udp_client_open (), rtcp = udp_client_open ();
  Client client;
  assert_true (rtsp_server_open_udp (bench->server, 0, NULL));
  client_open (&client, bench);
  set_up_udp (&client, &rtp, &rtcp, "");
  assert_answer (&client, 200, "server_port=");
  request (&client, "PLAY", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  assert_true (rtsp_server_open_udp (bench->server, 0, NULL)); /* it goes on with the old ports */
  close (client.fd);
  gint64 start_us = g_get_monotonic_time ();
  while (g_atomic_int_get (&bench->ended) == 0 && g_get_monotonic_time () - start_us < 20 * G_USEC_PER_SEC)
    loop_call (bench->loops[1], nothing, NULL);
  assert_int_equal (bench->ended, 1);
  close (rtp.fd);
  close (rtcp.fd);
}

static void tracks_of_one_session_go_one_way (void **state)
{
  Bench *bench = *state;
  UdpClient rtp = udp_client_open (), rtcp = udp_client_open ();
  Client client;
  client_open (&client, bench);
  set_up_udp (&client, &rtp, &rtcp, "");
  assert_answer (&client, 461, NULL); /* the ports are not open */
  assert_true (rtsp_server_open_udp (bench->server, 0, NULL));
  set_up_udp (&client, &rtp, &rtcp, "");
  assert_answer (&client, 200, NULL);
  request (&client, "SETUP", "/live/bridge/trackID=0", TRANSPORT);
  assert_answer (&client, 461, NULL);
  close (client.fd);
  close (rtp.fd);
  close (rtcp.fd);
}

static void whoever_is_not_admitted_is_told_why (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  bench->verdict = 401;
  request (&client, "DESCRIBE", "/live/bridge?token=abc", "");
  assert_answer (&client, 401, "algorithm=SHA-256");
  assert_asked (bench, "DESCRIBE bridge main abc -");
  bench->verdict = 403;
  request (&client, "DESCRIBE", "/live/bridge/sub", "");
  assert_answer (&client, 403, NULL);
  assert_asked (bench, "DESCRIBE bridge sub - -");
  bench->verdict = 503;
  request (&client, "DESCRIBE", "/live/bridge", "");
  assert_answer (&client, 503, NULL);
  bench->verdict = 200;
  request (&client, "DESCRIBE", "/live/bridge/sub", "");
  assert_answer (&client, 404, NULL);
  request (&client, "DESCRIBE", "/live/other", "");
  assert_answer (&client, 404, NULL);
  request (&client, "DESCRIBE", "/other", "");
  assert_answer (&client, 404, NULL);
  close (client.fd);
}

static char *nonce_of (Client *client)
{
  g_autofree char *answer = next_answer (client);
  const char *nonce = strstr (answer, "nonce=\"");
  assert_non_null (nonce);
  return g_strndup (nonce + 7, 32);
}

static void ask_with (Client *client, const char *nonce, const char *camera, const char *more)
{
  g_autofree char *header = g_strdup_printf ("Authorization: Digest username=\"t\", realm=\"gridgate\", nonce=\"%s\","
                                             " uri=\"rtsp://127.0.0.1/live/%s\", response=\"00\"%s\r\n",
                                             nonce, camera, more);
  request (client, "DESCRIBE", "/live/bridge", header);
}

static void an_answer_is_for_one_camera_and_with_qop_for_one_request (void **state)
{
  static const char *const first = ", qop=auth, nc=00000001, cnonce=\"c\"";
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  bench->verdict = 401;
  request (&client, "DESCRIBE", "/live/bridge", "");
  g_autofree char *nonce = nonce_of (&client);
  ask_with (&client, nonce, "other", "");
  assert_answer (&client, 400, NULL);
  bench->verdict = 200;
  ask_with (&client, nonce, "bridge", first);
  assert_answer (&client, 200, "m=video");
  ask_with (&client, nonce, "bridge", first);
  g_autofree char *fresh = nonce_of (&client); /* a 401 with another one */
  assert_string_not_equal (nonce, fresh);
  ask_with (&client, nonce, "bridge", ", qop=auth, nc=00000002, cnonce=\"c\"");
  assert_answer (&client, 401, "stale=true");
  close (client.fd);
}

static void an_answer_to_another_nonce_is_stale_and_not_asked (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  request (&client, "DESCRIBE", "/live/bridge",
           "Authorization: Digest username=\"t\", realm=\"gridgate\", nonce=\"old\", uri=\"rtsp://127.0.0.1/live/bridge\", response=\"00\"\r\n");
  assert_answer (&client, 401, "stale=true");
  assert_null (bench->asked);
  close (client.fd);
}

static void the_login_is_put_to_gridgate (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  bench->verdict = 401;
  request (&client, "DESCRIBE", "/live/bridge", "");
  g_autofree char *answer = next_answer (&client);
  char *nonce = strstr (answer, "nonce=\"") + 7;
  nonce[32] = '\0';
  bench->verdict = 200;
  g_autofree char *login = g_strdup_printf (
    "Authorization: Digest username=\"t1\", realm=\"gridgate\", nonce=\"%s\", uri=\"rtsp://127.0.0.1/live/bridge\", response=\"00\"\r\n", nonce);
  request (&client, "DESCRIBE", "/live/bridge", login);
  assert_answer (&client, 200, NULL);
  assert_asked (bench, "DESCRIBE bridge main - t1");
  close (client.fd);
}

static void what_is_not_offered_is_refused (void **state)
{
  Client client;
  client_open (&client, *state);
  request (&client, "OPTIONS", "/", "");
  assert_answer (&client, 200, "Public: OPTIONS, DESCRIBE, SETUP, PLAY");
  request (&client, "DESCRIBE", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  request (&client, "SETUP", "/live/bridge/trackID=0", "Transport: RTP/AVP;multicast\r\n");
  assert_answer (&client, 461, NULL);
  request (&client, "SETUP", "/live/bridge/trackID=9", TRANSPORT);
  assert_answer (&client, 404, NULL);
  request (&client, "PLAY", "/live/bridge", "");
  assert_answer (&client, 454, NULL);
  request (&client, "PLAY", "/live/bridge", "Session: made-up\r\n");
  assert_answer (&client, 454, NULL);
  request (&client, "PAUSE", "/live/bridge", "");
  assert_answer (&client, 455, NULL);
  request (&client, "ANNOUNCE", "/live/bridge", "");
  assert_answer (&client, 501, NULL);
  request (&client, "DESCRIBE", "/live/bridge", "Require: implicit-play\r\n");
  assert_answer (&client, 551, NULL);
  say (&client, "OPTIONS * RTSP/1.0\r\n\r\n");
  assert_answer (&client, 400, NULL);
  close (client.fd);
}

static void what_is_no_rtsp_is_told_once_and_closed (void **state)
{
  Client client;
  client_open (&client, *state);
  say (&client, "GET / HTTP/1.1\r\n\r\n");
  assert_answer (&client, 400, NULL);
  assert_closed (&client);
  client_open (&client, *state);
  say (&client, "\x16\x03\x01 hello");
  assert_answer (&client, 400, NULL);
  assert_closed (&client);
}

static void reports_of_the_client_are_passed_over (void **state)
{
  Client client;
  client_open (&client, *state);
  static const char bytes[] = "$\001\0\010\x80\xc9\0\001abcdOPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\n$\001\0\010ab";
  assert_int_equal (send (client.fd, bytes, sizeof bytes - 1, MSG_NOSIGNAL), sizeof bytes - 1);
  assert_answer (&client, 200, "CSeq: 9");
  close (client.fd);
}

static void requests_may_come_in_one_piece (void **state)
{
  Client client;
  client_open (&client, *state);
  say (&client, "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\nDESCRIBE rtsp://h/live/bridge RTSP/1.0\r\nCSeq: 2\r\n\r\n"
                "SETUP rtsp://h/live/bridge/trackID=0 RTSP/1.0\r\nCSeq: 3\r\n" TRANSPORT "\r\n"
                "PLAY rtsp://h/live/bridge RTSP/1.0\r\nCSeq: 4\r\n\r\n");
  assert_answer (&client, 200, "CSeq: 1");
  assert_answer (&client, 200, "CSeq: 2");
  assert_answer (&client, 200, "CSeq: 3");
  assert_answer (&client, 200, "CSeq: 4");
  assert_next_packet (&client, 0, 0x67);
  close (client.fd);
}

static void a_viewer_that_gridgate_ends_is_closed (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  play (&client);
  rtsp_server_end_viewer (bench->server, bench->viewer, "grant ended");
  assert_closed (&client);
  assert_string_equal (bench->end_reason, "grant ended");
}

static void a_removed_camera_ends_its_viewers (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  play (&client);
  loop_call (bench->loops[1], close_stream, bench);
  assert_closed (&client);
  assert_string_equal (bench->end_reason, "camera removed");
}

static void no_more_viewers_are_taken_than_set (void **state)
{
  Bench *bench = *state;
  Client client, other;
  rtsp_server_set_viewers_max (bench->server, 1);
  client_open (&client, bench);
  play (&client);
  client_open (&other, bench);
  request (&other, "SETUP", "/live/bridge/trackID=0", TRANSPORT);
  assert_answer (&other, 453, NULL);
  rtsp_server_set_viewers_max (bench->server, 2);
  request (&other, "SETUP", "/live/bridge/trackID=0", TRANSPORT);
  assert_answer (&other, 200, NULL);
  close (client.fd);
  close (other.fd);
}

static void a_crowd_that_leaves_at_once_does_no_harm (void **state)
{
  Bench *bench = *state;
  g_autofree Client *clients = g_new (Client, CROWD);
  for (guint i = 0; i < CROWD; i++) {
    client_open (&clients[i], bench);
    play (&clients[i]);
  }
  assert_int_equal (bench->started, CROWD);
  for (guint i = 0; i < CROWD; i++)
    close (clients[i].fd);
  loop_call (bench->loops[1], close_stream, bench); /* some are found closed, the others are closed here */
  assert_int_equal (bench->ended, CROWD);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_viewer_starts_at_the_kept_key_frame, setup, teardown),
    cmocka_unit_test_setup_teardown (the_description_has_the_parameter_sets, setup, teardown),
    cmocka_unit_test_setup_teardown (other_channels_get_a_copy_of_their_own, setup, teardown),
    cmocka_unit_test_setup_teardown (a_viewer_over_udp_gets_packets_from_the_ports_it_was_told, setup, teardown),
    cmocka_unit_test_setup_teardown (a_viewer_over_udp_ends_with_its_connection, setup, teardown),
    cmocka_unit_test_setup_teardown (tracks_of_one_session_go_one_way, setup, teardown),
    cmocka_unit_test_setup_teardown (no_more_viewers_are_taken_than_set, setup, teardown),
    cmocka_unit_test_setup_teardown (whoever_is_not_admitted_is_told_why, setup, teardown),
    cmocka_unit_test_setup_teardown (an_answer_is_for_one_camera_and_with_qop_for_one_request, setup, teardown),
    cmocka_unit_test_setup_teardown (an_answer_to_another_nonce_is_stale_and_not_asked, setup, teardown),
    cmocka_unit_test_setup_teardown (the_login_is_put_to_gridgate, setup, teardown),
    cmocka_unit_test_setup_teardown (what_is_not_offered_is_refused, setup, teardown),
    cmocka_unit_test_setup_teardown (what_is_no_rtsp_is_told_once_and_closed, setup, teardown),
    cmocka_unit_test_setup_teardown (reports_of_the_client_are_passed_over, setup, teardown),
    cmocka_unit_test_setup_teardown (requests_may_come_in_one_piece, setup, teardown),
    cmocka_unit_test_setup_teardown (a_viewer_that_gridgate_ends_is_closed, setup, teardown),
    cmocka_unit_test_setup_teardown (a_removed_camera_ends_its_viewers, setup, teardown),
    cmocka_unit_test_setup_teardown (a_crowd_that_leaves_at_once_does_no_harm, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
