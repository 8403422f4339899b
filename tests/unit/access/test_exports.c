#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/test.h"
#include "tests/unit/access/api_fixture.h"

/* Sends the request and leaves the answer to whoever reads the socket. */
static int ask (ApiFixture *fixture, const char *target)
{
  g_autofree char *id = NULL, *secret = NULL;
  access_fixture_add_token (fixture->access, target, ROLE_OPERATOR, NULL, NULL, &id, &secret);
  g_autofree char *request = g_strdup_printf ("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n",
                                              target, secret);
  int fd = api_fixture_connect (fixture);
  send (fd, request, strlen (request), MSG_NOSIGNAL);
  return fd;
}

static char *answer_to (ApiFixture *fixture, const char *target)
{
  int fd = ask (fixture, target);
  char *answer = api_fixture_read (fd, NULL);
  close (fd);
  return answer;
}

static void an_export_is_csv_with_a_good_end (void **state)
{
  g_autofree char *answer = answer_to (*state, "/api/v1/observations.csv");
  assert_true (g_str_has_prefix (answer, "HTTP/1.1 200"));
  assert_non_null (strstr (answer, "text/csv; charset=utf-8; header=present"));
  assert_non_null (strstr (answer, "attachment; filename=\"observations.csv\""));
  assert_non_null (strstr (answer, "sensor,metric\r\n"));
  assert_true (g_str_has_suffix (answer, "\r\n0\r\n\r\n"));
}

static void an_export_that_breaks_off_has_no_good_end (void **state)
{
  g_autofree char *answer = answer_to (*state, "/api/v1/observations.csv?metric=broken");
  assert_non_null (strstr (answer, "sensor,metric\r\n"));
  assert_false (g_str_has_suffix (answer, "\r\n0\r\n\r\n"));
}

/* Four are under way until their readers go: then there is room again. */
static void exports_are_few_and_end_with_their_readers (void **state)
{
  ApiFixture *fixture = *state;
  int fds[4];
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++) {
    fds[i] = ask (fixture, "/api/v1/observations.csv?metric=endless");
    g_autofree char *head = api_fixture_read (fds[i], "abcdef");
    assert_true (g_str_has_prefix (head, "HTTP/1.1 200"));
  }
  g_autofree char *refused = answer_to (fixture, "/api/v1/observations.csv");
  assert_true (g_str_has_prefix (refused, "HTTP/1.1 503"));
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    close (fds[i]);
  gint64 until = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;
  for (gboolean is_free = FALSE; !is_free;) {
    g_autofree char *answer = answer_to (fixture, "/api/v1/observations.csv");
    is_free = g_str_has_prefix (answer, "HTTP/1.1 200");
    assert_true (is_free || g_get_monotonic_time () < until);
  }
}

static int left_open = -1;

static void the_server_ends_while_an_export_is_under_way (void **state)
{
  left_open = ask (*state, "/api/v1/observations.csv?metric=endless");
  g_autofree char *head = api_fixture_read (left_open, "abcdef");
  assert_true (g_str_has_prefix (head, "HTTP/1.1 200"));
}

static int teardown_before_the_reader_goes (void **state)
{
  int result = api_fixture_teardown (state);
  close (left_open);
  return result;
}

static void what_was_rejected_is_for_those_who_operate (void **state)
{
  ApiFixture *fixture = *state;
  static const struct {
    Role role;
    long status;
  } cases[] = { { ROLE_ADMIN, 200 }, { ROLE_OPERATOR, 200 }, { ROLE_AUDITOR, 403 }, { ROLE_WORKER, 403 }, { ROLE_VIEWER, 403 } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (HttpClient) client = api_fixture_client (fixture, cases[i].role, NULL, NULL);
    g_autoptr (HttpAnswer) answer = http_client_call (client, "GET", "/api/v1/accounting/rejected?sensor=wind-1", NULL);
    assert_int_equal (answer->status, cases[i].status);
  }
}

static void every_and_who_may_see_are_checked (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) operator = api_fixture_client (fixture, ROLE_OPERATOR, NULL, NULL);
  g_autoptr (HttpClient) worker = api_fixture_client (fixture, ROLE_WORKER, NULL, "village");
  static const char *const wrong[] = { "/api/v1/observations?every=0s", "/api/v1/observations?every=10", "/api/v1/observations?every=1ms",
                                       "/api/v1/observations.csv?from=yesterday" };
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (HttpAnswer) answer = http_client_call (operator, "GET", wrong[i], NULL);
    assert_int_equal (answer->status, 400);
  }
  g_autoptr (HttpAnswer) buckets = http_client_call (operator, "GET", "/api/v1/observations?every=10m&sensor=wind-1&metric=speed", NULL);
  assert_int_equal (buckets->status, 200);
  g_autoptr (HttpAnswer) all = http_client_call (worker, "GET", "/api/v1/observations.csv", NULL);
  assert_int_equal (all->status, 400);
  g_autoptr (HttpAnswer) foreign = http_client_call (worker, "GET", "/api/v1/observations.csv?sensor=wind-1", NULL);
  assert_int_equal (foreign->status, 404);
}

#define ON_API(test) cmocka_unit_test_setup_teardown (test, api_fixture_setup, api_fixture_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    ON_API (an_export_is_csv_with_a_good_end),
    ON_API (an_export_that_breaks_off_has_no_good_end),
    ON_API (exports_are_few_and_end_with_their_readers),
    cmocka_unit_test_setup_teardown (the_server_ends_while_an_export_is_under_way, api_fixture_setup,
                                     teardown_before_the_reader_goes),
    ON_API (what_was_rejected_is_for_those_who_operate),
    ON_API (every_and_who_may_see_are_checked),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
