#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <glib/gstdio.h>
#include <microhttpd.h>

#include "adapters/agencies/webhook_sender.h"
#include "adapters/agencies/webhook_signature.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

/* An agency's server, and what the sender reports back. */
typedef struct {
  char *folder;
  struct MHD_Daemon *daemon;
  WebhookSender *sender;
  DeliveryPort port;
  GMutex mutex;
  GCond changed;
  guint status;            /* what the server answers */
  const char *retry_after; /* and with it, or NULL */
  guint requests;
  char *id, *timestamp, *signature, *content_type;
  GString *body;
  guint reports;
  DeliveryOutcome outcome;
  gint64 retry_after_us;
  char *detail;
} Agency;

static void keep (struct MHD_Connection *connection, const char *name, char **value)
{
  g_free (*value);
  *value = g_strdup (MHD_lookup_connection_value (connection, MHD_HEADER_KIND, name));
}

static enum MHD_Result answer (void *data, struct MHD_Connection *connection, const char *url, const char *method,
                               const char *version, const char *upload, size_t *size, void **context)
{
  Agency *agency = data;
  static int begun;
  (void) url, (void) version;
  assert_string_equal (method, "POST");
  if (*context == NULL) {
    *context = &begun;
    g_string_truncate (agency->body, 0);
    return MHD_YES;
  }
  if (*size > 0) {
    g_string_append_len (agency->body, upload, (gssize) *size);
    *size = 0;
    return MHD_YES;
  }
  g_mutex_lock (&agency->mutex);
  agency->requests++;
  keep (connection, "webhook-id", &agency->id);
  keep (connection, "webhook-timestamp", &agency->timestamp);
  keep (connection, "webhook-signature", &agency->signature);
  keep (connection, "Content-Type", &agency->content_type);
  struct MHD_Response *response = MHD_create_response_from_buffer (2, (void *) "ok", MHD_RESPMEM_PERSISTENT);
  if (agency->retry_after != NULL)
    MHD_add_response_header (response, "Retry-After", agency->retry_after);
  if (agency->status == 302)
    MHD_add_response_header (response, "Location", "/elsewhere");
  enum MHD_Result result = MHD_queue_response (connection, agency->status, response);
  g_mutex_unlock (&agency->mutex);
  MHD_destroy_response (response);
  return result;
}

static void ready (gpointer data, gboolean is_ready)
{
  (void) data;
  assert_true (is_ready);
}

static void completed (gpointer data, const char *event, DeliveryOutcome outcome, gint64 retry_after_us,
                       const char *detail)
{
  Agency *agency = data;
  g_mutex_lock (&agency->mutex);
  assert_string_equal (event, "msg_1");
  agency->reports++;
  agency->outcome = outcome;
  agency->retry_after_us = retry_after_us;
  g_free (agency->detail);
  agency->detail = g_strdup (detail);
  g_cond_broadcast (&agency->changed);
  g_mutex_unlock (&agency->mutex);
}

