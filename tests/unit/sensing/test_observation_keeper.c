/* Days that are over: what is made of them must be told by nothing but its size. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/decoders/decoders.h"
#include "gateway/core/error.h"
#include "gateway/observe/observation_compact.h"
#include "gateway/observe/observation_json.h"
#include "gateway/observe/observation_keeper.h"
#include "gateway/observe/observation_read.h"
#include "gateway/observe/observation_walk.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/sensing/sensing_site.h"

#define MINUTE G_TIME_SPAN_MINUTE
#define DAY G_TIME_SPAN_DAY

/* 2026-05-01T00:00:00Z */
static const gint64 start_us = 1777593600000000;

typedef struct {
  char *folder;
  ObservationFiles *files;
  ObservationKeeper *keeper;
  GString *deleted;
  gboolean is_refusing; /* to note what is deleted */
} Fixture;

static gboolean note_deleted (gpointer data, const char *day, gint64 rows, GError **error)
{
  Fixture *fixture = data;
  if (fixture->is_refusing)
    return error_set (error, ERROR_RETRY, "the audit log takes nothing now");
  g_string_append_printf (fixture->deleted, "%s:%d ", day, (int) rows);
  return TRUE;
}

static void open_all (Fixture *fixture)
{
  fixture->files = observation_files_new (fixture->folder, 0, NULL);
  fixture->keeper = observation_keeper_new (fixture->folder, fixture->files);
  observation_keeper_set_deleted (fixture->keeper, note_deleted, fixture);
}

static void close_all (Fixture *fixture)
{
  observation_keeper_free (fixture->keeper);
  observation_files_free (fixture->files);
}

static int setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  fixture->folder = folder_make_temporary ();
  fixture->deleted = g_string_new (NULL);
  open_all (fixture);
  *state = fixture;
  return 0;
}

static int teardown (void **state)
{
  Fixture *fixture = *state;
  close_all (fixture);
  g_string_free (fixture->deleted, TRUE);
  folder_drop (fixture->folder);
  g_free (fixture);
  return 0;
}

static void add_metric (Sensor *sensor, const char *name, gint64 retain_us)
{
  Metric *metric = g_new0 (Metric, 1);
  metric->name = g_strdup (name);
  metric->path = g_strdup_printf ("$.%s", name);
  metric->scale = 1;
  metric->retain_us = retain_us;
  g_ptr_array_add (sensor->metrics, metric);
}

/* level-1 with the metrics water_level (as all), noise (three days) and rain (forty). */
static void set_site (Fixture *fixture, gboolean has_sensor)
{
  Site *site = test_site_new ();
  if (has_sensor) {
    Sensor *sensor = test_site_add_sensor (site, "level-1");
    add_metric (sensor, "noise", 3 * DAY - MINUTE);
    add_metric (sensor, "rain", 40 * DAY);
  }
  site_publish (site);
  g_autoptr (Routes) routes = routes_new (site, decoder_find, NULL, NULL);
  assert_non_null (routes);
  observation_keeper_set_routes (fixture->keeper, routes);
  site_unref (site);
}

static void pass (Fixture *fixture)
{
  observation_keeper_set_applied (fixture->keeper, observation_files_last (fixture->files));
  observation_keeper_pass (fixture->keeper);
}

static Observation *reading (const char *metric, gint64 at_us, double value)
{
  Observation *observation = observation_new ("level-1", metric);
  observation->phenomenon_time_us = observation->receive_time_us = at_us;
  observation->value = value;
  observation->sequence = -1;
  return observation;
}

static void store_at (ObservationFiles *files, gint64 stored_us, Observation *observation)
{
  assert_true (observation_files_begin (files, stored_us, NULL));
  assert_true (observation_files_add (files, observation, FIRST_OF_SENSOR | FIRST_OF_MESSAGE, NULL));
  assert_true (observation_files_commit (files, NULL));
}

