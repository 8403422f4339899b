#include <string.h>

#include "gateway/core/error.h"
#include "tests/support/test.h"
#include "tests/unit/incident/book_fixture.h"

static char *opened_by_flood (BookFixture *fixture)
{
  g_autoptr (Alert) alert = raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE);
  assert_non_null (alert->incident);
  return g_strdup (alert->incident);
}

static json_t *step (const char *action, int revision)
{
  return json_pack ("{s:s, s:i}", "action", action, "revision", revision);
}

static void an_alert_opens_an_incident_with_what_its_rule_says (void **state)
{
  BookFixture *fixture = *state;
  g_autofree char *id = opened_by_flood (fixture);
  json_t *incident = look_at (fixture, id);
  assert_string_equal (text_of (incident, "state"), "reported");
  assert_string_equal (text_of (incident, "gateway"), "gateway-1");
  assert_string_equal (text_of (incident, "title"), "水位超警");
  assert_string_equal (text_of (json_object_get (incident, "assignee"), "agency"), "water");
  assert_string_equal (text_of (json_object_get (incident, "deadlines"), "whole"), "2026-05-01T14:00:00.000Z");
  assert_int_equal (json_array_size (json_object_get (incident, "alerts")), 1);
  assert_int_equal (json_array_size (json_object_get (incident, "evidence")), 2);
  assert_int_equal (json_array_size (json_object_get (incident, "history")), 1);
  json_decref (incident);

  g_autoptr (Event) event = event_bus_next (fixture->events, 0);
  assert_string_equal (event->type, "incident");
  assert_string_equal (event->grid, "v1");
  assert_string_equal (event->category, "flood");
  assert_int_equal (event->severity, SEVERITY_SEVERE);
}

static void alerts_of_one_rule_and_grid_share_the_open_incident_and_clearing_closes_nothing (void **state)
{
  BookFixture *fixture = *state;
  g_autoptr (Alert) first = raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE);
  g_autoptr (Alert) second = raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE);
  g_autoptr (Alert) elsewhere = raise_alert (fixture, "flood", "flood", "v2", SEVERITY_SEVERE);
  assert_string_equal (first->incident, second->incident);
  assert_string_not_equal (first->incident, elsewhere->incident);
  clear_alert (fixture, first);
  clear_alert (fixture, second);
  json_t *incident = look_at (fixture, first->incident);
  json_t *alert = json_array_get (json_object_get (incident, "alerts"), 0);
  assert_string_equal (text_of (incident, "state"), "reported");
  assert_string_equal (text_of (alert, "state"), "cleared");
  assert_int_equal (json_integer_value (json_object_get (incident, "revision")), 4);
  json_decref (incident);

  g_autoptr (GError) error = NULL;
  json_decref (do_action (fixture, &operator_actor, first->incident, step ("reject", 4), &error));
  assert_null (error);
  g_autoptr (Alert) later = raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE);
  assert_string_not_equal (later->incident, first->incident);
}

static void a_historical_alert_joins_but_never_opens (void **state)
{
  BookFixture *fixture = *state;
  g_autoptr (Alert) alone = raise_historical (fixture, "flood", "v1");
  assert_null (alone->incident);
  g_autofree char *id = opened_by_flood (fixture);
  g_autoptr (Alert) joined = raise_historical (fixture, "flood", "v1");
  assert_string_equal (joined->incident, id);
}

static void an_action_moves_the_state_and_counts_the_revision (void **state)
{
  BookFixture *fixture = *state;
  g_autoptr (GError) error = NULL;
  g_autofree char *id = opened_by_flood (fixture);
  static const char *const way[] = { "accept", "dispatch", "start", "resolve", "verify", "close" };
  for (int i = 0; i < (int) G_N_ELEMENTS (way); i++) {
    json_decref (do_action (fixture, &operator_actor, id, step (way[i], i + 1), &error));
    assert_null (error);
  }
  json_t *incident = look_at (fixture, id);
  assert_string_equal (text_of (incident, "state"), "closed");
  assert_int_equal (json_array_size (json_object_get (incident, "history")), 7);
  json_decref (incident);
}

