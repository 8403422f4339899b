#include "pipelines/sim/picture.h"
#include "tests/support/test.h"

enum { WIDTH = 320, HEIGHT = 180 };

typedef struct {
  guint8 bytes[WIDTH * HEIGHT * 3 / 2];
  PicturePlanes planes;
  Picture *picture;
} Canvas;

static int canvas_setup (void **state)
{
  Canvas *canvas = *state = g_new0 (Canvas, 1);
  canvas->planes = (PicturePlanes){
    { canvas->bytes, canvas->bytes + WIDTH * HEIGHT, canvas->bytes + WIDTH * HEIGHT * 5 / 4 },
    { WIDTH, WIDTH / 2, WIDTH / 2 },
  };
  canvas->picture = picture_new (WIDTH, HEIGHT, "石庙桥 bridge", NULL);
  return 0;
}

static int canvas_teardown (void **state)
{
  Canvas *canvas = *state;
  picture_free (canvas->picture);
  g_free (canvas);
  return 0;
}

static void the_clock_can_be_read_back_to_the_millisecond (void **state)
{
  Canvas *canvas = *state;
  const gint64 times[] = { 1777622400123000, 1777622400124000, 1777622400124000 + 16777216000 / 2, 999000 };
  for (gsize i = 0; i < G_N_ELEMENTS (times); i++) {
    gint64 read = 0;
    picture_paint (canvas->picture, &canvas->planes, times[i]);
    assert_true (
        picture_read_clock (canvas->bytes, WIDTH, WIDTH, HEIGHT, times[i] + 3600 * (gint64) G_USEC_PER_SEC, &read));
    assert_int_equal (read, times[i]);
    assert_true (
        picture_read_clock (canvas->bytes, WIDTH, WIDTH, HEIGHT, times[i] - 3600 * (gint64) G_USEC_PER_SEC, &read));
    assert_int_equal (read, times[i]);
  }
}

static void a_black_picture_keeps_its_clock (void **state)
{
  Canvas *canvas = *state;
  gint64 read = 0;
  picture_paint (canvas->picture, &canvas->planes, 1777622400123000);
  picture_paint_black (canvas->picture, &canvas->planes, 1777622400777000);
  assert_int_equal (canvas->bytes[WIDTH * HEIGHT / 2], 16);
  assert_true (picture_read_clock (canvas->bytes, WIDTH, WIDTH, HEIGHT, 1777622400777000, &read));
  assert_int_equal (read, 1777622400777000);
}

static void a_damaged_clock_is_not_believed (void **state)
{
  Canvas *canvas = *state;
  gint64 read = 0;
  int size = picture_block_size (WIDTH);
  picture_paint (canvas->picture, &canvas->planes, 1777622400123000);
  guint8 *pixel = canvas->bytes + (size / 2) * WIDTH + 5 * size + size / 2;
  *pixel = (guint8) (255 - *pixel);
  assert_false (picture_read_clock (canvas->bytes, WIDTH, WIDTH, HEIGHT, 1777622400123000, &read));
}

static void the_picture_moves (void **state)
{
  Canvas *canvas = *state;
  picture_paint (canvas->picture, &canvas->planes, 1777622401000000);
  g_autofree guint8 *before = g_memdup2 (canvas->bytes, sizeof canvas->bytes);
  picture_paint (canvas->picture, &canvas->planes, 1777622401100000);
  int differing = 0;
  for (int i = WIDTH * HEIGHT / 2; i < WIDTH * HEIGHT * 8 / 10; i++)
    differing += before[i] != canvas->bytes[i];
  assert_in_range (differing, 20, WIDTH * HEIGHT / 10);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (the_clock_can_be_read_back_to_the_millisecond),
    cmocka_unit_test (a_black_picture_keeps_its_clock),
    cmocka_unit_test (a_damaged_clock_is_not_believed),
    cmocka_unit_test (the_picture_moves),
  };
  return cmocka_run_group_tests (tests, canvas_setup, canvas_teardown);
}
