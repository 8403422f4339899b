#include "pipelines/playback/packetizer.h"

#include <string.h>

#include "pipelines/playback/header_units.h"

enum { RTP_HEADER = 12, RTP_MARKER = 0x80, LENGTH = 2 };
enum { H264_STAP_A = 24, H264_FU_A = 28, H265_AP = 48, H265_FU = 49 };

typedef struct {
  Packetizer *packetizer;
  guint32 timestamp;
  gboolean is_h265;
  PacketizerOutput output;
  gpointer data;
  guint8 packet[RTP_HEADER + PACKET_PAYLOAD_MAX];
  gsize filled;      /* of the payload: NAL units that wait to share a packet, each behind its length */
  guint waiting;
} Run;

static void put_16 (guint8 *bytes, gsize value)
{
  bytes[0] = (guint8) (value >> 8);
  bytes[1] = (guint8) value;
}

static void put_32 (guint8 *bytes, guint32 value)
{
  put_16 (bytes, value >> 16);
  put_16 (bytes + 2, value & 0xffff);
}

/* `size` bytes of payload stand in the packet. */
static void send_packet (Run *run, gsize size, gboolean has_marker)
{
  Packetizer *packetizer = run->packetizer;
  run->packet[0] = 0x80;
  run->packet[1] = (guint8) (packetizer->payload_type | (has_marker ? RTP_MARKER : 0));
  put_16 (run->packet + 2, packetizer->sequence++);
  put_32 (run->packet + 4, run->timestamp);
  put_32 (run->packet + 8, packetizer->ssrc);
  run->output (run->packet, RTP_HEADER + size, run->data);
}

static gsize head_size (const Run *run)
{
  return run->is_h265 ? 2 : 1;
}

/* ---- NAL units that share a packet ---- */

/* The header of an aggregation packet takes over what the highest of them say (RFC 6184 5.7, RFC 7798 4.4.2). */
static void write_aggregate_head (Run *run)
{
  guint8 *payload = run->packet + RTP_HEADER;
  guint8 importance = 0, layer = 63, temporal = 7, forbidden = 0;
  for (gsize at = head_size (run); at < run->filled;) {
    const guint8 *nal = payload + at + LENGTH;
    gsize size = (gsize) payload[at] << 8 | payload[at + 1];
    importance = MAX (importance, nal[0] & 0x60);
    forbidden |= nal[0] & 0x80;
    if (run->is_h265) {
      layer = MIN (layer, (guint8) ((nal[0] & 1) << 5 | nal[1] >> 3));
      temporal = MIN (temporal, nal[1] & 7);
    }
    at += LENGTH + size;
  }
  if (!run->is_h265) {
    payload[0] = (guint8) (forbidden | importance | H264_STAP_A);
    return;
  }
  payload[0] = (guint8) (forbidden | H265_AP << 1 | layer >> 5);
  payload[1] = (guint8) (layer << 3 | temporal);
}

static void send_waiting (Run *run, gboolean has_marker)
{
  guint8 *payload = run->packet + RTP_HEADER;
  gsize head = head_size (run);
  if (run->waiting == 0)
    return;
  if (run->waiting == 1) { /* alone, it needs no wrapping */
    gsize size = run->filled - head - LENGTH;
    memmove (payload, payload + head + LENGTH, size);
    send_packet (run, size, has_marker);
  } else {
    write_aggregate_head (run);
    send_packet (run, run->filled, has_marker);
  }
  run->waiting = 0;
}

/* ---- a NAL unit in pieces ---- */

static void send_pieces (Run *run, const guint8 *nal, gsize size, gboolean has_marker)
{
  guint8 *payload = run->packet + RTP_HEADER;
  gsize head = head_size (run);
  guint8 type = run->is_h265 ? nal[0] >> 1 & 63 : nal[0] & 31;
  for (gsize at = head; at < size;) {
    gsize piece = MIN (size - at, PACKET_PAYLOAD_MAX - head - 1);
    gboolean is_first = at == head, is_last = at + piece == size;
    payload[0] = run->is_h265 ? (guint8) ((nal[0] & 0x81) | H265_FU << 1) : (guint8) ((nal[0] & 0xe0) | H264_FU_A);
    if (run->is_h265)
      payload[1] = nal[1];
    payload[head] = (guint8) ((is_first ? 0x80 : 0) | (is_last ? 0x40 : 0) | type);
    memcpy (payload + head + 1, nal + at, piece);
    send_packet (run, head + 1 + piece, has_marker && is_last);
    at += piece;
  }
}

static void push_nal (Run *run, const guint8 *nal, gsize size, gboolean is_last)
{
  guint8 *payload = run->packet + RTP_HEADER;
  gsize needed = LENGTH + size;
  if (size <= head_size (run))
    return; /* a header without a body says nothing */
  if (run->waiting > 0 && run->filled + needed > PACKET_PAYLOAD_MAX)
    send_waiting (run, FALSE);
  if (head_size (run) + needed > PACKET_PAYLOAD_MAX) {
    if (size <= PACKET_PAYLOAD_MAX) { /* a single piece would be first and last, which no receiver takes */
      memcpy (payload, nal, size);
      send_packet (run, size, is_last);
    } else {
      send_pieces (run, nal, size, is_last);
    }
    return;
  }
  if (run->waiting == 0)
    run->filled = head_size (run);
  put_16 (payload + run->filled, size);
  memcpy (payload + run->filled + LENGTH, nal, size);
  run->filled += needed;
  run->waiting++;
  if (is_last)
    send_waiting (run, TRUE);
}

static void push_parameter_sets (Run *run, const MediaFormat *format)
{
  HeaderUnits units = header_units (format);
  const guint8 *nal;
  gsize size;
  while (header_units_next (&units, &nal, &size))
    push_nal (run, nal, size, FALSE);
}

static gboolean push_picture (Run *run, const AccessUnit *unit)
{
  if (unit->is_key)
    push_parameter_sets (run, unit->format);
  for (gsize at = 0; at < unit->size;) {
    const guint8 *bytes = unit->bytes + at;
    gsize left = unit->size - at;
    gsize size = left >= 4 ? (gsize) bytes[0] << 24 | (gsize) bytes[1] << 16 | (gsize) bytes[2] << 8 | bytes[3] : G_MAXSIZE;
    if (left < 4 || size > left - 4)
      return FALSE;
    push_nal (run, bytes + 4, size, at + 4 + size == unit->size);
    at += 4 + size;
  }
  return TRUE;
}

/* One AU-header of 13 bits of size and 3 of index; a large frame comes in pieces, each with the whole size. */
static void push_sound (Run *run, const AccessUnit *unit)
{
  guint8 *payload = run->packet + RTP_HEADER;
  for (gsize at = 0; at < unit->size;) {
    gsize piece = MIN (unit->size - at, PACKET_PAYLOAD_MAX - 4);
    put_16 (payload, 16);
    put_16 (payload + 2, unit->size << 3);
    memcpy (payload + 4, unit->bytes + at, piece);
    at += piece;
    send_packet (run, 4 + piece, at == unit->size);
  }
}

gboolean packetizer_push (Packetizer *packetizer, const AccessUnit *unit, guint32 timestamp, PacketizerOutput output,
                          gpointer data)
{
  Run run = { .packetizer = packetizer, .timestamp = timestamp, .is_h265 = unit->format->codec == CODEC_H265, .output = output,
              .data = data };
  if (access_unit_is_video (unit))
    return push_picture (&run, unit);
  if (unit->format->codec != CODEC_AAC || unit->size > 8191)
    return FALSE;
  push_sound (&run, unit);
  return TRUE;
}