static int setup (void **state)
{
  Agency *agency = g_new0 (Agency, 1);
  agency->folder = folder_make_temporary ();
  agency->body = g_string_new (NULL);
  agency->status = 200;
  agency->daemon = MHD_start_daemon (MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, agency, MHD_OPTION_END);
  guint16 port = MHD_get_daemon_info (agency->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
  g_autofree char *url = g_strdup_printf ("http://127.0.0.1:%u/incidents", port);
  g_autofree char *secret = g_build_filename (agency->folder, "secret", NULL);
  g_file_set_contents (secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", -1, NULL);
  agency->sender = webhook_sender_new (clock_system ());
  agency->port = webhook_sender_port (agency->sender, url, secret);
  DeliverySink sink = { agency, ready, completed, NULL };
  *state = agency;
  return agency->port.operations->open (agency->port.self, &sink, NULL) ? 0 : -1;
}

static int teardown (void **state)
{
  Agency *agency = *state;
  webhook_sender_free (agency->sender);
  if (agency->daemon != NULL)
    MHD_stop_daemon (agency->daemon);
  g_string_free (agency->body, TRUE);
  g_free (agency->id);
  g_free (agency->timestamp);
  g_free (agency->signature);
  g_free (agency->content_type);
  g_free (agency->detail);
  folder_drop (agency->folder);
  g_free (agency);
  return 0;
}

/* Sends one and waits for the report. */
static void deliver (Agency *agency)
{
  gint64 until_us = g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND;
  guint before = agency->reports;
  assert_true (agency->port.operations->deliver (agency->port.self, "incidents", "msg_1", "{\"a\":\"水\"}"));
  g_mutex_lock (&agency->mutex);
  while (agency->reports == before)
    if (!g_cond_wait_until (&agency->changed, &agency->mutex, until_us))
      g_error ("no report came");
  g_mutex_unlock (&agency->mutex);
}

/* The vector of the Standard Webhooks libraries' own tests. */
static void the_signature_is_that_of_the_specification (void **state)
{
  (void) state;
  g_autoptr (GBytes) key = webhook_key_of ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  g_autofree char *signature
    = webhook_signature (key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}");
  assert_string_equal (signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  assert_null (webhook_key_of ("whsec_"));
  g_autoptr (GBytes) plain = webhook_key_of ("plain");
  assert_int_equal (g_bytes_get_size (plain), 5);
}

static void a_delivery_carries_id_time_and_a_signature_that_fits (void **state)
{
  Agency *agency = *state;
  deliver (agency);
  assert_int_equal (agency->outcome, DELIVERY_DONE);
  assert_string_equal (agency->id, "msg_1");
  assert_string_equal (agency->body->str, "{\"a\":\"水\"}");
  assert_true (g_str_has_prefix (agency->content_type, "application/cloudevents+json"));
  g_autoptr (GBytes) key = webhook_key_of ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  g_autofree char *expected
    = webhook_signature (key, "msg_1", g_ascii_strtoll (agency->timestamp, NULL, 10), agency->body->str);
  assert_string_equal (agency->signature, expected);
}

static void what_may_pass_is_tried_again_and_what_can_not_is_given_up (void **state)
{
  static const struct {
    guint status;
    DeliveryOutcome outcome;
  } cases[] = { { 204, DELIVERY_DONE },    { 408, DELIVERY_RETRY },   { 429, DELIVERY_RETRY },
                { 500, DELIVERY_RETRY },   { 503, DELIVERY_RETRY },   { 400, DELIVERY_REFUSED },
                { 401, DELIVERY_REFUSED }, { 410, DELIVERY_REFUSED }, { 302, DELIVERY_REFUSED } };
  Agency *agency = *state;
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    agency->status = cases[i].status;
    deliver (agency);
    assert_int_equal (agency->outcome, cases[i].outcome);
    assert_int_equal (agency->requests, i + 1); /* a redirect is not followed */
  }
}

static void retry_after_is_heard (void **state)
{
  Agency *agency = *state;
  agency->status = 429;
  agency->retry_after = "120";
  deliver (agency);
  assert_int_equal (agency->retry_after_us, 120 * G_TIME_SPAN_SECOND);
}

static void an_unreachable_server_is_tried_again (void **state)
{
  Agency *agency = *state;
  MHD_stop_daemon (agency->daemon);
  agency->daemon = NULL;
  deliver (agency);
  assert_int_equal (agency->outcome, DELIVERY_RETRY);
  assert_non_null (agency->detail);
}

static void an_address_that_is_no_web_address_is_refused (void **state)
{
  Agency *agency = *state;
  g_autoptr (GError) error = NULL;
  DeliverySink sink = { agency, ready, completed, NULL };
  DeliveryPort port = webhook_sender_port (agency->sender, "file:///etc/passwd", NULL);
  assert_false (port.operations->open (port.self, &sink, &error));
  assert_non_null (error);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (the_signature_is_that_of_the_specification),
    cmocka_unit_test_setup_teardown (a_delivery_carries_id_time_and_a_signature_that_fits, setup, teardown),
    cmocka_unit_test_setup_teardown (what_may_pass_is_tried_again_and_what_can_not_is_given_up, setup, teardown),
    cmocka_unit_test_setup_teardown (retry_after_is_heard, setup, teardown),
    cmocka_unit_test_setup_teardown (an_unreachable_server_is_tried_again, setup, teardown),
    cmocka_unit_test_setup_teardown (an_address_that_is_no_web_address_is_refused, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
