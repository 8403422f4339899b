/* observation_json.h: an observation as HTTP and watchers see it.
 *
 * thread: any. */
#pragma once

#include <jansson.h>

#include "gateway/model/observation.h"

/* A number, true or false, or a text. */
json_t *observation_value_to_json (const Observation *observation);

/* {id,sensor,metric,value,unit,phenomenon_time,receive_time,quality,historical}; the id follows from gateway and number. */
json_t *observation_to_json (const char *gateway, const Observation *observation);
