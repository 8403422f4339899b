/* topic_filter.h: MQTT topic filters (MQTT 5.0 4.7).
 *
 * thread: any. */
#pragma once

#include <glib.h>

/* Whether a message of `topic` belongs to `filter`. Wildcards don't reach topics that start with $. */
gboolean topic_filter_matches (const char *filter, const char *topic);

/* Whether everything that `narrow` matches is matched by `wide` too. */
gboolean topic_filter_covers (const char *wide, const char *narrow);

/* Whether there may be a topic that both match. */
gboolean topic_filters_overlap (const char *first, const char *second);

/* Filters of which no two match the same topic, and which together match all that `filters` do: brokers may deliver a
 * message once for each that matches. Where two cross, a wider one stands for both.
 * `filters` is an array of char *; free the result with g_strfreev. */
GStrv topic_filters_reduce (const GPtrArray *filters);
