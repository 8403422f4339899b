#include <string.h>

#include "pipelines/rtsp/camera_source.h"
#include "tests/support/test.h"
#include "tests/unit/media/scripted_camera.h"

enum { WATCHDOG_US = 20 * G_USEC_PER_SEC };

typedef struct {
  StreamTap tap; /* first */
  ScriptedCamera *camera;
  Loop *loop;
  Resolver *resolver;
  Stream *stream;
  CameraSource *source;
  CameraSettings settings;
  GAsyncQueue *states; /* "state reason" */
  GAsyncQueue *units;  /* "K" or "u" and the first frame's channel */
  gboolean has_tap;
} Bench;

static void on_changed (CameraSource *source, gpointer data)
{
  Bench *bench = data;
  const CameraStatusNow *status = camera_source_status (source);
  g_async_queue_push (bench->states, g_strdup_printf ("%s %s", camera_state_name (status->state), status->reason));
}

static void on_started (StreamTap *tap, const TrackList *tracks)
{
  (void) tap, (void) tracks;
}

static void on_unit (StreamTap *tap, const Unit *unit)
{
  const guint8 *frame = unit->block->bytes + unit->offset;
  g_async_queue_push (((Bench *) tap)->units, g_strdup_printf ("%c%u", unit->is_random_access ? 'K' : 'u', frame[1]));
}

static void on_ended (StreamTap *tap, const char *reason)
{
  g_async_queue_push (((Bench *) tap)->units, g_strdup (reason));
}

static void open_source (gpointer data)
{
  Bench *bench = data;
  bench->stream = stream_new (bench->loop, "bridge", "main");
  bench->source = camera_source_new (bench->stream, &bench->settings, bench->resolver, on_changed, bench);
}

static void add_tap (gpointer data)
{
  Bench *bench = data;
  bench->tap = (StreamTap){ on_started, on_unit, on_ended };
  bench->has_tap = TRUE;
  stream_add_tap (bench->stream, &bench->tap);
}

static void close_source (gpointer data)
{
  Bench *bench = data;
  if (bench->has_tap)
    stream_remove_tap (bench->stream, &bench->tap);
  camera_source_free (bench->source);
  stream_free (bench->stream);
}

static int setup (void **state)
{
  Bench *bench = *state = g_new0 (Bench, 1);
  bench->loop = loop_new (NULL);
  bench->resolver = resolver_new ();
  bench->states = g_async_queue_new_full (g_free);
  bench->units = g_async_queue_new_full (g_free);
  return 0;
}

static int teardown (void **state)
{
  Bench *bench = *state;
  loop_call (bench->loop, close_source, bench);
  scripted_camera_free (bench->camera);
  resolver_free (bench->resolver);
  loop_free (bench->loop);
  camera_settings_clear (&bench->settings);
  g_async_queue_unref (bench->states);
  g_async_queue_unref (bench->units);
  g_free (bench);
  return 0;
}

static void start (Bench *bench, const CameraScript *script, const char *username, const char *password)
{
  bench->camera = scripted_camera_new (script);
  bench->settings.url = scripted_camera_url (bench->camera);
  bench->settings.username = g_strdup (username);
  bench->settings.password = g_strdup (password);
  loop_call (bench->loop, open_source, bench);
}

static void assert_next (GAsyncQueue *queue, const char *expected)
{
  g_autofree char *found = g_async_queue_timeout_pop (queue, WATCHDOG_US);
  assert_non_null (found);
  assert_string_equal (found, expected);
}

static void a_camera_without_login_goes_live (void **state)
{
  Bench *bench = *state;
  start (bench, &(CameraScript){ .frames = 3 }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "live "); /* its parameter sets came in-band: the picture size is known */
  assert_int_equal (camera_source_status (bench->source)->width, 640);
  assert_int_equal (camera_source_status (bench->source)->height, 360);
}

static void a_login_is_answered_with_md5_and_sha_256 (void **state)
{
  Bench *bench = *state;
  start (bench, &(CameraScript){ .frames = 1, .username = "viewer", .password = "secret" }, "viewer", "secret");
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_int_equal (scripted_camera_requests (bench->camera, "DESCRIBE"), 2);
  teardown (state);
  setup (state);
  bench = *state;
  start (bench, &(CameraScript){ .frames = 1, .username = "viewer", .password = "secret", .asks_sha256 = TRUE }, "viewer",
         "secret");
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
}

static void a_wrong_password_is_told_apart (void **state)
{
  Bench *bench = *state;
  start (bench, &(CameraScript){ .username = "viewer", .password = "secret" }, "viewer", "guess");
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "failed unauthorized");
  assert_int_equal (scripted_camera_requests (bench->camera, "DESCRIBE"), 2);
}

static void a_missing_login_is_told (void **state)
{
  Bench *bench = *state;
  start (bench, &(CameraScript){ .username = "viewer", .password = "secret" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "failed unauthorized");
}

static void nobody_at_the_address_is_unreachable_and_tried_again (void **state)
{
  Bench *bench = *state;
  bench->settings.url = g_strdup ("rtsp://127.0.0.1:1/x");
  loop_call (bench->loop, open_source, bench);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "backing_off unreachable");
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "backing_off unreachable");
}

