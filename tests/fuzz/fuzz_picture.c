/* A camera's key access unit on its way to a JPEG: the first byte chooses the codec. */
#include "gateway/core/error.h"
#include "pipelines/vision/access_unit_picture.h"
#include "tests/fuzz/fuzz_target.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  if (size < 1)
    return 0;
  g_auto (EncodedPicture) picture = { 0 };
  g_autoptr (GError) error = NULL;
  gboolean made = access_unit_to_jpeg (bytes + 1, size - 1, bytes[0] & 1 ? "h265" : "h264", 160, &picture, &error);
  g_assert (made == (error == NULL) && made == (picture.jpeg != NULL));
  return 0;
}
