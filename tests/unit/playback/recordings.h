/* recordings.h: recordings on disk for tests: real coded media through the real archive.
 *
 * A stretch lies on a folder as camera "bridge", stream "main". */
#pragma once

#include "tests/unit/record/sample_stream.h"

extern const gint64 recordings_start_us; /* 2026-05-01T08:00:00Z */

/* Of a test program's group: eight seconds, a key picture each second, with B-frames and sound. */
extern GPtrArray *recordings_units;
int recordings_set_up (void **state);
int recordings_tear_down (void **state);

/* Writes all of `units` (of AccessUnit; a key picture each second), captured from `from_us` on, in files of `segment_us`.
 * Stretches of one folder follow each other in time; what lies between two is a gap "stalled". */
void recordings_add (const char *folder, const GPtrArray *units, gint64 from_us, gint64 segment_us);

/* `units` with key pictures of `bytes`, as those of a large picture are; nobody can decode them. Free with g_ptr_array_unref. */
GPtrArray *recordings_with_large_keys (const GPtrArray *units, gsize bytes);
