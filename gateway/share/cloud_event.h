/* cloud_event.h: CloudEvents 1.0 in JSON format: github.com/cloudevents/spec, json-format.md.
 *
 * thread: any. */
#pragma once

#include <jansson.h>

#include <glib.h>

/* One line of text; free with g_free. `data` is borrowed. */
char *cloud_event_text (const char *id, const char *gateway, const char *type, const char *subject, gint64 time_us,
                        const json_t *data);
