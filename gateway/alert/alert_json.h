/* alert_json.h: an alert as HTTP, the center and the agencies see it.
 *
 * thread: any. */
#pragma once

#include <jansson.h>

#include "gateway/model/alert.h"

/* {id,rule,sensor|camera,grid,category,severity,state,opened_at,cleared_at,value,unit,incident,historical,silenced} */
json_t *alert_to_json (const Alert *alert);
