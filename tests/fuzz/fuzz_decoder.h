/* fuzz_decoder.h: what the targets of payload formats have in common.
 *
 * The first line of an input is the topic, the rest the payload; a format that doesn't look at topics takes any. */
#pragma once

#include <string.h>

#include "adapters/decoders/decoders.h"
#include "tests/fuzz/fuzz_target.h"

enum { FUZZ_METRICS_MAX = 8 };

typedef struct {
  Sensor sensor;
  Metric metrics[FUZZ_METRICS_MAX];
  GPtrArray *list;
} FuzzSensor;

static inline void fuzz_sensor_init (FuzzSensor *fuzz, guint count)
{
  *fuzz = (FuzzSensor){ .list = g_ptr_array_new () };
  fuzz->sensor.metrics = fuzz->list;
  for (guint i = 0; i < count; i++) {
    fuzz->metrics[i].name = (char *) "level";
    fuzz->metrics[i].scale = 1;
    g_ptr_array_add (fuzz->list, &fuzz->metrics[i]);
  }
}

static inline void fuzz_check (const FuzzSensor *fuzz, const Decoded *decoded)
{
  g_assert (decoded->readings->len <= READINGS_MAX);
  g_assert ((decoded->reason == NULL) == (decoded->detail == NULL));
  for (guint i = 0; i < decoded->readings->len; i++) {
    const Reading *reading = &g_array_index (decoded->readings, Reading, i);
    g_assert (reading->metric < fuzz->list->len);
    g_assert (reading->kind != VALUE_NUMBER || (reading->value - reading->value == 0)); /* finite */
    g_assert (reading->kind != VALUE_TEXT || g_utf8_validate (reading->text, -1, NULL));
  }
}

/* Twice: a format may keep what it has seen. */
static inline void fuzz_decode (const Decoder *decoder, const FuzzSensor *fuzz, const char *topic, const uint8_t *payload,
                                size_t size)
{
  gpointer prepared = decoder->prepare (&fuzz->sensor, NULL);
  if (prepared == NULL)
    return;
  g_autoptr (Decoded) decoded = decoded_new ();
  g_autofree guint8 *copy = size > 0 ? g_memdup2 (payload, size) : g_malloc (1);
  EncodedMessage message = { topic, copy, size, 1777622400000000, FALSE };
  for (int i = 0; i < 2; i++) {
    decoded_reset (decoded);
    decoder->decode (prepared, &message, decoded);
    fuzz_check (fuzz, decoded);
  }
  decoder->release (prepared);
}

/* Splits off the first line. */
static inline char *fuzz_topic (const uint8_t **bytes, size_t *size)
{
  const uint8_t *end = *size > 0 ? memchr (*bytes, '\n', *size) : NULL;
  if (end == NULL)
    return g_strdup ("");
  char *topic = g_strndup ((const char *) *bytes, (size_t) (end - *bytes));
  *size -= (size_t) (end + 1 - *bytes);
  *bytes = end + 1;
  return topic;
}
