#include "pipelines/playback/export_track.h"

#include "pipelines/record/boxes.h"

enum { MS_PER_S = 1000, ENTRY_WIDTH = BOX_HEAD + 24, ENTRY_HEIGHT = BOX_HEAD + 26 };

/* ---- boxes ---- */

void box_put_16 (GByteArray *out, guint value)
{
  g_byte_array_append (out, (guint8[]){ (guint8) (value >> 8), (guint8) value }, 2);
}

void box_put_32 (GByteArray *out, gint64 value)
{
  guint32 big_endian = GUINT32_TO_BE ((guint32) value);
  g_byte_array_append (out, (const guint8 *) &big_endian, 4);
}

void box_put_64 (GByteArray *out, gint64 value)
{
  box_put_32 (out, value >> 32);
  box_put_32 (out, value);
}

gsize box_open (GByteArray *out, const char *type)
{
  gsize at = out->len;
  box_put_32 (out, 0);
  g_byte_array_append (out, (const guint8 *) type, 4);
  return at;
}

gsize box_open_full (GByteArray *out, const char *type, guint version, guint flags)
{
  gsize at = box_open (out, type);
  box_put_32 (out, (gint64) version << 24 | flags);
  return at;
}

void box_close (GByteArray *out, gsize at)
{
  guint32 big_endian = GUINT32_TO_BE ((guint32) (out->len - at));
  memcpy (out->data + at, &big_endian, 4);
}

void box_put_matrix (GByteArray *out)
{
  static const guint32 unity[] = { 0x00010000, 0, 0, 0, 0x00010000, 0, 0, 0, 0x40000000 };
  for (guint i = 0; i < G_N_ELEMENTS (unity); i++)
    box_put_32 (out, unity[i]);
}

/* ---- collecting ---- */

void export_track_init (ExportTrack *track, gboolean is_video)
{
  *track = (ExportTrack){ .is_video = is_video,
                          .entries = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref),
                          .sizes = g_array_new (FALSE, FALSE, sizeof (guint32)),
                          .durations = g_array_new (FALSE, FALSE, sizeof (ExportRun)),
                          .compositions = g_array_new (FALSE, FALSE, sizeof (ExportRun)),
                          .keys = g_array_new (FALSE, FALSE, sizeof (guint32)) };
}

void export_track_finish (ExportTrack *track)
{
  g_clear_pointer (&track->entries, g_ptr_array_unref);
  g_clear_pointer (&track->sizes, g_array_unref);
  g_clear_pointer (&track->durations, g_array_unref);
  g_clear_pointer (&track->compositions, g_array_unref);
  g_clear_pointer (&track->keys, g_array_unref);
}

gsize export_track_index_bytes (const ExportTrack *track)
{
  return ((gsize) track->sizes->len + track->keys->len) * sizeof (guint32)
         + ((gsize) track->durations->len + track->compositions->len) * sizeof (ExportRun) + track->entry_bytes;
}

static const guint8 *entry_type (GBytes *entry)
{
  return (const guint8 *) g_bytes_get_data (entry, NULL) + 4;
}

guint export_track_entry (ExportTrack *track, const SegmentTrack *of)
{
  for (guint i = 0; i < track->entries->len; i++)
    if (g_bytes_equal (track->entries->pdata[i], of->entry))
      return i + 1;
  if (track->entries->len > 0
      && (memcmp (entry_type (track->entries->pdata[0]), entry_type (of->entry), 4) != 0 || track->entries->len >= G_MAXUINT16))
    return 0;
  if (track->entries->len == 0)
    track->time_scale = of->time_scale;
  g_ptr_array_add (track->entries, g_bytes_ref (of->entry));
  track->entry_bytes += g_bytes_get_size (of->entry);
  return track->entries->len;
}

static void add_run (GArray *runs, guint32 value)
{
  ExportRun *last = runs->len > 0 ? &g_array_index (runs, ExportRun, runs->len - 1) : NULL;
  ExportRun run = { 1, value };
  if (last != NULL && last->value == value)
    last->count++;
  else
    g_array_append_val (runs, run);
}

