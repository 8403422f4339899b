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
static gint is_at_end;     /* atomic: nothing is left to send */

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
  Recorded *recorded = g_new0 (Recorded, 1);
  (void) time, (void) owner;
  *recorded = (Recorded){ .loop = loop, .events = *events, .data = data };
  recorded->timer = loop_timer_new (loop, answer, recorded);
  loop_timer_set (recorded->timer, loop_now_us (loop));
  g_atomic_int_inc (&open_sessions);
  return recorded;
}

static gboolean set_recorded_up (gpointer session, guint track, guint8 rtp_channel, guint8 rtcp_channel)
{
  (void) session, (void) rtp_channel, (void) rtcp_channel;
  return track == 0;
}

static void play_recorded (gpointer session, gint64 from_us, gint64 to_us, double scale)
{
  Recorded *recorded = session;
  (void) from_us, (void) to_us, (void) scale;
  recorded->is_playing = TRUE;
  loop_timer_set (recorded->timer, loop_now_us (recorded->loop));
}

static void do_nothing (gpointer session)
{
  (void) session;
}

static void close_recorded (gpointer session)
{
  Recorded *recorded = session;
  loop_timer_free (recorded->timer);
  loop_free_later (recorded->loop, recorded, g_free);
  g_atomic_int_add (&open_sessions, -1);
}

static const RtspRecordings recordings
  = { open_recorded, set_recorded_up, play_recorded, do_nothing, do_nothing, close_recorded, NULL };

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
  assert_int_equal (g_atomic_int_get (&open_sessions), 0);
  request (&client, "PLAY", "/live/bridge", "");
  assert_answer (&client, 200, "RTP-Info: url=rtsp://127.0.0.1/live/bridge/trackID=0;seq=");
  request (&client, "TEARDOWN", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  loop_call (bench->loops[1], rtsp_bench_close_stream, bench);
  close (client.fd);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (what_plays_is_not_exchanged_for_another_recording, setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_recording_at_its_end_does_not_count_as_playing, setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_live_session_ends_as_one_whatever_is_described_meanwhile, setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_described_recording_gives_way_to_a_live_session, setup, rtsp_bench_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
