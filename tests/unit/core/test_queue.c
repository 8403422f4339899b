#include <poll.h>

#include "gateway/core/queue.h"
#include "tests/support/test.h"

static gboolean is_readable (int fd)
{
  struct pollfd entry = { .fd = fd, .events = POLLIN };
  return poll (&entry, 1, 0) == 1;
}

static void a_full_queue_refuses_and_counts (void **state)
{
  (void) state;
  g_autoptr (Queue) queue = queue_new (2, 0, g_free);
  char *refused = g_strdup ("c");
  assert_true (queue_push (queue, g_strdup ("a"), 1));
  assert_true (queue_push (queue, g_strdup ("b"), 1));
  assert_false (queue_push (queue, refused, 1));
  g_free (refused);
  assert_int_equal (queue_counts (queue).refused, 1);
  assert_int_equal (queue_counts (queue).length, 2);
}

static void what_must_not_be_refused_goes_beyond_the_bound_in_order (void **state)
{
  (void) state;
  g_autoptr (Queue) queue = queue_new (1, 10, g_free);
  assert_true (queue_push (queue, g_strdup ("a"), 10));
  queue_push_beyond (queue, g_strdup ("b"));
  queue_push_beyond (queue, g_strdup ("c"));
  assert_int_equal (queue_counts (queue).bytes, 10);
  for (const char *expected = "abc"; *expected != 0; expected++) {
    g_autofree char *item = queue_pop (queue, 0);
    assert_int_equal (*item, *expected);
  }
  queue_close (queue);
  queue_push_beyond (queue, g_strdup ("d"));
  assert_null (queue_pop (queue, 0));
}

static void bytes_are_bounded_too_but_one_item_always_fits (void **state)
{
  (void) state;
  g_autoptr (Queue) queue = queue_new (10, 100, NULL);
  int item;
  assert_true (queue_push (queue, &item, 500));
  assert_false (queue_push (queue, &item, 1));
  assert_ptr_equal (queue_pop (queue, 0), &item);
  assert_true (queue_push (queue, &item, 60));
  assert_false (queue_push (queue, &item, 60));
}

static void its_descriptor_is_readable_while_items_wait (void **state)
{
  (void) state;
  g_autoptr (Queue) queue = queue_new (10, 0, NULL);
  int item;
  assert_false (is_readable (queue_fd (queue)));
  queue_push (queue, &item, 0);
  queue_push (queue, &item, 0);
  assert_true (is_readable (queue_fd (queue)));
  queue_pop (queue, 0);
  assert_true (is_readable (queue_fd (queue)));
  queue_pop (queue, 0);
  assert_false (is_readable (queue_fd (queue)));
}

static gpointer pop_for_ever (gpointer queue)
{
  return queue_pop (queue, -1);
}

static void closing_wakes_the_consumer_and_keeps_what_is_inside (void **state)
{
  (void) state;
  g_autoptr (Queue) queue = queue_new (10, 0, NULL);
  GThread *consumer = g_thread_new ("consumer", pop_for_ever, queue);
  queue_close (queue);
  assert_null (g_thread_join (consumer));

  g_autoptr (Queue) other = queue_new (10, 0, NULL);
  int item;
  queue_push (other, &item, 0);
  queue_close (other);
  assert_false (queue_push (other, &item, 0));
  assert_ptr_equal (queue_pop (other, -1), &item);
  assert_null (queue_pop (other, -1));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_full_queue_refuses_and_counts),
    cmocka_unit_test (what_must_not_be_refused_goes_beyond_the_bound_in_order),
    cmocka_unit_test (bytes_are_bounded_too_but_one_item_always_fits),
    cmocka_unit_test (its_descriptor_is_readable_while_items_wait),
    cmocka_unit_test (closing_wakes_the_consumer_and_keeps_what_is_inside),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
