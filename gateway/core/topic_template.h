/* topic_template.h: topics of which some levels have names: village/{village}/{device}/level. What stands in those levels of a
 * real topic fills the names' places in other texts: "{village}-{device}".
 *
 * As a filter each named level is a '+' (MQTT 5.0 4.7.1); '+' and '#' may stand beside them.
 *
 * thread: any. */
#pragma once

#include <glib.h>

/* Whether the text has a brace: then it is meant as a template. */
gboolean topic_template_is (const char *text);

/* NULL when `topic` is a right template, else what is wrong with it, for a person; free with g_free. */
char *topic_template_problem (const char *topic);

/* The same of a text that is filled from `topic`, a right template: every {name} must be one of the topic's. */
char *topic_template_text_problem (const char *topic, const char *text);

/* What to subscribe to. Free with g_free. */
char *topic_template_filter (const char *topic);

/* Whether `real` is a topic of the template: the filter matches it and no named level is empty. */
gboolean topic_template_takes (const char *topic, const char *real);

/* `text` with the levels of `real` in the names' places; NULL when `real` is no topic of the template. Free with g_free.
 * `topic` and `text` must be right. */
char *topic_template_fill (const char *topic, const char *real, const char *text);

/* Whether `text`, a right one, may become `made` by levels that are not empty. */
gboolean topic_template_may_make (const char *text, const char *made);
