#include "gateway/core/clock.h"
#include "tests/support/test.h"

static void times_are_written_in_utc_with_milliseconds (void **state)
{
  (void) state;
  g_autofree char *text = time_to_rfc3339 (1777622400123456);
  assert_string_equal (text, "2026-05-01T08:00:00.123Z");
}

static void times_of_any_offset_are_read (void **state)
{
  (void) state;
  gint64 utc, east;
  assert_true (time_from_rfc3339 ("2026-05-01T08:00:00.123Z", &utc));
  assert_true (time_from_rfc3339 ("2026-05-01T16:00:00.123+08:00", &east));
  assert_int_equal (utc, 1777622400123000);
  assert_int_equal (utc, east);
}

static void what_is_no_time_is_refused (void **state)
{
  (void) state;
  gint64 time;
  const char *const wrong[] = { "", "2026-05-01", "20260501T080000Z", "2026-13-01T08:00:00Z", "2026-W18-5T08:00:00Z", "yesterday" };
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    assert_false (time_from_rfc3339 (wrong[i], &time));
}

static void a_fake_clock_moves_only_when_it_is_told_to (void **state)
{
  (void) state;
  Clock *clock = clock_fake_new (1000);
  gint64 monotonic = clock_monotonic_us (clock);
  clock_fake_advance (clock, 5);
  clock_fake_step_wall (clock, -100);
  assert_int_equal (clock_monotonic_us (clock), monotonic + 5);
  assert_int_equal (clock_wall_us (clock), 905);
  clock_fake_free (clock);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (times_are_written_in_utc_with_milliseconds),
    cmocka_unit_test (times_of_any_offset_are_read),
    cmocka_unit_test (what_is_no_time_is_refused),
    cmocka_unit_test (a_fake_clock_moves_only_when_it_is_told_to),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
