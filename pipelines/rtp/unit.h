/* unit.h: what moves through gridgate-media: a run of interleaved RTP packets as they arrived.
 *
 * A unit is a byte range of a pooled block: one or more `$ channel length packet` frames (RFC 2326 10.12), whole ones only,
 * in order of arrival. It ends at a marker, a changed timestamp or 48 KiB, so an access unit is one unit or a few. Its
 * bytes are immutable once it is published (RTP timestamps were repaired in place before). Channels are ours: 2 × track
 * for RTP, 2 × track + 1 for RTCP.
 *
 * thread: a block and its units belong to one loop; references are not atomic. */
#pragma once

#include <glib.h>

#include "pipelines/rtp/block.h"

typedef struct {
  Block *block;
  guint32 offset, size;   /* bytes in block */
  guint16 packets;
  gboolean is_random_access; /* the first video packet starts a random access point, parameter sets included */
  gboolean ends_access_unit; /* the last video packet has the marker, or its timestamp ended */
  gint64 arrival_us;      /* monotonic, of its first byte */
  gint64 wall_us;         /* when it was captured, as far as is known: sender reports, else its arrival */
} Unit;

/* Makes one unit of `unit` and of `next` behind it. FALSE when `next` isn't the bytes right behind, or starts a random access
 * point. */
static inline gboolean unit_join (Unit *unit, const Unit *next)
{
  if (next->is_random_access || next->block != unit->block || next->offset != unit->offset + unit->size)
    return FALSE;
  unit->size += next->size;
  unit->packets = (guint16) (unit->packets + next->packets); /* a block has no room for more */
  unit->ends_access_unit = next->ends_access_unit;
  return TRUE;
}
