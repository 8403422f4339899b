/* regrant.h: what waits for an agency when its grants change.
 *
 * thread: the store's, inside a job. */
#pragma once

#include <jansson.h>

#include "gateway/model/site.h"
#include "gateway/store/database.h"

/* Each event that waits for `receiver` is looked at again: what the agency's grants no longer cover is withdrawn, with a
 * receipt that says so; what they cover without evidence loses its evidence. */
gboolean regrant_receiver (Database *database, const Site *site, const char *receiver, const char *agency, gint64 now_us,
                           GError **error);

/* The incident without what shows evidence; the caller's. */
json_t *incident_without_evidence (const json_t *incident);
