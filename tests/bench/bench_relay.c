/* bench_relay: what gridgate-media costs for each camera, against the bare loop in the same run.
 *
 * usage: bench_relay [SECONDS [CAMERAS [ROUNDS]]] (10, 40, 3)
 * 40 cameras of 1080p25, 2 Mb/s, over RTSP/TCP on loopback; with no viewer, and with one each; then 10 cameras with 60 each.
 * Scheduler time of the server process alone, in percent of one core for each camera; the median of the rounds, in which floor and relay take turns.
 * Prints a table, then one line of JSON for each row. Build it without sanitizers. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench_cameras.h"

enum {
  ROUNDS_MAX = 9,
  PATIENCE_MS = 20000,
  SETTLE_US = 2 * G_USEC_PER_SEC,
  CROWD_CAMERAS = 10,
  CROWD_VIEWERS = 60,
};

typedef struct {
  char *folder; /* of this executable */
  BenchShared *shared;
  guint16 camera_port;
  guint seconds, cameras, rounds;
} Bench;

typedef struct {
  double percent;  /* of a core, for each camera */
  double first_ms; /* median of the viewers */
  double first_worst_ms;
  gint64 resident_bytes;
} Result;

static pid_t spawn (char *const *arguments, gboolean is_quiet)
{
  pid_t pid = fork ();
  if (pid != 0)
    return pid;
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (is_quiet && (freopen ("/dev/null", "w", stdout) == NULL || freopen ("/dev/null", "w", stderr) == NULL))
    _exit (127);
  execv (arguments[0], arguments);
  _exit (127);
}

static void stop (pid_t pid)
{
  kill (pid, SIGTERM);
  waitpid (pid, NULL, 0);
}

/* Nanoseconds on a core, of all threads (proc_pid_schedstat). */
static gint64 cpu_ns (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/task", pid);
  g_autoptr (GDir) tasks = g_dir_open (path, 0, NULL);
  gint64 sum = 0;
  for (const char *task; tasks != NULL && (task = g_dir_read_name (tasks)) != NULL;) {
    g_autofree char *file = g_strdup_printf ("%s/%s/schedstat", path, task);
    g_autofree char *text = NULL;
    if (g_file_get_contents (file, &text, NULL, NULL))
      sum += g_ascii_strtoll (text, NULL, 10);
  }
  return sum;
}

static gint64 resident_bytes (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/statm", pid);
  g_autofree char *text = NULL;
  char *resident = g_file_get_contents (path, &text, NULL, NULL) ? strchr (text, ' ') : NULL;
  return resident != NULL ? g_ascii_strtoll (resident, NULL, 10) * sysconf (_SC_PAGESIZE) : 0;
}

static void wait_for (const gint *value, guint wanted, const char *what)
{
  for (guint waited = 0; (guint) g_atomic_int_get (value) != wanted; waited += 10) {
    if (waited > PATIENCE_MS) {
      fprintf (stderr, "bench_relay: %d of %u %s after %d s\n", g_atomic_int_get (value), wanted, what, PATIENCE_MS / 1000);
      exit (EXIT_FAILURE);
    }
    g_usleep (10000);
  }
}

static int compare_doubles (gconstpointer a, gconstpointer b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return x < y ? -1 : x > y;
}

static double median (double *values, guint count)
{
  qsort (values, count, sizeof *values, compare_doubles);
  return values[count / 2];
}

static void note_first_packets (const Bench *bench, guint viewers, Result *result)
{
  double times[BENCH_VIEWERS_MAX];
  for (guint i = 0; i < viewers; i++)
    times[i] = (double) bench->shared->first_packet_us[i] / 1000;
  result->first_ms = median (times, viewers);
  result->first_worst_ms = times[viewers - 1];
}

/* The server is up and its cameras send. */
static Result measure (Bench *bench, pid_t server, guint16 viewer_port, guint viewers, gboolean is_floor)
{
  Result result = { 0 };
  pid_t viewer_process = 0;
  wait_for (&bench->shared->playing, bench->cameras, "cameras play");
  g_usleep (SETTLE_US); /* a group of pictures is kept */
  if (viewers > 0) {
    viewer_process = bench_viewers_start (bench->shared, viewer_port, viewers, bench->cameras, is_floor);
    wait_for (&bench->shared->receiving, viewers, "viewers receive");
    if (!is_floor)
      note_first_packets (bench, viewers, &result);
    g_usleep (SETTLE_US);
  }
  gint64 cpu = cpu_ns (server), start = g_get_monotonic_time ();
  g_usleep (bench->seconds * G_USEC_PER_SEC);
  double passed_ns = (double) (g_get_monotonic_time () - start) * 1000;
  result.percent = 100.0 * (double) (cpu_ns (server) - cpu) / passed_ns / bench->cameras;
  result.resident_bytes = resident_bytes (server);
  if (viewers > 0 && bench->shared->not_key > 0)
    fprintf (stderr, "bench_relay: %d viewers did not start with a key frame\n", bench->shared->not_key);
  if (viewer_process > 0) {
    kill (viewer_process, SIGKILL);
    waitpid (viewer_process, NULL, 0);
  }
  return result;
}

