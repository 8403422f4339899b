#include <string.h>

#include "gateway/access/audit.h"
#include "gateway/incident/incident_history.h"
#include "gateway/store/store.h"
#include "gateway/verify.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

typedef struct {
  char *folder;
  Store *store;
} Fixture;

static int setup (void **state)
{
  Fixture *fixture = *state = g_new0 (Fixture, 1);
  fixture->folder = folder_make_temporary ();
  fixture->store = store_open (fixture->folder, clock_system (), NULL);
  return fixture->store == NULL;
}

static int teardown (void **state)
{
  Fixture *fixture = *state;
  store_close (fixture->store);
  folder_drop (fixture->folder);
  g_free (fixture);
  return 0;
}

static gboolean write_both (Database *database, gpointer data, GError **error)
{
  gint64 revision = *(int *) data;
  AuditEntry audit = { NULL, "cli", "account.add", "li", NULL, "said" };
  HistoryEntry history = { "I1", revision, revision, "li", "operator", NULL, "comment", STATE_REPORTED, STATE_REPORTED };
  return audit_append (database, 1, &audit, error)
         && incident_history_append (database, &history, json_pack ("{s:s}", "note", "said"), error);
}

static void write_entries (Fixture *fixture, int count)
{
  for (int i = 1; i <= count; i++)
    assert_true (store_run (fixture->store, write_both, &i, NULL));
}

static void alter (Fixture *fixture, const char *sql)
{
  assert_true (store_run (fixture->store, (StoreJob) database_script, (gpointer) sql, NULL));
}

/* NULL when the chains are whole. */
static char *problem_of (Fixture *fixture, const char *anchor, char **head)
{
  VerifyReport report;
  g_autoptr (GError) error = NULL;
  gboolean is_whole = verify_chains (fixture->folder, anchor, &report, &error);
  assert_int_equal (is_whole, error == NULL);
  if (head != NULL)
    *head = g_strdup (report.head);
  verify_report_clear (&report);
  return is_whole ? NULL : g_strdup (error->message);
}

static void assert_problem (Fixture *fixture, const char *anchor, const char *expected)
{
  g_autofree char *problem = problem_of (fixture, anchor, NULL);
  if (expected == NULL)
    assert_null (problem);
  else if (problem == NULL || strstr (problem, expected) == NULL)
    fail_msg ("expected \"%s\", got \"%s\"", expected, problem);
}

static void both_chains_are_walked_beside_a_running_gateway (void **state)
{
  Fixture *fixture = *state;
  assert_problem (fixture, NULL, NULL);
  write_entries (fixture, 3);
  assert_problem (fixture, NULL, NULL);
  alter (fixture, "UPDATE incident_history SET actor = 'wang' WHERE number = 2");
  assert_problem (fixture, NULL, "incident history, entry 2");
  alter (fixture, "UPDATE incident_history SET actor = 'li' WHERE number = 2");
  alter (fixture, "UPDATE audit SET actor = 'wang' WHERE number = 2");
  assert_problem (fixture, NULL, "audit log: entry 2");
}

static void one_head_finds_a_cut_tail_of_either_chain (void **state)
{
  Fixture *fixture = *state;
  g_autofree char *head = NULL;
  write_entries (fixture, 3);
  g_free (problem_of (fixture, NULL, &head));
  assert_problem (fixture, head, NULL);
  alter (fixture, "DELETE FROM incident_history WHERE number = 3");
  assert_problem (fixture, NULL, NULL);
  assert_problem (fixture, head, "its end was cut");
  alter (fixture, "DELETE FROM audit WHERE number = 3");
  assert_problem (fixture, head, "its tail was cut");
  assert_problem (fixture, "nonsense", "no head");
  assert_problem (fixture, "+nonsense", "no head");
}

static gboolean enter_erasure (Database *database, gpointer data, GError **error)
{
  (void) data;
  AuditEntry entry = { NULL, "cli", "incident.erase", "2", NULL, "asked for by the person" };
  return incident_history_erase (database, 2, error) && audit_append (database, 1, &entry, error);
}

static void what_is_gone_from_the_history_must_stand_in_the_audit_log (void **state)
{
  Fixture *fixture = *state;
  write_entries (fixture, 3);
  assert_true (store_run (fixture->store, enter_erasure, NULL, NULL));
  assert_problem (fixture, NULL, NULL);
  alter (fixture, "DELETE FROM incident_payloads WHERE number = 3");
  assert_problem (fixture, NULL, "incident history, entry 3: its payload is gone");
}

static void wrong_usage_is_told (void **state)
{
  (void) state;
  char *wrong[][4] = { { (char *) "audit" }, { (char *) "audit", (char *) "fly" },
                       { (char *) "audit", (char *) "verify", (char *) "x" } };
  for (int i = 0; i < 3; i++)
    assert_int_equal (verify_command (NULL, i + 1, wrong[i]), 64);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
  const struct CMUnitTest tests[] = {
    TEST (both_chains_are_walked_beside_a_running_gateway),
    TEST (one_head_finds_a_cut_tail_of_either_chain),
    TEST (what_is_gone_from_the_history_must_stand_in_the_audit_log),
    cmocka_unit_test (wrong_usage_is_told),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
