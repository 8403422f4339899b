#include <gio/gio.h>
#include <stdio.h>
#include <string.h>

#include "pipelines/sim/cloud_event.h"
#include "pipelines/sim/sim_receiver.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define EVENT                                                                                                          \
  "{\"specversion\":\"1.0\",\"id\":\"e1\",\"source\":\"/gridgate/g\",\"type\":\"gridgate.incident.opened\","           \
  "\"data\":{\"id\":\"01A\",\"title\":\"水位超警\",\"category\":\"flood\",\"severity\":\"severe\",\"state\":"      \
  "\"reported\"}}"

typedef struct {
  char *folder;
  ReceiverScript script;
  SimReceiver *receiver;
} Fixture;

static int fixture_setup (void **state)
{
  Fixture *fixture = *state = g_new0 (Fixture, 1);
  fixture->folder = folder_make_temporary ();
  fixture->script.id = g_strdup ("water");
  fixture->script.secret_file = g_build_filename (fixture->folder, "secret", NULL);
  assert_true (g_file_set_contents (fixture->script.secret_file, SECRET "\n", -1, NULL));
  fixture->receiver = sim_receiver_new (&fixture->script, NULL);
  assert_non_null (fixture->receiver);
  return 0;
}

static int fixture_teardown (void **state)
{
  Fixture *fixture = *state;
  sim_receiver_free (fixture->receiver);
  folder_drop (fixture->folder);
  g_free (fixture->script.id);
  g_free (fixture->script.secret_file);
  g_free (fixture);
  return 0;
}

static int post (Fixture *fixture, const char *id, const char *secret, const char *body)
{
  g_autofree char *timestamp = g_strdup_printf ("%" G_GINT64_FORMAT, g_get_real_time () / G_USEC_PER_SEC);
  g_autofree char *signature = webhook_signature (secret, id, timestamp, body, strlen (body));
  g_autofree char *request
      = g_strdup_printf ("POST /incidents HTTP/1.1\r\nHost: x\r\nConnection: close\r\nwebhook-id: %s\r\n"
                         "webhook-timestamp: %s\r\nwebhook-signature: v1,AAAA %s\r\n"
                         "Content-Length: %zu\r\n\r\n%s",
                         id, timestamp, signature, strlen (body), body);
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) connection = g_socket_client_connect_to_host (
      client, "127.0.0.1", (guint16) sim_receiver_port (fixture->receiver), NULL, NULL);
  assert_non_null (connection);
  char answer[256] = "";
  int status = 0;
  GIOStream *stream = G_IO_STREAM (connection);
  assert_true (
      g_output_stream_write_all (g_io_stream_get_output_stream (stream), request, strlen (request), NULL, NULL, NULL));
  assert_true (g_input_stream_read (g_io_stream_get_input_stream (stream), answer, sizeof answer - 1, NULL, NULL) > 0);
  assert_int_equal (sscanf (answer, "HTTP/1.1 %d", &status), 1);
  return status;
}

static void the_signature_is_that_of_the_standard (void **state)
{
  (void) state; /* the example of the reference libraries (github.com/standard-webhooks/standard-webhooks) */
  const char *body = "{\"test\": 2432232314}";
  g_autofree char *signature
      = webhook_signature (SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body, strlen (body));
  assert_string_equal (signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

static void a_signed_event_is_taken_and_a_repeated_one_counted (void **state)
{
  Fixture *fixture = *state;
  assert_int_equal (post (fixture, "m1", SECRET, EVENT), 204);
  assert_int_equal (post (fixture, "m1", SECRET, EVENT), 204);
  assert_int_equal (sim_receiver_counts (fixture->receiver).accepted, 2);
  assert_int_equal (sim_receiver_counts (fixture->receiver).repeated, 1);
}

static void a_foreign_signature_and_no_event_are_refused (void **state)
{
  Fixture *fixture = *state;
  assert_int_equal (post (fixture, "m1", "another secret", EVENT), 400);
  assert_int_equal (post (fixture, "m2", SECRET, "{}"), 400);
  assert_int_equal (post (fixture, "m3", SECRET, "nonsense"), 400);
  assert_int_equal (sim_receiver_counts (fixture->receiver).refused, 3);
}

static void it_fails_as_often_as_it_is_told_to (void **state)
{
  Fixture *fixture = *state;
  sim_receiver_fail (fixture->receiver, 2, 503);
  assert_int_equal (post (fixture, "m1", SECRET, EVENT), 503);
  assert_int_equal (post (fixture, "m1", SECRET, EVENT), 503);
  assert_int_equal (post (fixture, "m1", SECRET, EVENT), 204);
  assert_int_equal (sim_receiver_counts (fixture->receiver).failed, 2);
}

static void an_event_is_told_in_plain_words (void **state)
{
  (void) state;
  json_t *event = cloud_event_read (EVENT, strlen (EVENT), NULL);
  g_autofree char *words = cloud_event_describe (event);
  assert_string_equal (words, "新事件 / new incident: 水位超警 (flood, severe, reported) 01A");
  json_decref (event);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (the_signature_is_that_of_the_standard),
    cmocka_unit_test_setup_teardown (a_signed_event_is_taken_and_a_repeated_one_counted, fixture_setup,
                                     fixture_teardown),
    cmocka_unit_test_setup_teardown (a_foreign_signature_and_no_event_are_refused, fixture_setup, fixture_teardown),
    cmocka_unit_test_setup_teardown (it_fails_as_often_as_it_is_told_to, fixture_setup, fixture_teardown),
    cmocka_unit_test (an_event_is_told_in_plain_words),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
