/* Cameras that come and go, viewers that come and go: afterwards memory, descriptors and threads of both processes are where
 * they were, and everything that was held is given back in the end.
 *
 * GRIDGATE_FLAPS is how often every camera flaps (24), GRIDGATE_FLAP_VIEWERS how many viewers join and leave meanwhile (100):
 * ./run soak flaps sets 500 and 1000. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/short_viewer.h"
#include "tests/support/test.h"
#include "tests/support/township.h"

enum {
  FLAPS = 24,
  VIEWERS = 100,
  WARM_UP = 6,        /* rounds after which everything that is made once is made */
  PATIENCE_S = 60,
  MANNERS = 5,
  TOKEN_EVERY = 50,   /* rounds: it is good for ten minutes */
#ifdef __SANITIZE_ADDRESS__
  GROWTH_MB = 24, /* its own books grow: 11 MB for gridgate after 500 flaps; a plain build grew by 1 MB in 150 */
#else
  GROWTH_MB = 6, /* an allocator's wear: 500 flaps of three cameras that lose a block each would be 190 MB */
#endif
};

static const char *const cameras[] = { "one", "two", "three" };

typedef struct {
  Township *township;
  char *token;
  guint joined, reloads;
} Flaps;

typedef struct {
  guint descriptors, threads;
  gint64 resident_bytes;
} Held;

static guint setting (const char *name, guint otherwise)
{
  const char *text = g_getenv (name);
  return text != NULL ? (guint) atoi (text) : otherwise;
}

static int flaps_setup (void **state)
{
  Flaps *flaps = *state = g_new0 (Flaps, 1);
  /* what is freed is given back, or memory would tell nothing */
  g_setenv ("ASAN_OPTIONS", "quarantine_size_mb=1:thread_local_quarantine_size_kb=16", TRUE);
  flaps->township = township_new ("flaps.yaml", "flaps-township.yaml");
  for (gsize i = 0; i < G_N_ELEMENTS (cameras); i++)
    township_wait_camera (flaps->township, cameras[i], "live", PATIENCE_S);
  return 0;
}

static int flaps_teardown (void **state)
{
  Flaps *flaps = *state;
  township_free (flaps->township);
  g_free (flaps->token);
  g_free (flaps);
  return 0;
}

/* ---- cameras ---- */

typedef struct {
  Flaps *flaps;
  char *since[G_N_ELEMENTS (cameras)]; /* of the state before the flap */
  gboolean wants_live;
} Flap;

static gboolean have_changed (gpointer data)
{
  Flap *flap = data;
  for (gsize i = 0; i < G_N_ELEMENTS (cameras); i++) {
    g_autofree char *path = g_strconcat ("/api/v1/cameras/", cameras[i], NULL);
    g_autoptr (HttpAnswer) answer = http_client_call (flap->flaps->township->http, "GET", path, NULL);
    const char *state = json_string_value (json_object_get (answer->json, "state"));
    const char *since = json_string_value (json_object_get (answer->json, "since"));
    if (g_strcmp0 (since, flap->since[i]) == 0 || (flap->wants_live && g_strcmp0 (state, "live") != 0))
      return FALSE;
  }
  return TRUE;
}

static void wait_for_change (Flap *flap, gboolean wants_live, const char *what)
{
  flap->wants_live = wants_live;
  if (!wait_until (have_changed, flap, PATIENCE_S)) {
    g_autofree char *log = process_output (flap->flaps->township->gateway);
    fail_msg ("%s; the gateway's log ends with:\n%s", what, log + MAX ((gssize) strlen (log) - 4000, 0));
  }
}

/* A camera that was just connected to has another address, so it is connected to at once. */
static void change_addresses (Flaps *flaps)
{
  g_autofree char *from = g_strdup_printf ("?flap=%u\"", flaps->reloads), *to = g_strdup_printf ("?flap=%u\"", flaps->reloads + 1);
  flaps->reloads++;
  township_edit_site (flaps->township, from, to);
  kill (process_pid (flaps->township->gateway), SIGHUP);
}

/* All cameras end their connections. Every other time gridgate comes back by itself, after a second of back-off; else a new
 * address cuts that short, for the back-off would double each time. */
static void flap_all (Flaps *flaps, guint round)
{
  Flap flap = { .flaps = flaps };
  for (gsize i = 0; i < G_N_ELEMENTS (cameras); i++) {
    g_autofree char *path = g_strconcat ("/api/v1/cameras/", cameras[i], NULL);
    json_t *camera = http_client_get (flaps->township->http, path);
    flap.since[i] = g_strdup (json_string_value (json_object_get (camera, "since")));
    json_decref (camera);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (cameras); i++) {
    g_autofree char *command = g_strdup_printf ("camera %s drop", cameras[i]);
    process_write_line (flaps->township->simulator, command);
  }
  wait_for_change (&flap, FALSE, "not every camera was seen gone");
  if (round % 2 == 1)
    change_addresses (flaps);
  wait_for_change (&flap, TRUE, "not every camera came back");
  for (gsize i = 0; i < G_N_ELEMENTS (cameras); i++)
    g_free (flap.since[i]);
}

/* ---- viewers ---- */

static void renew_token (Flaps *flaps)
{
  g_free (flaps->token);
  flaps->token = township_token (flaps->township, "all", "live");
}

