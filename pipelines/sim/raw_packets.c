#include "pipelines/sim/raw_packets.h"

#include <string.h>

enum { PAYLOAD_TYPE = 96, TICKS_PER_FRAME = 9000, RTP_HEADER = 12, JUMP_TICKS = 3 * 3600 * 90000, SSRC = 0x47475349 };
enum { FLOOD_PACKETS = 450, FLOOD_PACKET = 1400 };

static const guint8 sps[] = { 0x67, 0x42, 0xc0, 0x0a, 0xdc, 0x42, 0x6c, 0x04, 0x40, 0x00, 0x00,
                              0x03, 0x00, 0x40, 0x00, 0x00, 0x05, 0x03, 0xc4, 0x89, 0xe0 };
static const guint8 pps[] = { 0x68, 0xce, 0x0f, 0x2c, 0x80 };
static const guint8 idr[] = { 0x65, 0x88, 0x84, 0x04, 0xbc, 0x98, 0xa0, 0x00, 0x38, 0xa3, 0x27, 0x27,
                              0x27, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x80 };

char *raw_description (const char *encoding)
{
  g_autofree char *sps_text = g_base64_encode (sps, sizeof sps), *pps_text = g_base64_encode (pps, sizeof pps);
  return g_strdup_printf ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=raw\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
                          "m=video 0 RTP/AVP %d\r\na=rtpmap:%d %s/90000\r\n"
                          "a=fmtp:%d packetization-mode=1;sprop-parameter-sets=%s,%s\r\na=control:track1\r\n",
                          PAYLOAD_TYPE, PAYLOAD_TYPE, encoding, PAYLOAD_TYPE, sps_text, pps_text);
}

static void put_interleaved (GByteArray *to, const void *packet, gsize size, guint stated_size)
{
  const guint8 head[] = { '$', 0, (guint8) (stated_size >> 8), (guint8) stated_size };
  g_byte_array_append (to, head, sizeof head);
  g_byte_array_append (to, packet, (guint) size);
}

/* Writes the fixed header (RFC 3550 5.1); `flags` are the bits of its first byte below the version. */
static void write_header (guint8 *header, RawPackets *packets, guint32 ticks, gboolean marker, guint8 flags)
{
  guint16 sequence = packets->sequence++;
  const guint8 bytes[RTP_HEADER] = {
    (guint8) (0x80 | flags),      (guint8) (PAYLOAD_TYPE | (marker ? 0x80 : 0)),
    (guint8) (sequence >> 8),     (guint8) sequence,
    (guint8) (ticks >> 24),       (guint8) (ticks >> 16),
    (guint8) (ticks >> 8),        (guint8) ticks,
    (guint8) (SSRC >> 24 & 0xff), (guint8) (SSRC >> 16 & 0xff),
    (guint8) (SSRC >> 8 & 0xff),  (guint8) (SSRC & 0xff),
  };
  memcpy (header, bytes, sizeof bytes);
}

static void put_packet (GByteArray *to, RawPackets *packets, guint32 ticks, gboolean marker, guint8 flags,
                        const guint8 *payload, gsize size)
{
  guint8 packet[RTP_HEADER + 64];
  write_header (packet, packets, ticks, marker, flags);
  memcpy (packet + RTP_HEADER, payload, size);
  put_interleaved (to, packet, RTP_HEADER + size, (guint) (RTP_HEADER + size));
}

/* What RFC 3550 and RFC 6184 forbid, each once. */
static void put_truncated (GByteArray *to, RawPackets *packets, guint32 ticks)
{
  static const guint8 aggregate[] = { 0x78, 0xff, 0xff, 0x67, 0x42 }; /* STAP-A whose unit is longer than the packet */
  static const guint8 fragment[] = { 0x7c };                          /* FU-A without its header */
  static const guint8 empty_fragment[] = { 0x7c, 0x85 };              /* FU-A of nothing */
  static const guint8 padding[] = { 0x65, 0x88, 0xff };               /* more padding than packet */
  static const guint8 extension[] = { 0xbe, 0xde, 0xff, 0xff };       /* a header extension of 256 KiB */
  put_interleaved (to, "", 0, 0);
  put_interleaved (to, "\x80", 1, 1);
  put_interleaved (to, "\x80\x60\x00\x01\x00\x00", 6, 6);
  put_packet (to, packets, ticks, FALSE, 0x0f, padding, 0); /* fifteen contributing sources, none there */
  put_packet (to, packets, ticks, FALSE, 0x20, padding, sizeof padding);
  put_packet (to, packets, ticks, FALSE, 0x10, extension, sizeof extension);
  put_packet (to, packets, ticks, FALSE, 0, aggregate, sizeof aggregate);
  put_packet (to, packets, ticks, FALSE, 0, fragment, sizeof fragment);
  put_packet (to, packets, ticks, FALSE, 0, empty_fragment, sizeof empty_fragment);
  put_packet (to, packets, ticks, FALSE, 0, padding, 0); /* no payload at all */
}

/* 450 packets of 1,400 bytes ten times a second: 50 Mb/s. Their headers are right, so that all of it is taken. */
static void put_flood (GByteArray *to, RawPackets *packets, guint32 ticks)
{
  for (guint i = 0; i < FLOOD_PACKETS; i++) {
    guint8 packet[FLOOD_PACKET];
    write_header (packet, packets, ticks, FALSE, 0);
    for (guint at = RTP_HEADER; at < FLOOD_PACKET; at++)
      packet[at] = (guint8) (at * 31 + i * 7 + packets->frames);
    put_interleaved (to, packet, sizeof packet, sizeof packet);
  }
}

GByteArray *raw_packets_frame (RawPackets *packets, RawFault fault)
{
  GByteArray *bytes = g_byte_array_new ();
  guint32 frame = packets->frames++, ticks = frame * TICKS_PER_FRAME;
  if (fault == RAW_JUMPING_TIME && frame / 10 % 2 == 1)
    ticks += JUMP_TICKS;
  if (fault == RAW_TRUNCATED_RTP)
    put_truncated (bytes, packets, ticks);
  if (fault == RAW_FLOODS && frame > 0)
    put_flood (bytes, packets, ticks);
  if (fault == RAW_LYING_LENGTHS && frame % 10 == 5)
    put_interleaved (bytes, idr, sizeof idr, 0xffff);
  put_packet (bytes, packets, ticks, FALSE, 0, sps, sizeof sps);
  put_packet (bytes, packets, ticks, FALSE, 0, pps, sizeof pps);
  put_packet (bytes, packets, ticks, TRUE, 0, idr, sizeof idr);
  return bytes;
}
