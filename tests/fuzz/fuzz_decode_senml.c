/* The bytes of a senml payload, JSON or CBOR. */
#include "tests/fuzz/fuzz_decoder.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  FuzzSensor fuzz;
  fuzz_sensor_init (&fuzz, 4);
  fuzz.metrics[0].path = (char *) "current";
  fuzz.metrics[1].path = (char *) "urn:dev:ow:10e2073a01080063 %";
  fuzz.metrics[2].path = (char *) "label";
  fuzz.metrics[2].kind = VALUE_TEXT;
  fuzz.metrics[3].path = (char *) "energy sum";
  fuzz_decode (&decoder_senml, &fuzz, "", bytes, size);
  g_ptr_array_unref (fuzz.list);
  return 0;
}
