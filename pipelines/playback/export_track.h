/* export_track.h: one track of a file to be exported: what is collected of its samples, and the boxes that follow from it
 * (ISO/IEC 14496-12 8.3 to 8.7). Only export_plan.c and export_track.c include it.
 *
 * thread: one at a time. */
#pragma once

#include "pipelines/record/segment_samples.h"

typedef struct {
  guint32 count, value;
} ExportRun;

/* Bytes of one track that follow each other in a file. */
typedef struct {
  guint32 file, samples, size;
  guint16 track, entry; /* entry: from 1 */
  gint64 offset;        /* in the recorded file */
} ExportChunk;

typedef struct {
  gboolean is_video;
  guint32 time_scale;
  GPtrArray *entries;  /* of GBytes: sample entries */
  gsize entry_bytes;   /* of all of them */
  GArray *sizes;       /* guint32 */
  GArray *durations;   /* ExportRun */
  GArray *compositions;
  GArray *keys;        /* guint32, from 1; video */
  gint64 first_ticks, last_ticks, end_ticks;
  gint32 first_composition;
} ExportTrack;

void export_track_init (ExportTrack *track, gboolean is_video);
void export_track_finish (ExportTrack *track); /* may be called again */

/* What is collected, and the most that its boxes take but for those that don't grow; chunks apart. */
gsize export_track_index_bytes (const ExportTrack *track);

/* The number of the sample entry; 0: this file's codec is another one. */
guint export_track_entry (ExportTrack *track, const SegmentTrack *of);

/* `ticks`: its time in the exported file, in the track's own ticks. FALSE, and left out: sound that lies over what is there
 * already, as where two files meet whose sound went on longer than their pictures. */
gboolean export_track_add (ExportTrack *track, const SegmentSample *sample, gint64 ticks);

/* Appends trak. `chunks`: of ExportChunk, of all tracks, in order; the first byte of the first stands at `data_at`. */
void export_track_append (const ExportTrack *track, guint number, const GArray *chunks, gint64 data_at, GByteArray *out);

/* Its length in the movie's time, milliseconds. */
gint64 export_track_duration_ms (const ExportTrack *track);

/* ---- boxes ---- */

void box_put_16 (GByteArray *out, guint value);
void box_put_32 (GByteArray *out, gint64 value);
void box_put_64 (GByteArray *out, gint64 value);
gsize box_open (GByteArray *out, const char *type);
gsize box_open_full (GByteArray *out, const char *type, guint version, guint flags);
void box_close (GByteArray *out, gsize at);
void box_put_matrix (GByteArray *out); /* the unity matrix of 6.2.2 */
