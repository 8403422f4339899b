#include "pipelines/rtp/stream.h"
#include "tests/support/test.h"

typedef struct {
  StreamTap tap;
  Stream *stream;
  GString *seen; /* S: started, k: key unit, u: other unit, E: ended */
  guint packets;
  gboolean removes_itself_at_start, removes_itself_at_unit;
  StreamTap *adds; /* another tap, at the first unit */
} Watcher;

typedef struct {
  Loop *loop; /* its thread is not used: the test is the only thread that touches the stream */
  Stream *stream;
  Watcher watchers[3];
  int wanted_changes;
  gboolean is_wanted;
} Bench;

static void on_started (StreamTap *tap, const TrackList *tracks)
{
  Watcher *watcher = (Watcher *) tap;
  assert_int_equal (tracks->count, 1);
  g_string_append_c (watcher->seen, 'S');
  if (watcher->removes_itself_at_start)
    stream_remove_tap (watcher->stream, tap);
}

static void on_unit (StreamTap *tap, const Unit *unit)
{
  Watcher *watcher = (Watcher *) tap;
  g_string_append_c (watcher->seen, unit->is_random_access ? 'k' : 'u');
  watcher->packets += unit->packets;
  if (watcher->adds != NULL)
    stream_add_tap (watcher->stream, g_steal_pointer (&watcher->adds));
  if (watcher->removes_itself_at_unit)
    stream_remove_tap (watcher->stream, tap);
}

static void on_ended (StreamTap *tap, const char *reason)
{
  (void) reason;
  g_string_append_c (((Watcher *) tap)->seen, 'E');
}

static void on_wanted (Stream *stream, gboolean is_wanted, gpointer data)
{
  (void) stream;
  Bench *bench = data;
  bench->wanted_changes++;
  bench->is_wanted = is_wanted;
}

static int setup (void **state)
{
  Bench *bench = *state = g_new0 (Bench, 1);
  bench->loop = loop_new (NULL);
  bench->stream = stream_new (bench->loop, "bridge", "main");
  stream_set_wanted (bench->stream, on_wanted, bench);
  for (guint i = 0; i < G_N_ELEMENTS (bench->watchers); i++)
    bench->watchers[i] = (Watcher){ { on_started, on_unit, on_ended }, bench->stream, g_string_new (NULL) };
  return 0;
}

static int teardown (void **state)
{
  Bench *bench = *state;
  stream_free (bench->stream);
  assert_int_equal (block_pool_used (loop_blocks (bench->loop)), 0);
  loop_free (bench->loop);
  for (guint i = 0; i < G_N_ELEMENTS (bench->watchers); i++)
    g_string_free (bench->watchers[i].seen, TRUE);
  g_free (bench);
  return 0;
}

static void begin (Bench *bench)
{
  TrackList *tracks = g_new0 (TrackList, 1);
  tracks->count = 1;
  stream_begin (bench->stream, tracks);
}

static void publish_sized (Bench *bench, gboolean is_key, guint32 size)
{
  Unit unit = { .block = block_new (loop_blocks (bench->loop)), .size = size, .is_random_access = is_key };
  stream_publish (bench->stream, &unit);
  block_unref (unit.block);
}

static void publish (Bench *bench, const char *units)
{
  for (const char *c = units; *c; c++)
    publish_sized (bench, *c == 'k', 1000);
}

static void a_tap_that_joins_gets_the_kept_group_from_its_key_frame_on (void **state)
{
  Bench *bench = *state;
  begin (bench);
  publish (bench, "kuukuu");
  stream_add_tap (bench->stream, &bench->watchers[0].tap);
  publish (bench, "u");
  assert_string_equal (bench->watchers[0].seen->str, "Skuuu");
}

static void a_tap_waits_for_a_key_frame_when_nothing_is_kept (void **state)
{
  Bench *bench = *state;
  stream_add_tap (bench->stream, &bench->watchers[0].tap);
  begin (bench);
  publish (bench, "uuku");
  assert_string_equal (bench->watchers[0].seen->str, "Sku");
}

static void a_group_over_its_bound_is_dropped_until_the_next_key_frame (void **state)
{
  Bench *bench = *state;
  begin (bench);
  publish (bench, "k");
  for (guint i = 0; i < GROUP_BYTES_DEFAULT / BLOCK_BYTES; i++)
    publish_sized (bench, FALSE, BLOCK_BYTES);
  assert_int_equal (group_count (stream_group (bench->stream)), 0);
  publish (bench, "u");
  assert_int_equal (group_count (stream_group (bench->stream)), 0);
  publish (bench, "ku");
  assert_int_equal (group_count (stream_group (bench->stream)), 2);
}

