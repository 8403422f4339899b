/* The bytes of a Cayenne LPP payload. */
#include "tests/fuzz/fuzz_decoder.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  FuzzSensor fuzz;
  fuzz_sensor_init (&fuzz, 4);
  fuzz.metrics[0].path = (char *) "temperature_3";
  fuzz.metrics[1].path = (char *) "gps_1.lat";
  fuzz.metrics[2].path = (char *) "digital_in_1";
  fuzz.metrics[2].kind = VALUE_BOOLEAN;
  fuzz.metrics[3].path = (char *) "energy_1";
  fuzz.sensor.time_path = (char *) "unixtime_1";
  fuzz_decode (&decoder_cayenne_lpp, &fuzz, "", bytes, size);
  g_ptr_array_unref (fuzz.list);
  return 0;
}
