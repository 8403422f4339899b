/* Recordings over RTSP, with ffmpeg, GStreamer and a client by hand on the other side: what is recorded arrives, all of it. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/playback/rtsp_playback.h"
#include "tests/support/folder.h"
#include "tests/support/process.h"
#include "tests/unit/media/rtsp_bench.h"
#include "tests/unit/playback/recordings.h"

enum { SECONDS = 2, PICTURES = 25 * SECONDS, WAIT_S = 60, LARGE_BYTES = 600 * 1000 };

typedef struct {
  void *folder;
  Bench *bench;
  FeedPool *pool;
  RtspPlaybacks *playbacks;
} Fixture;

static char *data_dir_of (gpointer data)
{
  return g_strdup (data);
}

static int setup (void **state)
{
  Fixture *fixture = *state = g_new0 (Fixture, 1);
  folder_setup (&fixture->folder);
  rtsp_bench_setup ((void **) &fixture->bench);
  fixture->pool = feed_pool_new (NULL);
  fixture->playbacks = rtsp_playbacks_new (fixture->pool, data_dir_of, fixture->folder);
  rtsp_server_set_recordings (fixture->bench->server, rtsp_playbacks_recordings (fixture->playbacks));
  return rtsp_server_open_udp (fixture->bench->server, 0, NULL) ? 0 : -1;
}

static int teardown (void **state)
{
  Fixture *fixture = *state;
  rtsp_server_stop (fixture->bench->server);
  feed_pool_free (fixture->pool);
  for (guint i = 0; i < LOOPS; i++)
    loop_call (fixture->bench->loops[i], rtsp_bench_turn, NULL); /* what was read last is handed over, to nobody */
  rtsp_bench_teardown ((void **) &fixture->bench);
  rtsp_playbacks_free (fixture->playbacks);
  folder_teardown (&fixture->folder);
  g_free (fixture);
  return 0;
}

static char *url_of (const Fixture *fixture)
{
  return g_strdup_printf ("rtsp://127.0.0.1:%u/playback/bridge?from=2026-05-01T08:00:00Z", rtsp_server_port (fixture->bench->server));
}

/* ---- ffmpeg and GStreamer ---- */

static Process *start_rtspsrc (const Fixture *fixture)
{
  g_autofree char *url = url_of (fixture), *location = g_strconcat ("location=", url, NULL);
  g_autofree char *file = g_strdup_printf ("location=%s/out.h264", (const char *) fixture->folder);
  return process_start (fixture->folder,
                        (const char *[]){ "gst-launch-1.0", "-q", "rtspsrc", location, "protocols=udp", "latency=500", "!",
                                          "application/x-rtp,media=video", "!", "rtph264depay", "!", "h264parse", "!",
                                          "video/x-h264,stream-format=byte-stream", "!", "filesink", file, NULL });
}

static guint frames_of (const Fixture *fixture, const char *what, const char *transport)
{
  char *said = NULL;
  int status = process_run (fixture->folder, WAIT_S, &said,
                            (const char *[]){ "ffprobe", "-v", "error", transport != NULL ? "-rtsp_transport" : "-f",
                                              transport != NULL ? transport : "h264", "-count_frames", "-select_streams", "v",
                                              "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", what, NULL });
  guint64 frames = g_ascii_strtoull (said, NULL, 10);
  if (status != 0 || frames == 0)
    fail_msg ("ffprobe of %s: %s", what, said);
  g_free (said);
  return (guint) frames;
}

static GPtrArray *sample_units (guint seconds)
{
  SampleStream *sample = sample_stream_make ("libx264 -g 25 -bf 0 -preset ultrafast", SAMPLE_AAC, seconds, recordings_start_us);
  GPtrArray *units = sample_stream_units (sample);
  sample_stream_free (sample);
  return units;
}

