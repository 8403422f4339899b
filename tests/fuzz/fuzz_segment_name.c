/* A file's name below the recordings: what the index is built anew from. One that is taken says the same again. */
#include <string.h>

#include "pipelines/record/segment_name.h"
#include "tests/fuzz/fuzz_target.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  SegmentName name, again;
  g_autofree char *text = g_strndup ((const char *) bytes, size);
  if (!segment_name_parse (text, &name))
    return 0;
  g_autofree char *made = segment_name_new (name.camera, name.stream, name.wall_us, 0);
  g_assert (made != NULL && segment_name_parse (made, &again));
  g_assert (again.wall_us == name.wall_us && strcmp (again.camera, name.camera) == 0 && again.stream == name.stream);
  g_assert (strchr (name.camera, '/') == NULL && name.camera[0] != '.');
  return 0;
}
