/* A topic and an event of ChirpStack. */
#include "tests/fuzz/fuzz_decoder.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  FuzzSensor fuzz;
  fuzz_sensor_init (&fuzz, 4);
  fuzz.metrics[0].path = (char *) "$.temperatureSensor['1']";
  fuzz.metrics[1].path = (char *) "rssi";
  fuzz.metrics[2].path = (char *) "battery";
  fuzz.metrics[3].path = (char *) "$.level";
  g_autofree char *topic = fuzz_topic (&bytes, &size);
  fuzz_decode (&decoder_chirpstack, &fuzz, topic, bytes, size);
  fuzz.metrics[0].path = (char *) "temperature_3";
  fuzz.sensor.payload_format = (char *) "cayenne_lpp";
  fuzz_decode (&decoder_chirpstack, &fuzz, topic, bytes, size);
  fuzz.sensor.payload_format = (char *) "binary";
  fuzz_decode (&decoder_chirpstack, &fuzz, topic, bytes, size);
  g_ptr_array_unref (fuzz.list);
  return 0;
}
