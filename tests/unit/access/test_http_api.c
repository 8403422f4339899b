#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/http/http_route.h"
#include "tests/support/test.h"
#include "tests/unit/access/api_fixture.h"

static long status_of (HttpClient *client, const char *method, const char *path, json_t *body)
{
  g_autoptr (HttpAnswer) answer = http_client_call (client, method, path, body);
  json_decref (body);
  return answer->status;
}

/* A path of the table with its {…} filled in. */
static char *example_path (const char *pattern)
{
  g_autoptr (GString) out = g_string_new (NULL);
  for (const char *at = pattern; *at;) {
    gsize plain = strcspn (at, "{");
    g_string_append_len (out, at, (gssize) plain);
    at += plain;
    if (*at == '{') {
      gsize length = strcspn (at, "}") + 1;
      g_string_append (out, strncmp (at, "{camera}", length) == 0 ? "bridge" : "absent");
      at += length;
    }
  }
  return g_strdup (out->str);
}

static void without_a_login_every_route_answers_401_but_the_public_ones (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) client = http_client_new (fixture->base);
  for (const HttpRoute *const *list = http_routes; *list != NULL; list++)
    for (const HttpRoute *route = *list; route->method != NULL; route++) {
      g_autofree char *path = example_path (route->path);
      long status = status_of (client, route->method, path, NULL);
      if (route->roles != 0)
        assert_int_equal (status, 401);
      else
        assert_int_not_equal (status, 401);
    }
}

static void each_role_reaches_its_routes_and_no_others (void **state)
{
  ApiFixture *fixture = *state;
  for (Role role = ROLE_ADMIN; role <= ROLE_AGENCY; role++) {
    g_autoptr (HttpClient) client
      = api_fixture_client (fixture, role, role == ROLE_AGENCY ? "water" : NULL, NULL);
    for (const HttpRoute *const *list = http_routes; *list != NULL; list++)
      for (const HttpRoute *route = *list; route->method != NULL; route++) {
        g_autofree char *path = example_path (route->path);
        if (route->roles == 0 || strstr (path, "/events") != NULL)
          continue;
        long status = status_of (client, route->method, path, NULL);
        if (role_is_in (role, route->roles))
          assert_true (status != 401 && status != 403 && status != 0);
        else
          assert_int_equal (status, 403);
      }
  }
}

static void the_document_names_every_route_and_what_it_says_of_refusals_holds (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) admin = api_fixture_client (fixture, ROLE_ADMIN, NULL, NULL);
  g_autoptr (HttpClient) nobody = http_client_new (fixture->base);
  json_t *document = http_client_get (admin, "/openapi.json"), *operations, *operation;
  const char *path, *method;
  guint count = 0;
  assert_string_equal (json_string_value (json_object_get (document, "openapi")), "3.1.0");
  json_object_foreach (json_object_get (document, "paths"), path, operations) {
    g_autofree char *example = example_path (path);
    assert_int_equal (status_of (nobody, "PATCH", example, NULL), 405);
    json_object_foreach (operations, method, operation) {
      g_autofree char *verb = g_ascii_strup (method, -1);
      gboolean is_public = json_array_size (json_object_get (operation, "security")) == 0;
      gboolean says_401 = json_object_get (json_object_get (operation, "responses"), "401") != NULL;
      assert_int_equal (says_401, !is_public);
      assert_int_equal (status_of (nobody, verb, example, NULL) == 401, says_401);
      count++;
    }
  }
  assert_true (count > 25);
  assert_int_equal (status_of (nobody, "GET", "/api/v1/nothing", NULL), 404);
  assert_int_equal (status_of (admin, "GET", "/api/v1/cameras/absent", NULL), 404);
  json_decref (document);
}

