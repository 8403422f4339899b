#include <string.h>

#include "gateway/core/ids.h"
#include "tests/support/test.h"

static void ulids_of_one_millisecond_sort_as_they_were_made (void **state)
{
  (void) state;
  g_autofree char *before = ulid_new (1777622400123000);
  for (int i = 0; i < 1000; i++) {
    char *after = ulid_new (1777622400123000);
    assert_true (ulid_is_valid (after));
    assert_true (strcmp (before, after) < 0);
    g_free (before);
    before = after;
  }
}

static void a_ulid_starts_with_its_time (void **state)
{
  (void) state;
  g_autofree char *ulid = ulid_new (1469918176385000); /* the example of the specification: 01ARYZ6S41… */
  assert_memory_equal (ulid, "01ARYZ6S41", 10);
}

static void site_ids_have_one_shape (void **state)
{
  (void) state;
  g_autofree char *longest = g_strnfill (64, 'a');
  g_autofree char *too_long = g_strnfill (65, 'a');
  assert_true (site_id_is_valid ("bridge-1.main_x"));
  assert_true (site_id_is_valid (longest));
  assert_false (site_id_is_valid (too_long));
  assert_false (site_id_is_valid (""));
  assert_false (site_id_is_valid ("-a"));
  assert_false (site_id_is_valid ("a/b"));
  assert_false (site_id_is_valid ("桥"));
  assert_false (site_id_is_valid (NULL));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (ulids_of_one_millisecond_sort_as_they_were_made),
    cmocka_unit_test (a_ulid_starts_with_its_time),
    cmocka_unit_test (site_ids_have_one_shape),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
