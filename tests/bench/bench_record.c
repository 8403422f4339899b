/* bench_record: what recording costs, against ffmpeg writing the same segments in the same run; and whether 200 cameras are
 * recorded for minutes without losing anything.
 *
 * usage: bench_record [SECONDS [CAMERAS [LONG_SECONDS [LONG_CAMERAS]]]] (60, 40, 300, 200)
 * CAMERAS of 2 Mb/s recorded as fragmented MP4 in segments of a minute, by gridgate-media (the whole process counts, not what
 * recording adds), then by a process `ffmpeg -c copy` for each camera (the sum); scheduler time over SECONDS after a
 * settling. Then LONG_CAMERAS recorded by gridgate-media with max_bytes 4 GB while one viewer watches the first of them.
 * Writes below the folder for temporary files (TMPDIR): some 5 GB. Build it without sanitizers. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/bench/bench_goal.h"
#include "tests/bench/bench_process.h"
#include "tests/bench/bench_server.h"
#include "tests/support/folder.h"

enum {
  SETTLE_US = 5 * G_USEC_PER_SEC,
  HASTE_S = 4, /* who measures for less only tries out whether it works */
  HASTY_SETTLE_US = G_USEC_PER_SEC,
  LIST_EVERY_S = 20,                /* fake-gridgate lists the last forty seconds each time: nothing is overlooked */
  LIST_US = 3 * G_USEC_PER_SEC / 2, /* until it has printed them */
};
static const gint64 max_bytes = 4 * G_GINT64_CONSTANT (1000000000);

typedef struct {
  BenchShared *shared;
  guint16 camera_port;
  guint seconds, cameras, long_seconds, long_cameras;
} Bench;

typedef struct {
  double percent, written_mbyte_per_s, resident_mb;
  gint64 late_frames;
} Cost;

typedef struct {
  gint64 cpu_ns, written_bytes, at_us;
} Reading;

static Reading read_all (const pid_t *pids, guint count)
{
  Reading reading = { .at_us = g_get_monotonic_time () };
  for (guint i = 0; i < count; i++) {
    reading.cpu_ns += bench_cpu_ns (pids[i]);
    reading.written_bytes += bench_written_bytes (pids[i]);
  }
  return reading;
}

static Cost cost_between (const Reading *before, const Reading *after)
{
  double passed_us = (double) (after->at_us - before->at_us);
  return (Cost){ .percent = (double) (after->cpu_ns - before->cpu_ns) / 10 / passed_us,
                 .written_mbyte_per_s = (double) (after->written_bytes - before->written_bytes) / passed_us };
}

static void settle (guint seconds)
{
  g_usleep (seconds > HASTE_S ? SETTLE_US : HASTY_SETTLE_US);
}

/* All cameras play. */
static Cost measure (const Bench *bench, const pid_t *pids, guint count)
{
  settle (bench->seconds);
  gint64 late = bench->shared->late_frames;
  Reading before = read_all (pids, count);
  g_usleep (bench->seconds * G_USEC_PER_SEC);
  Reading after = read_all (pids, count);
  Cost cost = cost_between (&before, &after);
  for (guint i = 0; i < count; i++)
    cost.resident_mb += (double) bench_resident_bytes (pids[i]) / 1e6;
  cost.late_frames = bench->shared->late_frames - late;
  return cost;
}

static void print_cost (const char *name, const Cost *cost)
{
  printf ("  %-9s %7.2f %% of a core, %6.1f MB resident, %5.1f MB/s to the disk, %" G_GINT64_FORMAT " late frames\n", name,
          cost->percent, cost->resident_mb, cost->written_mbyte_per_s, cost->late_frames);
  fflush (stdout);
}

static json_t *cost_json (const Cost *cost)
{
  return json_pack ("{s:f, s:f, s:f, s:I}", "percent_of_a_core", cost->percent, "resident_mb", cost->resident_mb,
                    "written_mbyte_per_s", cost->written_mbyte_per_s, "late_frames", (json_int_t) cost->late_frames);
}

/* ---- gridgate against ffmpeg ---- */

static Cost measure_gridgate (const Bench *bench)
{
  const BenchServerPlan plan = { BENCH_GRIDGATE, bench->camera_port, bench->cameras, FALSE, TRUE, 0 };
  BenchServer *server = bench_server_start (&plan);
  bench_wait_for (&bench->shared->playing, bench->cameras, "cameras play");
  Cost cost = measure (bench, &server->pid, 1);
  bench_server_stop (server);
  bench_wait_for (&bench->shared->playing, 0, "cameras are left");
  print_cost ("gridgate", &cost);
  return cost;
}

