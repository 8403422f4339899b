/* segment_name.h: the name of a recorded file says of whom and of when it is, so that the files alone are enough to build the
 * index anew: recordings/CAMERA/STREAM/YYYYMMDD/HHMMSS-mmm[-N].mp4, in UTC, of the first picture.
 *
 * thread: any. */
#pragma once

#include <glib.h>

enum { SEGMENT_CAMERA_MAX = 64 };

typedef struct {
  char camera[SEGMENT_CAMERA_MAX + 1];
  const char *stream; /* "main" or "sub", static */
  gint64 wall_us;     /* to a millisecond */
} SegmentName;

/* Relative to the data folder; `number` tells files of one millisecond apart, 0: the first. NULL for a time that no calendar
 * has. Free with g_free. */
char *segment_name_new (const char *camera, const char *stream, gint64 wall_us, guint number);

/* FALSE when `relative` is no such name: nothing of ours. */
gboolean segment_name_parse (const char *relative, SegmentName *name);
