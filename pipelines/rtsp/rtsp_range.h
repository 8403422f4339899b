/* rtsp_range.h: the Range and Scale headers of a PLAY on recordings (RFC 2326 12.29, 3.6, 3.7, 12.34).
 *
 * thread: any; no state. */
#pragma once

#include <glib.h>

enum { RTSP_SCALE_MAX = 16 };

typedef struct {
  gint64 from_us, to_us; /* wall; -1: not said */
} RtspRange;

/* clock=20260501T080000.25Z-[20260501T090000Z], or npt=SECONDS-[SECONDS] counted from `zero_us`; npt=now- says nothing. NULL is
 * taken. FALSE when it is none of these. */
gboolean rtsp_range_parse (const char *header, gint64 zero_us, RtspRange *range);

/* 20260501T080000.000Z; free with g_free. */
char *rtsp_clock_text (gint64 wall_us);

/* 1, or 2 to 16 for key pictures alone: what we can do that is nearest to what is asked. NULL is taken. */
double rtsp_scale_parse (const char *header);
