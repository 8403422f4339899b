/* Legal holds over the HTTP API, media away. */
#include <string.h>

#include "gateway/access/hold.h"
#include "gateway/core/error.h"
#include "tests/support/test.h"
#include "tests/unit/access/api_fixture.h"

GPtrArray *__real_holds_not_lifted (Database *database, gint64 now_us, GError **error);
GPtrArray *__wrap_holds_not_lifted (Database *database, gint64 now_us, GError **error);

static gint unreadable; /* atomic: so many reads fail */

GPtrArray *__wrap_holds_not_lifted (Database *database, gint64 now_us, GError **error)
{
  if (g_atomic_int_get (&unreadable) == 0)
    return __real_holds_not_lifted (database, now_us, error);
  g_atomic_int_add (&unreadable, -1);
  error_set (error, ERROR_RETRY, "the disk does not answer");
  return NULL;
}

static json_t *hold_body (const char *camera, const char *reason)
{
  return json_pack ("{s:s, s:s, s:s, s:s}", "camera", camera, "from", "2026-05-01T08:00:00Z", "to", "2026-05-01T09:00:00Z",
                    "reason", reason);
}

static long post (HttpClient *client, json_t *body, char **id)
{
  g_autoptr (HttpAnswer) answer = http_client_call (client, "POST", "/api/v1/holds", body);
  json_decref (body);
  if (id != NULL)
    *id = g_strdup (json_string_value (json_object_get (answer->json, "id")));
  return answer->status;
}

static long drop (HttpClient *client, const char *id, const char *reason)
{
  g_autofree char *path = g_strconcat ("/api/v1/holds/", id, reason, NULL);
  g_autoptr (HttpAnswer) answer = http_client_call (client, "DELETE", path, NULL);
  return answer->status;
}

static guint not_lifted (ApiFixture *fixture)
{
  Database *reader = store_reader (fixture->access->store, NULL);
  g_autoptr (GPtrArray) holds = holds_not_lifted (reader, access_now_us (fixture->access->access), NULL);
  return holds->len;
}

static guint audited (HttpClient *admin, const char *action)
{
  guint count = 0;
  gsize index;
  json_t *entry, *log = http_client_get (admin, "/api/v1/audit");
  json_array_foreach (json_object_get (log, "items"), index, entry)
    count += g_strcmp0 (json_string_value (json_object_get (entry, "action")), action) == 0;
  json_decref (log);
  return count;
}

static void a_hold_is_placed_listed_and_lifted_with_its_reasons (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) admin = api_fixture_client (fixture, ROLE_ADMIN, NULL, NULL);
  g_autofree char *id = NULL;
  assert_int_equal (post (admin, hold_body ("bridge", "case 12"), &id), 201);
  assert_int_equal (not_lifted (fixture), 1);
  json_t *list = http_client_get (admin, "/api/v1/holds?camera=bridge");
  json_t *hold = json_array_get (json_object_get (list, "items"), 0);
  assert_string_equal (json_string_value (json_object_get (hold, "id")), id);
  assert_string_equal (json_string_value (json_object_get (hold, "reason")), "case 12");
  assert_string_equal (json_string_value (json_object_get (hold, "to")), "2026-05-01T09:00:00.000Z");
  assert_true (json_is_null (json_object_get (hold, "until")) && json_is_null (json_object_get (hold, "lifted_at")));
  json_decref (list);

  assert_int_equal (drop (admin, id, ""), 400);
  assert_int_equal (drop (admin, id, "?reason=closed"), 204);
  assert_int_equal (not_lifted (fixture), 0);
  assert_int_not_equal (drop (admin, id, "?reason=closed"), 204);
  assert_int_equal (drop (admin, "absent", "?reason=closed"), 404);
  list = http_client_get (admin, "/api/v1/holds");
  hold = json_array_get (json_object_get (list, "items"), 0);
  assert_string_equal (json_string_value (json_object_get (hold, "lift_reason")), "closed");
  json_decref (list);
  assert_int_equal (audited (admin, "hold.place"), 1);
  assert_int_equal (audited (admin, "hold.lift"), 1);
}

