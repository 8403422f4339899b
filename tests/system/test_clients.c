/* Cameras and viewers that we did not write: GStreamer's RTSP server over files of ffmpeg's; ffprobe, ffmpeg and rtspsrc. */
#include <string.h>

#include "tests/support/test.h"
#include "tests/system/file_cameras.h"

static Process *ffprobe_start (Township *township, const char *camera)
{
  g_autofree char *url = township_rtsp_url (township, camera);
  return process_start (township->folder, (const char *[]){ "ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-read_intervals", "%+10",
                                                            "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames", "-of",
                                                            "csv=p=0", url, NULL });
}

static void ffprobe_described (Process *prober, const char *video, const char *audio)
{
  g_autofree char *said = client_end (prober, "ffprobe", 30);
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
  FileCameras *cameras = *state;
  Process *first = ffprobe_start (cameras->township, "h264"), *second = ffprobe_start (cameras->township, "h265");
  ffprobe_described (first, "h264", "aac");
  ffprobe_described (second, "hevc", "pcm_alaw");
}

static void ffmpeg_plays_ten_seconds_without_a_missing_frame (void **state)
{
  ffmpeg_plays_both (*state, "tcp");
}

static void rtspsrc_plays_ten_seconds (void **state)
{
  gstreamer_plays_both (*state, "tcp");
}

static void a_token_in_the_address_opens_and_a_wrong_one_does_not (void **state)
{
  Township *township = ((FileCameras *) *state)->township;
  g_autofree char *token = township_token (township, "h264", "live");
  g_autofree char *right = g_strdup_printf ("rtsp://127.0.0.1:%d/live/h264?token=%s", township->rtsp_port, token);
  g_autofree char *wrong = g_strdup_printf ("rtsp://127.0.0.1:%d/live/h264?token=%sx", township->rtsp_port, token);
  g_autofree char *none = g_strdup_printf ("rtsp://127.0.0.1:%d/live/h264", township->rtsp_port);
  g_free (client_run (township, 30, (const char *[]){ "ffprobe", "-v", "error", "-rtsp_transport", "tcp", right, NULL }));
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
  return cmocka_run_group_tests (tests, file_cameras_setup, file_cameras_teardown);
}