gboolean export_track_add (ExportTrack *track, const SegmentSample *sample, gint64 ticks)
{
  if (!track->is_video && track->sizes->len > 0 && ticks < track->end_ticks - sample->duration / 2)
    return FALSE;
  if (track->sizes->len == 0) {
    track->first_ticks = ticks;
    track->first_composition = sample->composition;
  } else {
    ticks = MAX (ticks, track->last_ticks); /* time never goes back (8.6.1.2) */
    add_run (track->durations, (guint32) (ticks - track->last_ticks));
  }
  track->last_ticks = ticks;
  track->end_ticks = ticks + sample->duration;
  add_run (track->compositions, (guint32) sample->composition);
  g_array_append_val (track->sizes, sample->size);
  guint32 number = track->sizes->len;
  if (sample->is_key && track->is_video)
    g_array_append_val (track->keys, number);
  return TRUE;
}

gint64 export_track_duration_ms (const ExportTrack *track)
{
  return track->time_scale > 0 ? track->end_ticks * MS_PER_S / track->time_scale : 0;
}

/* ---- writing ---- */

/* Runs with one more of `last` behind them, unless that is negative. */
static void append_runs (GByteArray *out, const char *type, guint version, const GArray *runs, gint64 last)
{
  gsize box = box_open_full (out, type, version, 0);
  box_put_32 (out, runs->len + (last >= 0));
  for (guint i = 0; i < runs->len; i++) {
    box_put_32 (out, g_array_index (runs, ExportRun, i).count);
    box_put_32 (out, g_array_index (runs, ExportRun, i).value);
  }
  if (last >= 0) {
    box_put_32 (out, 1);
    box_put_32 (out, last);
  }
  box_close (out, box);
}

static void append_numbers (GByteArray *out, const GArray *numbers)
{
  for (guint i = 0; i < numbers->len; i++)
    box_put_32 (out, g_array_index (numbers, guint32, i));
}

static void append_entries (const ExportTrack *track, GByteArray *out)
{
  gsize box = box_open_full (out, "stsd", 0, 0);
  box_put_32 (out, track->entries->len);
  for (guint i = 0; i < track->entries->len; i++) {
    gsize size;
    const guint8 *bytes = g_bytes_get_data (track->entries->pdata[i], &size);
    g_byte_array_append (out, bytes, (guint) size);
  }
  box_close (out, box);
}

/* stsc (8.7.4): a row for each chunk that differs from the one before. */
static void append_chunk_rows (const GArray *chunks, guint number, GByteArray *out)
{
  gsize box = box_open_full (out, "stsc", 0, 0);
  gsize count_at = out->len;
  guint32 rows = 0, chunk = 0, samples = 0, entry = 0;
  box_put_32 (out, 0);
  for (guint i = 0; i < chunks->len; i++) {
    const ExportChunk *one = &g_array_index (chunks, ExportChunk, i);
    if (one->track != number)
      continue;
    chunk++;
    if (one->samples == samples && one->entry == entry)
      continue;
    samples = one->samples;
    entry = one->entry;
    box_put_32 (out, chunk);
    box_put_32 (out, samples);
    box_put_32 (out, entry);
    rows++;
  }
  rows = GUINT32_TO_BE (rows);
  memcpy (out->data + count_at, &rows, 4);
  box_close (out, box);
}

static void append_chunk_offsets (const GArray *chunks, guint number, gint64 data_at, GByteArray *out)
{
  gsize box = box_open_full (out, "co64", 0, 0);
  gsize count_at = out->len;
  guint32 count = 0;
  box_put_32 (out, 0);
  for (guint i = 0; i < chunks->len; i++) {
    const ExportChunk *one = &g_array_index (chunks, ExportChunk, i);
    if (one->track == number) {
      box_put_64 (out, data_at);
      count++;
    }
    data_at += one->size;
  }
  count = GUINT32_TO_BE (count);
  memcpy (out->data + count_at, &count, 4);
  box_close (out, box);
}

static void append_sample_table (const ExportTrack *track, guint number, const GArray *chunks, gint64 data_at, GByteArray *out)
{
  gsize stbl = box_open (out, "stbl");
  append_entries (track, out);
  append_runs (out, "stts", 0, track->durations, track->end_ticks - track->last_ticks);
  if (track->is_video) {
    append_runs (out, "ctts", 1, track->compositions, -1);
    gsize box = box_open_full (out, "stss", 0, 0);
    box_put_32 (out, track->keys->len);
    append_numbers (out, track->keys);
    box_close (out, box);
  }
  append_chunk_rows (chunks, number, out);
  gsize box = box_open_full (out, "stsz", 0, 0);
  box_put_32 (out, 0);
  box_put_32 (out, track->sizes->len);
  append_numbers (out, track->sizes);
  box_close (out, box);
  append_chunk_offsets (chunks, number, data_at, out);
  box_close (out, stbl);
}

