#include "pipelines/rtp/sender_report.h"

#include <string.h>

#include "pipelines/rtp/big_endian.h"

enum { RTCP_SENDER_REPORT = 200, RTCP_RECEIVER_REPORT = 201, RTCP_SDES = 202, RTCP_BYE = 203, SDES_CNAME = 1 };
#define NTP_TO_UNIX G_GINT64_CONSTANT (2208988800)

gint64 sender_report_wall_us (const SenderReport *report)
{
  gint64 seconds = (gint64) (report->ntp >> 32) - NTP_TO_UNIX;
  return seconds * G_USEC_PER_SEC + (gint64) ((report->ntp & G_MAXUINT32) * G_USEC_PER_SEC >> 32);
}

guint64 ntp_from_wall_us (gint64 wall_us)
{
  guint64 seconds = (guint64) (wall_us / G_USEC_PER_SEC + NTP_TO_UNIX);
  return seconds << 32 | (((guint64) (wall_us % G_USEC_PER_SEC) << 32) / G_USEC_PER_SEC);
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
  guint32 timestamp = (guint32) timeline_ticks_of (timeline, read_32 (bytes + 16));
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

void rtcp_set_ntp (guint8 *packet, gsize size, guint64 ntp)
{
  for (gsize offset = 0; size - offset >= SENDER_REPORT_BYTES; offset += 4 + 4 * (gsize) read_16 (packet + offset + 2)) {
    guint8 *bytes = packet + offset;
    if (bytes[1] != RTCP_SENDER_REPORT)
      continue;
    write_32 (bytes + 8, (guint32) (ntp >> 32));
    write_32 (bytes + 12, (guint32) ntp);
  }
}

/* One chunk of one item, in `size` bytes behind the header. */
static void write_chunk (guint32 ssrc, const char *name, gsize length, guint8 *packet, gsize size)
{
  packet[0] = 0x81;
  memset (packet + 4, 0, size);
  write_32 (packet + 4, ssrc);
  packet[8] = SDES_CNAME;
  packet[9] = (guint8) length;
  memcpy (packet + 10, name, length);
}

gsize rtcp_write_name (guint32 ssrc, const char *name, guint8 bytes[RTCP_NAME_MAX])
{
  gsize length = MIN (strlen (name), RTCP_NAME_LENGTH_MAX);
  gsize words = (4 + 2 + length + 4) / 4; /* SSRC, item, and one zero byte at least */
  bytes[1] = RTCP_SDES;
  bytes[2] = 0;
  bytes[3] = (guint8) words;
  write_chunk (ssrc, name, length, bytes, 4 * words);
  return 4 + 4 * words;
}

void rtcp_set_name (guint8 *packet, gsize size, const char *name)
{
  gsize length = strlen (name);
  for (gsize offset = 0; offset < size; offset += 4 + 4 * (gsize) read_16 (packet + offset + 2)) {
    guint8 *bytes = packet + offset;
    gsize room = 4 * (gsize) read_16 (bytes + 2);
    if (bytes[1] == RTCP_SDES && room >= 4 + 2 + length + 1)
      write_chunk (read_32 (bytes + 4), name, length, bytes, room);
  }
}
