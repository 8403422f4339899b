/* What anybody may send to our RTCP port. */
#include "pipelines/rtp/viewer_report.h"
#include "tests/fuzz/fuzz_target.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  g_autofree guint8 *packet = g_memdup2 (bytes, size); /* its end is known to the sanitizer */
  viewer_report_read (packet, size);
  return 0;
}
