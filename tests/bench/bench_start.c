/* bench_start: how soon a viewer sees something, and how late that is.
 *
 * usage: bench_start [JOINS [CAMERAS [BROWSER_SECONDS]]] (200, 40, 20; 0 seconds: no browser)
 * RTSP over TCP, cameras live, a key frame every two seconds: from connect to the first packet of a key frame, JOINS spread
 * over time. The same with cameras that are pulled only on demand, one join each. Then a township of its own (gridgate,
 * gridgate-sim, Chromium): from asking for the WebSocket to the first picture, and from the camera's burned-in clock to the
 * picture on a canvas. Other relays on PATH are joined in the same run. Build it without sanitizers. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench_goal.h"
#include "tests/bench/bench_process.h"
#include "tests/bench/bench_server.h"
#include "tests/support/township.h"

enum {
  SETTLE_US = 3 * G_USEC_PER_SEC,
  JOIN_SPACING_US = 97 * 1000, /* no part of the two seconds between key frames is left out */
  COLD_SPACING_US = 200 * 1000,
  READY_POLLS = 2000,
  POLL_US = 10 * 1000,
  JOINS_PATIENCE_S = 40,
  BROWSER_PATIENCE_S = 120,
  NODE_IS_LACKING = 77, /* what tools.mjs ends with when there is no Chromium */
};

typedef struct {
  BenchShared *shared;
  guint16 camera_port;
  guint joins, cameras, browser_seconds;
} Bench;

typedef struct {
  double median_ms, p90_ms, worst_ms;
  guint joined;
} Joins;

static gboolean answers (guint16 port)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons (port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_STREAM, 0);
  gboolean is_there = connect (fd, (struct sockaddr *) &address, sizeof address) == 0;
  close (fd);
  return is_there;
}

/* gridgate-media knows all cameras: it has told of the last one. Of another relay that listens this is assumed. */
static gboolean knows_cameras (const BenchServer *server, guint cameras)
{
  g_autofree char *last = g_strdup_printf ("\"camera\":\"c%u\"", cameras - 1), *events = NULL;
  if (bench_server_is_other (server->kind))
    return TRUE;
  return g_file_get_contents (server->events, &events, NULL, NULL) && strstr (events, last) != NULL;
}

static void wait_until_ready (const Bench *bench, const BenchServer *server, gboolean is_on_demand)
{
  for (guint polls = 0; polls < READY_POLLS; polls++) {
    if (answers (server->port) && knows_cameras (server, bench->cameras))
      break;
    g_usleep (POLL_US);
  }
  if (!is_on_demand)
    bench_reach (&bench->shared->playing, bench->cameras); /* if not: the joins will tell */
  g_usleep (SETTLE_US); /* a group of pictures is kept */
}

static Joins join (const Bench *bench, const BenchServer *server, guint count, gint64 spacing_us)
{
  BenchShared *shared = bench->shared;
  const BenchViewers plan = { server->port, count, bench->cameras, BENCH_RTSP_TCP, spacing_us };
  gint64 until = g_get_monotonic_time () + count * spacing_us + JOINS_PATIENCE_S * G_USEC_PER_SEC;
  double times[BENCH_VIEWERS_MAX];
  Joins joins = { 0 };
  memset (shared->first_packet_us, 0, sizeof shared->first_packet_us);
  pid_t viewers = bench_viewers_start (shared, &plan);
  while ((guint) g_atomic_int_get (&shared->receiving) < count && shared->refused == 0 && g_get_monotonic_time () < until)
    g_usleep (POLL_US);
  kill (viewers, SIGKILL);
  waitpid (viewers, NULL, 0);
  for (guint i = 0; i < count; i++)
    if (shared->first_packet_us[i] > 0)
      times[joins.joined++] = (double) shared->first_packet_us[i] / 1000;
  joins.median_ms = bench_median (times, joins.joined);
  joins.p90_ms = bench_quantile (times, joins.joined, 0.9);
  joins.worst_ms = bench_quantile (times, joins.joined, 1);
  return joins;
}

static json_t *joins_json (BenchServerKind kind, const Joins *joins)
{
  return json_pack ("{s:s, s:i, s:f, s:f, s:f}", "server", bench_server_name (kind), "joined", (int) joins->joined, "median_ms",
                    joins->median_ms, "p90_ms", joins->p90_ms, "worst_ms", joins->worst_ms);
}

