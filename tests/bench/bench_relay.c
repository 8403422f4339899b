/* bench_relay: what gridgate-media costs for each camera and adds to each packet, against the bare loop in the same run.
 *
 * usage: bench_relay [SECONDS [CAMERAS [ROUNDS]]] (7, 40, 3)
 * CAMERAS of 1080p25, 2 Mb/s, over RTSP/TCP on loopback, half of which spread each frame over 20 ms: with no viewer, with one
 * each, all spread with one each, 10 cameras with 60 each, and two with 60 each over UDP. Scheduler time of the server process
 * alone, in percent of one core; the median of the rounds, in which floor and relay take turns; other relays on PATH once. Then
 * threads and memory with one camera and with 200. Prints goals and a line of JSON for each. Build it without sanitizers. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/bench/bench_goal.h"
#include "tests/bench/bench_process.h"
#include "tests/bench/bench_server.h"

enum {
  ROUNDS_MAX = 9,
  SETTLE_US = 2 * G_USEC_PER_SEC,
  HASTY_SETTLE_US = G_USEC_PER_SEC / 10,
  TRIM_S = 12, /* by then the pool has given back what only the beginning needed */
  HASTE_S = 4, /* who measures for less only tries out whether it works */
  CROWD_CAMERAS = 10,
  CROWD_VIEWERS = 60,
  UDP_CAMERAS = 2,
  UDP_NOT_OFFERED = 461,
  NOT_IN_TIME = 408,
  VIEWERS_PATIENCE_MS = 30000,
};

typedef struct {
  BenchShared *shared;
  guint16 camera_port;
  guint seconds, cameras, rounds;
  gboolean has_failed; /* a row could not be measured */
} Bench;

typedef struct {
  const char *name;
  guint cameras, viewers;
  gboolean is_all_paced, is_udp;
} Row;

typedef enum {
  PERCENT, /* of a core, all cameras together */
  PERCENT_EACH,
  OUT_MBIT, /* what the viewers got */
  FIRST_MS, /* from connect to the first packet of a key frame: median and worst of the viewers */
  FIRST_WORST_MS,
  DELAY_MS, /* of packets: median */
  DELAY_P99_MS,
  DELAY_WORST_MS,
  FRAME_MS, /* of the last packets of frames */
  FRAME_P99_MS,
  RESIDENT_MB,
  THREADS,
  FIGURE_COUNT
} Figure;

static const char *const figure_names[] = { "percent_of_a_core", "percent_for_each_camera", "out_mbit", "first_packet_ms",
                                            "first_packet_worst_ms", "delay_ms", "delay_p99_ms", "delay_worst_ms",
                                            "frame_delay_ms", "frame_delay_p99_ms", "resident_mb", "threads" };
G_STATIC_ASSERT (G_N_ELEMENTS (figure_names) == FIGURE_COUNT);

typedef struct {
  double figures[FIGURE_COUNT];
  gint refused; /* a status: nothing was measured */
} Result;

/* ---- one server, once ---- */

static double delay_ms (const BenchDelays *delays, double part)
{
  gint64 wanted = (gint64) (part * (double) delays->count), seen = 0;
  for (guint i = 0; i <= BENCH_DELAY_STEPS; i++) {
    seen += delays->steps[i];
    if (seen > wanted)
      return (double) (i * BENCH_DELAY_STEP_US) / 1000;
  }
  return 0;
}

static void start_delays (BenchShared *shared)
{
  memset (&shared->packets, 0, sizeof shared->packets);
  memset (&shared->frames, 0, sizeof shared->frames);
  g_atomic_int_set (&shared->is_measuring, TRUE);
}

static void note_viewers (BenchShared *shared, guint viewers, double *figures)
{
  double times[BENCH_VIEWERS_MAX];
  guint count = 0;
  for (guint i = 0; i < viewers; i++)
    if (shared->first_packet_us[i] > 0)
      times[count++] = (double) shared->first_packet_us[i] / 1000;
  figures[FIRST_MS] = bench_median (times, count);
  figures[FIRST_WORST_MS] = bench_quantile (times, count, 1);
  figures[DELAY_MS] = delay_ms (&shared->packets, 0.5);
  figures[DELAY_P99_MS] = delay_ms (&shared->packets, 0.99);
  figures[DELAY_WORST_MS] = (double) shared->packets.worst_us / 1000;
  figures[FRAME_MS] = delay_ms (&shared->frames, 0.5);
  figures[FRAME_P99_MS] = delay_ms (&shared->frames, 0.99);
}