static void store_day (Fixture *fixture, guint day)
{
  static const char *const metrics[] = { "water_level", "noise", "rain" };
  assert_true (observation_files_begin (fixture->files, start_us + day * DAY, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (metrics); i++) {
    g_autoptr (Observation) one = reading (metrics[i], start_us + day * DAY + i * MINUTE, day);
    assert_true (observation_files_add (fixture->files, one, FIRST_OF_SENSOR | FIRST_OF_MESSAGE, NULL));
  }
  assert_true (observation_files_commit (fixture->files, NULL));
}

static gboolean append_csv (const char *text, gsize size, gpointer data)
{
  g_string_append_len (data, text, (gssize) size);
  return TRUE;
}

static char *csv_of (const char *folder)
{
  GString *csv = g_string_new (NULL);
  ObservationSpan span = { NULL, NULL, start_us - 10 * DAY, start_us + 4000 * DAY, 0 };
  assert_true (observation_export (folder, &span, append_csv, csv, NULL));
  return g_string_free (csv, FALSE);
}

static guint lines_of (const char *folder, const char *metric)
{
  g_autofree char *csv = csv_of (folder), *cell = g_strdup_printf (",%s,", metric);
  guint lines = 0;
  for (const char *at = csv; (at = strstr (at, cell)) != NULL; at++)
    lines++;
  return lines;
}

static guint compact_files (const char *folder)
{
  guint count = 0;
  g_autoptr (GPtrArray) paths = observation_files_list (folder);
  for (guint i = 0; i < paths->len; i++)
    count += observation_file_is_compact (paths->pdata[i]) ? 1 : 0;
  return count;
}

static guint half_made (const char *folder)
{
  guint count = 0;
  const char *name;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  while ((name = g_dir_read_name (dir)) != NULL)
    count += strstr (name, ".compacting") != NULL ? 1 : 0;
  return count;
}

/* Two gateways that are told the same; the days of one of them are made compact at random times. */

enum { DAYS = 9, MODEL_SENSORS = 3, MODEL_METRICS = 3 };

static void shape (Observation *observation, GRand *random)
{
  static const char *const texts[] = { "open", "3", "" };
  observation->value = g_rand_boolean (random) ? g_rand_int_range (random, -5, 5) : g_rand_double_range (random, -1e6, 1e6);
  observation->kind = g_rand_int_range (random, 0, 8) == 0 ? VALUE_BOOLEAN : VALUE_NUMBER;
  if (observation->kind == VALUE_BOOLEAN)
    observation->value = g_rand_boolean (random);
  else if (g_rand_int_range (random, 0, 8) == 0)
    observation_set_text (observation, texts[g_rand_int_range (random, 0, G_N_ELEMENTS (texts))]);
  observation->quality = (Quality) g_rand_int_range (random, 0, 3);
  observation->is_historical = g_rand_boolean (random);
  observation->is_state = g_rand_int_range (random, 0, 5) == 0;
  observation->sequence = g_rand_boolean (random) ? -1 : g_rand_int_range (random, 0, 70000);
}

static Observation *any_reading (GRand *random, gint64 stored_us)
{
  g_autofree char *sensor = g_strdup_printf ("s%d", g_rand_int_range (random, 0, MODEL_SENSORS));
  g_autofree char *metric = g_strdup_printf ("m%d", g_rand_int_range (random, 0, MODEL_METRICS));
  Observation *observation = observation_new (sensor, metric);
  gboolean is_late = g_rand_int_range (random, 0, 4) == 0;
  observation->receive_time_us = stored_us;
  observation->phenomenon_time_us = stored_us - (is_late ? g_rand_int_range (random, 0, 5000) * MINUTE : 0)
                                    + g_rand_int_range (random, 0, 3) * 1000;
  static const char *const units[] = { NULL, "m", "cm" };
  observation->unit = g_strdup (units[g_rand_int_range (random, 0, G_N_ELEMENTS (units))]);
  shape (observation, random);
  return observation;
}

static void reject_one (ObservationFiles *files, gint64 at_us)
{
  g_autoptr (GBytes) payload = g_bytes_new_static ("{", 1);
  RawMessage message = { .broker = (char *) "village", .topic = (char *) "t", .payload = payload, .receive_time_us = at_us };
  Deliveries deliveries = { .hash = { (guint64) at_us }, .packet_id = { 7 }, .next = 1 };
  assert_true (observation_files_reject (files, &message, "s1", "not_json", "cut short", NULL));
  assert_true (observation_files_keep_deliveries (files, "village", &deliveries, NULL));
}

static void store_batch (ObservationFiles *both[2], GRand *random, gint64 stored_us)
{
  for (guint i = 0; i < 2; i++)
    assert_true (observation_files_begin (both[i], stored_us, NULL));
  for (int left = g_rand_int_range (random, 1, 30); left > 0; left--) {
    g_autoptr (Observation) one = any_reading (random, stored_us);
    for (guint i = 0; i < 2; i++)
      assert_true (observation_files_add (both[i], one, FIRST_OF_SENSOR, NULL));
  }
  gboolean is_rejected = g_rand_int_range (random, 0, 5) == 0;
  for (guint i = 0; i < 2; i++) {
    if (is_rejected)
      reject_one (both[i], stored_us);
    assert_true (observation_files_commit (both[i], NULL));
  }
}

static void assert_same_json (json_t *expected, json_t *found)
{
  char *one = json_dumps (expected, JSON_SORT_KEYS | JSON_INDENT (1)), *other = json_dumps (found, JSON_SORT_KEYS | JSON_INDENT (1));
  assert_string_equal (one, other);
  free (one);
  free (other);
  json_decref (expected);
  json_decref (found);
}

static void assert_same_pages (const char *plain, const char *compact, const ObservationQuery *query)
{
  g_autofree char *cursor = NULL;
  do {
    ObservationQuery page = *query;
    page.cursor = cursor;
    json_t *found = observe_query (compact, "test", &page, NULL);
    char *next = g_strdup (json_string_value (json_object_get (found, "next")));
    assert_same_json (observe_query (plain, "test", &page, NULL), found);
    g_free (cursor);
    cursor = next;
  } while (cursor != NULL);
}

static gboolean list_one (Observation *observation, gpointer data, GError **error)
{
  (void) error;
  json_t *json = observation_to_json ("test", observation);
  json_object_set_new (json, "sequence", json_integer (observation->sequence));
  json_object_set_new (json, "is_state", json_boolean (observation->is_state));
  json_array_append_new (data, json);
  return TRUE;
}

static json_t *walked (const char *folder, const ObservationWalk *walk)
{
  json_t *list = json_array ();
  assert_true (observation_walk (folder, walk, list_one, list, NULL));
  return list;
}

static gboolean list_replayed (Observation *observation, guint marks, gpointer data, GError **error)
{
  (void) marks;
  return list_one (observation, data, error);
}

static json_t *replayed (ObservationFiles *files, gint64 number)
{
  json_t *list = json_array ();
  assert_true (observation_files_each_after (files, number, list_replayed, list, NULL));
  return list;
}

/* Of several with the latest time the highest number counts: what comes after replaces what came before. */
static gboolean keep_newest (Observation *observation, guint marks, gpointer data, GError **error)
{
  (void) marks, (void) error;
  g_autofree char *key = g_strconcat (observation->sensor, "/", observation->metric, "/",
                                      observation->unit != NULL ? observation->unit : "", NULL);
  json_t *known = json_object_get (data, key), *json = observation_to_json ("test", observation);
  if (known == NULL || strcmp (json_string_value (json_object_get (known, "phenomenon_time")),
                               json_string_value (json_object_get (json, "phenomenon_time"))) <= 0)
    json_object_set (data, key, json);
  json_decref (json);
  return TRUE;
}

static json_t *newest (ObservationFiles *files)
{
  json_t *map = json_object ();
  assert_true (observation_files_each_last (files, keep_newest, map, NULL));
  return map;
}

static void assert_same_answers (const char *plain, const char *compact, ObservationFiles *both[2], GRand *random)
{
  gint64 last = observation_files_last (both[0]), after = g_rand_int_range (random, 0, (int) last + 1);
  gint64 from_us = start_us + g_rand_int_range (random, -100, DAYS * 1500) * MINUTE;
  gint64 to_us = from_us + g_rand_int_range (random, 1, DAYS * 1500) * MINUTE;
  const ObservationSpan span = { "s1", "m1", from_us, to_us, 7 * MINUTE };
  const ObservationQuery every = { NULL, NULL, start_us - 10 * DAY, 0, 100, NULL }, some = { "s2", "m1", from_us, to_us, 9, NULL };
  const ObservationWalk walk = { .after = after, .up_to = last - 1, .limit = 100000, .sensor = "s0" };
  g_autofree char *plain_csv = csv_of (plain), *compact_csv = csv_of (compact);
  assert_string_equal (plain_csv, compact_csv);
  assert_int_equal (last, observation_files_last (both[1]));
  assert_same_pages (plain, compact, &every);
  assert_same_pages (plain, compact, &some);
  assert_same_json (observation_buckets (plain, &span, NULL), observation_buckets (compact, &span, NULL));
  assert_same_json (walked (plain, &walk), walked (compact, &walk));
  assert_same_json (replayed (both[0], after), replayed (both[1], after));
  assert_same_json (newest (both[0]), newest (both[1]));
  assert_same_json (observe_rejected (plain, NULL, NULL, 50), observe_rejected (compact, NULL, NULL, 50));
}

static void run_twins (Fixture *fixture, guint32 seed)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  char *plain = folder_make_temporary ();
  ObservationFiles *both[2] = { observation_files_new (plain, 0, NULL), fixture->files };
  for (gint64 at_us = start_us; at_us < start_us + DAYS * DAY; at_us += g_rand_int_range (random, 1, 400) * MINUTE) {
    store_batch (both, random, at_us);
    if (g_rand_int_range (random, 0, 6) == 0)
      pass (fixture);
  }
  pass (fixture);
  assert_int_equal (compact_files (fixture->folder), DAYS - OBSERVATION_DAYS_RAW);
  assert_same_answers (plain, fixture->folder, both, random);
  for (int i = 0; i < 5; i++) /* late data into days that are compact */
    store_batch (both, random, start_us + DAYS * DAY - MINUTE + i);
  assert_same_answers (plain, fixture->folder, both, random);
  Deliveries expected, found;
  gboolean is_known = observation_files_deliveries (both[0], "village", &expected);
  assert_int_equal (observation_files_deliveries (both[1], "village", &found), is_known);
  assert_true (!is_known || memcmp (expected.hash, found.hash, sizeof expected.hash) == 0);
  observation_files_free (both[0]);
  folder_drop (plain);
}

