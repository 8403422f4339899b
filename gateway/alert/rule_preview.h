/* rule_preview.h: what a rule would have raised, from the observations that are stored.
 *
 * Bounded: PREVIEW_ROWS_MAX observations, PREVIEW_TIME_US; then the answer says so. It begins as if nothing had been before:
 * windows are empty, nobody has been silent.
 *
 * thread: any; reads files and waits. */
#pragma once

#include <jansson.h>

#include "gateway/model/site.h"

#define PREVIEW_SPAN_US G_TIME_SPAN_DAY
#define PREVIEW_TIME_US (5 * G_TIME_SPAN_SECOND)
enum { PREVIEW_ROWS_MAX = 3000000, PREVIEW_EXAMPLES = 20 };

/* `within`: of sensors and alerts of this grid alone, which is the caller's own; NULL: of all.
 *
 * {"alerts":N,"examples":[alert…],"from","to","observations":N,"is_complete"} of the day before `now_us`. Alerts that late
 * data would have raised count too. NULL with an error. */
json_t *rule_preview (const char *data_dir, Site *site, const Rule *rule, const char *within, gint64 now_us, GError **error);
