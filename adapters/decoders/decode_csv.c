/* csv: lines of fields (RFC 4180), each line a set of readings: the separator may be another one, numbers may have a decimal
 * comma, fields may stand in quotes.
 *
 * A metric's path is the name of its column where the first line is a header, else its number, from 1. An empty field is no
 * reading. */
#include <stdlib.h>
#include <string.h>

#include "adapters/decoders/decoders.h"
#include "adapters/decoders/json_payload.h"
#include "adapters/decoders/metric_names.h"
#include "adapters/decoders/text_value.h"
#include "gateway/core/clock.h"
#include "gateway/core/error.h"

enum { COLUMNS_MAX = 200, ABSENT = -1 };

typedef struct {
  const Sensor *sensor;
  char separator;
  GArray *columns; /* of int, one a metric: from 0, or ABSENT */
  int time;
} CsvFormat;

static void csv_format_release (gpointer prepared)
{
  CsvFormat *format = prepared;
  g_array_unref (format->columns);
  g_free (format);
}

static gpointer csv_format_prepare (const Sensor *sensor, GError **error)
{
  (void) error;
  CsvFormat *format = g_new0 (CsvFormat, 1);
  format->sensor = sensor;
  format->separator = sensor->separator != NULL ? sensor->separator[0] : ',';
  format->columns = g_array_sized_new (FALSE, TRUE, sizeof (int), sensor->metrics->len);
  g_array_set_size (format->columns, sensor->metrics->len);
  return format;
}

/* One field, its quotes taken off, into `decoded`'s texts; `*at` goes to what ends it. NULL when its quote has no end. */
static const char *take_field (const CsvFormat *format, const char **at, const char *end, Decoded *decoded)
{
  const char *from = *at;
  if (from == end || *from != '"') {
    while (*at < end && **at != format->separator && **at != '\n' && **at != '\r')
      (*at)++;
    return decoded_text (decoded, from, *at - from);
  }
  g_autoptr (GString) text = g_string_new (NULL);
  for (from++; from < end && (*from != '"' || (from + 1 < end && from[1] == '"')); from++) {
    from += *from == '"'; /* two stand for one */
    g_string_append_c (text, *from);
  }
  *at = from + 1;
  return from < end ? decoded_text (decoded, text->str, (gssize) text->len) : NULL;
}

/* The fields of a line into `fields`; FALSE and noted when it can't be read. */
static gboolean take_line (const CsvFormat *format, const char **at, const char *end, GPtrArray *fields, Decoded *decoded)
{
  g_ptr_array_set_size (fields, 0);
  for (;;) {
    const char *field = take_field (format, at, end, decoded);
    gboolean ends_well = field != NULL && (*at == end || **at == format->separator || **at == '\n' || **at == '\r');
    if (!ends_well || fields->len == COLUMNS_MAX) {
      decoded_miss (decoded, REASON_MALFORMED, ends_well ? "a line has more than %d fields" : "a quote is not closed, or not"
                    " followed by the separator (fields: at most %d)", COLUMNS_MAX);
      return FALSE;
    }
    g_ptr_array_add (fields, (gpointer) field);
    if (*at == end || **at != format->separator)
      break;
    (*at)++;
  }
  while (*at < end && (**at == '\n' || **at == '\r'))
    (*at)++;
  return TRUE;
}

static int column_of (const CsvFormat *format, const char *address, const GPtrArray *header)
{
  if (!format->sensor->has_header) {
    long number = strtol (address, NULL, 10);
    return number >= 1 && number <= COLUMNS_MAX ? (int) number - 1 : ABSENT;
  }
  for (guint i = 0; i < header->len; i++)
    if (strcmp (header->pdata[i], address) == 0)
      return (int) i;
  return ABSENT;
}

static void find_columns (CsvFormat *format, const GPtrArray *header)
{
  const Sensor *sensor = format->sensor;
  for (guint i = 0; i < sensor->metrics->len; i++)
    g_array_index (format->columns, int, i) = column_of (format, metric_address (sensor->metrics->pdata[i]), header);
  format->time = sensor->time_path != NULL ? column_of (format, sensor->time_path, header) : ABSENT;
}

static void set_time (const CsvFormat *format, const GPtrArray *fields, Reading *reading)
{
  double count;
  if (format->time == ABSENT || (guint) format->time >= fields->len)
    return;
  const char *text = fields->pdata[format->time];
  reading->has_time = time_from_rfc3339 (text, &reading->time_us)
                      || (text_number (text, &count) && count_to_time (count, &reading->time_us));
}

static void add_field (const CsvFormat *format, guint index, const char *text, const Reading *common, Decoded *decoded)
{
  const Metric *metric = format->sensor->metrics->pdata[index];
  Reading reading = *common;
  g_autofree char *number = g_strstrip (g_strdup (text));
  if (number[0] == '\0')
    return;
  if (format->sensor->has_decimal_comma && metric->kind == VALUE_NUMBER)
    g_strdelimit (number, ",", '.');
  reading.metric = index;
  text_value_set (decoded_text (decoded, number, -1), metric, &reading);
  decoded_add (decoded, format->sensor, &reading, metric_address (metric));
}

static void add_line (const CsvFormat *format, const GPtrArray *fields, gboolean *is_found, Decoded *decoded)
{
  Reading common = { .sequence = -1 };
  set_time (format, fields, &common);
  for (guint i = 0; i < format->columns->len; i++) {
    int column = g_array_index (format->columns, int, i);
    if (column == ABSENT || (guint) column >= fields->len)
      continue;
    is_found[i] = TRUE;
    add_field (format, i, fields->pdata[column], &common, decoded);
  }
}

static void csv_format_decode (gpointer prepared, const EncodedMessage *message, Decoded *decoded)
{
  CsvFormat *format = prepared;
  const char *at = (const char *) message->payload, *end = at + message->size;
  if (memchr (at, '\0', message->size) != NULL) {
    decoded_miss (decoded, REASON_MALFORMED, "a zero byte stands in it: that is no text");
    return;
  }
  g_autoptr (GPtrArray) fields = g_ptr_array_new ();
  g_autofree gboolean *is_found = g_new0 (gboolean, format->columns->len);
  if (format->sensor->has_header && !take_line (format, &at, end, fields, decoded))
    return;
  find_columns (format, fields);
  while (at < end && decoded->readings->len < READINGS_MAX && take_line (format, &at, end, fields, decoded))
    add_line (format, fields, is_found, decoded);
  for (guint i = 0; i < format->columns->len; i++)
    if (!is_found[i])
      decoded_miss (decoded, REASON_PATH_ABSENT, "no column %s", metric_address (format->sensor->metrics->pdata[i]));
  if (at < end)
    decoded_miss (decoded, REASON_TOO_LARGE, "more than %d readings in one message", READINGS_MAX);
}

const Decoder decoder_csv = {
  .format = "csv",
  .prepare = csv_format_prepare,
  .decode = csv_format_decode,
  .release = csv_format_release,
};