static void every_recorded_picture_arrives_over_udp (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GPtrArray) units = sample_units (SECONDS);
  recordings_add (fixture->folder, units, recordings_start_us, 60 * G_USEC_PER_SEC);
  g_autoptr (Process) gstreamer = start_rtspsrc (fixture);
  g_autofree char *url = url_of (fixture), *file = g_build_filename (fixture->folder, "out.h264", NULL);
  assert_int_equal (frames_of (fixture, url, "udp"), PICTURES);
  int status = process_wait (gstreamer, WAIT_S);
  g_autofree char *said = process_output (gstreamer);
  if (status != 0 || strstr (said, "ERROR") != NULL)
    fail_msg ("rtspsrc: %s", said);
  assert_int_equal (frames_of (fixture, file, NULL), PICTURES);
}

/* Times of pictures, as ffmpeg makes them of the sender reports, seconds. */
static GArray *times_of (char *said)
{
  GArray *times = g_array_new (FALSE, FALSE, sizeof (double));
  g_auto (GStrv) lines = g_strsplit (said, "\n", -1);
  for (char **line = lines; *line != NULL; line++) {
    double time = g_ascii_strtod (*line, NULL);
    if (**line != '\0')
      g_array_append_val (times, time);
  }
  return times;
}

/* An hour is missing between two stretches. The pictures behind it come at once; the sender reports say when they are of. */
static void a_gap_is_no_wait_and_times_behind_it_are_right (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GPtrArray) units = sample_units (SECONDS / 2);
  g_autofree char *url = url_of (fixture), *file = g_build_filename (fixture->folder, "out.h264", NULL);
  recordings_add (fixture->folder, units, recordings_start_us, 60 * G_USEC_PER_SEC);
  recordings_add (fixture->folder, units, recordings_start_us + G_TIME_SPAN_HOUR, 60 * G_USEC_PER_SEC);
  g_autoptr (Process) gstreamer = start_rtspsrc (fixture);
  g_autoptr (Process) udp
    = process_start (fixture->folder, (const char *[]){ "ffprobe", "-v", "error", "-rtsp_transport", "udp", "-show_entries",
                                                        "packet=pts_time", "-select_streams", "v", "-of", "csv=p=0", url, NULL });
  assert_int_equal (frames_of (fixture, url, "tcp"), PICTURES);
  assert_int_equal (process_wait (udp, WAIT_S), 0);
  g_autofree char *said = process_output (udp);
  g_autoptr (GArray) times = times_of (said);
  assert_int_equal (times->len, PICTURES);
  for (guint i = 0; i < PICTURES; i++) {
    double expected = (i < PICTURES / 2 ? 0 : 3600) + i % (PICTURES / 2) * 0.04;
    if (ABS (g_array_index (times, double, i) - expected) > 0.005)
      fail_msg ("picture %u at %.3f s instead of %.3f s", i, g_array_index (times, double, i), expected);
  }
  assert_int_equal (process_wait (gstreamer, WAIT_S), 0);
  assert_int_equal (frames_of (fixture, file, NULL), PICTURES);
}

/* ---- by hand ---- */

typedef struct {
  Client client;
  UdpClient rtp, rtcp;
  guint16 first;  /* sequence number that the last PLAY said */
} Viewer;

static void viewer_open (Viewer *viewer, Fixture *fixture)
{
  *viewer = (Viewer){ .rtp = udp_client_open (), .rtcp = udp_client_open () };
  client_open (&viewer->client, fixture->bench);
  g_autofree char *transport
    = g_strdup_printf ("Transport: RTP/AVP;unicast;client_port=%u-%u\r\n", viewer->rtp.port, viewer->rtcp.port);
  request (&viewer->client, "DESCRIBE", "/playback/bridge?from=2026-05-01T08:00:00Z", "");
  assert_answer (&viewer->client, 200, "m=video");
  request (&viewer->client, "SETUP", "/playback/bridge/trackID=0", transport);
  assert_answer (&viewer->client, 200, "server_port=");
}

static void viewer_play (Viewer *viewer, const char *headers, const char *says)
{
  request (&viewer->client, "PLAY", "/playback/bridge", headers);
  g_autofree char *answer = next_answer (&viewer->client);
  if (answer == NULL || strstr (answer, "200 OK") == NULL || strstr (answer, says) == NULL)
    fail_msg ("PLAY with %s: %s", headers, answer);
  viewer->first = (guint16) g_ascii_strtoull (strstr (answer, ";seq=") + 5, NULL, 10);
}

