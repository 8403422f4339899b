/* recorded.h: eight seconds of a camera as access units, and what an archive makes of them: shared by the archive's tests.
 *
 * recorded_set_up and recorded_tear_down are of a test program's group. */
#pragma once

#include <jansson.h>

#include "pipelines/record/archive.h"
#include "pipelines/record/recordings_index.h"
#include "tests/unit/record/sample_stream.h"

#define HOUR_US (3600 * G_TIME_SPAN_SECOND)
#define DAY_US (24 * HOUR_US)

extern GPtrArray *recorded_units; /* a key picture each second, with B-frames and sound */
extern gint64 recorded_start_us;

int recorded_set_up (void **state);
int recorded_tear_down (void **state);

ArchiveSettings recorded_settings (gint64 segment_us);

/* With these settings and the machine's clock; `told` (NULL: nobody) is a told_note's. */
typedef struct Told Told;
Archive *recorded_archive (const char *folder, gint64 segment_us, Told *told);

/* The track ends, nothing is wanted any more, and the archive ends. */
void recorded_archive_free (Archive *archive, ArchiveTrack *track);

/* Batches of a second, as the recorder makes them; times moved by `shift_us`. */
void recorded_write (ArchiveTrack *track, guint from_second, guint to_second, gint64 shift_us, const char *reason);

/* The index of camera "bridge" in `folder`. */
json_t *recorded_list (const char *folder, gint64 from_us, gint64 to_us);
gint64 recorded_at (json_t *result, const char *name, guint entry, guint field);
guint recorded_count (json_t *result, const char *name);
GPtrArray *recorded_rows (const char *folder);

/* A SegmentRead of a GBytes. */
gboolean recorded_read_memory (gint64 offset, guint8 *bytes, gsize size, gpointer data);

/* What an archive has told last, of all and of "bridge". */
struct Told {
  gboolean is_recording, is_camera_recording, is_writing;
  char reason[32], camera_reason[32];
  gint64 bytes, camera_bytes, deleted_bytes[RETENTION_REASONS];
  guint changes, gaps;
};

void told_note (const ArchiveState *state, gpointer data);
