#include "pipelines/sim/payload.h"

#include <math.h>
#include <string.h>

#include "gateway/core/clock.h"

/* The largest number has 309 digits before its point; a sign, the point, 9 decimals and the end. */
enum { DECIMAL_BYTES = 328 };

typedef struct {
  double value;
  guint64 sequence;
  gint64 wall_us;
  int decimals;
} Reading;

static json_t *rounded (const Reading *reading)
{
  if (reading->decimals == 0)
    return json_integer ((json_int_t) llround (reading->value));
  double scale = pow (10, reading->decimals), scaled = round (reading->value * scale);
  return json_real (isfinite (scaled) ? scaled / scale : reading->value);
}

static json_t *fill (const json_t *node, const Reading *reading);

static json_t *fill_text (const char *text, const Reading *reading)
{
  if (strcmp (text, "{value}") == 0)
    return rounded (reading);
  if (strcmp (text, "{n}") == 0)
    return json_integer ((json_int_t) reading->sequence);
  if (strcmp (text, "{time_ms}") == 0)
    return json_integer (reading->wall_us / 1000);
  if (strcmp (text, "{time}") == 0) {
    g_autofree char *time = time_to_rfc3339 (reading->wall_us);
    return json_string (time);
  }
  return json_string (text);
}

static json_t *fill (const json_t *node, const Reading *reading)
{
  if (json_is_object (node)) {
    json_t *filled = json_object ();
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *) node, key, value)
    {
      json_object_set_new (filled, key, fill (value, reading));
    }
    return filled;
  }
  if (json_is_array (node)) {
    json_t *filled = json_array ();
    for (gsize i = 0; i < json_array_size (node); i++)
      json_array_append_new (filled, fill (json_array_get (node, i), reading));
    return filled;
  }
  return json_is_string (node) ? fill_text (json_string_value (node), reading) : json_incref ((json_t *) node);
}

static char *decimal_text (const Reading *reading)
{
  char text[DECIMAL_BYTES], form[16];
  g_snprintf (form, sizeof form, "%%.%df", reading->decimals);
  return g_strdup (g_ascii_formatd (text, sizeof text, form, reading->value));
}

static char *json_text (json_t *json)
{
  char *text = json_dumps (json, JSON_COMPACT | JSON_REAL_PRECISION (15));
  char *copy = g_strdup (text);
  free (text);
  json_decref (json);
  return copy;
}

static char *make_json (const SensorScript *sensor, const Reading *reading)
{
  json_t *object = sensor->fields ? fill (sensor->fields, reading) : json_object ();
  if (sensor->fields == NULL) {
    json_object_set_new (object, "value", rounded (reading));
    json_object_set_new (object, "time", fill_text ("{time}", reading));
  }
  if (sensor->is_sequenced)
    json_object_set_new (object, "n", json_integer ((json_int_t) reading->sequence));
  return json_text (object);
}

/* The base name and time of the first record hold for the second (RFC 8428 4.1). */
static char *make_senml (const SensorScript *sensor, const Reading *reading)
{
  g_autofree char *base_name = g_strconcat (sensor->id, ":", NULL);
  json_t *record = json_pack ("{s:s, s:f, s:s, s:o}", "bn", base_name, "bt", (double) reading->wall_us / G_USEC_PER_SEC, "n",
                              "value", "v", rounded (reading));
  if (sensor->unit != NULL)
    json_object_set_new (record, "u", json_string (sensor->unit));
  json_t *pack = json_pack ("[o]", record);
  if (sensor->is_sequenced)
    json_array_append_new (pack, json_pack ("{s:s, s:I}", "n", "n", "v", (json_int_t) reading->sequence));
  return json_text (pack);
}

static char *make_csv (const SensorScript *sensor, const Reading *reading)
{
  g_autofree char *time = time_to_rfc3339 (reading->wall_us), *value = decimal_text (reading);
  return sensor->is_sequenced ? g_strdup_printf ("%s,%s,%" G_GUINT64_FORMAT, time, value, reading->sequence)
                              : g_strdup_printf ("%s,%s", time, value);
}

static GBytes *make_binary (const SensorScript *sensor, const Reading *reading)
{
  double scaled = round (reading->value * pow (10, reading->decimals));
  guint32 words[] = { GUINT32_TO_BE ((guint32) (gint32) CLAMP (scaled, G_MININT32, G_MAXINT32)),
                      GUINT32_TO_BE ((guint32) reading->sequence) };
  return g_bytes_new (words, sensor->is_sequenced ? sizeof words : sizeof words[0]);
}

static char *make_text (const SensorScript *sensor, const Reading *reading)
{
  switch (sensor->format) {
  case PAYLOAD_VALUE:
    return decimal_text (reading);
  case PAYLOAD_SENML:
    return make_senml (sensor, reading);
  case PAYLOAD_CSV:
    return make_csv (sensor, reading);
  default:
    return make_json (sensor, reading);
  }
}

GBytes *payload_make (const SensorScript *sensor, double value, guint64 sequence, gint64 wall_us)
{
  Reading reading = { value, sequence, wall_us, sensor->decimals };
  if (sensor->format == PAYLOAD_BINARY)
    return make_binary (sensor, &reading);
  char *text = make_text (sensor, &reading);
  return g_bytes_new_take (text, strlen (text));
}
