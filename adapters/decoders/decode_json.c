/* json: a JSON document (RFC 8259); each metric has a path to its value, or to many: one message may carry many readings,
 * each with a time of its own.
 *
 * A number in quotes is not a number, and neither is true, unless the metric says so (`kind`, `values`): a device that
 * starts to send text where a level was is broken or changed, and silently reading its text as a level would hide it.
 * Duplicate names are refused. */
#include "adapters/decoders/decoders.h"
#include "adapters/decoders/json_payload.h"
#include "adapters/decoders/json_skim.h"
#include "gateway/core/error.h"
#include "gateway/core/json_path.h"

#define SEQUENCE_MAX 9007199254740992.0 /* 2^53: a JSON number is exact up to there */

typedef struct {
  const Sensor *sensor;
  GPtrArray *paths; /* of JsonPath, one a metric, and then those of time and sequence, where there are such */
  gint time_at, sequence_at; /* where these stand; -1: nowhere */
  gboolean is_plain;         /* no path needs the whole document */
} JsonFormat;

static void json_format_release (gpointer prepared)
{
  JsonFormat *format = prepared;
  g_ptr_array_unref (format->paths);
  g_free (format);
}

/* Its place in `paths`, or -1 with an error. */
static gint add_path (JsonFormat *format, const char *text, GError **error)
{
  JsonPath *path = json_path_parse (text, NULL, error);
  if (path == NULL)
    return -1;
  g_ptr_array_add (format->paths, path);
  format->is_plain &= json_skim_takes (path) && format->paths->len <= JSON_SKIM_PATHS_MAX;
  return (gint) format->paths->len - 1;
}

static gboolean add_metrics (JsonFormat *format, GError **error)
{
  for (guint i = 0; i < format->sensor->metrics->len; i++) {
    const Metric *metric = format->sensor->metrics->pdata[i];
    if (metric->path == NULL)
      return error_set (error, ERROR_RECONFIGURE, "metric %s has no path, which format json needs", metric->name);
    if (add_path (format, metric->path, error) < 0)
      return FALSE;
  }
  return TRUE;
}

/* TRUE without a path, too. */
static gboolean add_optional (JsonFormat *format, const char *text, gint *at, GError **error)
{
  *at = text != NULL ? add_path (format, text, error) : -1;
  return text == NULL || *at >= 0;
}

static gpointer json_format_prepare (const Sensor *sensor, GError **error)
{
  JsonFormat *format = g_new0 (JsonFormat, 1);
  format->sensor = sensor;
  format->is_plain = TRUE;
  format->paths = g_ptr_array_new_with_free_func ((GDestroyNotify) json_path_free);
  if (add_metrics (format, error) && add_optional (format, sensor->time_path, &format->time_at, error)
      && add_optional (format, sensor->sequence_path, &format->sequence_at, error))
    return format;
  json_format_release (format);
  return NULL;
}

typedef struct {
  const JsonFormat *format;
  guint metric;
  json_t *root;
  Decoded *decoded;
  gint64 sequence;
  gboolean is_found;
} MetricWalk;

static void add_value (const JsonFormat *format, guint metric, json_t *value, json_t *time, gint64 sequence, Decoded *decoded)
{
  Reading common = { .metric = metric, .sequence = sequence };
  common.has_time = time != NULL && json_payload_time (time, &common.time_us);
  json_payload_add (value, format->sensor, &common, json_path_text (format->paths->pdata[metric]), decoded);
}

static void miss_value (const JsonFormat *format, guint metric, Decoded *decoded)
{
  decoded_miss (decoded, REASON_PATH_ABSENT, "nothing at %s", json_path_text (format->paths->pdata[metric]));
}

static gboolean take_value (json_t *value, const JsonPlace *place, gpointer data)
{
  MetricWalk *walk = data;
  const JsonFormat *format = walk->format;
  json_t *time = format->time_at >= 0 ? json_path_find_at (format->paths->pdata[format->time_at], walk->root, place) : NULL;
  walk->is_found = TRUE;
  add_value (format, walk->metric, value, time, walk->sequence, walk->decoded);
  return walk->decoded->readings->len < READINGS_MAX || walk->decoded->reason == NULL;
}

/* The device's number of the message, -1 when it has none; or a text that tells it apart. `value` may be NULL. */
static gint64 take_sequence (const json_t *value, Decoded *decoded)
{
  if (json_is_string (value) && json_string_length (value) > 0)
    decoded_identify (decoded, json_string_value (value));
  double number = json_is_number (value) ? json_number_value (value) : -1;
  if (!(number >= 0 && number <= SEQUENCE_MAX && number == (double) (gint64) number))
    return -1;
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT, (gint64) number);
  decoded_identify (decoded, text);
  return (gint64) number;
}

/* FALSE: it is to be decoded as a whole. */
static gboolean decode_plain (const JsonFormat *format, const EncodedMessage *message, Decoded *decoded)
{
  json_t *values[JSON_SKIM_PATHS_MAX];
  guint count = format->paths->len;
  if (!json_skim (message->payload, message->size, (JsonPath *const *) format->paths->pdata, count, values))
    return FALSE;
  json_t *time = format->time_at >= 0 ? values[format->time_at] : NULL;
  gint64 sequence = take_sequence (format->sequence_at >= 0 ? values[format->sequence_at] : NULL, decoded);
  for (guint i = 0; i < format->sensor->metrics->len; i++)
    if (values[i] != NULL)
      add_value (format, i, values[i], time, sequence, decoded);
    else
      miss_value (format, i, decoded);
  for (guint i = 0; i < count; i++)
    json_decref (values[i]);
  return TRUE;
}

static void decode_whole (const JsonFormat *format, const EncodedMessage *message, Decoded *decoded)
{
  json_t *root = json_payload_parse (message->payload, message->size, decoded);
  if (root == NULL)
    return;
  const JsonPath *at = format->sequence_at >= 0 ? format->paths->pdata[format->sequence_at] : NULL;
  gint64 sequence = take_sequence (at != NULL ? json_path_find (at, root) : NULL, decoded);
  for (guint i = 0; i < format->sensor->metrics->len; i++) {
    MetricWalk walk = { format, i, root, decoded, sequence, FALSE };
    json_path_each (format->paths->pdata[i], root, take_value, &walk);
    if (!walk.is_found)
      miss_value (format, i, decoded);
  }
  json_decref (root);
}

static void json_format_decode (gpointer prepared, const EncodedMessage *message, Decoded *decoded)
{
  const JsonFormat *format = prepared;
  if (!format->is_plain || !decode_plain (format, message, decoded))
    decode_whole (format, message, decoded);
}

const Decoder decoder_json = {
  .format = "json",
  .prepare = json_format_prepare,
  .decode = json_format_decode,
  .release = json_format_release,
};
