#include <string.h>

#include "pipelines/rtp/sender_report.h"
#include "tests/support/test.h"

enum { FRAME_US = 40000, FRAME_TICKS = 3600 };

typedef struct {
  Timeline timeline;
  gint64 now_us;
  guint16 sequence;
  guint32 timestamp, ssrc;
  gboolean has_marker;
  guint8 packet[12];
} Camera;

static Camera camera_new (void)
{
  Camera camera = { .now_us = G_USEC_PER_SEC, .sequence = 100, .timestamp = 5000, .ssrc = 7 };
  timeline_init (&camera.timeline, 90000, TRUE);
  return camera;
}

static guint32 timestamp_of (const Camera *camera)
{
  const guint8 *bytes = camera->packet;
  return (guint32) bytes[4] << 24 | (guint32) bytes[5] << 16 | (guint32) bytes[6] << 8 | bytes[7];
}

static guint16 sequence_of (const Camera *camera)
{
  return (guint16) (camera->packet[2] << 8 | camera->packet[3]);
}

static TimelineStep send_now (Camera *camera)
{
  const guint8 packet[12] = { 0x80, camera->has_marker ? 224 : 96, (guint8) (camera->sequence >> 8), (guint8) camera->sequence,
                              (guint8) (camera->timestamp >> 24), (guint8) (camera->timestamp >> 16),
                              (guint8) (camera->timestamp >> 8), (guint8) camera->timestamp, 0, 0, 0, (guint8) camera->ssrc };
  memcpy (camera->packet, packet, sizeof packet);
  return timeline_packet (&camera->timeline, camera->packet, camera->now_us);
}

static TimelineStep send_next (Camera *camera)
{
  camera->now_us += FRAME_US;
  camera->sequence++;
  camera->timestamp += FRAME_TICKS;
  return send_now (camera);
}

static void a_good_camera_is_passed_on_as_it_is (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  send_now (&camera);
  for (guint i = 0; i < 100; i++) {
    TimelineStep step = send_next (&camera);
    assert_int_equal (step.lost, 0);
    assert_false (step.repairs);
    assert_true (step.is_new_timestamp);
    assert_int_equal (timestamp_of (&camera), camera.timestamp);
    assert_int_equal (sequence_of (&camera), camera.sequence);
  }
}

static void assert_jump_is_repaired (guint32 jump)
{
  Camera camera = camera_new ();
  send_now (&camera);
  guint32 before = timestamp_of (&camera);
  camera.timestamp += jump;
  assert_true (send_next (&camera).repairs != 0);
  assert_int_equal (timestamp_of (&camera), before + FRAME_TICKS);
  assert_false (send_next (&camera).repairs != 0);
  assert_int_equal (timestamp_of (&camera), before + 2 * FRAME_TICKS);
}

static void jumps_forward_and_backward_are_repaired (void **state)
{
  (void) state;
  assert_jump_is_repaired (90000u * 3600);
  assert_jump_is_repaired (90000u * 4);
  assert_jump_is_repaired (0u - 90000u * 3600);
  assert_jump_is_repaired (0u - 90000u * 2);
}

static void pictures_in_decoding_order_are_no_jump (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  send_now (&camera);
  camera.timestamp += 4 * FRAME_TICKS;
  assert_false (send_next (&camera).repairs != 0);
  camera.timestamp -= 3 * FRAME_TICKS;
  assert_false (send_next (&camera).repairs != 0);
  assert_int_equal (timestamp_of (&camera), camera.timestamp);
}

static void a_burst_after_a_pause_of_the_network_is_no_jump (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  send_now (&camera);
  camera.now_us += 10 * G_USEC_PER_SEC;
  for (guint i = 0; i < 250; i++) {
    camera.now_us -= FRAME_US; /* all at once */
    assert_false (send_next (&camera).repairs != 0);
  }
  assert_int_equal (timestamp_of (&camera), camera.timestamp);
}

