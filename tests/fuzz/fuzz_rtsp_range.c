/* What a client of recordings says where: the Range and Scale of a PLAY, and the times in the address. */
#include <string.h>

#include "pipelines/rtsp/rtsp_path.h"
#include "pipelines/rtsp/rtsp_range.h"
#include "tests/fuzz/fuzz_target.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) bytes, size);
  const gint64 zero_us = G_GINT64_CONSTANT (1777622400000000);
  RtspRange range;
  if (rtsp_range_parse (text, zero_us, &range)) {
    g_assert (range.from_us >= -1 && range.to_us >= -1);
    g_autofree char *clock = rtsp_clock_text (MAX (range.from_us, 0));
    g_assert (strlen (clock) == strlen ("20260501T080000.000Z"));
  }
  double scale = rtsp_scale_parse (text);
  g_assert (scale >= 1 && scale <= RTSP_SCALE_MAX);
  g_auto (RtspPath) path = { 0 };
  if (rtsp_path_parse (text, &path))
    g_assert (path.camera != NULL && path.from_us >= -1 && path.to_us >= -1);
  return 0;
}
