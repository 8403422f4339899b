#include <string.h>

#include "pipelines/rtp/big_endian.h"
#include "pipelines/rtp/camera_times.h"
#include "tests/support/test.h"

#define DAY_US (G_GINT64_CONSTANT (24) * 3600 * G_USEC_PER_SEC)
#define WALL_US (20000 * DAY_US)

/* A track of a camera whose reports come every five seconds. Times are microseconds since the test began; the camera's wall
 * clock is `wall_us` ahead of them. */
typedef struct {
  GRand *random;
  CameraClock camera;
  TrackClock track;
  gint64 wall_us, network_least_us, network_most_us, encoding_us;
  gboolean sends_reports;
  gint64 next_report_us, worst_us, last_us;
  guint lies;
} Bench;

static gint64 network_us (Bench *bench)
{
  return g_rand_int_range (bench->random, (gint32) bench->network_least_us, (gint32) bench->network_most_us + 1);
}

static Bench bench_new (gint64 wall_us)
{
  return (Bench){ .random = g_rand_new_with_seed (3), .wall_us = wall_us, .network_least_us = 5000,
                  .network_most_us = 250000, .encoding_us = 300000, .sends_reports = TRUE };
}

/* Pictures captured from `from_us` to `to_us`; the worst error is of those after `settled_us`. */
static void run (Bench *bench, gint64 from_us, gint64 to_us, gint64 settled_us)
{
  bench->worst_us = 0;
  for (gint64 now = from_us; now < to_us; now += 40000) {
    if (bench->sends_reports && now >= bench->next_report_us) {
      bench->next_report_us = now + 5 * G_USEC_PER_SEC;
      bench->lies += !track_clock_report (&bench->track, &bench->camera, now + bench->wall_us, now, now + network_us (bench));
    }
    gint64 arrival_us = now + bench->encoding_us + network_us (bench);
    gint64 captured_us = track_clock_captured_us (&bench->track, &bench->camera, now, arrival_us);
    assert_true (captured_us <= arrival_us);
    if (now >= settled_us)
      bench->worst_us = MAX (bench->worst_us, ABS (captured_us - now));
  }
}

static void bench_free (Bench *bench)
{
  g_rand_free (bench->random);
}

static void with_reports_the_capture_is_right_to_a_tenth_whatever_the_camera_calls_the_hour (void **state)
{
  (void) state;
  const gint64 walls[] = { 0, DAY_US * 20000, DAY_US * 20000 + DAY_US / 3, -DAY_US, DAY_US * 40000 };
  for (guint i = 0; i < G_N_ELEMENTS (walls); i++) {
    Bench bench = bench_new (walls[i]);
    run (&bench, 0, 600 * G_USEC_PER_SEC, 30 * G_USEC_PER_SEC); /* encoded in 300 ms, sent in 5 to 250 */
    assert_in_range (bench.worst_us, 0, 100000);
    assert_int_equal (bench.lies, 0);
    bench_free (&bench);
  }
}

static void without_reports_it_is_the_arrival_with_the_least_delay (void **state)
{
  (void) state;
  Bench bench = bench_new (0);
  bench.sends_reports = FALSE;
  run (&bench, 0, 120 * G_USEC_PER_SEC, 30 * G_USEC_PER_SEC);
  assert_in_range (bench.worst_us, 300000, 500000);
  assert_false (bench.track.is_reported);
  bench_free (&bench);
}

static void a_wall_clock_that_is_set_moves_no_capture_time (void **state)
{
  (void) state;
  const gint64 jumps[] = { 3 * G_USEC_PER_SEC, -300000, -DAY_US / 24, DAY_US * 365 };
  for (guint i = 0; i < G_N_ELEMENTS (jumps); i++) {
    Bench bench = bench_new (DAY_US * 20000);
    run (&bench, 0, 200 * G_USEC_PER_SEC, 30 * G_USEC_PER_SEC);
    bench.wall_us += jumps[i];
    run (&bench, 200 * G_USEC_PER_SEC, 500 * G_USEC_PER_SEC, 0);
    assert_in_range (bench.worst_us, 0, 100000);
    assert_int_equal (bench.lies, 1);
    bench_free (&bench);
  }
}

