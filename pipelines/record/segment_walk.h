/* segment_walk.h: what of a recorded file is whole.
 *
 * A file is an init segment and fragments; a process that is killed leaves a torn one at its end, a bad disk or memory
 * damage anywhere. The walk looks at boxes only (ISO/IEC 14496-12 4.2), takes nothing for granted, and reads no more than a
 * box's own head and one moof at a time; only what is damaged is searched for the next whole fragment.
 *
 * thread: any. */
#pragma once

#include <glib.h>

enum { SEGMENT_MOOF_BYTES_MAX = 1024 * 1024 };

/* Reads `size` bytes at `offset` into `bytes`; FALSE when they are not all there. */
typedef gboolean (*SegmentRead) (gint64 offset, guint8 *bytes, gsize size, gpointer data);

typedef struct {
  gint64 good_bytes;   /* where the last whole fragment ends; 0: not even the init segment is whole */
  gint64 duration_us;  /* the end of the last video sample */
  guint fragments;
  gboolean is_h265, has_audio;
  gboolean is_damaged; /* before good_bytes, too */
} SegmentFacts;

SegmentFacts segment_walk (SegmentRead read, gpointer data, gint64 size);

/* Where the next whole fragment begins, at `from` or later; -1: there is none, or it can't be read. */
gint64 segment_find_fragment (SegmentRead read, gpointer data, gint64 from, gint64 size);

typedef struct {
  gint64 from, to;
} SegmentHole;

/* What is damaged between whole fragments, of SegmentHole, in order; the last one may reach to the end. A fragment of which half is
 * damaged is so as a whole. */
GArray *segment_holes (SegmentRead read, gpointer data, gint64 size);

/* The same for a file; with `repair` a torn tail behind the last whole fragment is cut off. FALSE when it can't be opened or read,
 * which says nothing about what it holds: nothing is cut then. */
gboolean segment_walk_file (const char *path, gboolean repair, SegmentFacts *facts, GError **error);
