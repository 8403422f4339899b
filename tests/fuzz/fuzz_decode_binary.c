/* Eight bytes that lay out two metrics (place, encoding, order, bits; twice), then a binary payload. */
#include "tests/fuzz/fuzz_decoder.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  FuzzSensor fuzz;
  if (size < 8)
    return 0;
  fuzz_sensor_init (&fuzz, 2);
  for (guint i = 0; i < 2; i++, bytes += 4, size -= 4) {
    BinaryField *field = &fuzz.metrics[i].field;
    field->byte = (gint8) bytes[0];
    field->encoding = bytes[1] % (BINARY_BCD32 + 1);
    field->order = bytes[2] % 3;
    field->bits = bytes[3] & 0x80 ? 1 + bytes[3] % 8 : 0;
    field->bit = field->bits > 0 ? bytes[3] >> 4 & 7 : 0;
  }
  fuzz_decode (&decoder_binary, &fuzz, "", bytes, size);
  g_ptr_array_unref (fuzz.list);
  return 0;
}