static void join_and_leave (Flaps *flaps)
{
  const Township *township = flaps->township;
  guint number = flaps->joined++;
  const char *camera = cameras[number % G_N_ELEMENTS (cameras)];
  switch (number % MANNERS) {
  case 0:
    short_viewer_leave (short_viewer_join_rtsp (township->rtsp_port, camera, flaps->token));
    break;
  case 1:
    short_viewer_leave (short_viewer_join_websocket (township->http_port, camera, township->token_secret));
    break;
  case 2:
    short_viewer_vanish (short_viewer_join_rtsp (township->rtsp_port, camera, flaps->token));
    break;
  case 3:
    short_viewer_vanish (short_viewer_join_websocket (township->http_port, camera, township->token_secret));
    break;
  default:
    short_viewer_only_ask (township->rtsp_port, camera, flaps->token);
  }
}

/* One of each kind watches while its camera goes, and is gone itself afterwards. */
static void run_round (Flaps *flaps, guint round, guint viewers)
{
  const Township *township = flaps->township;
  if (round % TOKEN_EVERY == 0)
    renew_token (flaps);
  ShortViewer *rtsp = short_viewer_join_rtsp (township->rtsp_port, cameras[round % 3], flaps->token);
  ShortViewer *browser = short_viewer_join_websocket (township->http_port, cameras[(round + 1) % 3], township->token_secret);
  flaps->joined += 2;
  flap_all (flaps, round);
  short_viewer_vanish (rtsp);
  short_viewer_vanish (browser);
  while (flaps->joined < viewers)
    join_and_leave (flaps);
}

/* ---- what is held ---- */

static guint count_entries (pid_t pid, const char *folder)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", pid, folder);
  g_autoptr (GDir) entries = g_dir_open (path, 0, NULL);
  guint count = 0;
  while (entries != NULL && g_dir_read_name (entries) != NULL)
    count++;
  return count;
}

static Held held_by (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/statm", pid);
  g_autofree char *text = NULL;
  assert_true (g_file_get_contents (path, &text, NULL, NULL));
  return (Held){ count_entries (pid, "fd"), count_entries (pid, "task"), g_ascii_strtoll (strchr (text, ' '), NULL, 10) * getpagesize () };
}

typedef struct {
  pid_t pid;
  Held bound, now;
  gint64 calm_since_us;
} Watched;

/* Descriptors and threads have been the same for two seconds: viewers that left are known to have. */
static gboolean is_calm (gpointer data)
{
  Watched *watched = data;
  Held now = held_by (watched->pid);
  if (now.descriptors != watched->now.descriptors || now.threads != watched->now.threads || watched->calm_since_us == 0)
    watched->calm_since_us = g_get_monotonic_time ();
  watched->now = now;
  return g_get_monotonic_time () - watched->calm_since_us > 2 * G_USEC_PER_SEC;
}

static gboolean is_within (gpointer data)
{
  Watched *watched = data;
  watched->now = held_by (watched->pid);
  return watched->now.descriptors <= watched->bound.descriptors && watched->now.threads <= watched->bound.threads
         && watched->now.resident_bytes <= watched->bound.resident_bytes + GROWTH_MB * 1000000;
}

static void note_held (Watched *watched, const char *name)
{
  if (!wait_until (is_calm, watched, PATIENCE_S))
    fail_msg ("%s does not come to rest: %u descriptors, %u threads", name, watched->now.descriptors, watched->now.threads);
  watched->bound = watched->now;
}

static void assert_held (Watched *watched, const char *name)
{
  gboolean is_held = wait_until (is_within, watched, PATIENCE_S);
  print_message ("%s: descriptors %u, then %u; threads %u, then %u; resident %.1f MB, then %.1f MB\n", name,
                 watched->bound.descriptors, watched->now.descriptors, watched->bound.threads, watched->now.threads,
                 (double) watched->bound.resident_bytes / 1e6, (double) watched->now.resident_bytes / 1e6);
  assert_true (is_held);
}

static void flapping_cameras_and_passing_viewers_leave_everything_where_it_was (void **state)
{
  Flaps *flaps = *state;
  guint rounds = setting ("GRIDGATE_FLAPS", FLAPS), viewers = setting ("GRIDGATE_FLAP_VIEWERS", VIEWERS);
  Watched media = { .pid = township_worker_pid (flaps->township, "gridgate-media") };
  Watched gateway = { .pid = process_pid (flaps->township->gateway) };
  for (guint round = 0; round < WARM_UP; round++)
    run_round (flaps, round, MANNERS * (round + 1));
  note_held (&media, "gridgate-media");
  note_held (&gateway, "gridgate");
  for (guint round = WARM_UP; round < rounds; round++)
    run_round (flaps, round, viewers * (round + 1) / rounds);
  print_message ("every camera flapped %u times, %u viewers came and went\n", rounds, flaps->joined);
  assert_held (&media, "gridgate-media");
  assert_held (&gateway, "gridgate");
  assert_int_equal (township_worker_pid (flaps->township, "gridgate-media"), media.pid);
}

/* A block that a pool misses is an assertion at the end of gridgate-media, whatever else is not freed is told by
 * LeakSanitizer, in builds that have it; gridgate passes both on. */
static void all_that_was_held_is_given_back_in_the_end (void **state)
{
  Township *township = ((Flaps *) *state)->township;
  assert_int_equal (process_end (township->gateway, SIGTERM, PATIENCE_S), 0);
  g_autofree char *log = process_output (township->gateway);
  static const char *const complaints[] = { "assertion", "LeakSanitizer", "AddressSanitizer", "ended with status", "killed by" };
  for (gsize i = 0; i < G_N_ELEMENTS (complaints); i++)
    if (strstr (log, complaints[i]) != NULL)
      fail_msg ("the log has \"%s\":\n%s", complaints[i], strstr (log, complaints[i]));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (flapping_cameras_and_passing_viewers_leave_everything_where_it_was),
    cmocka_unit_test (all_that_was_held_is_given_back_in_the_end),
  };
  return cmocka_run_group_tests (tests, flaps_setup, flaps_teardown);
}