static void taps_may_come_and_go_from_callbacks (void **state)
{
  Bench *bench = *state;
  Watcher *watchers = bench->watchers;
  begin (bench);
  publish (bench, "ku");
  watchers[0].removes_itself_at_start = TRUE;
  stream_add_tap (bench->stream, &watchers[0].tap);
  assert_string_equal (watchers[0].seen->str, "SE");

  stream_add_tap (bench->stream, &watchers[1].tap);
  watchers[1].adds = &watchers[2].tap;
  watchers[1].removes_itself_at_unit = TRUE;
  publish (bench, "uu");
  assert_string_equal (watchers[1].seen->str, "SkuuE");
  assert_string_equal (watchers[2].seen->str, "Skuuu");
}

static void taps_stay_while_the_camera_is_away (void **state)
{
  Bench *bench = *state;
  stream_add_tap (bench->stream, &bench->watchers[0].tap);
  begin (bench);
  publish (bench, "ku");
  stream_end (bench->stream, "closed");
  begin (bench);
  publish (bench, "k");
  assert_string_equal (bench->watchers[0].seen->str, "SkuESk");
}

/* ---- a crowd ---- */

typedef struct {
  Watcher watchers[CROWD_TAPS + 1];
  Block *block;
  guint32 filled;
} Crowd;

static void crowd_join (Bench *bench, Crowd *crowd)
{
  for (guint i = 0; i < G_N_ELEMENTS (crowd->watchers); i++) {
    crowd->watchers[i] = (Watcher){ { on_started, on_unit, on_ended, .merges = TRUE }, bench->stream, g_string_new (NULL) };
    stream_add_tap (bench->stream, &crowd->watchers[i].tap);
  }
  crowd->block = block_new (loop_blocks (bench->loop));
}

static void crowd_leave (Bench *bench, Crowd *crowd)
{
  block_unref (crowd->block);
  for (guint i = 0; i < G_N_ELEMENTS (crowd->watchers); i++) {
    stream_remove_tap (bench->stream, &crowd->watchers[i].tap);
    g_string_free (crowd->watchers[i].seen, TRUE);
  }
}

/* One behind the other in a block, the first byte come so long ago. */
static void publish_to_crowd (Bench *bench, Crowd *crowd, const char *units, gint64 age_us)
{
  for (const char *c = units; *c; c++, crowd->filled += 1000) {
    Unit unit = { .block = crowd->block, .offset = crowd->filled, .size = 1000, .packets = 1, .is_random_access = *c == 'k',
                  .ends_access_unit = *c != '.', .arrival_us = loop_now_us (bench->loop) - age_us };
    stream_publish (bench->stream, &unit);
  }
}

static void assert_crowd_saw (const Crowd *crowd, const char *seen, guint packets)
{
  for (guint i = 0; i < G_N_ELEMENTS (crowd->watchers); i++) {
    assert_string_equal (crowd->watchers[i].seen->str, seen);
    assert_int_equal (crowd->watchers[i].packets, packets);
  }
}

static void a_crowd_gets_what_is_held_back_as_one_and_others_get_each_unit_at_once (void **state)
{
  Bench *bench = *state;
  Crowd crowd = { 0 };
  begin (bench);
  stream_add_tap (bench->stream, &bench->watchers[0].tap);
  crowd_join (bench, &crowd);
  publish_to_crowd (bench, &crowd, "kuku", 0);
  assert_crowd_saw (&crowd, "S", 0);
  assert_string_equal (bench->watchers[0].seen->str, "Skuku");
  stream_end (bench->stream, "closed");
  assert_crowd_saw (&crowd, "SkkE", 4);
  crowd_leave (bench, &crowd);
}

static void what_is_held_back_is_full_after_80_ms (void **state)
{
  Bench *bench = *state;
  Crowd crowd = { 0 };
  begin (bench);
  crowd_join (bench, &crowd);
  publish_to_crowd (bench, &crowd, "k", 79 * 1000);
  assert_crowd_saw (&crowd, "S", 0);
  crowd_leave (bench, &crowd);
  stream_end (bench->stream, "closed");
  begin (bench);
  crowd_join (bench, &crowd);
  crowd.filled = 0;
  publish_to_crowd (bench, &crowd, ".", 80 * 1000); /* not in the middle of a picture */
  assert_crowd_saw (&crowd, "S", 0);
  publish_to_crowd (bench, &crowd, "k", 80 * 1000);
  assert_crowd_saw (&crowd, "Sk", 1); /* without the other: nothing starts before a key frame */
  crowd_leave (bench, &crowd);
}

