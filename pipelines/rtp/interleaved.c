#include "pipelines/rtp/interleaved.h"

#include <string.h>

/* A start line begins with a method or "RTSP/": a capital letter. Line ends before it are tolerated (RFC 2326 4.1). */
static gboolean may_start_message (guint8 byte)
{
  return (byte >= 'A' && byte <= 'Z') || byte == '\r' || byte == '\n';
}

/* After garbage we go on at a frame that looks like RTP or RTCP (version 2), or at an answer's start line. */
static gboolean looks_like_start (const guint8 *bytes, gsize available)
{
  if (bytes[0] == '$')
    return available <= INTERLEAVED_HEADER || bytes[INTERLEAVED_HEADER] >> 6 == 2;
  return memcmp (bytes, "RTSP/", MIN (available, 5)) == 0;
}

static gsize garbage_size (const guint8 *bytes, gsize available)
{
  gsize size = 1;
  while (size < available && !looks_like_start (bytes + size, available - size))
    size++;
  return size;
}

InterleavedKind interleaved_next (const guint8 *bytes, gsize available, gsize *size)
{
  *size = 0;
  if (available == 0)
    return INTERLEAVED_MORE;
  if (bytes[0] != '$') {
    if (may_start_message (bytes[0]))
      return INTERLEAVED_MESSAGE;
    *size = garbage_size (bytes, available);
    return INTERLEAVED_GARBAGE;
  }
  if (available < INTERLEAVED_HEADER)
    return INTERLEAVED_MORE;
  gsize whole = INTERLEAVED_HEADER + ((gsize) bytes[2] << 8 | bytes[3]);
  if (whole > available)
    return INTERLEAVED_MORE;
  *size = whole;
  return INTERLEAVED_FRAME;
}
