/* Viewers that read slowly, or nothing, or say nothing, beside one that does it right; and those that are one too many. */
#include <signal.h>
#include <string.h>

#include "tests/support/short_viewer.h"
#include "tests/support/test.h"
#include "tests/support/township.h"

enum {
  PATIENCE_S = 60,
  WATCH_S = 25,                          /* a viewer over RTSP that takes nothing is lost after 15 s, a browser after 10 */
  PACKETS_LEAST = WATCH_S * 25 * 8 / 10,
  LITTLE_ROOM_BYTES = 4096,
  ROOM_BYTES = 64 * 1024,                /* enough to catch up with */
  SILENT_LEAST_US = 55 * G_USEC_PER_SEC, /* of the minute, which began with its last request */
  NAL_IDR = 5,
  NAL_SPS = 7,
};

#define SKIPS "gridgate_viewer_skips_total{camera=\"busy\",stream=\"main\"}"
#define DROPS "gridgate_viewer_drops_total{camera=\"busy\",stream=\"main\"}"
#define REFUSED "gridgate_viewers_refused_total{reason=\"viewers\"}"

typedef struct {
  Township *township;
  char *token;
  ShortViewer *silent; /* over UDP, from the beginning on */
  gint64 silent_since_us;
} Slow;

/* ---- the camera: noise, which no encoder makes small ---- */

static void make_film (Township *township)
{
  g_autofree char *path = g_build_filename (township->folder, "busy.mp4", NULL);
  assert_int_equal (
    process_run (township->folder, 120, NULL,
                 (const char *[]){ "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=25", "-t", "8", "-vf",
                                   "noise=alls=80:allf=t", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25",
                                   "-bf", "0", "-b:v", "16M", "-maxrate", "16M", "-bufsize", "16M", path, NULL }),
    0);
}

static void start_camera (Township *township)
{
  g_autofree char *path = g_build_filename (township->folder, "cameras.yaml", NULL);
  g_autofree char *script
    = g_strdup_printf ("cameras:\n  - {id: busy, port: %d, file: busy.mp4, codec: h264}\n", township->camera_ports[0]);
  g_autofree char *program = built_program ("gridgate-sim");
  assert_true (g_file_set_contents (path, script, -1, NULL));
  township->simulator = process_start (township->folder, (const char *[]){ program, path, NULL });
  g_free (process_wait_for (township->simulator, "ready", PATIENCE_S));
}

static int setup (void **state)
{
  Slow *slow = *state = g_new0 (Slow, 1);
  Township *township = slow->township = township_new ("slow_viewers.yaml", NULL);
  make_film (township);
  start_camera (township);
  township_wait_camera (township, "busy", "live", PATIENCE_S);
  slow->token = township_token (township, "all", "live");
  slow->silent = short_viewer_join_udp (township->rtsp_port, "busy", slow->token);
  slow->silent_since_us = g_get_monotonic_time ();
  return 0;
}

static int teardown (void **state)
{
  Slow *slow = *state;
  township_free (slow->township);
  g_free (slow->token);
  g_free (slow);
  return 0;
}

/* ---- what the gateway counts ---- */

typedef struct {
  Township *township;
  const char *name;
  double at_least;
} Count;

static gboolean has_counted (gpointer data)
{
  const Count *count = data;
  return township_metric (count->township, count->name) >= count->at_least;
}

/* Media tells its counts every five seconds. */
static void wait_for_count (Township *township, const char *name, double at_least)
{
  Count count = { township, name, at_least };
  if (!wait_until (has_counted, &count, PATIENCE_S))
    fail_msg ("%s is %g, not %g", name, township_metric (township, name), at_least);
}