static void a_session_needs_its_csrf_token_for_unsafe_calls_and_its_own_origin (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) client = http_client_new (fixture->base);
  access_fixture_add (fixture->access, "li", ROLE_OPERATOR, NULL, NULL);
  assert_int_equal (http_client_login (client, "li", "wrong word 1"), 401);
  assert_int_equal (http_client_login (client, "li", FIXTURE_PASSWORD), 200);
  json_t *me = http_client_get (client, "/api/v1/session");
  assert_string_equal (json_string_value (json_object_get (me, "role")), "operator");
  json_decref (me);
  assert_int_equal (status_of (client, "POST", "/api/v1/tokens",
                               json_pack ("{s:s, s:s}", "cameras", "all", "for", "live")), 201);

  g_autofree char *login = g_strdup_printf ("{\"name\":\"li\",\"password\":\"%s\"}", FIXTURE_PASSWORD);
  g_autofree char *request = g_strdup_printf ("POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                              "Content-Length: %zu\r\n\r\n%s", strlen (login), login);
  g_autofree char *answer = api_fixture_raw (fixture, request, "}");
  assert_non_null (strstr (answer, "HttpOnly; SameSite=Strict"));
  const char *found = strstr (answer, "gridgate_session=");
  assert_non_null (found);
  g_autofree char *cookie = g_strndup (found, strcspn (found, ";"));
  g_autofree char *bare = g_strdup_printf ("DELETE /api/v1/session HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n", cookie);
  assert_int_equal (api_fixture_raw_status (fixture, bare), 403);
  const char *csrf = strstr (answer, "\"csrf\":\"") + 8;
  g_autofree char *foreign
    = g_strdup_printf ("DELETE /api/v1/session HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.example\r\nCookie: %s\r\n"
                       "X-CSRF-Token: %.64s\r\n\r\n", cookie, csrf);
  assert_int_equal (api_fixture_raw_status (fixture, foreign), 403);
  g_autofree char *good = g_strdup_printf ("DELETE /api/v1/session HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\nCookie: %s\r\n"
                                           "X-CSRF-Token: %.64s\r\n\r\n", cookie, csrf);
  assert_int_equal (api_fixture_raw_status (fixture, good), 204);
  assert_int_equal (api_fixture_raw_status (fixture, good), 401);
}

static guint count_of (HttpClient *client, const char *path, const char *list)
{
  json_t *answer = http_client_get (client, path);
  guint count = (guint) json_array_size (json_object_get (answer, list));
  json_decref (answer);
  return count;
}

static void bound_callers_and_agencies_see_their_grid_only (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) admin = api_fixture_client (fixture, ROLE_ADMIN, NULL, NULL);
  g_autoptr (HttpClient) worker = api_fixture_client (fixture, ROLE_WORKER, NULL, "village");
  g_autoptr (HttpClient) water = api_fixture_client (fixture, ROLE_AGENCY, "water", NULL);
  g_autoptr (HttpClient) fire = api_fixture_client (fixture, ROLE_AGENCY, "fire", NULL);
  g_autoptr (HttpClient) police = api_fixture_client (fixture, ROLE_AGENCY, "police", NULL);
  assert_int_equal (count_of (admin, "/api/v1/site", "cameras"), 3);
  assert_int_equal (count_of (admin, "/api/v1/cameras?limit=2", "items"), 2);
  assert_int_equal (count_of (admin, "/api/v1/cameras?limit=2&cursor=peak", "items"), 1);
  assert_int_equal (status_of (admin, "GET", "/api/v1/sensors?cursor=forgotten", NULL), 400);
  assert_int_equal (count_of (worker, "/api/v1/site", "cameras"), 1);
  assert_int_equal (count_of (worker, "/api/v1/site", "rules"), 1);
  assert_int_equal (count_of (water, "/api/v1/site", "rules"), 1);
  assert_int_equal (count_of (fire, "/api/v1/site", "rules"), 0);
  assert_int_equal (count_of (worker, "/api/v1/sensors", "items"), 1);
  assert_int_equal (status_of (worker, "GET", "/api/v1/cameras/peak", NULL), 404);
  assert_int_equal (status_of (worker, "GET", "/api/v1/sensors/wind-1", NULL), 404);
  assert_int_equal (status_of (worker, "GET", "/api/v1/observations", NULL), 400);
  assert_int_equal (count_of (water, "/api/v1/cameras", "items"), 1);
  assert_int_equal (count_of (fire, "/api/v1/cameras", "items"), 0);
  assert_int_equal (count_of (fire, "/api/v1/site", "agencies"), 1);
  assert_int_equal (count_of (police, "/api/v1/cameras", "items"), 1); /* its own */
  assert_int_equal (status_of (police, "GET", "/api/v1/cameras/post", NULL), 200);
}