/* Fragments as gridgate writes them: a file that is readable up to the last one, whatever happens. */
static pid_t start_ffmpeg (const Bench *bench, const char *folder, guint camera)
{
  g_autofree char *url = g_strdup_printf ("rtsp://127.0.0.1:%u/cam/%u", bench->camera_port, camera);
  g_autofree char *files = g_strdup_printf ("%s/c%u-%%03d.mp4", folder, camera);
  g_autofree char *log = g_strdup_printf ("%s/c%u.log", folder, camera);
  return bench_spawn ((const char *[]){ "ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", url, "-c", "copy", "-f",
                                        "segment", "-segment_time", "60", "-segment_format", "mp4", "-segment_format_options",
                                        "movflags=+frag_keyframe+empty_moov+default_base_moof:frag_duration=1000000", files, NULL },
                      log);
}

static Cost measure_ffmpeg (const Bench *bench)
{
  g_autofree pid_t *pids = g_new0 (pid_t, bench->cameras);
  char *folder = folder_make_temporary ();
  for (guint i = 0; i < bench->cameras; i++)
    pids[i] = start_ffmpeg (bench, folder, i);
  bench_wait_for (&bench->shared->playing, bench->cameras, "cameras play to ffmpeg");
  Cost cost = measure (bench, pids, bench->cameras);
  for (guint i = 0; i < bench->cameras; i++)
    bench_stop (pids[i]);
  bench_wait_for (&bench->shared->playing, 0, "cameras are left");
  folder_drop (folder);
  print_cost ("ffmpeg", &cost);
  return cost;
}

static void compare (const Bench *bench)
{
  g_autofree char *row = g_strdup_printf ("recording %u cameras as fMP4, CPU", bench->cameras);
  BenchGoal goal = { "record", row, "x ffmpeg", 0.5, 0 };
  g_autofree char *ffmpeg_path = g_find_program_in_path ("ffmpeg");
  printf ("%s, segments of 60 s, %u s each\n", row, bench->seconds);
  Cost gridgate = measure_gridgate (bench);
  if (ffmpeg_path == NULL) {
    bench_goal_skip (&goal, "ffmpeg is not on PATH");
    return;
  }
  Cost ffmpeg = measure_ffmpeg (bench);
  goal.figure = gridgate.percent / MAX (ffmpeg.percent, 1e-6);
  bench_goal_print (&goal, json_pack ("{s:o, s:o}", "gridgate", cost_json (&gridgate), "ffmpeg", cost_json (&ffmpeg)));
}

/* ---- many cameras for minutes ---- */

typedef struct {
  GHashTable *statistics; /* camera → the last camera_statistics */
  guint lists, spans_missing, gaps, stops;
} Told;

/* What lies before the first span has gone for space; from there on there must be one span, and no gap. */
static void take_list (Told *told, const json_t *event)
{
  const json_t *spans = json_object_get (event, "spans"), *gap;
  gsize index;
  told->lists++;
  if (json_array_size (spans) != 1) {
    told->spans_missing++;
    return;
  }
  json_int_t from = json_integer_value (json_array_get (json_array_get (spans, 0), 0));
  json_array_foreach (json_object_get (event, "gaps"), index, gap)
    told->gaps += json_integer_value (json_array_get (gap, 1)) > from;
}

static void take_event (Told *told, json_t *event)
{
  const char *kind = json_string_value (json_object_get (event, "kind"));
  const char *camera = json_string_value (json_object_get (event, "camera"));
  if (g_strcmp0 (kind, "camera_statistics") == 0 && camera != NULL)
    g_hash_table_replace (told->statistics, g_strdup (camera), json_incref (event));
  else if (g_strcmp0 (kind, "recordings_list") == 0)
    take_list (told, event);
  else if (g_strcmp0 (kind, "recording_state") == 0)
    told->stops += g_strcmp0 (json_string_value (json_object_get (event, "state")), "stopped") == 0;
}

static Told read_events (const char *path)
{
  Told told = { .statistics = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) json_decref) };
  g_autofree char *text = NULL;
  g_file_get_contents (path, &text, NULL, NULL);
  g_auto (GStrv) lines = g_strsplit (text != NULL ? text : "", "\n", -1);
  for (char **line = lines; *line != NULL; line++) {
    json_t *event = **line == '{' ? json_loads (*line, 0, NULL) : NULL;
    if (event != NULL)
      take_event (&told, event);
    json_decref (event);
  }
  return told;
}

static gint64 sum_of (const Told *told, const char *field)
{
  GHashTableIter iterator;
  gpointer value;
  gint64 sum = 0;
  g_hash_table_iter_init (&iterator, told->statistics);
  while (g_hash_table_iter_next (&iterator, NULL, &value))
    sum += json_integer_value (json_object_get (value, field));
  return sum;
}

