/* Cameras that we did not write, GStreamer's server, by UDP and in TLS, to viewers that we did not write: ffmpeg. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/certificate.h"
#include "tests/support/test.h"
#include "tests/support/udp_relay.h"
#include "tests/system/file_cameras.h"

enum { LIVE_S = 30 };

typedef struct {
  FileCameras *cameras;
  Township *township;
  Process *simulator;
  int sub_port; /* of its camera s3 */
  Process *plain, *secure;
  UdpRelay *relay;
} Transports;

/* Adds a line to the cameras of the running gateway. */
static void add_camera (Transports *transports, const char *line)
{
  g_autofree char *with = g_strdup_printf ("cameras:\n  - %s\n", line);
  township_edit_site (transports->township, "cameras:\n", with);
  kill (process_pid (transports->township->gateway), SIGHUP);
}

static Process *start_server (Township *township, int port, const char *const *environment)
{
  g_autofree char *program = built_program ("tests/support/rtsp_file_server");
  g_autofree char *number = g_strdup_printf ("%d", port);
  g_autofree char *file = g_strdup_printf ("h264=%s/h264.mp4:h264+aac", township->folder);
  Process *server = process_start_with (township->folder, (const char *[]){ program, number, file, NULL }, environment);
  g_free (process_wait_for (server, "ready", 20));
  return server;
}

static int setup (void **state)
{
  Transports *transports = *state = g_new0 (Transports, 1);
  transports->cameras = file_cameras_new ("files.yaml");
  transports->township = transports->cameras->township;
  transports->plain = start_server (transports->township, transports->township->camera_ports[3], (const char *[]){ NULL });
  return 0;
}

static int teardown (void **state)
{
  Transports *transports = *state;
  file_cameras_teardown ((void **) &transports->cameras);
  udp_relay_free (transports->relay);
  process_free (transports->simulator);
  process_free (transports->plain);
  process_free (transports->secure);
  g_free (transports);
  return 0;
}

static void a_camera_by_udp_is_served_without_a_missing_frame (void **state)
{
  Transports *transports = *state;
  Township *township = transports->township;
  g_autofree char *line = g_strdup_printf ("{id: udp, url: \"rtsp://127.0.0.1:%d/h264\", transport: udp}", township->camera_ports[3]);
  add_camera (transports, line);
  township_wait_camera (township, "udp", "live", LIVE_S);
  assert_false (process_has_said (township->gateway, "instead of UDP"));
  g_autofree char *url = township_rtsp_url (township, "udp");
  ffmpeg_plays (township, url, "tcp");
}

static void a_camera_in_tls_is_served_without_a_missing_frame (void **state)
{
  Transports *transports = *state;
  Township *township = transports->township;
  g_autofree char *fingerprint = certificate_make (township->folder, "camera", &(CertificateForm){ .host = "127.0.0.1" });
  g_autofree char *tls = g_strdup_printf ("GRIDGATE_TEST_TLS=%s/camera", township->folder);
  transports->secure = start_server (township, township->camera_ports[2], (const char *[]){ tls, "GRIDGATE_TEST_LOGIN=1", NULL });
  g_autofree char *line
    = g_strdup_printf ("{id: tls, url: \"rtsps://127.0.0.1:%d/h264\", username: viewer, password_file: %s/viewer.password, "
                       "fingerprint: \"%s\"}", township->camera_ports[2], township->folder, fingerprint);
  add_camera (transports, line);
  township_wait_camera (township, "tls", "live", LIVE_S);
  g_autofree char *url = township_rtsp_url (township, "tls");
  ffmpeg_plays (township, url, "tcp");
}

static void a_camera_that_cannot_be_trusted_says_why (void **state)
{
  Transports *transports = *state;
  Township *township = transports->township;
  g_autofree char *line = g_strdup_printf ("{id: distrusted, url: \"rtsps://127.0.0.1:%d/h264\", ca_file: %s/camera.pem}",
                                           township->camera_ports[1], township->folder); /* which speaks no TLS */
  add_camera (transports, line);
  township_wait_camera (township, "distrusted", "failed", LIVE_S);
  assert_true (process_has_said (township->gateway, "doesn't speak TLS"));
}