static void sensors_that_were_discovered_are_marked_listed_and_forgotten_by_administrators_alone (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) admin = api_fixture_client (fixture, ROLE_ADMIN, NULL, NULL);
  g_autoptr (HttpClient) operator = api_fixture_client (fixture, ROLE_OPERATOR, NULL, NULL);
  g_autoptr (HttpClient) worker = api_fixture_client (fixture, ROLE_WORKER, NULL, "village");
  json_t *found = http_client_get (operator, "/api/v1/sensors/gauge-7"), *configured = http_client_get (operator, "/api/v1/sensors/wind-1");
  assert_string_equal (json_string_value (json_object_get (found, "template")), "gauge-7");
  assert_string_equal (json_string_value (json_object_get (found, "discovered_at")), "2026-05-01T08:00:00.000Z");
  assert_true (json_is_null (json_object_get (configured, "template")));
  json_decref (found);
  json_decref (configured);
  g_autoptr (HttpAnswer) all = http_client_call (operator, "GET", "/api/v1/sensors.csv", NULL);
  assert_string_equal (all->body, "id,name,grid,broker,topic,template,discovered_at\r\n"
                                  "level-1,level-1,farm,village,level-1,,\r\n"
                                  "wind-1,wind-1,hill,village,wind-1,,\r\n"
                                  "gauge-7,'=7,hill,village,gauge/=7,gauge-7,2026-05-01T08:00:00.000Z\r\n"); /* no formula */
  g_autoptr (HttpAnswer) new = http_client_call (operator, "GET", "/api/v1/sensors.csv?discovered=true", NULL);
  assert_null (strstr (new->body, "wind-1"));
  assert_non_null (strstr (new->body, "gauge-7"));
  g_autoptr (HttpAnswer) own = http_client_call (worker, "GET", "/api/v1/sensors.csv", NULL);
  assert_null (strstr (own->body, "gauge-7"));
  assert_non_null (strstr (own->body, "level-1"));
  assert_int_equal (status_of (operator, "GET", "/api/v1/sensors.csv?discovered=maybe", NULL), 400);
  assert_int_equal (status_of (operator, "DELETE", "/api/v1/sensors/gauge-7", NULL), 403);
  assert_int_equal (status_of (admin, "DELETE", "/api/v1/sensors/wind-1", NULL), 409); /* it stands in a file */
  assert_int_equal (status_of (admin, "DELETE", "/api/v1/sensors/absent", NULL), 404);
}

static json_t *report (const char *category, const char *grid)
{
  return json_pack ("{s:s, s:s, s:s, s:s}", "title", "x", "category", category, "severity", "severe", "grid", grid);
}

static void an_incident_is_seen_and_changed_by_those_entitled_and_unknown_to_others (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) operator = api_fixture_client (fixture, ROLE_OPERATOR, NULL, NULL);
  g_autoptr (HttpClient) hill = api_fixture_client (fixture, ROLE_WORKER, NULL, "hill");
  g_autoptr (HttpClient) water = api_fixture_client (fixture, ROLE_AGENCY, "water", NULL);
  g_autoptr (HttpClient) fire = api_fixture_client (fixture, ROLE_AGENCY, "fire", NULL);
  json_t *body = report ("flood", "village");
  g_autoptr (HttpAnswer) made = http_client_call (operator, "POST", "/api/v1/incidents", body);
  json_decref (body);
  assert_int_equal (made->status, 201);
  g_autofree char *path
    = g_strdup_printf ("/api/v1/incidents/%s", json_string_value (json_object_get (made->json, "id")));
  g_autofree char *actions = g_strconcat (path, "/actions", NULL);
  assert_int_equal (status_of (operator, "GET", path, NULL), 200);
  assert_int_equal (status_of (water, "GET", path, NULL), 200);
  assert_int_equal (status_of (fire, "GET", path, NULL), 404);
  assert_int_equal (status_of (hill, "GET", path, NULL), 404);
  assert_int_equal (count_of (fire, "/api/v1/incidents", "items"), 0);
  assert_int_equal (count_of (water, "/api/v1/incidents", "items"), 1);
  json_int_t revision = json_integer_value (json_object_get (made->json, "revision"));
  assert_int_equal (status_of (hill, "POST", actions, json_pack ("{s:s, s:I}", "action", "accept", "revision", revision)), 404);
  assert_int_equal (status_of (operator, "POST", actions, json_pack ("{s:s, s:I}", "action", "accept", "revision", revision + 7)),
                    409);
  assert_int_equal (status_of (operator, "POST", actions, json_pack ("{s:s, s:I}", "action", "accept", "revision", revision)), 200);
  assert_int_equal (status_of (operator, "POST", "/api/v1/incidents", json_pack ("{}")), 400);
}

