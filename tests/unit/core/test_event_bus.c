#include "gateway/core/event_bus.h"
#include "tests/support/test.h"

static void publish (EventBus *bus, const char *json)
{
  event_bus_publish (bus, "alert", json, "621121104", "flood", NULL, 3);
}

static void a_watcher_reads_every_event_in_order (void **state)
{
  (void) state;
  g_autoptr (EventBus) bus = event_bus_new (10);
  assert_null (event_bus_next (bus, 0));
  publish (bus, "1");
  publish (bus, "2");
  g_autoptr (Event) first = event_bus_next (bus, 0);
  g_autoptr (Event) second = event_bus_next (bus, first->number);
  assert_string_equal (first->json, "1");
  assert_string_equal (second->json, "2");
  assert_null (event_bus_next (bus, second->number));
}

static void a_watcher_that_fell_behind_goes_on_at_the_oldest_kept (void **state)
{
  (void) state;
  g_autoptr (EventBus) bus = event_bus_new (2);
  publish (bus, "1");
  publish (bus, "2");
  publish (bus, "3");
  g_autoptr (Event) next = event_bus_next (bus, 0);
  assert_int_equal (next->number, 2);
  assert_int_equal (event_bus_first (bus), 2);
  assert_int_equal (event_bus_last (bus), 3);
}

static void count_wake (gpointer data)
{
  (*(int *) data)++;
}

static void watchers_are_woken_until_they_leave (void **state)
{
  (void) state;
  int wakes = 0;
  g_autoptr (EventBus) bus = event_bus_new (2);
  guint watch = event_bus_watch (bus, count_wake, &wakes);
  publish (bus, "1");
  event_bus_unwatch (bus, watch);
  publish (bus, "2");
  assert_int_equal (wakes, 1);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_watcher_reads_every_event_in_order),
    cmocka_unit_test (a_watcher_that_fell_behind_goes_on_at_the_oldest_kept),
    cmocka_unit_test (watchers_are_woken_until_they_leave),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
