/* chirpstack, cayenne_lpp, zigbee2mqtt, binary, csv, and the values that all formats share. */
#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "tests/unit/sensing/decoder_fixture.h"

#define UP "application/17c82e96/device/0101010101010101/event/up"

static void assert_reason (DecoderFixture *fixture, const char *reason)
{
  assert_non_null (fixture->decoded->reason);
  assert_string_equal (fixture->decoded->reason, reason);
  assert_non_null (fixture->decoded->detail);
}

static void words_become_the_values_that_they_stand_for (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("json");
  Metric *door = decoder_fixture_add (fixture, "$.door", VALUE_NUMBER);
  decoder_fixture_name_value (door, "open", 1);
  decoder_fixture_name_value (door, "closed", 0);
  decoder_fixture_name_value (door, "3", 0.5);
  decoder_fixture_name_value (door, "true", 2);
  fixture_decode_text (fixture, "", "{\"door\":\"open\"}");
  fixture_gives (fixture, 0, 1);
  fixture_decode_text (fixture, "", "{\"door\":3}");
  fixture_gives (fixture, 0, 0.5);
  fixture_decode_text (fixture, "", "{\"door\":true}");
  fixture_gives (fixture, 0, 2);
  fixture_decode_text (fixture, "", "{\"door\":\"ajar\"}");
  assert_reason (fixture, REASON_UNKNOWN_VALUE);
}

static void each_kind_takes_its_own_values_only (void **state)
{
  (void) state;
  static const struct {
    ValueKind kind;
    const char *payload, *reason; /* NULL: taken */
  } cases[] = {
    { VALUE_NUMBER, "{\"v\":1}", NULL },
    { VALUE_NUMBER, "{\"v\":true}", REASON_NOT_A_NUMBER },
    { VALUE_NUMBER, "{\"v\":\"1\"}", REASON_NOT_A_NUMBER },
    { VALUE_BOOLEAN, "{\"v\":true}", NULL },
    { VALUE_BOOLEAN, "{\"v\":0}", NULL },
    { VALUE_BOOLEAN, "{\"v\":2}", REASON_NOT_A_BOOLEAN },
    { VALUE_BOOLEAN, "{\"v\":\"true\"}", REASON_NOT_A_BOOLEAN },
    { VALUE_TEXT, "{\"v\":\"auto\"}", NULL },
    { VALUE_TEXT, "{\"v\":1}", REASON_NOT_A_TEXT },
    { VALUE_TEXT, "{\"v\":null}", REASON_NOT_A_NUMBER },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("json");
    decoder_fixture_add (fixture, "$.v", cases[i].kind);
    fixture_decode_text (fixture, "", cases[i].payload);
    assert_int_equal (fixture->decoded->readings->len, cases[i].reason == NULL);
    if (cases[i].reason != NULL)
      assert_reason (fixture, cases[i].reason);
    else
      assert_int_equal (fixture_reading (fixture, 0, 0)->kind, cases[i].kind);
  }
}

static void one_json_message_gives_many_readings_each_with_its_time (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("json");
  decoder_fixture_add (fixture, "$.data[*].level", VALUE_NUMBER);
  decoder_fixture_add (fixture, "$.rows.*[0]", VALUE_NUMBER);
  fixture->sensor->time_path = g_strdup ("$.data[*].at");
  fixture_decode_text (fixture, "", "{\"data\":[{\"at\":1777622400,\"level\":1.5},{\"at\":1777622460},{\"level\":3,"
                                    "\"at\":\"2026-05-01T08:02:00Z\"}],\"rows\":{\"a\":[7,8],\"b\":[9]}}");
  assert_int_equal (fixture_count (fixture, 0), 2);
  assert_int_equal (fixture_reading (fixture, 0, 0)->time_us, DECODER_FIXTURE_NOW_US);
  assert_int_equal (fixture_reading (fixture, 0, 1)->time_us, DECODER_FIXTURE_NOW_US + 120 * G_USEC_PER_SEC);
  assert_int_equal (fixture_count (fixture, 1), 2);
  assert_null (fixture->decoded->reason);
  fixture_decode_text (fixture, "", "{\"data\":[],\"rows\":{\"a\":[1]}}");
  assert_int_equal (fixture_count (fixture, 1), 1);
  assert_reason (fixture, REASON_PATH_ABSENT);
}