static void a_wrong_hold_is_refused_with_what_is_wrong (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) admin = api_fixture_client (fixture, ROLE_ADMIN, NULL, NULL);
  assert_int_equal (post (admin, hold_body ("absent", "x"), NULL), 404);
  assert_int_equal (post (admin, hold_body ("bridge", ""), NULL), 400);
  json_t *body = hold_body ("bridge", "x");
  json_object_set_new (body, "to", json_string ("yesterday"));
  assert_int_equal (post (admin, body, NULL), 400);
  body = hold_body ("bridge", "x");
  json_object_set_new (body, "to", json_string ("2026-05-01T07:00:00Z"));
  assert_int_equal (post (admin, body, NULL), 400);
  body = hold_body ("bridge", "x");
  json_object_set_new (body, "until", json_string ("2020-05-01T07:00:00Z"));
  assert_int_equal (post (admin, body, NULL), 400);
  assert_int_equal (not_lifted (fixture), 0);
}

static void operators_place_holds_and_do_not_lift_them (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) operator= api_fixture_client (fixture, ROLE_OPERATOR, NULL, NULL);
  g_autoptr (HttpClient) auditor = api_fixture_client (fixture, ROLE_AUDITOR, NULL, NULL);
  g_autoptr (HttpClient) viewer = api_fixture_client (fixture, ROLE_VIEWER, NULL, NULL);
  g_autofree char *id = NULL;
  assert_int_equal (post (viewer, hold_body ("bridge", "x"), NULL), 403);
  assert_int_equal (post (operator, hold_body ("bridge", "x"), &id), 201);
  assert_int_equal (drop (operator, id, "?reason=y"), 403);
  assert_int_equal (drop (auditor, id, "?reason=y"), 204);
}

static void a_wall_clock_that_is_wrong_ends_no_hold (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) admin = api_fixture_client (fixture, ROLE_ADMIN, NULL, NULL);
  json_t *body = hold_body ("bridge", "x");
  g_autofree char *until = time_to_rfc3339 (access_now_us (fixture->access->access) + G_TIME_SPAN_DAY);
  json_object_set_new (body, "until", json_string (until));
  assert_int_equal (post (admin, body, NULL), 201);
  clock_fake_step_wall (fixture->access->clock, 4000 * G_TIME_SPAN_DAY);
  assert_int_equal (not_lifted (fixture), 1);
}

/* Who is told 201 takes it that nothing of it is deleted from now on. */
static void a_hold_of_which_media_could_not_be_told_is_no_success_and_is_told_later (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) admin = api_fixture_client (fixture, ROLE_ADMIN, NULL, NULL);
  g_atomic_int_set (&unreadable, 2);
  assert_int_equal (post (admin, hold_body ("bridge", "x"), NULL), 503);
  g_autoptr (HttpAnswer) untold = http_client_call (admin, "GET", "/api/v1/holds", NULL);
  assert_int_equal (untold->status, 503);
  json_t *list = http_client_get (admin, "/api/v1/holds");
  assert_int_equal (json_array_size (json_object_get (list, "items")), 1);
  json_decref (list);
  assert_int_equal (not_lifted (fixture), 1);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_hold_is_placed_listed_and_lifted_with_its_reasons, api_fixture_setup, api_fixture_teardown),
    cmocka_unit_test_setup_teardown (a_wrong_hold_is_refused_with_what_is_wrong, api_fixture_setup, api_fixture_teardown),
    cmocka_unit_test_setup_teardown (operators_place_holds_and_do_not_lift_them, api_fixture_setup, api_fixture_teardown),
    cmocka_unit_test_setup_teardown (a_wall_clock_that_is_wrong_ends_no_hold, api_fixture_setup, api_fixture_teardown),
    cmocka_unit_test_setup_teardown (a_hold_of_which_media_could_not_be_told_is_no_success_and_is_told_later, api_fixture_setup, api_fixture_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
