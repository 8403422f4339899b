/* Databases as earlier versions left them, opened by this one. old_databases/ has their schemas as they were released, step by
 * step, with what was written then. */
#include <string.h>

#include "gateway/observe/account.h"
#include "gateway/observe/observation_files.h"
#include "gateway/observe/observe.h"
#include "gateway/store/schema.h"
#include "pipelines/record/recordings_index.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/sensing/engine_fixture.h"

enum { RECORDINGS_VERSIONS = 2, DAY_VERSIONS = 2, COMPACT_VERSIONS = 1 };

static void run_file (Database *database, const char *kind, int version)
{
  g_autofree char *path = g_strdup_printf ("%s/tests/unit/sensing/old_databases/%s-%d.sql", g_getenv ("GRIDGATE_SOURCE_ROOT"), kind,
                                           version);
  g_autofree char *sql = NULL;
  g_autoptr (GError) error = NULL;
  if (!g_file_get_contents (path, &sql, NULL, NULL))
    fail_msg ("cannot read %s", path);
  if (!database_script (database, sql, &error))
    fail_msg ("%s: %s", path, error->message);
}

/* As that version left it, which had come all the way from the first. */
static void restore (const char *folder, const char *name, const char *kind, int version)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr (Database) database = database_open (path, DATABASE_WRITER, NULL);
  assert_non_null (database);
  for (int step = 1; step <= version; step++)
    run_file (database, kind, step);
}

/* What each version had, and since which one. */
static const struct {
  int since;
  const char *sql;
} facts[] = {
  { 1, "SELECT count(*) = 2 FROM alerts WHERE peak = severity AND severity = 2 AND silenced = 0 AND is_untold = 0" },
  { 1, "SELECT value = 42 FROM sensing WHERE key = 'applied'" },
  { 1, "SELECT hash = 123456789 FROM last_payloads WHERE sensor = 'level-1'" },
  { 2, "SELECT revision = 2 AND state = 'accepted' AND title = '水位超警' FROM incidents" },
  { 2, "SELECT count(*) = 2 AND max (hash) = 'dd' FROM incident_history" },
  { 2, "SELECT count(*) = 2 FROM incident_payloads" },
  { 2, "SELECT count(*) = 1 FROM incident_alerts" },
  { 2, "SELECT state = 'done' AND bytes = 5000 FROM evidence" },
  { 2, "SELECT number = 5 AND receiver = 'center' FROM outbox" },
  { 2, "SELECT outcome = 'delivered' FROM receipts" },
  { 2, "SELECT reply = '{\"ok\":true}' FROM center_commands" },
  { 3, "SELECT role = 'operator' AND grid = '621101' FROM accounts" },
  { 3, "SELECT account = 'zhang' FROM sessions" },
  { 3, "SELECT role = 'viewer' AND revoked_at IS NULL FROM tokens" },
  { 3, "SELECT hash = 'gg' FROM audit" },
  { 3, "SELECT count(*) = 2 AND count(to_at) = 1 FROM views" },
  { 4, "SELECT credential = 'session:session' FROM views WHERE to_at IS NULL" },
  { 5, "SELECT author = 'zhang' AND matches = '{\"rules\":[\"downpour\"]}' FROM silences" },
  { 6, "SELECT camera = 'bridge' AND lifted_at = 0 FROM holds" },
  { 6, "SELECT value = 7 FROM recording_marks" },
  { 7, "SELECT watched LIKE '[{\"from\":%' FROM views WHERE to_at IS NOT NULL" },
};

static void check_facts (Fixture *fixture, int version)
{
  Database *reader = store_reader (fixture->store, NULL);
  assert_int_equal (database_integer (reader, -1, "PRAGMA user_version", ""), schema_version ());
  for (gsize i = 0; i < G_N_ELEMENTS (facts); i++) {
    g_autoptr (Statement) row = facts[i].since <= version ? database_query (reader, NULL, facts[i].sql, "") : NULL;
    if (facts[i].since <= version && (!statement_step (row, NULL) || statement_integer (row, 0) != 1))
      fail_msg ("from schema %d: %s", version, facts[i].sql);
  }
}

static void check_account (Fixture *fixture)
{
  AccountBook *book = account_book_new (store_reader (fixture->store, NULL), NULL);
  json_t *account = json_object ();
  account_describe (book, "village", "level-1", account);
  assert_int_equal (json_integer_value (json_object_get (account, "received")), 12);
  assert_int_equal (json_integer_value (json_object_get (account, "stored")), 9);
  assert_int_equal (json_integer_value (json_object_get (json_object_get (account, "rejected"), "not_json")), 2);
  assert_int_equal (json_integer_value (json_object_get (json_object_get (account, "dropped"), "duplicate")), 1);
  assert_int_equal (json_integer_value (json_object_get (account, "pending")), 0);
  json_decref (account);
  account_book_free (book);
}

