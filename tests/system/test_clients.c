/* Cameras and viewers that we did not write: GStreamer's RTSP server over files of ffmpeg's; ffprobe, ffmpeg and rtspsrc. */
#include <string.h>

#include "tests/support/test.h"
#include "tests/support/township.h"

typedef struct {
  Township *township;
  Process *plain, *locked; /* two servers: one with a login */
} Clients;

static void make_file (Township *township, const char *name, const char *encoder, const char *preset, const char *audio)
{
  g_autofree char *path = g_build_filename (township->folder, name, NULL);
  assert_int_equal (
    process_run (township->folder, 120, NULL,
                 (const char *[]){ "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-f", "lavfi", "-i",
                                   "sine=f=440:r=8000", "-t", "120", "-c:v", encoder, "-preset", preset, "-g", "50", "-bf", "0",
                                   "-b:v", "300k", "-x265-params", "log-level=none", "-c:a", audio, "-ac", "1", path, NULL }),
    0);
}

static Process *start_server (Township *township, int port, const char *first, const char *second, gboolean has_login)
{
  g_autofree char *program = built_program ("tests/support/rtsp_file_server");
  g_autofree char *number = g_strdup_printf ("%d", port);
  g_autofree char *one = g_strdup_printf (first, township->folder);
  g_autofree char *other = second != NULL ? g_strdup_printf (second, township->folder) : NULL;
  Process *server = process_start_with (township->folder, (const char *[]){ program, number, one, other, NULL },
                                        (const char *[]){ has_login ? "GRIDGATE_TEST_LOGIN=1" : NULL, NULL });
  g_free (process_wait_for (server, "ready", 20));
  return server;
}

static int clients_setup (void **state)
{
  Clients *clients = *state = g_new0 (Clients, 1);
  Township *township = clients->township = township_new ("files.yaml", NULL);
  make_file (township, "h264.mp4", "libx264", "ultrafast", "aac");
  make_file (township, "h265.mkv", "libx265", "ultrafast", "pcm_alaw");
  clients->plain = start_server (township, township->camera_ports[0], "h265=%s/h265.mkv:h265+pcma", NULL, FALSE);
  clients->locked = start_server (township, township->camera_ports[1], "h264=%s/h264.mp4:h264+aac", NULL, TRUE);
  township_wait_camera (township, "h264", "live", 40);
  township_wait_camera (township, "h265", "live", 40);
  return 0;
}

static int clients_teardown (void **state)
{
  Clients *clients = *state;
  township_free (clients->township);
  process_free (clients->plain);
  process_free (clients->locked);
  g_free (clients);
  return 0;
}

/* The program must end with 0 and say nothing of an error. */
static char *run_client (Township *township, int seconds, const char *const *arguments)
{
  char *said;
  int status = process_run (township->folder, seconds, &said, arguments);
  if (status != 0)
    fail_msg ("%s ended with %d: %s", arguments[0], status, said);
  return said;
}

static void ffprobe_describes (Township *township, const char *camera, const char *video, const char *audio)
{
  g_autofree char *url = township_rtsp_url (township, camera);
  g_autofree char *said = run_client (
    township, 30, (const char *[]){ "ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-read_intervals", "%+10", "-count_frames",
                                    "-show_entries", "stream=codec_name,nb_read_frames", "-of", "csv=p=0", url, NULL });
  g_auto (GStrv) lines = g_strsplit (said, "\n", -1);
  assert_true (g_strv_length (lines) >= 2);
  g_auto (GStrv) first = g_strsplit (lines[0], ",", -1);
  g_auto (GStrv) second = g_strsplit (lines[1], ",", -1);
  assert_string_equal (first[0], video);
  assert_string_equal (second[0], audio);
  assert_in_range (g_ascii_strtoll (first[1], NULL, 10), 240, 320); /* ten seconds of 25 a second, and the kept group */
}

static void ffprobe_reads_ten_seconds_of_both_codecs_with_their_audio (void **state)
{
  Clients *clients = *state;
  ffprobe_describes (clients->township, "h264", "h264", "aac");
  ffprobe_describes (clients->township, "h265", "hevc", "pcm_alaw");
}

