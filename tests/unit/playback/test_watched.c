#include "pipelines/playback/watched.h"
#include "tests/support/test.h"

#define SECOND ((gint64) G_USEC_PER_SEC)

static const gint64 start_us = G_GINT64_CONSTANT (1777622400) * G_USEC_PER_SEC; /* 2026-05-01T08:00:00Z */

static void add (Watched *watched, gint64 from_s, gint64 to_s)
{
  for (gint64 i = from_s; i < to_s; i++)
    watched_add (watched, start_us + i * SECOND, SECOND);
}

static void what_follows_is_one_stretch_and_a_seek_begins_another (void **state)
{
  (void) state;
  Watched watched = { 0 };
  assert_null (watched_text (&watched));
  add (&watched, 0, 10);
  add (&watched, 60, 62);
  add (&watched, 3, 5); /* once more */
  g_autofree char *text = watched_text (&watched);
  assert_string_equal (text, "2026-05-01T08:00:00.000Z/2026-05-01T08:00:10.000Z, 2026-05-01T08:01:00.000Z/2026-05-01T08:01:02.000Z, "
                             "2026-05-01T08:00:03.000Z/2026-05-01T08:00:05.000Z");
  watched_clear (&watched);
}

static void with_too_many_stretches_the_last_one_grows_over_all_that_follow (void **state)
{
  (void) state;
  Watched watched = { 0 };
  for (gint64 i = 0; i < WATCHED_SPANS_MAX + 5; i++)
    add (&watched, 60 * (i + 1), 60 * (i + 1) + 1);
  add (&watched, 0, 1);
  g_autofree char *text = watched_text (&watched);
  g_auto (GStrv) spans = g_strsplit (text, ", ", -1);
  assert_int_equal (g_strv_length (spans), WATCHED_SPANS_MAX);
  assert_string_equal (spans[WATCHED_SPANS_MAX - 1], "2026-05-01T08:00:00.000Z/2026-05-01T08:45:01.000Z");
  watched_clear (&watched);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (what_follows_is_one_stretch_and_a_seek_begins_another),
    cmocka_unit_test (with_too_many_stretches_the_last_one_grows_over_all_that_follow),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
