#include "pipelines/sim/curve.h"
#include "tests/support/test.h"

static Curve *flood (void)
{
  Curve *curve = curve_new ();
  const CurvePoint points[] = { { 0, 210 }, { 20 * G_USEC_PER_SEC, 350 }, { 40 * G_USEC_PER_SEC, 250 } };
  curve->kind = CURVE_POINTS;
  g_array_append_vals (curve->points, points, G_N_ELEMENTS (points));
  return curve;
}

static void between_points_it_goes_straight_and_stays_at_the_last (void **state)
{
  (void) state;
  Curve *curve = flood ();
  assert_float_equal (curve_value (curve, 0), 210, 1e-9);
  assert_float_equal (curve_value (curve, 10 * G_USEC_PER_SEC), 280, 1e-9);
  assert_float_equal (curve_value (curve, 20 * G_USEC_PER_SEC), 350, 1e-9);
  assert_float_equal (curve_value (curve, 1000 * (gint64) G_USEC_PER_SEC), 250, 1e-9);
  curve_free (curve);
}

static void steps_hold_until_the_next_point (void **state)
{
  (void) state;
  Curve *curve = flood ();
  curve->is_stepped = TRUE;
  assert_float_equal (curve_value (curve, 19 * G_USEC_PER_SEC), 210, 1e-9);
  assert_float_equal (curve_value (curve, 21 * G_USEC_PER_SEC), 350, 1e-9);
  curve_free (curve);
}

static void a_repeated_curve_begins_again (void **state)
{
  (void) state;
  Curve *curve = flood ();
  curve->repeats = TRUE;
  assert_float_equal (curve_value (curve, 50 * G_USEC_PER_SEC), 280, 1e-9);
  curve_free (curve);
}

static void a_ramp_ends_where_it_leads (void **state)
{
  (void) state;
  Curve ramp = { .kind = CURVE_RAMP, .from = 1, .to = 3, .over_us = 10 };
  assert_float_equal (curve_value (&ramp, 5), 2, 1e-9);
  assert_float_equal (curve_value (&ramp, 500), 3, 1e-9);
}

static void a_sine_swings_around_its_mean (void **state)
{
  (void) state;
  Curve sine = { .kind = CURVE_SINE, .value = 20, .amplitude = 5, .over_us = 400 };
  assert_float_equal (curve_value (&sine, 0), 20, 1e-9);
  assert_float_equal (curve_value (&sine, 100), 25, 1e-9);
  assert_float_equal (curve_value (&sine, 300), 15, 1e-9);
}

static void noise_repeats_with_its_seed_and_stays_in_bounds (void **state)
{
  (void) state;
  double sum = 0;
  for (guint64 i = 0; i < 10000; i++) {
    double noise = noise_value (7, i);
    assert_true (noise >= -1 && noise <= 1);
    assert_true (noise == noise_value (7, i));
    sum += noise;
  }
  assert_float_equal (sum / 10000, 0, 0.03);
  assert_true (noise_value (7, 1) != noise_value (8, 1));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (between_points_it_goes_straight_and_stays_at_the_last),
    cmocka_unit_test (steps_hold_until_the_next_point),
    cmocka_unit_test (a_repeated_curve_begins_again),
    cmocka_unit_test (a_ramp_ends_where_it_leads),
    cmocka_unit_test (a_sine_swings_around_its_mean),
    cmocka_unit_test (noise_repeats_with_its_seed_and_stays_in_bounds),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
