/* Cameras that stall, flood, lie and reset, all at once, beside one that does it right: whoever watches that one notices
 * nothing of the others. All live on one loop of gridgate-media. */
#include <signal.h>
#include <string.h>

#include "tests/support/short_viewer.h"
#include "tests/support/test.h"
#include "tests/support/township.h"

enum {
  PATIENCE_S = 40,
  WATCH_S = 20,
  PACKETS_LEAST = WATCH_S * 25 * 8 / 10, /* of a camera that draws and encodes on a machine with other things to do */
  SILENCE_US = G_USEC_PER_SEC, /* 25 frames: generous, for the camera itself may be late on a busy machine */
  FLOOD_BYTES_LEAST = 40 * 1000 * 1000,
};

static int township_setup (void **state)
{
  Township *township = *state = township_new ("bad_neighbours.yaml", "bad_neighbours-township.yaml");
  township_wait_camera (township, "good", "live", PATIENCE_S);
  township_wait_camera (township, "floods", "live", PATIENCE_S);
  return 0;
}

static int township_teardown (void **state)
{
  township_free (*state);
  return 0;
}

static double metric (Township *township, const char *name, const char *camera)
{
  g_autofree char *sample = g_strdup_printf ("%s{camera=\"%s\"", name, camera);
  return township_metric (township, sample);
}

static guint count (Process *process, const char *text)
{
  g_autofree char *output = process_output (process);
  g_auto (GStrv) parts = g_strsplit (output, text, -1);
  return g_strv_length (parts) - 1;
}

static gboolean has_flooded (gpointer data)
{
  return metric (data, "gridgate_camera_received_bytes_total", "floods") > FLOOD_BYTES_LEAST;
}

static void whoever_watches_the_good_camera_notices_nothing_of_the_others (void **state)
{
  Township *township = *state;
  g_autofree char *token = township_token (township, "all", "live");
  pid_t media = township_worker_pid (township, "gridgate-media");
  guint resets = count (township->simulator, "camera resets: 客户端接入");
  ShortViewer *lazy = short_viewer_join_rtsp (township->rtsp_port, "floods", token); /* reads nothing of the flood */
  ShortViewer *viewer = short_viewer_join_rtsp (township->rtsp_port, "good", token);
  ShortViewerSeen seen = short_viewer_watch (viewer, WATCH_S);
  short_viewer_vanish (viewer);
  short_viewer_vanish (lazy);
  print_message ("%u packets, %u missing, longest silence %.0f ms\n", seen.packets, seen.missing,
                 (double) seen.longest_silence_us / 1000);
  assert_int_equal (seen.missing, 0);
  assert_true (seen.packets >= PACKETS_LEAST);
  assert_true (seen.longest_silence_us < SILENCE_US);
  assert_int_equal (township_worker_pid (township, "gridgate-media"), media);

  /* the others did what they are here for */
  assert_true (wait_until (has_flooded, township, PATIENCE_S));
  assert_true (count (township->simulator, "camera resets: 客户端接入") > resets);
  g_autofree char *log = process_output (township->gateway);
  assert_non_null (strstr (log, "camera stalls: stalled"));
  assert_true (metric (township, "gridgate_camera_lost_packets_total", "good") == 0);
}

static void the_good_camera_is_recorded_without_a_gap (void **state)
{
  json_t *answer = http_client_get (((Township *) *state)->http,
                                    "/api/v1/cameras/good/recordings?from=2020-01-01T00:00:00Z&to=2099-01-01T00:00:00Z");
  assert_int_equal (json_array_size (json_object_get (answer, "spans")), 1);
  assert_int_equal (json_array_size (json_object_get (answer, "gaps")), 0);
  json_decref (answer);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (whoever_watches_the_good_camera_notices_nothing_of_the_others),
    cmocka_unit_test (the_good_camera_is_recorded_without_a_gap),
  };
  return cmocka_run_group_tests (tests, township_setup, township_teardown);
}