static void a_compact_day_answers_as_it_did_before (void **state)
{
  (void) state;
  for (guint32 seed = 1; seed <= 2; seed++) {
    void *fixture;
    setup (&fixture);
    set_site (fixture, FALSE);
    run_twins (fixture, seed);
    teardown (&fixture);
  }
}

/* What a day's file is and what is made of it */

static void store_numbers (Fixture *fixture, guint sensors, guint minutes)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  assert_true (observation_files_begin (fixture->files, start_us, NULL));
  for (guint i = 0; i < sensors * minutes; i++) {
    g_autoptr (Observation) one = reading ("water_level", start_us + i / sensors * MINUTE, g_rand_double_range (random, 0, 5));
    g_free (one->sensor);
    one->sensor = g_strdup_printf ("level-%u", i % sensors);
    one->receive_time_us += g_rand_int_range (random, 1, 3000) * 1000;
    assert_true (observation_files_add (fixture->files, one, FIRST_OF_SENSOR | FIRST_OF_MESSAGE, NULL));
  }
  assert_true (observation_files_commit (fixture->files, NULL));
  for (guint day = 1; day <= OBSERVATION_DAYS_RAW; day++)
    store_day (fixture, day);
}

static void a_number_takes_forty_bytes_at_most (void **state)
{
  Fixture *fixture = *state;
  struct stat status;
  set_site (fixture, FALSE);
  store_numbers (fixture, 40, 1440);
  pass (fixture);
  g_autoptr (GPtrArray) paths = observation_files_list (fixture->folder);
  assert_true (observation_file_is_compact (paths->pdata[0]));
  assert_int_equal (stat (paths->pdata[0], &status), 0);
  print_message ("%.1f bytes a number\n", (double) status.st_size / (40 * 1440));
  assert_in_range (status.st_size, 1, 40 * 40 * 1440);
}

