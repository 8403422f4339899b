#include <string.h>

#include "gateway/access/audit.h"
#include "gateway/core/clock.h"
#include "tests/support/test.h"
#include "tests/unit/access/api_fixture.h"

static json_t *silence_of (ApiFixture *fixture, const char *list, const char *name)
{
  g_autofree char *to = time_to_rfc3339 (access_now_us (fixture->access->access) + G_TIME_SPAN_HOUR);
  return json_pack ("{s:[s], s:s, s:s}", list, name, "to", to, "reason", "检修水泵");
}

static HttpAnswer *send_silence (ApiFixture *fixture, HttpClient *client, const char *list, const char *name)
{
  json_t *body = silence_of (fixture, list, name);
  HttpAnswer *answer = http_client_call (client, "POST", "/api/v1/silences", body);
  json_decref (body);
  return answer;
}

static void a_silence_is_made_listed_and_ended_and_each_is_in_the_audit_log (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) client = api_fixture_client (fixture, ROLE_OPERATOR, NULL, NULL);
  g_autoptr (HttpAnswer) made = send_silence (fixture, client, "categories", "flood");
  assert_int_equal (made->status, 201);
  assert_string_equal (json_string_value (json_object_get (made->json, "state")), "active");
  assert_string_equal (json_string_value (json_object_get (made->json, "author")), "operator");
  json_t *list = http_client_get (client, "/api/v1/silences?state=active");
  assert_int_equal (json_array_size (json_object_get (list, "items")), 1);
  json_decref (list);
  g_autofree char *path
    = g_strconcat ("/api/v1/silences/", json_string_value (json_object_get (made->json, "id")), NULL);
  g_autoptr (HttpAnswer) ended = http_client_call (client, "DELETE", path, NULL);
  assert_int_equal (ended->status, 200);
  assert_string_equal (json_string_value (json_object_get (ended->json, "state")), "over");
  g_autoptr (HttpAnswer) again = http_client_call (client, "DELETE", path, NULL);
  assert_int_equal (again->status, 400);
  json_t *log = audit_list (store_reader (fixture->access->store, NULL), 0, 2, NULL);
  json_t *items = json_object_get (log, "items");
  assert_string_equal (json_string_value (json_object_get (json_array_get (items, 0), "action")), "silence.end");
  assert_string_equal (json_string_value (json_object_get (json_array_get (items, 1), "action")), "silence.add");
  json_decref (log);
}

static void who_is_bound_to_a_grid_silences_that_grid_only (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) bound = api_fixture_client (fixture, ROLE_OPERATOR, NULL, "6201");
  g_autoptr (HttpClient) all = api_fixture_client (fixture, ROLE_ADMIN, NULL, NULL);
  g_autoptr (HttpAnswer) own = send_silence (fixture, bound, "categories", "flood");
  assert_int_equal (own->status, 201);
  json_t *grid = json_array_get (json_object_get (own->json, "grids"), 0);
  assert_string_equal (json_string_value (grid), "6201");
  const char *division = fixture->access->site->gateway.division;
  g_autoptr (HttpAnswer) beyond = send_silence (fixture, bound, "grids", division);
  assert_int_equal (beyond->status, 400);
  g_autoptr (HttpAnswer) whole = send_silence (fixture, all, "grids", division);
  assert_int_equal (whole->status, 201);
  g_autofree char *path
    = g_strconcat ("/api/v1/silences/", json_string_value (json_object_get (whole->json, "id")), NULL);
  g_autoptr (HttpAnswer) refused = http_client_call (bound, "DELETE", path, NULL);
  assert_int_equal (refused->status, 403);
}

static void who_may_not_operate_may_not_silence (void **state)
{
  ApiFixture *fixture = *state;
  const Role roles[] = { ROLE_AUDITOR, ROLE_WORKER, ROLE_VIEWER };
  for (gsize i = 0; i < G_N_ELEMENTS (roles); i++) {
    g_autoptr (HttpClient) client = api_fixture_client (fixture, roles[i], NULL, NULL);
    g_autoptr (HttpAnswer) answer = send_silence (fixture, client, "categories", "flood");
    assert_int_equal (answer->status, 403);
  }
}

#define ON_API(test) cmocka_unit_test_setup_teardown (test, api_fixture_setup, api_fixture_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    ON_API (a_silence_is_made_listed_and_ended_and_each_is_in_the_audit_log),
    ON_API (who_is_bound_to_a_grid_silences_that_grid_only),
    ON_API (who_may_not_operate_may_not_silence),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