static void more_readings_than_a_message_may_have_are_said (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("json");
  decoder_fixture_add (fixture, "$[*]", VALUE_NUMBER);
  g_autoptr (GString) text = g_string_new ("[0");
  for (guint i = 0; i < READINGS_MAX; i++)
    g_string_append (text, ",1");
  g_string_append (text, "]");
  fixture_decode_text (fixture, "", text->str);
  assert_int_equal (fixture->decoded->readings->len, READINGS_MAX);
  assert_reason (fixture, REASON_TOO_LARGE);
}

static void a_chirpstack_uplink_gives_payload_signal_time_and_identity (void **state)
{
  (void) state;
  gint64 time;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("chirpstack");
  decoder_fixture_add (fixture, NULL, VALUE_NUMBER);
  decoder_fixture_add (fixture, "rssi", VALUE_NUMBER);
  decoder_fixture_add (fixture, "snr", VALUE_NUMBER);
  fixture->sensor->payload_format = g_strdup ("binary");
  fixture_decode_file (fixture, UP, "chirpstack/up.json");
  fixture_gives (fixture, 0, 0xaa);
  fixture_gives (fixture, 1, -36);
  fixture_gives (fixture, 2, 10.5);
  assert_true (time_from_rfc3339 ("2022-07-18T09:34:15.775023Z", &time));
  for (guint i = 0; i < 3; i++) {
    assert_int_equal (fixture_reading (fixture, i, 0)->time_us, time);
    assert_int_equal (fixture_reading (fixture, i, 0)->sequence, 0); /* left out because it is 0 */
  }
  guint64 identity = fixture->decoded->identity;
  assert_true (identity != 0);
  fixture_decode_text (fixture, UP, "{\"deviceInfo\":{\"devEui\":\"0101010101010101\"},\"devAddr\":\"00189440\",\"data\":\"qg==\"}");
  assert_true (fixture->decoded->identity == identity);
  fixture_decode_text (fixture, UP, "{\"deviceInfo\":{\"devEui\":\"0101010101010101\"},\"devAddr\":\"00189440\",\"fCnt\":1}");
  assert_true (fixture->decoded->identity != identity);
  assert_int_equal (fixture->decoded->readings->len, 0); /* MAC commands alone */
  assert_null (fixture->decoded->reason);
}

static void a_chirpstack_object_is_read_by_paths_and_the_best_gateway_counts (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("chirpstack");
  decoder_fixture_add (fixture, "$.temperatureSensor['1']", VALUE_NUMBER);
  decoder_fixture_add (fixture, "rssi", VALUE_NUMBER);
  fixture_decode_text (fixture, UP, "{\"fCnt\":42,\"object\":{\"temperatureSensor\":{\"1\":27.2}},"
                                    "\"rxInfo\":[{\"rssi\":-110,\"snr\":-4},{\"rssi\":-97}]}");
  fixture_gives (fixture, 0, 27.2);
  fixture_gives (fixture, 1, -97);
  assert_int_equal (fixture_reading (fixture, 0, 0)->sequence, 42);
  fixture_decode_file (fixture, UP, "chirpstack/up.json");
  assert_reason (fixture, REASON_PATH_ABSENT); /* data, and no codec that makes an object of it */
  fixture_gives (fixture, 1, -36);
}

static void other_events_of_chirpstack_are_known (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("chirpstack");
  decoder_fixture_add (fixture, "battery", VALUE_NUMBER);
  decoder_fixture_add (fixture, "margin", VALUE_NUMBER);
  decoder_fixture_add (fixture, "latitude", VALUE_NUMBER);
  fixture_decode_file (fixture, "application/1/device/2/event/status", "chirpstack/status.json");
  fixture_gives (fixture, 0, 87.4);
  fixture_gives (fixture, 1, 7);
  fixture_decode_text (fixture, "application/1/device/2/event/status", "{\"margin\":7,\"batteryLevelUnavailable\":true}");
  assert_int_equal (fixture->decoded->readings->len, 0);
  fixture_decode_text (fixture, "application/1/device/2/event/location", "{\"location\":{\"latitude\":35.2}}");
  fixture_gives (fixture, 2, 35.2);
  fixture_decode_file (fixture, "application/1/device/2/event/join", "chirpstack/join.json");
  assert_int_equal (fixture->decoded->readings->len, 0);
  assert_null (fixture->decoded->reason);
  fixture_decode_text (fixture, "application/1/device/2/event/txack", "\x01");
  assert_null (fixture->decoded->reason);
  fixture_decode_text (fixture, UP, "not json");
  assert_reason (fixture, REASON_NOT_JSON);
}

