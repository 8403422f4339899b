/* metric_names.h: which of a sensor's metrics a name in a payload is.
 *
 * thread: any. */
#pragma once

#include <string.h>

#include "gateway/model/sensor.h"

/* How a metric is called in the payload: its path, or its own name when it has none. */
static inline const char *metric_address (const Metric *metric)
{
  return metric->path != NULL ? metric->path : metric->name;
}

/* The first metric from `from` on that is called `name`; the number of metrics when none is. */
static inline guint metric_index (const Sensor *sensor, const char *name, guint from)
{
  while (from < sensor->metrics->len && strcmp (metric_address (sensor->metrics->pdata[from]), name) != 0)
    from++;
  return from;
}