static void whoever_reads_nothing_skips_and_is_dropped_and_the_others_lose_nothing (void **state)
{
  Slow *slow = *state;
  Township *township = slow->township;
  ShortViewer *good = short_viewer_join_rtsp (township->rtsp_port, "busy", slow->token);
  short_viewer_set_room (LITTLE_ROOM_BYTES);
  ShortViewer *rtsp = short_viewer_join_rtsp (township->rtsp_port, "busy", slow->token);
  ShortViewer *browser = short_viewer_join_websocket (township->http_port, "busy", township->token_secret);
  short_viewer_set_room (0);
  ShortViewerSeen seen = short_viewer_watch (good, WATCH_S);
  short_viewer_leave (good);
  print_message ("%u packets, %u missing, longest silence %.0f ms\n", seen.packets, seen.missing,
                 (double) seen.longest_silence_us / 1000);
  assert_int_equal (seen.missing, 0);
  assert_true (seen.packets >= PACKETS_LEAST);
  wait_for_count (township, DROPS, 2);
  assert_true (township_metric (township, DROPS) == 2);
  assert_true (township_metric (township, SKIPS) >= 2);
  assert_true (short_viewer_is_ended (rtsp, PATIENCE_S));
  assert_true (short_viewer_is_ended (browser, PATIENCE_S));
}

static void whoever_reads_on_does_so_at_a_key_frame_and_stays (void **state)
{
  Slow *slow = *state;
  Township *township = slow->township;
  double skips = township_metric (township, SKIPS), drops = township_metric (township, DROPS);
  short_viewer_set_room (ROOM_BYTES);
  ShortViewer *viewer = short_viewer_join_rtsp (township->rtsp_port, "busy", slow->token);
  short_viewer_set_room (0);
  wait_for_count (township, SKIPS, skips + 1);
  guint8 nal_type = short_viewer_read_to_gap (viewer);
  if (nal_type != NAL_SPS && nal_type != NAL_IDR)
    fail_msg ("it went on with a NAL unit of type %u", nal_type);
  short_viewer_leave (viewer);
  assert_true (township_metric (township, DROPS) == drops);
}

static void set_most (Township *township, const char *from, const char *to)
{
  township_edit_site (township, from, to);
  kill (process_pid (township->gateway), SIGHUP);
  g_free (process_wait_for (township->gateway, "reload: done", PATIENCE_S));
}

static void one_too_many_is_told_so_and_counted (void **state)
{
  Slow *slow = *state;
  Township *township = slow->township;
  double refused = township_metric (township, REFUSED);
  ShortViewer *present = short_viewer_join_rtsp (township->rtsp_port, "busy", slow->token);
  set_most (township, "max_viewers: 20", "max_viewers: 1");
  assert_int_equal (short_viewer_try_rtsp (township->rtsp_port, "busy", slow->token), 453);
  assert_int_equal (short_viewer_try_websocket (township->http_port, "busy", township->token_secret), 503);
  wait_for_count (township, REFUSED, refused + 2);
  set_most (township, "max_viewers: 1", "max_viewers: 20");
  assert_int_equal (short_viewer_try_rtsp (township->rtsp_port, "busy", slow->token), 200);
  assert_int_equal (short_viewer_try_websocket (township->http_port, "busy", township->token_secret), 101);
  short_viewer_leave (present); /* it was not sent away */
  assert_true (township_metric (township, REFUSED) == refused + 2);
}

/* The minute has passed meanwhile, or nearly so. */
static void whoever_takes_udp_and_says_nothing_is_ended_after_a_minute (void **state)
{
  Slow *slow = *state;
  assert_true (short_viewer_is_ended (slow->silent, PATIENCE_S * 2));
  gint64 stayed_us = g_get_monotonic_time () - slow->silent_since_us;
  print_message ("ended, or seen so, after %.0f s\n", (double) stayed_us / 1e6);
  assert_true (stayed_us > SILENT_LEAST_US);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (whoever_reads_nothing_skips_and_is_dropped_and_the_others_lose_nothing),
    cmocka_unit_test (whoever_reads_on_does_so_at_a_key_frame_and_stays),
    cmocka_unit_test (one_too_many_is_told_so_and_counted),
    cmocka_unit_test (whoever_takes_udp_and_says_nothing_is_ended_after_a_minute),
  };
  return cmocka_run_group_tests (tests, setup, teardown);
}
