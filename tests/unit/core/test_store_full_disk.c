#include "gateway/core/error.h"
#include "gateway/store/store.h"
#include "tests/support/small_disk.h"
#include "tests/support/test.h"

static gboolean create_table (Database *database, gpointer data, GError **error)
{
  (void) data;
  return database_run (database, error, "CREATE TABLE t (v BLOB)", "");
}

/* More than one page, so that the write-ahead log must grow. */
static gboolean insert (Database *database, gpointer data, GError **error)
{
  return database_run (database, error, "INSERT INTO t VALUES (zeroblob(?))", "i", *(gint64 *) data);
}

static void after_the_disk_filled_up_the_next_alert_is_written_from_the_reserve (void **state)
{
  gint64 size = 100000;
  g_autoptr (GError) error = NULL;
  if (!small_disk_mount (*state, 120))
    skip ();
  Store *store = store_open (*state, clock_system (), &error);
  assert_null (error);
  assert_false (store_is_full (store));
  assert_true (store_run (store, create_table, NULL, NULL));
  g_free (small_disk_fill (*state, "filler"));

  gboolean written = FALSE;
  int failures = 0;
  for (int i = 0; i < 3 && !written; i++) {
    written = store_run (store, insert, &size, &error);
    if (!written) {
      assert_true (error_is (error, ERROR_RETRY));
      g_clear_error (&error);
      failures++;
    }
  }
  assert_true (written);
  assert_int_equal (failures, 1);
  assert_true (store_is_full (store));
  store_close (store);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (after_the_disk_filled_up_the_next_alert_is_written_from_the_reserve, small_disk_setup,
                                     small_disk_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
