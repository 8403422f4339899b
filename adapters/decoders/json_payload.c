#include "adapters/decoders/json_payload.h"

#include <math.h>

#include "gateway/core/clock.h"

enum { DEPTH_MAX = 32 };

/* The parser recurses; nesting is counted first. Brackets in strings don't count. */
static gboolean is_too_deep (const guint8 *payload, gsize size)
{
  gboolean in_string = FALSE;
  guint depth = 0;
  for (gsize i = 0; i < size; i++) {
    guint8 c = payload[i];
    if (in_string && c == '\\')
      i++;
    else if (c == '"')
      in_string = !in_string;
    else if (!in_string && (c == '{' || c == '['))
      depth++;
    else if (!in_string && (c == '}' || c == ']') && depth > 0)
      depth--;
    if (depth > DEPTH_MAX)
      return TRUE;
  }
  return FALSE;
}

json_t *json_payload_parse (const guint8 *payload, gsize size, Decoded *decoded)
{
  if (is_too_deep (payload, size)) {
    decoded_miss (decoded, REASON_NOT_JSON, "nested more than %d deep", DEPTH_MAX);
    return NULL;
  }
  json_error_t problem;
  json_t *root = json_loadb ((const char *) payload, size,
                             JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &problem);
  if (root == NULL)
    decoded_miss (decoded, REASON_NOT_JSON, "line %d, column %d: %s", problem.line, problem.column, problem.text);
  return root;
}

gboolean count_to_time (double count, gint64 *time_us)
{
  double factor = fabs (count) < 1e11 ? 1e6 : fabs (count) < 1e14 ? 1e3 : fabs (count) < 1e17 ? 1 : 1e-3;
  if (!isfinite (count) || fabs (count * factor) > 9e18)
    return FALSE;
  *time_us = (gint64) (count * factor);
  return TRUE;
}

gboolean json_payload_time (json_t *value, gint64 *time_us)
{
  if (json_is_string (value))
    return time_from_rfc3339 (json_string_value (value), time_us);
  return json_is_number (value) && count_to_time (json_number_value (value), time_us);
}

gboolean json_payload_value (json_t *value, Reading *reading)
{
  if (json_is_number (value)) {
    reading->kind = VALUE_NUMBER;
    reading->value = json_number_value (value);
  } else if (json_is_boolean (value)) {
    reading->kind = VALUE_BOOLEAN;
    reading->value = json_is_true (value);
  } else if (json_is_string (value)) {
    reading->kind = VALUE_TEXT;
    reading->text = json_string_value (value);
  } else {
    return FALSE;
  }
  return TRUE;
}

void json_payload_add (json_t *value, const Sensor *sensor, const Reading *common, const char *where, Decoded *decoded)
{
  Reading reading = *common;
  if (!json_payload_value (value, &reading)) {
    decoded_miss (decoded, REASON_NOT_A_NUMBER, "%s is %s, not a value", where,
                  json_is_object (value) ? "an object" : json_is_array (value) ? "a list" : "null");
    return;
  }
  if (reading.kind == VALUE_TEXT)
    reading.text = decoded_text (decoded, reading.text, -1);
  decoded_add (decoded, sensor, &reading, where);
}
