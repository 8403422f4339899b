/* recorded_files.h: the recordings as their folders show them, for an index that has lost sight of them.
 *
 * thread: any; these wait for the disk. */
#pragma once

#include "pipelines/record/recordings_index.h"
#include "pipelines/record/segment_name.h"

/* One day of one stream: recordings/CAMERA/STREAM/YYYYMMDD. */
typedef struct {
  char *path; /* relative */
  char day[9];
} DayFolder;

/* All days of all streams, the oldest first; of DayFolder. */
GPtrArray *recorded_days (const char *data_dir);

/* What is in the folder `relative`, in order; of char. */
GPtrArray *recorded_names (const char *data_dir, const char *relative);

/* A file that was walked. `gap_from_us`: unknown time goes before it; 0: none. */
typedef struct {
  SegmentRow *row; /* `bytes` 0: there is no whole picture in it */
  char *tracks;
  gint64 gap_from_us, file_bytes;
} FoundFile;

/* NULL, and it is logged, when the file can't be read. */
FoundFile *found_file_look (const char *data_dir, const char *relative, const SegmentName *name);
void found_file_free (gpointer found);
