/* The bytes of a JSON document; the first line is a path, when it is one. What is skimmed is what a whole parse finds. */
#include "adapters/decoders/json_payload.h"
#include "adapters/decoders/json_skim.h"
#include "tests/fuzz/fuzz_decoder.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  g_autofree char *text = fuzz_topic (&bytes, &size);
  g_autoptr (JsonPath) own = json_path_parse (text, NULL, NULL);
  g_autoptr (JsonPath) level = json_path_parse ("$.level", NULL, NULL), at = json_path_parse ("$.data.at", NULL, NULL);
  g_autoptr (Decoded) decoded = decoded_new ();
  JsonPath *paths[] = { level, at, own };
  json_t *values[G_N_ELEMENTS (paths)];
  guint count = own != NULL && json_skim_takes (own) ? 3 : 2;
  if (!json_skim (bytes, size, paths, count, values))
    return 0;
  json_t *root = json_payload_parse (bytes, size, decoded);
  if (root == NULL)
    g_error ("json_skim takes what is no JSON: %s", decoded->detail);
  for (guint i = 0; i < count; i++) {
    json_t *found = json_path_find (paths[i], root);
    if ((values[i] == NULL) != (found == NULL) || (found != NULL && !json_equal (values[i], found)))
      g_error ("json_skim finds something else at %s", json_path_text (paths[i]));
    json_decref (values[i]);
  }
  json_decref (root);
  return 0;
}
