/* segment_walk.h: what of a recorded file is whole.
 *
 * A file is an init segment and fragments; a process that is killed leaves a torn one at its end. The walk looks at boxes
 * only (ISO/IEC 14496-12 4.2), takes nothing for granted and never reads more than a box's own head and one moof.
 *
 * thread: any. */
#pragma once

#include <glib.h>

enum { SEGMENT_MOOF_BYTES_MAX = 1024 * 1024 };

/* Reads `size` bytes at `offset` into `bytes`; FALSE when they are not all there. */
typedef gboolean (*SegmentRead) (gint64 offset, guint8 *bytes, gsize size, gpointer data);

typedef struct {
  gint64 good_bytes;   /* up to here everything is whole; 0: not even the init segment */
  gint64 duration_us;  /* the end of the last video sample */
  guint fragments;
  gboolean is_h265, has_audio;
} SegmentFacts;

SegmentFacts segment_walk (SegmentRead read, gpointer data, gint64 size);

/* The same for a file; with `repair` what follows good_bytes is cut off. FALSE when it can't be opened or read,
 * which says nothing about what it holds: nothing is cut then. */
gboolean segment_walk_file (const char *path, gboolean repair, SegmentFacts *facts, GError **error);
