/* json: a JSON document (RFC 8259); each metric has a path to its value, or to many: one message may carry many readings,
 * each with a time of its own.
 *
 * A number in quotes is not a number, and neither is true, unless the metric says so (`kind`, `values`): a device that
 * starts to send text where a level was is broken or changed, and silently reading its text as a level would hide it.
 * Duplicate names are refused. */
#include "adapters/decoders/decoders.h"
#include "adapters/decoders/json_payload.h"
#include "gateway/core/error.h"
#include "gateway/core/json_path.h"

#define SEQUENCE_MAX 9007199254740992.0 /* 2^53: a JSON number is exact up to there */

typedef struct {
  const Sensor *sensor;
  GPtrArray *paths; /* of JsonPath, one a metric */
  JsonPath *time, *sequence; /* or NULL */
} JsonFormat;

static void json_format_release (gpointer prepared)
{
  JsonFormat *format = prepared;
  g_ptr_array_unref (format->paths);
  json_path_free (format->time);
  json_path_free (format->sequence);
  g_free (format);
}

static gboolean add_paths (JsonFormat *format, GError **error)
{
  for (guint i = 0; i < format->sensor->metrics->len; i++) {
    const Metric *metric = format->sensor->metrics->pdata[i];
    if (metric->path == NULL)
      return error_set (error, ERROR_RECONFIGURE, "metric %s has no path, which format json needs", metric->name);
    JsonPath *path = json_path_parse (metric->path, NULL, error);
    if (path == NULL)
      return FALSE;
    g_ptr_array_add (format->paths, path);
  }
  return TRUE;
}

/* TRUE without a path, too. */
static gboolean parse_path (const char *text, JsonPath **path, GError **error)
{
  *path = text != NULL ? json_path_parse (text, NULL, error) : NULL;
  return text == NULL || *path != NULL;
}

static gpointer json_format_prepare (const Sensor *sensor, GError **error)
{
  JsonFormat *format = g_new0 (JsonFormat, 1);
  format->sensor = sensor;
  format->paths = g_ptr_array_new_with_free_func ((GDestroyNotify) json_path_free);
  if (add_paths (format, error) && parse_path (sensor->time_path, &format->time, error)
      && parse_path (sensor->sequence_path, &format->sequence, error))
    return format;
  json_format_release (format);
  return NULL;
}

typedef struct {
  const JsonFormat *format;
  const JsonPath *path;
  guint metric;
  json_t *root;
  Decoded *decoded;
  gint64 sequence;
  gboolean is_found;
} MetricWalk;

static gboolean take_value (json_t *value, const JsonPlace *place, gpointer data)
{
  MetricWalk *walk = data;
  Reading common = { .metric = walk->metric, .sequence = walk->sequence };
  json_t *time = walk->format->time != NULL ? json_path_find_at (walk->format->time, walk->root, place) : NULL;
  common.has_time = time != NULL && json_payload_time (time, &common.time_us);
  walk->is_found = TRUE;
  json_payload_add (value, walk->format->sensor, &common, json_path_text (walk->path), walk->decoded);
  return walk->decoded->readings->len < READINGS_MAX || walk->decoded->reason == NULL;
}

/* The device's number of the message, -1 when it has none; or a text that tells it apart. */
static gint64 take_sequence (const JsonFormat *format, json_t *root, Decoded *decoded)
{
  const json_t *value = format->sequence != NULL ? json_path_find (format->sequence, root) : NULL;
  if (json_is_string (value) && json_string_length (value) > 0)
    decoded_identify (decoded, json_string_value (value));
  double number = json_is_number (value) ? json_number_value (value) : -1;
  if (!(number >= 0 && number <= SEQUENCE_MAX && number == (double) (gint64) number))
    return -1;
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT, (gint64) number);
  decoded_identify (decoded, text);
  return (gint64) number;
}

static void json_format_decode (gpointer prepared, const EncodedMessage *message, Decoded *decoded)
{
  const JsonFormat *format = prepared;
  json_t *root = json_payload_parse (message->payload, message->size, decoded);
  gint64 sequence = root != NULL ? take_sequence (format, root, decoded) : -1;
  for (guint i = 0; root != NULL && i < format->paths->len; i++) {
    MetricWalk walk = { format, format->paths->pdata[i], i, root, decoded, sequence, FALSE };
    json_path_each (walk.path, root, take_value, &walk);
    if (!walk.is_found)
      decoded_miss (decoded, REASON_PATH_ABSENT, "nothing at %s", json_path_text (walk.path));
  }
  json_decref (root);
}

const Decoder decoder_json = {
  .format = "json",
  .prepare = json_format_prepare,
  .decode = json_format_decode,
  .release = json_format_release,
};