static void timestamps_may_wrap (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  camera.timestamp = G_MAXUINT32 - FRAME_TICKS / 2;
  send_now (&camera);
  assert_false (send_next (&camera).repairs != 0);
  assert_int_equal (timestamp_of (&camera), camera.timestamp);
}

static void missing_packets_are_counted_and_stay_visible (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  camera.sequence = 65534;
  send_now (&camera);
  camera.sequence += 3; /* wraps */
  assert_int_equal (send_next (&camera).lost, 3);
  assert_int_equal (sequence_of (&camera), camera.sequence);
}

static void a_camera_that_counts_anew_does_not_lose_thousands (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  camera.sequence = 40000;
  send_now (&camera);
  camera.sequence = 5;
  assert_int_equal (send_next (&camera).lost, 1);
  assert_int_equal (sequence_of (&camera), 40002);
  assert_int_equal (send_next (&camera).lost, 0);
  assert_int_equal (sequence_of (&camera), 40003);
}

static void numbers_run_on_after_a_reconnect (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  send_now (&camera);
  guint32 ssrc = camera.timeline.ssrc, timestamp = timestamp_of (&camera);
  timeline_reconnect (&camera.timeline);
  camera.ssrc = 99;
  camera.sequence = 7;
  camera.timestamp = 123456789;
  camera.now_us += 2 * G_USEC_PER_SEC;
  TimelineStep step = send_now (&camera);
  assert_int_equal (step.lost, 0);
  assert_int_equal (sequence_of (&camera), 101);
  assert_int_equal (timestamp_of (&camera), timestamp + 180000);
  assert_int_equal (camera.timeline.ssrc, ssrc);
}

static void a_sender_report_is_put_on_our_timeline (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  SenderReport report = { 0 };
  guint8 bytes[SENDER_REPORT_BYTES] = { 0x80, 200, 0, 6, 0, 0, 0, 7, 0xe8, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0x13, 0x88 };
  guint8 copy[SENDER_REPORT_BYTES];
  memcpy (copy, bytes, sizeof copy);
  assert_false (timeline_rtcp (&camera.timeline, copy, sizeof copy, &report)); /* before any packet */
  send_now (&camera);
  camera.timestamp += 900000000;
  send_next (&camera);
  guint32 offset = timestamp_of (&camera) - camera.timestamp;
  assert_true (timeline_rtcp (&camera.timeline, bytes, sizeof bytes, &report));
  assert_int_equal (report.timestamp, 5000 + offset);
  assert_int_equal (report.ssrc, camera.timeline.ssrc);
  assert_int_equal (sender_report_wall_us (&report) % G_USEC_PER_SEC, 500000);

  sender_report_write (&report, report.timestamp + 45000, copy); /* half a second on */
  assert_int_equal (copy[11], bytes[11] + 1);
  assert_int_equal (copy[12], 0);
}

static void rtcp_that_lies_or_says_goodbye_is_not_passed_on (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  SenderReport report;
  send_now (&camera);
  guint8 goodbye[] = { 0x81, 203, 0, 1, 0, 0, 0, 7 };
  guint8 too_long[] = { 0x80, 200, 0xff, 0xff, 0, 0, 0, 7 };
  guint8 version_1[] = { 0x40, 200, 0, 1, 0, 0, 0, 7 };
  guint8 cut[] = { 0x80, 200, 0 };
  assert_false (timeline_rtcp (&camera.timeline, goodbye, sizeof goodbye, &report));
  assert_false (timeline_rtcp (&camera.timeline, too_long, sizeof too_long, &report));
  assert_false (timeline_rtcp (&camera.timeline, version_1, sizeof version_1, &report));
  assert_false (timeline_rtcp (&camera.timeline, cut, sizeof cut, &report));
}

static guint32 step_of (Camera *camera)
{
  guint32 before = timestamp_of (camera);
  send_next (camera);
  return timestamp_of (camera) - before;
}

