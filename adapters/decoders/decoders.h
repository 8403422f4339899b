/* decoders.h: every payload format there is. docs/sensors.md says how to add one.
 *
 * thread: any. */
#pragma once

#include "gateway/model/decoder.h"

const Decoder *decoder_find (const char *format);

extern const Decoder decoder_json;        /* a JSON document, metrics by path */
extern const Decoder decoder_value;       /* the payload is one number or word as text */
extern const Decoder decoder_senml;       /* RFC 8428, JSON and CBOR */
extern const Decoder decoder_sparkplug;   /* Eclipse Sparkplug B 3.0 */
extern const Decoder decoder_chirpstack;  /* ChirpStack v4's events (LoRaWAN) */
extern const Decoder decoder_cayenne_lpp; /* Cayenne Low Power Payload */
extern const Decoder decoder_zigbee2mqtt; /* what Zigbee2MQTT publishes */
extern const Decoder decoder_binary;      /* numbers at fixed places */
extern const Decoder decoder_csv;         /* lines of fields */
