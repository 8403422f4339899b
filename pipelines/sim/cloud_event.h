/* cloud_event.h: what a gateway's CloudEvent says, in a line of plain words.
 *
 * thread: any. */
#pragma once

#include <glib.h>
#include <jansson.h>

/* NULL with an error when `bytes` are no CloudEvent 1.0 in JSON. Free with json_decref. */
json_t *cloud_event_read (const void *bytes, gsize size, GError **error);

/* "新事件 / new incident: 水位超警 (flood, severe, reported) 01J…"; free with g_free. */
char *cloud_event_describe (const json_t *event);