static Joins measure (const Bench *bench, BenchServerKind kind, gboolean is_on_demand)
{
  const BenchServerPlan plan = { kind, bench->camera_port, bench->cameras, is_on_demand, FALSE, 0 };
  guint count = is_on_demand ? bench->cameras : bench->joins;
  BenchServer *server = bench_server_start (&plan);
  wait_until_ready (bench, server, is_on_demand);
  Joins joins = join (bench, server, count, is_on_demand ? COLD_SPACING_US : JOIN_SPACING_US);
  bench_server_stop (server);
  bench_wait_for (&bench->shared->playing, 0, "cameras are left");
  printf ("  %-9s %u of %u joined: median %.1f ms, p90 %.1f, worst %.1f\n", bench_server_name (kind), joins.joined, count,
          joins.median_ms, joins.p90_ms, joins.worst_ms);
  fflush (stdout);
  return joins;
}

static void measure_others (const Bench *bench, const char *row, gboolean is_on_demand)
{
  for (BenchServerKind kind = 0; kind < BENCH_SERVER_COUNT; kind++)
    if (bench_server_is_other (kind) && bench_server_is_there (kind)) {
      Joins joins = measure (bench, kind, is_on_demand);
      bench_note ("start", row, joins_json (kind, &joins));
    }
}

/* FALSE when not all got what they came for. */
static gboolean run_joins (const Bench *bench)
{
  BenchGoal goal = { "start", "first packet of a key frame to an RTSP viewer, median", "ms", 30, 0 };
  printf ("%u joins, one each %d ms, %u cameras live: from connect to the first packet of a key frame\n", bench->joins,
          JOIN_SPACING_US / 1000, bench->cameras);
  Joins joins = measure (bench, BENCH_GRIDGATE, FALSE);
  measure_others (bench, goal.row, FALSE);
  goal.figure = joins.median_ms;
  if (joins.joined == bench->joins) {
    bench_goal_print (&goal, joins_json (BENCH_GRIDGATE, &joins));
  } else {
    g_autofree char *why = g_strdup_printf ("only %u of %u joined (%d)", joins.joined, bench->joins, bench->shared->refused);
    bench_goal_skip (&goal, why);
  }
  return joins.joined == bench->joins;
}

static gboolean run_cold_starts (const Bench *bench)
{
  printf ("%u cameras pulled on demand, one join each: from connect to the first packet\n", bench->cameras);
  Joins joins = measure (bench, BENCH_GRIDGATE, TRUE);
  bench_note ("start", "cold start of a camera on demand", joins_json (BENCH_GRIDGATE, &joins));
  measure_others (bench, "cold start of a camera on demand", TRUE);
  return joins.joined == bench->cameras;
}

/* ---- the browser ---- */

static Process *start_browser (const Bench *bench, Township *township)
{
  g_autofree char *url = g_strconcat ("GRIDGATE_URL=", township->base_url, "/", NULL);
  g_autofree char *seconds = g_strdup_printf ("GRIDGATE_WATCH_SECONDS=%u", bench->browser_seconds);
  return process_start_with (township->folder, (const char *[]){ "node", GRIDGATE_SOURCE_ROOT "/tests/browser/measure.mjs", NULL },
                             (const char *[]){ url, seconds, "GRIDGATE_NAME=admin", "GRIDGATE_PASSWORD=admin-password-1", NULL });
}

/* The worst of the cameras' medians counts: measure.mjs prints a line of JSON for each. */
static void report_browser (const BenchGoal *wanted, const char *output)
{
  g_auto (GStrv) lines = g_strsplit (output, "\n", -1);
  BenchGoal goal = *wanted;
  json_t *cameras = json_array ();
  for (char **line = lines; *line != NULL; line++) {
    json_t *camera = **line == '{' ? json_loads (*line, 0, NULL) : NULL;
    if (camera == NULL)
      continue;
    double median_ms = json_number_value (json_object_get (camera, "delay_median_ms"));
    printf ("  %-14s camera to canvas: median %.0f ms, p90 %.0f, worst %.0f, %.0f pictures; first picture %.0f ms after it was asked for\n",
            json_string_value (json_object_get (camera, "camera")), median_ms,
            json_number_value (json_object_get (camera, "delay_p90_ms")), json_number_value (json_object_get (camera, "delay_worst_ms")),
            json_number_value (json_object_get (camera, "pictures")), json_number_value (json_object_get (camera, "first_picture_ms")));
    goal.figure = MAX (goal.figure, median_ms);
    json_array_append_new (cameras, camera);
  }
  if (goal.figure > 0)
    bench_goal_print (&goal, json_pack ("{s:O}", "cameras", cameras));
  else
    bench_goal_skip (&goal, "no picture was read");
  json_decref (cameras);
}