static void no_description_is_told (void **state)
{
  Bench *bench = *state;
  start (bench, &(CameraScript){ .sdp = "" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "backing_off no_sdp");
}

static void a_codec_that_is_not_carried_is_told (void **state)
{
  Bench *bench = *state;
  start (bench, &(CameraScript){ .sdp = "v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:1\r\n" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "failed unsupported_codec");
}

static void an_answer_that_is_no_rtsp_is_told (void **state)
{
  Bench *bench = *state;
  start (bench, &(CameraScript){ .raw_answer = "HTTP/1.1 400 Bad Request\r\n\r\n" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "backing_off protocol");
}

static void packets_before_the_answer_to_play_and_on_own_channels_are_taken (void **state)
{
  Bench *bench = *state;
  start (bench, &(CameraScript){ .frames = 2, .sends_before_answer = TRUE, .channel = 12 }, NULL, NULL);
  loop_call (bench->loop, add_tap, bench);
  assert_next (bench->units, "K0");
  assert_next (bench->units, "u0");
  assert_int_equal (stream_counters (bench->stream)->lost_packets, 0);
  assert_int_equal (stream_counters (bench->stream)->malformed_packets, 0);
}

static void audio_that_cannot_be_set_up_is_left_out (void **state)
{
  Bench *bench = *state;
  start (bench, &(CameraScript){ .frames = 1, .refuses_audio = TRUE,
                                 .sdp = "v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
                                        "a=control:trackID=0\r\nm=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\n" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
}

static void silence_is_a_stall_and_then_a_new_connection (void **state)
{
  Bench *bench = *state;
  start (bench, &(CameraScript){ .frames = 2 }, NULL, NULL);
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
  Bench *bench = *state;
  start (bench, &(CameraScript){ .frames = 2, .session_timeout = 2, .ignores_keep_alive = TRUE }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "stalled stalled");
  assert_in_range (scripted_camera_requests (bench->camera, "OPTIONS"), 3, 6); /* the first is no keep-alive */
}

/* Five seconds count from PLAY, not from the connection. */
static void a_camera_that_answers_slowly_goes_live (void **state)
{
  Bench *bench = *state;
  start (bench, &(CameraScript){ .frames = 2, .describes_after_ms = 5000, .plays_after_ms = 1200 }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
}

static void taps_go_on_after_a_reconnect (void **state)
{
  Bench *bench = *state;
  start (bench, &(CameraScript){ .frames = 2, .closes_at_the_end = TRUE }, NULL, NULL);
  loop_call (bench->loop, add_tap, bench);
  for (guint i = 0; i < 2; i++) {
    assert_next (bench->units, "K0");
    assert_next (bench->units, "u0");
    assert_next (bench->units, "closed");
  }
}

static void an_on_demand_camera_is_pulled_only_while_it_is_wanted (void **state)
{
  Bench *bench = *state;
  bench->settings.on_demand = TRUE;
  start (bench, &(CameraScript){ .frames = 1 }, NULL, NULL);
  assert_next (bench->states, "idle ");
  assert_int_equal (scripted_camera_requests (bench->camera, "OPTIONS"), 0);
  loop_call (bench->loop, add_tap, bench);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_camera_without_login_goes_live, setup, teardown),
    cmocka_unit_test_setup_teardown (a_login_is_answered_with_md5_and_sha_256, setup, teardown),
    cmocka_unit_test_setup_teardown (a_wrong_password_is_told_apart, setup, teardown),
    cmocka_unit_test_setup_teardown (a_missing_login_is_told, setup, teardown),
    cmocka_unit_test_setup_teardown (nobody_at_the_address_is_unreachable_and_tried_again, setup, teardown),
    cmocka_unit_test_setup_teardown (no_description_is_told, setup, teardown),
    cmocka_unit_test_setup_teardown (a_codec_that_is_not_carried_is_told, setup, teardown),
    cmocka_unit_test_setup_teardown (an_answer_that_is_no_rtsp_is_told, setup, teardown),
    cmocka_unit_test_setup_teardown (packets_before_the_answer_to_play_and_on_own_channels_are_taken, setup, teardown),
    cmocka_unit_test_setup_teardown (audio_that_cannot_be_set_up_is_left_out, setup, teardown),
    cmocka_unit_test_setup_teardown (silence_is_a_stall_and_then_a_new_connection, setup, teardown),
    cmocka_unit_test_setup_teardown (a_camera_that_answers_no_keep_alive_gets_the_next_one, setup, teardown),
    cmocka_unit_test_setup_teardown (a_camera_that_answers_slowly_goes_live, setup, teardown),
    cmocka_unit_test_setup_teardown (taps_go_on_after_a_reconnect, setup, teardown),
    cmocka_unit_test_setup_teardown (an_on_demand_camera_is_pulled_only_while_it_is_wanted, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
