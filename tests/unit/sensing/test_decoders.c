#include "adapters/decoders/decoders.h"
#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/json_path.h"
#include "tests/support/test.h"

#include <string.h>

typedef struct {
  Sensor *sensor;
  const Decoder *decoder;
  gpointer prepared;
  Decoded *decoded;
} Fixture;

static void add_metric (Sensor *sensor, const char *name, const char *path)
{
  Metric *metric = g_new0 (Metric, 1);
  metric->name = g_strdup (name);
  metric->path = g_strdup (path);
  metric->scale = 1;
  g_ptr_array_add (sensor->metrics, metric);
}

static Fixture *fixture_new (const char *format, const char *path, const char *second_path)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  fixture->sensor = g_new0 (Sensor, 1);
  fixture->sensor->metrics = g_ptr_array_new_with_free_func ((GDestroyNotify) metric_free);
  fixture->sensor->time_path = g_strdup ("$.at");
  add_metric (fixture->sensor, "level", path);
  if (second_path != NULL)
    add_metric (fixture->sensor, "battery", second_path);
  fixture->decoder = decoder_find (format);
  fixture->prepared = fixture->decoder->prepare (fixture->sensor, NULL);
  assert_non_null (fixture->prepared);
  fixture->decoded = decoded_new ();
  return fixture;
}