static void the_day_and_the_one_before_and_what_rules_have_not_seen_stay_as_they_are (void **state)
{
  Fixture *fixture = *state;
  set_site (fixture, TRUE);
  for (guint day = 0; day < 5; day++)
    store_day (fixture, day);
  observation_keeper_set_applied (fixture->keeper, 5); /* the second day has 4 to 6 */
  observation_keeper_pass (fixture->keeper);
  assert_int_equal (compact_files (fixture->folder), 1);
  pass (fixture);
  assert_int_equal (compact_files (fixture->folder), 3);
  assert_int_equal (half_made (fixture->folder), 0);
}

static void what_a_compact_file_replaces_counts_no_more_and_goes_later (void **state)
{
  Fixture *fixture = *state;
  set_site (fixture, TRUE);
  for (guint day = 0; day < 3; day++)
    store_day (fixture, day);
  g_autoptr (GPtrArray) before = observation_files_list (fixture->folder);
  g_autofree char *csv = csv_of (fixture->folder);
  pass (fixture);
  g_autofree char *after = csv_of (fixture->folder);
  assert_string_equal (csv, after);
  assert_int_equal (access (before->pdata[0], F_OK), 0);
  pass (fixture);
  assert_int_equal (access (before->pdata[0], F_OK), 0);
  pass (fixture);
  assert_int_not_equal (access (before->pdata[0], F_OK), 0);
  g_autoptr (Database) reader = observation_file_open (before->pdata[0], NULL); /* of who listed it long ago */
  assert_int_equal (database_integer (reader, 0, "SELECT count (*) FROM observations", ""), 3);
}

