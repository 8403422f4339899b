#include <sqlite3.h>

#include "gateway/core/error.h"
#include "gateway/observe/observation_files.h"
#include "gateway/observe/observation_read.h"
#include "gateway/observe/observe.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

#define MINUTE G_TIME_SPAN_MINUTE
#define DAY G_TIME_SPAN_DAY

/* 2026-05-01T00:00:00Z */
static const gint64 start_us = 1777593600000000;

typedef struct {
  char *folder;
  ObservationFiles *files;
} Fixture;

static int setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  fixture->folder = folder_make_temporary ();
  fixture->files = observation_files_new (fixture->folder, 0, NULL);
  *state = fixture;
  return 0;
}

static int teardown (void **state)
{
  Fixture *fixture = *state;
  observation_files_free (fixture->files);
  folder_drop (fixture->folder);
  g_free (fixture);
  return 0;
}

static Observation *reading (gint64 at_us, double value)
{
  Observation *observation = observation_new ("level-1", "water_level");
  observation->phenomenon_time_us = observation->receive_time_us = at_us;
  observation->value = value;
  observation->unit = g_strdup ("m");
  return observation;
}

/* Takes the observation, into the file of `stored_us`. */
static void store_at (Fixture *fixture, gint64 stored_us, Observation *observation)
{
  assert_true (observation_files_begin (fixture->files, stored_us, NULL));
  assert_true (observation_files_add (fixture->files, observation, 0, NULL));
  assert_true (observation_files_commit (fixture->files, NULL));
  observation_unref (observation);
}

static void store_one (Fixture *fixture, Observation *observation)
{
  store_at (fixture, observation->receive_time_us, observation);
}

/* A month at one reading a minute of each of the sensors. */
static void store_month (Fixture *fixture, guint sensors)
{
  for (guint day = 0; day < 30; day++) {
    assert_true (observation_files_begin (fixture->files, start_us + day * DAY, NULL));
    for (guint i = 0; i < 24 * 60 * sensors; i++) {
      g_autoptr (Observation) one = reading (start_us + day * DAY + i / sensors * MINUTE, i % 100);
      g_free (one->sensor);
      one->sensor = g_strdup_printf ("level-%u", i % sensors + 1);
      assert_true (observation_files_add (fixture->files, one, 0, NULL));
    }
    assert_true (observation_files_commit (fixture->files, NULL));
  }
}

static json_t *buckets (Fixture *fixture, gint64 from_us, gint64 to_us, gint64 every_us)
{
  ObservationSpan span = { "level-1", "water_level", from_us, to_us, every_us };
  json_t *found = observation_buckets (fixture->folder, &span, NULL);
  assert_non_null (found);
  return found;
}

static void assert_bucket (const json_t *found, guint index, const char *expected)
{
  char *text = json_dumps (json_array_get (json_object_get (found, "items"), index), JSON_SORT_KEYS | JSON_REAL_PRECISION (10));
  assert_string_equal (text, expected);
  free (text);
}

static void a_bucket_tells_min_max_mean_last_and_count (void **state)
{
  Fixture *fixture = *state;
  static const double values[] = { 3, 1, 8, 4, 10 };
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    store_one (fixture, reading (start_us + i * 3 * MINUTE, values[i]));
  json_t *found = buckets (fixture, start_us, start_us + 60 * MINUTE, 10 * MINUTE);
  assert_int_equal (json_array_size (json_object_get (found, "items")), 2); /* what is empty is left out */
  assert_bucket (found, 0, "{\"bad\": 0, \"count\": 4, \"from\": \"2026-05-01T00:00:00.000Z\", \"last\": 4.0, \"max\": 8.0, \"mean\": 4.0,"
                           " \"min\": 1.0, \"quality\": \"good\", \"unit\": \"m\"}");
  assert_bucket (found, 1, "{\"bad\": 0, \"count\": 1, \"from\": \"2026-05-01T00:10:00.000Z\", \"last\": 10.0, \"max\": 10.0,"
                           " \"mean\": 10.0, \"min\": 10.0, \"quality\": \"good\", \"unit\": \"m\"}");
  json_decref (found);
}

static void a_bucket_begins_where_it_is_asked_to_and_has_what_is_within (void **state)
{
  Fixture *fixture = *state;
  for (guint i = 0; i < 10; i++)
    store_one (fixture, reading (start_us + i * MINUTE, i));
  json_t *found = buckets (fixture, start_us + 2 * MINUTE, start_us + 7 * MINUTE, 3 * MINUTE);
  assert_int_equal (json_array_size (json_object_get (found, "items")), 2);
  assert_bucket (found, 1, "{\"bad\": 0, \"count\": 2, \"from\": \"2026-05-01T00:05:00.000Z\", \"last\": 6.0, \"max\": 6.0, \"mean\": 5.5,"
                           " \"min\": 5.0, \"quality\": \"good\", \"unit\": \"m\"}");
  json_decref (found);
}

