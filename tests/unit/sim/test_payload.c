#include "pipelines/sim/payload.h"
#include "tests/unit/sensing/decoder_fixture.h"

#include <string.h>

static const gint64 some_time = 1777622400123000; /* 2026-05-01T08:00:00.123Z */

static void assert_payload (const SensorScript *sensor, double value, const char *expected)
{
  g_autoptr (GBytes) payload = payload_make (sensor, value, 7, some_time);
  gsize size;
  const char *text = g_bytes_get_data (payload, &size);
  assert_int_equal (size, strlen (expected));
  assert_memory_equal (text, expected, size);
}

static void decode (DecoderFixture *fixture, const SensorScript *sensor, double value)
{
  g_autoptr (GBytes) payload = payload_make (sensor, value, 7, some_time);
  gsize size;
  const void *bytes = g_bytes_get_data (payload, &size);
  fixture_decode (fixture, "", bytes, size);
  assert_null (fixture->decoded->reason);
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

static void the_gateway_understands_its_senml (void **state)
{
  (void) state;
  SensorScript sensor = { .id = (char *) "level-1", .unit = (char *) "m", .format = PAYLOAD_SENML, .decimals = 1,
                          .is_sequenced = TRUE };
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("senml");
  decoder_fixture_add (fixture, "level-1:value", VALUE_NUMBER);
  decoder_fixture_add (fixture, "n", VALUE_NUMBER);
  decode (fixture, &sensor, -312.44);
  fixture_gives (fixture, 0, -312.4);
  fixture_gives (fixture, 1, 7);
  const Reading *level = fixture_reading (fixture, 0, 0);
  assert_string_equal (level->unit, "m");
  assert_true (level->has_time);
  assert_true (ABS (level->time_us - some_time) < 1000);
  decode (fixture, &sensor, 1e308); /* beyond what can be rounded */
  fixture_gives (fixture, 0, 1e308);
  sensor.is_sequenced = FALSE;
  sensor.unit = NULL;
  assert_payload (&sensor, 2, "[{\"bn\":\"level-1:\",\"bt\":1777622400.123,\"n\":\"value\",\"v\":2.0}]");
}

static void the_gateway_understands_its_csv (void **state)
{
  (void) state;
  SensorScript sensor = { .format = PAYLOAD_CSV, .decimals = 1, .is_sequenced = TRUE };
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("csv");
  fixture->sensor->time_path = g_strdup ("1");
  decoder_fixture_add (fixture, "2", VALUE_NUMBER);
  decoder_fixture_add (fixture, "3", VALUE_NUMBER);
  decode (fixture, &sensor, 312.44);
  fixture_gives (fixture, 0, 312.4);
  fixture_gives (fixture, 1, 7);
  assert_int_equal (fixture_reading (fixture, 0, 0)->time_us, some_time);
  decode (fixture, &sensor, -1e308); /* the longest text */
  fixture_gives (fixture, 0, -1e308);
  sensor.is_sequenced = FALSE;
  assert_payload (&sensor, 312.44, "2026-05-01T08:00:00.123Z,312.4");
}

static void the_gateway_understands_its_binary (void **state)
{
  (void) state;
  SensorScript sensor = { .format = PAYLOAD_BINARY, .decimals = 1, .is_sequenced = TRUE };
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("binary");
  fixture->sensor->length = 8;
  decoder_fixture_add (fixture, NULL, VALUE_NUMBER)->field = (BinaryField){ .encoding = BINARY_I32 };
  decoder_fixture_add (fixture, NULL, VALUE_NUMBER)->field = (BinaryField){ .byte = 4, .encoding = BINARY_U32 };
  decode (fixture, &sensor, -312.44);
  fixture_gives (fixture, 0, -3124);
  fixture_gives (fixture, 1, 7);
  decode (fixture, &sensor, 1e12);
  fixture_gives (fixture, 0, G_MAXINT32);
  sensor.is_sequenced = FALSE;
  fixture->sensor->length = 4;
  g_ptr_array_set_size (fixture->sensor->metrics, 1);
  decode (fixture, &sensor, 25.6); /* 00 00 01 00: zero bytes end nothing */
  fixture_gives (fixture, 0, 256);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_bare_value_has_its_decimals),
    cmocka_unit_test (a_template_is_filled_in),
    cmocka_unit_test (a_sequenced_sensor_numbers_its_messages),
    cmocka_unit_test (the_gateway_understands_its_senml),
    cmocka_unit_test (the_gateway_understands_its_csv),
    cmocka_unit_test (the_gateway_understands_its_binary),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
