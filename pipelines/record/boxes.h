/* boxes.h: the boxes of ISO/IEC 14496-12 4.2, as walk and sample reader find them. Nothing is taken for granted.
 *
 * thread: any; no state. */
#pragma once

#include <glib.h>
#include <string.h>

enum { BOX_HEAD = 8 };

typedef struct {
  const guint8 *bytes;
  gsize size;
} BoxSpan;

static inline guint16 box_get_16 (const guint8 *bytes)
{
  return (guint16) (bytes[0] << 8 | bytes[1]);
}

static inline guint32 box_get_32 (const guint8 *bytes)
{
  return (guint32) bytes[0] << 24 | (guint32) bytes[1] << 16 | (guint32) bytes[2] << 8 | bytes[3];
}

static inline guint64 box_get_64 (const guint8 *bytes)
{
  return (guint64) box_get_32 (bytes) << 32 | box_get_32 (bytes + 4);
}

/* The next box of `span`, which shrinks; `body` is what is behind its head. FALSE at the end or at a lie. */
static inline gboolean box_next (BoxSpan *span, char type[5], BoxSpan *body)
{
  if (span->size < BOX_HEAD)
    return FALSE;
  gsize size = box_get_32 (span->bytes);
  if (size < BOX_HEAD || size > span->size)
    return FALSE;
  memcpy (type, span->bytes + 4, 4);
  type[4] = '\0';
  *body = (BoxSpan){ span->bytes + BOX_HEAD, size - BOX_HEAD };
  span->bytes += size;
  span->size -= size;
  return TRUE;
}

static inline gboolean box_find (BoxSpan span, const char *wanted, BoxSpan *body)
{
  char type[5];
  while (box_next (&span, type, body))
    if (strcmp (type, wanted) == 0)
      return TRUE;
  return FALSE;
}
