/* site_parts.h: parts of a site for tests that need no configuration file: each is added to a site that is still being built.
 *
 * thread: any. */
#pragma once

#include "gateway/model/site.h"

/* `parent` NULL: the root. Its name is its id. */
Grid *site_add_grid (Site *site, const char *id, const char *parent);

/* An agency with one grant, from moderate severity on: `categories` and `grids` are lists separated by spaces. Its name is
 * its id; it has no deliveries yet. */
Agency *site_add_agency (Site *site, const char *id, const char *categories, const char *grids);

/* The first grant, for what differs. */
Grant *agency_grant (Agency *agency);
