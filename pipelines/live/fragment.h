/* fragment.h: one movie fragment (ISO/IEC 14496-12 8.8) from access units.
 *
 * Not by libavformat: it predicts the first time of a live fragment from the previous duration, so that a millisecond of
 * jitter breaks the order of B-frames.
 *
 * thread: any. */
#pragma once

#include "pipelines/live/access_unit.h"

enum { FRAGMENT_UNITS_MAX = 1024 };

/* Appends moof and mdat of `units` (of AccessUnit, each track in decoding order) to `out`. `zero_us` is the time on the
 * stream's timeline that becomes 0; no unit may be earlier. */
void fragment_append (GByteArray *out, guint32 sequence, const GPtrArray *units, gint64 zero_us);

/* The same without what the units hold: what must follow is the bytes of the pictures, then those of the sound. */
void fragment_append_head (GByteArray *out, guint32 sequence, const GPtrArray *units, gint64 zero_us);

/* A unit's time in microseconds of the stream's timeline. */
gint64 access_unit_dts_us (const AccessUnit *unit);
gint64 access_unit_duration_us (const AccessUnit *unit);
gint64 access_unit_pts_us (const AccessUnit *unit);

/* The wall time of its decoding time: when a picture was captured that would be shown then. */
gint64 access_unit_dts_wall_us (const AccessUnit *unit);
