/* last_values.h: the newest observation of each metric of each sensor, in memory.
 *
 * thread: any. */
#pragma once

#include <jansson.h>

#include "gateway/model/observation.h"
#include "gateway/model/site.h"

typedef struct LastValues LastValues;

LastValues *last_values_new (void);

/* Kept when it is not older than what is known. */
void last_values_take (LastValues *values, Observation *observation);

/* Forgets what the site doesn't have. */
void last_values_keep_only (LastValues *values, const Site *site);

/* {"id","heard_at","values":[…]}, with "location":{"lon","lat"} when the metrics of these names tell where it is */
json_t *last_values_describe (LastValues *values, const Sensor *sensor);

void last_values_free (LastValues *values);
