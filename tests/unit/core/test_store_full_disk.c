#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/store/store.h"
#include "tests/support/folder.h"
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

static void fill_disk (const char *folder)
{
  static char block[1 << 16];
  g_autofree char *path = g_build_filename (folder, "filler", NULL);
  int fd = open (path, O_WRONLY | O_CREAT, 0600);
  gsize size = sizeof block;
  assert_true (fd >= 0);
  while (size > 0)
    if (write (fd, block, size) < (gssize) size)
      size /= 2;
  close (fd);
}

static void after_the_disk_filled_up_the_next_alert_is_written_from_the_reserve (void **state)
{
  gint64 size = 100000;
  g_autoptr (GError) error = NULL;
  if (mount ("tmpfs", *state, "tmpfs", 0, "size=120m") < 0) {
    print_message ("skipped: this machine lets nobody mount (%s)\n", strerror (errno));
    skip ();
  }
  Store *store = store_open (*state, clock_system (), &error);
  assert_null (error);
  assert_true (store_run (store, create_table, NULL, NULL));
  fill_disk (*state);

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
  store_close (store);
}

static int leave_namespace (void **state)
{
  umount2 (*state, MNT_DETACH);
  return folder_teardown (state);
}

static int enter_namespace (void **state)
{
  if (unshare (CLONE_NEWNS) == 0)
    mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  return folder_setup (state);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (after_the_disk_filled_up_the_next_alert_is_written_from_the_reserve, enter_namespace,
                                     leave_namespace),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
