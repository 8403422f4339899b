#include <string.h>

#include "pipelines/rtp/reorder.h"
#include "tests/support/test.h"

typedef struct {
  Reorder reorder;
  gint64 now_us;
  GString *out; /* sequence numbers in the order in which they left */
} Bench;

static int setup (void **state)
{
  Bench *bench = *state = g_new0 (Bench, 1);
  bench->out = g_string_new (NULL);
  bench->now_us = G_USEC_PER_SEC;
  return 0;
}

static int teardown (void **state)
{
  Bench *bench = *state;
  reorder_clear (&bench->reorder);
  g_string_free (bench->out, TRUE);
  g_free (bench);
  return 0;
}

static void take_kept (Bench *bench)
{
  gsize size;
  guint8 *packet;
  while ((packet = reorder_next (&bench->reorder, &size)) != NULL) {
    g_string_append_printf (bench->out, "%u ", packet[2] << 8 | packet[3]);
    assert_int_equal (size, 12 + packet[3] % 5);
    g_free (packet);
  }
}

static void take_of (Bench *bench, guint16 sequence, guint8 ssrc)
{
  guint8 packet[16] = { 0x80, 96, (guint8) (sequence >> 8), (guint8) sequence, [11] = ssrc };
  gsize size = 12 + (guint8) sequence % 5;
  ReorderVerdict verdict;
  while ((verdict = reorder_take (&bench->reorder, packet, size, bench->now_us)) == REORDER_AGAIN)
    take_kept (bench);
  if (verdict == REORDER_PASS)
    g_string_append_printf (bench->out, "%u ", sequence);
  take_kept (bench);
}

static void take (Bench *bench, guint16 sequence)
{
  take_of (bench, sequence, 1);
}

static void packets_in_order_pass_at_once (void **state)
{
  Bench *bench = *state;
  for (guint i = 65533; i < 65539; i++)
    take (bench, (guint16) i);
  assert_string_equal (bench->out->str, "65533 65534 65535 0 1 2 ");
  assert_int_equal (reorder_deadline_us (&bench->reorder), 0);
}

static void those_that_come_too_early_wait_for_those_before_them (void **state)
{
  Bench *bench = *state;
  const guint16 order[] = { 10, 13, 12, 14, 11, 15 };
  for (guint i = 0; i < G_N_ELEMENTS (order); i++)
    take (bench, order[i]);
  assert_string_equal (bench->out->str, "10 11 12 13 14 15 ");
  assert_int_equal (bench->reorder.reordered, 3);
}

static void no_packet_leaves_twice (void **state)
{
  Bench *bench = *state;
  const guint16 order[] = { 10, 10, 12, 12, 11, 11, 12, 13 };
  for (guint i = 0; i < G_N_ELEMENTS (order); i++)
    take (bench, order[i]);
  assert_string_equal (bench->out->str, "10 11 12 13 ");
  assert_int_equal (bench->reorder.dropped, 4);
}

static void a_missing_one_is_given_up_in_time_and_comes_too_late_then (void **state)
{
  Bench *bench = *state;
  take (bench, 10);
  take (bench, 12);
  bench->now_us += 30 * 1000;
  take (bench, 14);
  assert_int_equal (reorder_deadline_us (&bench->reorder), G_USEC_PER_SEC + REORDER_WAIT_US);
  reorder_give_up (&bench->reorder);
  take_kept (bench);
  assert_string_equal (bench->out->str, "10 12 ");
  assert_int_equal (reorder_deadline_us (&bench->reorder), bench->now_us + REORDER_WAIT_US); /* of the next gap */
  take (bench, 11);
  take (bench, 13);
  assert_string_equal (bench->out->str, "10 12 13 14 ");
}

static void the_window_is_bounded (void **state)
{
  Bench *bench = *state;
  take (bench, 10);
  for (guint16 i = 12; i < 12 + REORDER_PACKETS; i++) /* 11 is missing: the last one pushes it out */
    take (bench, i);
  assert_int_equal (bench->reorder.kept, 0);
  take (bench, 1000); /* a long gap within bounds: waits for what may be before it */
  assert_int_equal (bench->reorder.kept, 1);
  assert_int_equal (reorder_deadline_us (&bench->reorder), bench->now_us + REORDER_WAIT_US);
}

static void a_sender_that_counts_anew_is_followed (void **state)
{
  Bench *bench = *state;
  take (bench, 10);
  take (bench, 12);
  take (bench, 40000);
  take_of (bench, 7, 2);
  take_of (bench, 8, 2);
  assert_string_equal (bench->out->str, "10 12 40000 7 8 ");
}

static void a_sender_that_counts_anew_a_little_behind_is_followed_in_the_end (void **state)
{
  Bench *bench = *state;
  take (bench, 1000);
  for (guint16 i = 500; i < 700; i++)
    take (bench, i);
  assert_non_null (strstr (bench->out->str, "698 699 "));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (packets_in_order_pass_at_once, setup, teardown),
    cmocka_unit_test_setup_teardown (those_that_come_too_early_wait_for_those_before_them, setup, teardown),
    cmocka_unit_test_setup_teardown (no_packet_leaves_twice, setup, teardown),
    cmocka_unit_test_setup_teardown (a_missing_one_is_given_up_in_time_and_comes_too_late_then, setup, teardown),
    cmocka_unit_test_setup_teardown (the_window_is_bounded, setup, teardown),
    cmocka_unit_test_setup_teardown (a_sender_that_counts_anew_is_followed, setup, teardown),
    cmocka_unit_test_setup_teardown (a_sender_that_counts_anew_a_little_behind_is_followed_in_the_end, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
