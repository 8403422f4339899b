#include "tests/unit/media/rtsp_bench.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

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
  g_free (bench->asked_time);
  bench->asked_time
    = g_strdup_printf ("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %s", question->from_us / G_USEC_PER_SEC,
                       question->to_us / G_USEC_PER_SEC, question->reason != NULL ? question->reason : "-");
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

static void on_recording_started (const char *viewer, const char *camera, const char *stream, gint64 at_us, gpointer data)
{
  (void) camera, (void) stream;
  on_viewer_started (viewer, NULL, at_us, data);
}

static void on_viewer_ended (const char *viewer, guint64 sent_bytes, const char *reason, const char *watched, gpointer data)
{
  (void) viewer, (void) sent_bytes;
  Bench *bench = data;
  g_mutex_lock (&bench->mutex);
  g_free (bench->end_reason);
  bench->end_reason = g_strdup (reason);
  g_free (bench->watched);
  bench->watched = g_strdup (watched);
  g_mutex_unlock (&bench->mutex);
  g_atomic_int_inc (&bench->ended);
}

void assert_asked (Bench *bench, const char *expected)
{
  g_mutex_lock (&bench->mutex);
  assert_string_equal (bench->asked, expected);
  g_mutex_unlock (&bench->mutex);
}

void assert_asked_time (Bench *bench, const char *expected)
{
  g_mutex_lock (&bench->mutex);
  assert_string_equal (bench->asked_time, expected);
  g_mutex_unlock (&bench->mutex);
}

void assert_watched (Bench *bench, const char *expected)
{
  g_mutex_lock (&bench->mutex);
  assert_non_null (bench->watched);
  assert_string_equal (bench->watched, expected);
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

void rtsp_bench_close_stream (gpointer data)
{
  Bench *bench = data;
  rtsp_server_end_stream (bench->server, bench->stream, "camera removed");
  directory_remove (bench->directory, bench->stream);
  camera_source_free (bench->source);
  g_clear_pointer (&bench->stream, stream_free);
}

static int bench_start (void **state, Clock *clock)
{
  static const RtspServerHandlers handlers = { ask, on_viewer_started, on_viewer_ended, on_recording_started };
  Bench *bench = *state = g_new0 (Bench, 1);
  g_mutex_init (&bench->mutex);
  bench->verdict = 200;
  bench->clock = clock;
  for (guint i = 0; i < LOOPS; i++)
    bench->loops[i] = clock != NULL ? loop_new_with_clock (clock, NULL) : loop_new (NULL);
  bench->resolver = resolver_new ();
  bench->directory = directory_new ();
  bench->server = rtsp_server_new (bench->loops, LOOPS, bench->directory, &handlers, bench);
  bench->camera = scripted_camera_new (&(CameraScript){ .frames = 3 });
  bench->settings.url = scripted_camera_url (bench->camera);
  loop_call (bench->loops[1], open_stream, bench);
  return rtsp_server_listen (bench->server, "127.0.0.1:0", NULL) ? 0 : -1;
}

int rtsp_bench_setup (void **state)
{
  return bench_start (state, NULL);
}

int rtsp_bench_setup_with_clock (void **state)
{
  return bench_start (state, clock_fake_new (g_get_real_time ()));
}

int rtsp_bench_teardown (void **state)
{
  Bench *bench = *state;
  if (bench->stream != NULL)
    loop_call (bench->loops[1], rtsp_bench_close_stream, bench);
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
  g_free (bench->asked_time);
  g_free (bench->watched);
  if (bench->clock != NULL)
    clock_fake_free (bench->clock);
  g_free (bench);
  return 0;
}

/* ---- a client ---- */

void client_connect (Client *client, guint16 port)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons (port),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct timeval watchdog = { .tv_sec = 20 };
  *client = (Client){ .fd = socket (AF_INET, SOCK_STREAM, 0) };
  setsockopt (client->fd, SOL_SOCKET, SO_RCVTIMEO, &watchdog, sizeof watchdog);
  assert_int_equal (connect (client->fd, (struct sockaddr *) &address, sizeof address), 0);
}

UdpClient udp_client_open (void)
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

void client_open (Client *client, Bench *bench)
{
  client_connect (client, rtsp_server_port (bench->server));
}

void say (Client *client, const char *text)
{
  if (client->tls != NULL)
    assert_int_equal (SSL_write (client->tls, text, (int) strlen (text)), strlen (text));
  else
    assert_int_equal (send (client->fd, text, strlen (text), MSG_NOSIGNAL), strlen (text));
}

void request (Client *client, const char *method, const char *path, const char *headers)
{
  g_autofree char *text = g_strdup_printf ("%s rtsp://127.0.0.1%s RTSP/1.0\r\nCSeq: %u\r\n%s\r\n", method, path,
                                           ++client->sequence, headers);
  say (client, text);
}

gboolean receive (Client *client)
{
  gsize room = sizeof client->input - client->filled - 1;
  gssize size = client->tls != NULL ? SSL_read (client->tls, client->input + client->filled, (int) room)
                                    : recv (client->fd, client->input + client->filled, room, 0);
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

char *next_answer (Client *client)
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

void assert_answer (Client *client, int status, const char *contains)
{
  g_autofree char *answer = next_answer (client);
  assert_non_null (answer);
  if (atoi (answer + 9) != status || (contains != NULL && strstr (answer, contains) == NULL))
    fail_msg ("expected %d with %s, got %s", status, contains != NULL ? contains : "", answer);
}

void assert_closed (Client *client)
{
  assert_null (next_answer (client));
  close (client->fd);
}

void assert_report (Client *client, guint8 channel)
{
  enum { REPORT = 4 + 28 + 20 }; /* a sender report and its CNAME */
  while (client->filled < REPORT)
    assert_true (receive (client));
  assert_int_equal (client->input[0], '$');
  assert_int_equal (client->input[1], channel);
  assert_int_equal ((guint8) client->input[5], 200);
  assert_int_equal ((guint8) client->input[4 + 28 + 1], 202);
  drop_input (client, REPORT);
}

void play (Client *client)
{
  request (client, "DESCRIBE", "/live/bridge", "");
  assert_answer (client, 200, "m=video");
  request (client, "SETUP", "/live/bridge/trackID=0", TRANSPORT);
  assert_answer (client, 200, "interleaved=0-1");
  request (client, "PLAY", "/live/bridge", "");
  assert_answer (client, 200, "RTP-Info: url=rtsp://127.0.0.1/live/bridge/trackID=0;seq=");
  assert_report (client, 1);
}

void assert_next_packet (Client *client, guint8 channel, guint8 nal)
{
  while (client->filled < 17)
    assert_true (receive (client));
  assert_int_equal (client->input[0], '$');
  assert_int_equal (client->input[1], channel);
  assert_int_equal ((guint8) client->input[16], nal);
  drop_input (client, 4 + ((gsize) (guint8) client->input[2] << 8 | (guint8) client->input[3]));
}

void rtsp_bench_turn (gpointer data)
{
  (void) data;
}
