#include "pipelines/sim/payload.h"

#include <math.h>
#include <string.h>

#include "gateway/core/clock.h"

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
  double scale = pow (10, reading->decimals);
  return json_real (round (reading->value * scale) / scale);
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

char *payload_make (const SensorScript *sensor, double value, guint64 sequence, gint64 wall_us)
{
  if (sensor->format == PAYLOAD_VALUE) {
    char text[G_ASCII_DTOSTR_BUF_SIZE], form[16];
    g_snprintf (form, sizeof form, "%%.%df", sensor->decimals);
    return g_strdup (g_ascii_formatd (text, sizeof text, form, value));
  }
  Reading reading = { value, sequence, wall_us, sensor->decimals };
  json_t *object = sensor->fields ? fill (sensor->fields, &reading) : json_object ();
  if (sensor->fields == NULL) {
    json_object_set_new (object, "value", rounded (&reading));
    json_object_set_new (object, "time", fill_text ("{time}", &reading));
  }
  if (sensor->is_sequenced)
    json_object_set_new (object, "n", json_integer ((json_int_t) sequence));
  char *text = json_dumps (object, JSON_COMPACT | JSON_REAL_PRECISION (15));
  char *payload = g_strdup (text);
  free (text);
  json_decref (object);
  return payload;
}