static void fixture_free (Fixture *fixture)
{
  decoded_free (fixture->decoded);
  fixture->decoder->release (fixture->prepared);
  sensor_free (fixture->sensor);
  g_free (fixture);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

/* Exactly the bytes, in memory of their own, so that the sanitizer sees a read beyond. */
static void decode (Fixture *fixture, const char *payload, gsize size)
{
  g_autofree guint8 *bytes = size > 0 ? g_memdup2 (payload, size) : g_malloc (1);
  EncodedMessage message = { "village/level-1", bytes, size, 0, FALSE };
  decoded_reset (fixture->decoded);
  fixture->decoder->decode (fixture->prepared, &message, fixture->decoded);
}

static void gives_value (Fixture *fixture, const char *payload, double value)
{
  decode (fixture, payload, strlen (payload));
  assert_int_equal (fixture->decoded->readings->len, 1);
  assert_null (fixture->decoded->reason);
  assert_true (g_array_index (fixture->decoded->readings, Reading, 0).value == value);
}

static void gives_reason (Fixture *fixture, const char *payload, gsize size, const char *reason)
{
  decode (fixture, payload, size);
  assert_int_equal (fixture->decoded->readings->len, 0);
  assert_string_equal (fixture->decoded->reason, reason);
  assert_non_null (fixture->decoded->detail);
}

static void a_json_number_is_read_at_its_path (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_new ("json", "$.a.b[1]['c d']", NULL);
  gives_value (fixture, "{\"a\":{\"b\":[0,{\"c d\":-3.25e1}]}}", -32.5);
  gives_value (fixture, "{\"a\":{\"b\":[0,{\"c d\":99999999999999999999}]}}", 1e20);
  g_autoptr (Fixture) whole = fixture_new ("json", "$", NULL);
  gives_value (whole, " 7 ", 7);
  g_autoptr (Fixture) last = fixture_new ("json", "$[-1]", NULL);
  gives_value (last, "[1,2,3]", 3);
  gives_reason (last, "[]", 2, REASON_PATH_ABSENT);
}

static void bad_json_says_why_and_where (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_new ("json", "$.level", NULL);
  gives_reason (fixture, "not json", 8, REASON_NOT_JSON);
  assert_non_null (strstr (fixture->decoded->detail, "line 1"));
  gives_reason (fixture, "", 0, REASON_NOT_JSON);
  gives_reason (fixture, "{\"level\":1,\"level\":2}", 21, REASON_NOT_JSON);
  gives_reason (fixture, "{\"level\":1}x", 12, REASON_NOT_JSON);
  gives_reason (fixture, "{\"level\":NaN}", 13, REASON_NOT_JSON);
  gives_reason (fixture, "{\"level\":1e999}", 15, REASON_NOT_JSON);
  gives_reason (fixture, "{\"level\":\"\xff\"}", 13, REASON_NOT_JSON);
  gives_reason (fixture, "{\"other\":1}", 11, REASON_PATH_ABSENT);
  gives_reason (fixture, "[1]", 3, REASON_PATH_ABSENT);
  gives_reason (fixture, "{\"level\":\"3.1\"}", 15, REASON_NOT_A_NUMBER);
  assert_non_null (strstr (fixture->decoded->detail, "$.level is a text \"3.1\""));
  gives_reason (fixture, "{\"level\":true}", 14, REASON_NOT_A_NUMBER);
  gives_reason (fixture, "{\"level\":null}", 14, REASON_NOT_A_NUMBER);
}

static void json_nested_without_end_is_refused_before_it_is_parsed (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_new ("json", "$.level", NULL);
  g_autofree char *deep = g_strnfill (60000, '[');
  gives_reason (fixture, deep, 60000, REASON_NOT_JSON);
  assert_non_null (strstr (fixture->decoded->detail, "deep"));
  gives_value (fixture, "{\"text\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\",\"level\":1}", 1);
}

static void one_absent_metric_does_not_take_the_other_with_it (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_new ("json", "$.level", "$.battery");
  decode (fixture, "{\"battery\":80}", 14);
  assert_int_equal (fixture->decoded->readings->len, 1);
  assert_int_equal (g_array_index (fixture->decoded->readings, Reading, 0).metric, 1);
  assert_string_equal (fixture->decoded->reason, REASON_PATH_ABSENT);
}

static gint64 time_in (Fixture *fixture, const char *payload)
{
  decode (fixture, payload, strlen (payload));
  Reading *reading = &g_array_index (fixture->decoded->readings, Reading, 0);
  return reading->has_time ? reading->time_us : -1;
}

static void a_devices_time_may_be_text_or_a_count_of_any_unit (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_new ("json", "$.level", NULL);
  gint64 time;
  assert_true (time_from_rfc3339 ("2026-05-01T08:00:00Z", &time));
  assert_int_equal (time_in (fixture, "{\"level\":1,\"at\":\"2026-05-01T16:00:00+08:00\"}"), time);
  assert_int_equal (time_in (fixture, "{\"level\":1,\"at\":1777622400}"), time);
  assert_int_equal (time_in (fixture, "{\"level\":1,\"at\":1777622400000}"), time);
  assert_int_equal (time_in (fixture, "{\"level\":1,\"at\":1777622400000000}"), time);
  assert_int_equal (time_in (fixture, "{\"level\":1,\"at\":1777622400000000000}"), time);
  assert_int_equal (time_in (fixture, "{\"level\":1,\"at\":\"yesterday\"}"), -1);
  assert_int_equal (time_in (fixture, "{\"level\":1,\"at\":1e300}"), -1);
  assert_int_equal (time_in (fixture, "{\"level\":1}"), -1);
}

static guint64 identity_in (Fixture *fixture, const char *payload, gint64 sequence)
{
  decode (fixture, payload, strlen (payload));
  assert_int_equal (g_array_index (fixture->decoded->readings, Reading, 0).sequence, sequence);
  return fixture->decoded->identity;
}

static void a_json_message_may_carry_the_devices_own_number (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_new ("json", "$.level", NULL);
  fixture->decoder->release (fixture->prepared);
  fixture->sensor->sequence_path = g_strdup ("$.head.seq");
  fixture->prepared = fixture->decoder->prepare (fixture->sensor, NULL);
  assert_non_null (fixture->prepared);
  guint64 seventh = identity_in (fixture, "{\"level\":1,\"head\":{\"seq\":7}}", 7);
  assert_true (seventh != 0);
  assert_true (identity_in (fixture, "{\"level\":2,\"head\":{\"seq\":7}}", 7) == seventh);
  assert_true (identity_in (fixture, "{\"level\":1,\"head\":{\"seq\":8}}", 8) != seventh);
  assert_true (identity_in (fixture, "{\"level\":1,\"head\":{\"seq\":0}}", 0) != 0);
  assert_true (identity_in (fixture, "{\"level\":1,\"head\":{\"seq\":\"a1b2\"}}", -1) != 0);
  static const char *const none[] = { "{\"level\":1}", "{\"level\":1,\"head\":{\"seq\":-1}}", "{\"level\":1,\"head\":{\"seq\":1.5}}",
                                      "{\"level\":1,\"head\":{\"seq\":1e300}}", "{\"level\":1,\"head\":{\"seq\":\"\"}}" };
  for (guint i = 0; i < G_N_ELEMENTS (none); i++)
    assert_true (identity_in (fixture, none[i], -1) == 0);
}

static void a_plain_number_is_read_with_white_space_around_it (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_new ("value", NULL, NULL);
  gives_value (fixture, "3.21", 3.21);
  gives_value (fixture, " \t-4e-2\r\n", -0.04);
  gives_value (fixture, "+7", 7);
}

static void what_is_no_plain_number_is_refused (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_new ("value", NULL, NULL);
  static const char *const bad[] = { "", "  ", "abc", "3.2 m", "0x10", "nan", "inf", "1e999", "1,5", "--3", "3 4", "\xff\xfe" };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    gives_reason (fixture, bad[i], strlen (bad[i]), REASON_NOT_A_NUMBER);
  gives_reason (fixture, "3\0004", 3, REASON_NOT_A_NUMBER);
  g_autofree char *digits = g_strnfill (5000, '9');
  gives_reason (fixture, digits, 5000, REASON_NOT_A_NUMBER);
}

static void a_wrong_path_is_refused_with_its_place (void **state)
{
  (void) state;
  static const char *const bad[] = { "", "level", "$level", "$.", "$..a", "$.a[", "$.a[x]", "$.a['b]", "$.a[0", "$[*", "$.a b",
                                     "$[99999999999999999999]" };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;
    assert_null (json_path_parse (bad[i], NULL, &error));
    assert_true (error_is (error, ERROR_RECONFIGURE));
    assert_non_null (strstr (error->message, bad[i]));
  }
}

static void formats_are_found_by_name (void **state)
{
  (void) state;
  assert_ptr_equal (decoder_find ("json"), &decoder_json);
  assert_ptr_equal (decoder_find ("value"), &decoder_value);
  assert_ptr_equal (decoder_find ("senml"), &decoder_senml);
  assert_null (decoder_find ("xml"));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_json_number_is_read_at_its_path),
    cmocka_unit_test (bad_json_says_why_and_where),
    cmocka_unit_test (json_nested_without_end_is_refused_before_it_is_parsed),
    cmocka_unit_test (one_absent_metric_does_not_take_the_other_with_it),
    cmocka_unit_test (a_devices_time_may_be_text_or_a_count_of_any_unit),
    cmocka_unit_test (a_json_message_may_carry_the_devices_own_number),
    cmocka_unit_test (a_plain_number_is_read_with_white_space_around_it),
    cmocka_unit_test (what_is_no_plain_number_is_refused),
    cmocka_unit_test (a_wrong_path_is_refused_with_its_place),
    cmocka_unit_test (formats_are_found_by_name),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
