#include "pipelines/sim/payload.h"
#include "tests/support/test.h"

static const gint64 some_time = 1777622400123000; /* 2026-05-01T08:00:00.123Z */

static void assert_payload (const SensorScript *sensor, double value, const char *expected)
{
  g_autofree char *payload = payload_make (sensor, value, 7, some_time);
  assert_string_equal (payload, expected);
}

static void a_bare_value_has_its_decimals (void **state)
{
  (void) state;
  SensorScript sensor = { .format = PAYLOAD_VALUE, .decimals = 1 };
  assert_payload (&sensor, 312.44, "312.4");
  sensor.decimals = 0;
  assert_payload (&sensor, 1, "1");
}

static void a_template_is_filled_in (void **state)
{
  (void) state;
  SensorScript sensor = { .decimals = 1 };
  sensor.fields = json_loads (
      "{\"level_cm\":\"{value}\",\"battery\":87,\"a\":[{\"t\":\"{time}\",\"ms\":\"{time_ms}\"}]}", 0, NULL);
  assert_payload (
      &sensor, 312.44,
      "{\"level_cm\":312.4,\"battery\":87,\"a\":[{\"t\":\"2026-05-01T08:00:00.123Z\",\"ms\":1777622400123}]}");
  json_decref (sensor.fields);
}

static void a_sequenced_sensor_numbers_its_messages (void **state)
{
  (void) state;
  SensorScript sensor = { .decimals = 0, .is_sequenced = TRUE };
  assert_payload (&sensor, 5, "{\"value\":5,\"time\":\"2026-05-01T08:00:00.123Z\",\"n\":7}");
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_bare_value_has_its_decimals),
    cmocka_unit_test (a_template_is_filled_in),
    cmocka_unit_test (a_sequenced_sensor_numbers_its_messages),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
