/* bench_sensors: what a message of a sensor costs, how many there can be, how soon an incident follows, what is kept of each.
 *
 *   bench_sensors [SECONDS [ROUNDS [READINGS]]]     60, 3 and 200 if not given; SECONDS is how long messages are sustained
 *
 * A real mosquitto, a real gateway and the disk of this machine. Messages of one publisher (sensors_publisher) go to the floor or
 * to the gateway, which take turns. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/observe/observation_compact.h"
#include "tests/bench/bench_goal.h"
#include "tests/bench/bench_incident.h"
#include "tests/bench/bench_process.h"
#include "tests/support/folder.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"

enum { SENSORS = 1000, START_S = 60, SETTLE_S = 60, POLL_MS = 50, CPU_RATE = 5000, BACKGROUND_RATE = 2000, GOAL_RATE = 15000,
       SUSTAIN_RATE = 15500, DURABLE_S = 5 };

typedef struct {
  guint seconds, rounds, readings;
  const char *root; /* folder of everything */
} Bench;

/* Who receives: the gateway, or the floor with its counter. */
typedef struct {
  char *folder, *data;
  Mosquitto *village, *center;
  Process *process;
  guint64 *counter; /* the floor's */
} Subject;

/* --- the site --- */

static const char *const conditions[] = {
  "above: 91",  "above: 92", "above: 93", "above: 94, for: 10s", "above: 95, clear: 90", "below: -1", "outside: [-5, 95]",
  "rise: 200, within: 10m", "above: 97, count: 3, within: 10m", "silent: 1h",
};

static void write_rules (GString *text)
{
  g_string_append (text, "rules:\n  - {id: flood, category: flood, match: {metric: alarm_level}, when: {above: 3.2}}\n");
  for (guint i = 0; i < G_N_ELEMENTS (conditions); i++)
    g_string_append_printf (text, "  - {id: rule-%u, category: flood, match: {metric: level}, when: {%s}}\n", i, conditions[i]);
}

static char *write_site (const Subject *subject, guint sensors, gboolean is_durable, guint readings)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_string_append_printf (text,
                          "gateway: {id: bench, division: \"1\", name: bench, data_dir: %s, runtime_dir: %s/run}\n"
                          "http: {listen: \"127.0.0.1:%d\"}\nrtsp: {listen: \"127.0.0.1:%d\"}\n"
                          "brokers: [{id: village, url: \"mqtt://127.0.0.1:%d\"}]\n"
                          "centers: [{id: center, url: \"mqtt://127.0.0.1:%d\"}]\n",
                          subject->data, subject->folder, port_free (), port_free (), mosquitto_port (subject->village),
                          mosquitto_port (subject->center));
  write_rules (text);
  g_string_append (text, "grids:\n  - {id: plain, parent: \"1\"}\n");
  bench_incident_grids (text, readings);
  g_string_append (text, "sensors:\n");
  for (guint i = 0; i < sensors; i++)
    g_string_append_printf (text, "  - {id: sensor-%u, grid: plain, broker: village, topic: bench/%u, format: json, durable: %s,"
                                  " silent_after: 1h, metrics: [{name: level, path: $.level, unit: m}]}\n",
                            i, i, is_durable ? "true" : "false");
  bench_incident_sensors (text, readings);
  char *path = g_build_filename (subject->folder, "site.yaml", NULL);
  if (!g_file_set_contents (path, text->str, -1, NULL))
    exit (EXIT_FAILURE);
  return path;
}

/* --- who receives --- */

static Subject *subject_new (const Bench *bench, const char *name)
{
  Subject *subject = g_new0 (Subject, 1);
  subject->folder = g_build_filename (bench->root, name, NULL);
  subject->data = g_build_filename (subject->folder, "data", NULL);
  g_mkdir_with_parents (subject->data, 0700);
  subject->village = mosquitto_start (subject->folder, NULL);
  subject->center = mosquitto_start (subject->folder, NULL);
  return subject;
}

static void subject_free (Subject *subject)
{
  if (subject->process != NULL)
    process_end (subject->process, SIGTERM, SETTLE_S);
  process_free (subject->process);
  mosquitto_free (subject->village);
  mosquitto_free (subject->center);
  if (subject->counter != NULL)
    munmap (subject->counter, sizeof *subject->counter);
  g_free (subject->data);
  g_free (subject->folder);
  g_free (subject);
}

