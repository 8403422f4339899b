/* Sessions on recordings beside live ones, on one connection. */
#include <string.h>
#include <unistd.h>

#include "tests/unit/media/rtsp_bench.h"

#define RECORDED "/playback/bridge?from=2026-05-01T08:00:00Z"

static const char sdp[] = "v=0\r\ns=recorded\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=control:trackID=0\r\n";

/* ---- recordings that hold nothing but their names ---- */

typedef struct {
  Loop *loop;
  RtspRecordedEvents events;
  gpointer data;
  gboolean is_playing;
  LoopTimer *timer;
} Recorded;

static gint open_sessions; /* atomic */
static gint is_full;       /* atomic: no more sessions are opened */
static gint from_s;        /* atomic: what was asked for last, in seconds */
static gint is_at_end;     /* atomic: nothing is left to send */
static gint is_stuck;      /* atomic: no PLAY is answered */

static void answer (gpointer data)
{
  Recorded *recorded = data;
  RtspRecordedPlay play = { 0, 1, (char *) "trackID=0;seq=1;rtptime=1" };
  if (!recorded->is_playing) {
    recorded->events.described (sdp, recorded->data);
    return;
  }
  recorded->events.playing (&play, recorded->data);
  if (g_atomic_int_get (&is_at_end))
    recorded->events.finished (recorded->data);
}

static gpointer open_recorded (Loop *loop, const RtspRecordedTime *time, const RtspRecordedEvents *events, gpointer data,
                               gpointer owner)
{
  (void) owner;
  if (g_atomic_int_get (&is_full))
    return NULL;
  Recorded *recorded = g_new0 (Recorded, 1);
  g_atomic_int_set (&from_s, (gint) (time->from_us / G_USEC_PER_SEC));
  *recorded = (Recorded){ .loop = loop, .events = *events, .data = data };
  recorded->timer = loop_timer_new (loop, answer, recorded);
  loop_timer_set (recorded->timer, loop_now_us (loop));
  g_atomic_int_inc (&open_sessions);
  return recorded;
}

static void use_udp (gpointer session, UdpOutlet *udp)
{
  (void) session, (void) udp;
}

static gboolean has_recorded_track (gpointer session, guint track)
{
  (void) session;
  return track == 0;
}

static gboolean set_recorded_up (gpointer session, guint track, guint8 rtp_channel, guint8 rtcp_channel, guint32 *ssrc)
{
  (void) session, (void) rtp_channel, (void) rtcp_channel;
  *ssrc = 1;
  return track == 0;
}

static void play_recorded (gpointer session, gint64 from_us, gint64 to_us, double scale)
{
  Recorded *recorded = session;
  (void) from_us, (void) to_us, (void) scale;
  recorded->is_playing = TRUE;
  if (g_atomic_int_get (&is_stuck))
    return;
  loop_timer_set (recorded->timer, loop_now_us (recorded->loop));
}

static void do_nothing (gpointer session)
{
  (void) session;
}

static char *watched (gpointer session)
{
  (void) session;
  return g_strdup ("2026-05-01T08:00:00.000Z/2026-05-01T08:00:04.000Z");
}

static void close_recorded (gpointer session)
{
  Recorded *recorded = session;
  loop_timer_free (recorded->timer);
  loop_free_later (recorded->loop, recorded, g_free);
  g_atomic_int_add (&open_sessions, -1);
}

static const RtspRecordings recordings
  = { open_recorded, use_udp, has_recorded_track, set_recorded_up, play_recorded, do_nothing, do_nothing, watched, close_recorded, NULL };

static int setup (void **state)
{
  int result = rtsp_bench_setup (state);
  rtsp_server_set_recordings (((Bench *) *state)->server, &recordings);
  return result;
}

/* ---- what must hold ---- */

static void play_recording (Client *client)
{
  request (client, "DESCRIBE", RECORDED, "");
  assert_answer (client, 200, "s=recorded");
  request (client, "SETUP", "/playback/bridge/trackID=0?from=2026-05-01T08:00:00Z", TRANSPORT);
  assert_answer (client, 200, "interleaved=0-1");
  request (client, "PLAY", "/playback/bridge", "");
  assert_answer (client, 200, "trackID=0;seq=1");
}

static void what_plays_is_not_exchanged_for_another_recording (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  play_recording (&client);
  assert_int_equal (g_atomic_int_get (&bench->started), 1);
  request (&client, "DESCRIBE", "/playback/other?from=2026-05-01T08:00:00Z", "");
  assert_answer (&client, 455, NULL);
  request (&client, "TEARDOWN", "/playback/bridge", "");
  assert_answer (&client, 200, NULL);
  assert_int_equal (g_atomic_int_get (&bench->ended), 1);
  play_recording (&client); /* anew: another entry */
  assert_int_equal (g_atomic_int_get (&bench->started), 2);
  close (client.fd);
}