static void a_late_reading_is_in_its_bucket_and_not_the_last_one (void **state)
{
  Fixture *fixture = *state;
  store_one (fixture, reading (start_us + MINUTE, 5));
  store_at (fixture, start_us + 2 * DAY, reading (start_us, 9)); /* the file of another day */
  json_t *found = buckets (fixture, start_us, start_us + DAY, DAY);
  assert_bucket (found, 0, "{\"bad\": 0, \"count\": 2, \"from\": \"2026-05-01T00:00:00.000Z\", \"last\": 5.0, \"max\": 9.0, \"mean\": 7.0,"
                           " \"min\": 5.0, \"quality\": \"good\", \"unit\": \"m\"}");
  json_decref (found);
}

static void bad_readings_are_counted_and_spoil_nothing (void **state)
{
  Fixture *fixture = *state;
  for (guint i = 0; i < 2; i++) {
    Observation *bad = reading (start_us + (2 + i * 60) * MINUTE, 9999);
    bad->quality = QUALITY_BAD;
    store_one (fixture, bad);
  }
  store_one (fixture, reading (start_us + MINUTE, 5));
  json_t *found = buckets (fixture, start_us, start_us + DAY, 60 * MINUTE);
  assert_bucket (found, 0, "{\"bad\": 1, \"count\": 2, \"from\": \"2026-05-01T00:00:00.000Z\", \"last\": 5.0, \"max\": 5.0, \"mean\": 5.0,"
                           " \"min\": 5.0, \"quality\": \"good\", \"unit\": \"m\"}");
  assert_bucket (found, 1, "{\"bad\": 1, \"count\": 1, \"from\": \"2026-05-01T01:00:00.000Z\", \"last\": 9999.0, \"quality\": \"bad\","
                           " \"unit\": \"m\"}");
  json_decref (found);
}

static void texts_and_truths_have_a_last_value_alone (void **state)
{
  Fixture *fixture = *state;
  Observation *text = reading (start_us, 0), *truth = reading (start_us + 60 * MINUTE, 1);
  observation_set_text (text, "半开");
  truth->kind = VALUE_BOOLEAN;
  store_one (fixture, text);
  store_one (fixture, truth);
  json_t *found = buckets (fixture, start_us, start_us + DAY, 60 * MINUTE);
  json_t *first = json_array_get (json_object_get (found, "items"), 0);
  assert_string_equal (json_string_value (json_object_get (first, "last")), "半开");
  assert_null (json_object_get (first, "mean"));
  assert_bucket (found, 1, "{\"bad\": 0, \"count\": 1, \"from\": \"2026-05-01T01:00:00.000Z\", \"last\": true, \"quality\": \"good\","
                           " \"unit\": \"m\"}");
  json_decref (found);
}

static void units_are_never_mixed (void **state)
{
  Fixture *fixture = *state;
  Observation *other = reading (start_us + MINUTE, 500);
  g_free (other->unit);
  other->unit = g_strdup ("cm");
  store_one (fixture, reading (start_us, 5));
  store_one (fixture, other);
  json_t *found = buckets (fixture, start_us, start_us + DAY, DAY);
  assert_int_equal (json_array_size (json_object_get (found, "items")), 2);
  json_decref (found);
}

static void assert_refused (Fixture *fixture, const ObservationSpan *span, const char *part)
{
  g_autoptr (GError) error = NULL;
  assert_null (observation_buckets (fixture->folder, span, &error));
  assert_true (error_is (error, ERROR_REFUSE));
  assert_non_null (strstr (error->message, part));
}

static void too_many_buckets_are_refused_with_what_would_do (void **state)
{
  Fixture *fixture = *state;
  ObservationSpan fine = { "level-1", "water_level", start_us, start_us + 30 * DAY, MINUTE };
  assert_refused (fixture, &fine, "at least 519s");
  fine.every_us = 519 * G_TIME_SPAN_SECOND;
  json_t *found = observation_buckets (fixture->folder, &fine, NULL);
  assert_non_null (found);
  json_decref (found);
  ObservationSpan turned = { "level-1", "water_level", start_us, start_us - DAY, MINUTE };
  assert_refused (fixture, &turned, "before");
  ObservationSpan all = { "level-1", NULL, start_us, start_us + DAY, MINUTE };
  assert_refused (fixture, &all, "metric");
}

