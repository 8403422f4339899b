/* The bytes of a value payload. */
#include "tests/fuzz/fuzz_decoder.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  FuzzSensor fuzz;
  fuzz_sensor_init (&fuzz, 1);
  for (ValueKind kind = VALUE_NUMBER; kind <= VALUE_TEXT; kind++) {
    fuzz.metrics[0].kind = kind;
    fuzz_decode (&decoder_value, &fuzz, "", bytes, size);
  }
  g_ptr_array_unref (fuzz.list);
  return 0;
}