/* FALSE when one is refused, or not all receive in time. */
static gboolean wait_for_viewers (const BenchShared *shared, guint viewers)
{
  for (guint waited = 0; waited < VIEWERS_PATIENCE_MS && shared->refused == 0; waited += 10) {
    if ((guint) g_atomic_int_get (&shared->receiving) >= viewers)
      return TRUE;
    g_usleep (10000);
  }
  return FALSE;
}

/* Who is in haste has no figure to spoil. */
static void settle (const Bench *bench)
{
  g_usleep (bench->seconds > HASTE_S ? SETTLE_US : HASTY_SETTLE_US);
}

static void measure_now (const Bench *bench, pid_t server, guint cameras, double *figures)
{
  BenchShared *shared = bench->shared;
  start_delays (shared);
  gint64 cpu = bench_cpu_ns (server), received = shared->received_bytes, start = g_get_monotonic_time ();
  g_usleep (bench->seconds * G_USEC_PER_SEC);
  double passed_us = (double) (g_get_monotonic_time () - start);
  figures[PERCENT] = (double) (bench_cpu_ns (server) - cpu) / 10 / passed_us;
  figures[PERCENT_EACH] = figures[PERCENT] / cameras;
  figures[OUT_MBIT] = (double) (shared->received_bytes - received) * 8 / passed_us;
  g_atomic_int_set (&shared->is_measuring, FALSE);
  figures[RESIDENT_MB] = (double) bench_resident_bytes (server) / 1e6;
  figures[THREADS] = bench_threads (server);
}

static void measure_with_viewers (const Bench *bench, const Row *row, const BenchServer *server, Result *result)
{
  BenchShared *shared = bench->shared;
  const BenchViewers plan = { server->port, row->viewers, row->cameras, bench_server_transport (server, row->is_udp), 0 };
  memset (shared->first_packet_us, 0, sizeof shared->first_packet_us);
  pid_t viewers = bench_viewers_start (shared, &plan);
  if (wait_for_viewers (shared, row->viewers)) {
    settle (bench);
    measure_now (bench, server->pid, row->cameras, result->figures);
    note_viewers (shared, row->viewers, result->figures);
  } else {
    result->refused = shared->refused != 0 ? shared->refused : NOT_IN_TIME;
  }
  if (shared->not_key > 0 && server->kind == BENCH_GRIDGATE)
    printf ("%d viewers did not start with a key frame\n", shared->not_key);
  kill (viewers, SIGKILL);
  waitpid (viewers, NULL, 0);
}

static void print_result (const char *name, const Row *row, const Result *result)
{
  const double *figures = result->figures;
  if (result->refused != 0) {
    printf ("  %-9s %s (%d)\n", name, result->refused == NOT_IN_TIME ? "has not all cameras or viewers in time" : "refused its viewers",
            result->refused);
    return;
  }
  printf ("  %-9s %7.3f %% for each camera, %6.2f %% in all, %.1f MB, %.0f threads", name, figures[PERCENT_EACH], figures[PERCENT],
          figures[RESIDENT_MB], figures[THREADS]);
  if (row->viewers > 0)
    printf (", %.0f Mb/s out; first packet %.1f ms, worst %.1f; delay of packets %.2f ms, p99 %.2f, worst %.1f, of whole frames "
            "%.2f ms, p99 %.2f", figures[OUT_MBIT], figures[FIRST_MS], figures[FIRST_WORST_MS], figures[DELAY_MS],
            figures[DELAY_P99_MS], figures[DELAY_WORST_MS], figures[FRAME_MS], figures[FRAME_P99_MS]);
  printf ("\n");
  fflush (stdout);
}

static Result measure (Bench *bench, const Row *row, BenchServerKind kind)
{
  Result result = { 0 };
  bench->shared->is_all_paced = row->is_all_paced;
  BenchServer *server = bench_server_start (&(BenchServerPlan){ kind, bench->camera_port, row->cameras, FALSE, FALSE, 0 });
  gboolean plays = bench_reach (&bench->shared->playing, row->cameras);
  settle (bench); /* a group of pictures is kept */
  if (!plays)
    result.refused = NOT_IN_TIME;
  else if (row->viewers > 0)
    measure_with_viewers (bench, row, server, &result);
  else
    measure_now (bench, server->pid, row->cameras, result.figures);
  if (result.refused != 0 && result.refused != UDP_NOT_OFFERED)
    bench_server_show_log (server);
  bench_server_stop (server);
  bench_wait_for (&bench->shared->playing, 0, "cameras are left");
  print_result (bench_server_name (kind), row, &result);
  return result;
}

/* ---- a row: floor and relay in turn ---- */

typedef struct {
  Result floor, relay; /* medians of the rounds; the worst delay of them all */
} Compared;

