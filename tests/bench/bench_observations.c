/* bench_observations: how long a month of one sensor takes, at one reading a minute beside 199 others: 9 million rows, stored as
 * the gateway stores them. First with all days as they are written, then as the gateway keeps them: all but the newest two compact.
 *
 *   bench_observations [SENSORS [DAYS]]      200 and 31 if not given
 *
 * Asked for are hourly buckets, the first page of 1,000, and all of it as CSV; warm, and cold: without any of the files in
 * the page cache. The floor is one walk over the same rows that only counts them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/observe/observation_compact.h"
#include "gateway/observe/observation_files.h"
#include "gateway/observe/observation_keeper.h"
#include "gateway/observe/observation_read.h"
#include "gateway/observe/observe.h"
#include "tests/bench/bench_goal.h"
#include "tests/support/folder.h"

enum { SENSORS = 200, DAYS = 31, RUNS = 11, BATCH_MINUTES = 10, DAY_MINUTES = 24 * 60, GOAL_MS = 50 };

static const gint64 start_us = G_GINT64_CONSTANT (1777593600000000); /* 2026-05-01T00:00:00Z */

typedef struct {
  const char *folder;
  guint sensors, days;
} Bench;

typedef gsize (*Ask) (const Bench *bench);

/* Each sensor's minutes have their own second, its messages some ms of way. */
static void store_minute (ObservationFiles *files, const Bench *bench, guint minute, GRand *random)
{
  for (guint sensor = 0; sensor < bench->sensors; sensor++) {
    char id[16];
    g_snprintf (id, sizeof id, "level-%u", sensor);
    g_autoptr (Observation) one = observation_new (id, "water_level");
    one->phenomenon_time_us = start_us + minute * G_TIME_SPAN_MINUTE + sensor * 300 * 1000;
    one->receive_time_us = one->phenomenon_time_us + g_rand_int_range (random, 5, 200) * 1000;
    one->value = g_rand_int_range (random, 0, 50000) / 1e4;
    one->unit = g_strdup ("m");
    one->sequence = -1;
    if (!observation_files_add (files, one, FIRST_OF_SENSOR | FIRST_OF_MESSAGE, NULL))
      exit (EXIT_FAILURE);
  }
}

static void store_all (const Bench *bench)
{
  ObservationFiles *files = observation_files_new (bench->folder, 0, NULL);
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  for (guint minute = 0; minute < bench->days * DAY_MINUTES; minute += BATCH_MINUTES) {
    if (!observation_files_begin (files, start_us + minute * G_TIME_SPAN_MINUTE, NULL))
      exit (EXIT_FAILURE);
    for (guint i = 0; i < BATCH_MINUTES; i++)
      store_minute (files, bench, minute + i, random);
    if (!observation_files_commit (files, NULL))
      exit (EXIT_FAILURE);
  }
  observation_files_free (files);
}

/* The longest time that the work goes on without a pause is what others on this machine may have to wait for the processor. */
typedef struct {
  gint64 at_us, longest_us;
} Watch;

static gboolean look (gpointer data)
{
  Watch *watch = data;
  gint64 now_us = g_get_monotonic_time ();
  watch->longest_us = MAX (watch->longest_us, now_us - watch->at_us);
  watch->at_us = now_us;
  return TRUE;
}

static void compact_all (const Bench *bench)
{
  g_autoptr (GPtrArray) paths = observation_files_list (bench->folder);
  gint64 before_us = g_get_monotonic_time (), bytes = 0, rows = 0;
  Watch watch = { before_us, 0 };
  for (guint i = 0; i + OBSERVATION_DAYS_RAW < paths->len; i++) {
    CompactResult result;
    struct stat status;
    const CompactWork work = { &watch, NULL, look, FALSE };
    g_autofree char *compact = observation_compact_path (paths->pdata[i]);
    if (!observation_compact_write (paths->pdata[i], &work, &result, NULL) || !observation_compact_publish (paths->pdata[i], NULL)
        || stat (compact, &status) != 0)
      exit (EXIT_FAILURE);
    observation_file_remove (paths->pdata[i]);
    bytes += status.st_size;
    rows += result.kept;
  }
  double seconds = (double) (g_get_monotonic_time () - before_us) / G_USEC_PER_SEC;
  printf ("compact: %.1f bytes a number, %.0f rows/s, %.1f ms at most without a pause\n", (double) bytes / (double) MAX (rows, 1),
          (double) rows / seconds, (double) watch.longest_us / 1000);
}

static void forget_pages (const Bench *bench)
{
  g_autoptr (GPtrArray) paths = observation_files_list (bench->folder);
  sync ();
  for (guint i = 0; i < paths->len; i++) {
    int fd = open (paths->pdata[i], O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && posix_fadvise (fd, 0, 0, POSIX_FADV_DONTNEED) == 0)
      close (fd);
  }
}

/* --- what is asked --- */