static void a_clock_that_goes_back_into_a_compact_day_writes_behind_it (void **state)
{
  Fixture *fixture = *state;
  set_site (fixture, TRUE);
  for (guint day = 0; day < 4; day++)
    store_day (fixture, day);
  pass (fixture);
  assert_int_equal (compact_files (fixture->folder), 2);
  store_day (fixture, 0);
  assert_int_equal (lines_of (fixture->folder, "water_level"), 5);
  pass (fixture);
  assert_int_equal (lines_of (fixture->folder, "water_level"), 5);
  ObservationQuery query = { "level-1", "water_level", start_us, start_us + DAY, 100, NULL };
  json_t *found = observe_query (fixture->folder, "test", &query, NULL);
  assert_int_equal (json_array_size (json_object_get (found, "items")), 2); /* at its own time */
  json_decref (found);
}

/* Kills and failures */

static gboolean die_at (gpointer data)
{
  guint *left = data;
  if ((*left)-- == 0)
    raise (SIGKILL);
  return TRUE;
}

static gboolean break_off (gpointer data)
{
  return --*(guint *) data > 0;
}

/* Dies at the given look, or once all is published. TRUE: it was killed. */
static gboolean compact_in_child (const char *path, guint looks)
{
  pid_t child = fork ();
  if (child == 0) {
    CompactResult result;
    const CompactWork work = { &looks, NULL, die_at, FALSE };
    gboolean is_done = observation_compact_write (path, &work, &result, NULL) && observation_compact_publish (path, NULL);
    _exit (is_done ? 0 : 1);
  }
  int status;
  assert_int_equal (waitpid (child, &status, 0), child);
  assert_true (WIFSIGNALED (status) || WEXITSTATUS (status) == 0);
  return WIFSIGNALED (status);
}

