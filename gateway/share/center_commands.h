/* center_commands.h: what a center may ask for, each command once.
 *
 * {"id","command","arguments","actor","expires"}. `incident.action` takes {"incident": ID} and what
 * POST /incidents/ID/actions takes. The reply is kept with the id: a command that comes again is answered, not repeated.
 *
 * thread: the store's, inside a job. */
#pragma once

#include "gateway/incident/incident_book.h"

/* `*reply` becomes the caller's (g_free): {"id","ok","result"|"problem"}; NULL when there is no id to answer to, which is
 * logged. FALSE only when the store failed: nothing was done then. */
gboolean center_command_run (IncidentBook *book, Database *database, const char *center, const char *json, gsize size,
                             gint64 now_us, char **reply, GError **error);
