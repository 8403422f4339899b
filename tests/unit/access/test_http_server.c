#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/http/http_path.h"
#include "gateway/http/http_server.h"
#include "tests/support/test.h"
#include "tests/unit/access/api_fixture.h"

/* --- bytes --- */

static void paths_are_split_before_they_are_decoded (void **state)
{
  HttpPath path;
  (void) state;
  assert_true (http_path_parse ("/a%2Fb/c%20d?x=1%262&y=a+b&z", &path, NULL));
  assert_string_equal (path.segments[0], "a/b");
  assert_string_equal (path.segments[1], "c d");
  assert_null (path.segments[2]);
  assert_string_equal (http_path_query (&path, "x"), "1&2");
  assert_string_equal (http_path_query (&path, "y"), "a b");
  assert_string_equal (http_path_query (&path, "z"), "");
  http_path_clear (&path);
}

static void a_path_that_could_mean_two_things_is_refused (void **state)
{
  static const char *const bad[] = { "", "a", "http://x/", "*", "/a%00b", "/a%0ab", "/%zz", "/a%2", "/a//b", "/./a", "/../a",
                                     "/%2e%2e/a", "/a/%2e", "/%ff", "/a?x=1&x=2", "/a?x=%00", "/a#b", "/a\x7f",
                                     "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17" };
  HttpPath path;
  (void) state;
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;
    if (http_path_parse (bad[i], &path, &error))
      fail_msg ("%s was taken", bad[i]);
    assert_non_null (error);
  }
}

static void ranges_are_read_as_rfc_9110_says (void **state)
{
  static const struct {
    const char *header;
    RangeKind kind;
    guint64 first, length;
  } cases[] = {
    { NULL, RANGE_NONE, 0, 0 },
    { "bytes=0-", RANGE_ONE, 0, 100 },
    { "bytes=0-0", RANGE_ONE, 0, 1 },
    { "bytes=10-19", RANGE_ONE, 10, 10 },
    { "bytes=90-200", RANGE_ONE, 90, 10 },
    { "bytes=-5", RANGE_ONE, 95, 5 },
    { "bytes=-500", RANGE_ONE, 0, 100 },
    { "bytes=100-", RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=-0", RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=5-2", RANGE_NONE, 0, 0 },
    { "bytes=0-1,3-4", RANGE_NONE, 0, 0 },
    { "lines=0-1", RANGE_NONE, 0, 0 },
    { "bytes=99999999999999999999-", RANGE_NONE, 0, 0 },
    { "bytes=", RANGE_NONE, 0, 0 },
  };
  (void) state;
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    guint64 first = 0, length = 0;
    assert_int_equal (http_range_parse (cases[i].header, 100, &first, &length), cases[i].kind);
    if (cases[i].kind == RANGE_ONE) {
      assert_int_equal (first, cases[i].first);
      assert_int_equal (length, cases[i].length);
    }
  }
}

/* --- heads on the wire --- */

#define GET "GET /healthz HTTP/1.1\r\n"

static void a_head_that_two_servers_would_read_differently_is_refused (void **state)
{
  static const char *const bad[] = {
    GET "Host: x\r\nHost: y\r\n\r\n",
    GET "\r\n",
    GET "Host: x y\r\n\r\n",
    "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length : 1\r\n\r\na",
    "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
    GET "Host: x\r\nX Y: z\r\n\r\n",
    "GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /a/../b HTTP/1.1\r\nHost: x\r\n\r\n",
  };
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    if (api_fixture_raw_status (*state, bad[i]) != 400)
      fail_msg ("answered %d: %s", api_fixture_raw_status (*state, bad[i]), bad[i]);
  assert_int_equal (api_fixture_raw_status (*state, GET "Host: x\r\n\r\n"), 200);
}

static void an_escaped_slash_stays_inside_its_segment (void **state)
{
  ApiFixture *fixture = *state;
  g_autoptr (HttpClient) admin = api_fixture_client (fixture, ROLE_ADMIN, NULL, NULL);
  g_autoptr (HttpAnswer) plain = http_client_call (admin, "GET", "/api/v1/cameras/bridge", NULL);
  g_autoptr (HttpAnswer) escaped = http_client_call (admin, "GET", "/api/v1/cameras%2Fbridge", NULL);
  assert_int_equal (plain->status, 200);
  assert_int_equal (escaped->status, 404);
}

static void a_body_over_a_mebibyte_is_refused_with_and_without_its_length (void **state)
{
  g_autofree char *blank = g_strnfill (HTTP_BODY_BYTES + 1, ' ');
  g_autofree char *chunked = g_strdup_printf ("POST /api/v1/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                                              "%x\r\n%s\r\n0\r\n\r\n", HTTP_BODY_BYTES + 1, blank);
  assert_int_equal (api_fixture_raw_status (*state, "POST /api/v1/session HTTP/1.1\r\nHost: x\r\n"
                                                    "Content-Length: 1048577\r\n\r\n"), 413);
  assert_int_equal (api_fixture_raw_status (*state, chunked), 413);
  assert_int_equal (api_fixture_raw_status (*state, "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                                                    "Content-Type: application/json\r\n\r\nno!"), 400);
  assert_int_equal (api_fixture_raw_status (*state, "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                                                    "Content-Type: text/plain\r\n\r\n{ }"), 415);
}

static void health_answers_when_all_other_connections_are_taken (void **state)
{
  int fds[HTTP_CONNECTIONS];
  for (int i = 0; i < HTTP_CONNECTIONS; i++)
    fds[i] = api_fixture_connect (*state);
  assert_int_equal (api_fixture_raw_status (*state, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
  assert_int_equal (api_fixture_raw_status (*state, "GET /api/v1/site HTTP/1.1\r\nHost: x\r\n\r\n"), 503);
  for (int i = 0; i < HTTP_CONNECTIONS; i++)
    close (fds[i]);
}

static void a_head_that_never_ends_is_cut_off_though_bytes_keep_coming (void **state)
{
  int fd = api_fixture_connect (*state);
  struct timeval pause = { .tv_usec = 500000 };
  char byte;
  gint64 begin = g_get_monotonic_time ();
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof pause);
  send (fd, GET "X: ", strlen (GET "X: "), MSG_NOSIGNAL);
  for (;;) { /* a byte each half second keeps libmicrohttpd's own timeout away */
    gssize got = recv (fd, &byte, 1, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN))
      break;
    if (g_get_monotonic_time () - begin > 18 * G_TIME_SPAN_SECOND)
      fail_msg ("the connection is still open");
    send (fd, "a", 1, MSG_NOSIGNAL);
  }
  assert_true (g_get_monotonic_time () - begin > 8 * G_TIME_SPAN_SECOND);
  close (fd);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, api_fixture_setup, api_fixture_teardown)
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (paths_are_split_before_they_are_decoded),
    cmocka_unit_test (a_path_that_could_mean_two_things_is_refused),
    cmocka_unit_test (ranges_are_read_as_rfc_9110_says),
    TEST (a_head_that_two_servers_would_read_differently_is_refused),
    TEST (an_escaped_slash_stays_inside_its_segment),
    TEST (a_body_over_a_mebibyte_is_refused_with_and_without_its_length),
    TEST (health_answers_when_all_other_connections_are_taken),
    TEST (a_head_that_never_ends_is_cut_off_though_bytes_keep_coming),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
