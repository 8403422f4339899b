#include "pipelines/record/segment_samples.h"

#include "pipelines/live/init_segment.h"
#include "pipelines/record/boxes.h"

enum { SAMPLE_BYTES = 16, TRUN_HEAD = 12, ENTRY_BYTES_MAX = 64 * 1024 };

/* What every sample entry of pictures and of sound has, before its boxes (ISO/IEC 14496-12 12.1.3, 12.2.3). */
enum { VIDEO_ENTRY_BYTES = BOX_HEAD + 78, AUDIO_ENTRY_BYTES = BOX_HEAD + 28 };

/* sample_flags (ISO/IEC 14496-12 8.8.3.1): sample_is_non_sync_sample */
enum { FLAG_NON_SYNC = 0x00010000 };

struct SegmentSamples {
  SegmentRead read;
  gpointer data;
  gint64 size, at;
  SegmentTrack tracks[2];
};

static guint8 *read_body (SegmentSamples *samples, gint64 offset, gint64 size)
{
  if (size > SEGMENT_MOOF_BYTES_MAX)
    return NULL;
  g_autofree guint8 *bytes = g_malloc ((gsize) size + 1);
  return samples->read (offset, bytes, (gsize) size, samples->data) ? g_steal_pointer (&bytes) : NULL;
}

/* The head of the box at `at`: its size, 0 when it is not there as a whole. */
static gint64 read_head (SegmentSamples *samples, gint64 at, char type[5])
{
  guint8 head[BOX_HEAD];
  if (at < 0 || at > samples->size - BOX_HEAD || !samples->read (at, head, sizeof head, samples->data))
    return 0;
  gint64 size = box_get_32 (head);
  memcpy (type, head + 4, 4);
  type[4] = '\0';
  return size >= BOX_HEAD && size <= samples->size - at ? size : 0;
}

/* ---- the init segment ---- */

static guint32 track_id (BoxSpan trak)
{
  BoxSpan tkhd;
  gsize at;
  if (!box_find (trak, "tkhd", &tkhd) || tkhd.size < 1)
    return 0;
  at = tkhd.bytes[0] == 1 ? 20 : 12;
  return tkhd.size >= at + 4 ? box_get_32 (tkhd.bytes + at) : 0;
}

static void take_track (SegmentSamples *samples, BoxSpan trak)
{
  BoxSpan mdia, mdhd, minf, stbl, stsd;
  guint32 id = track_id (trak);
  if ((id != VIDEO_TRACK_ID && id != AUDIO_TRACK_ID) || !box_find (trak, "mdia", &mdia) || !box_find (mdia, "mdhd", &mdhd)
      || !box_find (mdia, "minf", &minf) || !box_find (minf, "stbl", &stbl) || !box_find (stbl, "stsd", &stsd))
    return;
  gsize scale_at = mdhd.size > 0 && mdhd.bytes[0] == 1 ? 20 : 12;
  if (mdhd.size < scale_at + 4 || stsd.size < 8 + BOX_HEAD)
    return;
  gsize entry_size = box_get_32 (stsd.bytes + 8), entry_size_min = id == VIDEO_TRACK_ID ? VIDEO_ENTRY_BYTES : AUDIO_ENTRY_BYTES;
  SegmentTrack *track = &samples->tracks[id == AUDIO_TRACK_ID];
  if (entry_size < entry_size_min || entry_size > stsd.size - 8 || entry_size > ENTRY_BYTES_MAX || track->entry != NULL)
    return;
  track->time_scale = box_get_32 (mdhd.bytes + scale_at);
  track->entry = g_bytes_new (stsd.bytes + 8, entry_size);
}

static gboolean read_init (SegmentSamples *samples)
{
  char type[5];
  for (gint64 size; (size = read_head (samples, samples->at, type)) > 0; samples->at += size) {
    if (strcmp (type, "moov") != 0) {
      if (strcmp (type, "ftyp") != 0)
        return FALSE;
      continue;
    }
    g_autofree guint8 *body = read_body (samples, samples->at + BOX_HEAD, size - BOX_HEAD);
    if (body == NULL)
      return FALSE;
    BoxSpan moov = { body, (gsize) (size - BOX_HEAD) }, trak;
    while (box_next (&moov, type, &trak))
      if (strcmp (type, "trak") == 0)
        take_track (samples, trak);
    samples->at += size;
    return samples->tracks[0].time_scale > 0;
  }
  return FALSE;
}

SegmentSamples *segment_samples_new (SegmentRead read, gpointer data, gint64 size)
{
  g_autoptr (SegmentSamples) samples = g_new0 (SegmentSamples, 1);
  samples->read = read;
  samples->data = data;
  samples->size = size;
  return read_init (samples) ? g_steal_pointer (&samples) : NULL;
}

const SegmentTrack *segment_samples_track (const SegmentSamples *samples, guint index)
{
  return &samples->tracks[index];
}

