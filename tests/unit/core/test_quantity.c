#include "gateway/core/quantity.h"
#include "tests/support/test.h"

static void durations_and_sizes_are_read_and_written (void **state)
{
  (void) state;
  const char *const durations[] = { "500ms", "30s", "10m", "2h", "30d", "0s" };
  const char *const sizes[] = { "64KiB", "500MB", "2GB", "1TB", "0B" };
  for (gsize i = 0; i < G_N_ELEMENTS (durations); i++) {
    gint64 value;
    assert_true (duration_parse (durations[i], &value));
    g_autofree char *text = duration_format (value);
    assert_string_equal (text, durations[i]);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    gint64 value;
    assert_true (size_parse (sizes[i], &value));
    g_autofree char *text = size_format (value);
    assert_string_equal (text, sizes[i]);
  }
}

static void what_has_no_unit_or_overflows_is_refused (void **state)
{
  (void) state;
  gint64 value;
  const char *const wrong[] = { "", "30", "s", "-5s", "1.5s", " 5s", "5 s", "99999999999999999999s", "200000000d" };
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    assert_false (duration_parse (wrong[i], &value));
  assert_false (size_parse ("99999999999TB", &value));
  assert_false (size_parse ("1kB", &value));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (durations_and_sizes_are_read_and_written),
    cmocka_unit_test (what_has_no_unit_or_overflows_is_refused),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
