/* json_payload.h: what the formats that are JSON have in common.
 *
 * thread: any. */
#pragma once

#include <jansson.h>

#include "gateway/model/decoder.h"

/* The document; free with json_decref. NULL, and noted in `decoded`, when it is no JSON, names a field twice or is nested
 * too deep. */
json_t *json_payload_parse (const guint8 *payload, gsize size, Decoded *decoded);

/* RFC 3339 text, or a count since 1970 whose unit its size tells: up to 1e11 seconds (year 5138), then ms, µs, ns. */
gboolean json_payload_time (json_t *value, gint64 *time_us);

/* The same of a number. */
gboolean count_to_time (double count, gint64 *time_us);

/* Sets kind and value of `reading`, a text as long as `value` lives. FALSE for null, objects and arrays. */
gboolean json_payload_value (json_t *value, Reading *reading);

/* Adds the value at `where` as a reading, or notes that it is none. */
void json_payload_add (json_t *value, const Sensor *sensor, const Reading *common, const char *where, Decoded *decoded);
