/* The bytes of a csv payload. */
#include "tests/fuzz/fuzz_decoder.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  FuzzSensor fuzz;
  fuzz_sensor_init (&fuzz, 3);
  fuzz.metrics[0].path = (char *) "2";
  fuzz.metrics[1].path = (char *) "3";
  fuzz.metrics[1].kind = VALUE_BOOLEAN;
  fuzz.metrics[2].path = (char *) "4";
  fuzz.metrics[2].kind = VALUE_TEXT;
  fuzz.sensor.time_path = (char *) "1";
  fuzz_decode (&decoder_csv, &fuzz, "", bytes, size);
  fuzz.metrics[0].path = (char *) "level";
  fuzz.sensor.time_path = (char *) "time";
  fuzz.sensor.has_header = fuzz.sensor.has_decimal_comma = TRUE;
  fuzz.sensor.separator = (char *) ";";
  fuzz_decode (&decoder_csv, &fuzz, "", bytes, size);
  g_ptr_array_unref (fuzz.list);
  return 0;
}
