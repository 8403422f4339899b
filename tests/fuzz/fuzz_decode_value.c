/* The bytes of a value payload. */
#include <math.h>

#include "adapters/decoders/decoders.h"
#include "tests/fuzz/fuzz_target.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  Metric metric = { .name = (char *) "level", .scale = 1 };
  g_autoptr (GPtrArray) metrics = g_ptr_array_new ();
  Sensor sensor = { .metrics = metrics };
  g_ptr_array_add (metrics, &metric);
  gpointer prepared = decoder_value.prepare (&sensor, NULL);
  g_autoptr (Decoded) decoded = decoded_new ();
  decoder_value.decode (prepared, bytes, size, decoded);
  g_assert ((decoded->readings->len == 1) == (decoded->reason == NULL));
  if (decoded->readings->len == 1)
    g_assert (isfinite (g_array_index (decoded->readings, Reading, 0).value));
  decoder_value.release (prepared);
  return 0;
}
