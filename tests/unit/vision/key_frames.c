#include "tests/unit/vision/key_frames.h"

#include <gio/gio.h>

#include "tests/support/test.h"

GBytes *key_frame_make (const char *folder, const char *encoder, const char *format, int width, int height)
{
  g_autofree char *path = g_build_filename (folder, "key_frame", NULL);
  g_autofree char *source = g_strdup_printf ("testsrc2=size=%dx%d:rate=10", width, height);
  const char *const command[]
      = { "ffmpeg", "-v",   "error", "-y",       "-f",      "lavfi", "-i",   source, "-frames:v",
          "1",      "-c:v", encoder, "-pix_fmt", "yuv420p", "-f",    format, path,   NULL };
  g_autoptr (GSubprocess) ffmpeg = g_subprocess_newv (command, G_SUBPROCESS_FLAGS_STDERR_SILENCE, NULL);
  assert_non_null (ffmpeg);
  assert_true (g_subprocess_wait_check (ffmpeg, NULL, NULL));
  char *bytes;
  gsize size;
  assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  return g_bytes_new_take (bytes, size);
}

gboolean jpeg_dimensions (const guint8 *jpeg, gsize size, int *width, int *height)
{
  if (size < 4 || jpeg[0] != 0xff || jpeg[1] != 0xd8 || jpeg[size - 2] != 0xff || jpeg[size - 1] != 0xd9)
    return FALSE;
  for (gsize at = 2; at + 9 < size && jpeg[at] == 0xff; at += 2u + (jpeg[at + 2] << 8 | jpeg[at + 3]))
    if (jpeg[at + 1] == 0xc0) {
      *height = jpeg[at + 5] << 8 | jpeg[at + 6];
      *width = jpeg[at + 7] << 8 | jpeg[at + 8];
      return TRUE;
    }
  return FALSE;
}
