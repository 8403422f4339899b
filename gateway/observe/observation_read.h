/* observation_read.h: observations for people who look at long times: condensed to buckets, or as lines of CSV.
 *
 * Both read a day's file after the other, each series (sensor, metric, unit) in the order of its phenomenon times by the
 * index, and hold nothing of what they have passed.
 *
 * thread: any; reads files. */
#pragma once

#include <jansson.h>

#include "gateway/model/observation.h"

enum { OBSERVATION_BUCKETS_MAX = 5000, OBSERVATION_UNITS_MAX = 8 };

/* `from_us` to `to_us` (excluded), by phenomenon time. */
typedef struct {
  const char *sensor, *metric; /* NULL: all; buckets need both */
  gint64 from_us, to_us;
  gint64 every_us; /* of buckets: the first starts at `from_us` */
} ObservationSpan;

/* {"items":[{"from","min","max","mean","last","count","bad","unit","quality"}],"next":null}: buckets with nothing in them are
 * left out. What is of quality bad is counted and told by `bad`, and is not in the rest unless there is nothing else. Of texts
 * and booleans there is `last` alone. Where a metric's unit was changed, a bucket has an item for each unit. ERROR_REFUSE
 * when there would be too many. */
json_t *observation_buckets (const char *data_dir, const ObservationSpan *span, GError **error);

/* RFC 4180, with a header: sensor,metric,value,unit,phenomenon_time,receive_time,quality,historical; day after day of storing,
 * in a day by sensor, metric, phenomenon time. Gives pieces of some KiB, and after each series what there is (perhaps
 * nothing), to `write`, whose FALSE ends it. */
typedef gboolean (*ObservationWrite) (const char *text, gsize size, gpointer data);
gboolean observation_export (const char *data_dir, const ObservationSpan *span, ObservationWrite write, gpointer data,
                             GError **error);
