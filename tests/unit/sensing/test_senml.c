#include "tests/unit/sensing/decoder_fixture.h"

#define DEVICE "urn:dev:ow:10e2073a01080063"

static void a_name_may_be_whole_or_what_the_base_name_leaves (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) single = decoder_fixture_new ("senml");
  decoder_fixture_add (single, DEVICE, VALUE_NUMBER);
  fixture_decode_file (single, "", "senml/single_datapoint.json");
  fixture_gives (single, 0, 23.1);
  assert_string_equal (fixture_reading (single, 0, 0)->unit, "Cel");
  assert_false (fixture_reading (single, 0, 0)->has_time);
  g_autoptr (DecoderFixture) several = decoder_fixture_new ("senml");
  decoder_fixture_add (several, DEVICE ":voltage", VALUE_NUMBER);
  decoder_fixture_add (several, "current", VALUE_NUMBER);
  fixture_decode_file (several, "", "senml/multiple_datapoints.json");
  fixture_gives (several, 0, 120.1);
  fixture_gives (several, 1, 1.2);
  assert_string_equal (fixture_reading (several, 1, 0)->unit, "A");
}

static void six_currents_five_seconds_long (DecoderFixture *fixture, const char *file)
{
  fixture_decode_file (fixture, "", file);
  fixture_gives (fixture, 0, 120.1);
  assert_string_equal (fixture_reading (fixture, 0, 0)->unit, "V");
  assert_int_equal (fixture_count (fixture, 1), 6);
  for (guint i = 0; i < 6; i++) {
    const Reading *reading = fixture_reading (fixture, 1, i);
    assert_true (reading->value > 1.19 + 0.1 * i && reading->value < 1.21 + 0.1 * i);
    assert_string_equal (reading->unit, "A");
    assert_int_equal (reading->time_us / 1000, 1276020076001 - 1000 * (5 - (int) i));
  }
}

static void json_and_cbor_say_the_same (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("senml");
  decoder_fixture_add (fixture, "voltage", VALUE_NUMBER);
  decoder_fixture_add (fixture, "urn:dev:ow:10e2073a0108006:current", VALUE_NUMBER);
  six_currents_five_seconds_long (fixture, "senml/base_and_relative_times.json");
  six_currents_five_seconds_long (fixture, "senml/base_and_relative_times.cbor");
}

static void one_name_in_several_units_is_told_apart_by_them (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("senml");
  decoder_fixture_add (fixture, DEVICE " %RH", VALUE_NUMBER);
  decoder_fixture_add (fixture, DEVICE " lon", VALUE_NUMBER);
  decoder_fixture_add (fixture, DEVICE " lat", VALUE_NUMBER);
  fixture_decode_file (fixture, "", "senml/multiple_measurements.json");
  assert_int_equal (fixture_count (fixture, 0), 4);
  assert_int_equal (fixture_count (fixture, 1), 4);
  assert_int_equal (fixture_count (fixture, 2), 4);
  fixture_gives (fixture, 0, 20);
  fixture_gives (fixture, 1, 24.30621);
  assert_string_equal (fixture_reading (fixture, 0, 0)->unit, "%");
  assert_string_equal (fixture_reading (fixture, 1, 0)->unit, "deg");
  assert_int_equal (fixture_reading (fixture, 1, 3)->time_us, G_GINT64_CONSTANT (1320067644000000));
  assert_null (fixture->decoded->reason);
}

static void texts_truths_and_data_are_values_too (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("senml");
  decoder_fixture_add (fixture, "label", VALUE_TEXT);
  decoder_fixture_add (fixture, "open", VALUE_BOOLEAN);
  decoder_fixture_add (fixture, "nfc-reader", VALUE_TEXT);
  fixture_decode_file (fixture, "", "senml/data_types.json");
  fixture_gives_text (fixture, 0, "Machine Room");
  fixture_gives (fixture, 1, 0);
  fixture_gives_text (fixture, 2, "aGkgCg");
  g_autoptr (DecoderFixture) room = decoder_fixture_new ("senml");
  decoder_fixture_add (room, "humidity", VALUE_NUMBER);
  fixture_decode_file (room, "", "senml/collection_of_resources.json");
  fixture_gives (room, 0, 80);
  g_autoptr (DecoderFixture) lamp = decoder_fixture_new ("senml");
  decoder_fixture_add (lamp, "http://[2001:db8::3]/", VALUE_NUMBER);
  fixture_decode_file (lamp, "", "senml/actuator.json");
  assert_int_equal (fixture_count (lamp, 0), 2);
  assert_int_equal (fixture_reading (lamp, 0, 1)->time_us - fixture_reading (lamp, 0, 0)->time_us, 100000);
}