static void small_jumps_are_repaired_too (void **state)
{
  (void) state;
  const gint32 jumps[] = { 45000, 90000, -3700, -45000 };
  for (guint i = 0; i < G_N_ELEMENTS (jumps); i++) {
    Camera camera = camera_new ();
    send_now (&camera);
    for (guint n = 0; n < 100; n++)
      send_next (&camera);
    guint32 before = timestamp_of (&camera);
    camera.timestamp += (guint32) jumps[i];
    TimelineStep step = send_next (&camera);
    assert_int_equal (step.repairs, 1 << (jumps[i] > 0 ? REPAIR_JUMP_FORWARD : REPAIR_JUMP_BACKWARD));
    assert_int_equal (timestamp_of (&camera), before + FRAME_TICKS);
    assert_int_equal (step_of (&camera), FRAME_TICKS);
  }
}

static void a_camera_that_leaves_pictures_out_has_not_jumped (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  send_now (&camera);
  for (guint n = 0; n < 100; n++)
    send_next (&camera);
  camera.now_us += 2 * G_USEC_PER_SEC;
  camera.timestamp += 2 * 90000;
  assert_int_equal (send_next (&camera).repairs, 0);
  /* what waited in the network meanwhile comes at once, and of it the camera has left a second out */
  camera.now_us += G_USEC_PER_SEC;
  for (guint n = 0; n < 25; n++) {
    camera.now_us -= FRAME_US;
    camera.timestamp += n == 10 ? 0 : FRAME_TICKS - FRAME_TICKS;
    assert_int_equal (send_next (&camera).repairs, 0);
  }
}

static void a_group_sent_at_once_at_the_start_is_no_jump (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  send_now (&camera);
  for (guint n = 0; n < 75; n++) {
    camera.now_us -= FRAME_US - 500;
    assert_int_equal (send_next (&camera).repairs, 0);
  }
  for (guint n = 0; n < 300; n++)
    assert_int_equal (send_next (&camera).repairs, 0);
  assert_int_equal (timestamp_of (&camera), camera.timestamp);
}

static void reordered_pictures_that_begin_late_are_believed (void **state)
{
  (void) state;
  const gint32 order[] = { 4, -2, -1, 2 }; /* a pyramid of three between two */
  Camera camera = camera_new ();
  guint repaired = 0;
  send_now (&camera);
  for (guint n = 0; n < 100; n++)
    send_next (&camera);
  for (guint n = 0; n < 400; n++) {
    camera.timestamp += (guint32) ((order[n % 4] - 1) * FRAME_TICKS) + (n % 4 == 0 && n > 0 ? FRAME_TICKS : 0);
    repaired += send_next (&camera).repairs != 0;
  }
  assert_in_range (repaired, 1, 4);
}

static void timestamps_that_stand_still_go_on_by_arrival (void **state)
{
  (void) state;
  for (guint has_video = 0; has_video < 2; has_video++) {
    Camera camera = camera_new ();
    timeline_init (&camera.timeline, 90000, has_video);
    camera.has_marker = has_video;
    send_now (&camera);
    guint32 first = timestamp_of (&camera), last = first;
    guint repaired = 0;
    for (guint n = 0; n < 250; n++) {
      camera.timestamp -= FRAME_TICKS;
      repaired += send_next (&camera).repairs == 1 << REPAIR_STANDSTILL;
      assert_true ((gint32) (timestamp_of (&camera) - last) >= 0);
      last = timestamp_of (&camera);
    }
    assert_in_range (repaired, 240, 246);
    assert_in_range (last - first, 249 * FRAME_TICKS, 251 * FRAME_TICKS);
  }
}

static void a_picture_in_many_slices_does_not_stand_still (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  camera.has_marker = TRUE; /* on every slice */
  send_now (&camera);
  for (guint n = 0; n < 500; n++) {
    if (n % 10 != 0) {
      camera.timestamp -= FRAME_TICKS;
      camera.now_us -= FRAME_US - 4000;
    }
    assert_int_equal (send_next (&camera).repairs, 0);
  }
}

