#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/vision/access_unit_picture.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/vision/key_frames.h"

static void assert_picture (GBytes *unit, const char *codec, int max_width, int width, int height)
{
  g_auto (EncodedPicture) picture = { 0 };
  g_autoptr (GError) error = NULL;
  gsize size, jpeg_size;
  const guint8 *bytes = g_bytes_get_data (unit, &size);
  if (!access_unit_to_jpeg (bytes, size, codec, max_width, &picture, &error))
    fail_msg ("%s", error->message);
  const guint8 *jpeg = g_bytes_get_data (picture.jpeg, &jpeg_size);
  int jpeg_width, jpeg_height;
  assert_true (jpeg_dimensions (jpeg, jpeg_size, &jpeg_width, &jpeg_height));
  assert_int_equal (jpeg_width, width);
  assert_int_equal (jpeg_height, height);
  assert_int_equal (picture.width, width);
  assert_int_equal (picture.height, height);
  assert_true (jpeg_size > (gsize) (width * height) / 100); /* testsrc2 is rich: an empty picture is far smaller */
}

static void assert_refused (const guint8 *bytes, gsize size, const char *codec, ErrorStep step, const char *words)
{
  g_auto (EncodedPicture) picture = { 0 };
  g_autoptr (GError) error = NULL;
  assert_false (access_unit_to_jpeg (bytes, size, codec, 0, &picture, &error));
  assert_true (error_is (error, step));
  if (!strstr (error->message, words))
    fail_msg ("\"%s\" does not say \"%s\"", error->message, words);
}

static void a_key_frame_becomes_a_jpeg_of_its_size (void **state)
{
  g_autoptr (GBytes) h264 = key_frame_make (*state, "libx264", "h264", 640, 360);
  assert_picture (h264, "h264", 0, 640, 360);
  g_autoptr (GBytes) h265 = key_frame_make (*state, "libx265", "hevc", 320, 180);
  assert_picture (h265, "h265", 0, 320, 180);
}

static void a_wide_picture_is_made_smaller_in_its_proportions (void **state)
{
  g_autoptr (GBytes) unit = key_frame_make (*state, "libx264", "h264", 640, 360);
  assert_picture (unit, "h264", 320, 320, 180);
  assert_picture (unit, "h264", 1280, 640, 360);
}

static void a_truncated_unit_is_refused (void **state)
{
  g_autoptr (GBytes) unit = key_frame_make (*state, "libx264", "h264", 640, 360);
  gsize size;
  const guint8 *bytes = g_bytes_get_data (unit, &size);
  assert_refused (bytes, size * 2 / 3, "h264", ERROR_REFUSE, "access unit");
  assert_refused (bytes, 20, "h264", ERROR_REFUSE, "access unit");
}

static void bytes_that_are_no_video_are_refused (void **state)
{
  (void) state;
  guint8 noise[4096];
  for (gsize i = 0; i < sizeof noise; i++)
    noise[i] = (guint8) (i * 2654435761u >> 13);
  assert_refused (noise, sizeof noise, "h264", ERROR_REFUSE, "access unit");
  assert_refused (noise, sizeof noise, "h265", ERROR_REFUSE, "access unit");
}

static void an_unknown_codec_is_given_up (void **state)
{
  (void) state;
  assert_refused ((const guint8 *) "x", 1, "vp9", ERROR_GIVE_UP, "\"vp9\"");
}

static void a_picture_over_the_bounds_is_given_up (void **state)
{
  g_autoptr (GBytes) unit = key_frame_make (*state, "libx264", "h264", 8448, 64);
  gsize size;
  const guint8 *bytes = g_bytes_get_data (unit, &size);
  assert_refused (bytes, size, "h264", ERROR_GIVE_UP, "8448x64");
}

static void a_unit_over_eight_mebibytes_is_not_even_looked_at (void **state)
{
  (void) state;
  g_autofree guint8 *bytes = g_malloc0 (ACCESS_UNIT_MAX_BYTES + 1);
  assert_refused (bytes, ACCESS_UNIT_MAX_BYTES + 1, "h264", ERROR_GIVE_UP, "out of bounds");
  assert_refused (bytes, 0, "h264", ERROR_GIVE_UP, "out of bounds");
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_key_frame_becomes_a_jpeg_of_its_size, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (a_wide_picture_is_made_smaller_in_its_proportions, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (a_truncated_unit_is_refused, folder_setup, folder_teardown),
    cmocka_unit_test (bytes_that_are_no_video_are_refused),
    cmocka_unit_test (an_unknown_codec_is_given_up),
    cmocka_unit_test_setup_teardown (a_picture_over_the_bounds_is_given_up, folder_setup, folder_teardown),
    cmocka_unit_test (a_unit_over_eight_mebibytes_is_not_even_looked_at),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
