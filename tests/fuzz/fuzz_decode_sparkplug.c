/* Several messages of a Sparkplug edge node: a byte names the kind, two bytes the size, then the payload. */
#include "tests/fuzz/fuzz_decoder.h"

static const char *const topics[] = { "spBv1.0/g/NBIRTH/n",   "spBv1.0/g/DBIRTH/n/d", "spBv1.0/g/NDATA/n",
                                      "spBv1.0/g/DDATA/n/d",  "spBv1.0/g/NDEATH/n",   "spBv1.0/g/DDEATH/n/d",
                                      "spBv1.0/STATE/host",   "spBv1.0/g/NDATA" };

static void feed (gpointer prepared, const FuzzSensor *fuzz, const char *topic, const uint8_t *bytes, size_t size)
{
  g_autoptr (Decoded) decoded = decoded_new ();
  g_autofree guint8 *copy = size > 0 ? g_memdup2 (bytes, size) : g_malloc (1);
  EncodedMessage message = { topic, copy, size, 1777622400000000, FALSE };
  decoder_sparkplug.decode (prepared, &message, decoded);
  fuzz_check (fuzz, decoded);
  g_assert ((decoded->request == NULL) == (decoded->request_topic == NULL));
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  FuzzSensor fuzz;
  fuzz_sensor_init (&fuzz, 3);
  fuzz.metrics[0].path = (char *) "Level";
  fuzz.metrics[1].path = (char *) "d/Pump";
  fuzz.metrics[1].kind = VALUE_BOOLEAN;
  fuzz.metrics[2].path = (char *) "d/Mode";
  fuzz.metrics[2].kind = VALUE_TEXT;
  gpointer prepared = decoder_sparkplug.prepare (&fuzz.sensor, NULL);
  while (size >= 3) {
    size_t length = MIN ((size_t) bytes[1] << 8 | bytes[2], size - 3);
    feed (prepared, &fuzz, topics[bytes[0] % G_N_ELEMENTS (topics)], bytes + 3, length);
    bytes += 3 + length;
    size -= 3 + length;
  }
  decoder_sparkplug.release (prepared);
  g_ptr_array_unref (fuzz.list);
  return 0;
}
