#include "gateway/observe/last_values.h"

#include <math.h>
#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/observe/observation_json.h"

struct LastValues {
  GMutex mutex;
  GHashTable *last; /* set of Observation, by sensor and metric: their own keys */
};

static guint series_hash (gconstpointer observation)
{
  const Observation *one = observation;
  return g_str_hash (one->sensor) * 31 + g_str_hash (one->metric);
}

static gboolean is_same_series (gconstpointer left, gconstpointer right)
{
  const Observation *one = left, *other = right;
  return strcmp (one->sensor, other->sensor) == 0 && strcmp (one->metric, other->metric) == 0;
}

static const Observation *last_of (const LastValues *values, const char *sensor, const char *metric)
{
  const Observation wanted = { .sensor = (char *) sensor, .metric = (char *) metric };
  return g_hash_table_lookup (values->last, &wanted);
}

LastValues *last_values_new (void)
{
  LastValues *values = g_new0 (LastValues, 1);
  g_mutex_init (&values->mutex);
  values->last = g_hash_table_new_full (series_hash, is_same_series, (GDestroyNotify) observation_unref, NULL);
  return values;
}

void last_values_take (LastValues *values, Observation *observation)
{
  g_mutex_lock (&values->mutex);
  const Observation *known = g_hash_table_lookup (values->last, observation);
  if (known == NULL || known->phenomenon_time_us <= observation->phenomenon_time_us)
    g_hash_table_add (values->last, observation_ref (observation));
  g_mutex_unlock (&values->mutex);
}

static gboolean is_gone (gpointer observation, gpointer same, gpointer site)
{
  (void) same;
  return site_sensor (site, ((const Observation *) observation)->sensor) == NULL;
}

void last_values_keep_only (LastValues *values, const Site *site)
{
  g_mutex_lock (&values->mutex);
  g_hash_table_foreach_remove (values->last, is_gone, (gpointer) site);
  g_mutex_unlock (&values->mutex);
}

static json_t *describe_value (const Observation *observation)
{
  g_autofree char *phenomenon_time = time_to_rfc3339 (observation->phenomenon_time_us);
  g_autofree char *receive_time = time_to_rfc3339 (observation->receive_time_us);
  return json_pack ("{s:s, s:o, s:s?, s:s, s:s, s:s}", "metric", observation->metric, "value",
                    observation_value_to_json (observation), "unit", observation->unit, "phenomenon_time", phenomenon_time,
                    "receive_time", receive_time, "quality", quality_name (observation->quality));
}

/* Of a device that moves: what it said last of `lon` and `lat`, as long as it is not bad. NULL when it says nothing. */
static json_t *place_of (const LastValues *values, const char *sensor)
{
  const Observation *lon = last_of (values, sensor, "lon"), *lat = last_of (values, sensor, "lat");
  gboolean is_known = lon != NULL && lat != NULL && lon->kind == VALUE_NUMBER && lat->kind == VALUE_NUMBER
                      && lon->quality != QUALITY_BAD && lat->quality != QUALITY_BAD && fabs (lon->value) <= 180
                      && fabs (lat->value) <= 90;
  return is_known ? json_pack ("{s:f, s:f}", "lon", lon->value, "lat", lat->value) : NULL;
}

json_t *last_values_describe (LastValues *values, const Sensor *sensor)
{
  gint64 heard_us = 0;
  json_t *list = json_array ();
  g_mutex_lock (&values->mutex);
  for (guint i = 0; i < sensor->metrics->len; i++) {
    const Observation *observation = last_of (values, sensor->id, ((const Metric *) sensor->metrics->pdata[i])->name);
    if (observation == NULL)
      continue;
    heard_us = MAX (heard_us, observation->receive_time_us);
    json_array_append_new (list, describe_value (observation));
  }
  json_t *place = place_of (values, sensor->id);
  g_mutex_unlock (&values->mutex);
  g_autofree char *heard_at = heard_us != 0 ? time_to_rfc3339 (heard_us) : NULL;
  json_t *object = json_pack ("{s:s, s:s?, s:o}", "id", sensor->id, "heard_at", heard_at, "values", list);
  if (place != NULL)
    json_object_set_new (object, "location", place);
  return object;
}

void last_values_free (LastValues *values)
{
  if (values == NULL)
    return;
  g_hash_table_unref (values->last);
  g_mutex_clear (&values->mutex);
  g_free (values);
}
