#include "gateway/core/error.h"
#include "gateway/incident/incident_history.h"
#include "tests/support/test.h"
#include "tests/unit/incident/book_fixture.h"

/* Three entries of one incident, the second with a note. */
static void write_history (BookFixture *fixture)
{
  g_autoptr (Alert) alert = raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE);
  json_decref (do_action (fixture, &operator_actor, alert->incident,
                          json_pack ("{s:s, s:i, s:s}", "action", "accept", "revision", 1, "note", "电话核实"), NULL));
  clear_alert (fixture, alert);
}

static gboolean run_sql (Database *database, gpointer data, GError **error)
{
  return database_script (database, data, error);
}

static void tamper (BookFixture *fixture, const char *sql)
{
  assert_true (store_run (fixture->store, run_sql, (gpointer) sql, NULL));
}

static gboolean verify (BookFixture *fixture, const char *anchor, ChainReport *report)
{
  g_autoptr (GError) error = NULL;
  gboolean is_whole = incident_chain_verify (store_reader (fixture->store, NULL), anchor, report, &error);
  assert_int_equal (is_whole, error == NULL);
  return is_whole;
}

static void an_untouched_history_verifies (void **state)
{
  ChainReport report, again;
  write_history (*state);
  assert_true (verify (*state, NULL, &report));
  assert_int_equal (report.entries, 3);
  assert_true (verify (*state, report.head, &again));
}

static void each_kind_of_tampering_is_found_where_it_is (void **state)
{
  static const struct {
    const char *change, *back;
    int broken;
  } cases[] = {
    { "UPDATE incident_history SET actor = 'x' WHERE number = 2",
      "UPDATE incident_history SET actor = 'li' WHERE number = 2", 2 },
    { "UPDATE incident_payloads SET payload = replace (payload, '核实', '误报') WHERE number = 2",
      "UPDATE incident_payloads SET payload = replace (payload, '误报', '核实') WHERE number = 2", 2 },
    { "UPDATE incident_history SET number = 20 WHERE number = 2",
      "UPDATE incident_history SET number = 2 WHERE number = 20", 2 },
    { "UPDATE incidents SET state = 'closed'", "UPDATE incidents SET state = 'accepted'", 3 },
  };
  ChainReport report;
  write_history (*state);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    tamper (*state, cases[i].change);
    assert_false (verify (*state, NULL, &report));
    assert_int_equal (report.broken, cases[i].broken);
    tamper (*state, cases[i].back);
    assert_true (verify (*state, NULL, &report));
  }
}

static void a_cut_tail_is_found_with_a_head_kept_elsewhere (void **state)
{
  ChainReport report;
  write_history (*state);
  verify (*state, NULL, &report);
  g_autofree char *anchor = g_strdup (report.head);
  tamper (*state, "DELETE FROM incident_history WHERE number = 3; DELETE FROM incident_payloads WHERE number = 3;"
                  "UPDATE incidents SET revision = 2");
  assert_true (verify (*state, NULL, &report));
  assert_false (verify (*state, anchor, &report));
}

static gboolean erase_second (Database *database, gpointer data, GError **error)
{
  (void) data;
  return incident_history_erase (database, 2, error);
}

static void an_erased_payload_still_verifies_and_is_gone (void **state)
{
  BookFixture *fixture = *state;
  ChainReport report;
  write_history (fixture);
  assert_true (store_run (fixture->store, erase_second, NULL, NULL));
  assert_false (store_run (fixture->store, erase_second, NULL, NULL));
  assert_true (verify (fixture, NULL, &report));
  assert_int_equal (report.erased, 1);
  json_t *list = incident_list (store_reader (fixture->store, NULL), &(IncidentFilter) { 0 }, 0, NULL);
  char *text = json_dumps (list, 0);
  assert_null (g_strstr_len (text, -1, "电话核实"));
  free (text);
  json_decref (list);
}

#define book_test(name) cmocka_unit_test_setup_teardown (name, book_fixture_setup, book_fixture_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    book_test (an_untouched_history_verifies),
    book_test (each_kind_of_tampering_is_found_where_it_is),
    book_test (a_cut_tail_is_found_with_a_head_kept_elsewhere),
    book_test (an_erased_payload_still_verifies_and_is_gone),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
