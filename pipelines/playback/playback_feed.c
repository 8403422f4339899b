#include "pipelines/playback/playback_feed.h"

#include <unistd.h>

#include "gateway/core/error.h"
#include "pipelines/live/fragment.h"
#include "pipelines/playback/recording_cursor.h"

enum { PARTS_A_BATCH = 64 };

/* Between two key pictures there is no more; a longer time is shown as a jump. */
#define KEY_LONGEST_US ((gint64) 10 * G_USEC_PER_SEC)

struct FeedPool {
  GThreadPool *threads;
  RecordingPins *pins;
};

struct PlaybackFeed {
  gint references; /* the owner's and the question's */
  FeedPool *pool;
  Loop *loop;
  char *data_dir, *camera, *stream;
  FeedReady ready;
  gpointer data;
  gboolean is_asked, is_gone;
  gint64 seek_us;          /* of the next question; -1: go on */
  gboolean seeks_keys;

  /* what follows is the reader's while it is asked */
  gint64 reader_seek_us;
  gboolean keys_only;
  RecordingCursor *cursor;
  RecordingPin *pin;       /* NULL: nothing is kept */
  MediaFormat *formats[2]; /* video, sound */
  gint64 sound_end_us;     /* timeline */
  AccessUnit *held;        /* of key pictures alone: the last one, whose duration the next one tells */
  FeedBatch *batch;
};

void feed_batch_free (FeedBatch *batch)
{
  if (batch == NULL)
    return;
  g_ptr_array_unref (batch->units);
  g_free (batch->gap_reason);
  g_clear_error (&batch->error);
  g_free (batch);
}

static void feed_unref (PlaybackFeed *feed)
{
  if (!g_atomic_int_dec_and_test (&feed->references))
    return;
  recording_cursor_free (feed->cursor);
  recording_pin_free (feed->pin);
  media_format_unref (feed->formats[0]);
  media_format_unref (feed->formats[1]);
  access_unit_unref (feed->held);
  feed_batch_free (feed->batch);
  g_free (feed->data_dir);
  g_free (feed->camera);
  g_free (feed->stream);
  g_free (feed);
}

/* ---- on a reader thread ---- */

/* Equal formats keep the pointer. */
static void take_formats (PlaybackFeed *feed, const RecordedPart *part)
{
  for (guint i = 0; i < 2; i++) {
    const SegmentTrack *track = part->tracks[i];
    MediaFormat *former = feed->formats[i];
    g_autoptr (MediaFormat) format = track->entry != NULL ? sample_entry_format (track->entry, track->time_scale) : NULL;
    if (former != NULL && format != NULL && former->codec == format->codec && former->time_scale == format->time_scale
        && g_bytes_equal (former->header, format->header))
      continue;
    media_format_unref (former);
    feed->formats[i] = g_steal_pointer (&format);
  }
}

/* NULL when the file does not give its bytes. */
static AccessUnit *read_unit (PlaybackFeed *feed, const RecordedPart *part, const SegmentSample *sample)
{
  MediaFormat *format = feed->formats[!sample->is_video];
  AccessUnit *unit = access_unit_new (format, sample->size);
  unit->is_key = sample->is_key;
  unit->dts = recorded_timeline_ticks (part, sample);
  unit->pts = unit->dts + sample->composition;
  unit->duration = sample->duration;
  unit->wall_us = recorded_wall_us (part, sample);
  if (pread (part->fd, unit->bytes, sample->size, sample->offset) == (gssize) sample->size)
    return unit;
  access_unit_unref (unit);
  return NULL;
}

static void release_held (PlaybackFeed *feed, const AccessUnit *next)
{
  AccessUnit *held = g_steal_pointer (&feed->held);
  if (held == NULL)
    return;
  gint64 longest = KEY_LONGEST_US * held->format->time_scale / G_USEC_PER_SEC;
  if (next != NULL && next->format == held->format && next->dts > held->dts)
    held->duration = (guint32) MIN (next->dts - held->dts, longest);
  g_ptr_array_add (feed->batch->units, held);
}

/* Where two files meet whose sound went on longer than their pictures, it lies over what was there already. */
static gboolean is_doubled (PlaybackFeed *feed, const RecordedPart *part, const SegmentSample *sample)
{
  gint64 at_us = part->timeline_us + recorded_dts_us (part, sample), duration_us = recorded_duration_us (part, sample);
  if (sample->is_video)
    return FALSE;
  if (at_us < feed->sound_end_us - duration_us / 2)
    return TRUE;
  feed->sound_end_us = at_us + duration_us;
  return FALSE;
}

static gsize take_part (PlaybackFeed *feed, const RecordedPart *part)
{
  gsize bytes = 0;
  if (part->is_new_file)
    take_formats (feed, part);
  for (guint i = 0; i < part->samples->len; i++) {
    const SegmentSample *sample = &g_array_index (part->samples, SegmentSample, i);
    if (feed->formats[!sample->is_video] == NULL || (feed->keys_only && !(sample->is_video && sample->is_key))
        || is_doubled (feed, part, sample))
      continue;
    AccessUnit *unit = read_unit (feed, part, sample);
    if (unit == NULL)
      continue;
    bytes += sample->size;
    if (feed->keys_only) {
      release_held (feed, unit);
      feed->held = unit;
    } else {
      g_ptr_array_add (feed->batch->units, unit);
    }
  }
  return bytes;
}