static gint64 count_in_account (const Subject *subject, const char *outcome)
{
  g_autofree char *path = g_build_filename (subject->data, "gridgate.db", NULL);
  g_autoptr (Database) database = database_open (path, DATABASE_READER, NULL);
  return database == NULL ? 0
    : database_integer (database, 0,
                        "SELECT coalesce (sum (count), 0) FROM accounts_of_messages WHERE broker = 'village' AND sensor = ''"
                        " AND outcome = ?", "s", outcome);
}

/* Read from outside, so that it costs the gateway nothing: as of its last commit. */
static gint64 received (const Subject *subject)
{
  if (subject->counter != NULL)
    return (gint64) __atomic_load_n (subject->counter, __ATOMIC_RELAXED);
  return count_in_account (subject, "stored") + count_in_account (subject, "dropped") + count_in_account (subject, "rejected");
}

static Process *start_publisher (const Subject *subject, guint rate, guint64 messages, guint sensors)
{
  g_autofree char *folder = bench_folder ();
  g_autofree char *program = g_build_filename (folder, "sensors_publisher", NULL);
  g_autofree char *port = g_strdup_printf ("%d", mosquitto_port (subject->village));
  g_autofree char *rate_text = g_strdup_printf ("%u", rate), *count = g_strdup_printf ("%" G_GUINT64_FORMAT, messages),
             *sensors_text = g_strdup_printf ("%u", sensors);
  return process_start (subject->folder, (const char *[]){ program, port, rate_text, count, sensors_text, NULL });
}