static void chirpstack_hands_raw_payloads_on (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("chirpstack");
  decoder_fixture_add (fixture, "snr", VALUE_NUMBER);
  decoder_fixture_add (fixture, "temperature_5", VALUE_NUMBER);
  fixture->sensor->payload_format = g_strdup ("cayenne_lpp");
  fixture_decode_text (fixture, UP, "{\"data\":\"A2cBEAVnAP8=\",\"rxInfo\":[{\"snr\":9}]}");
  fixture_gives (fixture, 0, 9);
  fixture_gives (fixture, 1, 25.5);
  fixture_decode_text (fixture, UP, "{\"data\":\"?\"}");
  assert_reason (fixture, REASON_MALFORMED);
}

static void lpp_temperatures_are_signed_and_humidities_are_not (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("cayenne_lpp");
  decoder_fixture_add (fixture, "temperature_3", VALUE_NUMBER);
  decoder_fixture_add (fixture, "temperature_5", VALUE_NUMBER);
  fixture_decode_file (fixture, "", "cayenne_lpp/two_temperatures");
  fixture_gives (fixture, 0, 27.2);
  fixture_gives (fixture, 1, 25.5);
  g_autoptr (DecoderFixture) second = decoder_fixture_new ("cayenne_lpp");
  decoder_fixture_add (second, "temperature_1", VALUE_NUMBER);
  decoder_fixture_add (second, "accelerometer_6.x", VALUE_NUMBER);
  decoder_fixture_add (second, "accelerometer_6.y", VALUE_NUMBER);
  fixture_decode_file (second, "", "cayenne_lpp/temperature_and_accelerometer");
  fixture_gives (second, 0, -4.1);
  fixture_gives (second, 1, 1.234);
  fixture_gives (second, 2, -1.234);
  g_autoptr (DecoderFixture) humid = decoder_fixture_new ("cayenne_lpp");
  decoder_fixture_add (humid, "relative_humidity_1", VALUE_NUMBER);
  fixture_decode_hex (humid, "01 68 C8");
  fixture_gives (humid, 0, 100);
  g_autoptr (DecoderFixture) moving = decoder_fixture_new ("cayenne_lpp");
  decoder_fixture_add (moving, "gps_1.lat", VALUE_NUMBER);
  decoder_fixture_add (moving, "gps_1.lon", VALUE_NUMBER);
  decoder_fixture_add (moving, "gps_1.altitude", VALUE_NUMBER);
  fixture_decode_file (moving, "", "cayenne_lpp/gps");
  fixture_gives (moving, 0, 42.3519);
  fixture_gives (moving, 1, -87.9094);
  fixture_gives (moving, 2, 10);
}

static void every_type_of_lpp_is_known (void **state)
{
  (void) state;
  static const struct {
    const char *path;
    double value;
  } values[] = {
    { "digital_in_1", 1 },         { "digital_out_1", 0 },  { "analog_in_1", 40 },     { "analog_out_1", -2 },
    { "generic_1", 4294967295.0 }, { "luminosity_1", 65535 }, { "presence_1", 1 },     { "temperature_1", -10 },
    { "relative_humidity_1", 100 }, { "accelerometer_1.z", 0.003 }, { "barometric_pressure_1", 1000 }, { "voltage_1", 3.3 },
    { "current_1", 1 },            { "frequency_1", 50000 }, { "percentage_1", 100 },  { "altitude_1", -10 },
    { "concentration_1", 500 },    { "power_1", 1000 },     { "distance_1", 1 },       { "energy_1", 10 },
    { "direction_1", 90 },         { "unixtime_1", 1777622144 }, { "gyrometer_1.x", -1 }, { "colour_1.r", 255 },
    { "gps_1.lat", 42.3519 },      { "switch_1", 1 },
  };
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("cayenne_lpp");
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    decoder_fixture_add (fixture, values[i].path, VALUE_NUMBER);
  fixture->sensor->time_path = g_strdup ("unixtime_1");
  fixture_decode_file (fixture, "", "cayenne_lpp/all");
  assert_null (fixture->decoded->reason);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    fixture_gives (fixture, i, values[i].value);
  assert_int_equal (fixture_reading (fixture, 0, 0)->time_us, G_GINT64_CONSTANT (1777622144000000));
}

static void an_unknown_type_of_lpp_ends_reading_and_keeps_what_came_before (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("cayenne_lpp");
  decoder_fixture_add (fixture, "temperature_3", VALUE_NUMBER);
  fixture_decode_file (fixture, "", "cayenne_lpp/unknown");
  assert_int_equal (fixture_count (fixture, 0), 1);
  fixture_gives (fixture, 0, 27.2);
  assert_reason (fixture, REASON_MALFORMED);
  fixture_decode_hex (fixture, "03 67 01");
  assert_int_equal (fixture_count (fixture, 0), 0);
  assert_reason (fixture, REASON_MALFORMED);
}

