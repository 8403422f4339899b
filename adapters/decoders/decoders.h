/* decoders.h: every payload format there is. docs/sensors.md says how to add one.
 *
 * thread: any. */
#pragma once

#include "gateway/model/decoder.h"

const Decoder *decoder_find (const char *format);

extern const Decoder decoder_json;  /* a JSON document, metrics by path */
extern const Decoder decoder_value; /* the payload is one number as text */
