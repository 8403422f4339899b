#include "gateway/core/error.h"
#include "gateway/store/store.h"
#include "tests/support/test.h"
#include "tests/support/folder.h"

static gboolean create_table (Database *database, gpointer data, GError **error)
{
  (void) data;
  return database_run (database, error, "CREATE TABLE t (v INTEGER)", "");
}

static gboolean insert (Database *database, gpointer data, GError **error)
{
  return database_run (database, error, "INSERT INTO t VALUES (?)", "i", *(gint64 *) data);
}

static gboolean insert_then_fail (Database *database, gpointer data, GError **error)
{
  return insert (database, data, error) && error_set (error, ERROR_REFUSE, "no");
}

static gint64 count (Store *store)
{
  return database_integer (store_reader (store, NULL), -1, "SELECT count(*) FROM t", "");
}

static void what_a_job_wrote_is_there_for_readers_and_after_opening_again (void **state)
{
  gint64 value = 7;
  Store *store = store_open (*state, clock_system (), NULL);
  assert_non_null (store);
  assert_true (store_run (store, create_table, NULL, NULL));
  assert_true (store_run (store, insert, &value, NULL));
  assert_int_equal (count (store), 1);
  store_close (store);

  g_autoptr (Store) again = store_open (*state, clock_system (), NULL);
  assert_int_equal (count (again), 1);
}

static gboolean note_reload (Database *database, gpointer data, GError **error)
{
  (void) database, (void) error;
  (*(int *) data)++;
  return TRUE;
}

static void a_job_that_fails_takes_back_its_rows_and_calls_the_rollback_hooks (void **state)
{
  int reloads = 0;
  gint64 value = 7;
  g_autoptr (GError) error = NULL;
  g_autoptr (Store) store = store_open (*state, clock_system (), NULL);
  store_add_rollback (store, note_reload, &reloads);
  assert_true (store_run (store, create_table, NULL, NULL));
  assert_false (store_run (store, insert_then_fail, &value, &error));
  assert_true (error_is (error, ERROR_REFUSE));
  assert_int_equal (count (store), 0);
  assert_int_equal (reloads, 1);
}

typedef struct {
  Store *store;
  int hooks, done;
} Watched;

static void note_hook (gpointer data)
{
  ((Watched *) data)->hooks++;
}

static gboolean job_with_hook (Database *database, gpointer data, GError **error)
{
  Watched *watched = data;
  (void) database, (void) error;
  store_after_commit (watched->store, note_hook, watched, NULL);
  return TRUE;
}

static gboolean job_with_hook_that_fails (Database *database, gpointer data, GError **error)
{
  return job_with_hook (database, data, error) && error_set (error, ERROR_REFUSE, "no");
}

static void hooks_run_after_a_commit_only (void **state)
{
  g_autoptr (Store) store = store_open (*state, clock_system (), NULL);
  Watched watched = { store, 0, 0 };
  assert_true (store_run (store, job_with_hook, &watched, NULL));
  assert_int_equal (watched.hooks, 1);
  assert_false (store_run (store, job_with_hook_that_fails, &watched, NULL));
  assert_int_equal (watched.hooks, 1);
}

typedef struct {
  GMutex mutex;
  GCond changed;
  gboolean is_open;
  guint done;
  gboolean failed[4];
} Gate;

typedef struct {
  Gate *gate;
  guint place;
} Passage;

static gboolean wait_at_gate (Database *database, gpointer data, GError **error)
{
  Gate *gate = ((Passage *) data)->gate;
  (void) database, (void) error;
  g_mutex_lock (&gate->mutex);
  while (!gate->is_open)
    g_cond_wait (&gate->changed, &gate->mutex);
  g_mutex_unlock (&gate->mutex);
  return TRUE;
}

static gboolean insert_place (Database *database, gpointer data, GError **error)
{
  return database_run (database, error, "INSERT INTO t VALUES (?)", "i", (gint64) ((Passage *) data)->place);
}

/* SQLITE_FULL inside of a transaction, as a full disk gives it when the cache spills. */
static gboolean insert_too_much (Database *database, gpointer data, GError **error)
{
  (void) data;
  database_script (database, "PRAGMA max_page_count=1", NULL);
  gboolean is_done = database_run (database, error, "INSERT INTO t VALUES (zeroblob (1000000))", "");
  database_script (database, "PRAGMA max_page_count=1000000", NULL);
  return is_done;
}

static void pass_gate (gpointer data, const GError *error)
{
  Passage *passage = data;
  g_mutex_lock (&passage->gate->mutex);
  passage->gate->failed[passage->place] = error != NULL;
  passage->gate->done++;
  g_cond_broadcast (&passage->gate->changed);
  g_mutex_unlock (&passage->gate->mutex);
}

