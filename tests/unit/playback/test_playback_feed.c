#include "pipelines/live/fragment.h"
#include "pipelines/playback/playback_feed.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/playback/recordings.h"

enum { WATCHDOG_S = 20 };

typedef struct {
  Loop *loop;
  FeedPool *pool;
  PlaybackFeed *feed;
  const char *folder;
  GPtrArray *keys; /* of AccessUnit, in the loop's thread until `is_done` */
  GMutex mutex;
  GCond changed;
  gboolean is_done; /* under the mutex */
} Bench;

static void on_batch (FeedBatch *taken, gpointer data)
{
  Bench *bench = data;
  g_autoptr (FeedBatch) batch = taken;
  assert_null (batch->error);
  for (guint i = 0; i < batch->units->len; i++)
    g_ptr_array_add (bench->keys, access_unit_ref (batch->units->pdata[i]));
  if (!batch->is_end) {
    playback_feed_ask (bench->feed);
    return;
  }
  g_mutex_lock (&bench->mutex);
  bench->is_done = TRUE;
  g_cond_signal (&bench->changed);
  g_mutex_unlock (&bench->mutex);
}

static void open_on_loop (gpointer data)
{
  Bench *bench = data;
  bench->feed = playback_feed_new (bench->pool, bench->loop, bench->folder, "bridge", "main", on_batch, bench);
  playback_feed_seek (bench->feed, recordings_start_us, TRUE);
  playback_feed_ask (bench->feed);
}

static void close_on_loop (gpointer data)
{
  playback_feed_free (((Bench *) data)->feed);
}

static void read_keys (Bench *bench)
{
  gint64 until_us = g_get_monotonic_time () + WATCHDOG_S * G_USEC_PER_SEC;
  bench->pool = feed_pool_new (NULL);
  bench->loop = loop_new (NULL);
  bench->keys = g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref);
  g_mutex_init (&bench->mutex);
  g_cond_init (&bench->changed);
  loop_call (bench->loop, open_on_loop, bench);
  g_mutex_lock (&bench->mutex);
  while (!bench->is_done)
    assert_true (g_cond_wait_until (&bench->changed, &bench->mutex, until_us));
  g_mutex_unlock (&bench->mutex);
  loop_call (bench->loop, close_on_loop, bench);
  feed_pool_free (bench->pool);
  loop_free (bench->loop);
  g_mutex_clear (&bench->mutex);
  g_cond_clear (&bench->changed);
}

static void a_key_picture_alone_lasts_until_the_next_one (void **state)
{
  SampleStream *sample = sample_stream_make ("libx264 -g 25", SAMPLE_SILENT, 4, recordings_start_us);
  g_autoptr (GPtrArray) units = sample_stream_units (sample);
  Bench bench = { .folder = *state };
  recordings_add (*state, units, recordings_start_us, 60 * G_USEC_PER_SEC);
  read_keys (&bench);
  assert_true (bench.keys->len >= 3);
  for (guint i = 0; i + 1 < bench.keys->len; i++) {
    const AccessUnit *key = bench.keys->pdata[i];
    assert_true (key->is_key);
    assert_in_range (access_unit_duration_us (key), G_USEC_PER_SEC - 1000, G_USEC_PER_SEC + 1000);
  }
  g_ptr_array_unref (bench.keys);
  sample_stream_free (sample);
}

static void a_picture_of_few_a_second_lasts_as_long_as_it_does (void **state)
{
  MediaFormat format = { .time_scale = 90000 };
  AccessUnit unit = { .format = &format, .duration = 90000 / 15 };
  (void) state;
  assert_int_equal (access_unit_duration_us (&unit), 66666);
  unit.duration = 90000 * 10;
  assert_int_equal (access_unit_duration_us (&unit), 10 * G_USEC_PER_SEC);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_key_picture_alone_lasts_until_the_next_one, folder_setup, folder_teardown),
    cmocka_unit_test (a_picture_of_few_a_second_lasts_as_long_as_it_does),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
