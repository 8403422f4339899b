#include "pipelines/rtp/stream.h"
#include "tests/support/test.h"

typedef struct {
  StreamTap tap;
  Stream *stream;
  GString *seen; /* S: started, k: key unit, u: other unit, E: ended */
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
    cmocka_unit_test_setup_teardown (a_stream_is_wanted_from_its_first_tap_to_its_last, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