static void a_kill_at_any_moment_leaves_a_day_whole (void **state)
{
  Fixture *fixture = *state;
  guint looks = 0;
  set_site (fixture, FALSE);
  store_numbers (fixture, 20, 600);
  g_autofree char *csv = csv_of (fixture->folder);
  g_autoptr (GPtrArray) paths = observation_files_list (fixture->folder);
  do {
    gboolean is_killed = compact_in_child (paths->pdata[0], looks);
    assert_int_equal (half_made (fixture->folder), is_killed ? 1 : 0);
    g_autofree char *after = csv_of (fixture->folder);
    assert_string_equal (csv, after);
    close_all (fixture);
    open_all (fixture);
    assert_int_equal (half_made (fixture->folder), 0);
    assert_int_equal (observation_files_last (fixture->files), 20 * 600 + 6);
    looks++;
  } while (compact_files (fixture->folder) == 0);
  assert_true (looks > 3); /* it was killed on its way, too */
}

static void what_breaks_off_or_finds_no_room_leaves_the_day_as_it_was (void **state)
{
  Fixture *fixture = *state;
  CompactResult result;
  guint looks = 3;
  set_site (fixture, FALSE);
  store_numbers (fixture, 20, 600);
  g_autoptr (GPtrArray) paths = observation_files_list (fixture->folder);
  const CompactWork work = { &looks, NULL, break_off, FALSE };
  g_autoptr (GError) error = NULL, too_large = NULL;
  assert_false (observation_compact_write (paths->pdata[0], &work, &result, &error));
  assert_true (error_is (error, ERROR_RETRY));
  struct rlimit before, small = { 128 * 1024, RLIM_INFINITY };
  getrlimit (RLIMIT_FSIZE, &before);
  signal (SIGXFSZ, SIG_IGN);
  setrlimit (RLIMIT_FSIZE, &small);
  gboolean is_written = observation_compact_write (paths->pdata[0], NULL, &result, &too_large);
  setrlimit (RLIMIT_FSIZE, &before);
  assert_false (is_written);
  assert_non_null (too_large);
  g_autofree char *compact = observation_compact_path (paths->pdata[0]);
  assert_int_equal (mkdir (compact, 0700), 0); /* what nothing can be renamed to */
  assert_true (observation_compact_write (paths->pdata[0], NULL, &result, NULL));
  assert_false (observation_compact_publish (paths->pdata[0], NULL));
  assert_int_equal (rmdir (compact), 0);
  assert_int_equal (half_made (fixture->folder), 0);
  assert_int_equal (lines_of (fixture->folder, "water_level"), 20 * 600 + 2);
  pass (fixture);
  assert_int_equal (compact_files (fixture->folder), 1);
}