static Result measure_floor (Bench *bench, guint viewers)
{
  guint16 port = bench_free_port ();
  g_autofree char *program = g_build_filename (bench->folder, "floor", "relay_floor", NULL);
  g_autofree char *camera_port = g_strdup_printf ("%u", bench->camera_port);
  g_autofree char *cameras = g_strdup_printf ("%u", bench->cameras);
  g_autofree char *viewer_port = g_strdup_printf ("%u", port);
  char *const arguments[] = { program, camera_port, cameras, viewer_port, NULL };
  pid_t server = spawn (arguments, FALSE);
  Result result = measure (bench, server, port, viewers, TRUE);
  stop (server);
  wait_for (&bench->shared->playing, 0, "cameras are left");
  return result;
}

static pid_t start_gridgate (const Bench *bench, const char *runtime_dir, guint16 port)
{
  g_autoptr (GPtrArray) arguments = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (arguments, g_build_filename (bench->folder, "..", "support", "fake-gridgate", NULL));
  g_ptr_array_add (arguments, g_strdup (runtime_dir));
  g_ptr_array_add (arguments, g_strdup_printf ("127.0.0.1:%u", port));
  for (guint i = 0; i < bench->cameras; i++)
    g_ptr_array_add (arguments, g_strdup_printf ("c%u=rtsp://127.0.0.1:%u/cam/%u", i, bench->camera_port, i));
  g_ptr_array_add (arguments, NULL);
  return spawn ((char *const *) arguments->pdata, TRUE);
}

static Result measure_relay (Bench *bench, guint viewers)
{
  guint16 port = bench_free_port ();
  g_autofree char *runtime_dir = g_dir_make_tmp ("bench-relay-XXXXXX", NULL);
  g_autofree char *program = g_build_filename (bench->folder, "..", "..", "gridgate-media", NULL);
  char *const arguments[] = { program, (char *) "--runtime-dir", runtime_dir, NULL };
  pid_t server = spawn (arguments, TRUE);
  pid_t gridgate = start_gridgate (bench, runtime_dir, port);
  Result result = measure (bench, server, port, viewers, FALSE);
  stop (gridgate);
  stop (server);
  rmdir (runtime_dir);
  wait_for (&bench->shared->playing, 0, "cameras are left");
  return result;
}

static void print_row (const Bench *bench, const char *name, guint viewers, double floor, double relay, const Result *last)
{
  printf ("%-28s %10.3f %10.3f %8.2f", name, floor, relay, relay / floor);
  if (viewers > 0)
    printf ("   first packet %.1f ms, worst %.1f ms", last->first_ms, last->first_worst_ms);
  printf ("   %.0f MB\n", (double) last->resident_bytes / 1e6);
  printf ("{\"bench\":\"relay\",\"cameras\":%u,\"viewers\":%u,\"floor_percent\":%.4f,\"relay_percent\":%.4f,\"ratio\":%.3f,"
          "\"first_packet_ms\":%.2f,\"first_packet_worst_ms\":%.2f,\"resident_bytes\":%" G_GINT64_FORMAT "}\n",
          bench->cameras, viewers, floor, relay, relay / floor, last->first_ms, last->first_worst_ms, last->resident_bytes);
  fflush (stdout);
}

static void run_row (Bench *bench, const char *name, guint cameras, guint viewers)
{
  bench->cameras = cameras;
  double floors[ROUNDS_MAX], relays[ROUNDS_MAX];
  Result last = { 0 };
  for (guint i = 0; i < bench->rounds; i++) {
    floors[i] = measure_floor (bench, viewers).percent;
    last = measure_relay (bench, viewers);
    relays[i] = last.percent;
    fprintf (stderr, "round %u, %u viewers: floor %.3f, relay %.3f\n", i + 1, viewers, floors[i], relays[i]);
  }
  print_row (bench, name, viewers, median (floors, bench->rounds), median (relays, bench->rounds), &last);
}

int main (int count, char **arguments)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  Bench bench = { g_path_get_dirname (self), bench_shared_new () };
  bench.seconds = count > 1 ? (guint) CLAMP (atoi (arguments[1]), 1, 600) : 10;
  bench.cameras = count > 2 ? (guint) CLAMP (atoi (arguments[2]), 1, BENCH_CAMERAS_MAX) : 40;
  bench.rounds = count > 3 ? (guint) CLAMP (atoi (arguments[3]), 1, ROUNDS_MAX) : 3;
  signal (SIGPIPE, SIG_IGN);
  pid_t cameras = bench_cameras_start (bench.shared, &bench.camera_port);

  printf ("%u cameras, 1080p25 H.264 2 Mb/s, RTSP over TCP on loopback; percent of one core for each camera\n", bench.cameras);
  printf ("%-28s %10s %10s %8s\n", "", "floor", "relay", "ratio");
  fflush (stdout); /* or each child would print it again */
  guint all = bench.cameras;
  run_row (&bench, "in", all, 0);
  run_row (&bench, "in and out to one viewer", all, all);
  run_row (&bench, "10 cameras, 60 viewers each", CROWD_CAMERAS, CROWD_CAMERAS * CROWD_VIEWERS);
  if (bench.shared->late_frames > 0)
    printf ("%" G_GINT64_FORMAT " frames could not be sent in time: the machine was too busy\n", bench.shared->late_frames);
  stop (cameras);
  return EXIT_SUCCESS;
}
