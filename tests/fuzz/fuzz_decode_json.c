/* The bytes of a json payload; the first line is a path, when it is one. */
#include <string.h>

#include "adapters/decoders/decoders.h"
#include "adapters/decoders/json_path.h"
#include "tests/fuzz/fuzz_target.h"

static void try_decode (const char *path, const uint8_t *payload, size_t size)
{
  Metric metric = { .name = (char *) "level", .path = (char *) path, .scale = 1 };
  g_autoptr (GPtrArray) metrics = g_ptr_array_new ();
  Sensor sensor = { .metrics = metrics, .time_path = (char *) "$.at" };
  g_ptr_array_add (metrics, &metric);
  gpointer prepared = decoder_json.prepare (&sensor, NULL);
  if (prepared == NULL)
    return;
  g_autoptr (Decoded) decoded = decoded_new ();
  decoder_json.decode (prepared, payload, size, decoded);
  g_assert (decoded->readings->len <= 1);
  g_assert ((decoded->readings->len == 1) == (decoded->reason == NULL));
  decoder_json.release (prepared);
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  const uint8_t *end = size > 0 ? memchr (bytes, '\n', size) : NULL;
  if (end != NULL) {
    g_autofree char *path = g_strndup ((const char *) bytes, (size_t) (end - bytes));
    try_decode (path, end + 1, size - (size_t) (end + 1 - bytes));
  }
  try_decode ("$.level", bytes, size);
  return 0;
}
