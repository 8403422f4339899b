/* clip.h: a clip is one ordinary MP4, index in front, cut at key frames from recorded files or from memory, without coding
 * anything again.
 *
 * It begins at the key picture at or before `from` and ends with the last picture before `to`, as far as there is any; the
 * result says what it really holds. Where the parameter sets change in the middle, it ends there.
 *
 * thread: any but a loop and main; these wait for the disk. */
#pragma once

#include <glib.h>

typedef struct {
  gint64 from_us, to_us; /* wall time, what is really in it */
  gint64 bytes;
  char sha256[65];
} ClipResult;

/* `units`: of AccessUnit, in decoding order. Writes to `fd`, which is empty and stays the caller's, and syncs it.
 * ERROR_GIVE_UP when nothing falls into the time. */
gboolean clip_from_units (int fd, const GPtrArray *units, gint64 from_us, gint64 to_us, ClipResult *result,
                          GError **error);

/* `rows`: of SegmentRow, in order of time. A file that has gone meanwhile is left out. */
gboolean clip_from_segments (int fd, const char *data_dir, const GPtrArray *rows, gint64 from_us, gint64 to_us,
                             ClipResult *result, GError **error);
