#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/link/link_endpoint.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

typedef struct {
  char *folder, *path;
  LinkEndpoint *worker, *gateway;
  gboolean gateway_connected;
  int events, replies, failures;
  gboolean worker_is_silent;
} Pair;

static void until (gboolean *condition)
{
  while (!*condition)
    g_main_context_iteration (NULL, TRUE);
}

static void worker_received (LinkEndpoint *endpoint, LinkMessage *message, gpointer data)
{
  g_autoptr (LinkMessage) request = message;
  Pair *pair = data;
  if (pair->worker_is_silent)
    return;
  if (request->kind == LINK_PICTURE_TAKE) {
    LinkMessage *reply = link_message_reply (request, json_pack ("{s:s, s:I}", "codec", "h264", "taken_at", (json_int_t) 5));
    link_message_add_fd (reply, dup (STDIN_FILENO));
    link_endpoint_send (endpoint, reply);
  } else {
    link_endpoint_send (endpoint, link_message_reply (request, NULL));
  }
}

static void gateway_received (LinkEndpoint *endpoint, LinkMessage *message, gpointer data)
{
  (void) endpoint;
  ((Pair *) data)->events++;
  link_message_free (message);
}

static void gateway_changed (LinkEndpoint *endpoint, gboolean is_connected, gpointer data)
{
  (void) endpoint;
  ((Pair *) data)->gateway_connected = is_connected;
}

static int pair_setup (void **state)
{
  Pair *pair = *state = g_new0 (Pair, 1);
  pair->folder = folder_make_temporary ();
  pair->path = g_build_filename (pair->folder, "media.sock", NULL);
  pair->worker = link_endpoint_listen (pair->path, worker_received, NULL, pair, NULL);
  pair->gateway = link_endpoint_connect (pair->path, gateway_received, gateway_changed, pair);
  until (&pair->gateway_connected);
  return 0;
}

static int pair_teardown (void **state)
{
  Pair *pair = *state;
  link_endpoint_free (pair->gateway);
  link_endpoint_free (pair->worker);
  folder_drop (pair->folder);
  g_free (pair->path);
  g_free (pair);
  return 0;
}

static void note_reply (LinkMessage *reply, const GError *error, gpointer data)
{
  Pair *pair = data;
  if (error != NULL)
    pair->failures++;
  else if (reply->kind != LINK_PICTURE_TAKE || reply->fd_count == 1)
    pair->replies++;
}

static void ask (Pair *pair, LinkKind kind, json_t *body, gint64 timeout_us)
{
  link_endpoint_request (pair->gateway, link_message_new (kind, body), timeout_us, note_reply, pair);
}

static void a_request_gets_its_reply_with_a_descriptor (void **state)
{
  Pair *pair = *state;
  ask (pair, LINK_PICTURE_TAKE, json_pack ("{s:s, s:s}", "camera", "bridge", "stream", "main"), 0);
  while (pair->replies + pair->failures == 0)
    g_main_context_iteration (NULL, TRUE);
  assert_int_equal (pair->replies, 1);
}

static void a_request_without_an_answer_fails_in_time (void **state)
{
  Pair *pair = *state;
  pair->worker_is_silent = TRUE;
  ask (pair, LINK_SITE_END, NULL, 1000);
  while (pair->replies + pair->failures == 0)
    g_main_context_iteration (NULL, TRUE);
  assert_int_equal (pair->failures, 1);
}

static void requests_fail_when_the_other_side_dies_and_it_is_found_again (void **state)
{
  Pair *pair = *state;
  pair->worker_is_silent = TRUE;
  ask (pair, LINK_SITE_END, NULL, 0);
  link_endpoint_free (pair->worker);
  while (pair->failures == 0)
    g_main_context_iteration (NULL, TRUE);
  assert_false (link_endpoint_is_connected (pair->gateway));

  pair->worker = link_endpoint_listen (pair->path, worker_received, NULL, pair, NULL);
  pair->worker_is_silent = FALSE;
  until (&pair->gateway_connected);
  ask (pair, LINK_SITE_END, NULL, 0);
  while (pair->replies == 0)
    g_main_context_iteration (NULL, TRUE);
}

static void two_workers_cannot_listen_on_one_path (void **state)
{
  Pair *pair = *state;
  g_autoptr (GError) error = NULL;
  assert_null (link_endpoint_listen (pair->path, worker_received, NULL, pair, &error));
  assert_true (error_is (error, ERROR_RETRY));
}

static void events_posted_from_another_thread_arrive (void **state)
{
  Pair *pair = *state;
  link_endpoint_post (pair->worker, link_message_new (LINK_VIEWER_ENDED, json_pack ("{s:s, s:i, s:i, s:s}", "viewer", "a",
                                                                                    "at", 1, "sent_bytes", 2, "reason", "")));
  while (pair->events == 0)
    g_main_context_iteration (NULL, TRUE);
}

static gpointer call_from_a_thread (gpointer data)
{
  Pair *pair = data;
  LinkMessage *message = link_message_new (LINK_PICTURE_TAKE, json_pack ("{s:s, s:s}", "camera", "bridge", "stream", "main"));
  LinkMessage *reply = link_endpoint_call (pair->gateway, message, 0, NULL);
  g_atomic_int_inc (&pair->replies);
  g_main_context_wakeup (NULL);
  return reply;
}

static void another_thread_can_wait_for_a_reply_and_own_it (void **state)
{
  Pair *pair = *state;
  GThread *thread = g_thread_new ("caller", call_from_a_thread, pair);
  while (g_atomic_int_get (&pair->replies) == 0)
    g_main_context_iteration (NULL, TRUE);
  g_autoptr (LinkMessage) reply = g_thread_join (thread);
  assert_non_null (reply);
  assert_string_equal (link_message_string (reply, "codec"), "h264");
  assert_int_equal (reply->fd_count, 1);
}

static void the_peer_is_known_by_its_process (void **state)
{
  Pair *pair = *state;
  assert_int_equal (link_endpoint_peer_pid (pair->gateway), getpid ());
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_request_gets_its_reply_with_a_descriptor, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown (a_request_without_an_answer_fails_in_time, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown (requests_fail_when_the_other_side_dies_and_it_is_found_again, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown (two_workers_cannot_listen_on_one_path, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown (events_posted_from_another_thread_arrive, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown (another_thread_can_wait_for_a_reply_and_own_it, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown (the_peer_is_known_by_its_process, pair_setup, pair_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
