/* recording_cursor.h: one stream's recordings as one sequence, file after file, from any time on.
 *
 * It hands out a recorded fragment (at most a second) at a time: where its samples are, not their bytes. Times go two ways:
 * the wall's, and a timeline on which what is missing takes no time. A file that is being written is read up to what the
 * index knows of it, and goes on when that has grown; a file that is gone or broken is a gap.
 *
 * thread: one at a time, never a loop: it reads the disk. */
#pragma once

#include "pipelines/record/recordings_index.h"
#include "pipelines/record/segment_samples.h"

typedef struct RecordingCursor RecordingCursor;

typedef struct {
  GArray *samples;                    /* of SegmentSample; the cursor's, until its next call */
  const SegmentTrack *tracks[2];      /* video, sound; the cursor's, as long */
  int fd;                             /* the file; the cursor's, as long */
  const char *file;                   /* relative to the data folder; the cursor's, as long */
  gint64 wall_us;                     /* wall time of the file's zero */
  gint64 timeline_us;                 /* the file's zero on the timeline, which begins with 0 at the first picture handed out */
  gint64 gap_from_us, gap_to_us;      /* wall; what is missing before this part; equal: nothing is */
  gboolean is_new_file;               /* the tracks may be others than before */
} RecordedPart;

/* `stream` is "main" or "sub". ERROR_RETRY when there is no index to read. */
RecordingCursor *recording_cursor_new (const char *data_dir, const char *camera, const char *stream, GError **error);

/* The next part begins with the key picture at or before `at_us`, or, where nothing is recorded, with the next one after.
 * `forget` starts the timeline at 0 again; else it goes on where it was. FALSE with an error. */
gboolean recording_cursor_seek (RecordingCursor *cursor, gint64 at_us, gboolean forget, GError **error);

/* FALSE: there is nothing more for now, or `error` is set. The first part after a seek begins with the key picture. */
gboolean recording_cursor_next (RecordingCursor *cursor, RecordedPart *part, GError **error);

/* Why time is missing; free with g_free. */
char *recording_cursor_gap_reason (RecordingCursor *cursor, gint64 from_us, gint64 to_us);

void recording_cursor_free (RecordingCursor *cursor); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RecordingCursor, recording_cursor_free)

/* A sample's decoding time on the timeline, in ticks of its track. */
gint64 recorded_timeline_ticks (const RecordedPart *part, const SegmentSample *sample);

/* A sample's times in microseconds of its file, and on the wall. */
gint64 recorded_dts_us (const RecordedPart *part, const SegmentSample *sample);
gint64 recorded_wall_us (const RecordedPart *part, const SegmentSample *sample); /* of its decoding, as clips count */
gint64 recorded_duration_us (const RecordedPart *part, const SegmentSample *sample);
