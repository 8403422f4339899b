/* segment_samples.h: where the samples of a recorded file are, without reading them.
 *
 * Reads the init segment and then one moof after the other; only the form that fragment.c writes is known, and nothing of
 * it is believed before it was checked: every sample lies inside its fragment's mdat, which is there as a whole. Reads no
 * more at once than one moof, SEGMENT_MOOF_BYTES_MAX.
 *
 * thread: one at a time. */
#pragma once

#include "pipelines/live/access_unit.h"
#include "pipelines/record/segment_walk.h"

enum { SEGMENT_SAMPLES_MAX = 8192 }; /* of one fragment */

typedef struct {
  gboolean is_video, is_key;
  gint64 dts;         /* ticks from the file's zero */
  gint32 composition; /* pts - dts */
  guint32 duration;
  gint64 offset;      /* in the file */
  guint32 size;
} SegmentSample;

typedef struct {
  guint32 time_scale; /* 0: the file has no such track */
  GBytes *entry;      /* its sample entry, head included (ISO/IEC 14496-12 8.5.2) */
} SegmentTrack;

typedef struct SegmentSamples SegmentSamples;

/* NULL when there is no whole init segment with a video track. `read` and `data` must outlive it. */
SegmentSamples *segment_samples_new (SegmentRead read, gpointer data, gint64 size);

/* Index 0: the video, 1: the sound. */
const SegmentTrack *segment_samples_track (const SegmentSamples *samples, guint index);

/* A file that is being written has become longer. */
void segment_samples_grow (SegmentSamples *samples, gint64 size);

/* Where the next fragment begins, and to go back there. */
gint64 segment_samples_at (const SegmentSamples *samples);
void segment_samples_go (SegmentSamples *samples, gint64 at);

/* Replaces what is in `out` (of SegmentSample) by the samples of the next fragment, in the order of their bytes. FALSE at
 * the end of what is whole. */
gboolean segment_samples_next (SegmentSamples *samples, GArray *out);

void segment_samples_free (SegmentSamples *samples); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SegmentSamples, segment_samples_free)

/* What a sample entry says (avc1, hvc1, mp4a); NULL when it is none of these or lies. The caller's. */
MediaFormat *sample_entry_format (GBytes *entry, guint32 time_scale);