static void zigbee_fields_are_metrics_and_availability_one_more (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("zigbee2mqtt");
  decoder_fixture_add (fixture, "contact", VALUE_BOOLEAN);
  decoder_fixture_add (fixture, "battery", VALUE_NUMBER);
  decoder_fixture_add (fixture, "availability", VALUE_BOOLEAN);
  decoder_fixture_add (fixture, "color.x", VALUE_NUMBER);
  fixture_decode_text (fixture, "zigbee2mqtt/door", "{\"battery\":null,\"contact\":false,\"last_seen\":\"2026-05-01T08:00:00.000Z\","
                                                    "\"linkquality\":84,\"color\":{\"x\":0.5}}");
  fixture_gives (fixture, 0, 0);
  assert_int_equal (fixture_reading (fixture, 0, 0)->time_us, DECODER_FIXTURE_NOW_US);
  assert_int_equal (fixture_count (fixture, 1), 0); /* not reported yet */
  fixture_gives (fixture, 3, 0.5);
  assert_null (fixture->decoded->reason);
  fixture_decode_text (fixture, "zigbee2mqtt/door/availability", "{\"state\":\"offline\"}");
  fixture_gives (fixture, 2, 0);
  fixture_decode_text (fixture, "zigbee2mqtt/door/availability", "online");
  fixture_gives (fixture, 2, 1);
  fixture_decode_text (fixture, "zigbee2mqtt/door/set", "{\"contact\":true}");
  assert_int_equal (fixture->decoded->readings->len, 0);
  fixture_decode_text (fixture, "zigbee2mqtt/door", "{\"contact\":\"maybe\"}");
  assert_reason (fixture, REASON_NOT_A_BOOLEAN);
}

static void add_field (DecoderFixture *fixture, BinaryField field)
{
  decoder_fixture_add (fixture, NULL, VALUE_NUMBER)->field = field;
}

static void binary_numbers_of_every_shape_are_read (void **state)
{
  (void) state;
  static const struct {
    BinaryField field;
    double value;
  } values[] = { /* of 09 c4 ff fe 42 48 00 00 12 34 a5 */
    { { .byte = 0, .encoding = BINARY_U16 }, 2500 },
    { { .byte = 0, .encoding = BINARY_U16, .order = BINARY_LITTLE }, 50185 },
    { { .byte = 2, .encoding = BINARY_I16 }, -2 },
    { { .byte = 3, .encoding = BINARY_I8 }, -2 },
    { { .byte = 2, .encoding = BINARY_U24 }, 0xfffe42 },
    { { .byte = 2, .encoding = BINARY_I24 }, -446 },
    { { .byte = 4, .encoding = BINARY_F32 }, 50 },
    { { .byte = 6, .encoding = BINARY_U32, .order = BINARY_WORD_SWAPPED }, 0x12340000 },
    { { .byte = 8, .encoding = BINARY_BCD16 }, 1234 },
    { { .byte = -1, .encoding = BINARY_U8 }, 0xa5 },
    { { .byte = 10, .encoding = BINARY_U8, .bit = 5, .bits = 1 }, 1 },
    { { .byte = 10, .encoding = BINARY_U8, .bit = 1, .bits = 3 }, 2 },
    { { .byte = 0, .encoding = BINARY_U64 }, 703968909275430912.0 },
  };
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("binary");
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    add_field (fixture, values[i].field);
  fixture_decode_hex (fixture, "09 c4 ff fe 42 48 00 00 12 34 a5");
  assert_null (fixture->decoded->reason);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    fixture_gives (fixture, i, values[i].value);
}

static void binary_payloads_of_another_length_are_rejected (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("binary");
  add_field (fixture, (BinaryField){ .byte = 1, .encoding = BINARY_U16 });
  fixture_decode_hex (fixture, "01 02");
  assert_reason (fixture, REASON_WRONG_LENGTH);
  fixture->sensor->length = 4;
  fixture_decode_hex (fixture, "01 02 03");
  assert_reason (fixture, REASON_WRONG_LENGTH);
  g_autoptr (DecoderFixture) digits = decoder_fixture_new ("binary");
  add_field (digits, (BinaryField){ .encoding = BINARY_BCD8 });
  fixture_decode_hex (digits, "1a");
  assert_reason (digits, REASON_NOT_A_NUMBER);
}