/* Until so many more have come, or nothing comes any more. Returns the seconds since the start of the wait at the last. */
static double wait_for_received (const Subject *subject, gint64 wanted, guint seconds)
{
  gint64 start_us = g_get_monotonic_time (), last_us = start_us, last = received (subject), now = last;
  gint64 until_us = start_us + (seconds + SETTLE_S) * G_USEC_PER_SEC;
  while (now < wanted && g_get_monotonic_time () < until_us) {
    g_usleep (POLL_MS * 1000);
    now = received (subject);
    if (now != last)
      last_us = g_get_monotonic_time ();
    last = now;
  }
  if (now < wanted)
    fprintf (stderr, "bench_sensors: %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " messages have come\n", now, wanted);
  return (double) (last_us - start_us) / G_USEC_PER_SEC;
}

static void publish_and_wait (const Subject *subject, guint rate, guint64 messages, guint sensors, double *seconds)
{
  gint64 wanted = received (subject) + (gint64) messages;
  guint expected = rate > 0 ? (guint) (messages / rate) : 0;
  Process *publisher = start_publisher (subject, rate, messages, sensors);
  double needed = wait_for_received (subject, wanted, expected);
  if (process_wait (publisher, (int) expected + SETTLE_S) != 0)
    exit (EXIT_FAILURE);
  process_free (publisher);
  if (seconds != NULL)
    *seconds = needed;
}

static Subject *start_gateway (const Bench *bench, const char *name, guint sensors, gboolean is_durable, guint readings)
{
  Subject *subject = subject_new (bench, name);
  g_autofree char *site = write_site (subject, sensors, is_durable, readings);
  g_autofree char *program = bench_program ("gridgate");
  subject->process = process_start (subject->folder, (const char *[]){ program, "run", "-c", site, NULL });
  g_free (process_wait_for (subject->process, "subscribed to", START_S));
  publish_and_wait (subject, BACKGROUND_RATE, (guint64) 5 * sensors, sensors, NULL); /* each has been heard */
  return subject;
}

static Subject *start_floor (const Bench *bench)
{
  Subject *subject = subject_new (bench, "floor");
  g_autofree char *path = g_build_filename (subject->folder, "count", NULL);
  g_autofree char *folder = bench_folder ();
  g_autofree char *program = g_build_filename (folder, "floor", "sensors_floor", NULL);
  g_autofree char *port = g_strdup_printf ("%d", mosquitto_port (subject->village));
  int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate (fd, sizeof *subject->counter) != 0)
    exit (EXIT_FAILURE);
  subject->counter = mmap (NULL, sizeof *subject->counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close (fd);
  subject->process = process_start (subject->folder, (const char *[]){ program, port, path, NULL });
  while (received (subject) == 0) /* the subscription has no other sign */
    mosquitto_publish (subject->village, "bench/0", "{}", NULL);
  publish_and_wait (subject, 0, 5 * SENSORS, SENSORS, NULL);
  return subject;
}

/* --- the rows --- */

static double cpu_us_per_message (const Subject *subject, guint messages)
{
  gint64 before = bench_cpu_ns (process_pid (subject->process));
  publish_and_wait (subject, CPU_RATE, messages, SENSORS, NULL);
  return (double) (bench_cpu_ns (process_pid (subject->process)) - before) / 1000 / messages;
}

static void measure_cpu (const Bench *bench, const Subject *gateway, const Subject *floor)
{
  g_autofree double *of_gateway = g_new (double, bench->rounds), *of_floor = g_new (double, bench->rounds);
  guint messages = CPU_RATE * MIN (bench->seconds, 10);
  for (guint round = 0; round < bench->rounds; round++) {
    of_floor[round] = cpu_us_per_message (floor, messages);
    of_gateway[round] = cpu_us_per_message (gateway, messages);
  }
  double gateway_us = bench_median (of_gateway, bench->rounds), floor_us = bench_median (of_floor, bench->rounds);
  BenchGoal goal = { .bench = "sensors", .row = "CPU per QoS 1 message, 1,000 sensors, ten rules, stored", .unit = "x floor",
                     .at_most = 1.5, .figure = gateway_us / floor_us };
  printf ("CPU a message at %d/s: gridgate %.1f us, a counting subscriber %.1f us\n", CPU_RATE, gateway_us, floor_us);
  bench_goal_print (&goal, json_pack ("{s:f, s:f, s:i}", "gridgate_us", gateway_us, "floor_us", floor_us, "rate", CPU_RATE));
}

static void measure_sustained (const Bench *bench, const Subject *gateway, const Subject *floor)
{
  guint64 messages = (guint64) SUSTAIN_RATE * bench->seconds;
  double seconds, floor_seconds;
  gint64 dropped_before = count_in_account (gateway, "dropped");
  publish_and_wait (floor, 0, messages, SENSORS, &floor_seconds);
  publish_and_wait (gateway, SUSTAIN_RATE, messages, SENSORS, &seconds);
  gint64 dropped = count_in_account (gateway, "dropped") - dropped_before;
  double rate = (double) ((gint64) messages - dropped) / seconds;
  printf ("durable: false: %.0f messages/s for %u s, %" G_GINT64_FORMAT " dropped; a counting subscriber takes %.0f/s\n", rate,
          bench->seconds, dropped, (double) messages / floor_seconds);
  BenchGoal goal = { .bench = "sensors", .row = "sustained, durable: false", .unit = "msg/s", .at_least = GOAL_RATE, .figure = rate };
  BenchGoal none = { .bench = "sensors", .row = "… dropped of them", .unit = "messages", .at_most = 0, .figure = (double) dropped };
  bench_goal_print (&goal, json_pack ("{s:i, s:f}", "seconds", (int) bench->seconds, "floor_rate", (double) messages / floor_seconds));
  bench_goal_print (&none, NULL);
}

static void measure_durable (const Bench *bench)
{
  Subject *gateway = start_gateway (bench, "durable", SENSORS, TRUE, 0);
  double seconds, one_commit_ms = bench_commit_ms (gateway->folder);
  guint64 messages = MAX ((guint64) (MIN (bench->seconds, DURABLE_S) * 1000 / one_commit_ms), 100);
  publish_and_wait (gateway, 0, messages, SENSORS, &seconds);
  double rate = (double) messages / seconds;
  printf ("durable: true: %.0f messages/s; a commit takes %.3f ms\n", rate, one_commit_ms);
  BenchGoal goal = { .bench = "sensors", .row = "sustained, durable: true", .unit = "x 1/commit", .at_least = 0.8,
                     .figure = rate * one_commit_ms / 1000 };
  bench_goal_print (&goal, json_pack ("{s:f, s:f, s:I}", "rate", rate, "commit_ms", one_commit_ms, "messages", (json_int_t) messages));
  subject_free (gateway);
}

static void measure_incidents (const Bench *bench)
{
  /* What is behind the alarms is not durable: as many durable ones a second there can't be where an fsync takes 4 ms. */
  Subject *gateway = start_gateway (bench, "incidents", SENSORS, FALSE, bench->readings);
  double one_commit_ms = bench_commit_ms (gateway->folder);
  guint64 enough = (guint64) BACKGROUND_RATE * (bench->readings / 2 + 60);
  Process *background = start_publisher (gateway, BACKGROUND_RATE, enough, SENSORS);
  GArray *delays = bench_incident_delays (mosquitto_port (gateway->village), mosquitto_port (gateway->center), "bench",
                                          bench->readings);
  process_end (background, SIGKILL, SETTLE_S);
  process_free (background);
  double p50 = bench_quantile ((double *) delays->data, delays->len, 0.5), p99 = bench_quantile ((double *) delays->data, delays->len, 0.99);
  printf ("publish to incident at the center beside %d messages/s: p50 %.1f ms, p99 %.1f ms; a commit takes %.3f ms\n", BACKGROUND_RATE,
          p50, p99, one_commit_ms);
  BenchGoal median = { .bench = "sensors", .row = "publish to incident at the center, p50", .unit = "ms", .at_most = 15, .figure = p50 };
  BenchGoal worst = { .bench = "sensors", .row = "publish to incident at the center, p99", .unit = "ms", .at_most = 60, .figure = p99 };
  bench_goal_print (&median, json_pack ("{s:f, s:i}", "commit_ms", one_commit_ms, "readings", (int) delays->len));
  bench_goal_print (&worst, NULL);
  g_array_unref (delays);
  subject_free (gateway);
}

static void measure_memory (const Bench *bench, gint64 resident_of_all)
{
  Subject *one = start_gateway (bench, "one", 1, FALSE, 0);
  gint64 resident_of_one = bench_resident_bytes (process_pid (one->process));
  BenchGoal goal = { .bench = "sensors", .row = "memory of a sensor with ten rules", .unit = "KiB", .at_most = 8,
                     .figure = (double) (resident_of_all - resident_of_one) / (SENSORS - 1) / 1024 };
  printf ("resident: %.1f MB with %d sensors, %.1f MB with one\n", (double) resident_of_all / 1e6, SENSORS, (double) resident_of_one / 1e6);
  bench_goal_print (&goal, json_pack ("{s:I, s:I}", "all_bytes", (json_int_t) resident_of_all, "one_bytes", (json_int_t) resident_of_one));
  subject_free (one);
}

static void measure_files (const char *data, const char *row, double at_most)
{
  g_autoptr (GDir) folder = g_dir_open (data, 0, NULL);
  const char *name;
  gint64 bytes = 0, rows = 0;
  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL) {
    if (!g_str_has_prefix (name, "observations-"))
      continue;
    g_autofree char *path = g_build_filename (data, name, NULL);
    struct stat status;
    bytes += stat (path, &status) == 0 ? status.st_size : 0;
    g_autoptr (Database) database = g_str_has_suffix (name, ".db") ? database_open (path, DATABASE_READER, NULL) : NULL;
    rows += database != NULL ? database_integer (database, 0, "SELECT count(*) FROM observations", "") : 0;
  }
  BenchGoal goal = { .bench = "sensors", .row = row, .unit = "bytes", .at_most = at_most,
                     .figure = rows > 0 ? (double) bytes / (double) rows : G_MAXDOUBLE };
  bench_goal_print (&goal, json_pack ("{s:I, s:I}", "bytes", (json_int_t) bytes, "rows", (json_int_t) rows));
}

