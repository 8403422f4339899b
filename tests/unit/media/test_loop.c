#include <unistd.h>

#include "pipelines/rtp/loop.h"
#include "tests/support/test.h"

typedef struct {
  Loop *loop;
  GMutex mutex;
  GCond condition;
  int fired[4];
  int fired_count;
  LoopTimer *timers[4];
  LoopWatch *watches[2];
  int pipes[2][2];
  int ready_count;
  gboolean was_freed, was_freed_in_turn;
} Bench;

static int setup (void **state)
{
  Bench *bench = *state = g_new0 (Bench, 1);
  bench->loop = loop_new (NULL);
  g_mutex_init (&bench->mutex);
  g_cond_init (&bench->condition);
  return 0;
}

static int teardown (void **state)
{
  Bench *bench = *state;
  loop_free (bench->loop);
  g_free (bench);
  return 0;
}

static void tell (Bench *bench)
{
  g_mutex_lock (&bench->mutex);
  g_cond_signal (&bench->condition);
  g_mutex_unlock (&bench->mutex);
}

static void wait_for (Bench *bench, int *value, int wanted)
{
  g_mutex_lock (&bench->mutex);
  gint64 deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;
  while (g_atomic_int_get (value) < wanted)
    assert_true (g_cond_wait_until (&bench->condition, &bench->mutex, deadline));
  g_mutex_unlock (&bench->mutex);
}

static void fire (Bench *bench, int which)
{
  bench->fired[bench->fired_count] = which;
  g_atomic_int_inc (&bench->fired_count);
  tell (bench);
}

static void fire_0 (gpointer data)
{
  fire (data, 0);
}

static void fire_1 (gpointer data)
{
  fire (data, 1);
}

static void fire_2 (gpointer data)
{
  fire (data, 2);
}

static void set_timers (gpointer data)
{
  Bench *bench = data;
  gint64 now = loop_now_us (bench->loop);
  LoopTask tasks[] = { fire_0, fire_1, fire_2 };
  for (guint i = 0; i < 3; i++)
    bench->timers[i] = loop_timer_new (bench->loop, tasks[i], bench);
  loop_timer_set (bench->timers[0], now + 9000);
  loop_timer_set (bench->timers[1], now + 3000);
  loop_timer_set (bench->timers[2], now + 1000);
  loop_timer_clear (bench->timers[2]);
  loop_timer_set (bench->timers[2], now + 6000);
}

static void free_timers (gpointer data)
{
  Bench *bench = data;
  for (guint i = 0; i < 3; i++)
    loop_timer_free (bench->timers[i]);
}

static void timers_fire_in_the_order_of_their_times (void **state)
{
  Bench *bench = *state;
  loop_call (bench->loop, set_timers, bench);
  wait_for (bench, &bench->fired_count, 3);
  assert_int_equal (bench->fired[0], 1);
  assert_int_equal (bench->fired[1], 2);
  assert_int_equal (bench->fired[2], 0);
  loop_call (bench->loop, free_timers, bench);
}

static void note_freed (gpointer data)
{
  ((Bench *) data)->was_freed = TRUE;
}

/* Both descriptors are ready in one turn; the first that is called removes the other. */
static void remove_both (guint32 events, gpointer data)
{
  (void) events;
  Bench *bench = data;
  loop_watch_remove (bench->watches[0]);
  loop_watch_remove (bench->watches[1]);
  loop_free_later (bench->loop, bench, note_freed);
  bench->was_freed_in_turn = bench->was_freed;
  g_atomic_int_inc (&bench->ready_count);
  tell (bench);
}

static void watch_pipes (gpointer data)
{
  Bench *bench = data;
  for (guint i = 0; i < 2; i++) {
    assert_int_equal (write (bench->pipes[i][1], "x", 1), 1);
    bench->watches[i] = loop_watch_add (bench->loop, bench->pipes[i][0], EPOLLIN, remove_both, bench);
  }
}

static void nothing (gpointer data)
{
  (void) data;
}

static void what_a_turn_removes_is_not_called_and_is_freed_at_its_end (void **state)
{
  Bench *bench = *state;
  for (guint i = 0; i < 2; i++)
    assert_int_equal (pipe (bench->pipes[i]), 0);
  loop_call (bench->loop, watch_pipes, bench);
  wait_for (bench, &bench->ready_count, 1);
  loop_call (bench->loop, nothing, NULL);
  loop_call (bench->loop, nothing, NULL);
  assert_int_equal (bench->ready_count, 1);
  assert_true (bench->was_freed);
  assert_false (bench->was_freed_in_turn);
  for (guint i = 0; i < 4; i++)
    close (bench->pipes[i / 2][i % 2]);
}

static void count_ready (guint32 events, gpointer data)
{
  (void) events;
  Bench *bench = data;
  char byte;
  assert_int_equal (read (bench->pipes[0][0], &byte, 1), 1);
  bench->ready_count++;
}

static void watch_patiently (gpointer data)
{
  Bench *bench = data;
  bench->watches[0] = loop_watch_add (bench->loop, bench->pipes[0][0], EPOLLIN, count_ready, bench);
  loop_watch_set_patient (bench->watches[0], TRUE);
}

static void watch_impatiently (gpointer data)
{
  loop_watch_set_patient (((Bench *) data)->watches[0], FALSE);
}

static void stop_watching (gpointer data)
{
  loop_watch_remove (((Bench *) data)->watches[0]);
}

/* The clock stands still: the tick comes when it is moved, and the loop looks at it when it is called. */
static void a_patient_watch_wakes_nobody_and_is_looked_at_at_the_tick (void **state)
{
  Bench *bench = *state;
  Clock *clock = clock_fake_new (0);
  loop_free (bench->loop);
  bench->loop = loop_new_with_clock (clock, NULL);
  assert_int_equal (pipe (bench->pipes[0]), 0);
  loop_call (bench->loop, watch_patiently, bench);
  assert_int_equal (write (bench->pipes[0][1], "xy", 2), 2);
  for (guint i = 0; i < 10; i++)
    loop_call (bench->loop, nothing, NULL);
  assert_int_equal (bench->ready_count, 0);
  for (int tick = 1; tick <= 2; tick++) {
    clock_fake_advance (clock, LOOP_TICK_US);
    loop_call (bench->loop, nothing, NULL);
    loop_call (bench->loop, nothing, NULL);
    assert_int_equal (bench->ready_count, tick);
  }
  assert_int_equal (write (bench->pipes[0][1], "z", 1), 1);
  loop_call (bench->loop, watch_impatiently, bench);
  loop_call (bench->loop, nothing, NULL);
  loop_call (bench->loop, nothing, NULL);
  assert_int_equal (bench->ready_count, 3);
  loop_call (bench->loop, stop_watching, bench);
  loop_free (bench->loop);
  bench->loop = NULL;
  clock_fake_free (clock);
  close (bench->pipes[0][0]);
  close (bench->pipes[0][1]);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (timers_fire_in_the_order_of_their_times, setup, teardown),
    cmocka_unit_test_setup_teardown (what_a_turn_removes_is_not_called_and_is_freed_at_its_end, setup, teardown),
    cmocka_unit_test_setup_teardown (a_patient_watch_wakes_nobody_and_is_looked_at_at_the_tick, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