static void keep (PlaybackFeed *feed, gint64 from_us)
{
  if (feed->pin != NULL)
    recording_pin_move (feed->pin, from_us, from_us + FEED_KEEPS_US);
}

static gboolean start_reading (PlaybackFeed *feed, GError **error)
{
  gint64 at_us = feed->reader_seek_us;
  if (feed->cursor == NULL)
    feed->cursor = recording_cursor_new (feed->data_dir, feed->camera, feed->stream, error);
  if (feed->cursor == NULL)
    return FALSE;
  if (at_us < 0)
    return TRUE;
  keep (feed, at_us);
  feed->batch->is_first = TRUE;
  g_clear_pointer (&feed->held, access_unit_unref);
  return recording_cursor_seek (feed->cursor, at_us, FALSE, error);
}

/* A part has its pictures first, then its sound; they are sent as they are shown. */
static int compare_units (gconstpointer a, gconstpointer b)
{
  gint64 one = access_unit_dts_us (*(AccessUnit *const *) a), other = access_unit_dts_us (*(AccessUnit *const *) b);
  return one < other ? -1 : one > other;
}

/* Ends with the first part that gave something, so that a gap is always before all units of its batch. */
static void read_batch (PlaybackFeed *feed)
{
  FeedBatch *batch = feed->batch;
  RecordedPart part;
  gsize bytes = 0;
  if (!start_reading (feed, &batch->error))
    return;
  for (guint i = 0; i < PARTS_A_BATCH && bytes < FEED_BATCH_BYTES; i++) {
    if (!recording_cursor_next (feed->cursor, &part, &batch->error)) {
      release_held (feed, NULL);
      batch->is_end = batch->error == NULL;
      return;
    }
    if (part.gap_to_us > part.gap_from_us) {
      g_clear_pointer (&feed->held, access_unit_unref); /* nothing may come behind the gap that was before it */
      batch->gap_from_us = part.gap_from_us;
      batch->gap_to_us = part.gap_to_us;
      batch->gap_reason = recording_cursor_gap_reason (feed->cursor, part.gap_from_us, part.gap_to_us);
    }
    bytes += take_part (feed, &part);
    if (batch->units->len > 0) {
      keep (feed, ((const AccessUnit *) batch->units->pdata[0])->wall_us);
      return;
    }
  }
}

static void deliver (gpointer data)
{
  PlaybackFeed *feed = data;
  feed->is_asked = FALSE;
  if (!feed->is_gone)
    feed->ready (g_steal_pointer (&feed->batch), feed->data);
  feed_unref (feed);
}

static void run (gpointer data, gpointer unused)
{
  PlaybackFeed *feed = data;
  (void) unused;
  read_batch (feed);
  g_ptr_array_sort (feed->batch->units, compare_units);
  loop_post (feed->loop, deliver, feed);
}

FeedPool *feed_pool_new (RecordingPins *pins)
{
  FeedPool *pool = g_new0 (FeedPool, 1);
  pool->pins = pins;
  pool->threads = g_thread_pool_new (run, NULL, FEED_THREADS, FALSE, NULL);
  return pool;
}

void feed_pool_free (FeedPool *pool)
{
  if (pool == NULL)
    return;
  g_thread_pool_free (pool->threads, FALSE, TRUE);
  g_free (pool);
}

/* ---- on the loop ---- */

PlaybackFeed *playback_feed_new (FeedPool *pool, Loop *loop, const char *data_dir, const char *camera, const char *stream,
                                 FeedReady ready, gpointer data)
{
  PlaybackFeed *feed = g_new0 (PlaybackFeed, 1);
  feed->references = 1;
  feed->pool = pool;
  feed->loop = loop;
  feed->data_dir = g_strdup (data_dir);
  feed->camera = g_strdup (camera);
  feed->stream = g_strdup (stream);
  feed->pin = pool->pins != NULL ? recording_pin_new (pool->pins, camera) : NULL;
  feed->ready = ready;
  feed->data = data;
  feed->seek_us = -1;
  return feed;
}

void playback_feed_ask (PlaybackFeed *feed)
{
  feed->is_asked = TRUE;
  feed->reader_seek_us = feed->seek_us;
  if (feed->seek_us >= 0)
    feed->keys_only = feed->seeks_keys;
  feed->seek_us = -1;
  feed->batch = g_new0 (FeedBatch, 1);
  feed->batch->units = g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref);
  g_atomic_int_inc (&feed->references);
  g_thread_pool_push (feed->pool->threads, feed, NULL);
}

gboolean playback_feed_is_asked (const PlaybackFeed *feed)
{
  return feed->is_asked;
}

void playback_feed_seek (PlaybackFeed *feed, gint64 at_us, gboolean keys_only)
{
  feed->seek_us = MAX (at_us, 0);
  feed->seeks_keys = keys_only;
}

void playback_feed_free (PlaybackFeed *feed)
{
  if (feed == NULL)
    return;
  feed->is_gone = TRUE;
  feed_unref (feed);
}