/* The one that was open goes on and ends with the reading that ends it. */
static void check_alerts (Fixture *fixture)
{
  assert_int_equal (count_alerts (fixture, "open"), 1);
  feed_value (fixture, "level-1", 3.6);
  assert_int_equal (count_alerts (fixture, NULL), 2);
  feed_value (fixture, "level-1", 2);
  assert_int_equal (count_alerts (fixture, "open"), 0);
  assert_int_equal (count_alerts (fixture, NULL), 2);
  assert_int_equal (fixture->cleared, 1);
}

static void the_main_database_of_each_version_is_carried_over (void **state)
{
  (void) state;
  for (int version = 1; version < schema_version (); version++) { /* a new step needs the file of the version before */
    char *folder = folder_make_temporary ();
    restore (folder, "gridgate.db", "main", version);
    g_autoptr (Fixture) fixture = fixture_in (folder, flood_site (3.2, 3.0, 0));
    check_facts (fixture, version);
    check_account (fixture);
    check_alerts (fixture);
  }
}

static void recordings_of_each_version_are_carried_over (void **state)
{
  (void) state;
  for (int version = 1; version <= RECORDINGS_VERSIONS; version++) {
    char *folder = folder_make_temporary ();
    restore (folder, "recordings.db", "recordings", version);
    for (guint i = 0; i < 2; i++) { /* and once more: it is done once */
      g_autoptr (RecordingsIndex) index = recordings_index_open (folder, DATABASE_WRITER, NULL);
      assert_non_null (index);
      Database *database = recordings_index_database (index);
      g_autoptr (GPtrArray) rows = recordings_index_find (index, "bridge", "main", 0, G_MAXINT64 / 2, 10, NULL);
      assert_int_equal (rows->len, 2);
      assert_int_equal (((const SegmentRow *) rows->pdata[0])->id, 7);
      assert_string_equal (((const SegmentRow *) rows->pdata[1])->file, "recordings/bridge/main/b.mp4");
      assert_int_equal (database_integer (database, -1, "SELECT id FROM gaps WHERE reason = 'camera_lost'", ""), 3);
      assert_int_equal (database_integer (database, -1, "SELECT count(*) FROM deletions", ""), 0);
      assert_int_equal (database_integer (database, -1, "SELECT count(*) FROM marks", ""), 0);
    }
    folder_drop (folder);
  }
}

static void add_a_reading (const char *folder, gint64 wall_us)
{
  g_autoptr (GError) error = NULL;
  ObservationFiles *files = observation_files_new (folder, 0, &error);
  gint64 last = observation_files_last (files);
  g_autoptr (Observation) observation = observation_new ("level-1", "water_level");
  observation->unit = g_strdup ("m");
  observation->value = 3.7;
  observation->sequence = -1;
  observation->phenomenon_time_us = observation->receive_time_us = wall_us;
  assert_true (last == 42 || last == 43);
  assert_true (observation_files_begin (files, wall_us, &error));
  assert_true (observation_files_add (files, observation, 0, &error));
  assert_true (observation_files_commit (files, &error));
  assert_int_equal (observation_files_last (files), last + 1);
  observation_files_free (files);
}

static json_t *query (const char *folder, const char *sensor)
{
  const ObservationQuery query = { .sensor = sensor, .from_us = 0, .to_us = G_MAXINT64, .limit = 10 };
  json_t *answer = observe_query (folder, "test", &query, NULL);
  assert_non_null (answer);
  return answer;
}

static double value_of (const json_t *answer, gsize index)
{
  return json_number_value (json_object_get (json_array_get (json_object_get (answer, "items"), index), "value"));
}

static void check_day (const char *name, const char *kind, int version, gsize doors_expected)
{
  char *folder = folder_make_temporary ();
  restore (folder, name, kind, version);
  add_a_reading (folder, 1777622120000000);
  json_t *levels = query (folder, "level-1"), *doors = query (folder, "door-1");
  json_t *rejected = observe_rejected (folder, "village", NULL, 10);
  assert_int_equal (json_array_size (json_object_get (levels, "items")), 3);
  assert_float_equal (value_of (levels, 0), 3.5, 1e-9);
  assert_float_equal (value_of (levels, 2), 3.7, 1e-9);
  assert_int_equal (json_array_size (json_object_get (doors, "items")), doors_expected);
  assert_int_equal (json_array_size (json_object_get (rejected, "items")), 1);
  json_decref (levels);
  json_decref (doors);
  json_decref (rejected);
  folder_drop (folder);
}

static void a_day_of_each_version_is_read_and_goes_on (void **state)
{
  (void) state;
  for (int version = 1; version <= DAY_VERSIONS; version++)
    check_day ("observations-20260501.db", "observations", version, version > 1);
  for (int version = 1; version <= COMPACT_VERSIONS; version++)
    check_day ("observations-20260501-compact.db", "observations-compact", version, 1);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (the_main_database_of_each_version_is_carried_over),
    cmocka_unit_test (recordings_of_each_version_are_carried_over),
    cmocka_unit_test (a_day_of_each_version_is_read_and_goes_on),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
