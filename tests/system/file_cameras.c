#include "tests/system/file_cameras.h"

#include <string.h>

#include "tests/support/test.h"

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

FileCameras *file_cameras_new (const char *site)
{
  FileCameras *cameras = g_new0 (FileCameras, 1);
  Township *township = cameras->township = township_new (site, NULL);
  make_file (township, "h264.mp4", "libx264", "ultrafast", "aac");
  make_file (township, "h265.mkv", "libx265", "ultrafast", "pcm_alaw");
  cameras->plain = start_server (township, township->camera_ports[0], "h265=%s/h265.mkv:h265+pcma", NULL, FALSE);
  cameras->locked = start_server (township, township->camera_ports[1], "h264=%s/h264.mp4:h264+aac", NULL, TRUE);
  township_wait_camera (township, "h264", "live", 40);
  township_wait_camera (township, "h265", "live", 40);
  return cameras;
}

int file_cameras_setup (void **state)
{
  *state = file_cameras_new ("files.yaml");
  return 0;
}

int file_cameras_teardown (void **state)
{
  FileCameras *cameras = *state;
  township_free (cameras->township);
  process_free (cameras->plain);
  process_free (cameras->locked);
  g_free (cameras);
  return 0;
}

char *client_end (Process *client, const char *name, int seconds)
{
  int status = process_wait (client, seconds);
  char *said = process_output (client);
  process_free (client);
  if (status != 0)
    fail_msg ("%s ended with %d: %s", name, status, said);
  return said;
}

char *client_run (Township *township, int seconds, const char *const *arguments)
{
  return client_end (process_start (township->folder, arguments), arguments[0], seconds);
}

Process *ffmpeg_start (Township *township, const char *url, const char *transport)
{
  return process_start (township->folder, (const char *[]){ "ffmpeg", "-nostdin", "-v", "warning", "-nostats", "-xerror", "-rtsp_transport",
                                                            transport, "-i", url, "-t", "10", "-map", "0:v", "-fps_mode", "passthrough",
                                                            "-f", "framecrc", "-", NULL });
}

void ffmpeg_played (Process *player)
{
  g_autofree char *said = client_end (player, "ffmpeg", 40);
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

void ffmpeg_plays (Township *township, const char *url, const char *transport)
{
  ffmpeg_played (ffmpeg_start (township, url, transport));
}

Process *gstreamer_start (Township *township, const char *location, const char *protocols, const char *depayloader)
{
  g_autofree char *place = g_strdup_printf ("location=%s", location);
  g_autofree char *ways = g_strdup_printf ("protocols=%s", protocols);
  g_autofree char *user = g_strdup_printf ("user-id=%s", township->token_id);
  g_autofree char *password = g_strdup_printf ("user-pw=%s", township->token_secret);
  return process_start (township->folder, (const char *[]){ "gst-launch-1.0", "-q", "rtspsrc", place, user, password, ways, "latency=0",
                                                            "tls-validation-flags=0", "!", "application/x-rtp,media=video", "!",
                                                            depayloader, "!", "decodebin", "!", "identity", "eos-after=250", "!",
                                                            "fakesink", "sync=false", NULL });
}

void gstreamer_played (Process *player)
{
  g_autofree char *said = client_end (player, "gst-launch-1.0", 60);
  assert_null (strstr (said, "ERROR"));
}

void ffmpeg_plays_both (FileCameras *cameras, const char *transport)
{
  g_autofree char *h264 = township_rtsp_url (cameras->township, "h264"), *h265 = township_rtsp_url (cameras->township, "h265");
  Process *first = ffmpeg_start (cameras->township, h264, transport), *second = ffmpeg_start (cameras->township, h265, transport);
  ffmpeg_played (first);
  ffmpeg_played (second);
}

void gstreamer_plays_both (FileCameras *cameras, const char *protocols)
{
  Township *township = cameras->township;
  g_autofree char *h264 = g_strdup_printf ("rtsp://127.0.0.1:%d/live/h264", township->rtsp_port);
  g_autofree char *h265 = g_strdup_printf ("rtsp://127.0.0.1:%d/live/h265", township->rtsp_port);
  Process *first = gstreamer_start (township, h264, protocols, "rtph264depay");
  Process *second = gstreamer_start (township, h265, protocols, "rtph265depay");
  gstreamer_played (first);
  gstreamer_played (second);
}
