/* segment_reader.h: a recorded file, read with libavformat up to the bytes that the index knows of: a file that is being
 * written has more, and half of something at its end. What is damaged between whole fragments is left out.
 *
 * thread: one at a time. */
#pragma once

#include <libavformat/avformat.h>

#include "pipelines/record/recordings_index.h"

typedef struct {
  AVFormatContext *context;
  AVIOContext *io;
  int fd;
  gint64 size, at;
  GArray *holes; /* of SegmentHole: what is damaged */
  int video, audio; /* stream indices; audio -1: none */
} SegmentReader;

/* NULL with an error when it can't be read; ERROR_RETRY when it is gone. */
SegmentReader *segment_reader_open (const char *data_dir, const SegmentRow *row, GError **error);
void segment_reader_close (SegmentReader *reader); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SegmentReader, segment_reader_close)

/* The key picture nearest to `at_us` as Annex B with parameter sets; NULL when there is none. */
GBytes *segment_reader_key_near (const char *data_dir, const SegmentRow *row, gint64 at_us, const char **codec,
                                 gint64 *taken_at_us, GError **error);
