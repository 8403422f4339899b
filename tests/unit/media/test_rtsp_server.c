#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/media/rtsp_bench.h"

enum { CROWD = 200 };

/* ---- what must hold ---- */

typedef struct {
  Bench *bench;
  guint *count;
} Present;

static void visit (const char *viewer, gint64 at_us, gpointer data)
{
  Present *present = data;
  assert_string_equal (viewer, present->bench->viewer);
  assert_in_range (at_us, 1, g_get_real_time ());
  ++*present->count;
}

static void count_present (gpointer data)
{
  Present *present = data;
  rtsp_server_each_viewer (present->bench->server, present->bench->stream, visit, present);
}

static void a_viewer_starts_at_the_kept_key_frame (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  play (&client);
  assert_asked (bench, "SETUP bridge main - -");
  assert_next_packet (&client, 0, 0x67);
  assert_next_packet (&client, 0, 0x68);
  assert_next_packet (&client, 0, 0x65);
  assert_next_packet (&client, 0, 0x41);
  request (&client, "GET_PARAMETER", "/live/bridge", "");
  assert_answer (&client, 200, "Session:");
  guint present = 0;
  Present count = { bench, &present };
  loop_call (bench->loops[1], count_present, &count);
  assert_int_equal (present, 1);
  request (&client, "TEARDOWN", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  assert_int_equal (bench->started, 1);
  loop_call (bench->loops[1], count_present, &count);
  assert_int_equal (present, 1);
  assert_int_equal (bench->ended, 1);
  close (client.fd);
}

/* The camera's description has no parameter sets: they come in-band, and DESCRIBE waits for them. */
static void the_description_has_the_parameter_sets (void **state)
{
  Client client;
  client_open (&client, *state);
  request (&client, "DESCRIBE", "/live/bridge", "");
  assert_answer (&client, 200, "sprop-parameter-sets=Z0LAHtkAoC/5cBEAAAMAAQAAAwAyDxYuSA==,aMuDyyA=");
  close (client.fd);
}

static void other_channels_get_a_copy_of_their_own (void **state)
{
  Client client;
  client_open (&client, *state);
  request (&client, "DESCRIBE", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  request (&client, "SETUP", "/live/bridge/trackID=0",
           "Transport: RTP/AVP;unicast;client_port=1-2, RTP/AVP/TCP; unicast; interleaved=6-7\r\n");
  assert_answer (&client, 200, "interleaved=6-7");
  request (&client, "PLAY", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  assert_report (&client, 7);
  assert_next_packet (&client, 6, 0x67);
  close (client.fd);
}

static void whoever_is_not_admitted_is_told_why (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  bench->verdict = 401;
  request (&client, "DESCRIBE", "/live/bridge?token=abc", "");
  assert_answer (&client, 401, "algorithm=SHA-256");
  assert_asked (bench, "DESCRIBE bridge main abc -");
  bench->verdict = 403;
  request (&client, "DESCRIBE", "/live/bridge/sub", "");
  assert_answer (&client, 403, NULL);
  assert_asked (bench, "DESCRIBE bridge sub - -");
  bench->verdict = 503;
  request (&client, "DESCRIBE", "/live/bridge", "");
  assert_answer (&client, 503, NULL);
  bench->verdict = 200;
  request (&client, "DESCRIBE", "/live/bridge/sub", "");
  assert_answer (&client, 404, NULL);
  request (&client, "DESCRIBE", "/live/other", "");
  assert_answer (&client, 404, NULL);
  request (&client, "DESCRIBE", "/other", "");
  assert_answer (&client, 404, NULL);
  close (client.fd);
}

static char *nonce_of (Client *client)
{
  g_autofree char *answer = next_answer (client);
  const char *nonce = strstr (answer, "nonce=\"");
  assert_non_null (nonce);
  return g_strndup (nonce + 7, 32);
}

static void ask_with (Client *client, const char *nonce, const char *camera, const char *more)
{
  g_autofree char *header = g_strdup_printf ("Authorization: Digest username=\"t\", realm=\"gridgate\", nonce=\"%s\","
                                             " uri=\"rtsp://127.0.0.1/live/%s\", response=\"00\"%s\r\n",
                                             nonce, camera, more);
  request (client, "DESCRIBE", "/live/bridge", header);
}

static void an_answer_is_for_one_camera_and_with_qop_for_one_request (void **state)
{
  static const char *const first = ", qop=auth, nc=00000001, cnonce=\"c\"";
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  bench->verdict = 401;
  request (&client, "DESCRIBE", "/live/bridge", "");
  g_autofree char *nonce = nonce_of (&client);
  ask_with (&client, nonce, "other", "");
  assert_answer (&client, 400, NULL);
  bench->verdict = 200;
  ask_with (&client, nonce, "bridge", first);
  assert_answer (&client, 200, "m=video");
  ask_with (&client, nonce, "bridge", first);
  g_autofree char *fresh = nonce_of (&client); /* a 401 with another one */
  assert_string_not_equal (nonce, fresh);
  ask_with (&client, nonce, "bridge", ", qop=auth, nc=00000002, cnonce=\"c\"");
  assert_answer (&client, 401, "stale=true");
  close (client.fd);
}

static void an_answer_to_another_nonce_is_stale_and_not_asked (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  request (&client, "DESCRIBE", "/live/bridge",
           "Authorization: Digest username=\"t\", realm=\"gridgate\", nonce=\"old\", uri=\"rtsp://127.0.0.1/live/bridge\", response=\"00\"\r\n");
  assert_answer (&client, 401, "stale=true");
  assert_null (bench->asked);
  close (client.fd);
}

static void the_login_is_put_to_gridgate (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  bench->verdict = 401;
  request (&client, "DESCRIBE", "/live/bridge", "");
  g_autofree char *answer = next_answer (&client);
  char *nonce = strstr (answer, "nonce=\"") + 7;
  nonce[32] = '\0';
  bench->verdict = 200;
  g_autofree char *login = g_strdup_printf (
    "Authorization: Digest username=\"t1\", realm=\"gridgate\", nonce=\"%s\", uri=\"rtsp://127.0.0.1/live/bridge\", response=\"00\"\r\n", nonce);
  request (&client, "DESCRIBE", "/live/bridge", login);
  assert_answer (&client, 200, NULL);
  assert_asked (bench, "DESCRIBE bridge main - t1");
  close (client.fd);
}

static void what_is_not_offered_is_refused (void **state)
{
  Client client;
  client_open (&client, *state);
  request (&client, "OPTIONS", "/", "");
  assert_answer (&client, 200, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER");
  request (&client, "OPTIONS", "/live/bridge", "");
  assert_answer (&client, 200, "PLAY, GET_PARAMETER"); /* what is live doesn't pause */
  request (&client, "OPTIONS", "/playback/bridge?from=2024-01-01T00:00:00Z", "");
  assert_answer (&client, 200, "PLAY, PAUSE, GET_PARAMETER");
  request (&client, "DESCRIBE", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  request (&client, "SETUP", "/live/bridge/trackID=0", "Transport: RTP/AVP;multicast\r\n");
  assert_answer (&client, 461, NULL);
  request (&client, "SETUP", "/live/bridge/trackID=9", TRANSPORT);
  assert_answer (&client, 404, NULL);
  request (&client, "PLAY", "/live/bridge", "");
  assert_answer (&client, 454, NULL);
  request (&client, "PLAY", "/live/bridge", "Session: made-up\r\n");
  assert_answer (&client, 454, NULL);
  request (&client, "PAUSE", "/live/bridge", "");
  assert_answer (&client, 454, NULL);
  request (&client, "ANNOUNCE", "/live/bridge", "");
  assert_answer (&client, 501, NULL);
  request (&client, "DESCRIBE", "/live/bridge", "Require: implicit-play\r\n");
  assert_answer (&client, 551, "Unsupported: implicit-play\r\n");
  say (&client, "OPTIONS * RTSP/1.0\r\n\r\n");
  assert_answer (&client, 400, NULL);
  close (client.fd);
}

static void what_is_no_rtsp_is_told_once_and_closed (void **state)
{
  Client client;
  client_open (&client, *state);
  say (&client, "GET / HTTP/1.1\r\n\r\n");
  assert_answer (&client, 400, NULL);
  assert_closed (&client);
  client_open (&client, *state);
  say (&client, "\x16\x03\x01 hello");
  assert_answer (&client, 400, NULL);
  assert_closed (&client);
}

static void reports_of_the_client_are_passed_over (void **state)
{
  Client client;
  client_open (&client, *state);
  static const char bytes[] = "$\001\0\010\x80\xc9\0\001abcdOPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\n$\001\0\010ab";
  assert_int_equal (send (client.fd, bytes, sizeof bytes - 1, MSG_NOSIGNAL), sizeof bytes - 1);
  assert_answer (&client, 200, "CSeq: 9");
  close (client.fd);
}

static void requests_may_come_in_one_piece (void **state)
{
  Client client;
  client_open (&client, *state);
  say (&client, "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\nDESCRIBE rtsp://h/live/bridge RTSP/1.0\r\nCSeq: 2\r\n\r\n"
                "SETUP rtsp://h/live/bridge/trackID=0 RTSP/1.0\r\nCSeq: 3\r\n" TRANSPORT "\r\n"
                "PLAY rtsp://h/live/bridge RTSP/1.0\r\nCSeq: 4\r\n\r\n");
  assert_answer (&client, 200, "CSeq: 1");
  assert_answer (&client, 200, "CSeq: 2");
  assert_answer (&client, 200, "CSeq: 3");
  assert_answer (&client, 200, "CSeq: 4");
  assert_report (&client, 1);
  assert_next_packet (&client, 0, 0x67);
  close (client.fd);
}

static void a_viewer_that_gridgate_ends_is_closed (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  play (&client);
  rtsp_server_end_viewer (bench->server, bench->viewer, "grant ended");
  assert_closed (&client);
  assert_string_equal (bench->end_reason, "grant ended");
}

static void a_removed_camera_ends_its_viewers (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  play (&client);
  loop_call (bench->loops[1], rtsp_bench_close_stream, bench);
  assert_closed (&client);
  assert_string_equal (bench->end_reason, "camera removed");
}

static void a_crowd_that_leaves_at_once_does_no_harm (void **state)
{
  Bench *bench = *state;
  g_autofree Client *clients = g_new (Client, CROWD);
  for (guint i = 0; i < CROWD; i++) {
    client_open (&clients[i], bench);
    play (&clients[i]);
  }
  assert_int_equal (bench->started, CROWD);
  for (guint i = 0; i < CROWD; i++)
    close (clients[i].fd);
  loop_call (bench->loops[1], rtsp_bench_close_stream, bench); /* some are found closed, the others are closed here */
  assert_int_equal (bench->ended, CROWD);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_viewer_starts_at_the_kept_key_frame, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (the_description_has_the_parameter_sets, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (other_channels_get_a_copy_of_their_own, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (whoever_is_not_admitted_is_told_why, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (an_answer_is_for_one_camera_and_with_qop_for_one_request, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (an_answer_to_another_nonce_is_stale_and_not_asked, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (the_login_is_put_to_gridgate, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (what_is_not_offered_is_refused, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (what_is_no_rtsp_is_told_once_and_closed, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (reports_of_the_client_are_passed_over, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (requests_may_come_in_one_piece, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_viewer_that_gridgate_ends_is_closed, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_removed_camera_ends_its_viewers, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_crowd_that_leaves_at_once_does_no_harm, rtsp_bench_setup, rtsp_bench_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
