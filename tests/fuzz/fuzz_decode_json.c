/* The bytes of a json payload; the first line is a path, when it is one. */
#include "tests/fuzz/fuzz_decoder.h"

static void try_path (const char *path, const uint8_t *bytes, size_t size)
{
  FuzzSensor fuzz;
  fuzz_sensor_init (&fuzz, 3);
  fuzz.metrics[0].path = fuzz.metrics[1].path = fuzz.metrics[2].path = (char *) path;
  fuzz.metrics[1].kind = VALUE_BOOLEAN;
  fuzz.metrics[2].kind = VALUE_TEXT;
  fuzz.sensor.time_path = (char *) "$.at";
  fuzz.sensor.sequence_path = (char *) "$.seq";
  fuzz_decode (&decoder_json, &fuzz, "", bytes, size);
  fuzz.sensor.time_path = (char *) "$.data[*].at";
  fuzz_decode (&decoder_json, &fuzz, "", bytes, size);
  g_ptr_array_unref (fuzz.list);
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  try_path ("$.level", bytes, size);
  try_path ("$.data[*].level", bytes, size);
  g_autofree char *path = fuzz_topic (&bytes, &size);
  try_path (path, bytes, size);
  return 0;
}
