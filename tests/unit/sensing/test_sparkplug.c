#include <string.h>

#include "tests/unit/sensing/decoder_fixture.h"

enum { LEVEL, TEMPERATURE, RUNNING, MODE, FLOW, COUNT, SMALL };

static DecoderFixture *node_new (void)
{
  DecoderFixture *fixture = decoder_fixture_new ("sparkplug");
  decoder_fixture_add (fixture, "Level", VALUE_NUMBER);
  decoder_fixture_add (fixture, "Temperature", VALUE_NUMBER);
  decoder_fixture_add (fixture, "pump/Running", VALUE_BOOLEAN);
  decoder_fixture_add (fixture, "pump/Mode", VALUE_TEXT);
  decoder_fixture_add (fixture, "pump/Flow", VALUE_NUMBER);
  decoder_fixture_add (fixture, "pump/Count", VALUE_NUMBER);
  decoder_fixture_add (fixture, "pump/Small", VALUE_NUMBER);
  return fixture;
}

static void take (DecoderFixture *fixture, const char *type, const char *name)
{
  g_autofree char *topic = g_strdup_printf ("spBv1.0/shimiao/%s/station%s", type, type[0] == 'D' ? "/pump" : "");
  g_autofree char *file = g_strconcat ("sparkplug/", name, NULL);
  fixture_decode_file (fixture, topic, file);
}

static void assert_no_request (DecoderFixture *fixture)
{
  assert_null (fixture->decoded->request_topic);
  assert_null (fixture->decoded->request);
}

static void assert_rebirth_asked (DecoderFixture *fixture)
{
  gsize size;
  assert_string_equal (fixture->decoded->request_topic, "spBv1.0/shimiao/NCMD/station");
  const char *bytes = g_bytes_get_data (fixture->decoded->request, &size);
  assert_non_null (g_strstr_len (bytes, (gssize) size, "Node Control/Rebirth"));
}

static void births_set_states_and_name_what_data_calls_by_alias (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = node_new ();
  take (fixture, "NBIRTH", "nbirth");
  fixture_gives (fixture, LEVEL, 2.5);
  fixture_gives (fixture, TEMPERATURE, -50); /* 65486 of datatype Int16 */
  assert_true (fixture_reading (fixture, LEVEL, 0)->is_state);
  take (fixture, "DBIRTH", "dbirth");
  fixture_gives (fixture, RUNNING, 0);
  fixture_gives_text (fixture, MODE, "auto");
  fixture_gives (fixture, FLOW, 11.25);
  fixture_gives (fixture, COUNT, -7); /* two's complement in 64 bits */
  fixture_gives (fixture, SMALL, -5); /* Int8 in 32 */
  assert_true (fixture_reading (fixture, MODE, 0)->is_state);
  assert_no_request (fixture);
  take (fixture, "NDATA", "ndata");
  fixture_gives (fixture, LEVEL, 3.5);
  fixture_gives (fixture, TEMPERATURE, -100); /* the datatype is the birth's */
  assert_false (fixture_reading (fixture, LEVEL, 0)->is_state);
  assert_int_equal (fixture_reading (fixture, LEVEL, 0)->time_us, G_GINT64_CONSTANT (1777622402000000));
  assert_int_equal (fixture_reading (fixture, LEVEL, 0)->sequence, 2);
  assert_no_request (fixture);
}

static void null_historical_and_quality_are_what_they_say (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = node_new ();
  take (fixture, "NBIRTH", "nbirth");
  take (fixture, "DBIRTH", "dbirth");
  take (fixture, "NDATA", "ndata");
  take (fixture, "DDATA", "ddata");
  fixture_gives (fixture, RUNNING, 1);
  assert_int_equal (fixture_reading (fixture, RUNNING, 0)->kind, VALUE_BOOLEAN);
  fixture_gives_text (fixture, MODE, "manual");
  fixture_gives (fixture, FLOW, 11.25); /* null: what was last known, bad */
  assert_int_equal (fixture_reading (fixture, FLOW, 0)->quality, QUALITY_BAD);
  fixture_gives (fixture, COUNT, 5);
  assert_true (fixture_reading (fixture, COUNT, 0)->is_historical);
  fixture_gives (fixture, SMALL, -6);
  take (fixture, "DDATA", "ddata_stale");
  fixture_gives (fixture, FLOW, 12.5);
  assert_int_equal (fixture_reading (fixture, FLOW, 0)->quality, QUALITY_UNCERTAIN);
  assert_int_equal (fixture_reading (fixture, RUNNING, 0)->quality, QUALITY_BAD);
  assert_null (fixture->decoded->reason);
  assert_no_request (fixture);
}

