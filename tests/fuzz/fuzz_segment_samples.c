/* A recorded file that is played back: its init segment, its sample entries, its samples. */
#include "pipelines/record/segment_samples.h"
#include "tests/fuzz/fuzz_file.h"
#include "tests/fuzz/fuzz_target.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  FuzzFile file = { bytes, size };
  g_autoptr (SegmentSamples) samples = segment_samples_new (fuzz_file_read, &file, (gint64) size);
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (SegmentSample));
  if (samples == NULL)
    return 0;
  for (guint i = 0; i < 2; i++) {
    const SegmentTrack *track = segment_samples_track (samples, i);
    if (track->entry != NULL)
      media_format_unref (sample_entry_format (track->entry, track->time_scale));
  }
  for (gint64 before = -1; segment_samples_next (samples, found); before = segment_samples_at (samples)) {
    g_assert (segment_samples_at (samples) > before && segment_samples_at (samples) <= (gint64) size);
    for (guint i = 0; i < found->len; i++) {
      const SegmentSample *sample = &g_array_index (found, SegmentSample, i);
      g_assert (sample->offset >= 0 && sample->offset + sample->size <= (gint64) size && sample->dts >= 0);
    }
  }
  return 0;
}