/* What of the delay is the simulator's own: drawing and encoding. */
static double encoding_ms (Township *township, const char *camera)
{
  g_autofree char *command = g_strdup_printf ("camera %s delay", camera);
  process_write_line (township->simulator, command);
  g_autofree char *answer = process_wait_for (township->simulator, "encoding_us ", 10);
  return g_ascii_strtod (strstr (answer, "encoding_us ") + strlen ("encoding_us "), NULL) / 1000;
}

static void run_browser (const Bench *bench)
{
  static const char *const cameras[] = { "burst", "paced" };
  const BenchGoal goal = { "start", "camera to canvas in Chromium, median of the slower camera", "ms", 400, 0 };
  g_autofree char *node = g_find_program_in_path ("node"), *build = bench_program ("");
  if (node == NULL || bench->browser_seconds == 0) {
    bench_goal_skip (&goal, node == NULL ? "Node is not on PATH" : "not asked for");
    return;
  }
  printf ("camera to canvas: two simulated cameras of 640x360, 25 frames a second (their drawing and encoding included), "
          "Chromium's wall, %u s\n", bench->browser_seconds);
  fflush (stdout);
  g_setenv ("GRIDGATE_BUILD_ROOT", build, TRUE);
  g_setenv ("GRIDGATE_SOURCE_ROOT", GRIDGATE_SOURCE_ROOT, TRUE);
  Township *township = township_new ("start.yaml", "start-township.yaml");
  for (gsize i = 0; i < G_N_ELEMENTS (cameras); i++)
    township_wait_camera (township, cameras[i], "live", 40);
  Process *browser = start_browser (bench, township);
  int status = process_wait (browser, BROWSER_PATIENCE_S + (int) bench->browser_seconds);
  g_autofree char *output = process_output (browser);
  if (status == 0) {
    double burst_ms = encoding_ms (township, cameras[0]), paced_ms = encoding_ms (township, cameras[1]);
    printf ("  of these delays the simulator's drawing and encoding: burst %.1f ms, paced %.1f ms\n", burst_ms, paced_ms);
    bench_note ("start", "drawing and encoding of the simulated cameras", json_pack ("{s:f, s:f}", "burst_ms", burst_ms, "paced_ms", paced_ms));
    report_browser (&goal, output);
  } else {
    fputs (output, stderr);
    bench_goal_skip (&goal, status == NODE_IS_LACKING ? "Chromium is not there" : "measure.mjs failed");
  }
  process_free (browser);
  township_free (township);
}

int main (int count, char **arguments)
{
  Bench bench = { .shared = bench_shared_new () };
  bench.joins = count > 1 ? (guint) CLAMP (atoi (arguments[1]), 1, BENCH_VIEWERS_MAX) : 200;
  bench.cameras = count > 2 ? (guint) CLAMP (atoi (arguments[2]), 1, BENCH_CAMERAS_MAX) : 40;
  bench.browser_seconds = count > 3 ? (guint) CLAMP (atoi (arguments[3]), 0, 600) : 20;
  signal (SIGPIPE, SIG_IGN);
  pid_t cameras = bench_cameras_start (bench.shared, &bench.camera_port);
  bench_server_tell_absent ();
  fflush (stdout); /* or each child would print it again */
  gboolean are_joined = run_joins (&bench), are_cold_joined = run_cold_starts (&bench);
  if (bench.shared->late_frames > 0)
    printf ("%" G_GINT64_FORMAT " frames could not be sent in time: the machine was too busy\n", bench.shared->late_frames);
  bench_stop (cameras); /* the browser needs the cores */
  run_browser (&bench);
  return are_joined && are_cold_joined ? EXIT_SUCCESS : EXIT_FAILURE;
}
