#include <string.h>

#include "pipelines/rtp/timeline.h"
#include "tests/support/test.h"

enum { FRAME_US = 40000, FRAME_TICKS = 3600 };

typedef struct {
  Timeline timeline;
  gint64 now_us;
  guint16 sequence;
  guint32 timestamp, ssrc;
  guint8 packet[12];
} Camera;

static Camera camera_new (void)
{
  Camera camera = { .now_us = G_USEC_PER_SEC, .sequence = 100, .timestamp = 5000, .ssrc = 7 };
  timeline_init (&camera.timeline, 90000);
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
  const guint8 packet[12] = { 0x80, 96, (guint8) (camera->sequence >> 8), (guint8) camera->sequence,
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
    assert_false (step.was_repaired);
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
  assert_true (send_next (&camera).was_repaired);
  assert_int_equal (timestamp_of (&camera), before + FRAME_TICKS);
  assert_false (send_next (&camera).was_repaired);
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
  assert_false (send_next (&camera).was_repaired);
  camera.timestamp -= 3 * FRAME_TICKS;
  assert_false (send_next (&camera).was_repaired);
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
    assert_false (send_next (&camera).was_repaired);
  }
  assert_int_equal (timestamp_of (&camera), camera.timestamp);
}

static void timestamps_may_wrap (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  camera.timestamp = G_MAXUINT32 - FRAME_TICKS / 2;
  send_now (&camera);
  assert_false (send_next (&camera).was_repaired);
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

static void capture_times_follow_the_camera_and_not_the_jitter (void **state)
{
  (void) state;
  Camera camera = camera_new ();
  camera.now_us += G_GINT64_CONSTANT (1000000000000);
  send_now (&camera);
  gint64 first = timeline_wall_us (&camera.timeline, camera.now_us);
  for (guint i = 1; i < 50; i++) {
    send_next (&camera);
    gint64 late_us = i % 2 == 0 ? 0 : 30000;
    gint64 captured = timeline_wall_us (&camera.timeline, camera.now_us + late_us);
    assert_in_range (captured, first + i * FRAME_US, first + i * FRAME_US + 500);
  }
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
    cmocka_unit_test (capture_times_follow_the_camera_and_not_the_jitter),
    cmocka_unit_test (a_sender_report_is_put_on_our_timeline),
    cmocka_unit_test (rtcp_that_lies_or_says_goodbye_is_not_passed_on),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
