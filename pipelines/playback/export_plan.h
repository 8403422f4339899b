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

/* Who takes it. */
typedef struct {
  int pipe_fd;                   /* does not block; stays the caller's. Its reader is gone: all ends */
  int cancel_fd;                 /* readable: all ends */
  gint64 bytes_per_second;       /* no more is sent; 0: as fast as it is read */
  gint64 least_bytes_per_second; /* on the mean of each `window_us`, or it ends; 0: it may take its time */
  gint64 window_us;
  gint64 longest_us;             /* of sending; 0: it may take its time */
  void (*moved) (gint64 from_us, gpointer data); /* what was recorded before this wall time is done with; each window at least; or NULL */
  gpointer data;
} ExportClient;

typedef struct {
  gint64 from_us, to_us; /* wall */
} ExportSpan;

/* ERROR_GIVE_UP when nothing is recorded in this time; ERROR_REFUSE when it is too long, or its index is more than
 * `index_bytes_max`: the message says up to when it may go; ERROR_RETRY when the client is gone meanwhile. `client` NULL: it stays. */
ExportPlan *export_plan_new (const char *data_dir, const char *camera, const char *stream, gint64 from_us, gint64 to_us,
                             gsize index_bytes_max, const ExportClient *client, GError **error);

gint64 export_plan_bytes (const ExportPlan *plan);
const GArray *export_plan_spans (const ExportPlan *plan); /* of ExportSpan */

/* Writes the file. Ends early, FALSE: ERROR_RETRY when it was cancelled, ERROR_REFUSE when the client is too slow,
 * ERROR_RECONFIGURE when the disk or a recording is at fault (it can't be read, or went away), another when the client is gone. */
gboolean export_plan_write (ExportPlan *plan, const ExportClient *client, GError **error);

/* How much was written last, and the wall time that the client may have it up to, a file of recordings at a time; 0: nothing. */
gint64 export_plan_sent_bytes (const ExportPlan *plan);
gint64 export_plan_reached_us (const ExportPlan *plan);

void export_plan_free (ExportPlan *plan); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExportPlan, export_plan_free)