static void a_transaction_that_a_full_disk_rolled_back_fails_its_jobs_and_the_later_ones_commit_anew (void **state)
{
  Gate gate = { 0 };
  Passage passages[] = { { &gate, 0 }, { &gate, 1 }, { &gate, 2 }, { &gate, 3 } };
  StoreJob jobs[] = { wait_at_gate, insert_place, insert_too_much, insert_place };
  g_autoptr (Store) store = store_open (*state, clock_system (), NULL);
  assert_true (store_run (store, create_table, NULL, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (jobs); i++)
    assert_true (store_submit (store, jobs[i], pass_gate, &passages[i]));
  g_mutex_lock (&gate.mutex);
  gate.is_open = TRUE;
  g_cond_broadcast (&gate.changed);
  while (gate.done < G_N_ELEMENTS (jobs))
    g_cond_wait (&gate.changed, &gate.mutex);
  g_mutex_unlock (&gate.mutex);
  Database *reader = store_reader (store, NULL);
  for (guint i = 1; i < G_N_ELEMENTS (jobs); i++)
    assert_int_equal (database_integer (reader, -1, "SELECT count(*) FROM t WHERE v = ?", "i", (gint64) i), !gate.failed[i]);
  assert_true (gate.failed[2]);
  assert_false (gate.failed[3]);
}

static gboolean wait_little (Database *database, gpointer data, GError **error)
{
  (void) data;
  return database_script (database, "PRAGMA busy_timeout=1", error);
}

typedef struct {
  Store *store;
  int runs;
} Ticking;

static gboolean note_run (Database *database, gpointer data, GError **error)
{
  (void) database, (void) error;
  ((Ticking *) data)->runs++;
  return TRUE;
}

static gboolean set_timer (Database *database, gpointer data, GError **error)
{
  Ticking *ticking = data;
  (void) database, (void) error;
  store_set_timer (ticking->store, note_run, ticking, clock_monotonic_us (store_clock (ticking->store)) + G_USEC_PER_SEC);
  return TRUE;
}

static void a_transaction_that_cannot_begin_calls_the_rollback_hooks_and_keeps_its_timers (void **state)
{
  int reloads = 0;
  gint64 value = 7;
  g_autofree char *path = g_build_filename (*state, "gridgate.db", NULL);
  Clock *clock = clock_fake_new (0);
  Store *store = store_open (*state, clock, NULL);
  Ticking ticking = { store, 0 };
  store_add_rollback (store, note_reload, &reloads);
  assert_true (store_run (store, create_table, NULL, NULL));
  assert_true (store_run (store, wait_little, NULL, NULL));
  assert_true (store_run (store, set_timer, &ticking, NULL));
  Database *other = database_open (path, DATABASE_WRITER, NULL);
  assert_true (database_script (other, "BEGIN IMMEDIATE", NULL));
  clock_fake_advance (clock, 2 * G_USEC_PER_SEC);
  assert_false (store_run (store, insert, &value, NULL));
  assert_true (reloads > 0);
  assert_true (database_script (other, "ROLLBACK", NULL));
  database_close (other);
  assert_int_equal (ticking.runs, 0);
  clock_fake_advance (clock, 2 * G_USEC_PER_SEC);
  while (ticking.runs == 0)
    assert_true (store_run (store, insert, &value, NULL));
  assert_int_equal (ticking.runs, 1);
  store_close (store);
  clock_fake_free (clock);
}

static void a_database_of_a_newer_gridgate_is_refused (void **state)
{
  g_autofree char *path = g_build_filename (*state, "gridgate.db", NULL);
  g_autoptr (GError) error = NULL;
  Database *database = database_open (path, DATABASE_WRITER, NULL);
  assert_true (database_script (database, "PRAGMA user_version=9999", NULL));
  database_close (database);
  assert_null (store_open (*state, clock_system (), &error));
  assert_true (error_is (error, ERROR_GIVE_UP));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (what_a_job_wrote_is_there_for_readers_and_after_opening_again, folder_setup,
                                     folder_teardown),
    cmocka_unit_test_setup_teardown (a_job_that_fails_takes_back_its_rows_and_calls_the_rollback_hooks, folder_setup,
                                     folder_teardown),
    cmocka_unit_test_setup_teardown (hooks_run_after_a_commit_only, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (
      a_transaction_that_a_full_disk_rolled_back_fails_its_jobs_and_the_later_ones_commit_anew, folder_setup,
      folder_teardown),
    cmocka_unit_test_setup_teardown (a_transaction_that_cannot_begin_calls_the_rollback_hooks_and_keeps_its_timers, folder_setup,
                                     folder_teardown),
    cmocka_unit_test_setup_teardown (a_database_of_a_newer_gridgate_is_refused, folder_setup, folder_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
