/* playback_feed.h: access units out of recordings for something on a loop, read by threads that may wait for the disk.
 *
 * Pull: the loop asks for a batch (about a second, FEED_BATCH_BYTES and one fragment at most) and gets it as a task; one
 * question at a time. So what is in memory is bounded by who asks. What comes within FEED_KEEPS_US is kept from retention.
 *
 * thread: the loop's, unless a function says otherwise. */
#pragma once

#include "pipelines/live/access_unit.h"
#include "pipelines/record/recording_pins.h"
#include "pipelines/rtp/loop.h"

enum { FEED_THREADS = 2, FEED_BATCH_BYTES = 256 * 1024 };

#define FEED_KEEPS_US ((gint64) 10 * 60 * G_USEC_PER_SEC)

/* The reader threads. `pins` outlive it; NULL: nothing is kept. thread: main. */
typedef struct FeedPool FeedPool;
FeedPool *feed_pool_new (RecordingPins *pins);
void feed_pool_free (FeedPool *pool); /* waits for what is being read; feeds may follow it into the grave */

/* Times of units: pts and dts on a timeline that only grows, seeks and gaps included; wall_us of their decoding. */
typedef struct {
  GPtrArray *units;              /* of AccessUnit, as recorded */
  gint64 gap_from_us, gap_to_us; /* wall; missing before the units; equal: nothing is */
  char *gap_reason;              /* "" when it isn't known */
  gboolean is_first;             /* the first batch after a seek */
  gboolean is_end;               /* nothing more is recorded for now */
  GError *error;
} FeedBatch;

void feed_batch_free (FeedBatch *batch); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FeedBatch, feed_batch_free)

typedef struct PlaybackFeed PlaybackFeed;

/* Takes `batch`. */
typedef void (*FeedReady) (FeedBatch *batch, gpointer data);

PlaybackFeed *playback_feed_new (FeedPool *pool, Loop *loop, const char *data_dir, const char *camera, const char *stream,
                                 FeedReady ready, gpointer data);

/* Asks for the next batch. Not while it is asked already. */
void playback_feed_ask (PlaybackFeed *feed);
gboolean playback_feed_is_asked (const PlaybackFeed *feed);

/* The next question is for the key picture at or before `at_us`, and for key pictures alone or everything from there on. */
void playback_feed_seek (PlaybackFeed *feed, gint64 at_us, gboolean keys_only);

/* `ready` is not called any more. NULL is taken. */
void playback_feed_free (PlaybackFeed *feed);
