/* http_matter.h: which alerts and incidents a caller may see, for lists and for events.
 *
 * thread: any; pure functions. */
#pragma once

#include <jansson.h>

#include "gateway/access/permit.h"

/* The grids of `root` (NULL: all) that lie in the actor's bound grid, ended by NULL; borrowed ids. NULL: no bound at all.
 * A grid that isn't there gives a list of none. */
GPtrArray *matter_grids (const Site *site, const Actor *actor, const char *root);

/* Whether the actor may see this incident (as incident_get gives it), and takes out of it what it may not: the evidence. */
gboolean matter_cut (const Site *site, const Actor *actor, json_t *incident, gint64 now_us);
