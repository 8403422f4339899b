#include "gateway/core/file.h"
#include "gateway/core/memory.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

enum { MACHINE = 8000 };

static void put (const char *root, const char *folder, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (root, folder, NULL), *file = g_build_filename (path, name, NULL);
  assert_true (folder_make (path, NULL));
  assert_true (g_file_set_contents (file, text, -1, NULL));
}

static void without_a_limit_it_is_the_machine (void **state)
{
  put (*state, "system.slice/media.service", "memory.max", "max\n");
  assert_int_equal (memory_limit_in (MACHINE, *state, "0::/system.slice/media.service\n"), MACHINE);
  assert_int_equal (memory_limit_in (MACHINE, *state, "0::/elsewhere\n"), MACHINE);
  assert_int_equal (memory_limit_in (MACHINE, *state, "nonsense\n\n:"), MACHINE);
  put (*state, "", "memory.max", "9000\n");
  assert_int_equal (memory_limit_in (MACHINE, *state, "0::/\n"), MACHINE);
}

static void the_least_of_a_group_and_those_above_counts (void **state)
{
  put (*state, "a/b", "memory.max", "4000\n");
  put (*state, "a/b", "memory.high", "max\n");
  put (*state, "a", "memory.max", "5000\n");
  assert_int_equal (memory_limit_in (MACHINE, *state, "0::/a/b\n"), 4000);
  put (*state, "a", "memory.high", "3000\n");
  assert_int_equal (memory_limit_in (MACHINE, *state, "0::/a/b\n"), 3000);
}

/* In a container that sees its own groups only, its limit stands at the root. */
static void a_container_is_limited_by_its_root (void **state)
{
  put (*state, "", "memory.max", "2000\n");
  assert_int_equal (memory_limit_in (MACHINE, *state, "0::/\n"), 2000);
  assert_int_equal (memory_limit_in (MACHINE, *state, "0::/../outside\n"), 2000);
}

static void version_1_has_a_tree_for_memory (void **state)
{
  static const char membership[] = "5:cpu,cpuacct:/x\n4:hugetlb,memory:/x/y\n1:name=systemd:/x\n0::/x\n";
  put (*state, "memory/x/y", "memory.limit_in_bytes", "9223372036854771712\n");
  assert_int_equal (memory_limit_in (MACHINE, *state, membership), MACHINE);
  put (*state, "memory/x", "memory.limit_in_bytes", "1000\n");
  assert_int_equal (memory_limit_in (MACHINE, *state, membership), 1000);
}

static void this_process_may_use_something (void **state)
{
  (void) state;
  assert_true (memory_limit_bytes () > 16 * 1024 * 1024);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (without_a_limit_it_is_the_machine, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (the_least_of_a_group_and_those_above_counts, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (a_container_is_limited_by_its_root, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (version_1_has_a_tree_for_memory, folder_setup, folder_teardown),
    cmocka_unit_test (this_process_may_use_something),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