/* Counts at `hz` and says 90000; returns for how many pictures the steps were not right. */
static guint pictures_until_right (double hz, guint pictures, guint jitter_us, double *last_error)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (7);
  Camera camera = camera_new ();
  guint wrong = 0;
  gint64 start_us = camera.now_us;
  guint32 start = camera.timestamp;
  send_now (&camera);
  for (guint n = 1; n <= pictures; n++) {
    gint64 jitter = jitter_us > 0 ? g_rand_int_range (random, 0, (gint32) jitter_us) : 0;
    camera.sequence++;
    camera.timestamp = start + (guint32) (gint64) ((double) n * FRAME_US * hz / G_USEC_PER_SEC);
    camera.now_us = start_us + n * FRAME_US + jitter;
    guint32 before = timestamp_of (&camera);
    send_now (&camera);
    double step = (double) (timestamp_of (&camera) - before) / FRAME_TICKS;
    *last_error = ABS (step - 1);
    wrong = *last_error > 0.05 ? n : wrong;
  }
  assert_in_range (timeline_elapsed_us (&camera.timeline) + G_USEC_PER_SEC, camera.now_us - start_us,
                   camera.now_us - start_us + 7 * G_USEC_PER_SEC);
  return wrong;
}

static void a_clock_at_a_wrong_rate_is_found_and_scaled (void **state)
{
  (void) state;
  const double counted[] = { 1000, 8000, 48000, 180000, 1000000 };
  double error;
  for (guint i = 0; i < G_N_ELEMENTS (counted); i++) {
    guint wrong = pictures_until_right (counted[i], 2000, 30000, &error);
    assert_in_range (wrong, 0, counted[i] == 48000 || counted[i] == 180000 ? 13 * 25 : 5 * 25);
  }
}

static double rate_found (double hz, guint seconds, guint jitter_us)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (11);
  RateMeter meter;
  rate_meter_init (&meter, 90000);
  for (gint64 n = 0; n < 25 * (gint64) seconds; n++)
    rate_meter_step (&meter, (gint64) ((double) (n * FRAME_US) * hz / G_USEC_PER_SEC),
                     G_USEC_PER_SEC + n * FRAME_US + g_rand_int_range (random, 0, (gint32) jitter_us));
  return meter.counted_hz;
}

static void small_errors_are_scaled_and_ordinary_drift_is_not (void **state)
{
  (void) state;
  const double wrong_ppm[] = { 1000, -1000, 2500, -8000 }, right_ppm[] = { 0, 50, -200, 500, -500 };
  for (guint i = 0; i < G_N_ELEMENTS (wrong_ppm); i++) {
    double hz = 90000 * (1 + wrong_ppm[i] / 1e6);
    assert_true (ABS (rate_found (hz, 300, 100000) / hz - 1) < 700e-6);
  }
  for (guint i = 0; i < G_N_ELEMENTS (right_ppm); i++)
    assert_true (rate_found (90000 * (1 + right_ppm[i] / 1e6), 1800, 100000) == 90000);
}

static void a_full_link_is_no_wrong_rate (void **state)
{
  (void) state;
  RateMeter meter;
  gint64 arrival = G_USEC_PER_SEC;
  rate_meter_init (&meter, 90000);
  for (gint64 n = 0; n < 5000; n++) {
    gboolean is_full = n % 1000 < 150; /* six seconds of pictures come at 60 % of their rate, then all that waited */
    arrival += is_full ? FRAME_US * 10 / 6 : arrival < G_USEC_PER_SEC + n * FRAME_US ? FRAME_US : FRAME_US / 4;
    assert_false (rate_meter_step (&meter, n * FRAME_TICKS, arrival));
  }
}

