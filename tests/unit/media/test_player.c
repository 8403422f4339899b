#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/rtsp/player.h"
#include "tests/support/test.h"

enum { VIDEO_BYTES = 1000, AUDIO_BYTES = 200 };

static const OutletLimits limits = { 100000, 8 * G_USEC_PER_SEC, 15 * G_USEC_PER_SEC, 30 * G_USEC_PER_SEC };

typedef struct {
  Loop *loop; /* its thread is not used: the test is the only thread that touches the stream */
  Stream *stream;
  Wire wire;
  Outlet outlet;
  Player player;
  int fds[2];
} Bench;

static void on_waits (gpointer data)
{
  (void) data;
}

static void on_player_ended (const char *reason, gpointer data)
{
  (void) data;
  fail_msg ("the viewer ended: %s", reason);
}

static int setup (void **state)
{
  Bench *bench = *state = g_new0 (Bench, 1);
  int small = 16 * 1024;
  TrackList tracks = { .count = 2 };
  tracks.tracks[0] = (Track){ MEDIUM_VIDEO, CODEC_H264, 96, 90000, 1, (char *) "H264", (char *) "", (char *) "" };
  tracks.tracks[1] = (Track){ MEDIUM_AUDIO, CODEC_PCMA, 8, 8000, 1, (char *) "PCMA", (char *) "", (char *) "" };
  bench->loop = loop_new (NULL);
  bench->stream = stream_new (bench->loop, "bridge", "main");
  stream_begin (bench->stream, track_list_copy (&tracks));
  int result = socketpair (AF_UNIX, SOCK_STREAM, 0, bench->fds);
  setsockopt (bench->fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  wire_init (&bench->wire, bench->fds[0]);
  outlet_init (&bench->outlet, &bench->wire, &limits, on_waits, NULL);
  player_init (&bench->player, bench->stream, &tracks, &bench->outlet, on_player_ended, NULL);
  return result;
}

static int teardown (void **state)
{
  Bench *bench = *state;
  player_finish (&bench->player);
  outlet_finish (&bench->outlet);
  stream_free (bench->stream);
  assert_int_equal (block_pool_used (loop_blocks (bench->loop)), 0);
  loop_free (bench->loop);
  close (bench->fds[0]);
  close (bench->fds[1]);
  g_free (bench);
  return 0;
}

static void publish (Bench *bench, guint8 channel, guint16 size, gboolean is_key)
{
  Unit unit = { .block = block_new (loop_blocks (bench->loop)), .size = 4u + size, .packets = 1, .is_random_access = is_key };
  memset (unit.block->bytes, 0, unit.size);
  memcpy (unit.block->bytes, (guint8[]){ '$', channel, (guint8) (size >> 8), (guint8) size }, 4);
  stream_publish (bench->stream, &unit);
  block_unref (unit.block);
}

/* Reads all that comes; the bytes. */
static gsize drain (Bench *bench)
{
  guint8 bytes[65536];
  gsize sum = 0;
  for (;;) {
    gssize size = recv (bench->fds[1], bytes, sizeof bytes, MSG_DONTWAIT);
    if (size > 0)
      sum += (gsize) size;
    else if (!outlet_is_waiting (&bench->outlet))
      return sum;
    else
      assert_true (outlet_flush (&bench->outlet, loop_now_us (bench->loop)));
  }
}

static void a_viewer_of_some_tracks_that_is_behind_holds_what_waits_and_little_more (void **state)
{
  Bench *bench = *state;
  assert_true (player_set_up (&bench->player, 0, 4, 5));
  player_start (&bench->player);
  publish (bench, 0, VIDEO_BYTES, TRUE);
  group_clear ((Group *) stream_group (bench->stream)); /* of which each unit has a block of its own here */
  for (guint i = 0; i < 80; i++)
    publish (bench, 0, VIDEO_BYTES, FALSE);
  assert_true (outlet_is_waiting (&bench->outlet));
  assert_in_range (block_pool_used (loop_blocks (bench->loop)), 1, 3);
  assert_int_equal (drain (bench), 81 * (4 + VIDEO_BYTES));
}

static void a_viewer_of_the_sound_alone_goes_on_after_a_skip (void **state)
{
  Bench *bench = *state;
  assert_true (player_set_up (&bench->player, 1, 2, 3));
  player_start (&bench->player);
  publish (bench, 0, VIDEO_BYTES, TRUE);
  while (bench->outlet.skip_count == 0)
    publish (bench, 2, AUDIO_BYTES, FALSE);
  drain (bench);
  publish (bench, 0, VIDEO_BYTES, TRUE);
  publish (bench, 2, AUDIO_BYTES, FALSE);
  assert_int_equal (drain (bench), 4 + AUDIO_BYTES);
}

static void a_track_of_which_nothing_is_kept_is_reported_at_the_start_too (void **state)
{
  enum { SDES = 4 + SENDER_REPORT_BYTES };
  Bench *bench = *state;
  guint8 bytes[SDES + 20];
  *stream_sender_report (bench->stream, 1) = (SenderReport){ G_GUINT64_CONSTANT (5) << 32, 77, 9, 8000 };
  assert_true (player_set_up (&bench->player, 0, 0, 1));
  assert_true (player_set_up (&bench->player, 1, 2, 3));
  player_start (&bench->player);
  assert_int_equal (recv (bench->fds[1], bytes, sizeof bytes, MSG_DONTWAIT), sizeof bytes);
  assert_int_equal (bytes[1], 3);
  assert_int_equal (bytes[4 + 1], 200);
  assert_int_equal (bytes[4 + 7], 9);
  assert_int_equal (bytes[4 + 11], 5);
  assert_int_equal (bytes[4 + 19], 77);
  assert_int_equal (bytes[3], sizeof bytes - 4);
  assert_memory_equal (bytes + SDES, "\x81\xca\0\x04\0\0\0\x09\x01\x08", 10); /* RFC 3550 6.1: a CNAME in every compound packet */
  assert_memory_equal (bytes + SDES + 10, stream_cname (bench->stream), 8);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_viewer_of_some_tracks_that_is_behind_holds_what_waits_and_little_more, setup, teardown),
    cmocka_unit_test_setup_teardown (a_viewer_of_the_sound_alone_goes_on_after_a_skip, setup, teardown),
    cmocka_unit_test_setup_teardown (a_track_of_which_nothing_is_kept_is_reported_at_the_start_too, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