static void csv_lines_are_readings (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("csv");
  decoder_fixture_add (fixture, "2", VALUE_NUMBER);
  decoder_fixture_add (fixture, "3", VALUE_BOOLEAN);
  decoder_fixture_add (fixture, "4", VALUE_TEXT);
  fixture->sensor->time_path = g_strdup ("1");
  fixture_decode_text (fixture, "", "1777622400, 3.25 ,true,auto\r\n1777622460,,off,\"a \"\"b\"\", c\"\n");
  assert_int_equal (fixture_count (fixture, 0), 1);
  fixture_gives (fixture, 0, 3.25);
  assert_int_equal (fixture_count (fixture, 1), 2);
  assert_int_equal (fixture_reading (fixture, 1, 1)->time_us, DECODER_FIXTURE_NOW_US + 60 * G_USEC_PER_SEC);
  assert_string_equal (fixture_reading (fixture, 2, 1)->text, "a \"b\", c");
  assert_null (fixture->decoded->reason);
  fixture_decode_text (fixture, "", "1777622400,3.25");
  fixture_gives (fixture, 0, 3.25);
  assert_reason (fixture, REASON_PATH_ABSENT);
  fixture_decode_text (fixture, "", "1,\"2");
  assert_reason (fixture, REASON_MALFORMED);
  fixture_decode_text (fixture, "", "1,x,1,y");
  assert_reason (fixture, REASON_NOT_A_NUMBER);
}

static void csv_may_have_a_header_another_separator_and_decimal_commas (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("csv");
  decoder_fixture_add (fixture, "level", VALUE_NUMBER);
  fixture->sensor->time_path = g_strdup ("time");
  fixture->sensor->separator = g_strdup (";");
  fixture->sensor->has_header = fixture->sensor->has_decimal_comma = TRUE;
  fixture_decode_text (fixture, "", "time;pump;level\n2026-05-01T08:00:00Z;on;3,25\n2026-05-01T08:01:00Z;on;-4\n");
  assert_int_equal (fixture_count (fixture, 0), 2);
  fixture_gives (fixture, 0, 3.25);
  assert_int_equal (fixture_reading (fixture, 0, 1)->time_us, DECODER_FIXTURE_NOW_US + 60 * G_USEC_PER_SEC);
  fixture_decode_text (fixture, "", "time;pump\n1;2\n");
  assert_reason (fixture, REASON_PATH_ABSENT);
}

static void a_value_may_be_a_word (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("value");
  decoder_fixture_add (fixture, NULL, VALUE_BOOLEAN);
  fixture_decode_text (fixture, "", "ON\n");
  fixture_gives (fixture, 0, 1);
  fixture_decode_text (fixture, "", "maybe");
  assert_reason (fixture, REASON_NOT_A_BOOLEAN);
  g_autoptr (DecoderFixture) door = decoder_fixture_new ("value");
  decoder_fixture_name_value (decoder_fixture_add (door, NULL, VALUE_NUMBER), "open", 1);
  fixture_decode_text (door, "", " open ");
  fixture_gives (door, 0, 1);
  g_autoptr (DecoderFixture) mode = decoder_fixture_new ("value");
  decoder_fixture_add (mode, NULL, VALUE_TEXT);
  fixture_decode_text (mode, "", "3.5 半开");
  fixture_gives_text (mode, 0, "3.5 半开");
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (words_become_the_values_that_they_stand_for),
    cmocka_unit_test (each_kind_takes_its_own_values_only),
    cmocka_unit_test (one_json_message_gives_many_readings_each_with_its_time),
    cmocka_unit_test (more_readings_than_a_message_may_have_are_said),
    cmocka_unit_test (a_chirpstack_uplink_gives_payload_signal_time_and_identity),
    cmocka_unit_test (a_chirpstack_object_is_read_by_paths_and_the_best_gateway_counts),
    cmocka_unit_test (other_events_of_chirpstack_are_known),
    cmocka_unit_test (chirpstack_hands_raw_payloads_on),
    cmocka_unit_test (lpp_temperatures_are_signed_and_humidities_are_not),
    cmocka_unit_test (every_type_of_lpp_is_known),
    cmocka_unit_test (an_unknown_type_of_lpp_ends_reading_and_keeps_what_came_before),
    cmocka_unit_test (zigbee_fields_are_metrics_and_availability_one_more),
    cmocka_unit_test (binary_numbers_of_every_shape_are_read),
    cmocka_unit_test (binary_payloads_of_another_length_are_rejected),
    cmocka_unit_test (csv_lines_are_readings),
    cmocka_unit_test (csv_may_have_a_header_another_separator_and_decimal_commas),
    cmocka_unit_test (a_value_may_be_a_word),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