static void reports_that_always_say_the_same_do_no_harm (void **state)
{
  (void) state;
  Bench bench = bench_new (0);
  for (gint64 from = 0; from < 300; from += 5) {
    bench.wall_us = -from * G_USEC_PER_SEC;
    run (&bench, from * G_USEC_PER_SEC, (from + 5) * G_USEC_PER_SEC, 0);
    assert_true (from < 30 || bench.worst_us < 100000);
  }
  assert_int_equal (bench.lies, 59);
  bench_free (&bench);
}

static void a_clock_that_drifts_is_followed (void **state)
{
  (void) state;
  Bench bench = bench_new (DAY_US);
  for (gint64 second = 0; second < 3600; second += 5) {
    bench.wall_us += 2500; /* 500 ppm fast */
    run (&bench, second * G_USEC_PER_SEC, (second + 5) * G_USEC_PER_SEC, 0);
    assert_true (second < 30 || bench.worst_us < 100000);
  }
  assert_int_equal (bench.lies, 0);
  bench_free (&bench);
}

static void two_tracks_lie_to_each_other_as_the_camera_says (void **state)
{
  (void) state;
  CameraClock camera = { 0 };
  TrackClock video = { 0 }, audio = { 0 };
  track_clock_report (&video, &camera, DAY_US, 0, 200000);
  track_clock_report (&audio, &camera, DAY_US + 1000, 77000, 350000); /* its report waited in the network */
  gint64 picture = track_clock_captured_us (&video, &camera, 5000000, 6000000);
  gint64 sound = track_clock_captured_us (&audio, &camera, 5000000 + 76000, 6000000);
  assert_int_equal (sound, picture);
}

static void a_track_without_a_common_clock_does_not_spoil_the_other (void **state)
{
  (void) state;
  CameraClock camera = { 0 };
  TrackClock video = { 0 }, audio = { 0 };
  assert_true (track_clock_report (&video, &camera, DAY_US, 0, 10000));
  assert_false (track_clock_report (&audio, &camera, 20 * DAY_US, 0, 20000));
  assert_int_equal (track_clock_captured_us (&video, &camera, 1000000, 1300000), 1010000);
  assert_in_range (track_clock_captured_us (&audio, &camera, 1000000, 1300000), 1010000, 1030000);
}

static void after_a_reconnect_the_last_mapping_is_the_guess (void **state)
{
  (void) state;
  Bench bench = bench_new (DAY_US);
  run (&bench, 0, 60 * G_USEC_PER_SEC, 30 * G_USEC_PER_SEC);
  track_clock_restart (&bench.track);
  camera_clock_restart (&bench.camera);
  bench.sends_reports = FALSE;
  run (&bench, 60 * G_USEC_PER_SEC, 60 * G_USEC_PER_SEC + 200000, 0);
  assert_in_range (bench.worst_us, 0, 100000);
  bench_free (&bench);
}

/* ---- what viewers are told ---- */

/* Its base, after a picture and perhaps a report; sent at once but encoded in `encoding_us`. */
static gint64 told_us (TrackClock *track, CameraClock *camera, gint64 now, gint64 encoding_us, gboolean reports)
{
  if (reports)
    track_clock_report (track, camera, DAY_US + now, now, now + 1000);
  track_clock_captured_us (track, camera, now, now + encoding_us);
  return track->told_base_us;
}