static void whoever_joins_a_crowd_gets_nothing_twice_and_makes_nobody_wait (void **state)
{
  Bench *bench = *state;
  Crowd crowd = { 0 };
  Watcher *late = &bench->watchers[0];
  begin (bench);
  crowd_join (bench, &crowd);
  publish_to_crowd (bench, &crowd, "kuu", 0);
  late->tap.merges = TRUE;
  stream_add_tap (bench->stream, &late->tap);
  assert_crowd_saw (&crowd, "Sk", 3);
  assert_string_equal (late->seen->str, "Sk");
  publish_to_crowd (bench, &crowd, "uu", 0);
  stream_end (bench->stream, "closed");
  assert_string_equal (late->seen->str, "SkuE");
  assert_int_equal (late->packets, 5);
  crowd_leave (bench, &crowd);
}

static void a_crowd_that_has_dwindled_waits_no_longer (void **state)
{
  Bench *bench = *state;
  Crowd crowd = { 0 };
  begin (bench);
  crowd_join (bench, &crowd);
  publish_to_crowd (bench, &crowd, "ku", 0);
  stream_remove_tap (bench->stream, &crowd.watchers[0].tap);
  publish_to_crowd (bench, &crowd, "u", 0);
  assert_string_equal (crowd.watchers[0].seen->str, "SE");
  for (guint i = 1; i < G_N_ELEMENTS (crowd.watchers); i++)
    assert_string_equal (crowd.watchers[i].seen->str, "Sku");
  crowd_leave (bench, &crowd);
}

typedef struct {
  Bench *bench;
  Crowd crowd;
  gboolean has_seen;
} Late;

static void start_late (gpointer data)
{
  Late *late = data;
  begin (late->bench);
  crowd_join (late->bench, &late->crowd);
  publish_to_crowd (late->bench, &late->crowd, "k", 0);
  assert_crowd_saw (&late->crowd, "S", 0);
}

static void look_late (gpointer data)
{
  Late *late = data;
  late->has_seen = late->crowd.watchers[CROWD_TAPS].packets == 1;
}

static void end_late (gpointer data)
{
  Late *late = data;
  crowd_leave (late->bench, &late->crowd);
}

/* On the loop's own thread: its timer must bring it, for no other unit comes. */
static void what_is_held_back_goes_when_nothing_follows (void **state)
{
  Late late = { .bench = *state };
  gint64 start_us = g_get_monotonic_time ();
  loop_call (late.bench->loop, start_late, &late);
  while (!late.has_seen && g_get_monotonic_time () - start_us < 20 * G_USEC_PER_SEC)
    loop_call (late.bench->loop, look_late, &late);
  assert_true (late.has_seen);
  assert_true (g_get_monotonic_time () - start_us >= CROWD_HOLD_US / 2);
  loop_call (late.bench->loop, end_late, &late);
}

static void a_stream_is_wanted_from_its_first_tap_to_its_last (void **state)
{
  Bench *bench = *state;
  stream_add_tap (bench->stream, &bench->watchers[0].tap);
  stream_add_tap (bench->stream, &bench->watchers[1].tap);
  assert_true (bench->is_wanted);
  stream_remove_tap (bench->stream, &bench->watchers[0].tap);
  stream_remove_tap (bench->stream, &bench->watchers[0].tap);
  assert_true (bench->is_wanted);
  stream_remove_tap (bench->stream, &bench->watchers[1].tap);
  assert_false (bench->is_wanted);
  assert_int_equal (bench->wanted_changes, 2);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_tap_that_joins_gets_the_kept_group_from_its_key_frame_on, setup, teardown),
    cmocka_unit_test_setup_teardown (a_tap_waits_for_a_key_frame_when_nothing_is_kept, setup, teardown),
    cmocka_unit_test_setup_teardown (a_group_over_its_bound_is_dropped_until_the_next_key_frame, setup, teardown),
    cmocka_unit_test_setup_teardown (taps_may_come_and_go_from_callbacks, setup, teardown),
    cmocka_unit_test_setup_teardown (taps_stay_while_the_camera_is_away, setup, teardown),
    cmocka_unit_test_setup_teardown (a_crowd_gets_what_is_held_back_as_one_and_others_get_each_unit_at_once, setup, teardown),
    cmocka_unit_test_setup_teardown (what_is_held_back_is_full_after_80_ms, setup, teardown),
    cmocka_unit_test_setup_teardown (whoever_joins_a_crowd_gets_nothing_twice_and_makes_nobody_wait, setup, teardown),
    cmocka_unit_test_setup_teardown (a_crowd_that_has_dwindled_waits_no_longer, setup, teardown),
    cmocka_unit_test_setup_teardown (what_is_held_back_goes_when_nothing_follows, setup, teardown),
    cmocka_unit_test_setup_teardown (a_stream_is_wanted_from_its_first_tap_to_its_last, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
