/* segment_file.h: one recorded file while it is written: init segment, then fragments with times from the file's own zero.
 *
 * thread: the disk thread. */
#pragma once

#include "pipelines/live/access_unit.h"

typedef struct {
  int fd;
  char *path;         /* absolute */
  gint64 bytes;       /* whole fragments */
  gint64 zero_us;     /* the stream's timeline at the file's zero: the decoding time of its first key picture */
  gint64 end_us;      /* the stream's timeline where its video ends so far */
  gint64 from_us;     /* wall time of the file's zero */
  gboolean is_reported; /* by the camera's sender reports, not by arrival */
  guint32 sequence;
  gboolean is_dirty;  /* written since the last sync */
  gboolean is_named;  /* its name is on disk */
  MediaFormat *video, *audio; /* audio NULL: none */
} SegmentFile;

/* The init segment of the formats in `units`, whose first is a key picture. NULL when no file can hold what the camera sends. */
GBytes *segment_file_head (const GPtrArray *units, GError **error);

/* Makes `path` (which must not exist yet) and writes `head`, which is of `units`. ERROR_RETRY when the disk is full. */
SegmentFile *segment_file_new (const char *path, const GPtrArray *units, GBytes *head, GError **error);

/* Appends one fragment of those of `units` that fit the file, in one write. On an error the file keeps what was whole. */
gboolean segment_file_append (SegmentFile *file, const GPtrArray *units, GError **error);

/* By how much `unit` was captured later than its place in the file says. */
gint64 segment_file_astray_us (const SegmentFile *file, const AccessUnit *unit);

/* Wall time of the end. */
gint64 segment_file_to_us (const SegmentFile *file);

/* Sets the kernel writing, and does not wait. */
void segment_file_start_sync (const SegmentFile *file);

/* Waits until what was written, and the file's name, are on disk. FALSE, and errno: they may not be. */
gboolean segment_file_sync (SegmentFile *file);

/* Closes. NULL is taken. */
void segment_file_free (SegmentFile *file);