static void what_viewers_are_told_goes_back_by_less_than_a_packet_when_reports_begin (void **state)
{
  (void) state;
  CameraClock camera = { 0 };
  TrackClock video = { 0 }, audio = { 0 };
  gint64 video_us = told_us (&video, &camera, 0, 300000, FALSE), audio_us = told_us (&audio, &camera, 0, 60000, FALSE);
  assert_int_equal (video_us, 300000);
  assert_int_equal (audio_us, 60000);
  for (gint64 second = 2; second < 400; second += 5) {
    gint64 picture_us = told_us (&video, &camera, second * G_USEC_PER_SEC, 300000, TRUE);
    assert_true (picture_us >= video_us - 10000);
    gint64 sound_us = told_us (&audio, &camera, second * G_USEC_PER_SEC, 60000, TRUE);
    assert_true (sound_us >= audio_us - 10000);
    assert_in_range (picture_us - sound_us, 0, 10000); /* from the first reports on they lie to each other rightly */
    video_us = picture_us;
    audio_us = sound_us;
  }
  assert_int_equal (video_us, 1000);
  assert_int_equal (audio_us, 1000);
}

static void who_was_told_a_time_far_too_late_is_told_the_right_one (void **state)
{
  (void) state;
  CameraClock camera = { 0 };
  TrackClock video = { 0 };
  told_us (&video, &camera, 0, 4 * G_USEC_PER_SEC, FALSE);
  assert_int_equal (told_us (&video, &camera, G_USEC_PER_SEC, 300000, TRUE), 1000);
}

/* ---- through a stream ---- */

static gint64 reported_us (const guint8 *report)
{
  SenderReport read = { (guint64) read_32 (report + 8) << 32 | read_32 (report + 12), 0, 0, 90000 };
  return sender_report_wall_us (&read);
}

static void before_the_first_report_there_is_one_by_arrival_and_later_ones_agree (void **state)
{
  (void) state;
  Loop *loop = loop_new (NULL);
  Stream *stream = stream_new (loop, "bridge", "main");
  CameraTimes times = { .stream = stream };
  TrackList tracks = { .count = 1, .tracks = { { .medium = MEDIUM_VIDEO, .clock_rate = 90000 } } };
  camera_times_set_tracks (&times, &tracks);
  guint8 packet[12] = { 0x80, 96, 0, 1, 0, 0, 0x13, 0x88, 0, 0, 0, 7 };
  assert_int_equal (stream_sender_report (stream, 0)->ntp, 0);
  camera_times_packet (&times, 0, packet, 5000000, WALL_US);
  const SenderReport *first = stream_sender_report (stream, 0);
  assert_int_equal (first->timestamp, 5000);
  assert_int_equal (first->ssrc, read_32 (packet + 8));
  assert_in_range (sender_report_wall_us (first) - WALL_US + 2, 0, 4);

  guint8 clockless[SENDER_REPORT_BYTES] = { 0x80, 200, 0, 6, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x13, 0x88 };
  assert_true (camera_times_rtcp (&times, 0, clockless, sizeof clockless, 5000000, WALL_US));
  assert_in_range (reported_us (clockless) - WALL_US + 2, 0, 4);
  assert_false (stream_counters (stream)->has_clock_skew);

  guint8 report[SENDER_REPORT_BYTES] = { 0x80, 200, 0, 6, 0, 0, 0, 7, 0xe0, 0, 0, 5, 0x80, 0, 0, 0, 0, 0, 0x5b, 0xd8 }; /* 206 ms on */
  assert_true (camera_times_rtcp (&times, 0, report, sizeof report, 5000000, WALL_US));
  assert_in_range (reported_us (report) - (WALL_US + 205689 - 5000) + 20, 0, 40);
  stream_free (stream);
  loop_free (loop);
}