static json_t *result_json (const Result *result)
{
  json_t *object = json_object ();
  for (guint i = 0; i < FIGURE_COUNT; i++)
    json_object_set_new (object, figure_names[i], json_real (result->figures[i]));
  return object;
}

static Result middle (const Result *results, guint count)
{
  Result result = { 0 };
  for (guint i = 0; i < FIGURE_COUNT; i++) {
    double values[ROUNDS_MAX];
    for (guint round = 0; round < count; round++)
      values[round] = results[round].figures[i];
    result.figures[i] = bench_quantile (values, count, i == DELAY_WORST_MS ? 1 : 0.5);
  }
  return result;
}

static void measure_others (Bench *bench, const Row *row)
{
  for (BenchServerKind kind = 0; kind < BENCH_SERVER_COUNT; kind++) {
    if (!bench_server_is_other (kind) || !bench_server_is_there (kind) || row->is_udp)
      continue;
    Result result = measure (bench, row, kind);
    json_t *details = result_json (&result);
    json_object_set_new (details, "server", json_string (bench_server_name (kind)));
    bench_note ("relay", row->name, details);
  }
}

/* FALSE when floor or relay refuse their viewers: the goals of the row are skipped, with the reason. */
static gboolean compare (Bench *bench, const Row *row, BenchServerKind floor, Compared *compared)
{
  Result floors[ROUNDS_MAX], relays[ROUNDS_MAX];
  printf ("%s\n", row->name);
  for (guint i = 0; i < bench->rounds; i++) {
    compared->floor = floors[i] = measure (bench, row, floor);
    compared->relay = relays[i] = measure (bench, row, BENCH_GRIDGATE);
    if (floors[i].refused != 0 || relays[i].refused != 0)
      return FALSE;
  }
  compared->floor = middle (floors, bench->rounds);
  compared->relay = middle (relays, bench->rounds);
  return TRUE;
}

static json_t *compared_json (const Row *row, const Compared *compared)
{
  return json_pack ("{s:i, s:i, s:o, s:o}", "cameras", (int) row->cameras, "viewers", (int) row->viewers, "floor",
                    result_json (&compared->floor), "gridgate", result_json (&compared->relay));
}

static gboolean run_ratio (Bench *bench, const Row *row, double at_most, Compared *compared)
{
  BenchGoal goal = { "relay", row->name, "x floor", at_most, 0 };
  if (!compare (bench, row, row->is_udp ? BENCH_UDP_FLOOR : BENCH_FLOOR, compared)) {
    gint status = compared->relay.refused != 0 ? compared->relay.refused : compared->floor.refused;
    g_autofree char *why = g_strdup_printf (status == UDP_NOT_OFFERED ? "not offered (%d)" : "refused (%d)", status);
    bench_goal_skip (&goal, why);
    bench->has_failed |= status != UDP_NOT_OFFERED;
    return FALSE;
  }
  goal.figure = compared->relay.figures[PERCENT] / MAX (compared->floor.figures[PERCENT], 1e-6);
  measure_others (bench, row);
  bench_goal_print (&goal, compared_json (row, compared));
  return TRUE;
}

/* What the floor's way takes as well (camera, sockets, viewer) is no delay of the relay. */
static void print_added (const Row *row, const Compared *compared, const char *name, Figure figure, double at_most)
{
  double relay_ms = compared->relay.figures[figure], floor_ms = compared->floor.figures[figure];
  printf ("  %s: gridgate %.2f ms, floor %.2f ms\n", figure_names[figure], relay_ms, floor_ms);
  bench_goal_print (&(BenchGoal){ "relay", name, "ms", at_most, relay_ms - floor_ms }, compared_json (row, compared));
}

static void run_delays (Bench *bench)
{
  const Row row = { "delay of a packet, one viewer each, floor with TCP_NODELAY", bench->cameras, bench->cameras, FALSE, FALSE };
  Compared compared;
  if (!compare (bench, &row, BENCH_PROMPT_FLOOR, &compared)) {
    bench_goal_skip (&(BenchGoal){ "relay", row.name, "ms", 0, 0 }, "refused");
    bench->has_failed = TRUE;
    return;
  }
  print_added (&row, &compared, "delay that the relay adds to a packet, median", DELAY_MS, 2);
  print_added (&row, &compared, "delay that the relay adds to a packet, p99", DELAY_P99_MS, 10);
}

/* ---- memory and threads ---- */

static Result look_at (Bench *bench, guint cameras, guint viewers)
{
  const Row row = { "", cameras, viewers, FALSE, FALSE };
  Bench patient = *bench;
  if (bench->seconds > HASTE_S)
    patient.seconds = MAX (bench->seconds, TRIM_S);
  return measure (&patient, &row, BENCH_GRIDGATE);
}

