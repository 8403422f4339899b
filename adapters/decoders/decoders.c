#include "adapters/decoders/decoders.h"

#include <string.h>

static const Decoder *const decoders[] = {
  &decoder_json,        &decoder_value,       &decoder_senml,  &decoder_sparkplug, &decoder_chirpstack,
  &decoder_cayenne_lpp, &decoder_zigbee2mqtt, &decoder_binary, &decoder_csv,
};

const Decoder *decoder_find (const char *format)
{
  for (guint i = 0; i < G_N_ELEMENTS (decoders); i++)
    if (strcmp (decoders[i]->format, format) == 0)
      return decoders[i];
  return NULL;
}
