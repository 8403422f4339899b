#include "gateway/model/sensor.h"

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
  g_clear_pointer (&sensor->metrics, g_ptr_array_unref);
  g_free (sensor);
}
