#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/playback/rtsp_playback.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/playback/recordings.h"

enum { LARGE_BYTES = 3 * BLOCK_BYTES, WATCHDOG_S = 20 };

typedef struct {
  Loop *loop;
  RecordingPins *pins;
  FeedPool *pool;
  RtspPlaybacks *playbacks;
  const RtspRecordings *recordings;
  gpointer session; /* loop; NULL: closed */
  Wire wire;
  Outlet outlet;
  int fds[2];       /* the server's, the client's */
  const char *folder;
  double scale;
  GMutex mutex;
  GCond changed;
  char *end_reason; /* under the mutex */
  guint finished;   /* likewise */
  gint64 played_from_us; /* likewise: of the newest PLAY */
} Bench;

static char *data_dir_of (gpointer data)
{
  return g_strdup (((Bench *) data)->folder);
}

static void on_waits (gpointer data)
{
  (void) data;
}

static void on_described (const char *sdp, gpointer data)
{
  Bench *bench = data;
  guint32 ssrc;
  assert_non_null (sdp);
  assert_true (bench->recordings->set_up (bench->session, 0, 0, 1, &ssrc));
  bench->recordings->play (bench->session, -1, -1, bench->scale);
}

static void on_playing (const RtspRecordedPlay *play, gpointer data)
{
  Bench *bench = data;
  assert_non_null (play);
  g_mutex_lock (&bench->mutex);
  bench->played_from_us = play->from_us;
  g_mutex_unlock (&bench->mutex);
}

static void on_finished (gpointer data)
{
  Bench *bench = data;
  g_mutex_lock (&bench->mutex);
  bench->finished++;
  g_cond_signal (&bench->changed);
  g_mutex_unlock (&bench->mutex);
}

/* As the connection does: closes the session from within. */
static void on_ended (const char *reason, gpointer data)
{
  Bench *bench = data;
  bench->recordings->close (g_steal_pointer (&bench->session));
  g_mutex_lock (&bench->mutex);
  bench->end_reason = g_strdup (reason);
  g_cond_signal (&bench->changed);
  g_mutex_unlock (&bench->mutex);
}

static void open_on_loop (gpointer data)
{
  static const RtspRecordedEvents events = { on_described, on_playing, on_finished, on_ended };
  Bench *bench = data;
  RtspRecordedTime time = { "bridge", "main", recordings_start_us, -1, &bench->outlet };
  outlet_init (&bench->outlet, &bench->wire, &outlet_limits_default, on_waits, bench);
  bench->session = bench->recordings->open (bench->loop, &time, &events, bench, bench->recordings->owner);
}

static void close_on_loop (gpointer data)
{
  Bench *bench = data;
  if (bench->session != NULL)
    bench->recordings->close (g_steal_pointer (&bench->session));
  outlet_finish (&bench->outlet);
}

static void do_nothing (gpointer data)
{
  (void) data;
}

static void bench_open (Bench *bench, const char *folder, double scale, const GPtrArray *units)
{
  recordings_add (folder, units, recordings_start_us, 60 * G_USEC_PER_SEC);
  *bench = (Bench){ .loop = loop_new (NULL), .pins = recording_pins_new (clock_system ()), .folder = folder,
                    .scale = scale };
  bench->pool = feed_pool_new (bench->pins);
  g_mutex_init (&bench->mutex);
  g_cond_init (&bench->changed);
  bench->playbacks = rtsp_playbacks_new (bench->pool, data_dir_of, bench);
  bench->recordings = rtsp_playbacks_recordings (bench->playbacks);
  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, bench->fds), 0);
  wire_init (&bench->wire, bench->fds[0]);
}

static void bench_close (Bench *bench)
{
  loop_call (bench->loop, close_on_loop, bench);
  feed_pool_free (bench->pool);
  loop_call (bench->loop, do_nothing, NULL);
  loop_free (bench->loop); /* asserts that all blocks came back */
  rtsp_playbacks_free (bench->playbacks);
  assert_false (recording_pins_any (bench->pins));
  recording_pins_free (bench->pins);
  close (bench->fds[0]);
  g_free (bench->end_reason);
  g_mutex_clear (&bench->mutex);
  g_cond_clear (&bench->changed);
}

static void wait_for_end (Bench *bench)
{
  gint64 until_us = g_get_monotonic_time () + WATCHDOG_S * G_USEC_PER_SEC;
  g_mutex_lock (&bench->mutex);
  while (bench->end_reason == NULL && bench->finished == 0)
    assert_true (g_cond_wait_until (&bench->changed, &bench->mutex, until_us));
  g_mutex_unlock (&bench->mutex);
}

static void a_client_that_goes_within_a_picture_ends_the_session (void **state)
{
  SampleStream *sample = sample_stream_make ("libx264 -g 25", SAMPLE_SILENT, 3, recordings_start_us);
  g_autoptr (GPtrArray) units = sample_stream_units (sample);
  g_autoptr (GPtrArray) large = recordings_with_large_keys (units, LARGE_BYTES);
  Bench bench;
  bench_open (&bench, *state, 1, large);
  close (bench.fds[1]);
  loop_call (bench.loop, open_on_loop, &bench);
  wait_for_end (&bench);
  assert_string_equal (bench.end_reason, "closed");
  bench_close (&bench);
  sample_stream_free (sample);
}

static void where_the_recordings_end_it_says_so_stays_and_keeps_what_it_reads_on (void **state)
{
  SampleStream *sample = sample_stream_make ("libx264 -g 25", SAMPLE_SILENT, 3, recordings_start_us);
  g_autoptr (GPtrArray) units = sample_stream_units (sample);
  Bench bench;
  bench_open (&bench, *state, 16, units);
  loop_call (bench.loop, open_on_loop, &bench);
  wait_for_end (&bench);
  assert_null (bench.end_reason);
  assert_int_equal (bench.finished, 1);
  assert_true (recording_pins_keep (bench.pins, "bridge", recordings_start_us + 2 * G_USEC_PER_SEC, G_MAXINT64)
               > recordings_start_us + FEED_KEEPS_US);
  assert_int_equal (recording_pins_keep (bench.pins, "gate", recordings_start_us, G_MAXINT64), -1);
  close (bench.fds[1]);
  bench_close (&bench);
  sample_stream_free (sample);
}

static void play_on (gpointer data)
{
  Bench *bench = data;
  bench->recordings->play (bench->session, -1, -1, bench->scale);
}

static void after_the_end_it_goes_on_there_and_not_from_the_start (void **state)
{
  SampleStream *sample = sample_stream_make ("libx264 -g 25", SAMPLE_SILENT, 3, recordings_start_us);
  g_autoptr (GPtrArray) units = sample_stream_units (sample);
  Bench bench;
  bench_open (&bench, *state, 16, units);
  loop_call (bench.loop, open_on_loop, &bench);
  wait_for_end (&bench);
  assert_int_equal (bench.played_from_us, recordings_start_us);
  bench.finished = 0;
  loop_call (bench.loop, play_on, &bench);
  wait_for_end (&bench);
  assert_in_range (bench.played_from_us, recordings_start_us + 1900000, recordings_start_us + 2100000);
  close (bench.fds[1]);
  bench_close (&bench);
  sample_stream_free (sample);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, folder_setup, folder_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (a_client_that_goes_within_a_picture_ends_the_session),
    TEST (after_the_end_it_goes_on_there_and_not_from_the_start),
    TEST (where_the_recordings_end_it_says_so_stays_and_keeps_what_it_reads_on),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