static void a_death_makes_what_it_concerns_bad (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = node_new ();
  take (fixture, "NBIRTH", "nbirth");
  take (fixture, "DBIRTH", "dbirth");
  take (fixture, "NDATA", "ndata");
  take (fixture, "DDATA", "ddata");
  take (fixture, "DDATA", "ddata_stale");
  take (fixture, "DDEATH", "ddeath");
  assert_int_equal (fixture_count (fixture, LEVEL), 0);
  fixture_gives (fixture, FLOW, 12.5);
  assert_int_equal (fixture_reading (fixture, FLOW, 0)->quality, QUALITY_BAD);
  assert_true (fixture_reading (fixture, FLOW, 0)->is_state);
  fixture_gives_text (fixture, MODE, "manual");
  fixture_gives (fixture, COUNT, -7); /* the historical 5 was not its last */
  assert_no_request (fixture);
  take (fixture, "NDEATH", "ndeath");
  fixture_gives (fixture, LEVEL, 3.5);
  assert_int_equal (fixture_reading (fixture, LEVEL, 0)->quality, QUALITY_BAD);
  take (fixture, "NDATA", "ndata");
  assert_rebirth_asked (fixture);
}

static void the_will_of_an_earlier_connection_kills_nobody (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = node_new ();
  take (fixture, "NBIRTH", "nbirth");
  take (fixture, "NDEATH", "ndeath_of_before");
  assert_int_equal (fixture->decoded->readings->len, 0);
  assert_null (fixture->decoded->reason);
  take (fixture, "DBIRTH", "dbirth");
  assert_no_request (fixture);
}

static void a_missing_message_asks_for_births_and_loses_nothing_that_came (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = node_new ();
  take (fixture, "NBIRTH", "nbirth");
  take (fixture, "NDATA", "ndata_gap"); /* 9 after 0 */
  fixture_gives (fixture, LEVEL, 3.75);
  assert_rebirth_asked (fixture);
  take (fixture, "NBIRTH", "nbirth");
  assert_no_request (fixture);
  take (fixture, "DBIRTH", "dbirth");
  assert_no_request (fixture);
}

static void data_before_a_birth_is_rejected_and_the_birth_asked_for (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = node_new ();
  take (fixture, "NDATA", "ndata");
  assert_int_equal (fixture->decoded->readings->len, 0);
  assert_string_equal (fixture->decoded->reason, REASON_UNBORN);
  assert_rebirth_asked (fixture);
}

static void numbers_of_messages_go_on_from_255_to_0 (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = node_new ();
  take (fixture, "NBIRTH", "nbirth");
  for (guint sequence = 1; sequence < 600; sequence++) {
    guint8 payload[] = { 0x18, (guint8) (sequence % 256) | 0x80, (guint8) (sequence % 256 >> 7) };
    fixture_decode (fixture, "spBv1.0/shimiao/NDATA/station", payload, sizeof payload);
    assert_null (fixture->decoded->reason);
    assert_no_request (fixture);
  }
}

static void commands_and_states_of_hosts_are_no_errors (void **state)
{
  (void) state;
  g_autoptr (DecoderFixture) fixture = node_new ();
  static const char *const topics[] = { "spBv1.0/STATE/scada", "STATE/scada", "spBv1.0/shimiao/NCMD/station",
                                        "spBv1.0/shimiao/DCMD/station/pump" };
  for (guint i = 0; i < G_N_ELEMENTS (topics); i++) {
    fixture_decode_text (fixture, topics[i], "{\"online\":true,\"timestamp\":1}");
    assert_null (fixture->decoded->reason);
    assert_int_equal (fixture->decoded->readings->len, 0);
  }
  fixture_decode_text (fixture, "spBv1.0/shimiao/NDATA/station", "\xff\xff");
  assert_string_equal (fixture->decoded->reason, REASON_MALFORMED);
  fixture_decode_text (fixture, "spBv1.0/shimiao/XDATA/station", "");
  assert_string_equal (fixture->decoded->reason, REASON_MALFORMED);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (births_set_states_and_name_what_data_calls_by_alias),
    cmocka_unit_test (null_historical_and_quality_are_what_they_say),
    cmocka_unit_test (a_death_makes_what_it_concerns_bad),
    cmocka_unit_test (the_will_of_an_earlier_connection_kills_nobody),
    cmocka_unit_test (a_missing_message_asks_for_births_and_loses_nothing_that_came),
    cmocka_unit_test (data_before_a_birth_is_rejected_and_the_birth_asked_for),
    cmocka_unit_test (numbers_of_messages_go_on_from_255_to_0),
    cmocka_unit_test (commands_and_states_of_hosts_are_no_errors),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
