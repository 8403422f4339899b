#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "gateway/access/command.h"
#include "gateway/access/control.h"
#include "tests/support/test.h"
#include "tests/unit/access/access_fixture.h"

/* `line` is split at spaces; returns the exit status. */
static int run (const Site *site, const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  return access_command (site, (int) g_strv_length (words), words);
}

static char *password_file (const char *folder, const char *password)
{
  char *path = g_build_filename (folder, "password", NULL);
  assert_true (g_file_set_contents (path, password, -1, NULL));
  return path;
}

static gint64 count (Store *store, const char *sql)
{
  return database_integer (store_reader (store, NULL), -1, sql, "");
}

static void add_lock_and_remove (AccessFixture *fixture)
{
  g_autofree char *path = password_file (fixture->folder, FIXTURE_PASSWORD "\n");
  g_autofree char *add = g_strdup_printf ("user add li --role worker --grid village --password-file %s", path);
  g_autofree char *unknown_grid = g_strdup_printf ("user add wu --role worker --grid moon --password-file %s", path);
  assert_int_equal (run (fixture->site, add), 0);
  assert_int_equal (run (fixture->site, add), 1);
  assert_int_equal (run (fixture->site, unknown_grid), 1);
  assert_int_equal (run (fixture->site, "user lock li"), 0);
  assert_int_equal (run (fixture->site, "user list"), 0);
  assert_int_equal (run (fixture->site, "user lock nobody"), 1);
  assert_int_equal (run (fixture->site, "token add county --role operator"), 0);
  assert_int_equal (run (fixture->site, "token add late --role operator --expires 2001-01-01T00:00:00Z"), 1);
}

static void commands_work_while_the_gateway_runs (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *socket_path = g_build_filename (fixture->folder, "control.sock", NULL);
  struct stat status;
  Control *control = control_new (fixture->access, fixture->folder, NULL);
  assert_non_null (control);
  assert_int_equal (stat (socket_path, &status), 0);
  assert_int_equal (status.st_mode & 0777, 0600);
  add_lock_and_remove (fixture);
  assert_int_equal (count (fixture->store, "SELECT is_locked FROM accounts WHERE name = 'li'"), 1);
  assert_int_equal (count (fixture->store, "SELECT count(*) FROM tokens"), 1);
  assert_int_equal (run (fixture->site, "user remove li"), 0);
  assert_int_equal (count (fixture->store, "SELECT count(*) FROM accounts"), 0);
  assert_int_equal (count (fixture->store, "SELECT count(*) FROM audit"), 4);
  control_free (control);
}

static void commands_work_while_it_does_not (void **state)
{
  AccessFixture *fixture = *state;
  store_close (g_steal_pointer (&fixture->store));
  add_lock_and_remove (fixture);
}

static void commands_stay_away_from_a_store_that_somebody_holds (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *path = g_build_filename (fixture->folder, "lock", NULL);
  int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  assert_int_equal (flock (fd, LOCK_EX), 0);
  assert_int_equal (run (fixture->site, "user list"), 1);
  close (fd);
}

static void wrong_usage_is_told_apart (void **state)
{
  AccessFixture *fixture = *state;
  static const char *const wrong[] = { "user", "user fly li", "user add", "user lock li wu", "user lock li --role x",
                                       "token revoke", "user add li --role" };
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    assert_int_equal (run (fixture->site, wrong[i]), 64);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, access_fixture_setup, access_fixture_teardown)
  const struct CMUnitTest tests[] = {
    TEST (commands_work_while_the_gateway_runs),
    TEST (commands_work_while_it_does_not),
    TEST (commands_stay_away_from_a_store_that_somebody_holds),
    TEST (wrong_usage_is_told_apart),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
