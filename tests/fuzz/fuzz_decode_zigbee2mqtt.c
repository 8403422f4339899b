/* A topic and a payload of Zigbee2MQTT. */
#include "tests/fuzz/fuzz_decoder.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  FuzzSensor fuzz;
  fuzz_sensor_init (&fuzz, 4);
  fuzz.metrics[0].path = (char *) "temperature";
  fuzz.metrics[1].path = (char *) "contact";
  fuzz.metrics[1].kind = VALUE_BOOLEAN;
  fuzz.metrics[2].path = (char *) "color.x";
  fuzz.metrics[3].path = (char *) "availability";
  fuzz.metrics[3].kind = VALUE_BOOLEAN;
  g_autofree char *topic = fuzz_topic (&bytes, &size);
  fuzz_decode (&decoder_zigbee2mqtt, &fuzz, topic, bytes, size);
  g_ptr_array_unref (fuzz.list);
  return 0;
}
