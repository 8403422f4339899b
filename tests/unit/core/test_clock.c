#include "gateway/core/clock.h"
#include "tests/support/test.h"

static void times_are_written_in_utc_with_milliseconds (void **state)
{
  (void) state;
  g_autofree char *text = time_to_rfc3339 (1777622400123456);
  assert_string_equal (text, "2026-05-01T08:00:00.123Z");
}

/* GLib's calendar is the model. */
static void assert_written_as_glib_does (gint64 seconds)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (seconds);
  g_autofree char *whole = g_date_time_format (time, "%m-%dT%H:%M:%S");
  g_autofree char *expected = g_strdup_printf ("%04d-%s.007Z", g_date_time_get_year (time), whole);
  g_autofree char *text = time_to_rfc3339 (seconds * G_USEC_PER_SEC + 7999);
  assert_string_equal (text, expected);
}

static void every_day_of_the_calendar_is_written_as_it_is (void **state)
{
  (void) state;
  const gint64 first = -62135596800, last = 253402300799;
  for (gint64 day = 0; day < 800 * 366; day++) /* two whole turns of the calendar */
    assert_written_as_glib_does (-12219292800 + day * 86400 + day % 86400);
  assert_written_as_glib_does (first);
  assert_written_as_glib_does (last);
  assert_written_as_glib_does (-1);
  g_autofree char *beyond = time_to_rfc3339 ((last + 1) * G_USEC_PER_SEC), *before = time_to_rfc3339 (first * G_USEC_PER_SEC - 1);
  assert_string_equal (beyond, "1970-01-01T00:00:00.000Z");
  assert_string_equal (before, "1970-01-01T00:00:00.000Z");
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
    cmocka_unit_test (every_day_of_the_calendar_is_written_as_it_is),
    cmocka_unit_test (times_of_any_offset_are_read),
    cmocka_unit_test (what_is_no_time_is_refused),
    cmocka_unit_test (a_fake_clock_moves_only_when_it_is_told_to),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
