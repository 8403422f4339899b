#include "gateway/incident/lifecycle.h"
#include "tests/support/test.h"

static void the_straight_way_leads_from_reported_to_closed (void **state)
{
  static const struct {
    const char *action, *to;
  } way[] = { { "accept", "accepted" },      { "dispatch", "dispatched" }, { "start", "in_progress" },
              { "resolve", "resolved" },     { "verify", "verified" },     { "close", "closed" } };
  (void) state;
  IncidentState at = STATE_REPORTED;
  for (guint i = 0; i < G_N_ELEMENTS (way); i++) {
    assert_int_equal (lifecycle_step (way[i].action, at, 0, ROLE_OPERATOR, &at), STEP_ALLOWED);
    assert_string_equal (incident_state_name (at), way[i].to);
  }
  assert_false (incident_state_is_open (at));
}

static void each_refusal_says_which_kind_it_is (void **state)
{
  IncidentState to = STATE_COUNT;
  (void) state;
  assert_int_equal (lifecycle_step ("fly", STATE_REPORTED, 0, ROLE_ADMIN, &to), STEP_UNKNOWN_ACTION);
  assert_int_equal (lifecycle_step ("merge", STATE_REPORTED, 0, ROLE_ADMIN, &to), STEP_NOT_IN_THIS_VERSION);
  assert_int_equal (lifecycle_step ("close", STATE_REPORTED, 0, ROLE_ADMIN, &to), STEP_WRONG_STATE);
  assert_int_equal (lifecycle_step ("accept", STATE_REPORTED, 0, ROLE_WORKER, &to), STEP_WRONG_ROLE);
  assert_int_equal (lifecycle_step ("accept", STATE_REPORTED, 0, ROLE_NONE, &to), STEP_WRONG_ROLE);
  assert_int_equal (to, STATE_COUNT);
}

static void return_depends_on_where_it_comes_from (void **state)
{
  IncidentState to;
  (void) state;
  assert_int_equal (lifecycle_step ("return", STATE_DISPATCHED, 0, ROLE_AGENCY, &to), STEP_ALLOWED);
  assert_int_equal (to, STATE_ACCEPTED);
  assert_int_equal (lifecycle_step ("return", STATE_RESOLVED, 0, ROLE_AGENCY, &to), STEP_WRONG_ROLE);
  assert_int_equal (lifecycle_step ("return", STATE_RESOLVED, 0, ROLE_OPERATOR, &to), STEP_ALLOWED);
  assert_int_equal (to, STATE_IN_PROGRESS);
}

static void resume_goes_back_to_the_state_before (void **state)
{
  IncidentState to;
  (void) state;
  assert_int_equal (lifecycle_step ("resume", STATE_ON_HOLD, STATE_IN_PROGRESS, ROLE_OPERATOR, &to), STEP_ALLOWED);
  assert_int_equal (to, STATE_IN_PROGRESS);
}

static void nothing_but_reopen_leaves_a_closed_incident (void **state)
{
  (void) state;
  json_t *actions = lifecycle_actions (STATE_CLOSED, ROLE_OPERATOR);
  assert_int_equal (json_array_size (actions), 2);
  assert_string_equal (json_string_value (json_array_get (actions, 0)), "reopen");
  assert_string_equal (json_string_value (json_array_get (actions, 1)), "comment");
  json_decref (actions);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (the_straight_way_leads_from_reported_to_closed),
    cmocka_unit_test (each_refusal_says_which_kind_it_is),
    cmocka_unit_test (return_depends_on_where_it_comes_from),
    cmocka_unit_test (resume_goes_back_to_the_state_before),
    cmocka_unit_test (nothing_but_reopen_leaves_a_closed_incident),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