/* A file as version 0.1.0 writes it, by hand: one who changes the form of a day has to go on reading it. */
static void a_file_of_the_first_form_is_read_and_made_compact (void **state)
{
  Fixture *fixture = *state;
  set_site (fixture, FALSE);
  g_autofree char *path = g_build_filename (fixture->folder, "observations-20260430.db", NULL);
  Database *database = database_open (path, DATABASE_WRITER, NULL);
  assert_true (database_script (
    database,
    "CREATE TABLE series (id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, metric TEXT NOT NULL, unit TEXT);"
    "CREATE TABLE observations (number INTEGER PRIMARY KEY, series INTEGER NOT NULL, at INTEGER NOT NULL,"
    " delay INTEGER NOT NULL, value REAL NOT NULL, flags INTEGER NOT NULL, sequence INTEGER);"
    "CREATE INDEX observations_at ON observations (series, at);"
    "CREATE TABLE rejected (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, broker TEXT NOT NULL,"
    " topic TEXT NOT NULL, sensor TEXT, reason TEXT NOT NULL, detail TEXT, payload BLOB);"
    "CREATE INDEX rejected_of_source ON rejected (broker, sensor);"
    "CREATE TABLE deliveries (broker TEXT PRIMARY KEY, packet_ids BLOB NOT NULL, hashes BLOB NOT NULL,"
    " next INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO series VALUES (1, 'old', 'water_level', 'm'), (2, 'old', 'mode', NULL);"
    "INSERT INTO observations VALUES (1, 1, 1777550400000, 120, 3.25, 24, 7), (2, 2, 1777550400000, 0, x'6f70656e', 5, NULL);",
    NULL));
  database_close (database);
  close_all (fixture);
  open_all (fixture);
  set_site (fixture, FALSE);
  assert_int_equal (observation_files_last (fixture->files), 2);
  for (guint day = 0; day < OBSERVATION_DAYS_RAW; day++)
    store_day (fixture, day);
  for (guint i = 0; i < 2; i++) {
    g_autofree char *csv = csv_of (fixture->folder);
    assert_non_null (strstr (csv, "\r\nold,mode,open,,2026-04-30T12:00:00.000Z,2026-04-30T12:00:00.000Z,uncertain,true\r\n"
                                  "old,water_level,3.25,m,2026-04-30T12:00:00.000Z,2026-04-30T12:00:00.120Z,good,false\r\n"));
    assert_int_equal (compact_files (fixture->folder), i);
    pass (fixture);
  }
}

/* Retention */

static void a_metric_is_kept_for_as_long_as_it_says (void **state)
{
  Fixture *fixture = *state;
  set_site (fixture, TRUE);
  for (guint day = 0; day < 45; day++) {
    store_day (fixture, day);
    if (day % 4 != 0)
      continue;
    pass (fixture);
    assert_int_equal (lines_of (fixture->folder, "noise"), MIN (day + 1, 3 + 1));
    assert_int_equal (lines_of (fixture->folder, "water_level"), MIN (day + 1, OBSERVATION_DAYS_KEPT + 1));
    assert_int_equal (lines_of (fixture->folder, "rain"), MIN (day + 1, 40 + 1));
  }
  assert_non_null (strstr (fixture->deleted->str, "2026-05-01:1 2026-05-02:1 "));
  g_autoptr (GPtrArray) paths = observation_files_list (fixture->folder);
  assert_int_equal (paths->len, 40 + 1); /* of 45 */
}

static void what_is_stored_late_on_a_day_is_kept_for_whole_days (void **state)
{
  Fixture *fixture = *state;
  set_site (fixture, TRUE);
  g_autoptr (Observation) late = reading ("noise", start_us + DAY - MINUTE, 7);
  store_at (fixture->files, start_us + DAY - MINUTE, late);
  for (guint day = 1; day <= 3; day++)
    store_day (fixture, day);
  pass (fixture); /* two days and a minute later */
  assert_int_equal (lines_of (fixture->folder, "noise"), 4);
  store_day (fixture, 4);
  pass (fixture);
  assert_int_equal (lines_of (fixture->folder, "noise"), 4);
}

static void what_can_not_be_entered_in_the_audit_log_is_not_deleted (void **state)
{
  Fixture *fixture = *state;
  set_site (fixture, TRUE);
  for (guint day = 0; day < 43; day++)
    store_day (fixture, day);
  fixture->is_refusing = TRUE;
  pass (fixture);
  assert_int_equal (lines_of (fixture->folder, "rain"), 43);
  assert_int_equal (lines_of (fixture->folder, "noise"), 43);
  assert_int_equal (half_made (fixture->folder), 0);
  fixture->is_refusing = FALSE;
  pass (fixture);
  assert_int_equal (lines_of (fixture->folder, "rain"), 41);
  assert_int_equal (lines_of (fixture->folder, "noise"), 4);
}