/* A request for events; `more` are further header lines. */
static char *events_request (ApiFixture *fixture, const char *more)
{
  g_autofree char *id = NULL, *secret = NULL;
  access_fixture_add_token (fixture->access, "reader", ROLE_VIEWER, NULL, "village", &id, &secret);
  return g_strdup_printf ("GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n", secret, more);
}

static char *event_id (const char *answer, const char *after)
{
  const char *found = strstr (strstr (answer, after), "id: ") + 4;
  return g_strndup (found, strcspn (found, "\n"));
}

static void events_go_to_those_who_may_see_them_and_continue_after_the_last_id (void **state)
{
  ApiFixture *fixture = *state;
  g_autofree char *request = events_request (fixture, "");
  int fd = api_fixture_connect (fixture);
  send (fd, request, strlen (request), MSG_NOSIGNAL);
  g_autofree char *hello = api_fixture_read (fd, "event: hello");
  assert_non_null (strstr (hello, "text/event-stream"));
  event_bus_publish (fixture->events, "alert", "{\"n\":1}", "hill", "flood", NULL, SEVERITY_SEVERE);
  event_bus_publish (fixture->events, "alert", "{\"n\":2}", "farm", "flood", NULL, SEVERITY_SEVERE);
  g_autofree char *first = api_fixture_read (fd, "{\"n\":2}\n\n");
  close (fd);
  assert_null (strstr (first, "{\"n\":1}"));

  const char *at = strstr (first, "event: alert");
  assert_non_null (at);
  g_autofree char *upto = g_strndup (first, (gsize) (at - first));
  const char *line = g_strrstr (upto, "id: ") + 4;
  g_autofree char *last = g_strndup (line, strcspn (line, "\n"));
  event_bus_publish (fixture->events, "alert", "{\"n\":3}", "farm", "flood", NULL, SEVERITY_SEVERE);
  g_autofree char *more = g_strdup_printf ("Last-Event-ID: %s\r\n", last);
  g_autofree char *again = events_request (fixture, more);
  g_autofree char *second = api_fixture_raw (fixture, again, "{\"n\":3}\n\n");
  assert_non_null (strstr (second, "\"missed\":false"));
  assert_non_null (strstr (second, "{\"n\":3}"));
  assert_null (strstr (second, "{\"n\":2}"));

  for (int i = 0; i < 20; i++) /* more than the bus keeps */
    event_bus_publish (fixture->events, "camera", "{}", NULL, NULL, "bridge", 0);
  g_autofree char *late = events_request (fixture, more);
  g_autofree char *third = api_fixture_raw (fixture, late, "event: hello\n");
  g_autofree char *id = event_id (third, "\r\n\r\n");
  assert_true (strlen (id) > 0);
}

static void a_live_view_that_cannot_be_is_refused_before_101 (void **state)
{
  ApiFixture *fixture = *state;
  g_autofree char *id = NULL, *secret = NULL;
  access_fixture_add_token (fixture->access, "v", ROLE_VIEWER, NULL, NULL, &id, &secret);
  static const char head[] = "GET /api/v1/cameras/bridge/live HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n"
                             "Upgrade: websocket\r\nAuthorization: Bearer ";
  static const char tail[] = "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: ";
  g_autofree char *away = g_strdup_printf ("%s%s%s13\r\n\r\n", head, secret, tail);
  g_autofree char *old = g_strdup_printf ("%s%s%s8\r\n\r\n", head, secret, tail);
  g_autofree char *foreign = g_strdup_printf ("%s%s%s13\r\nOrigin: http://evil.example\r\n\r\n", head, secret, tail);
  assert_int_equal (api_fixture_raw_status (fixture, away), 503); /* media is away here */
  assert_int_equal (api_fixture_raw_status (fixture, old), 426);
  assert_int_equal (api_fixture_raw_status (fixture, foreign), 403);
}

