/* archive.h: the recordings on disk: one thread that writes all cameras' files, keeps their index and deletes what is old.
 *
 * Loops hand batches of access units over through a bounded queue and never wait: when the disk is slow, archive_write
 * refuses and the recorder notes a gap. What was written is synced about once a second, files first and then the index in
 * one transaction; where a disk takes long for that, at most a fifth of the time goes into it. So SIGKILL costs nothing that
 * was handed over and written, a power cut about a second.
 *
 * A file that was begun and has no row yet, because the process was killed within that second, is found by its name at the
 * next start. An index that is lost or broken is built anew from the files, while recording goes on (archive_repair.c).
 *
 * thread: any, unless a function says otherwise. */
#pragma once

#include "gateway/core/clock.h"
#include "pipelines/live/access_unit.h"
#include "pipelines/record/recording_pins.h"
#include "pipelines/record/retention.h"

enum { ARCHIVE_QUEUE_ITEMS = 8192, ARCHIVE_DELETIONS_PER_TICK = 128 };

typedef struct Archive Archive;
typedef struct ArchiveTrack ArchiveTrack; /* one stream that is recorded */
typedef void (*ArchiveTask) (gpointer data);

/* Where a camera differs from the site. */
typedef struct {
  char *camera;
  gint64 retain_us, keep_at_least_us; /* -1: as the site's */
  gint64 max_bytes;                   /* of this camera; 0: no limit of its own */
} ArchiveCamera;

void archive_camera_free (ArchiveCamera *camera);

typedef struct {
  gint64 segment_us;
  RetentionLimits limits;
  GPtrArray *cameras; /* of ArchiveCamera; NULL: none differs. Immutable once handed over, as `holds` is */
  GPtrArray *holds;   /* of RetentionHold; NULL: nothing is held */
  RecordingPins *pins; /* outlive the archive; NULL: nobody reads */
  gsize queue_bytes;  /* that may wait for the disk, for archive_new; 0: by this process's memory */
} ArchiveSettings;

/* How recording fares, as a whole (`camera` is "") or of one camera. Valid during the call. */
typedef struct {
  const char *camera;
  gboolean is_recording;        /* FALSE: stopped, and `reason` says why; "" else */
  const char *reason;           /* "disk_full" "keep_at_least" "legal_hold" "write_error" */
  gint64 since_us, bytes, oldest_us;
  /* of a camera only */
  gboolean is_writing;          /* a file grows */
  const gint64 *deleted_bytes;  /* by RetentionReason, since the start */
  GHashTable *gaps;             /* reason → guint, since the start */
} ArchiveState;

/* On the disk thread, when something changes and now and then. */
typedef void (*ArchiveChanged) (const ArchiveState *state, gpointer data);

/* How much may wait for the disk where so much memory may be used: an eighth of it, at most 512 MiB. Beyond that time is lost,
 * a gap "slow_disk". */
gsize archive_queue_bytes (guint64 memory_bytes);

/* Opens the index under `data_dir`, repairs what a killed predecessor left (torn tails, gap "media_restart"), starts the
 * thread. */
Archive *archive_new (const char *data_dir, const ArchiveSettings *settings, const Clock *clock, ArchiveChanged changed,
                      gpointer data, GError **error);

void archive_set (Archive *archive, const ArchiveSettings *settings);

/* When a killed predecessor last wrote; 0: it ended in order, or there was none. */
gint64 archive_predecessor_end_us (const Archive *archive);

const char *archive_data_dir (const Archive *archive);

ArchiveTrack *archive_track_new (Archive *archive, const char *camera, const char *stream);

/* An event begins: what is recorded shall reach back to wall time `from_us`; until the first unit there is a gap with
 * `reason` (copied), unless other reasons or a recording cover it. */
void archive_begin (ArchiveTrack *track, gint64 from_us, const char *reason);

/* Hands over units in order; takes the array when it returns TRUE. `is_new`: time was lost before the first unit, which is
 * then a key picture; `reason` (static) says why. FALSE: the disk is too far behind. */
gboolean archive_write (ArchiveTrack *track, GPtrArray *units, gboolean is_new, const char *reason);

/* Nothing comes for now: ends the file; a gap begins. `reason` (copied) NULL: nothing is wanted, and a gap that lasts ends. */
void archive_pause (ArchiveTrack *track, const char *reason);

/* The track is the archive's from now on; its file ends. `reason` as for archive_pause. */
void archive_track_free (ArchiveTrack *track, const char *reason);

/* Runs `task` on the disk thread once everything handed over before is written, and in the index. */
void archive_call (Archive *archive, ArchiveTask task, gpointer data);

/* The same, and waits; retention has had a turn as well. Not from the disk thread. */
void archive_flush (Archive *archive);

/* Writes what waits, ends all files (gap "media_stopped") and the thread. All tracks must be freed. NULL is taken. */
void archive_free (Archive *archive);
