#include "gateway/model/decoder.h"

#include <math.h>
#include <string.h>

enum { SHOWN_BYTES = 60, TEXTS_CHUNK = 256 };

Decoded *decoded_new (void)
{
  Decoded *decoded = g_new0 (Decoded, 1);
  decoded->readings = g_array_new (FALSE, FALSE, sizeof (Reading));
  decoded->texts = g_string_chunk_new (TEXTS_CHUNK);
  return decoded;
}

const char *decoded_text (Decoded *decoded, const char *text, gssize size)
{
  return g_string_chunk_insert_len (decoded->texts, text, size);
}

void decoded_identify (Decoded *decoded, const char *text)
{
  guint64 hash = 14695981039346656037u; /* FNV-1a */
  for (const char *at = text; *at != '\0'; at++)
    hash = (hash ^ (guint8) *at) * 1099511628211u;
  decoded->identity = MAX (hash, 1); /* 0 stands for none */
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

/* The value as a person or a configuration writes it. */
static char *written (const Reading *reading)
{
  if (reading->kind == VALUE_TEXT)
    return g_strdup (reading->text);
  if (reading->kind == VALUE_BOOLEAN)
    return g_strdup (reading->value != 0 ? "true" : "false");
  return g_strdup_printf ("%.15g", reading->value);
}

static void miss_kind (Decoded *decoded, const Reading *reading, const char *where, const char *reason,
                       const char *expected)
{
  g_autofree char *value = written (reading);
  if (reading->kind != VALUE_TEXT) {
    decoded_miss (decoded, reason, "%s is %s, not %s", where, value, expected);
    return;
  }
  g_autofree char *shown = g_utf8_make_valid (value, (gssize) MIN (strlen (value), (gsize) SHOWN_BYTES));
  decoded_miss (decoded, reason, "%s is a text \"%s\", not %s", where, shown, expected);
}

/* FALSE: the metric names no such value. */
static gboolean take_named (const Metric *metric, Reading *reading)
{
  g_autofree char *name = written (reading);
  for (guint i = 0; i < metric->values->len; i++) {
    const NamedValue *named = &g_array_index (metric->values, NamedValue, i);
    if (strcmp (named->name, name) != 0)
      continue;
    reading->kind = metric->kind;
    reading->value = named->value;
    reading->text = NULL;
    return TRUE;
  }
  return FALSE;
}

static gboolean take (Decoded *decoded, const Metric *metric, Reading *reading, const char *where)
{
  if (metric->values != NULL && metric->values->len > 0) {
    if (take_named (metric, reading))
      return TRUE;
    miss_kind (decoded, reading, where, REASON_UNKNOWN_VALUE, "one of the metric's values");
    return FALSE;
  }
  if (metric->kind == VALUE_BOOLEAN && reading->kind == VALUE_NUMBER && (reading->value == 0 || reading->value == 1))
    reading->kind = VALUE_BOOLEAN;
  if (metric->kind == reading->kind)
    return TRUE;
  if (metric->kind == VALUE_NUMBER)
    miss_kind (decoded, reading, where, REASON_NOT_A_NUMBER, "a number");
  else if (metric->kind == VALUE_BOOLEAN)
    miss_kind (decoded, reading, where, REASON_NOT_A_BOOLEAN, "true or false");
  else
    miss_kind (decoded, reading, where, REASON_NOT_A_TEXT, "a text");
  return FALSE;
}

gboolean decoded_add (Decoded *decoded, const Sensor *sensor, const Reading *reading, const char *where)
{
  Reading taken = *reading;
  const Metric *metric = sensor->metrics->pdata[reading->metric];
  if (decoded->readings->len >= READINGS_MAX) {
    decoded_miss (decoded, REASON_TOO_LARGE, "more than %d readings in one message", READINGS_MAX);
    return FALSE;
  }
  if (reading->kind == VALUE_TEXT && strlen (reading->text) > VALUE_TEXT_MAX_BYTES) {
    decoded_miss (decoded, REASON_TOO_LARGE, "%s is a text of over %d bytes", where, VALUE_TEXT_MAX_BYTES);
    return FALSE;
  }
  if (reading->kind == VALUE_TEXT && !g_utf8_validate (reading->text, -1, NULL)) {
    decoded_miss (decoded, metric->kind == VALUE_NUMBER ? REASON_NOT_A_NUMBER : REASON_NOT_A_TEXT, "%s is not UTF-8", where);
    return FALSE;
  }
  if (reading->kind == VALUE_NUMBER && !isfinite (reading->value)) {
    decoded_miss (decoded, REASON_NOT_A_NUMBER, "%s is not finite", where);
    return FALSE;
  }
  if (!take (decoded, metric, &taken, where))
    return FALSE;
  g_array_append_val (decoded->readings, taken);
  return TRUE;
}

void decoded_reset (Decoded *decoded)
{
  g_array_set_size (decoded->readings, 0);
  decoded->reason = NULL;
  decoded->identity = 0;
  g_clear_pointer (&decoded->detail, g_free);
  g_clear_pointer (&decoded->request_topic, g_free);
  g_clear_pointer (&decoded->request, g_bytes_unref);
  g_string_chunk_clear (decoded->texts);
}

void decoded_free (Decoded *decoded)
{
  if (decoded == NULL)
    return;
  decoded_reset (decoded);
  g_array_unref (decoded->readings);
  g_string_chunk_free (decoded->texts);
  g_free (decoded);
}
