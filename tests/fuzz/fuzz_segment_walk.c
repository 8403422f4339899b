/* A recorded file that may be torn or worse. */
#include <string.h>

#include "pipelines/record/segment_walk.h"
#include "tests/fuzz/fuzz_target.h"

typedef struct {
  const uint8_t *bytes;
  size_t size;
} File;

static gboolean read_file (gint64 offset, guint8 *bytes, gsize size, gpointer data)
{
  const File *file = data;
  if (offset < 0 || size > file->size || (size_t) offset > file->size - size)
    return FALSE;
  memcpy (bytes, file->bytes + offset, size);
  return TRUE;
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  File file = { bytes, size };
  SegmentFacts facts = segment_walk (read_file, &file, (gint64) size);
  g_assert (facts.good_bytes >= 0 && facts.good_bytes <= (gint64) size && facts.duration_us >= 0);
  g_assert (facts.fragments == 0 || facts.good_bytes > 0);
  return 0;
}
