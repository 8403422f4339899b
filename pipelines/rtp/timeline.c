#include "pipelines/rtp/timeline.h"

#include <string.h>

enum {
  FORWARD_JUMP_US = 3 * G_USEC_PER_SEC,
  BACKWARD_JUMP_US = 1 * G_USEC_PER_SEC,
  CAPTURE_RESET_US = 5 * G_USEC_PER_SEC,
  SEQUENCE_RESET = 3000,    /* further ahead or behind (RFC 3550 A.1), the camera has started to count anew */
  SEQUENCE_RESET_BACK = 64,
  CAPTURE_CREEP = 256, /* a delay that stays is taken into the base by this fraction a picture */
};
enum { RTCP_SENDER_REPORT = 200, RTCP_RECEIVER_REPORT = 201, RTCP_SDES = 202, RTCP_BYE = 203 };
#define NTP_TO_UNIX G_GINT64_CONSTANT (2208988800)

static guint16 read_16 (const guint8 *bytes)
{
  return (guint16) (bytes[0] << 8 | bytes[1]);
}

static guint32 read_32 (const guint8 *bytes)
{
  return (guint32) bytes[0] << 24 | (guint32) bytes[1] << 16 | (guint32) bytes[2] << 8 | bytes[3];
}

static void write_16 (guint8 *bytes, guint16 value)
{
  bytes[0] = (guint8) (value >> 8);
  bytes[1] = (guint8) value;
}

static void write_32 (guint8 *bytes, guint32 value)
{
  write_16 (bytes, (guint16) (value >> 16));
  write_16 (bytes + 2, (guint16) value);
}

void timeline_init (Timeline *timeline, guint32 clock_rate)
{
  *timeline = (Timeline){ .clock_rate = clock_rate, .ssrc = g_random_int () };
}

void timeline_reconnect (Timeline *timeline)
{
  timeline->is_anchored = FALSE;
}

static guint32 ticks (const Timeline *timeline, gint64 us)
{
  return (guint32) (us * timeline->clock_rate / G_USEC_PER_SEC);
}

static gint64 ticks_to_us (const Timeline *timeline, gint32 ticks)
{
  return (gint64) ticks * G_USEC_PER_SEC / timeline->clock_rate;
}

/* Numbers go on from the last connection's, or start as the camera's. */
static void anchor (Timeline *timeline, const guint8 *packet, gint64 arrival_us)
{
  timeline->is_anchored = TRUE;
  timeline->camera_ssrc = read_32 (packet + 8);
  if (!timeline->was_anchored) {
    timeline->was_anchored = TRUE;
    timeline->last_sequence = (guint16) (read_16 (packet + 2) - 1);
    timeline->last_timestamp = read_32 (packet + 4);
    timeline->last_timestamp_us = arrival_us;
    return;
  }
  guint32 passed = ticks (timeline, MAX (arrival_us - timeline->last_timestamp_us, 1000));
  timeline->sequence_offset = (guint16) (timeline->last_sequence + 1 - read_16 (packet + 2));
  timeline->timestamp_offset = timeline->last_timestamp + passed - read_32 (packet + 4);
}

static guint step_sequence (Timeline *timeline, guint16 *sequence)
{
  gint16 ahead = (gint16) (*sequence - timeline->last_sequence);
  if (ahead > SEQUENCE_RESET || ahead < -SEQUENCE_RESET_BACK) {
    guint16 next = (guint16) (timeline->last_sequence + 2); /* a gap of one: what was lost is not known */
    timeline->sequence_offset = (guint16) (timeline->sequence_offset + next - *sequence);
    *sequence = next;
    ahead = 2;
  }
  if (ahead <= 0) /* doubled or late: TCP keeps order, so the camera sent it so */
    return 0;
  timeline->last_sequence = *sequence;
  return (guint) ahead - 1;
}

static void step_timestamp (Timeline *timeline, guint32 *timestamp, gint64 arrival_us, TimelineStep *step)
{
  gint64 delta_us = ticks_to_us (timeline, (gint32) (*timestamp - timeline->last_timestamp));
  gint64 passed_us = arrival_us - timeline->last_timestamp_us;
  if (delta_us > passed_us + FORWARD_JUMP_US || delta_us < -BACKWARD_JUMP_US) {
    guint32 repaired = timeline->last_timestamp + ticks (timeline, MAX (passed_us, 1000));
    timeline->timestamp_offset += repaired - *timestamp;
    *timestamp = repaired;
    delta_us = passed_us;
    step->was_repaired = TRUE;
  }
  timeline->elapsed_us += delta_us;
  timeline->last_timestamp = *timestamp;
  timeline->last_timestamp_us = arrival_us;
}

