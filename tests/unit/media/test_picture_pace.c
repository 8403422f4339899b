#include "pipelines/rtp/picture_pace.h"
#include "tests/support/test.h"

static gint64 now_us;

/* A picture each 40 ms, whose packets were read at these times after its first. */
static void picture (PicturePace *pace, gint64 took_us)
{
  now_us += 40 * 1000;
  picture_pace_begin (pace, now_us);
  picture_pace_begin (pace, now_us + took_us / 2);
  picture_pace_end (pace, now_us + took_us);
}

static void pictures (PicturePace *pace, guint count, gint64 took_us)
{
  for (guint i = 0; i < count; i++)
    picture (pace, took_us);
}

static void a_camera_spreads_pictures_once_a_dozen_in_a_row_took_long (void **state)
{
  (void) state;
  PicturePace pace = { 0 };
  pictures (&pace, PACE_LEARNED - 1, 17000);
  picture (&pace, 3000);
  pictures (&pace, PACE_LEARNED - 1, 17000);
  assert_false (picture_pace_is_spread (&pace));
  picture (&pace, 17000);
  assert_true (picture_pace_is_spread (&pace));
}

static void whole_pictures_teach_nothing_of_a_camera_that_is_not_known (void **state)
{
  (void) state;
  PicturePace pace = { 0 };
  pictures (&pace, 100, 0);
  assert_false (picture_pace_is_spread (&pace));
  pictures (&pace, PACE_LEARNED / 2, 17000);
  pictures (&pace, 10, 0); /* of one packet: nothing moves */
  pictures (&pace, PACE_LEARNED / 2, 17000);
  assert_true (picture_pace_is_spread (&pace));
}

static void three_whole_pictures_in_a_row_end_it (void **state)
{
  (void) state;
  PicturePace pace = { 0 };
  pictures (&pace, PACE_LEARNED, 17000);
  for (guint i = 0; i < 10; i++) {
    pictures (&pace, PACE_WHOLE - 1, 0);
    picture (&pace, 8000); /* read at ticks, how long it took is only roughly known */
  }
  assert_true (picture_pace_is_spread (&pace));
  pictures (&pace, PACE_WHOLE, 0);
  assert_false (picture_pace_is_spread (&pace));
  pictures (&pace, PACE_LEARNED - 1, 17000);
  assert_false (picture_pace_is_spread (&pace));
}

static void a_picture_without_its_marker_says_nothing (void **state)
{
  (void) state;
  PicturePace pace = { 0 };
  for (guint i = 0; i < 100; i++) {
    picture_pace_begin (&pace, now_us += 40 * 1000);
    picture_pace_forget (&pace);
    picture_pace_end (&pace, now_us + 17000);
  }
  assert_false (picture_pace_is_spread (&pace));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_camera_spreads_pictures_once_a_dozen_in_a_row_took_long),
    cmocka_unit_test (whole_pictures_teach_nothing_of_a_camera_that_is_not_known),
    cmocka_unit_test (three_whole_pictures_in_a_row_end_it),
    cmocka_unit_test (a_picture_without_its_marker_says_nothing),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