/* While it runs, the index is asked again and again: at the end most of what was written has gone for space. */
static void watch_for (const Bench *bench, const BenchServer *server)
{
  for (guint passed = 0; passed < bench->long_seconds; passed += LIST_EVERY_S) {
    g_usleep (MIN (LIST_EVERY_S, bench->long_seconds - passed) * G_USEC_PER_SEC);
    kill (server->decider, SIGUSR1);
  }
}

static void report_long (const Bench *bench, const Told *told, const Cost *cost)
{
  gint64 lost = sum_of (told, "lost_packets") + sum_of (told, "malformed_packets");
  gint64 reconnects = sum_of (told, "connects") - (gint64) g_hash_table_size (told->statistics);
  gint64 received_mb = sum_of (told, "received_bytes") / 1000000;
  double worst_ms = (double) bench->shared->packets.worst_us / 1000;
  guint unheard = bench->long_cameras - MIN (g_hash_table_size (told->statistics), bench->long_cameras);
  print_cost ("gridgate", cost);
  printf ("  %" G_GINT64_FORMAT " MB received; packets lost or malformed %" G_GINT64_FORMAT ", reconnects %" G_GINT64_FORMAT
          ", cameras without figures %u; of %u looks into the index %u without one unbroken span, gaps %u, stops of recording %u; "
          "worst delay of a packet to a viewer beside it %.1f ms\n",
          received_mb, lost, reconnects, unheard, told->lists, told->spans_missing, told->gaps, told->stops, worst_ms);
  g_autofree char *row = g_strdup_printf ("%u cameras, all recorded, %u s: things dropped", bench->long_cameras, bench->long_seconds);
  double dropped = (double) (lost + reconnects) + unheard + told->spans_missing + told->gaps + told->stops
                   + (told->lists == 0 ? 1 : 0);
  json_t *details = json_pack ("{s:o, s:I, s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:f}", "gridgate", cost_json (cost), "received_mb",
                               (json_int_t) received_mb, "lost_packets", (json_int_t) lost, "reconnects",
                               (json_int_t) reconnects, "cameras_without_figures", (int) unheard, "index_looks",
                               (int) told->lists, "broken_spans", (int) told->spans_missing, "gaps", (int) told->gaps,
                               "recording_stops", (int) told->stops, "worst_viewer_delay_ms", worst_ms);
  bench_goal_print (&(BenchGoal){ "record", row, "dropped", 0, dropped }, details);
}

/* FALSE: nothing was told, so nothing is known. */
static gboolean hold (const Bench *bench)
{
  const BenchServerPlan plan = { BENCH_GRIDGATE, bench->camera_port, bench->long_cameras, FALSE, TRUE, max_bytes };
  printf ("%u cameras, all recorded, max_bytes 4 GB, for %u s\n", bench->long_cameras, bench->long_seconds);
  fflush (stdout);
  BenchServer *server = bench_server_start (&plan);
  bench_wait_for (&bench->shared->playing, bench->long_cameras, "cameras play");
  const BenchViewers viewer = { server->port, 1, 1, BENCH_RTSP_TCP, 0 };
  pid_t viewers = bench_viewers_start (bench->shared, &viewer);
  settle (bench->long_seconds);
  memset (&bench->shared->packets, 0, sizeof bench->shared->packets);
  g_atomic_int_set (&bench->shared->is_measuring, TRUE);
  gint64 late = bench->shared->late_frames;
  Reading before = read_all (&server->pid, 1);
  watch_for (bench, server);
  Reading after = read_all (&server->pid, 1);
  Cost cost = cost_between (&before, &after);
  cost.resident_mb = (double) bench_resident_bytes (server->pid) / 1e6;
  cost.late_frames = bench->shared->late_frames - late;
  g_usleep (LIST_US);
  kill (viewers, SIGKILL);
  waitpid (viewers, NULL, 0);
  Told told = read_events (server->events);
  report_long (bench, &told, &cost);
  g_hash_table_unref (told.statistics);
  bench_server_stop (server);
  return told.lists > 0;
}

static guint number (int count, char **arguments, int index, guint otherwise, guint most)
{
  return count > index ? (guint) CLAMP (atoi (arguments[index]), 1, (int) most) : otherwise;
}

int main (int count, char **arguments)
{
  Bench bench = { .shared = bench_shared_new () };
  bench.seconds = number (count, arguments, 1, 60, 3600);
  bench.cameras = number (count, arguments, 2, 40, BENCH_CAMERAS_MAX);
  bench.long_seconds = number (count, arguments, 3, 300, 24 * 3600);
  bench.long_cameras = number (count, arguments, 4, BENCH_CAMERAS_MAX, BENCH_CAMERAS_MAX);
  signal (SIGPIPE, SIG_IGN);
  pid_t cameras = bench_cameras_start (bench.shared, &bench.camera_port);
  compare (&bench);
  gboolean is_told = hold (&bench);
  bench_stop (cameras);
  return is_told ? EXIT_SUCCESS : EXIT_FAILURE;
}
