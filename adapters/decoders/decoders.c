#include "adapters/decoders/decoders.h"

#include <string.h>

static const Decoder *const decoders[] = {
  &decoder_json,
  &decoder_value,
};

const Decoder *decoder_find (const char *format)
{
  for (guint i = 0; i < G_N_ELEMENTS (decoders); i++)
    if (strcmp (decoders[i]->format, format) == 0)
      return decoders[i];
  return NULL;
}
