#include "pipelines/live/decode_order.h"
#include "pipelines/record/retention.h"
#include "tests/support/test.h"

#define DAY_US ((gint64) 24 * 3600 * G_USEC_PER_SEC)

static void check_order (guint depth, const gint64 *pts, guint count, guint late_allowed)
{
  DecodeOrder order;
  gint64 last = G_MININT64;
  guint late = 0;
  decode_order_start (&order, depth, 3600);
  for (guint i = 0; i < count; i++) {
    gint64 dts = decode_order_next (&order, pts[i]);
    assert_true (dts > last);
    late += dts > pts[i];
    last = dts;
  }
  assert_true (late <= late_allowed);
}

static void decoding_times_rise_and_are_not_later_than_the_picture (void **state)
{
  (void) state;
  const gint64 plain[] = { 0, 3600, 7200, 10800, 14400 };
  const gint64 pyramid[] = { 0, 14400, 7200, 3600, 10800, 28800, 21600, 18000, 25200, 43200, 36000, 32400, 39600 };
  const gint64 jitter[] = { 0, 14490, 7110, 3690, 10710, 28890, 21510, 18090, 25110, 43290, 35910, 32490, 39510 };
  const gint64 pause[] = { 0, 3600, 7200, 900000, 903600, 907200 };
  check_order (0, plain, G_N_ELEMENTS (plain), 0);
  check_order (2, pyramid, G_N_ELEMENTS (pyramid), 0);
  check_order (2, jitter, G_N_ELEMENTS (jitter), 0);
  check_order (0, pause, G_N_ELEMENTS (pause), 0);
  check_order (1, pause, G_N_ELEMENTS (pause), 0);
}

static void a_stream_that_hides_its_reordering_is_late_only_until_that_is_seen (void **state)
{
  (void) state;
  const gint64 pyramid[] = { 0,     14400, 7200,  3600,  10800, 28800, 21600, 18000, 25200, 43200, 36000,
                             32400, 39600, 57600, 50400, 46800, 54000, 72000, 64800, 61200, 68400 };
  check_order (0, pyramid, G_N_ELEMENTS (pyramid), 4);
}

static void equal_and_backward_times_still_rise (void **state)
{
  (void) state;
  const gint64 same[] = { 100, 100, 100, 100, 50, 40, 30, 20, 10, 100, 200 };
  check_order (0, same, G_N_ELEMENTS (same), G_N_ELEMENTS (same));
  check_order (16, same, G_N_ELEMENTS (same), G_N_ELEMENTS (same));
}

static void retention_knows_age_bytes_and_free_space (void **state)
{
  (void) state;
  const RetentionLimits limits = { 30 * DAY_US, 7 * DAY_US, 1000, 0, 5 };
  const gint64 disk = 100 * (gint64) 1000000000;
  static const struct {
    gint64 bytes;
    guint free_percent;
    gboolean is_stopped;
    int reason; /* -1: there is room */
  } cases[] = {
    { 900, 50, FALSE, -1 },
    { 1001, 50, FALSE, RETENTION_TOTAL_BYTES },
    { 900, 4, FALSE, RETENTION_FREE_SPACE },
    { 990, 50, TRUE, RETENTION_TOTAL_BYTES }, /* resumes with a margin only */
    { 980, 50, TRUE, -1 },
    { 900, 5, TRUE, RETENTION_FREE_SPACE },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    RetentionReason reason;
    const RetentionFacts facts = { cases[i].bytes, disk / 100 * cases[i].free_percent, disk, cases[i].is_stopped };
    gboolean lacks = retention_lacks_space (&limits, &facts, &reason);
    assert_int_equal (lacks ? (int) reason : -1, cases[i].reason);
  }
  assert_true (retention_is_too_old (30 * DAY_US, 7 * DAY_US, 30 * DAY_US + 1));
  assert_false (retention_is_too_old (30 * DAY_US, 40 * DAY_US, 39 * DAY_US)); /* the law's time is longer */
  assert_false (retention_is_too_old (0, 0, 4000 * DAY_US));
}

static void a_hold_keeps_what_it_touches_until_it_ends (void **state)
{
  (void) state;
  g_autoptr (GPtrArray) holds = g_ptr_array_new_with_free_func ((GDestroyNotify) retention_hold_free);
  g_ptr_array_add (holds, retention_hold_new ("bridge", 100, 200, 0));
  g_ptr_array_add (holds, retention_hold_new ("bridge", 300, 400, 1000));
  assert_non_null (retention_held_by (holds, "bridge", 90, 101, 5000));
  assert_non_null (retention_held_by (holds, "bridge", 199, 250, 5000));
  assert_null (retention_held_by (holds, "bridge", 50, 100, 5000));
  assert_null (retention_held_by (holds, "bridge", 200, 300, 5000));
  assert_null (retention_held_by (holds, "gate", 100, 200, 5000));
  assert_non_null (retention_held_by (holds, "bridge", 350, 360, 999));
  assert_null (retention_held_by (holds, "bridge", 350, 360, 1000));
  assert_null (retention_held_by (NULL, "bridge", 350, 360, 1000));
  assert_true (retention_holds_any (holds, 5000));
  g_ptr_array_remove_index (holds, 0);
  assert_true (retention_holds_any (holds, 999));
  assert_false (retention_holds_any (holds, 1000));
  assert_false (retention_holds_any (NULL, 0));
}

static void the_ageing_clock_runs_at_most_twice_as_fast_as_time (void **state)
{
  (void) state;
  RetentionClock clock;
  retention_clock_start (&clock, 100 * DAY_US, 4000 * DAY_US, 0); /* the machine's clock was set wrong before the start */
  assert_int_equal (clock.now_us, 100 * DAY_US);
  assert_int_equal (retention_clock_advance (&clock, 4001 * DAY_US, DAY_US), 102 * DAY_US);
  assert_int_equal (retention_clock_advance (&clock, 101 * DAY_US, DAY_US), 101 * DAY_US); /* corrected */
  assert_int_equal (retention_clock_advance (&clock, 102 * DAY_US, 2 * DAY_US), 102 * DAY_US);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (decoding_times_rise_and_are_not_later_than_the_picture),
    cmocka_unit_test (a_stream_that_hides_its_reordering_is_late_only_until_that_is_seen),
    cmocka_unit_test (equal_and_backward_times_still_rise),
    cmocka_unit_test (retention_knows_age_bytes_and_free_space),
    cmocka_unit_test (a_hold_keeps_what_it_touches_until_it_ends),
    cmocka_unit_test (the_ageing_clock_runs_at_most_twice_as_fast_as_time),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
