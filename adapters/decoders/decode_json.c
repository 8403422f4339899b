/* json: a JSON document (RFC 8259); each metric has a path to a JSON number.
 *
 * A number in quotes is not a number, and neither is true: a device that starts to send text where a level was is broken
 * or changed, and silently reading its text as a level would hide it. Duplicate names are refused. */
#include <math.h>

#include "adapters/decoders/decoders.h"
#include "adapters/decoders/json_path.h"
#include "gateway/core/clock.h"
#include "gateway/core/error.h"

enum { DEPTH_MAX = 32, SHOWN_CHARACTERS = 40 };

typedef struct {
  GPtrArray *paths; /* of JsonPath, one a metric */
  JsonPath *time;   /* or NULL */
} JsonFormat;

static void json_format_release (gpointer prepared)
{
  JsonFormat *format = prepared;
  g_ptr_array_unref (format->paths);
  json_path_free (format->time);
  g_free (format);
}

static gboolean add_paths (JsonFormat *format, const Sensor *sensor, GError **error)
{
  for (guint i = 0; i < sensor->metrics->len; i++) {
    const Metric *metric = sensor->metrics->pdata[i];
    if (metric->path == NULL)
      return error_set (error, ERROR_RECONFIGURE, "metric %s has no path, which format json needs", metric->name);
    JsonPath *path = json_path_parse (metric->path, error);
    if (path == NULL)
      return FALSE;
    g_ptr_array_add (format->paths, path);
  }
  if (sensor->time_path == NULL)
    return TRUE;
  format->time = json_path_parse (sensor->time_path, error);
  return format->time != NULL;
}

static gpointer json_format_prepare (const Sensor *sensor, GError **error)
{
  JsonFormat *format = g_new0 (JsonFormat, 1);
  format->paths = g_ptr_array_new_with_free_func ((GDestroyNotify) json_path_free);
  if (add_paths (format, sensor, error))
    return format;
  json_format_release (format);
  return NULL;
}

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

/* RFC 3339 text, or a count since 1970 whose unit its size tells: up to 1e11 seconds (year 5138), then ms, µs, ns. */
static gboolean time_of (json_t *value, gint64 *time_us)
{
  if (json_is_string (value))
    return time_from_rfc3339 (json_string_value (value), time_us);
  if (!json_is_number (value))
    return FALSE;
  double count = json_number_value (value);
  double factor = fabs (count) < 1e11 ? 1e6 : fabs (count) < 1e14 ? 1e3 : fabs (count) < 1e17 ? 1 : 1e-3;
  if (!isfinite (count) || fabs (count * factor) > 9e18)
    return FALSE;
  *time_us = (gint64) (count * factor);
  return TRUE;
}

static const char *kind_of (json_t *value)
{
  switch (json_typeof (value)) {
  case JSON_OBJECT:
    return "an object";
  case JSON_ARRAY:
    return "a list";
  case JSON_STRING:
    return "a text";
  case JSON_NULL:
    return "null";
  default:
    return "true or false";
  }
}

static void read_metric (const JsonPath *path, guint metric, json_t *root, const Reading *common, Decoded *decoded)
{
  json_t *value = json_path_find (path, root);
  if (value == NULL) {
    decoded_miss (decoded, REASON_PATH_ABSENT, "nothing at %s", json_path_text (path));
    return;
  }
  if (!json_is_number (value)) {
    const char *text = json_is_string (value) ? json_string_value (value) : NULL;
    decoded_miss (decoded, REASON_NOT_A_NUMBER, "%s is %s%s%.*s%s, not a number", json_path_text (path), kind_of (value),
                  text ? " \"" : "", SHOWN_CHARACTERS, text ? text : "", text ? "\"" : "");
    return;
  }
  Reading reading = *common;
  reading.metric = metric;
  reading.value = json_number_value (value);
  g_array_append_val (decoded->readings, reading);
}

static void json_format_decode (gpointer prepared, const guint8 *payload, gsize size, Decoded *decoded)
{
  JsonFormat *format = prepared;
  if (is_too_deep (payload, size)) {
    decoded_miss (decoded, REASON_NOT_JSON, "nested more than %d deep", DEPTH_MAX);
    return;
  }
  json_error_t problem;
  json_t *root = json_loadb ((const char *) payload, size,
                             JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &problem);
  if (root == NULL) {
    decoded_miss (decoded, REASON_NOT_JSON, "line %d, column %d: %s", problem.line, problem.column, problem.text);
    return;
  }
  Reading common = { .sequence = -1 };
  json_t *time = format->time != NULL ? json_path_find (format->time, root) : NULL;
  common.has_time = time != NULL && time_of (time, &common.time_us);
  for (guint i = 0; i < format->paths->len; i++)
    read_metric (format->paths->pdata[i], i, root, &common, decoded);
  json_decref (root);
}

const Decoder decoder_json = {
  .format = "json",
  .has_paths = TRUE,
  .prepare = json_format_prepare,
  .decode = json_format_decode,
  .release = json_format_release,
};