/* Whether SQLite finds a series' rows in order by the index: no walk through the day, no sorting. */
static void assert_plan (const char *path, const char *sql)
{
  sqlite3 *database;
  sqlite3_stmt *plan;
  g_autofree char *explain = g_strconcat ("EXPLAIN QUERY PLAN ", sql, NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  assert_int_equal (sqlite3_open_v2 (path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  assert_int_equal (sqlite3_prepare_v2 (database, explain, -1, &plan, NULL), SQLITE_OK);
  while (sqlite3_step (plan) == SQLITE_ROW)
    g_string_append_printf (text, "%s\n", (const char *) sqlite3_column_text (plan, 3));
  sqlite3_finalize (plan);
  sqlite3_close (database);
  if (strstr (text->str, "SEARCH o USING INDEX observations_at (series=? AND at>? AND at<?)") == NULL
      || strstr (text->str, "SCAN") != NULL || strstr (text->str, "TEMP B-TREE") != NULL)
    fail_msg ("%s", text->str);
}

static void a_month_of_one_sensor_is_found_by_the_index (void **state)
{
  Fixture *fixture = *state;
  store_month (fixture, 3);
  g_autoptr (GPtrArray) paths = observation_files_list (fixture->folder);
  assert_int_equal (paths->len, 30);
  assert_plan (paths->pdata[0], OBSERVATION_SERIES_ROWS);
  gint64 before_us = g_get_monotonic_time ();
  json_t *found = buckets (fixture, start_us, start_us + 30 * DAY, 10 * MINUTE);
  print_message ("43,200 readings as 4,320 buckets: %.1f ms\n", (double) (g_get_monotonic_time () - before_us) / 1000);
  assert_int_equal (json_array_size (json_object_get (found, "items")), 30 * 24 * 6);
  json_decref (found);
}

/* The rest of a month is not read for a page of its first day. */
static void a_page_is_the_same_whether_files_are_many_or_one (void **state)
{
  Fixture *fixture = *state;
  store_month (fixture, 2);
  store_at (fixture, start_us + 29 * DAY, reading (start_us + MINUTE / 2, -1)); /* late */
  g_autofree char *cursor = NULL;
  guint seen = 0;
  for (guint page = 0; page < 4; page++) {
    ObservationQuery query = { "level-1", NULL, start_us, start_us + 40 * DAY, 1000, cursor };
    json_t *found = observe_query (fixture->folder, "test", &query, NULL), *items = json_object_get (found, "items");
    assert_int_equal (json_array_size (items), 1000);
    if (page == 0)
      assert_int_equal (json_number_value (json_object_get (json_array_get (items, 1), "value")), -1);
    seen += (guint) json_array_size (items);
    json_t *last = json_array_get (items, 999);
    g_autofree char *expected = NULL;
    gint64 at_us = start_us + (seen - 2) * MINUTE; /* one of them is the late one */
    g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (at_us / G_USEC_PER_SEC);
    expected = g_date_time_format (time, "%FT%T.000Z");
    assert_string_equal (json_string_value (json_object_get (last, "phenomenon_time")), expected);
    g_free (cursor);
    cursor = g_strdup (json_string_value (json_object_get (found, "next")));
    json_decref (found);
  }
}

static gboolean append (const char *text, gsize size, gpointer data)
{
  g_string_append_len (data, text, (gssize) size);
  return TRUE;
}

static void csv_has_a_header_and_quotes_what_needs_it (void **state)
{
  Fixture *fixture = *state;
  Observation *text = reading (start_us, 0), *truth = reading (start_us + MINUTE, 1), *late = reading (start_us + 2 * MINUTE, 3.25);
  observation_set_text (text, "a \"b\",\r\nc");
  truth->kind = VALUE_BOOLEAN;
  late->is_historical = TRUE;
  late->quality = QUALITY_UNCERTAIN;
  late->receive_time_us += 1000;
  store_one (fixture, text);
  store_one (fixture, truth);
  store_one (fixture, late);
  g_autoptr (GString) csv = g_string_new (NULL);
  ObservationSpan span = { NULL, NULL, start_us, start_us + DAY, 0 };
  assert_true (observation_export (fixture->folder, &span, append, csv, NULL));
  assert_string_equal (csv->str,
                       "sensor,metric,value,unit,phenomenon_time,receive_time,quality,historical\r\n"
                       "level-1,water_level,\"a \"\"b\"\",\r\nc\",m,2026-05-01T00:00:00.000Z,2026-05-01T00:00:00.000Z,good,false\r\n"
                       "level-1,water_level,true,m,2026-05-01T00:01:00.000Z,2026-05-01T00:01:00.000Z,good,false\r\n"
                       "level-1,water_level,3.25,m,2026-05-01T00:02:00.000Z,2026-05-01T00:02:00.001Z,uncertain,true\r\n");
}

typedef struct {
  guint pieces, lines, at_most;
  gsize largest;
} Pieces;

static gboolean count_piece (const char *text, gsize size, gpointer data)
{
  Pieces *pieces = data;
  pieces->largest = MAX (pieces->largest, size);
  for (gsize i = 0; i < size; i++)
    pieces->lines += text[i] == '\n' ? 1 : 0;
  return ++pieces->pieces < pieces->at_most;
}

static void csv_of_a_month_comes_in_small_pieces_and_ends_with_its_reader (void **state)
{
  Fixture *fixture = *state;
  store_month (fixture, 2);
  ObservationSpan span = { "level-1", NULL, start_us, start_us + 30 * DAY, 0 };
  Pieces all = { .at_most = G_MAXUINT }, few = { .at_most = 3 };
  assert_true (observation_export (fixture->folder, &span, count_piece, &all, NULL));
  assert_int_equal (all.lines, 30 * 24 * 60 + 1);
  assert_in_range (all.largest, 1, 20 * 1024);
  assert_true (observation_export (fixture->folder, &span, count_piece, &few, NULL));
  assert_in_range (few.pieces, 3, 4);
}

static void reject (Fixture *fixture, const char *sensor, const char *detail, gsize size)
{
  g_autofree char *payload = g_strnfill (size, 'x');
  g_autofree char *topic = g_strnfill (2000, 't');
  g_autoptr (GBytes) bytes = g_bytes_new (payload, size);
  RawMessage message = { .broker = (char *) "village", .topic = topic, .payload = bytes, .receive_time_us = start_us };
  assert_true (observation_files_begin (fixture->files, start_us, NULL));
  assert_true (observation_files_reject (fixture->files, &message, sensor, "not_json", detail, NULL));
  assert_true (observation_files_commit (fixture->files, NULL));
}

static void a_noisy_sensor_does_not_push_out_what_others_had_rejected (void **state)
{
  Fixture *fixture = *state;
  reject (fixture, "quiet", "kept", 10);
  for (guint i = 0; i < 300; i++)
    reject (fixture, i % 2 == 0 ? "noisy" : NULL, "nonsense", 5000);
  json_t *all = observe_rejected (fixture->folder, "village", NULL, 1000);
  json_t *quiet = observe_rejected (fixture->folder, NULL, "quiet", 1000);
  json_t *none = observe_rejected (fixture->folder, "other", NULL, 1000);
  assert_int_equal (json_array_size (json_object_get (all, "items")), 201);
  assert_int_equal (json_array_size (json_object_get (quiet, "items")), 1);
  assert_int_equal (json_array_size (json_object_get (none, "items")), 0);
  json_t *newest = json_array_get (json_object_get (all, "items"), 0);
  assert_int_equal (json_string_length (json_object_get (newest, "payload")), 4096);
  assert_int_equal (json_string_length (json_object_get (newest, "topic")), 1024);
  json_decref (all);
  json_decref (quiet);
  json_decref (none);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_bucket_tells_min_max_mean_last_and_count, setup, teardown),
    cmocka_unit_test_setup_teardown (a_bucket_begins_where_it_is_asked_to_and_has_what_is_within, setup, teardown),
    cmocka_unit_test_setup_teardown (a_late_reading_is_in_its_bucket_and_not_the_last_one, setup, teardown),
    cmocka_unit_test_setup_teardown (bad_readings_are_counted_and_spoil_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown (texts_and_truths_have_a_last_value_alone, setup, teardown),
    cmocka_unit_test_setup_teardown (units_are_never_mixed, setup, teardown),
    cmocka_unit_test_setup_teardown (too_many_buckets_are_refused_with_what_would_do, setup, teardown),
    cmocka_unit_test_setup_teardown (a_month_of_one_sensor_is_found_by_the_index, setup, teardown),
    cmocka_unit_test_setup_teardown (a_page_is_the_same_whether_files_are_many_or_one, setup, teardown),
    cmocka_unit_test_setup_teardown (csv_has_a_header_and_quotes_what_needs_it, setup, teardown),
    cmocka_unit_test_setup_teardown (csv_of_a_month_comes_in_small_pieces_and_ends_with_its_reader, setup, teardown),
    cmocka_unit_test_setup_teardown (a_noisy_sensor_does_not_push_out_what_others_had_rejected, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