static void append_track_head (const ExportTrack *track, guint number, GByteArray *out)
{
  const guint8 *entry = g_bytes_get_data (track->entries->pdata[0], NULL);
  gsize box = box_open_full (out, "tkhd", 1, 3); /* enabled, in the movie */
  box_put_64 (out, 0);
  box_put_64 (out, 0);
  box_put_32 (out, number + 1);
  box_put_32 (out, 0);
  box_put_64 (out, export_track_duration_ms (track));
  box_put_64 (out, 0);
  box_put_32 (out, 0); /* layer, alternate group */
  box_put_16 (out, track->is_video ? 0 : 0x0100);
  box_put_16 (out, 0);
  box_put_matrix (out);
  box_put_32 (out, track->is_video ? (gint64) box_get_16 (entry + ENTRY_WIDTH) << 16 : 0);
  box_put_32 (out, track->is_video ? (gint64) box_get_16 (entry + ENTRY_HEIGHT) << 16 : 0);
  box_close (out, box);
}

/* Sound begins where it does; the first picture is shown at once, though it waited in the file for its turn (8.6.6). */
static void append_edits (const ExportTrack *track, GByteArray *out)
{
  gint64 delay_ms = track->first_ticks * MS_PER_S / track->time_scale;
  if (delay_ms <= 0 && track->first_composition == 0)
    return;
  gsize edts = box_open (out, "edts");
  gsize box = box_open_full (out, "elst", 1, 0);
  box_put_32 (out, delay_ms > 0 ? 2 : 1);
  if (delay_ms > 0) {
    box_put_64 (out, delay_ms);
    box_put_64 (out, -1);
    box_put_32 (out, 0x00010000);
  }
  box_put_64 (out, (track->end_ticks - track->first_ticks) * MS_PER_S / track->time_scale);
  box_put_64 (out, MAX (track->first_composition, 0));
  box_put_32 (out, 0x00010000);
  box_close (out, box);
  box_close (out, edts);
}

static void append_media_head (const ExportTrack *track, GByteArray *out)
{
  gsize box = box_open_full (out, "mdhd", 1, 0);
  box_put_64 (out, 0);
  box_put_64 (out, 0);
  box_put_32 (out, track->time_scale);
  box_put_64 (out, track->end_ticks - track->first_ticks);
  box_put_32 (out, 0x55c40000); /* "und" */
  box_close (out, box);
  box = box_open_full (out, "hdlr", 0, 0);
  box_put_32 (out, 0);
  g_byte_array_append (out, (const guint8 *) (track->is_video ? "vide" : "soun"), 4);
  box_put_64 (out, 0);
  box_put_32 (out, 0);
  g_byte_array_append (out, (const guint8 *) "gridgate", sizeof "gridgate");
  box_close (out, box);
}

static void append_data_reference (GByteArray *out)
{
  gsize dinf = box_open (out, "dinf");
  gsize dref = box_open_full (out, "dref", 0, 0);
  box_put_32 (out, 1);
  gsize url = box_open_full (out, "url ", 0, 1); /* in this file */
  box_close (out, url);
  box_close (out, dref);
  box_close (out, dinf);
}

void export_track_append (const ExportTrack *track, guint number, const GArray *chunks, gint64 data_at, GByteArray *out)
{
  gsize trak = box_open (out, "trak");
  append_track_head (track, number, out);
  append_edits (track, out);
  gsize mdia = box_open (out, "mdia");
  append_media_head (track, out);
  gsize minf = box_open (out, "minf");
  gsize box = track->is_video ? box_open_full (out, "vmhd", 0, 1) : box_open_full (out, "smhd", 0, 0);
  box_put_32 (out, 0);
  if (track->is_video)
    box_put_32 (out, 0);
  box_close (out, box);
  append_data_reference (out);
  append_sample_table (track, number, chunks, data_at, out);
  box_close (out, minf);
  box_close (out, mdia);
  box_close (out, trak);
}