static void a_rate_that_changes_in_mid_stream_is_followed (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  send_now (&camera);
  for (guint n = 0; n < 1000; n++)
    send_next (&camera);
  for (guint n = 0; n < 1000; n++) {
    camera.timestamp += 320 - FRAME_TICKS; /* 8 kHz from now on */
    send_next (&camera);
  }
  camera.timestamp += 320 - FRAME_TICKS;
  assert_in_range (step_of (&camera), FRAME_TICKS - 50, FRAME_TICKS + 50);
  for (guint n = 0; n < 1000; n++)
    send_next (&camera);
  assert_int_equal (step_of (&camera), FRAME_TICKS);
}

static void packets_that_come_twice_or_late_are_told (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  send_now (&camera);
  send_next (&camera);
  guint32 second = timestamp_of (&camera);
  TimelineStep step = send_now (&camera);
  assert_true (step.is_late);
  assert_int_equal (step.repairs, 1 << REPAIR_DUPLICATED);
  camera.sequence++;
  camera.timestamp += FRAME_TICKS;
  assert_int_equal (send_next (&camera).lost, 1);
  camera.sequence--;
  camera.timestamp -= FRAME_TICKS;
  step = send_now (&camera);
  assert_true (step.is_late && !step.is_new_timestamp);
  assert_int_equal (step.repairs, 1 << REPAIR_REORDERED);
  assert_int_equal (timestamp_of (&camera), second + FRAME_TICKS);
  assert_int_equal (send_now (&camera).repairs, 1 << REPAIR_DUPLICATED);
}

/* ---- whatever a camera does ---- */

typedef struct {
  GRand *random;
  Camera camera;
  double hz;
  gint64 captured_us, stall_us;
  gboolean is_still;
} Liar;

/* One of the things that cameras do, now and then. */
static void lie (Liar *liar)
{
  switch (g_rand_int_range (liar->random, 0, 900)) {
  case 0:
    liar->camera.timestamp = g_rand_int (liar->random);
    break;
  case 1:
    liar->camera.ssrc = (guint32) g_rand_int_range (liar->random, 1, 200);
    break;
  case 2:
    liar->camera.sequence = (guint16) g_rand_int (liar->random);
    break;
  case 3:
    liar->camera.timestamp += (guint32) g_rand_int_range (liar->random, -90000, 90000);
    break;
  case 4:
    liar->is_still = !liar->is_still;
    break;
  case 5:
    liar->stall_us = g_rand_int_range (liar->random, 0, 2000000);
    break;
  case 6:
    timeline_reconnect (&liar->camera.timeline);
    break;
  case 7:
    liar->camera.sequence -= (guint16) g_rand_int_range (liar->random, 1, 5); /* doubled packets */
    break;
  default:
    break;
  }
}

static void a_liar_is_put_right (guint32 seed)
{
  Liar liar = { .random = g_rand_new_with_seed (seed), .camera = camera_new () };
  Timeline *timeline = &liar.camera.timeline;
  timeline_init (timeline, 90000, FALSE);
  liar.hz = seed % 4 == 0 ? 8000 : 90000;
  liar.camera.timestamp = g_rand_int (liar.random);
  send_now (&liar.camera);
  gint64 start_us = liar.captured_us = liar.camera.now_us, last_ticks = timeline->ticks;
  for (guint n = 0; n < 20000; n++) {
    lie (&liar);
    liar.captured_us += FRAME_US;
    liar.stall_us = MAX (liar.stall_us - FRAME_US / 2, 0);
    liar.camera.now_us = MAX (liar.captured_us + liar.stall_us + g_rand_int_range (liar.random, 0, 60000), liar.camera.now_us);
    liar.camera.sequence++;
    liar.camera.timestamp += liar.is_still ? 0 : (guint32) (FRAME_US * liar.hz / G_USEC_PER_SEC);
    TimelineStep step = send_now (&liar.camera);
    if (step.is_late)
      continue;
    assert_true (timeline->ticks >= last_ticks);
    assert_true (!step.is_new_timestamp || timeline->ticks > last_ticks);
    assert_int_equal (timestamp_of (&liar.camera), (guint32) timeline->ticks);
    last_ticks = timeline->ticks;
    gint64 away_us = timeline_elapsed_us (timeline) - (liar.captured_us - start_us);
    if (ABS (away_us) > (liar.hz == 90000 ? 6 : 20) * G_USEC_PER_SEC) /* jumps make it harder to find a rate */
      fail_msg ("seed %u, picture %u: %" G_GINT64_FORMAT " us away from arrival", seed, n, away_us);
  }
  g_rand_free (liar.random);
}