/* All pictures of a burst come at once: by arrival each one is told to have been captured 40 ms before the one before it would say. */
static void what_viewers_are_told_goes_back_slowly_in_a_burst_before_the_first_report (void **state)
{
  (void) state;
  const gint64 arrival_us = G_USEC_PER_SEC, step_us = 40000;
  CameraClock camera = { 0 };
  TrackClock track = { 0 };
  gint64 told_us = 0;
  for (gint64 picture = 0; picture < 20; picture++) {
    gint64 before_us = told_us;
    assert_int_equal (track_clock_captured_us (&track, &camera, picture * step_us, arrival_us), arrival_us);
    told_us = track.told_base_us;
    assert_true (picture == 0 || told_us >= before_us - 5000);
  }
  assert_true (track_clock_report (&track, &camera, WALL_US, 20 * step_us, arrival_us + step_us));
  assert_true (track.told_base_us >= told_us - 5000);
  for (gint64 picture = 21; picture < 200; picture++)
    assert_true (track_clock_report (&track, &camera, WALL_US + (picture - 20) * step_us, picture * step_us, arrival_us + (picture - 19) * step_us));
  assert_int_equal (track.told_base_us, arrival_us - 19 * step_us); /* in the end it is right */
}

static void a_report_goes_on_with_our_time (void **state)
{
  (void) state;
  Loop *loop = loop_new (NULL);
  Stream *stream = stream_new (loop, "bridge", "main");
  CameraTimes times = { .stream = stream };
  TrackList tracks = { .count = 1, .tracks = { { .medium = MEDIUM_VIDEO, .clock_rate = 90000 } } };
  camera_times_set_tracks (&times, &tracks);
  guint8 packet[12] = { 0x80, 96, 0, 1, 0, 0, 0x13, 0x88, 0, 0, 0, 7 };
  guint8 report[SENDER_REPORT_BYTES] = { 0x80, 200, 0, 6, 0, 0, 0, 7, 0, 0, 0, 5, 0x80, 0, 0, 0, 0, 0, 0x13, 0x88 }; /* 1900 */
  camera_times_packet (&times, 0, packet, 5000000, WALL_US);
  assert_false (stream_capture_time (stream, 0)->is_reported);
  assert_true (camera_times_rtcp (&times, 0, report, sizeof report, 5000000, WALL_US));
  assert_in_range (reported_us (report) - WALL_US + 2, 0, 4);
  assert_int_equal ((guint64) read_32 (report + 8) << 32 | read_32 (report + 12), stream_sender_report (stream, 0)->ntp);
  assert_true (stream_counters (stream)->clock_skew_us < -G_GINT64_CONSTANT (3000000000) * G_USEC_PER_SEC);

  report[18] = 0x40; /* a time that is far from the packets' */
  report[16] = 0x40;
  assert_false (camera_times_rtcp (&times, 0, report, sizeof report, 5000000, WALL_US));
  assert_int_equal (stream_counters (stream)->repairs[REPAIR_REPORT], 1);
  stream_free (stream);
  loop_free (loop);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (with_reports_the_capture_is_right_to_a_tenth_whatever_the_camera_calls_the_hour),
    cmocka_unit_test (without_reports_it_is_the_arrival_with_the_least_delay),
    cmocka_unit_test (a_wall_clock_that_is_set_moves_no_capture_time),
    cmocka_unit_test (reports_that_always_say_the_same_do_no_harm),
    cmocka_unit_test (a_clock_that_drifts_is_followed),
    cmocka_unit_test (two_tracks_lie_to_each_other_as_the_camera_says),
    cmocka_unit_test (a_track_without_a_common_clock_does_not_spoil_the_other),
    cmocka_unit_test (after_a_reconnect_the_last_mapping_is_the_guess),
    cmocka_unit_test (what_viewers_are_told_goes_back_by_less_than_a_packet_when_reports_begin),
    cmocka_unit_test (who_was_told_a_time_far_too_late_is_told_the_right_one),
    cmocka_unit_test (before_the_first_report_there_is_one_by_arrival_and_later_ones_agree),
    cmocka_unit_test (what_viewers_are_told_goes_back_slowly_in_a_burst_before_the_first_report),
    cmocka_unit_test (a_report_goes_on_with_our_time),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
