/* big_endian.h: the numbers of RTP and RTCP headers.
 *
 * thread: any. */
#pragma once

#include <glib.h>

static inline guint16 read_16 (const guint8 *bytes)
{
  return (guint16) (bytes[0] << 8 | bytes[1]);
}

static inline guint32 read_32 (const guint8 *bytes)
{
  return (guint32) bytes[0] << 24 | (guint32) bytes[1] << 16 | (guint32) bytes[2] << 8 | bytes[3];
}

static inline void write_16 (guint8 *bytes, guint16 value)
{
  bytes[0] = (guint8) (value >> 8);
  bytes[1] = (guint8) value;
}

static inline void write_32 (guint8 *bytes, guint32 value)
{
  write_16 (bytes, (guint16) (value >> 16));
  write_16 (bytes + 2, (guint16) value);
}