static void run_memory_and_threads (Bench *bench, guint many)
{
  guint crowd_cameras = MIN (CROWD_CAMERAS, many), crowd = crowd_cameras * CROWD_VIEWERS;
  printf ("memory and threads: 1 camera, %u cameras, 1 viewer, %u viewers\n", many, crowd);
  const Result results[] = { look_at (bench, 1, 0), look_at (bench, many, 0), look_at (bench, 1, 1),
                             look_at (bench, crowd_cameras, crowd) };
  double one_mb = results[0].figures[RESIDENT_MB], all_mb = results[1].figures[RESIDENT_MB];
  double each_mb = (all_mb - one_mb) / (many - 1), group_mb = (double) bench->shared->group_bytes / 1e6;
  printf ("  resident %.1f MB with one camera, %.1f MB with %u: %.3f MB each, of which a whole group of pictures is %.3f MB\n",
          one_mb, all_mb, many, each_mb, group_mb);
  bench_goal_print (&(BenchGoal){ "relay", "memory of a camera beyond its group of pictures", "MB", 0.5, each_mb - group_mb },
                    json_pack ("{s:f, s:f, s:f, s:f}", "each_mb", each_mb, "group_mb", group_mb, "one_camera_mb", one_mb,
                               "all_cameras_mb", all_mb));
  double most = 0, fewest = G_MAXDOUBLE;
  json_t *counts = json_array ();
  for (guint i = 0; i < G_N_ELEMENTS (results); i++) {
    most = MAX (most, results[i].figures[THREADS]);
    fewest = MIN (fewest, results[i].figures[THREADS]);
    json_array_append_new (counts, json_real (results[i].figures[THREADS]));
  }
  bench_goal_print (&(BenchGoal){ "relay", "threads more with many cameras or viewers than with few", "threads", 0, most - fewest },
                    json_pack ("{s:o}", "threads", counts));
}

static void run_rows (Bench *bench)
{
  guint all = bench->cameras, crowd = MIN (CROWD_CAMERAS, all);
  const Row crowd_row = { "10 cameras, 60 viewers each", crowd, crowd * CROWD_VIEWERS, FALSE, FALSE };
  Compared compared;
  run_ratio (bench, &(Row){ "in, no viewer", all, 0, FALSE, FALSE }, 1.3, &compared);
  run_ratio (bench, &(Row){ "in and out to one viewer", all, all, FALSE, FALSE }, 1.3, &compared);
  run_ratio (bench, &(Row){ "in and out to one viewer, all cameras paced", all, all, TRUE, FALSE }, 0.8, &compared);
  if (run_ratio (bench, &crowd_row, 0.55, &compared))
    bench_goal_print (&(BenchGoal){ "relay", "10 cameras, 60 viewers each: the latest packet", "ms", 120,
                                    compared.relay.figures[DELAY_WORST_MS] }, compared_json (&crowd_row, &compared));
  run_delays (bench);
  run_ratio (bench, &(Row){ "UDP out, 2 cameras, 60 viewers each", UDP_CAMERAS, UDP_CAMERAS * CROWD_VIEWERS, FALSE, TRUE }, 0.5,
             &compared);
}

int main (int count, char **arguments)
{
  Bench bench = { .shared = bench_shared_new () };
  bench.seconds = count > 1 ? (guint) CLAMP (atoi (arguments[1]), 1, 600) : 7;
  bench.cameras = count > 2 ? (guint) CLAMP (atoi (arguments[2]), UDP_CAMERAS, BENCH_CAMERAS_MAX) : 40;
  bench.rounds = count > 3 ? (guint) CLAMP (atoi (arguments[3]), 1, ROUNDS_MAX) : 3;
  signal (SIGPIPE, SIG_IGN);
  pid_t cameras = bench_cameras_start (bench.shared, &bench.camera_port);

  printf ("%u cameras, 1080p25 H.264 2 Mb/s, RTSP over TCP on loopback; percent of one core, %u rounds of %u s\n", bench.cameras,
          bench.rounds, bench.seconds);
  bench_server_tell_absent ();
  fflush (stdout); /* or each child would print it again */
  run_rows (&bench);
  run_memory_and_threads (&bench, count > 2 ? bench.cameras : BENCH_CAMERAS_MAX);
  if (bench.shared->late_frames > 0)
    printf ("%" G_GINT64_FORMAT " frames could not be sent in time: the machine was too busy\n", bench.shared->late_frames);
  bench_stop (cameras);
  return bench.has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