/* The next packet since the last PLAY; 0 when there is none and `waits` is FALSE. */
static gsize viewer_receive (Viewer *viewer, guint8 packet[2048], gboolean waits)
{
  for (;;) {
    gssize size = recv (viewer->rtp.fd, packet, 2048, waits ? 0 : MSG_DONTWAIT);
    if (size <= 0 && !waits)
      return 0;
    assert_true (size > 12);
    if ((gint16) ((guint16) (packet[2] << 8 | packet[3]) - viewer->first) >= 0)
      return (gsize) size;
  }
}

/* Pictures since the last PLAY, up to the BYE; what came before it is there when it is. */
static guint viewer_pictures (Viewer *viewer)
{
  guint8 packet[2048];
  guint pictures = 0;
  gssize size;
  do
    assert_true ((size = recv (viewer->rtcp.fd, packet, sizeof packet, 0)) >= 28 + 20); /* with its CNAME */
  while (packet[size - 7] != 203);
  while (viewer_receive (viewer, packet, FALSE) > 0)
    pictures += packet[1] >> 7;
  return pictures;
}

static void viewer_close (Viewer *viewer)
{
  request (&viewer->client, "TEARDOWN", "/playback/bridge", "");
  assert_answer (&viewer->client, 200, NULL);
  close (viewer->client.fd);
  close (viewer->rtp.fd);
  close (viewer->rtcp.fd);
}

static void a_client_over_udp_pauses_seeks_and_winds (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GPtrArray) units = sample_units (SECONDS);
  recordings_add (fixture->folder, units, recordings_start_us, 60 * G_USEC_PER_SEC);
  Viewer viewer;
  guint8 packet[2048];
  viewer_open (&viewer, fixture);
  viewer_play (&viewer, "Range: npt=0-\r\n", "Range: clock=20260501T080000");
  for (guint pictures = 0; pictures < 5; pictures += packet[1] >> 7)
    viewer_receive (&viewer, packet, TRUE);
  request (&viewer.client, "PAUSE", "/playback/bridge", "");
  assert_answer (&viewer.client, 200, NULL);
  viewer_play (&viewer, "", "Range: clock=2026050"); /* goes on with the key picture before */
  viewer_receive (&viewer, packet, TRUE);
  viewer_play (&viewer, "Range: npt=0-\r\nScale: 16\r\n", "Scale: 16");
  assert_int_equal (viewer_pictures (&viewer), SECONDS); /* the key pictures */
  viewer_close (&viewer);
}

/* Thrice what the socket of a client takes at once: as a burst most of it would be lost. */
static void a_large_picture_is_spread_over_half_of_its_time (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GPtrArray) units = sample_units (SECONDS);
  g_autoptr (GPtrArray) large = recordings_with_large_keys (units, LARGE_BYTES);
  recordings_add (fixture->folder, large, recordings_start_us, 60 * G_USEC_PER_SEC);
  Viewer viewer;
  guint8 packet[2048] = { 0 };
  gsize bytes = 0;
  viewer_open (&viewer, fixture);
  viewer_play (&viewer, "", "Scale: 1");
  gint64 began_us = g_get_monotonic_time ();
  for (; (packet[1] & 0x80) == 0; bytes += viewer_receive (&viewer, packet, TRUE))
    ;
  gint64 took_us = g_get_monotonic_time () - began_us;
  assert_true (bytes > LARGE_BYTES / 2);
  assert_true (took_us > 300 * 1000);
  viewer_close (&viewer);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (every_recorded_picture_arrives_over_udp, setup, teardown),
    cmocka_unit_test_setup_teardown (a_gap_is_no_wait_and_times_behind_it_are_right, setup, teardown),
    cmocka_unit_test_setup_teardown (a_client_over_udp_pauses_seeks_and_winds, setup, teardown),
    cmocka_unit_test_setup_teardown (a_large_picture_is_spread_over_half_of_its_time, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
