/* Exports of recordings over the HTTP API; a double of gridgate-media plans them, or takes its time. */
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/access/view.h"
#include "gateway/core/error.h"
#include "tests/support/test.h"
#include "tests/unit/access/api_fixture.h"

#define EXPORT_PATH "/api/v1/cameras/bridge/recordings.mp4?from=2026-05-01T08:00:00Z&to=2026-05-01T09:00:00Z&reason=case"

typedef struct {
  ApiFixture api;
  EventBus *events;
  LinkEndpoint *media;
  gboolean is_connected;
  gboolean is_slow;     /* it plans until nobody waits any more */
  gboolean is_busy;     /* it refuses */
  LinkMessage *planned; /* what it plans */
  int pipe_fd;
  guint given_up;       /* plans that it gave up */
  guint checks;
  char *secret;
} Fixture;

static gboolean on_abandoned (int fd, GIOCondition condition, gpointer data)
{
  Fixture *fixture = data;
  g_autoptr (GError) error = g_error_new_literal (GRIDGATE_ERROR, ERROR_RETRY, "the client went away");
  assert_true (condition & (G_IO_ERR | G_IO_HUP));
  link_endpoint_send (fixture->media, link_message_error (fixture->planned, error));
  g_clear_pointer (&fixture->planned, link_message_free);
  close (fd);
  fixture->given_up++;
  return G_SOURCE_REMOVE;
}

static void plan (Fixture *fixture, LinkMessage *request)
{
  int fd = link_message_steal_fd (request, 0);
  fixture->checks += link_message_boolean (request, "check");
  if (fixture->is_slow) {
    fixture->planned = request;
    g_unix_fd_add (fd, G_IO_ERR, on_abandoned, fixture);
    return;
  }
  g_autoptr (LinkMessage) planned = request;
  g_autoptr (GError) error = g_error_new_literal (GRIDGATE_ERROR, ERROR_RETRY, "two exports are being made already");
  json_t *body = json_pack ("{s:i, s:[[I, I]]}", "bytes", 5, "spans", (json_int_t) 1777622400000000, (json_int_t) 1777626000000000);
  link_endpoint_send (fixture->media,
                      fixture->is_busy ? link_message_error (planned, error) : link_message_reply (planned, json_incref (body)));
  json_decref (body);
  if (!link_message_boolean (planned, "check"))
    assert_int_equal (write (fd, "movie", 5), 5);
  close (fd);
}

static void on_request (LinkEndpoint *endpoint, LinkMessage *message, gpointer data)
{
  g_autoptr (LinkMessage) request = message;
  if (request->kind == LINK_HELLO)
    link_endpoint_send (endpoint, link_message_reply (request, json_pack ("{s:s, s:s, s:i, s:i}", "version", GRIDGATE_VERSION,
                                                                          "process", "media", "pid", 1, "started_at", 1)));
  else if (request->kind == LINK_EXPORT_OPEN)
    plan (data, g_steal_pointer (&request));
}

static void on_connected (gboolean is_connected, gpointer data)
{
  ((Fixture *) data)->is_connected = is_connected;
}

static void on_viewer_ended (const LinkMessage *message, gpointer data)
{
  (void) message, (void) data;
}

static int set_up (void **state)
{
  Fixture *fixture = *state = g_new0 (Fixture, 1);
  g_autofree char *id = NULL;
  alarm (60);
  access_fixture_setup ((void **) &fixture->api.access);
  g_autofree char *path = g_build_filename (fixture->api.access->folder, "media.sock", NULL);
  MediaHandlers handlers = { .connected = on_connected, .viewer_ended = on_viewer_ended, .data = fixture };
  fixture->events = event_bus_new (16);
  fixture->media = link_endpoint_listen (path, on_request, NULL, fixture, NULL);
  fixture->api.media = media_link_new (fixture->api.access->folder, &handlers, fixture->events);
  api_fixture_open (&fixture->api);
  access_fixture_add_token (fixture->api.access, "desk", ROLE_OPERATOR, NULL, NULL, &id, &fixture->secret);
  while (!fixture->is_connected)
    g_main_context_iteration (NULL, TRUE);
  return 0;
}

static int tear_down (void **state)
{
  Fixture *fixture = *state;
  ApiFixture *api = &fixture->api;
  http_api_free (api->api);
  media_link_free (api->media);
  link_endpoint_free (fixture->media);
  store_close (g_steal_pointer (&api->access->store));
  incident_book_free (api->incidents);
  event_bus_free (api->events);
  event_bus_free (fixture->events);
  access_fixture_teardown ((void **) &api->access);
  g_free (api->base);
  g_free (fixture->secret);
  g_free (fixture);
  return 0;
}

