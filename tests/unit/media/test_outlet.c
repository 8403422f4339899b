#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/rtp/outlet.h"
#include "tests/support/test.h"

enum { UNIT_BYTES = 10000 };

static const OutletLimits limits = { 200000, 8 * G_USEC_PER_SEC, 15 * G_USEC_PER_SEC, 30 * G_USEC_PER_SEC };

typedef struct {
  Wire wire;
  Outlet outlet;
  BlockPool *pool;
  int fds[2];
  gint64 now_us;
  guint8 next;
  gint waits;
  GByteArray *received;
} Bench;

static void on_waits (gpointer data)
{
  ((Bench *) data)->waits++;
}

static int setup (void **state)
{
  Bench *bench = *state = g_new0 (Bench, 1);
  int small = 16 * 1024;
  bench->pool = block_pool_new ();
  bench->now_us = G_USEC_PER_SEC;
  bench->received = g_byte_array_new ();
  int result = socketpair (AF_UNIX, SOCK_STREAM, 0, bench->fds);
  setsockopt (bench->fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  wire_init (&bench->wire, bench->fds[0]);
  outlet_init (&bench->outlet, &bench->wire, &limits, on_waits, bench);
  return result;
}

static int teardown (void **state)
{
  Bench *bench = *state;
  outlet_finish (&bench->outlet);
  block_pool_free (bench->pool); /* asserts that all came back */
  close (bench->fds[0]);
  close (bench->fds[1]);
  g_byte_array_unref (bench->received);
  g_free (bench);
  return 0;
}

/* A unit of one byte's value, so that what arrives tells which ones did. */
static gboolean send_unit (Bench *bench, gboolean is_key)
{
  Unit unit = { .block = block_new (bench->pool), .size = UNIT_BYTES, .packets = 1, .is_random_access = is_key };
  memset (unit.block->bytes, ++bench->next, UNIT_BYTES);
  gboolean is_open = outlet_send (&bench->outlet, &unit, bench->now_us);
  block_unref (unit.block);
  return is_open;
}

static void drain (Bench *bench)
{
  guint8 bytes[65536];
  for (;;) {
    gssize size = recv (bench->fds[1], bytes, sizeof bytes, MSG_DONTWAIT);
    if (size > 0) {
      g_byte_array_append (bench->received, bytes, (guint) size);
      continue;
    }
    if (!outlet_is_waiting (&bench->outlet))
      return;
    assert_true (outlet_flush (&bench->outlet, bench->now_us));
  }
}

static void fill (Bench *bench)
{
  while (!outlet_is_waiting (&bench->outlet))
    assert_true (send_unit (bench, FALSE));
}

/* Whole units only, each whole: the values of their bytes in order. */
static GArray *received_units (Bench *bench)
{
  GArray *values = g_array_new (FALSE, FALSE, 1);
  assert_int_equal (bench->received->len % UNIT_BYTES, 0);
  for (guint i = 0; i < bench->received->len; i += UNIT_BYTES) {
    for (guint j = 1; j < UNIT_BYTES; j++)
      assert_int_equal (bench->received->data[i + j], bench->received->data[i]);
    g_array_append_val (values, bench->received->data[i]);
  }
  return values;
}

static void what_does_not_fit_waits_and_arrives_in_order (void **state)
{
  Bench *bench = *state;
  fill (bench);
  for (guint i = 0; i < 5; i++)
    assert_true (send_unit (bench, FALSE));
  assert_int_equal (bench->waits, 1);
  drain (bench);
  g_autoptr (GArray) units = received_units (bench);
  assert_int_equal (units->len, bench->next);
  for (guint i = 0; i < units->len; i++)
    assert_int_equal (g_array_index (units, guint8, i), i + 1);
  assert_int_equal (bench->outlet.skip_count, 0);
}

static void a_full_viewer_skips_to_the_next_key_frame_and_is_counted (void **state)
{
  Bench *bench = *state;
  for (guint i = 0; i < 60; i++)
    assert_true (send_unit (bench, FALSE));
  assert_int_equal (bench->outlet.skip_count, 1);
  assert_in_range (bench->outlet.waiting_bytes, 0, UNIT_BYTES);
  drain (bench);
  assert_true (send_unit (bench, FALSE));
  guint8 key = (guint8) (bench->next + 1);
  assert_true (send_unit (bench, TRUE));
  assert_true (send_unit (bench, FALSE));
  drain (bench);
  g_autoptr (GArray) units = received_units (bench);
  assert_int_equal (g_array_index (units, guint8, units->len - 2), key);
  assert_int_equal (g_array_index (units, guint8, units->len - 1), key + 1);
  assert_true (g_array_index (units, guint8, units->len - 3) < key - 1);
}

static void a_viewer_that_is_behind_for_too_long_skips (void **state)
{
  Bench *bench = *state;
  fill (bench);
  bench->now_us += limits.behind_us + 1;
  assert_true (send_unit (bench, FALSE));
  assert_int_equal (bench->outlet.skip_count, 1);
}

static void the_kept_group_may_wait_beyond_the_bound (void **state)
{
  Bench *bench = *state;
  outlet_allow (&bench->outlet, 60 * UNIT_BYTES);
  for (guint i = 0; i < 60; i++)
    assert_true (send_unit (bench, i == 0));
  assert_int_equal (bench->outlet.skip_count, 0);
  drain (bench);
  assert_int_equal (bench->received->len, 60 * UNIT_BYTES);
}

static void a_viewer_that_takes_nothing_is_lost (void **state)
{
  Bench *bench = *state;
  assert_false (outlet_is_lost (&bench->outlet, bench->now_us + G_USEC_PER_SEC * 1000));
  fill (bench);
  assert_false (outlet_is_lost (&bench->outlet, bench->now_us + limits.stuck_us));
  assert_true (outlet_is_lost (&bench->outlet, bench->now_us + limits.stuck_us + 1));
}

static void answers_are_not_skipped (void **state)
{
  Bench *bench = *state;
  fill (bench);
  g_autofree guint8 *answer = g_malloc (UNIT_BYTES);
  memset (answer, 255, UNIT_BYTES);
  assert_true (outlet_send_bytes (&bench->outlet, bench->pool, answer, UNIT_BYTES, bench->now_us));
  for (guint i = 0; i < 40; i++)
    assert_true (send_unit (bench, FALSE));
  assert_int_equal (bench->outlet.skip_count, 1);
  drain (bench);
  g_autoptr (GArray) units = received_units (bench);
  assert_int_equal (g_array_index (units, guint8, units->len - 1), 255);
}

static void a_client_that_asks_and_never_reads_is_ended_before_it_costs_memory (void **state)
{
  Bench *bench = *state;
  guint8 answer[200] = { 0 };
  gsize asked = 0;
  while (outlet_send_bytes (&bench->outlet, bench->pool, answer, sizeof answer, bench->now_us))
    asked += sizeof answer;
  assert_in_range (asked, 100 * 1024, 1024 * 1024);
  assert_in_range (block_pool_used (bench->pool), 1, 16);
  drain (bench);
  assert_in_range (bench->received->len, asked, asked);
  assert_true (outlet_send_bytes (&bench->outlet, bench->pool, answer, sizeof answer, bench->now_us));
}

static void a_client_that_is_gone_is_told (void **state)
{
  Bench *bench = *state;
  close (bench->fds[1]);
  assert_false (send_unit (bench, TRUE));
  bench->fds[1] = dup (STDIN_FILENO);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (what_does_not_fit_waits_and_arrives_in_order, setup, teardown),
    cmocka_unit_test_setup_teardown (a_full_viewer_skips_to_the_next_key_frame_and_is_counted, setup, teardown),
    cmocka_unit_test_setup_teardown (a_viewer_that_is_behind_for_too_long_skips, setup, teardown),
    cmocka_unit_test_setup_teardown (the_kept_group_may_wait_beyond_the_bound, setup, teardown),
    cmocka_unit_test_setup_teardown (a_viewer_that_takes_nothing_is_lost, setup, teardown),
    cmocka_unit_test_setup_teardown (answers_are_not_skipped, setup, teardown),
    cmocka_unit_test_setup_teardown (a_client_that_asks_and_never_reads_is_ended_before_it_costs_memory, setup, teardown),
    cmocka_unit_test_setup_teardown (a_client_that_is_gone_is_told, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
