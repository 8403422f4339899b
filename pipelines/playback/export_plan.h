/* export_plan.h: a stretch of a stream's recordings as one ordinary MP4, index in front, that never lies on a disk.
 *
 * Two passes. The first reads where the samples are (the moof of each fragment, about a hundredth of the bytes) and makes
 * the whole head of the file from that; so its size is known before a byte is sent. The second sends the head and then the
 * samples out of the recorded files, from page cache to pipe, without a copy. What it needs of memory is the index:
 * 4 bytes a sample, 8 more for each duration and each composition time that differs from the one before, 32 a fragment and
 * track. It is collected, and then written once more as the head; what was collected is freed but for the chunks. So
 * EXPORT_INDEX_BYTES_MAX bounds it at about 60 MB while the head is made, and at 30 MB and the chunks after that: a day of 25
 * pictures a second at an even pace with sound of 16 kHz is some 20 MB, one with jitter and B-frames is too long.
 *
 * It begins with the key picture at or before `from` and ends before `to`. What is missing takes no time in it; `spans` say
 * what it holds. New parameter sets are another sample entry; another codec, and it ends there.
 *
 * thread: any but a loop and main: both passes wait for the disk. */
#pragma once

#include <glib.h>

enum { EXPORT_INDEX_BYTES_MAX = 30 * 1000 * 1000, EXPORT_SPANS_MAX = 500 };

#define EXPORT_LONGEST_US ((gint64) 24 * 3600 * G_USEC_PER_SEC)

typedef struct ExportPlan ExportPlan;

typedef struct {
  gint64 from_us, to_us; /* wall */
} ExportSpan;

/* ERROR_GIVE_UP when nothing is recorded in this time; ERROR_REFUSE when it is too long, or its index is more than
 * `index_bytes_max`: the message says up to when it may go. */
ExportPlan *export_plan_new (const char *data_dir, const char *camera, const char *stream, gint64 from_us, gint64 to_us,
                             gsize index_bytes_max, GError **error);

gint64 export_plan_bytes (const ExportPlan *plan);
const GArray *export_plan_spans (const ExportPlan *plan); /* of ExportSpan */

/* Writes the file to `pipe_fd`, which does not block, and stays the caller's; at most `bytes_per_second`, 0: as fast as it
 * is read. Ends early, FALSE, when the reader is gone, when `cancel_fd` becomes readable, or when a recording went away. */
gboolean export_plan_write (const ExportPlan *plan, int pipe_fd, int cancel_fd, gint64 bytes_per_second, GError **error);

void export_plan_free (ExportPlan *plan); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExportPlan, export_plan_free)
