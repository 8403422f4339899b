/* archive_private.h: the archive's insides, shared by archive.c (threads and queue), archive_disk.c (files and rows),
 * archive_accounts.c (who has how much), archive_retain.c (what goes) and archive_repair.c (what a predecessor left)
 * and archive_rebuild.c (the index built anew).
 *
 * thread: the disk thread, but for what archive.c says. */
#pragma once

#include "gateway/core/queue.h"
#include "pipelines/record/archive.h"
#include "pipelines/record/recorded_files.h"
#include "pipelines/record/recordings_index.h"
#include "pipelines/record/segment_file.h"

enum {
  STREAMS = 2,                                  /* main and sub */
  ARCHIVE_MOVED_MAX_US = 5 * G_USEC_PER_SEC, /* by so much at most the first report moves a file's time, and its name with it */
};

/* What one stream of a camera has on disk. */
typedef struct {
  gint64 bytes;
  SegmentRow *oldest; /* finished, not held and not pinned; NULL: there is none */
  gboolean is_known;  /* `oldest` is so */
  gint64 from_us;     /* what begins before can't be deleted: it is tried again in a minute */
} Shelf;

typedef struct {
  char *camera;
  gint64 retain_us, keep_at_least_us, max_bytes;
  Shelf shelves[STREAMS];
  const char *stop_reason; /* NULL: its own limit stops nothing */
  gint64 since_us, told_us;
  guint files;             /* that grow */
  gboolean is_told_writing;
  gint64 deleted_bytes[RETENTION_REASONS];
  GHashTable *gaps;        /* reason → count */
} CameraAccount;

/* A file and its row: while it grows, and then until both are on disk. */
typedef struct {
  SegmentFile *file; /* NULL: ended and synced, the row is not */
  SegmentRow *row;
  const char *tracks;
  gboolean has_failed; /* a sync did: a later one that succeeds says nothing of what that one lost */
} OpenSegment;

typedef struct Rebuild Rebuild;

struct Archive {
  char *data_dir;
  const Clock *clock;
  ArchiveChanged changed;
  gpointer data;
  Queue *queue;
  GThread *thread;
  GMutex mutex;             /* guards the next two */
  ArchiveSettings settings;
  guint settings_version;
  gint64 predecessor_end_us;

  RecordingsIndex *index;
  gboolean has_begun;       /* a transaction is open, which the next sync commits */
  gboolean has_lost;        /* a commit failed, or what it should hold: rows and gaps must be written again */
  gboolean has_failed;      /* what the next commit should hold could not be entered */
  gboolean is_broken;       /* the index can't be read: it must be built anew */
  Rebuild *rebuild;         /* NULL: the index is whole, or was built anew */
  gboolean is_rebuilt;      /* it was, by this process */
  GPtrArray *tracks;        /* of ArchiveTrack */
  GPtrArray *ended;         /* of OpenSegment */
  GHashTable *accounts;     /* camera → CameraAccount */
  guint known_version;      /* of the settings that the accounts have */
  gint64 bytes;             /* of all files */
  RetentionClock age;
  RecordingPins *pins;      /* of the settings */
  gboolean ignores_pins;    /* for want of space, in this turn */
  const char *stop_reason;  /* NULL: recording */
  gint64 since_us, told_us, stopped_monotonic_us, pruned_us, aged_us;
};

struct ArchiveTrack {
  Archive *archive;
  char *camera, *stream;
  gboolean is_paused;       /* the loop's: nothing was written since a pause with a reason */
  CameraAccount *account;   /* NULL until the disk thread knows the track */
  OpenSegment *segment;     /* NULL: waits for a key picture */
  gint64 end_us;            /* wall time where the last file ended; 0: none yet */
  char *gap_reason;         /* of the gap that lasts; NULL: none does */
  gint64 gap_from_us;
};

/* ---- archive_disk.c ---- */

void archive_disk_begin (ArchiveTrack *track, gint64 from_us, const char *reason);
void archive_disk_write (ArchiveTrack *track, GPtrArray *units, gboolean is_new, const char *reason);
void archive_disk_pause (ArchiveTrack *track, const char *reason);

/* Ends the track's file; a gap with `reason` begins. */
void archive_disk_stop (ArchiveTrack *track, const char *reason);

/* Syncs the files that were written, then their rows. */
void archive_disk_sync (Archive *archive);
void archive_disk_close (Archive *archive);

/* Whether rows may be written: what is, is committed with the next sync. */
gboolean archive_index_begin (Archive *archive);
gboolean archive_index_commit (Archive *archive);

/* Logs and clears `error`. A broken index is built anew by the next tick. */
void archive_log_failure (Archive *archive, const char *what, const char *camera, GError *error);

/* ---- archive_accounts.c ---- */

guint stream_number (const char *stream);
const char *stream_of_number (guint number);
CameraAccount *archive_account (Archive *archive, const char *camera);
void camera_account_free (gpointer data);
void archive_add_bytes (CameraAccount *account, Archive *archive, const char *stream, gint64 bytes);
void archive_count_gap (CameraAccount *account, const char *reason);

/* Bytes of all, from the index. */
gboolean archive_read_accounts (Archive *archive, GError **error);

/* The site's settings and the cameras' limits as they are now; `limits` and `holds` (a reference, or NULL) for this turn. */
void archive_take_settings (Archive *archive, RetentionLimits *limits, GPtrArray **holds);

/* Space is short and nothing may go: what is pinned may, until archive_heed_pins. FALSE: it may already, or there are no pins. */
gboolean archive_ignore_pins (Archive *archive);
void archive_heed_pins (Archive *archive);

/* The oldest of a stream that may be deleted at all; NULL: nothing. Borrowed. */
const SegmentRow *archive_oldest (Archive *archive, CameraAccount *account, guint stream, const GPtrArray *holds);

void archive_tell (Archive *archive);
void archive_tell_camera (Archive *archive, CameraAccount *account);

/* What is due of both. */
void archive_tell_now_and_then (Archive *archive);

/* ---- archive_retain.c ---- */

/* Deletes what retention says, stops and resumes recording. */
void archive_disk_retain (Archive *archive);

#define ARCHIVE_AGE "age" /* the index's mark: how far the retention clock has come */

/* With the next commit. */
void archive_save_age (Archive *archive);

/* Nothing is recorded from now on. */
void archive_stop_recording (Archive *archive, const char *reason);

/* ---- archive_repair.c ---- */

/* Opens the index and repairs what a killed process left. */
gboolean archive_disk_open (Archive *archive, GError **error);

/* Puts a new index in the place of one that can't be read, and builds it anew. */
void archive_replace_index (Archive *archive);

/* Whether the index has the row's file, or will have it. */
gboolean archive_knows_file (Archive *archive, const SegmentRow *row);

/* Enters a file that the index does not know, without its torn tail; one without a whole fragment is set aside. */
gboolean archive_enter_file (Archive *archive, const FoundFile *found, GError **error);

/* ---- archive_rebuild.c ---- */

#define ARCHIVE_REBUILDING "rebuilding" /* the index's mark while it is */

void archive_start_rebuild (Archive *archive);

/* Ends the thread that builds the index anew; the next start goes on with it. */
void archive_end_rebuild (Archive *archive);