static void a_stale_revision_is_refused_and_shows_the_current_incident (void **state)
{
  BookFixture *fixture = *state;
  g_autoptr (GError) error = NULL;
  g_autofree char *id = opened_by_flood (fixture);
  json_decref (do_action (fixture, &operator_actor, id, step ("accept", 1), NULL));
  json_t *incident = do_action (fixture, &operator_actor, id, step ("reject", 1), &error);
  assert_true (g_error_matches (error, INCIDENT_ERROR, INCIDENT_STALE_REVISION));
  assert_string_equal (text_of (incident, "state"), "accepted");
  json_decref (incident);
}

static void what_is_not_allowed_changes_nothing (void **state)
{
  BookFixture *fixture = *state;
  g_autofree char *id = opened_by_flood (fixture);
  const struct {
    const Actor *actor;
    json_t *arguments;
    int problem;
  } cases[] = {
    { &operator_actor, step ("close", 1), INCIDENT_NOT_ALLOWED },
    { &viewer_actor, step ("accept", 1), INCIDENT_NOT_ALLOWED },
    { &operator_actor, step ("merge", 1), INCIDENT_NOT_IN_THIS_VERSION },
    { &operator_actor, step ("fly", 1), INCIDENT_INVALID },
    { &operator_actor, json_pack ("{s:s}", "action", "accept"), INCIDENT_INVALID },
    { &operator_actor, json_pack ("{s:s, s:i, s:i}", "action", "accept", "revision", 1, "x", 1), INCIDENT_INVALID },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    json_t *incident = do_action (fixture, cases[i].actor, id, cases[i].arguments, &error);
    assert_true (g_error_matches (error, INCIDENT_ERROR, cases[i].problem));
    assert_int_equal (json_integer_value (json_object_get (incident, "revision")), 1);
    json_decref (incident);
  }
  g_autoptr (GError) error = NULL;
  assert_null (do_action (fixture, &operator_actor, "01ARZ3NDEKTSV4RRFFQ69G5FAV", step ("accept", 1), &error));
  assert_true (g_error_matches (error, INCIDENT_ERROR, INCIDENT_NOT_FOUND));
}

static void an_agency_acts_on_what_is_assigned_to_it_only (void **state)
{
  BookFixture *fixture = *state;
  const Actor fire = { .name = (char *) "zhao", .role = ROLE_AGENCY, .agency = (char *) "fire" };
  g_autoptr (GError) error = NULL;
  g_autofree char *id = opened_by_flood (fixture);
  json_decref (do_action (fixture, &operator_actor, id, step ("accept", 1), NULL));
  json_decref (do_action (fixture, &operator_actor, id, step ("dispatch", 2), NULL));
  json_decref (do_action (fixture, &fire, id, step ("start", 3), &error));
  assert_true (g_error_matches (error, INCIDENT_ERROR, INCIDENT_NOT_ALLOWED));
  json_t *incident = do_action (fixture, &water_actor, id, step ("start", 3), NULL);
  assert_string_equal (text_of (incident, "state"), "in_progress");
  json_decref (incident);
}

static void the_light_turns_at_80_percent_and_at_the_deadline_and_stands_still_on_hold (void **state)
{
  BookFixture *fixture = *state;
  g_autofree char *id = opened_by_flood (fixture); /* two hours */
  const struct {
    int minutes;
    const char *light;
  } moments[] = { { 95, "green" }, { 1, "yellow" }, { 23, "yellow" } };
  for (guint i = 0; i < G_N_ELEMENTS (moments); i++) {
    clock_fake_advance (fixture->clock, moments[i].minutes * G_TIME_SPAN_MINUTE);
    json_t *incident = look_at (fixture, id);
    assert_string_equal (text_of (incident, "light"), moments[i].light);
    json_decref (incident);
  }
  json_decref (do_action (fixture, &operator_actor, id, step ("accept", 1), NULL));
  json_decref (do_action (fixture, &operator_actor, id, step ("hold", 2), NULL));
  clock_fake_advance (fixture->clock, G_TIME_SPAN_DAY);
  json_t *incident = do_action (fixture, &operator_actor, id, step ("resume", 3), NULL);
  assert_string_equal (text_of (incident, "state"), "accepted");
  assert_string_equal (text_of (incident, "light"), "yellow");
  json_decref (incident);
  clock_fake_advance (fixture->clock, G_TIME_SPAN_MINUTE);
  incident = look_at (fixture, id);
  assert_string_equal (text_of (incident, "light"), "red");
  json_decref (incident);
}

