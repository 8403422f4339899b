/* byte_reader.h: a place in bytes that nobody can read beyond.
 *
 * A reader that was asked for more than there is gives zeros from then on and says so (is_short).
 *
 * thread: any. */
#pragma once

#include <glib.h>

typedef struct {
  const guint8 *at, *end;
  gboolean is_short;
} ByteReader;

static inline gsize byte_reader_left (const ByteReader *reader)
{
  return (gsize) (reader->end - reader->at);
}

/* The next `size` bytes, borrowed; NULL when there are fewer. */
static inline const guint8 *byte_reader_take (ByteReader *reader, guint64 size)
{
  if (reader->is_short || size > byte_reader_left (reader)) {
    reader->is_short = TRUE;
    reader->at = reader->end;
    return NULL;
  }
  const guint8 *taken = reader->at;
  reader->at += size;
  return taken;
}

/* An unsigned number of `size` bytes (at most 8), the first the highest. */
static inline guint64 byte_reader_big (ByteReader *reader, guint size)
{
  const guint8 *bytes = byte_reader_take (reader, size);
  guint64 number = 0;
  for (guint i = 0; bytes != NULL && i < size; i++)
    number = number << 8 | bytes[i];
  return number;
}

/* The same, the first the lowest. */
static inline guint64 byte_reader_little (ByteReader *reader, guint size)
{
  const guint8 *bytes = byte_reader_take (reader, size);
  guint64 number = 0;
  for (guint i = 0; bytes != NULL && i < size; i++)
    number |= (guint64) bytes[i] << (8 * i);
  return number;
}

/* `number` of `size` bytes as a signed one (two's complement). */
static inline gint64 sign_extend (guint64 number, guint size)
{
  guint unused_bits = 64 - 8 * size;
  return (gint64) (number << unused_bits) >> unused_bits;
}
