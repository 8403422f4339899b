/* The table of units against what is known of them otherwise. */
#include <math.h>

#include "config/units.h"
#include "tests/support/test.h"

static const struct {
  double value;
  const char *from;
  double expected;
  const char *to;
} known[] = {
  { 325, "cm", 3.25, "m" },
  { 1, "[in_i]", 25.4, "mm" },
  { 1, "[nmi_i]", 1.852, "km" },
  { 1, "har", 10000, "m2" },
  { 1, "m3", 1000, "L" },
  { 36, "km/h", 10, "m/s" },
  { 1, "[kn_i]", 1.852, "km/h" },
  { 24, "mm/d", 1, "mm/h" },
  { 212, "[degF]", 100, "Cel" },
  { -40, "[degF]", -40, "Cel" },
  { 0, "Cel", 273.15, "K" },
  { 50, "%", 0.5, "1" },
  { 1, "%", 10000, "[ppm]" },
  { 760, "mm[Hg]", 1013.250144354, "hPa" },
  { 1, "bar", 100, "kPa" },
  { 1, "[psi]", 6.894757293168, "kPa" },
  { 10, "m[H2O]", 98.0665, "kPa" },
  { 3600, "m3/h", 1, "m3/s" },
  { 60, "L/min", 1, "L/s" },
  { 35, "ug/m3", 0.035, "mg/m3" },
  { 5, "mg/L", 5, "g/m3" },
  { 1, "kW.h", 3.6, "MJ" },
  { 3300, "mV", 3.3, "V" },
  { 4, "{NTU}", 4, "[NTU]" },
};

static void known_conversions_come_out (void **state)
{
  (void) state;
  for (gsize i = 0; i < G_N_ELEMENTS (known); i++) {
    double value = known[i].value, back = known[i].expected;
    if (!unit_convert (config_units, known[i].from, known[i].to, &value)
        || !unit_convert (config_units, known[i].to, known[i].from, &back))
      fail_msg ("%s doesn't convert to %s", known[i].from, known[i].to);
    if (fabs (value - known[i].expected) > 1e-6 * MAX (1, fabs (known[i].expected)) || fabs (back - known[i].value) > 1e-4)
      fail_msg ("%g %s are %.9g %s, expected %.9g", known[i].value, known[i].from, value, known[i].to, known[i].expected);
  }
}

static void what_is_of_another_kind_stays_as_it_is (void **state)
{
  (void) state;
  double value = 20;
  assert_false (unit_convert (config_units, "Cel", "m", &value));
  assert_false (unit_convert (config_units, "furlong", "m", &value));
  assert_true (unit_convert (config_units, "{vehicles}", "1", &value));
  assert_float_equal (value, 20, 0);
}

/* Each row stands once, and comes back from its base. */
static void every_unit_is_of_one_kind_and_turns_back (void **state)
{
  (void) state;
  for (const UnitOfMeasure *unit = config_units; unit->code != NULL; unit++) {
    assert_ptr_equal (unit_find (config_units, unit->code), unit);
    assert_true (unit->factor > 0 && isfinite (unit->factor) && isfinite (unit->offset));
    assert_non_null (unit->dimension);
  }
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (known_conversions_come_out),
    cmocka_unit_test (what_is_of_another_kind_stays_as_it_is),
    cmocka_unit_test (every_unit_is_of_one_kind_and_turns_back),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