typedef struct {
  BookFixture *fixture;
  json_t *report, *incident;
  const char *key;
  gboolean is_new;
} ReportJob;

static gboolean report_job (Database *database, gpointer data, GError **error)
{
  ReportJob *job = data;
  return incident_book_report (job->fixture->book, database, &operator_actor, job->report, job->key, &job->incident,
                               &job->is_new, error);
}

static void a_report_with_the_same_key_is_taken_once (void **state)
{
  BookFixture *fixture = *state;
  json_t *body = json_pack ("{s:s, s:s, s:s, s:s, s:s}", "title", "桥头冒烟", "category", "fire", "severity", "moderate",
                            "grid", "v2", "note", "村民来电");
  ReportJob first = { fixture, body, NULL, "k1", FALSE }, again = first, other = first;
  g_autoptr (GError) error = NULL;
  assert_true (store_run (fixture->store, report_job, &first, NULL));
  assert_true (store_run (fixture->store, report_job, &again, NULL));
  assert_true (first.is_new);
  assert_false (again.is_new);
  assert_string_equal (text_of (first.incident, "id"), text_of (again.incident, "id"));
  assert_string_equal (text_of (first.incident, "reporter"), "li");
  other.report = json_copy (body);
  json_object_set_new (other.report, "title", json_string ("另一件事"));
  assert_false (store_run (fixture->store, report_job, &other, &error));
  assert_true (g_error_matches (error, INCIDENT_ERROR, INCIDENT_KEY_REUSED));
  json_decref (first.incident);
  json_decref (again.incident);
  json_decref (other.report);
  json_decref (body);
}

static void a_list_is_filtered_and_paged (void **state)
{
  BookFixture *fixture = *state;
  Database *reader = store_reader (fixture->store, NULL);
  for (int i = 0; i < 3; i++)
    alert_free (raise_alert (fixture, i == 0 ? "smoke" : i == 1 ? "flood" : "quake", i == 0 ? "fire" : "flood",
                             i == 1 ? "v1" : "v2", SEVERITY_SEVERE));
  IncidentFilter filter = { .category = "flood", .limit = 1, .site = fixture->site };
  json_t *page = incident_list (reader, &filter, 0, NULL);
  assert_int_equal (json_array_size (json_object_get (page, "items")), 1);
  g_autofree char *cursor = g_strdup (text_of (page, "next"));
  assert_non_null (cursor);
  filter.cursor = cursor;
  json_t *rest = incident_list (reader, &filter, 0, NULL);
  assert_int_equal (json_array_size (json_object_get (rest, "items")), 1);
  assert_true (json_is_null (json_object_get (rest, "next")));
  IncidentFilter in_grid = { .grid = "v2", .state = "open", .site = fixture->site };
  json_t *grid = incident_list (reader, &in_grid, 0, NULL);
  assert_int_equal (json_array_size (json_object_get (grid, "items")), 2);
  json_decref (page);
  json_decref (rest);
  json_decref (grid);
}

#define book_test(name) cmocka_unit_test_setup_teardown (name, book_fixture_setup, book_fixture_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    book_test (an_alert_opens_an_incident_with_what_its_rule_says),
    book_test (alerts_of_one_rule_and_grid_share_the_open_incident_and_clearing_closes_nothing),
    book_test (a_historical_alert_joins_but_never_opens),
    book_test (an_action_moves_the_state_and_counts_the_revision),
    book_test (a_stale_revision_is_refused_and_shows_the_current_incident),
    book_test (what_is_not_allowed_changes_nothing),
    book_test (an_agency_acts_on_what_is_assigned_to_it_only),
    book_test (the_light_turns_at_80_percent_and_at_the_deadline_and_stands_still_on_hold),
    book_test (a_report_with_the_same_key_is_taken_once),
    book_test (a_list_is_filtered_and_paged),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