/* What is entered in the register is asked for with GET. */
static void a_head_request_opens_neither_an_export_nor_a_socket (void **state)
{
  ApiFixture *fixture = *state;
  g_autofree char *id = NULL, *secret = NULL;
  access_fixture_add_token (fixture->access, "o", ROLE_OPERATOR, NULL, NULL, &id, &secret);
  static const char times[] = "?from=2026-05-01T08:00:00Z&to=2026-05-01T09:00:00Z&reason=x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ";
  static const char upgrade[] = "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  g_autofree char *export = g_strdup_printf ("HEAD /api/v1/cameras/bridge/recordings.mp4%s%s\r\n\r\n", times, secret);
  g_autofree char *playback = g_strdup_printf ("HEAD /api/v1/cameras/bridge/playback%s%s%s", times, secret, upgrade);
  assert_int_equal (api_fixture_raw_status (fixture, export), 405);
  assert_int_equal (api_fixture_raw_status (fixture, playback), 426);
}

static void the_api_answers_problems_and_every_answer_has_its_security_headers (void **state)
{
  ApiFixture *fixture = *state;
  g_autofree char *answer = api_fixture_raw (fixture, "GET /api/v1/site HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", NULL);
  assert_non_null (strstr (answer, "application/problem+json"));
  assert_non_null (strstr (answer, "urn:gridgate:problem:unauthorized"));
  assert_non_null (strstr (answer, "X-Content-Type-Options: nosniff"));
  assert_non_null (strstr (answer, "Cache-Control: no-store"));
  assert_non_null (strstr (answer, "Content-Security-Policy: default-src 'self'"));
  assert_int_equal (api_fixture_raw_status (fixture, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
  assert_int_equal (api_fixture_raw_status (fixture, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
  assert_int_equal (api_fixture_raw_status (fixture, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
}

static void metrics_name_what_the_gateway_has (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) client = api_fixture_client (fixture, ROLE_AUDITOR, NULL, NULL);
  g_autoptr (HttpAnswer) answer = http_client_call (client, "GET", "/metrics", NULL);
  assert_int_equal (answer->status, 200);
  assert_non_null (strstr (answer->body, "gridgate_alerts{severity=\"extreme\"} 0\n"));
  assert_non_null (strstr (answer->body, "gridgate_outbox_events{receiver=\"water#"));
  assert_non_null (strstr (answer->body, "gridgate_build_info{version=\"" GRIDGATE_VERSION "\"} 1\n"));
  assert_non_null (strstr (answer->body, "gridgate_process_resident_bytes{process=\"gridgate\"} "));
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, api_fixture_setup, api_fixture_teardown)
  const struct CMUnitTest tests[] = {
    TEST (without_a_login_every_route_answers_401_but_the_public_ones),
    TEST (each_role_reaches_its_routes_and_no_others),
    TEST (the_document_names_every_route_and_what_it_says_of_refusals_holds),
    TEST (a_session_needs_its_csrf_token_for_unsafe_calls_and_its_own_origin),
    TEST (bound_callers_and_agencies_see_their_grid_only),
    TEST (an_incident_is_seen_and_changed_by_those_entitled_and_unknown_to_others),
    TEST (sensors_that_were_discovered_are_marked_listed_and_forgotten_by_administrators_alone),
    TEST (events_go_to_those_who_may_see_them_and_continue_after_the_last_id),
    TEST (a_live_view_that_cannot_be_is_refused_before_101),
    TEST (a_head_request_opens_neither_an_export_nor_a_socket),
    TEST (the_api_answers_problems_and_every_answer_has_its_security_headers),
    TEST (metrics_name_what_the_gateway_has),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
