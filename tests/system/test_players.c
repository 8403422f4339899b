/* Players that we did not write, ffmpeg and GStreamer, over UDP and RTSPS; test_clients has them over TCP, and test_vlc what
 * Debian's VLC can. */
#include <gio/gio.h>
#include <signal.h>

#include "tests/support/certificate.h"
#include "tests/support/test.h"
#include "tests/system/file_cameras.h"

enum { RELOAD_S = 20 };

typedef struct {
  FileCameras *cameras;
  Township *township;
  int tls_port;
} Players;

static void make_certificate (Players *players)
{
  g_free (certificate_make (players->township->folder, "rtsp", &(CertificateForm){ .host = "127.0.0.1" }));
}

static void reload (Players *players)
{
  kill (process_pid (players->township->gateway), SIGHUP);
}

/* RTSPS comes with a reload of the running gateway. */
static int players_setup (void **state)
{
  Players *players = *state = g_new0 (Players, 1);
  players->cameras = file_cameras_new ("files.yaml");
  Township *township = players->township = players->cameras->township;
  players->tls_port = port_free ();
  make_certificate (players);
  g_autofree char *plain = g_strdup_printf ("rtsp: {listen: \"127.0.0.1:%d\"}", township->rtsp_port);
  g_autofree char *secure = g_strdup_printf ("rtsp: {listen: \"127.0.0.1:%d\", tls_listen: \"127.0.0.1:%d\", cert_file: %s/rtsp.pem, "
                                             "key_file: %s/rtsp.key}", township->rtsp_port, players->tls_port, township->folder,
                                             township->folder);
  township_edit_site (township, plain, secure);
  reload (players);
  port_wait (players->tls_port, RELOAD_S);
  return 0;
}

static int players_teardown (void **state)
{
  Players *players = *state;
  file_cameras_teardown ((void **) &players->cameras);
  g_free (players);
  return 0;
}

/* ---- UDP ---- */

static void ffmpeg_plays_over_udp (void **state)
{
  ffmpeg_plays_both (((Players *) *state)->cameras, "udp");
}

static void rtspsrc_plays_over_udp (void **state)
{
  gstreamer_plays_both (((Players *) *state)->cameras, "udp");
}

/* ---- RTSPS ---- */

static void ffmpeg_and_rtspsrc_play_over_tls (void **state)
{
  Players *players = *state;
  Township *township = players->township;
  g_autofree char *h264 = g_strdup_printf ("rtsps://%s:%s@127.0.0.1:%d/live/h264", township->token_id, township->token_secret,
                                           players->tls_port);
  g_autofree char *h265 = g_strdup_printf ("rtsps://127.0.0.1:%d/live/h265", players->tls_port);
  Process *first = ffmpeg_start (township, h264, "tcp"), *second = gstreamer_start (township, h265, "tcp", "rtph265depay");
  ffmpeg_played (first);
  gstreamer_played (second);
}

static gboolean accept_any (GTlsConnection *connection, GTlsCertificate *certificate, GTlsCertificateFlags flags, gpointer data)
{
  (void) connection, (void) certificate, (void) flags, (void) data;
  return TRUE;
}

static void on_event (GSocketClient *client, GSocketClientEvent event, GSocketConnectable *connectable, GIOStream *stream, gpointer data)
{
  (void) client, (void) connectable, (void) data;
  if (event == G_SOCKET_CLIENT_TLS_HANDSHAKING)
    g_signal_connect (stream, "accept-certificate", G_CALLBACK (accept_any), NULL);
}

/* The one that RTSPS shows now is the one in the file. */
static gboolean shows_certificate_of_file (gpointer data)
{
  Players *players = data;
  g_autofree char *path = certificate_path (players->township->folder, "rtsp", "pem");
  g_autoptr (GTlsCertificate) expected = g_tls_certificate_new_from_file (path, NULL);
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_socket_client_set_tls (client, TRUE);
  g_signal_connect (client, "event", G_CALLBACK (on_event), NULL);
  g_autoptr (GSocketConnection) connection = g_socket_client_connect_to_host (client, "127.0.0.1", (guint16) players->tls_port, NULL, NULL);
  if (connection == NULL)
    return FALSE;
  GIOStream *tls = g_tcp_wrapper_connection_get_base_io_stream (G_TCP_WRAPPER_CONNECTION (connection));
  return g_tls_certificate_is_same (g_tls_connection_get_peer_certificate (G_TLS_CONNECTION (tls)), expected);
}

static void a_reload_takes_a_renewed_certificate (void **state)
{
  Players *players = *state;
  assert_true (shows_certificate_of_file (players));
  make_certificate (players);
  assert_false (shows_certificate_of_file (players));
  reload (players);
  assert_true (wait_until (shows_certificate_of_file, players, RELOAD_S));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (ffmpeg_plays_over_udp),
    cmocka_unit_test (rtspsrc_plays_over_udp),
    cmocka_unit_test (ffmpeg_and_rtspsrc_play_over_tls),
    cmocka_unit_test (a_reload_takes_a_renewed_certificate),
  };
  return cmocka_run_group_tests (tests, players_setup, players_teardown);
}
