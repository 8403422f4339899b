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
  g_autoptr (GArray) holes = segment_holes (fuzz_file_read, &file, (gint64) size);
  gint64 last = 0;
  for (guint i = 0; i < holes->len; i++) {
    const SegmentHole *hole = &g_array_index (holes, SegmentHole, i);
    g_assert (hole->from >= last && hole->to > hole->from && hole->to <= (gint64) size);
    last = hole->to;
  }
  return 0;
}