static void a_clock_that_jumps_forward_ends_one_day (void **state)
{
  Fixture *fixture = *state;
  set_site (fixture, TRUE);
  for (guint day = 0; day < 35; day++)
    store_day (fixture, day);
  pass (fixture);
  store_day (fixture, 3650);
  pass (fixture);
  assert_int_equal (lines_of (fixture->folder, "noise"), 3 + 1);
  assert_int_equal (lines_of (fixture->folder, "water_level"), OBSERVATION_DAYS_KEPT + 1);
  assert_int_equal (lines_of (fixture->folder, "rain"), 36);
  for (guint day = 35; day < 45; day++) { /* the clock is put right: that day grows old as others do */
    store_day (fixture, day);
    pass (fixture);
  }
  assert_int_equal (lines_of (fixture->folder, "noise"), 3 + 1);
  assert_int_equal (lines_of (fixture->folder, "rain"), 40 + 1);
}

static void what_a_gateway_stores_before_it_knows_the_time_is_not_old (void **state)
{
  Fixture *fixture = *state;
  set_site (fixture, TRUE);
  for (guint day = 0; day < 32; day++)
    store_day (fixture, day);
  g_autoptr (Observation) early = reading ("water_level", 60 * G_USEC_PER_SEC, 1);
  store_at (fixture->files, 60 * G_USEC_PER_SEC, early); /* 1970 */
  store_day (fixture, 32);
  pass (fixture);
  g_autoptr (GPtrArray) paths = observation_files_list (fixture->folder);
  assert_non_null (strstr (paths->pdata[0], "19700101.db"));
  assert_int_equal (lines_of (fixture->folder, "water_level"), OBSERVATION_DAYS_KEPT + 1); /* and made nothing older */
}

static void what_the_site_knows_no_more_goes_by_what_was_configured (void **state)
{
  Fixture *fixture = *state;
  set_site (fixture, TRUE);
  for (guint day = 0; day < 5; day++)
    store_day (fixture, day);
  pass (fixture);
  set_site (fixture, FALSE);
  for (guint day = 5; day < 35; day++)
    store_day (fixture, day);
  pass (fixture);
  assert_int_equal (lines_of (fixture->folder, "rain"), 3 + OBSERVATION_DAYS_KEPT + 1); /* three days were compact by then */
  assert_int_equal (lines_of (fixture->folder, "water_level"), OBSERVATION_DAYS_KEPT + 1);
}

int main (void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown (test, setup, teardown)
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_compact_day_answers_as_it_did_before),
    WITH_FIXTURE (a_number_takes_forty_bytes_at_most),
    WITH_FIXTURE (the_day_and_the_one_before_and_what_rules_have_not_seen_stay_as_they_are),
    WITH_FIXTURE (what_a_compact_file_replaces_counts_no_more_and_goes_later),
    WITH_FIXTURE (a_clock_that_goes_back_into_a_compact_day_writes_behind_it),
    WITH_FIXTURE (a_kill_at_any_moment_leaves_a_day_whole),
    WITH_FIXTURE (what_breaks_off_or_finds_no_room_leaves_the_day_as_it_was),
    WITH_FIXTURE (a_file_of_the_first_form_is_read_and_made_compact),
    WITH_FIXTURE (a_metric_is_kept_for_as_long_as_it_says),
    WITH_FIXTURE (what_is_stored_late_on_a_day_is_kept_for_whole_days),
    WITH_FIXTURE (what_can_not_be_entered_in_the_audit_log_is_not_deleted),
    WITH_FIXTURE (a_clock_that_jumps_forward_ends_one_day),
    WITH_FIXTURE (what_a_gateway_stores_before_it_knows_the_time_is_not_old),
    WITH_FIXTURE (what_the_site_knows_no_more_goes_by_what_was_configured),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
