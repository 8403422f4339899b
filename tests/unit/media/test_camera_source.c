#include <string.h>

#include "tests/support/test.h"
#include "tests/unit/media/camera_bench.h"

static void a_camera_without_login_goes_live (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 3 }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "live "); /* its parameter sets came in-band: the picture size is known */
  assert_int_equal (camera_source_status (bench->source)->width, 640);
  assert_int_equal (camera_source_status (bench->source)->height, 360);
}

static void a_login_is_answered_with_md5_and_sha_256 (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 1, .username = "viewer", .password = "secret" }, "viewer", "secret");
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_int_equal (scripted_camera_requests (bench->camera, "DESCRIBE"), 2);
  camera_bench_teardown (state);
  camera_bench_setup (state);
  bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 1, .username = "viewer", .password = "secret", .asks_sha256 = TRUE }, "viewer",
         "secret");
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
}

static void a_wrong_password_is_told_apart (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .username = "viewer", .password = "secret" }, "viewer", "guess");
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "failed unauthorized");
  assert_int_equal (scripted_camera_requests (bench->camera, "DESCRIBE"), 2);
}

static void a_missing_login_is_told (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .username = "viewer", .password = "secret" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "failed unauthorized");
}

static void nobody_at_the_address_is_unreachable_and_tried_again (void **state)
{
  CameraBench *bench = *state;
  bench->settings.url = g_strdup ("rtsp://127.0.0.1:1/x");
  loop_call (bench->loop, camera_bench_open, bench);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "backing_off unreachable");
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "backing_off unreachable");
}

static void no_description_is_told (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .sdp = "" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "backing_off no_sdp");
}

static void a_codec_that_is_not_carried_is_told (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .sdp = "v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:1\r\n" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "failed unsupported_codec");
}

static void an_answer_that_is_no_rtsp_is_told (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .raw_answer = "HTTP/1.1 400 Bad Request\r\n\r\n" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "backing_off protocol");
}

static void packets_before_the_answer_to_play_and_on_own_channels_are_taken (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 2, .sends_before_answer = TRUE, .channel = 12 }, NULL, NULL);
  loop_call (bench->loop, camera_bench_add_tap, bench);
  assert_next (bench->units, "K0");
  assert_next (bench->units, "u0");
  assert_int_equal (stream_counters (bench->stream)->lost_packets, 0);
  assert_int_equal (stream_counters (bench->stream)->malformed_packets, 0);
}

static void audio_that_cannot_be_set_up_is_left_out (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 1, .refuses_audio = TRUE,
                                 .sdp = "v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
                                        "a=control:trackID=0\r\nm=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\n" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
}

static void silence_is_a_stall_and_then_a_new_connection (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 2 }, NULL, NULL);
  gint64 began = g_get_monotonic_time ();
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "stalled stalled");
  assert_true (g_get_monotonic_time () - began < 5 * G_USEC_PER_SEC); /* 3 s, and a busy machine */
  assert_next (bench->states, "backing_off stalled");
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
}

/* A session of two seconds is kept alive each second; three seconds without a picture are a stall. */
static void a_camera_that_answers_no_keep_alive_gets_the_next_one (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 2, .session_timeout = 2, .ignores_keep_alive = TRUE }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "stalled stalled");
  assert_in_range (scripted_camera_requests (bench->camera, "OPTIONS"), 3, 6); /* the first is no keep-alive */
}

/* Five seconds count from PLAY, not from the connection. */
static void a_camera_that_answers_slowly_goes_live (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 2, .describes_after_ms = 5000, .plays_after_ms = 1200 }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
}

static void taps_go_on_after_a_reconnect (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 2, .closes_at_the_end = TRUE }, NULL, NULL);
  loop_call (bench->loop, camera_bench_add_tap, bench);
  for (guint i = 0; i < 2; i++) {
    assert_next (bench->units, "K0");
    assert_next (bench->units, "u0");
    assert_next (bench->units, "closed");
  }
}

static void an_on_demand_camera_is_pulled_only_while_it_is_wanted (void **state)
{
  CameraBench *bench = *state;
  bench->settings.on_demand = TRUE;
  camera_bench_start (bench, &(CameraScript){ .frames = 1 }, NULL, NULL);
  assert_next (bench->states, "idle ");
  assert_int_equal (scripted_camera_requests (bench->camera, "OPTIONS"), 0);
  loop_call (bench->loop, camera_bench_add_tap, bench);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
}

static void transitions_are_counted_once_each (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 2, .closes_at_the_end = TRUE }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "live "); /* it learned the size of the picture: no transition */
  assert_next (bench->states, "backing_off closed");
  const guint64 *transitions = camera_source_status (bench->source)->transitions;
  assert_int_equal (transitions[CAMERA_LIVE], 1);
  assert_int_equal (transitions[CAMERA_BACKING_OFF], 1);
}

static void an_on_demand_camera_lingers_as_long_as_it_is_told (void **state)
{
  CameraBench *bench = *state;
  bench->settings.on_demand = TRUE;
  bench->settings.linger_us = 0;
  camera_bench_start (bench, &(CameraScript){ .frames = 1 }, NULL, NULL);
  assert_next (bench->states, "idle ");
  loop_call (bench->loop, camera_bench_add_tap, bench);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "live ");
  loop_call (bench->loop, camera_bench_remove_tap, bench);
  assert_next (bench->states, "idle ");
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_camera_without_login_goes_live, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_login_is_answered_with_md5_and_sha_256, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_wrong_password_is_told_apart, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_missing_login_is_told, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (nobody_at_the_address_is_unreachable_and_tried_again, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (no_description_is_told, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_codec_that_is_not_carried_is_told, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (an_answer_that_is_no_rtsp_is_told, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (packets_before_the_answer_to_play_and_on_own_channels_are_taken, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (audio_that_cannot_be_set_up_is_left_out, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (silence_is_a_stall_and_then_a_new_connection, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_camera_that_answers_no_keep_alive_gets_the_next_one, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_camera_that_answers_slowly_goes_live, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (taps_go_on_after_a_reconnect, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (an_on_demand_camera_is_pulled_only_while_it_is_wanted, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (transitions_are_counted_once_each, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (an_on_demand_camera_lingers_as_long_as_it_is_told, camera_bench_setup, camera_bench_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
