/* value: the payload is one decimal number as text, with white space around it at most: "3.21", "-4e-2\n".
 *
 * It is one metric's. Hexadecimal, "inf" and "nan" are no numbers here. */
#include <math.h>
#include <string.h>

#include "adapters/decoders/decoders.h"
#include "gateway/core/error.h"

enum { TEXT_MAX = 64, SHOWN_CHARACTERS = 40 };

static gpointer value_format_prepare (const Sensor *sensor, GError **error)
{
  if (sensor->metrics->len != 1) {
    error_set (error, ERROR_RECONFIGURE, "format value gives one metric, and %u are listed", sensor->metrics->len);
    return NULL;
  }
  return (gpointer) &decoder_value;
}

static gboolean number_of (const char *text, double *value)
{
  char *end;
  if (text[strspn (text, "+-.0123456789eE")] != '\0' || text[0] == '\0')
    return FALSE;
  *value = g_ascii_strtod (text, &end);
  return *end == '\0' && isfinite (*value);
}

static void value_format_decode (gpointer prepared, const guint8 *payload, gsize size, Decoded *decoded)
{
  (void) prepared;
  char text[TEXT_MAX + 1];
  Reading reading = { .sequence = -1 };

  while (size > 0 && g_ascii_isspace (payload[size - 1]))
    size--;
  for (; size > 0 && g_ascii_isspace (*payload); size--)
    payload++;
  gsize length = MIN (size, TEXT_MAX);
  if (length > 0)
    memcpy (text, payload, length);
  text[length] = '\0';
  if (size <= TEXT_MAX && memchr (text, '\0', length) == NULL && number_of (text, &reading.value)) {
    g_array_append_val (decoded->readings, reading);
    return;
  }
  g_autofree char *shown = g_utf8_make_valid (text, (gssize) MIN (length, (gsize) SHOWN_CHARACTERS));
  decoded_miss (decoded, REASON_NOT_A_NUMBER, size == 0 ? "the payload is empty" : "\"%s\" is not a number", shown);
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