static char *request_for (const Fixture *fixture, const char *path)
{
  return g_strdup_printf ("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n", path,
                          fixture->secret);
}

typedef struct {
  Fixture *fixture;
  char *request, *answer;
  gint is_over; /* atomic */
} Call;

static gpointer call (gpointer data)
{
  Call *call = data;
  call->answer = api_fixture_raw (&call->fixture->api, call->request, NULL);
  g_atomic_int_set (&call->is_over, TRUE);
  g_main_context_wakeup (NULL);
  return NULL;
}

/* The answer, whole (g_free), while media does its part. */
static char *answer_to (Fixture *fixture, const char *path)
{
  g_autofree char *request = request_for (fixture, path);
  Call one = { fixture, request, NULL, FALSE };
  GThread *thread = g_thread_new ("client", call, &one);
  while (!g_atomic_int_get (&one.is_over))
    g_main_context_iteration (NULL, TRUE);
  g_thread_join (thread);
  return one.answer;
}

static guint views (Fixture *fixture, const char *where)
{
  g_autofree char *sql = g_strconcat ("SELECT count(*) FROM views ", where, NULL);
  return (guint) database_integer (store_reader (fixture->api.access->store, NULL), 0, sql, "");
}

static void a_client_that_goes_while_its_export_is_planned_ends_the_plan (void **state)
{
  Fixture *fixture = *state;
  g_autofree char *request = request_for (fixture, EXPORT_PATH);
  fixture->is_slow = TRUE;
  int fd = api_fixture_connect (&fixture->api);
  assert_int_equal (send (fd, request, strlen (request), MSG_NOSIGNAL), strlen (request));
  while (fixture->planned == NULL)
    g_main_context_iteration (NULL, TRUE);
  close (fd);
  while (fixture->given_up == 0)
    g_main_context_iteration (NULL, TRUE);
  while (views (fixture, "WHERE end_reason = 'refused'") == 0)
    g_main_context_iteration (NULL, FALSE);
}

static void what_would_come_is_told_without_a_look (void **state)
{
  Fixture *fixture = *state;
  g_autofree char *answer = answer_to (fixture, EXPORT_PATH "&check=true");
  assert_true (g_str_has_prefix (answer, "HTTP/1.1 200"));
  assert_non_null (strstr (answer, "\"bytes\":5"));
  assert_non_null (strstr (answer, "2026-05-01T09:00:00.000Z"));
  assert_int_equal (fixture->checks, 1);
  assert_int_equal (views (fixture, ""), 0);
  fixture->is_busy = TRUE;
  g_autofree char *busy = answer_to (fixture, EXPORT_PATH "&check=true");
  assert_true (g_str_has_prefix (busy, "HTTP/1.1 503"));
  assert_non_null (strstr (busy, "two exports are being made already"));
  g_autofree char *counted = answer_to (fixture, EXPORT_PATH);
  assert_true (g_str_has_prefix (counted, "HTTP/1.1 503"));
  json_t *exports = media_link_exports (fixture->api.media);
  assert_int_equal (json_integer_value (json_object_get (exports, "refused")), 1);
  json_decref (exports);
}

static void exports_are_counted_by_what_became_of_them (void **state)
{
  Fixture *fixture = *state;
  g_autofree char *answer = answer_to (fixture, EXPORT_PATH);
  assert_true (g_str_has_suffix (answer, "\r\n\r\nmovie"));
  const char *const reasons[] = { "complete", "too slow", "token revoked" };
  for (guint i = 0; i < G_N_ELEMENTS (reasons); i++)
    link_endpoint_send (fixture->media,
                        link_message_new (LINK_VIEWER_ENDED, json_pack ("{s:s, s:i, s:i, s:s, s:s}", "viewer", "V", "at", 1,
                                                                        "sent_bytes", 1, "reason", reasons[i], "protocol", "export")));
  gint64 ended = 0;
  json_t *exports = NULL;
  while (ended == 0) {
    g_main_context_iteration (NULL, TRUE);
    json_decref (exports);
    exports = media_link_exports (fixture->api.media);
    ended = json_integer_value (json_object_get (exports, "ended"));
  }
  assert_int_equal (json_integer_value (json_object_get (exports, "complete")), 1);
  assert_int_equal (json_integer_value (json_object_get (exports, "too_slow")), 1);
  assert_int_equal (json_integer_value (json_object_get (exports, "error")), 0);
  json_decref (exports);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (a_client_that_goes_while_its_export_is_planned_ends_the_plan),
    TEST (what_would_come_is_told_without_a_look),
    TEST (exports_are_counted_by_what_became_of_them),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
