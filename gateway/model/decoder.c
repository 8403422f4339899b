#include "gateway/model/decoder.h"

Decoded *decoded_new (void)
{
  Decoded *decoded = g_new0 (Decoded, 1);
  decoded->readings = g_array_new (FALSE, FALSE, sizeof (Reading));
  return decoded;
}

void decoded_miss (Decoded *decoded, const char *reason, const char *format, ...)
{
  if (decoded->reason != NULL)
    return;
  va_list arguments;
  va_start (arguments, format);
  decoded->detail = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  decoded->reason = reason;
}

void decoded_reset (Decoded *decoded)
{
  g_array_set_size (decoded->readings, 0);
  decoded->reason = NULL;
  g_clear_pointer (&decoded->detail, g_free);
}

void decoded_free (Decoded *decoded)
{
  if (decoded == NULL)
    return;
  g_array_unref (decoded->readings);
  g_free (decoded->detail);
  g_free (decoded);
}
