/* header_units.h: the NAL units of a video format's header, one by one. Our formats keep their parameter sets in Annex B (H.264 and
 * H.265, B.1: each behind a start code, with zeros before it).
 *
 * thread: any. */
#pragma once

#include "pipelines/live/access_unit.h"

typedef struct {
  const guint8 *next, *end; /* `next`: behind the next start code; NULL: there is none */
} HeaderUnits;

/* Borrows the format's header. */
HeaderUnits header_units (const MediaFormat *format);

/* FALSE after the last; `*nal` is borrowed from the header, and may be empty. */
gboolean header_units_next (HeaderUnits *units, const guint8 **nal, gsize *size);