static void a_viewer_plays_on_through_a_bad_network (void **state)
{
  Transports *transports = *state;
  Township *township = transports->township;
  const UdpRelayHarm harm = { .seed = 7, .spare = 50, .loss = 0.01, .duplicate = 0.02, .reorder = 0.05, .reorder_packets = 3,
                              .reorder_ms = 30 };
  transports->relay = udp_relay_new (0, (guint16) township->camera_ports[0], &harm);
  g_autofree char *line = g_strdup_printf ("{id: bad, url: \"rtsp://127.0.0.1:%u/h265\", transport: udp}",
                                           udp_relay_port (transports->relay));
  add_camera (transports, line);
  township_wait_camera (township, "bad", "live", LIVE_S);
  g_autofree char *url = township_rtsp_url (township, "bad");
  g_autofree char *said = client_run (
    township, 40, (const char *[]){ "ffprobe", "-v", "quiet", "-rtsp_transport", "tcp", "-read_intervals", "%+10", "-count_frames",
                                    "-select_streams", "v", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", url, NULL });
  assert_in_range (g_ascii_strtoll (said, NULL, 10), 150, 320); /* frames that lack a packet may be left out */
  assert_true (udp_relay_counts (transports->relay).lost > 0);
}

static void the_simulators_cameras_do_both (void **state)
{
  Transports *transports = *state;
  Township *township = transports->township;
  g_autofree char *fingerprint = certificate_make (township->folder, "simulated", &(CertificateForm){ .host = "127.0.0.1" });
  g_autofree char *program = built_program ("gridgate-sim");
  g_autofree char *path = g_build_filename (township->folder, "cameras.yaml", NULL);
  transports->sub_port = port_free ();
  g_autofree char *script = g_strdup_printf ("cameras:\n  - {id: s1, port: %d, cert_file: simulated.pem, key_file: simulated.key}\n"
                                             "  - {id: s2, port: %d}\n"
                                             "  - {id: s3, port: %d, sub: {size: 160x90}}\n", township->camera_ports[4],
                                             township->camera_ports[5], transports->sub_port);
  assert_true (g_file_set_contents (path, script, -1, NULL));
  transports->simulator = process_start (township->folder, (const char *[]){ program, path, NULL });
  g_free (process_wait_for (transports->simulator, "ready", 30));
  g_autofree char *lines = g_strdup_printf ("{id: s1, url: \"rtsps://127.0.0.1:%d/s1\", fingerprint: \"%s\"}\n"
                                            "  - {id: s2, url: \"rtsp://127.0.0.1:%d/s2\", transport: udp}",
                                            township->camera_ports[4], fingerprint, township->camera_ports[5]);
  add_camera (transports, lines);
  township_wait_camera (township, "s1", "live", LIVE_S);
  township_wait_camera (township, "s2", "live", LIVE_S);
  assert_false (process_has_said (township->gateway, "instead of UDP"));
}

static gboolean has_lingered (gpointer data)
{
  static const char *const samples[] = {
    "gridgate_camera_transitions_total{camera=\"s3\",stream=\"sub\",state=\"live\"} 1\n",
    "gridgate_camera_transitions_total{camera=\"s3\",stream=\"sub\",state=\"idle\"} 1\n",
    "gridgate_camera_transitions_total{camera=\"s3\",stream=\"main\",state=\"connecting\"} 0\n",
  };
  g_autoptr (HttpAnswer) answer = http_client_call (((Township *) data)->http, "GET", "/metrics", NULL);
  gboolean has_all = answer->status == 200;
  for (gsize i = 0; has_all && i < G_N_ELEMENTS (samples); i++)
    has_all = strstr (answer->body, samples[i]) != NULL;
  return has_all;
}

static void main_and_sub_are_pulled_apart_and_linger (void **state)
{
  Transports *transports = *state;
  Township *township = transports->township;
  g_autofree char *line = g_strdup_printf ("{id: s3, url: \"rtsp://127.0.0.1:%d/s3\", on_demand: true, linger: 1s, "
                                           "streams: {sub: {url: \"rtsp://127.0.0.1:%d/s3/sub\"}}}", transports->sub_port,
                                           transports->sub_port);
  add_camera (transports, line);
  township_wait_camera (township, "s3", "idle", LIVE_S);
  g_autofree char *url = township_rtsp_url (township, "s3/sub");
  g_autofree char *width = client_run (
    township, 40, (const char *[]){ "ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=width", "-of",
                                    "csv=p=0", url, NULL });
  assert_int_equal (atoi (width), 160);
  assert_true (wait_until (has_lingered, township, LIVE_S)); /* statistics come every five seconds */
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_camera_by_udp_is_served_without_a_missing_frame),
    cmocka_unit_test (a_camera_in_tls_is_served_without_a_missing_frame),
    cmocka_unit_test (a_camera_that_cannot_be_trusted_says_why),
    cmocka_unit_test (a_viewer_plays_on_through_a_bad_network),
    cmocka_unit_test (the_simulators_cameras_do_both),
    cmocka_unit_test (main_and_sub_are_pulled_apart_and_linger),
  };
  return cmocka_run_group_tests (tests, setup, teardown);
}