void segment_samples_grow (SegmentSamples *samples, gint64 size)
{
  samples->size = MAX (samples->size, size);
}

gint64 segment_samples_at (const SegmentSamples *samples)
{
  return samples->at;
}

void segment_samples_go (SegmentSamples *samples, gint64 at)
{
  samples->at = at;
}

/* ---- fragments ---- */

typedef struct {
  gint64 moof_at, data_from, data_to; /* data_…: the mdat's bytes */
} Fragment;

/* The samples of one trun (8.8.8); FALSE at a lie. */
static gboolean take_run (const Fragment *fragment, BoxSpan trun, gboolean is_video, gint64 dts, GArray *out)
{
  if (trun.size < TRUN_HEAD || (box_get_32 (trun.bytes) & 0xffffff) != 0xf01)
    return FALSE;
  guint32 count = box_get_32 (trun.bytes + 4);
  gint64 offset = fragment->moof_at + (gint32) box_get_32 (trun.bytes + 8);
  if (count > (trun.size - TRUN_HEAD) / SAMPLE_BYTES || count > SEGMENT_SAMPLES_MAX - out->len || offset < fragment->data_from)
    return FALSE;
  for (guint32 i = 0; i < count; i++) {
    const guint8 *fields = trun.bytes + TRUN_HEAD + SAMPLE_BYTES * (gsize) i;
    SegmentSample sample = { .is_video = is_video, .dts = dts, .duration = box_get_32 (fields), .size = box_get_32 (fields + 4),
                             .is_key = !(box_get_32 (fields + 8) & FLAG_NON_SYNC),
                             .composition = (gint32) box_get_32 (fields + 12), .offset = offset };
    if (sample.size > ACCESS_UNIT_BYTES_MAX || offset + sample.size > fragment->data_to)
      return FALSE;
    g_array_append_val (out, sample);
    offset += sample.size;
    dts += sample.duration;
  }
  return TRUE;
}

static gboolean take_fragment (const SegmentSamples *samples, const Fragment *fragment, BoxSpan moof, GArray *out)
{
  char type[5];
  BoxSpan traf, tfhd, tfdt, trun;
  while (box_next (&moof, type, &traf)) {
    if (strcmp (type, "traf") != 0)
      continue;
    if (!box_find (traf, "tfhd", &tfhd) || !box_find (traf, "tfdt", &tfdt) || !box_find (traf, "trun", &trun)
        || tfhd.size < 8 || tfdt.size < 12 || tfdt.bytes[0] != 1)
      return FALSE;
    guint32 id = box_get_32 (tfhd.bytes + 4);
    guint64 dts = box_get_64 (tfdt.bytes + 4);
    if (id != VIDEO_TRACK_ID && id != AUDIO_TRACK_ID)
      continue;
    guint32 time_scale = samples->tracks[id == AUDIO_TRACK_ID].time_scale;
    if (time_scale == 0 || dts > G_MAXINT64 / (2 * G_USEC_PER_SEC)
        || !take_run (fragment, trun, id == VIDEO_TRACK_ID, (gint64) dts, out))
      return FALSE;
  }
  return TRUE;
}

static gboolean fragment_at (SegmentSamples *samples, gint64 at, Fragment *fragment)
{
  char type[5];
  gint64 moof_size = read_head (samples, at, type);
  if (moof_size == 0 || strcmp (type, "moof") != 0)
    return FALSE;
  gint64 data_size = read_head (samples, at + moof_size, type);
  if (data_size == 0 || strcmp (type, "mdat") != 0)
    return FALSE;
  *fragment = (Fragment){ at, at + moof_size + BOX_HEAD, at + moof_size + data_size };
  return TRUE;
}

/* Steps over what is damaged. */
static gboolean next_fragment (SegmentSamples *samples, Fragment *fragment)
{
  if (fragment_at (samples, samples->at, fragment))
    return TRUE;
  gint64 at = segment_find_fragment (samples->read, samples->data, samples->at, samples->size);
  return at >= 0 && fragment_at (samples, at, fragment);
}

gboolean segment_samples_next (SegmentSamples *samples, GArray *out)
{
  Fragment fragment;
  g_array_set_size (out, 0);
  if (!next_fragment (samples, &fragment))
    return FALSE;
  gint64 body_bytes = fragment.data_from - fragment.moof_at - 2 * BOX_HEAD;
  g_autofree guint8 *body = read_body (samples, fragment.moof_at + BOX_HEAD, body_bytes);
  if (body == NULL)
    return FALSE;
  if (!take_fragment (samples, &fragment, (BoxSpan){ body, (gsize) body_bytes }, out)) {
    g_array_set_size (out, 0);
    return FALSE;
  }
  samples->at = fragment.data_to;
  return TRUE;
}

void segment_samples_free (SegmentSamples *samples)
{
  if (samples == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (samples->tracks); i++)
    if (samples->tracks[i].entry != NULL)
      g_bytes_unref (samples->tracks[i].entry);
  g_free (samples);
}