static void ffmpeg_plays (Township *township, const char *camera)
{
  g_autofree char *url = township_rtsp_url (township, camera);
  g_autofree char *said = run_client (
    township, 40, (const char *[]){ "ffmpeg", "-v", "warning", "-nostats", "-xerror", "-rtsp_transport", "tcp", "-i", url, "-t", "10",
                                    "-map", "0:v", "-fps_mode", "passthrough", "-f", "framecrc", "-", NULL });
  g_auto (GStrv) lines = g_strsplit (said, "\n", -1);
  guint frames = 0;
  gint64 last = -1, step = 0;
  for (char **line = lines; *line != NULL; line++) {
    g_auto (GStrv) fields = g_strsplit (*line, ",", -1);
    if ((*line)[0] == '#' || g_strv_length (fields) < 6)
      continue;
    gint64 time = g_ascii_strtoll (fields[1], NULL, 10);
    if (last >= 0 && step == 0)
      step = time - last;
    if (last >= 0 && time - last > step * 3 / 2)
      fail_msg ("a frame is missing between %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT, last, time);
    last = time;
    frames++;
  }
  assert_in_range (frames, 245, 255);
  assert_null (strstr (said, "error"));
  assert_null (strstr (said, "missed"));
}

static void ffmpeg_plays_ten_seconds_without_a_missing_frame (void **state)
{
  Clients *clients = *state;
  ffmpeg_plays (clients->township, "h264");
  ffmpeg_plays (clients->township, "h265");
}

static void gstreamer_plays (Township *township, const char *camera, const char *depayloader)
{
  g_autofree char *location = g_strdup_printf ("location=rtsp://127.0.0.1:%d/live/%s", township->rtsp_port, camera);
  g_autofree char *user = g_strdup_printf ("user-id=%s", township->token_id);
  g_autofree char *password = g_strdup_printf ("user-pw=%s", township->token_secret);
  g_autofree char *said = run_client (
    township, 60, (const char *[]){ "gst-launch-1.0", "-q", "rtspsrc", location, user, password, "protocols=tcp", "latency=0", "!",
                                    "application/x-rtp,media=video", "!", depayloader, "!", "decodebin", "!", "identity", "eos-after=250",
                                    "!", "fakesink", "sync=false", NULL });
  assert_null (strstr (said, "ERROR"));
}

static void rtspsrc_plays_ten_seconds (void **state)
{
  Clients *clients = *state;
  gstreamer_plays (clients->township, "h264", "rtph264depay");
  gstreamer_plays (clients->township, "h265", "rtph265depay");
}

static void a_token_in_the_address_opens_and_a_wrong_one_does_not (void **state)
{
  Township *township = ((Clients *) *state)->township;
  json_t *body = json_pack ("{s:[s], s:s}", "cameras", "h264", "for", "live");
  g_autoptr (HttpAnswer) answer = http_client_call (township->http, "POST", "/api/v1/tokens", body);
  json_decref (body);
  assert_true (answer->status == 200 || answer->status == 201);
  const char *token = json_string_value (json_object_get (answer->json, "token"));
  g_autofree char *right = g_strdup_printf ("rtsp://127.0.0.1:%d/live/h264?token=%s", township->rtsp_port, token);
  g_autofree char *wrong = g_strdup_printf ("rtsp://127.0.0.1:%d/live/h264?token=%sx", township->rtsp_port, token);
  g_autofree char *none = g_strdup_printf ("rtsp://127.0.0.1:%d/live/h264", township->rtsp_port);
  g_free (run_client (township, 30, (const char *[]){ "ffprobe", "-v", "error", "-rtsp_transport", "tcp", right, NULL }));
  const char *const refused[] = { wrong, none };
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++) {
    g_autofree char *said = NULL;
    assert_int_not_equal (process_run (township->folder, 30, &said, (const char *[]){ "ffprobe", "-v", "error", "-rtsp_transport",
                                                                                      "tcp", refused[i], NULL }), 0);
    assert_non_null (strstr (said, "401"));
  }
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (ffprobe_reads_ten_seconds_of_both_codecs_with_their_audio),
    cmocka_unit_test (ffmpeg_plays_ten_seconds_without_a_missing_frame),
    cmocka_unit_test (rtspsrc_plays_ten_seconds),
    cmocka_unit_test (a_token_in_the_address_opens_and_a_wrong_one_does_not),
  };
  return cmocka_run_group_tests (tests, clients_setup, clients_teardown);
}