static ObservationSpan month_of (const Bench *bench, gint64 every_us)
{
  return (ObservationSpan){ "level-7", "water_level", start_us, start_us + bench->days * G_TIME_SPAN_DAY, every_us };
}

static gsize text_of (json_t *answer)
{
  char *text = json_dumps (answer, JSON_COMPACT | JSON_REAL_PRECISION (15));
  gsize items = json_array_size (json_object_get (answer, "items"));
  free (text);
  json_decref (answer);
  return items;
}

static gsize ask_buckets (const Bench *bench)
{
  ObservationSpan span = month_of (bench, G_TIME_SPAN_HOUR);
  return text_of (observation_buckets (bench->folder, &span, NULL));
}

static gsize ask_page (const Bench *bench)
{
  ObservationQuery query = { "level-7", "water_level", start_us, start_us + bench->days * G_TIME_SPAN_DAY, 1000, NULL };
  return text_of (observe_query (bench->folder, "bench", &query, NULL));
}

static gboolean count_lines (const char *text, gsize size, gpointer data)
{
  for (gsize i = 0; i < size; i++)
    *(gsize *) data += text[i] == '\n' ? 1 : 0;
  return TRUE;
}

static gsize ask_csv (const Bench *bench)
{
  gsize lines = 0;
  ObservationSpan span = month_of (bench, 0);
  return observation_export (bench->folder, &span, count_lines, &lines, NULL) ? lines - 1 : 0;
}

static gsize ask_count (const Bench *bench)
{
  g_autoptr (GPtrArray) paths = observation_files_list (bench->folder);
  gsize rows = 0;
  for (guint i = 0; i < paths->len; i++) {
    g_autoptr (Database) database = observation_file_open (paths->pdata[i], NULL);
    rows += (gsize) database_integer (database, 0, "SELECT count(value) FROM observations WHERE series ="
                                      " (SELECT id FROM series WHERE sensor = 'level-7')", "");
  }
  return rows;
}

/* --- the rows --- */

static int compare (gconstpointer a, gconstpointer b)
{
  double one = *(const double *) a, other = *(const double *) b;
  return one < other ? -1 : one > other;
}

static double median_ms (const Bench *bench, Ask ask, gboolean is_cold, gsize expected)
{
  double took_ms[RUNS];
  for (guint run = 0; run < RUNS; run++) {
    if (is_cold)
      forget_pages (bench);
    gint64 at_us = g_get_monotonic_time ();
    if (ask (bench) != expected)
      exit (EXIT_FAILURE);
    took_ms[run] = (double) (g_get_monotonic_time () - at_us) / 1000;
  }
  qsort (took_ms, RUNS, sizeof took_ms[0], compare);
  return took_ms[RUNS / 2];
}

static void measure (const Bench *bench, const char *form, gboolean has_goal)
{
  const struct {
    const char *name;
    Ask ask;
    gsize expected;
  } asked[] = {
    { "in hourly buckets", ask_buckets, bench->days * 24 },
    { "as CSV", ask_csv, bench->days * DAY_MINUTES },
    { "a page of 1,000", ask_page, 1000 },
  };
  for (guint i = 0; i < G_N_ELEMENTS (asked); i++)
    for (guint is_cold = 0; is_cold < 2; is_cold++) {
      double floor_ms = median_ms (bench, ask_count, is_cold != 0, bench->days * DAY_MINUTES);
      g_autofree char *row = g_strdup_printf ("a month of one sensor, %s, %s", asked[i].name, is_cold ? "cold" : "warm");
      BenchGoal goal = { .bench = "observations", .row = row, .unit = "ms", .at_most = GOAL_MS,
                         .figure = median_ms (bench, asked[i].ask, is_cold != 0, asked[i].expected) };
      printf ("%s, %s: median %.1f ms, counting alone %.1f ms\n", form, row, goal.figure, floor_ms);
      json_t *details = json_pack ("{s:s, s:f, s:f}", "form", form, "median_ms", goal.figure, "floor_ms", floor_ms);
      if (has_goal)
        bench_goal_print (&goal, details);
      else
        bench_note ("observations", row, details);
    }
}

static guint argument (int count, char **arguments, int index, guint otherwise)
{
  return count > index ? (guint) CLAMP (atoi (arguments[index]), 8, 2000) : otherwise;
}

int main (int count, char **arguments)
{
  char *folder = folder_make_temporary ();
  Bench bench = { folder, argument (count, arguments, 1, SENSORS), argument (count, arguments, 2, DAYS) };
  setvbuf (stdout, NULL, _IOLBF, 0);
  printf ("%u sensors for %u days at one reading a minute\n", bench.sensors, bench.days);
  store_all (&bench);
  measure (&bench, "as written", FALSE);
  compact_all (&bench);
  measure (&bench, "as kept", TRUE);
  folder_drop (folder);
  return EXIT_SUCCESS;
}
