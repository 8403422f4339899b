/* decode_order.h: decoding times for pictures that come in decoding order with presentation times only, as RTP carries them.
 *
 * The decoding time of a picture is the smallest of the last `depth + 1` presentation times, which never runs backward and
 * is never later than the picture's own time, as long as `depth` pictures at most are reordered. Where a stream reorders
 * more than it said, the depth grows and one picture gets a decoding time behind its own (a signed offset: trun version 1). */
#pragma once

#include <glib.h>

enum { DECODE_DEPTH_MAX = 16 };

typedef struct {
  guint depth, count;
  gint64 window[DECODE_DEPTH_MAX + 2]; /* ascending */
  gint64 interval, last_dts, highest_pts;
  gboolean has_last;
} DecodeOrder;

/* `interval`: the ticks between two pictures that are assumed until two were seen. */
void decode_order_start (DecodeOrder *order, guint depth, gint64 interval);

/* The decoding time of the next picture: always later than the one before. */
gint64 decode_order_next (DecodeOrder *order, gint64 pts);
