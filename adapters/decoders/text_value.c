#include "adapters/decoders/text_value.h"

#include <math.h>
#include <string.h>

gboolean text_number (const char *text, double *number)
{
  char *end;
  if (text[strspn (text, "+-.0123456789eE")] != '\0' || text[0] == '\0')
    return FALSE;
  *number = g_ascii_strtod (text, &end);
  return *end == '\0' && isfinite (*number);
}

static gboolean text_boolean (const char *text, double *truth)
{
  static const char *const names[] = { "false", "true", "off", "on", "0", "1" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_ascii_strcasecmp (text, names[i]) == 0) {
      *truth = i % 2;
      return TRUE;
    }
  return FALSE;
}

void text_value_set (const char *text, const Metric *metric, Reading *reading)
{
  gboolean is_named = metric->values != NULL && metric->values->len > 0;
  reading->kind = VALUE_TEXT;
  reading->text = text;
  if (!is_named && metric->kind == VALUE_NUMBER && text_number (text, &reading->value))
    reading->kind = VALUE_NUMBER;
  else if (!is_named && metric->kind == VALUE_BOOLEAN && text_boolean (text, &reading->value))
    reading->kind = VALUE_BOOLEAN;
}
