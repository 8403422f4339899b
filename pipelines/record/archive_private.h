/* archive_private.h: the archive's insides, shared by archive.c (threads and queue) and archive_disk.c (files and index).
 *
 * thread: the disk thread, but for what archive.c says. */
#pragma once

#include "gateway/core/queue.h"
#include "pipelines/record/archive.h"
#include "pipelines/record/recordings_index.h"
#include "pipelines/record/segment_file.h"

struct Archive {
  char *data_dir;
  const Clock *clock;
  ArchiveChanged changed;
  gpointer data;
  Queue *queue;
  GThread *thread;
  GMutex mutex;             /* guards `settings` */
  ArchiveSettings settings;
  gint64 predecessor_end_us;

  RecordingsIndex *index;
  GPtrArray *tracks;        /* of ArchiveTrack */
  gint64 bytes;             /* of all files */
  RetentionClock age;
  const char *stop_reason;  /* NULL: recording */
  gint64 since_us, told_us, stopped_monotonic_us;
};

struct ArchiveTrack {
  Archive *archive;
  char *camera, *stream;
  gboolean is_listed;
  SegmentFile *file;        /* NULL: waits for a key picture */
  gint64 segment_id;
  gint64 end_us;            /* wall time where the last file ended; 0: none yet */
};

/* Opens the index and repairs what a killed process left. */
gboolean archive_disk_open (Archive *archive, GError **error);

void archive_disk_begin (ArchiveTrack *track, gint64 from_us, const char *reason);
void archive_disk_write (ArchiveTrack *track, GPtrArray *units, gboolean is_new, const char *reason);
void archive_disk_pause (ArchiveTrack *track, const char *reason);

/* Syncs the files that were written, then their rows. */
void archive_disk_sync (Archive *archive);

/* Deletes what retention says, stops and resumes recording. */
void archive_disk_retain (Archive *archive);

void archive_disk_close (Archive *archive);
