/* The executables themselves under ThreadSanitizer: cameras flap, viewers of every kind come and go, it is recorded, played back and
 * exported, the site changes. Any report of a race is in the log of gridgate, which passes on what its workers say, and fails. */
#include <signal.h>
#include <string.h>

#include "tests/support/short_viewer.h"
#include "tests/support/test.h"
#include "tests/support/township.h"

enum {
  PATIENCE_S = 120, /* all is slower by a factor of five to fifteen */
  ROUNDS = 6,
  SHOWN_BYTES = 12000,
};

static const char *const cameras[] = { "one", "two", "three" }; /* flaps.yaml: recorded, recorded for events, not recorded */

typedef struct {
  Township *township;
  char *token;
  guint reloads;
} Races;

static int setup (void **state)
{
  Races *races = *state = g_new0 (Races, 1);
  Township *township = races->township = township_new ("flaps.yaml", "flaps-township.yaml");
  for (gsize i = 0; i < G_N_ELEMENTS (cameras); i++)
    township_wait_camera (township, cameras[i], "live", PATIENCE_S);
  races->token = township_token (township, "all", "live");
  return 0;
}

static int teardown (void **state)
{
  Races *races = *state;
  township_free (races->township);
  g_free (races->token);
  g_free (races);
  return 0;
}

/* Waits for each to have been gone and to be back. Every other time another address ends the wait between two attempts. */
static void flap (Races *races, guint round)
{
  Township *township = races->township;
  for (gsize i = 0; i < G_N_ELEMENTS (cameras); i++) {
    g_autofree char *command = g_strdup_printf ("camera %s drop", cameras[i]);
    process_write_line (township->simulator, command);
  }
  g_free (process_wait_for (township->gateway, "camera one: backing_off", PATIENCE_S));
  if (round % 2 == 1) {
    g_autofree char *from = g_strdup_printf ("?flap=%u\"", races->reloads), *to = g_strdup_printf ("?flap=%u\"", races->reloads + 1);
    races->reloads++;
    township_edit_site (township, from, to);
    kill (process_pid (township->gateway), SIGHUP);
  }
  g_free (process_wait_for (township->gateway, "camera one: live", PATIENCE_S));
  for (gsize i = 0; i < G_N_ELEMENTS (cameras); i++)
    township_wait_camera (township, cameras[i], "live", PATIENCE_S);
}

static void cameras_and_viewers_come_and_go (void **state)
{
  Races *races = *state;
  const Township *township = races->township;
  for (guint round = 0; round < ROUNDS; round++) {
    const char *first = cameras[round % 3], *second = cameras[(round + 1) % 3], *third = cameras[(round + 2) % 3];
    ShortViewer *tcp = short_viewer_join_rtsp (township->rtsp_port, first, races->token);
    ShortViewer *udp = short_viewer_join_udp (township->rtsp_port, second, races->token);
    ShortViewer *browser = short_viewer_join_websocket (township->http_port, third, township->token_secret);
    short_viewer_leave (short_viewer_join_udp (township->rtsp_port, first, races->token));
    short_viewer_vanish (short_viewer_join_websocket (township->http_port, first, township->token_secret));
    flap (races, round);
    short_viewer_only_ask (township->rtsp_port, first, races->token);
    short_viewer_leave (short_viewer_join_rtsp (township->rtsp_port, first, races->token));
    short_viewer_leave (short_viewer_join_websocket (township->http_port, first, township->token_secret));
    short_viewer_vanish (tcp);
    short_viewer_vanish (udp);
    short_viewer_vanish (browser);
  }
}

/* ---- what was recorded, while it is watched live, too ---- */

static gboolean has_span (const json_t *answer)
{
  return json_array_size (json_object_get (answer, "spans")) > 0;
}

/* "from=TIME&to=TIME": the first recording, until the cameras flapped. */
static char *first_recorded (Township *township)
{
  json_t *answer = township_wait_for (township, "/api/v1/cameras/one/recordings", has_span, PATIENCE_S);
  char *times = recordings_first_times (answer);
  json_decref (answer);
  return times;
}

static void play_by_rtsp (Township *township, const char *times, const char *transport)
{
  g_autofree char *url = g_strdup_printf ("rtsp://%s:%s@127.0.0.1:%d/playback/one?%s", township->token_id, township->token_secret,
                                          township->rtsp_port, times);
  g_autofree char *said = NULL;
  int status = process_run (township->folder, PATIENCE_S, &said,
                            (const char *[]){ "ffprobe", "-v", "error", "-rtsp_transport", transport, "-read_intervals", "%+1",
                                              "-show_entries", "stream=codec_name", "-of", "csv=p=0", url, NULL });
  if (status != 0 || strstr (said, "h264") == NULL)
    fail_msg ("ffprobe over %s ended with %d: %s", transport, status, said);
}

static void recordings_are_played_and_exported (void **state)
{
  Races *races = *state;
  Township *township = races->township;
  g_autofree char *times = first_recorded (township);
  g_autofree char *film = g_strdup_printf ("/api/v1/cameras/one/recordings.mp4?%s&reason=x", times);
  ShortViewer *live = short_viewer_join_rtsp (township->rtsp_port, "one", races->token);
  play_by_rtsp (township, times, "tcp");
  play_by_rtsp (township, times, "udp");
  short_viewer_leave (short_viewer_join_playback (township->http_port, "one", times, township->token_secret));
  short_viewer_vanish (short_viewer_join_playback (township->http_port, "one", times, township->token_secret));
  g_autoptr (HttpAnswer) answer = http_client_call (township->http, "GET", film, NULL);
  assert_int_equal (answer->status, 200);
  assert_true (answer->size > 0);
  short_viewer_vanish (live);
}

static void nobody_reported_a_race (void **state)
{
  Township *township = ((Races *) *state)->township;
  int status = process_end (township->gateway, SIGTERM, PATIENCE_S);
  g_autofree char *log = process_output (township->gateway);
  const char *report = strstr (log, "WARNING: ThreadSanitizer");
  if (report != NULL)
    fail_msg ("%.*s", SHOWN_BYTES, report);
  assert_int_equal (status, 0);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (cameras_and_viewers_come_and_go),
    cmocka_unit_test (recordings_are_played_and_exported),
    cmocka_unit_test (nobody_reported_a_race),
  };
  return cmocka_run_group_tests (tests, setup, teardown);
}