TimelineStep timeline_packet (Timeline *timeline, guint8 *packet, gint64 arrival_us)
{
  TimelineStep step = { 0 };
  guint32 ssrc = read_32 (packet + 8);

  if (!timeline->is_anchored || ssrc != timeline->camera_ssrc)
    anchor (timeline, packet, arrival_us);

  guint16 sequence = (guint16) (read_16 (packet + 2) + timeline->sequence_offset);
  step.lost = step_sequence (timeline, &sequence);
  guint32 timestamp = read_32 (packet + 4) + timeline->timestamp_offset;
  step.is_new_timestamp = timestamp != timeline->last_timestamp;
  if (step.is_new_timestamp)
    step_timestamp (timeline, &timestamp, arrival_us, &step);

  write_16 (packet + 2, sequence);
  write_32 (packet + 4, timestamp);
  write_32 (packet + 8, timeline->ssrc);
  return step;
}

gint64 timeline_wall_us (Timeline *timeline, gint64 wall_us)
{
  gint64 captured_us = timeline->capture_base_us + timeline->elapsed_us;
  gint64 late_us = wall_us - captured_us;
  if (ABS (late_us) > CAPTURE_RESET_US || late_us < 0) /* nothing arrives before it was captured */
    timeline->capture_base_us += late_us;
  else
    timeline->capture_base_us += late_us / CAPTURE_CREEP;
  return timeline->capture_base_us + timeline->elapsed_us;
}

gint64 sender_report_wall_us (const SenderReport *report)
{
  gint64 seconds = (gint64) (report->ntp >> 32) - NTP_TO_UNIX;
  return seconds <= 0 ? 0 : seconds * G_USEC_PER_SEC + (gint64) ((report->ntp & G_MAXUINT32) * G_USEC_PER_SEC >> 32);
}

void sender_report_write (const SenderReport *report, guint32 timestamp, guint8 bytes[SENDER_REPORT_BYTES])
{
  gint64 ticks = (gint32) (timestamp - report->timestamp);
  guint64 ntp = report->ntp + (guint64) (ticks * (G_GINT64_CONSTANT (1) << 32) / report->clock_rate);
  memset (bytes, 0, SENDER_REPORT_BYTES);
  bytes[0] = 0x80;
  bytes[1] = RTCP_SENDER_REPORT;
  bytes[3] = SENDER_REPORT_BYTES / 4 - 1;
  write_32 (bytes + 4, report->ssrc);
  write_32 (bytes + 8, (guint32) (ntp >> 32));
  write_32 (bytes + 12, (guint32) ntp);
  write_32 (bytes + 16, timestamp);
}

static void rewrite_report (Timeline *timeline, guint8 *bytes, gsize size, SenderReport *report)
{
  write_32 (bytes + 4, timeline->ssrc);
  if (bytes[1] != RTCP_SENDER_REPORT || size < SENDER_REPORT_BYTES)
    return;
  guint32 timestamp = read_32 (bytes + 16) + timeline->timestamp_offset;
  write_32 (bytes + 16, timestamp);
  *report = (SenderReport){ (guint64) read_32 (bytes + 8) << 32 | read_32 (bytes + 12), timestamp, timeline->ssrc,
                            timeline->clock_rate };
}

gboolean timeline_rtcp (Timeline *timeline, guint8 *packet, gsize size, SenderReport *report)
{
  if (!timeline->is_anchored) /* its numbers can't be put on our timeline yet */
    return FALSE;
  for (gsize offset = 0; offset < size;) {
    guint8 *bytes = packet + offset;
    if (size - offset < 4 || bytes[0] >> 6 != 2)
      return FALSE;
    gsize length = 4 + 4 * (gsize) read_16 (bytes + 2);
    if (length > size - offset || bytes[1] == RTCP_BYE)
      return FALSE;
    if (length >= 8 && (bytes[1] == RTCP_SENDER_REPORT || bytes[1] == RTCP_RECEIVER_REPORT || bytes[1] == RTCP_SDES))
      rewrite_report (timeline, bytes, length, report);
    offset += length;
  }
  return size > 0;
}
