#include "pipelines/rtp/reception.h"

#include "pipelines/rtp/big_endian.h"
#include "pipelines/rtp/sender_report.h"

enum {
  RTCP_SENDER_REPORT = 200,
  RTCP_RECEIVER_REPORT = 201,
  RTCP_BYE = 203,
  RESTART_AT = 3000, /* RFC 3550 A.1: MAX_DROPOUT */
};

void reception_init (Reception *reception, guint32 clock_rate)
{
  *reception = (Reception){ .clock_rate = clock_rate };
}

static void begin (Reception *reception, const guint8 *packet)
{
  reception_init (reception, reception->clock_rate);
  reception->has_begun = TRUE;
  reception->ssrc = read_32 (packet + 8);
  reception->highest = (guint16) (read_16 (packet + 2) - 1);
  reception->first = (guint32) reception->highest + 1;
}

/* RFC 3550 A.8 */
static void note_transit (Reception *reception, const guint8 *packet, gint64 arrival_us)
{
  guint32 arrival = (guint32) (arrival_us * reception->clock_rate / G_USEC_PER_SEC);
  guint32 transit = arrival - read_32 (packet + 4);
  gint32 difference = (gint32) (transit - reception->transit);
  if (reception->received > 0) {
    guint32 distance = (guint32) ABS ((gint64) difference);
    reception->jitter_16 += distance - ((reception->jitter_16 + 8) >> 4);
  }
  reception->transit = transit;
}

void reception_packet (Reception *reception, const guint8 *packet, gint64 arrival_us)
{
  guint16 sequence = read_16 (packet + 2);
  gint ahead = (gint16) (sequence - reception->highest);
  if (!reception->has_begun || read_32 (packet + 8) != reception->ssrc || ABS (ahead) > RESTART_AT) {
    begin (reception, packet);
    ahead = 1;
  }
  if (ahead > 0) {
    if (sequence < reception->highest)
      reception->cycles += 1 << 16;
    reception->highest = sequence;
  }
  note_transit (reception, packet, arrival_us);
  reception->received++;
}

gboolean reception_rtcp (Reception *reception, const guint8 *packet, gsize size, gint64 arrival_us)
{
  gboolean says_goodbye = FALSE;
  for (gsize offset = 0; size - offset >= 8;) {
    const guint8 *bytes = packet + offset;
    gsize length = 4 + 4 * (gsize) read_16 (bytes + 2);
    if (bytes[0] >> 6 != 2 || length > size - offset)
      break;
    gboolean is_its_own = !reception->has_begun || read_32 (bytes + 4) == reception->ssrc;
    if (bytes[1] == RTCP_SENDER_REPORT && length >= 28 && is_its_own) {
      reception->last_report = read_32 (bytes + 10); /* the middle of the NTP time */
      reception->last_report_us = arrival_us;
    }
    says_goodbye |= bytes[1] == RTCP_BYE && length >= 8 && (bytes[0] & 0x1f) > 0 && is_its_own;
    offset += length;
  }
  return says_goodbye;
}

static void write_block (Reception *reception, gint64 now_us, guint8 *bytes)
{
  guint32 highest = reception->cycles + reception->highest;
  guint32 expected = highest - reception->first + 1;
  gint32 lost = (gint32) (expected - reception->received);
  guint32 expected_now = expected - reception->expected_prior, received_now = reception->received - reception->received_prior;
  gint64 lost_now = (gint64) expected_now - received_now;
  reception->expected_prior = expected;
  reception->received_prior = reception->received;
  write_32 (bytes, reception->ssrc);
  write_32 (bytes + 4, (guint32) CLAMP (lost, -0x800000, 0x7fffff) & 0xffffff);
  bytes[4] = (guint8) (expected_now == 0 || lost_now <= 0 ? 0 : MIN (lost_now * 256 / expected_now, 255));
  write_32 (bytes + 8, highest);
  write_32 (bytes + 12, reception->jitter_16 >> 4);
  write_32 (bytes + 16, reception->last_report);
  write_32 (bytes + 20, reception->last_report == 0 ? 0 : (guint32) ((now_us - reception->last_report_us) * 65536 / G_USEC_PER_SEC));
}

gsize reception_write (Reception *reception, guint32 our_ssrc, const char *name, gint64 now_us,
                       guint8 bytes[RECEPTION_REPORT_MAX])
{
  gsize size = reception->has_begun ? 32 : 8;
  bytes[0] = reception->has_begun ? 0x81 : 0x80;
  bytes[1] = RTCP_RECEIVER_REPORT;
  bytes[2] = 0;
  bytes[3] = (guint8) (size / 4 - 1);
  write_32 (bytes + 4, our_ssrc);
  if (reception->has_begun)
    write_block (reception, now_us, bytes + 8);
  return size + rtcp_write_name (our_ssrc, name, bytes + size);
}
