/* What is wrong gets a clear word, nothing is lost by it, and the good camera beside it notices nothing. */
#include <signal.h>
#include <string.h>

#include "tests/support/test.h"
#include "tests/support/township.h"

static int township_setup (void **state)
{
  Township *township = *state = township_new ("bad_input.yaml", "bad-township.yaml");
  township_wait_camera (township, "good", "live", 20);
  return 0;
}

static int township_teardown (void **state)
{
  township_free (*state);
  return 0;
}

typedef struct {
  Township *township;
  const char *camera, *reason;
} Expected;

static gboolean has_reason (gpointer data)
{
  const Expected *expected = data;
  g_autofree char *path = g_strdup_printf ("/api/v1/cameras/%s", expected->camera);
  g_autoptr (HttpAnswer) answer = http_client_call (expected->township->http, "GET", path, NULL);
  return g_strcmp0 (json_string_value (json_object_get (answer->json, "reason")), expected->reason) == 0;
}

static void each_camera_says_what_is_wrong_with_it (void **state)
{
  const Expected all[] = {
    { *state, "wrong-password", "unauthorized" },
    { *state, "unreachable", "unreachable" },
    { *state, "no-sdp", "no_sdp" },
    { *state, "unknown-codec", "unsupported_codec" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (all); i++)
    if (!wait_until (has_reason, (gpointer) &all[i], 15))
      fail_msg ("camera %s did not say %s", all[i].camera, all[i].reason);
  township_wait_camera (*state, "good", "live", 1);
}

static gboolean has_camera_down (const json_t *answer)
{
  gsize index;
  json_t *alert;
  json_array_foreach (json_object_get (answer, "items"), index, alert)
    if (g_strcmp0 (json_string_value (json_object_get (alert, "rule")), "camera_down") == 0
        && g_strcmp0 (json_string_value (json_object_get (alert, "camera")), "unreachable") == 0)
      return TRUE;
  return FALSE;
}

static void a_camera_that_stays_down_raises_an_alert (void **state)
{
  json_decref (township_wait_for (*state, "/api/v1/alerts?state=open", has_camera_down, 20));
}

static json_int_t account (Township *township, const char *field, const char *reason)
{
  json_t *accounting = http_client_get (township->http, "/api/v1/accounting");
  json_t *brokers = json_object_get (accounting, "brokers");
  if (!json_is_array (brokers))
    brokers = json_object_get (accounting, "items");
  json_t *value = json_object_get (json_array_get (brokers, 0), field);
  if (reason != NULL)
    value = json_object_get (value, reason);
  json_int_t count = json_integer_value (value);
  json_decref (accounting);
  return count;
}

typedef struct {
  Township *township;
  const char *field, *reason;
  json_int_t wanted;
} Count;

static gboolean is_counted (gpointer data)
{
  const Count *wanted = data;
  return account (wanted->township, wanted->field, wanted->reason) >= wanted->wanted;
}

static void every_wrong_payload_is_counted_by_its_reason_and_the_account_balances (void **state)
{
  Township *township = *state;
  township_publish (township, "village/level-1", "this is not JSON");
  township_publish (township, "village/level-1", "{\"other\": 1}");
  township_publish (township, "village/level-1", "{\"level_cm\": \"high\"}");
  township_publish (township, "village/plain-1", "no number");
  township_publish (township, "village/plain-1", "0.25");
  const Count counts[] = { { township, "rejected", "not_json", 1 },
                           { township, "rejected", "path_absent", 1 },
                           { township, "rejected", "not_a_number", 2 },
                           { township, "stored", NULL, 1 } };
  for (gsize i = 0; i < G_N_ELEMENTS (counts); i++)
    if (!wait_until (is_counted, (gpointer) &counts[i], 10))
      fail_msg ("%s %s was not counted", counts[i].field, counts[i].reason ? counts[i].reason : "");
  assert_int_equal (account (township, "received", NULL), 5);
  assert_int_equal (account (township, "stored", NULL), 1);
  assert_int_equal (account (township, "pending", NULL), 0);
}

static long status_of (Township *township, const char *method, const char *path, json_t *body)
{
  g_autoptr (HttpAnswer) answer = http_client_call (township->http, method, path, body);
  json_decref (body);
  if (answer->status >= 400) {
    assert_string_equal (answer->content_type, "application/problem+json");
    assert_true (json_is_string (json_object_get (answer->json, "type")));
    assert_true (json_is_string (json_object_get (answer->json, "detail")));
  }
  return answer->status;
}

static void http_answers_wrong_requests_with_a_problem (void **state)
{
  Township *township = *state;
  g_autofree char *long_text = g_strnfill (2 * 1024 * 1024, 'x');
  assert_int_equal (status_of (township, "GET", "/api/v1/cameras/nothing", NULL), 404);
  assert_int_equal (status_of (township, "GET", "/api/v1/nothing", NULL), 404);
  assert_int_equal (status_of (township, "PUT", "/api/v1/incidents", json_object ()), 405);
  assert_int_equal (status_of (township, "POST", "/api/v1/incidents", json_pack ("{s:s}", "title", long_text)), 413);
  assert_int_equal (status_of (township, "POST", "/api/v1/incidents", json_pack ("{s:i}", "title", 5)), 400);
  assert_int_equal (status_of (township, "GET", "/api/v1/cameras/unreachable/snapshot.jpg", NULL), 503);

  g_autoptr (HttpClient) stranger = http_client_new (township->base_url);
  g_autoptr (HttpAnswer) answer = http_client_call (stranger, "GET", "/api/v1/cameras", NULL);
  assert_int_equal (answer->status, 401);
}

static void a_broker_that_goes_and_comes_loses_no_reading (void **state)
{
  Township *township = *state;
  json_int_t stored = account (township, "stored", NULL);
  mosquitto_end (township->village, SIGTERM);
  mosquitto_start_again (township->village);
  township_publish (township, "village/plain-1", "0.5");
  if (!wait_until (is_counted, &(Count){ township, "stored", NULL, stored + 1 }, 20))
    fail_msg ("the reading was not stored");
}

static void the_good_camera_was_never_disturbed (void **state)
{
  Township *township = *state;
  township_wait_camera (township, "good", "live", 1);
  assert_false (process_has_said (township->gateway, "camera good: stalled"));
  assert_false (process_has_said (township->gateway, "camera good: backing_off"));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (each_camera_says_what_is_wrong_with_it),
    cmocka_unit_test (a_camera_that_stays_down_raises_an_alert),
    cmocka_unit_test (every_wrong_payload_is_counted_by_its_reason_and_the_account_balances),
    cmocka_unit_test (http_answers_wrong_requests_with_a_problem),
    cmocka_unit_test (a_broker_that_goes_and_comes_loses_no_reading),
    cmocka_unit_test (the_good_camera_was_never_disturbed),
  };
  return cmocka_run_group_tests (tests, township_setup, township_teardown);
}