/* So the connection may be timed out: what is set up at the end is as in a pause. */
static void a_recording_at_its_end_does_not_count_as_playing (void **state)
{
  Client client;
  client_open (&client, *state);
  for (int at_end = 0; at_end < 2; at_end++) {
    g_atomic_int_set (&is_at_end, at_end);
    play_recording (&client);
    request (&client, "SETUP", "/playback/bridge/trackID=0?from=2026-05-01T08:00:00Z", TRANSPORT);
    assert_answer (&client, at_end ? 200 : 455, NULL);
    request (&client, "TEARDOWN", "/playback/bridge", "");
    assert_answer (&client, 200, NULL);
  }
  close (client.fd);
}

static void a_live_session_ends_as_one_whatever_is_described_meanwhile (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  play (&client);
  request (&client, "DESCRIBE", RECORDED, "");
  assert_answer (&client, 455, NULL);
  request (&client, "TEARDOWN", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  loop_call (bench->loops[1], rtsp_bench_close_stream, bench); /* asserts that nobody is left on it */
  close (client.fd);
}

static void a_described_recording_gives_way_to_a_live_session (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  request (&client, "DESCRIBE", "/live/bridge", ""); /* the camera is there */
  assert_answer (&client, 200, "m=video");
  request (&client, "DESCRIBE", RECORDED, "");
  assert_answer (&client, 200, "s=recorded");
  request (&client, "SETUP", "/live/bridge/trackID=0", TRANSPORT);
  assert_answer (&client, 200, "interleaved=0-1");
  request (&client, "PLAY", "/live/bridge", "");
  assert_answer (&client, 200, "RTP-Info: url=rtsp://127.0.0.1/live/bridge/trackID=0;seq=");
  request (&client, "TEARDOWN", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  loop_call (bench->loops[1], rtsp_bench_close_stream, bench);
  close (client.fd);
}

/* Places are few: what is only looked at must not lock others out. */
static void a_place_is_held_from_setup_on_alone (void **state)
{
  Client client;
  client_open (&client, *state);
  request (&client, "DESCRIBE", RECORDED, "");
  assert_answer (&client, 200, "s=recorded");
  request (&client, "OPTIONS", "/playback/bridge", ""); /* a turn later */
  assert_answer (&client, 200, NULL);
  assert_int_equal (g_atomic_int_get (&open_sessions), 0);
  request (&client, "SETUP", "/playback/bridge/trackID=1", TRANSPORT); /* there is none */
  assert_answer (&client, 404, NULL);
  assert_int_equal (g_atomic_int_get (&open_sessions), 0);
  g_atomic_int_set (&from_s, 0);
  request (&client, "SETUP", "/playback/bridge/trackID=0", TRANSPORT); /* as most clients name it */
  assert_answer (&client, 200, "interleaved=0-1");
  assert_int_equal (g_atomic_int_get (&open_sessions), 1);
  assert_int_equal (g_atomic_int_get (&from_s), 1777622400);
  request (&client, "TEARDOWN", "/playback/bridge", "");
  assert_answer (&client, 200, NULL);
  close (client.fd);
}

static void who_finds_all_places_taken_is_told_453 (void **state)
{
  Client client;
  client_open (&client, *state);
  g_atomic_int_set (&is_full, 1);
  request (&client, "DESCRIBE", RECORDED, "");
  assert_answer (&client, 453, NULL);
  g_atomic_int_set (&is_full, 0);
  play_recording (&client);
  request (&client, "TEARDOWN", "/playback/bridge", "");
  assert_answer (&client, 200, NULL);
  close (client.fd);
}

static void the_register_is_told_time_and_reason_of_what_is_asked_and_what_was_sent (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  request (&client, "DESCRIBE", "/playback/bridge?from=2026-05-01T08:00:00Z&to=2026-05-01T09:00:00Z&reason=case%207", "");
  assert_answer (&client, 200, "s=recorded");
  assert_asked_time (bench, "1777622400 1777626000 case 7");
  request (&client, "SETUP", "/playback/bridge/trackID=0", TRANSPORT);
  assert_answer (&client, 200, NULL);
  assert_asked_time (bench, "1777622400 1777626000 case 7");
  request (&client, "PLAY", "/playback/bridge", "");
  assert_answer (&client, 200, NULL);
  request (&client, "TEARDOWN", "/playback/bridge", "");
  assert_answer (&client, 200, NULL);
  assert_watched (bench, "2026-05-01T08:00:00.000Z/2026-05-01T08:00:04.000Z");
  close (client.fd);
}

static int setup_with_clock (void **state)
{
  int result = rtsp_bench_setup_with_clock (state);
  rtsp_server_set_recordings (((Bench *) *state)->server, &recordings);
  return result;
}

static void pass_seconds (Bench *bench, guint seconds)
{
  for (guint i = 0; i < seconds; i++) {
    clock_fake_advance (bench->clock, G_USEC_PER_SEC);
    for (guint j = 0; j < LOOPS; j++)
      loop_call (bench->loops[j], rtsp_bench_turn, NULL);
  }
}

/* Over TCP whoever takes the bytes is there; over UDP only reports and requests tell. */
static void who_plays_over_udp_and_says_nothing_is_ended_after_a_minute (void **state)
{
  Bench *bench = *state;
  Client client, other;
  UdpClient rtp = udp_client_open (), rtcp = udp_client_open ();
  assert_true (rtsp_server_open_udp (bench->server, 0, NULL));
  g_atomic_int_set (&is_at_end, 0);
  client_open (&other, bench);
  play_recording (&other);
  client_open (&client, bench);
  g_autofree char *transport = g_strdup_printf ("Transport: RTP/AVP;unicast;client_port=%u-%u\r\n", rtp.port, rtcp.port);
  request (&client, "DESCRIBE", RECORDED, "");
  assert_answer (&client, 200, NULL);
  request (&client, "SETUP", "/playback/bridge/trackID=0", transport);
  assert_answer (&client, 200, "ssrc=00000001");
  request (&client, "PLAY", "/playback/bridge", "");
  assert_answer (&client, 200, NULL);
  pass_seconds (bench, 58);
  assert_int_equal (g_atomic_int_get (&bench->ended), 0);
  pass_seconds (bench, 4);
  assert_closed (&client);
  assert_int_equal (g_atomic_int_get (&bench->ended), 1);
  request (&other, "TEARDOWN", "/playback/bridge", "");
  assert_answer (&other, 200, NULL);
  close (other.fd);
  close (rtp.fd);
  close (rtcp.fd);
}

/* A client that seeks and reads nothing: the answer can't leave. */
static void a_play_that_is_never_answered_holds_its_place_for_a_minute (void **state)
{
  Bench *bench = *state;
  Client client;
  client_open (&client, bench);
  request (&client, "DESCRIBE", RECORDED, "");
  assert_answer (&client, 200, NULL);
  request (&client, "SETUP", "/playback/bridge/trackID=0", TRANSPORT);
  assert_answer (&client, 200, NULL);
  request (&client, "OPTIONS", "/playback/bridge", "");
  assert_answer (&client, 200, NULL);
  g_atomic_int_set (&is_stuck, 1);
  request (&client, "PLAY", "/playback/bridge", "");
  while (g_atomic_int_get (&bench->started) == 0)
    g_thread_yield ();
  pass_seconds (bench, 58);
  assert_int_equal (g_atomic_int_get (&open_sessions), 1);
  pass_seconds (bench, 4);
  g_atomic_int_set (&is_stuck, 0);
  assert_closed (&client);
  assert_int_equal (g_atomic_int_get (&open_sessions), 0);
}

static void a_range_ends_one_play_alone_and_holds_something (void **state)
{
  static const struct {
    const char *range, *answer; /* NULL: 457 */
  } plays[] = {
    { "Range: clock=20260501T080010Z-20260501T080020Z\r\n", "-20260501T080020.000Z" },
    { "", "-20260501T080020.000Z" },
    { "Range: clock=20260501T080010Z-\r\n", "-20260501T090000.000Z" },
    { "Range: clock=20260501T080020Z-20260501T080010Z\r\n", NULL },
    { "Range: clock=20260501T090000Z-\r\n", NULL },
  };
  Client client;
  client_open (&client, *state);
  request (&client, "PAUSE", "/playback/bridge", "");
  assert_answer (&client, 454, NULL);
  request (&client, "SETUP", "/playback/bridge/trackID=0?from=2026-05-01T08:00:00Z&to=2026-05-01T09:00:00Z", TRANSPORT);
  assert_answer (&client, 200, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (plays); i++) {
    request (&client, "PLAY", "/playback/bridge", plays[i].range);
    assert_answer (&client, plays[i].answer != NULL ? 200 : 457, plays[i].answer);
  }
  request (&client, "TEARDOWN", "/playback/bridge", "");
  assert_answer (&client, 200, NULL);
  close (client.fd);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (what_plays_is_not_exchanged_for_another_recording, setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_recording_at_its_end_does_not_count_as_playing, setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_live_session_ends_as_one_whatever_is_described_meanwhile, setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_described_recording_gives_way_to_a_live_session, setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_place_is_held_from_setup_on_alone, setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (who_plays_over_udp_and_says_nothing_is_ended_after_a_minute, setup_with_clock,
                                     rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_play_that_is_never_answered_holds_its_place_for_a_minute, setup_with_clock,
                                     rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_range_ends_one_play_alone_and_holds_something, setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (who_finds_all_places_taken_is_told_453, setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (the_register_is_told_time_and_reason_of_what_is_asked_and_what_was_sent, setup,
                                     rtsp_bench_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
