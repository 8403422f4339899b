/* A browser that is too slow: what is late is skipped, and who takes nothing is dropped; by a clock that the test moves. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/live/live_viewer.h"
#include "tests/support/test.h"

enum { FRAGMENT_BYTES = 64 * 1024 };

typedef struct {
  Clock *clock;
  Loop *loop;
  LiveViewer *viewer;
  int sockets[2]; /* ours, the viewer's */
  gboolean is_key;
  char gone[16];
} Fixture;

static void on_gone (LiveViewer *viewer, const char *reason, gpointer data)
{
  (void) viewer;
  g_strlcpy (((Fixture *) data)->gone, reason, sizeof ((Fixture *) data)->gone);
}

static void make_on_loop (gpointer data)
{
  Fixture *fixture = data;
  fixture->viewer = live_viewer_new (fixture->loop, "v1", fixture->sockets[1], NULL, 0, on_gone, fixture, NULL);
  assert_non_null (fixture->viewer);
}

/* `is_full`: the socket takes nothing at all from the start. */
static Fixture *fixture_new (gboolean is_full)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  guint8 byte = 0;
  int room = 4 * FRAGMENT_BYTES;
  fixture->clock = clock_fake_new (G_USEC_PER_SEC);
  fixture->loop = loop_new_with_clock (fixture->clock, NULL);
  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fixture->sockets), 0);
  setsockopt (fixture->sockets[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  while (is_full && send (fixture->sockets[1], &byte, 1, MSG_DONTWAIT) == 1)
    continue;
  loop_call (fixture->loop, make_on_loop, fixture);
  return fixture;
}

static void free_on_loop (gpointer data)
{
  live_viewer_free (((Fixture *) data)->viewer, 0);
}

static void fixture_free (Fixture *fixture)
{
  loop_call (fixture->loop, free_on_loop, fixture);
  loop_free (fixture->loop);
  clock_fake_free (fixture->clock);
  close (fixture->sockets[0]);
  g_free (fixture);
}

/* As the hub does it. */
static void push_on_loop (gpointer data)
{
  Fixture *fixture = data;
  static const guint8 zeros[FRAGMENT_BYTES];
  g_autoptr (GBytes) fragment = g_bytes_new_static (zeros, sizeof zeros);
  g_autoptr (GBytes) init = g_bytes_new_static (zeros, 100);
  if (live_viewer_wants_init (fixture->viewer) && fixture->is_key)
    live_viewer_push_init (fixture->viewer, init, init);
  if (!live_viewer_wants_init (fixture->viewer))
    live_viewer_push (fixture->viewer, fragment, fixture->is_key, FALSE);
  live_viewer_flush (fixture->viewer);
}

/* A fragment each second, the first of each four a key. */
static void watch (Fixture *fixture, guint from_second, guint to_second)
{
  for (guint second = from_second; second < to_second; second++) {
    fixture->is_key = second % 4 == 0;
    loop_call (fixture->loop, push_on_loop, fixture);
    clock_fake_advance (fixture->clock, G_USEC_PER_SEC);
  }
}

static guint skips (const Fixture *fixture)
{
  return live_viewer_skips (fixture->viewer);
}

static void take (Fixture *fixture, gsize bytes)
{
  g_autofree guint8 *buffer = g_malloc (bytes);
  assert_true (recv (fixture->sockets[0], buffer, bytes, MSG_DONTWAIT) > 0);
}

static void check_dropped (gboolean is_full)
{
  Fixture *fixture = fixture_new (is_full);
  guint second = 0;
  for (; second < 40 && skips (fixture) == 0; second++)
    watch (fixture, second, second + 1);
  assert_in_range (second, 6, 20); /* what the socket had room for, and five seconds */
  assert_string_equal (fixture->gone, "");
  guint skipped = second;
  for (; second < 40 && *fixture->gone == '\0'; second++)
    watch (fixture, second, second + 1);
  assert_string_equal (fixture->gone, "slow");
  assert_in_range (second - skipped, 2, 9); /* until ten seconds, and the next key */
  fixture_free (fixture);
}

static void one_that_takes_nothing_is_skipped_and_then_dropped (void **state)
{
  (void) state;
  check_dropped (FALSE);
}

static void one_that_is_full_where_a_frame_ends_is_dropped_too (void **state)
{
  (void) state;
  check_dropped (TRUE);
}

static void one_that_is_slow_is_skipped_again_and_again_but_stays (void **state)
{
  (void) state;
  Fixture *fixture = fixture_new (FALSE);
  for (guint second = 0; second < 60; second++) {
    watch (fixture, second, second + 1);
    if (second >= 4 && second % 4 == 0)
      take (fixture, FRAGMENT_BYTES);
  }
  assert_string_equal (fixture->gone, "");
  assert_in_range (skips (fixture), 2, 20);
  fixture_free (fixture);
}

static void one_that_keeps_up_loses_nothing (void **state)
{
  (void) state;
  Fixture *fixture = fixture_new (FALSE);
  for (guint second = 0; second < 30; second++) {
    watch (fixture, second, second + 1);
    take (fixture, 2 * FRAGMENT_BYTES);
  }
  assert_string_equal (fixture->gone, "");
  assert_int_equal (skips (fixture), 0);
  fixture_free (fixture);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (one_that_takes_nothing_is_skipped_and_then_dropped),
    cmocka_unit_test (one_that_is_full_where_a_frame_ends_is_dropped_too),
    cmocka_unit_test (one_that_is_slow_is_skipped_again_and_again_but_stays),
    cmocka_unit_test (one_that_keeps_up_loses_nothing),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
