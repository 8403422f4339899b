#include <string.h>

#include "gateway/core/error.h"
#include "gateway/link/link_message.h"
#include "tests/support/test.h"

static LinkMessage *round_trip (LinkMessage *message)
{
  gsize size;
  char *text = link_message_encode (message, &size, NULL);
  assert_non_null (text);
  LinkMessage *decoded = link_message_decode (text, size, NULL);
  free (text);
  link_message_free (message);
  return decoded;
}

static LinkMessage *a_request (void)
{
  LinkMessage *request = link_message_new (
    LINK_VIEWER_END, json_pack ("{s:s, s:s}", "viewer", "01J0000000000000000000000A", "reason", "logout"));
  request->serial = 7;
  return request;
}

static void a_message_arrives_as_it_was_sent (void **state)
{
  (void) state;
  g_autoptr (LinkMessage) message = round_trip (a_request ());
  assert_non_null (message);
  assert_int_equal (message->kind, LINK_VIEWER_END);
  assert_int_equal (message->serial, 7);
  assert_string_equal (link_message_string (message, "reason"), "logout");
}

static void a_reply_may_be_an_error (void **state)
{
  (void) state;
  g_autoptr (LinkMessage) request = a_request ();
  g_autoptr (GError) sent = g_error_new_literal (GRIDGATE_ERROR, ERROR_REFUSE, "no such viewer");
  g_autoptr (LinkMessage) reply = round_trip (link_message_error (request, sent));
  g_autoptr (GError) error = NULL;
  assert_non_null (reply);
  assert_true (link_message_failed (reply, &error));
  assert_true (error_is (error, ERROR_REFUSE));
  assert_string_equal (error->message, "no such viewer");
}

static void what_does_not_fit_the_table_is_refused (void **state)
{
  (void) state;
  const char *const wrong[] = {
    "", "[]", "{}", "{\"kind\":\"nothing\"}", "{\"kind\":\"hello\",\"version\":\"1\"}",
    "{\"kind\":\"hello\",\"serial\":1}", "{\"kind\":\"hello\",\"serial\":1,\"version\":1}",
    "{\"kind\":\"hello\",\"serial\":1,\"version\":\"1\",\"more\":1}",
    "{\"kind\":\"hello\",\"serial\":1,\"version\":\"1\",\"version\":\"2\"}",
    "{\"kind\":\"viewer_ended\",\"serial\":3,\"viewer\":\"a\",\"at\":1,\"sent_bytes\":2,\"reason\":\"\"}",
  };
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (GError) error = NULL;
    assert_null (link_message_decode (wrong[i], strlen (wrong[i]), &error));
    assert_non_null (error);
  }
}

static void an_oversized_message_is_not_sent (void **state)
{
  (void) state;
  g_autofree char *text = g_strnfill (LINK_MESSAGE_MAX, 'x');
  g_autoptr (LinkMessage) message = a_request ();
  g_autoptr (GError) error = NULL;
  gsize size;
  json_object_set_new (message->body, "reason", json_string (text));
  assert_null (link_message_encode (message, &size, &error));
  assert_non_null (error);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_message_arrives_as_it_was_sent),
    cmocka_unit_test (a_reply_may_be_an_error),
    cmocka_unit_test (what_does_not_fit_the_table_is_refused),
    cmocka_unit_test (an_oversized_message_is_not_sent),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
