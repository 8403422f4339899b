#include "gateway/model/sensor.h"

#include "gateway/core/topic_template.h"

void metric_free (Metric *metric)
{
  if (metric == NULL)
    return;
  g_clear_pointer (&metric->values, g_array_unref);
  g_free (metric->raw_unit);
  g_free (metric->name);
  g_free (metric->path);
  g_free (metric->unit);
  g_free (metric);
}

void sensor_free (Sensor *sensor)
{
  if (sensor == NULL)
    return;
  g_free (sensor->id);
  g_free (sensor->name);
  g_free (sensor->grid);
  g_free (sensor->broker);
  g_free (sensor->topic);
  g_free (sensor->format);
  g_free (sensor->time_path);
  g_free (sensor->sequence_path);
  g_free (sensor->payload_format);
  g_free (sensor->separator);
  g_free (sensor->grid_from);
  g_clear_pointer (&sensor->grid_map, g_hash_table_unref);
  g_clear_pointer (&sensor->metrics, g_ptr_array_unref);
  g_free (sensor);
}

/* All that is not filled from the topic is the template's. */
Sensor *sensor_new_discovered (const Sensor *template, const char *topic, gint64 at_us)
{
  Sensor *sensor = g_atomic_rc_box_dup (sizeof *template, (gpointer) template);
  sensor->id = topic_template_fill (template->topic, topic, template->id);
  sensor->name = topic_template_fill (template->topic, topic, template->name);
  sensor->topic = topic_template_fill (template->topic, topic, template->topic);
  sensor->grid_from = template->grid_from != NULL ? topic_template_fill (template->topic, topic, template->grid_from) : NULL;
  sensor->template = template;
  sensor->discovered_at_us = at_us;
  return sensor;
}

static void discovered_clear (gpointer data)
{
  Sensor *sensor = data;
  g_free (sensor->id);
  g_free (sensor->name);
  g_free (sensor->topic);
  g_free (sensor->grid_from);
}

Sensor *sensor_ref (Sensor *sensor)
{
  return g_atomic_rc_box_acquire (sensor);
}

void sensor_unref (Sensor *sensor)
{
  if (sensor != NULL)
    g_atomic_rc_box_release_full (sensor, discovered_clear);
}