/* Of the files of a gateway that has ended: nothing is left in a log beside them. Then what it would make of them once two
 * newer days were there. */
static void measure_disk (const char *data)
{
  measure_files (data, "disk for a stored number, on the day", 64);
  g_autoptr (GPtrArray) paths = observation_files_list (data);
  for (guint i = 0; i < paths->len; i++) {
    g_autoptr (GError) error = NULL;
    CompactResult result;
    if (!observation_compact_write (paths->pdata[i], NULL, &result, &error) || !observation_compact_publish (paths->pdata[i], &error)) {
      fprintf (stderr, "%s\n", error->message);
      exit (EXIT_FAILURE);
    }
    observation_file_remove (paths->pdata[i]);
  }
  measure_files (data, "disk for a stored number, the day closed and compact", 40);
}

static void measure_fast (const Bench *bench)
{
  Subject *gateway = start_gateway (bench, "fast", SENSORS, FALSE, 0), *floor = start_floor (bench);
  gint64 resident = bench_resident_bytes (process_pid (gateway->process));
  measure_cpu (bench, gateway, floor);
  measure_sustained (bench, gateway, floor);
  g_autofree char *data = g_strdup (gateway->data);
  subject_free (gateway);
  subject_free (floor);
  measure_disk (data);
  measure_memory (bench, resident);
}

static guint argument (int count, char **arguments, int index, guint otherwise)
{
  return count > index ? (guint) MAX (atoi (arguments[index]), 1) : otherwise;
}

int main (int count, char **arguments)
{
  char *root = folder_make_temporary ();
  Bench bench = { .seconds = argument (count, arguments, 1, 60), .rounds = argument (count, arguments, 2, 3),
                  .readings = argument (count, arguments, 3, 200), .root = root };
  setvbuf (stdout, NULL, _IOLBF, 0);
  measure_fast (&bench);
  measure_durable (&bench);
  measure_incidents (&bench);
  folder_drop (root);
  return 0;
}