static void whatever_a_camera_does_its_time_rises_and_stays_near_arrival (void **state)
{
  (void) state;
  for (guint32 seed = 1; seed <= 60; seed++)
    a_liar_is_put_right (seed);
}

/* A receiver tells by the CNAME which tracks belong together: one that changes takes them apart. */
static void a_camera_s_name_gives_way_to_ours_where_there_is_room (void **state)
{
  (void) state;
  guint8 packet[] = { 0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 202, 0, 5, 0, 0, 0, 7, 1, 10, 'u', '@', '1', '.', '2', '.', '3', '.', '4', '5', 0, 0, 0, 0 };
  static const guint8 expected[] = { 0x81, 202, 0, 5, 0, 0, 0, 7, 1, 8, 'n', 'a', 'm', 'e', '-', '8', '-', 'x', 0, 0, 0, 0, 0, 0 };
  rtcp_set_name (packet, sizeof packet, "name-8-x");
  assert_memory_equal (packet + 8, expected, sizeof expected);
  guint8 narrow[] = { 0x81, 202, 0, 2, 0, 0, 0, 7, 1, 1, 'u', 0 };
  rtcp_set_name (narrow, sizeof narrow, "name-8-x");
  assert_memory_equal (narrow + 8, "\1\1u", 4);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_good_camera_is_passed_on_as_it_is),
    cmocka_unit_test (jumps_forward_and_backward_are_repaired),
    cmocka_unit_test (pictures_in_decoding_order_are_no_jump),
    cmocka_unit_test (a_burst_after_a_pause_of_the_network_is_no_jump),
    cmocka_unit_test (timestamps_may_wrap),
    cmocka_unit_test (missing_packets_are_counted_and_stay_visible),
    cmocka_unit_test (a_camera_that_counts_anew_does_not_lose_thousands),
    cmocka_unit_test (numbers_run_on_after_a_reconnect),
    cmocka_unit_test (a_sender_report_is_put_on_our_timeline),
    cmocka_unit_test (small_jumps_are_repaired_too),
    cmocka_unit_test (a_camera_that_leaves_pictures_out_has_not_jumped),
    cmocka_unit_test (a_group_sent_at_once_at_the_start_is_no_jump),
    cmocka_unit_test (reordered_pictures_that_begin_late_are_believed),
    cmocka_unit_test (timestamps_that_stand_still_go_on_by_arrival),
    cmocka_unit_test (a_picture_in_many_slices_does_not_stand_still),
    cmocka_unit_test (a_clock_at_a_wrong_rate_is_found_and_scaled),
    cmocka_unit_test (small_errors_are_scaled_and_ordinary_drift_is_not),
    cmocka_unit_test (a_full_link_is_no_wrong_rate),
    cmocka_unit_test (a_rate_that_changes_in_mid_stream_is_followed),
    cmocka_unit_test (packets_that_come_twice_or_late_are_told),
    cmocka_unit_test (whatever_a_camera_does_its_time_rises_and_stays_near_arrival),
    cmocka_unit_test (rtcp_that_lies_or_says_goodbye_is_not_passed_on),
    cmocka_unit_test (a_camera_s_name_gives_way_to_ours_where_there_is_room),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
