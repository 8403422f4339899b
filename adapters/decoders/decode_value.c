/* value: the payload is one decimal number as text, with white space around it at most: "3.21", "-4e-2\n"; or, where the
 * metric says so, a word: "open", "ON".
 *
 * It is one metric's. Hexadecimal, "inf" and "nan" are no numbers here. */
#include <string.h>

#include "adapters/decoders/decoders.h"
#include "adapters/decoders/text_value.h"
#include "gateway/core/error.h"

static gpointer value_format_prepare (const Sensor *sensor, GError **error)
{
  if (sensor->metrics->len != 1) {
    error_set (error, ERROR_RECONFIGURE, "format value gives one metric, and %u are listed", sensor->metrics->len);
    return NULL;
  }
  return (gpointer) sensor;
}

static void value_format_decode (gpointer prepared, const EncodedMessage *message, Decoded *decoded)
{
  const Sensor *sensor = prepared;
  const guint8 *payload = message->payload;
  gsize size = message->size;
  while (size > 0 && g_ascii_isspace (payload[size - 1]))
    size--;
  for (; size > 0 && g_ascii_isspace (*payload); size--)
    payload++;
  if (size == 0) {
    decoded_miss (decoded, REASON_NOT_A_NUMBER, "the payload is empty");
    return;
  }
  if (size > VALUE_TEXT_MAX_BYTES || memchr (payload, '\0', size) != NULL) {
    decoded_miss (decoded, REASON_NOT_A_NUMBER, "the payload is no number and no word");
    return;
  }
  Reading reading = { .sequence = -1 };
  text_value_set (decoded_text (decoded, (const char *) payload, (gssize) size), sensor->metrics->pdata[0], &reading);
  decoded_add (decoded, sensor, &reading, "the payload");
}

static void value_format_release (gpointer prepared)
{
  (void) prepared;
}

const Decoder decoder_value = {
  .format = "value",
  .prepare = value_format_prepare,
  .decode = value_format_decode,
  .release = value_format_release,
};
