/* A recorded file that may be torn or worse. */
#include "pipelines/record/segment_walk.h"
#include "tests/fuzz/fuzz_file.h"
#include "tests/fuzz/fuzz_target.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  FuzzFile file = { bytes, size };
  SegmentFacts facts = segment_walk (fuzz_file_read, &file, (gint64) size);
  g_assert (facts.good_bytes >= 0 && facts.good_bytes <= (gint64) size && facts.duration_us >= 0);
  g_assert (facts.fragments == 0 || facts.good_bytes > 0);
  return 0;
}