static void sums_and_base_values_add_up (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("senml");
  decoder_fixture_add (fixture, "energy", VALUE_NUMBER);
  decoder_fixture_add (fixture, "energy sum", VALUE_NUMBER);
  fixture_decode_text (fixture, "", "[{\"bv\":100,\"bs\":1000,\"bu\":\"J\"},{\"n\":\"energy\",\"v\":5,\"s\":7}]");
  fixture_gives (fixture, 0, 105);
  fixture_gives (fixture, 1, 1007);
  fixture_decode_text (fixture, "", "[{\"n\":\"energy\",\"s\":7}]");
  assert_int_equal (fixture_count (fixture, 0), 0);
  fixture_gives (fixture, 1, 7);
}

static void small_times_are_relative_to_now (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("senml");
  decoder_fixture_add (fixture, "level", VALUE_NUMBER);
  fixture_decode_text (fixture, "", "[{\"n\":\"level\",\"t\":-60,\"v\":5}]");
  assert_int_equal (fixture_reading (fixture, 0, 0)->time_us, DECODER_FIXTURE_NOW_US - 60 * G_USEC_PER_SEC);
}

static void every_form_of_cbor_is_read (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("senml");
  decoder_fixture_add (fixture, "current", VALUE_NUMBER);
  decoder_fixture_add (fixture, "label", VALUE_TEXT);
  fixture_decode_hex (fixture, "9f bf 00 67 63757272656e74 02 c4 82 20 0f ff a2 00 65 6c6162656c 03 7f 62 6869 61 21 ff ff");
  fixture_gives (fixture, 0, 1.5); /* 15 * 10^-1, in lists and maps without a length */
  fixture_gives_text (fixture, 1, "hi!");
  fixture_decode_hex (fixture, "81 a2 00 67 63757272656e74 02 c5 82 20 03");
  fixture_gives (fixture, 0, 1.5); /* 3 * 2^-1 */
  fixture_decode_hex (fixture, "81 a2 00 67 63757272656e74 02 38 63");
  fixture_gives (fixture, 0, -100);
  fixture_decode_hex (fixture, "81 a2 00 67 63757272656e74 02 fa 3f c0 00 00");
  fixture_gives (fixture, 0, 1.5);
  fixture_decode_hex (fixture, "81 a2 00 67 63757272656e74 02 f9 84 00");
  fixture_gives (fixture, 0, -0.00006103515625);
}

static void what_is_no_senml_says_why (void **state)
{
  (void) state;
  static const struct {
    const char *payload, *reason;
  } bad[] = {
    { "{\"n\":\"level\",\"v\":1}", REASON_MALFORMED },
    { "[{\"n\":\"level\",\"v\":1", REASON_NOT_JSON },
    { "[{\"n\":\"level\",\"v\":1,\"new_\":2}]", REASON_MALFORMED },
    { "[{\"bver\":11,\"n\":\"level\",\"v\":1}]", REASON_MALFORMED },
    { "[{\"n\":\"other\",\"v\":1}]", REASON_PATH_ABSENT },
    { "[{\"n\":\"level\",\"vs\":\"high\"}]", REASON_NOT_A_NUMBER },
    { "\xff", REASON_MALFORMED },
    { "", REASON_MALFORMED },
    { "\x9b\xff\xff\xff\xff\xff\xff\xff\xff", REASON_MALFORMED },
    { "\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x01", REASON_MALFORMED },
  };
  g_autoptr (DecoderFixture) fixture = decoder_fixture_new ("senml");
  decoder_fixture_add (fixture, "level", VALUE_NUMBER);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    fixture_decode_text (fixture, "", bad[i].payload);
    assert_int_equal (fixture->decoded->readings->len, 0);
    assert_string_equal (fixture->decoded->reason, bad[i].reason);
  }
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_name_may_be_whole_or_what_the_base_name_leaves),
    cmocka_unit_test (json_and_cbor_say_the_same),
    cmocka_unit_test (one_name_in_several_units_is_told_apart_by_them),
    cmocka_unit_test (texts_truths_and_data_are_values_too),
    cmocka_unit_test (sums_and_base_values_add_up),
    cmocka_unit_test (small_times_are_relative_to_now),
    cmocka_unit_test (every_form_of_cbor_is_read),
    cmocka_unit_test (what_is_no_senml_says_why),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
