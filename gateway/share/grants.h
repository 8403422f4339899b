/* grants.h: what an agency's grants let it see.
 *
 * thread: any; pure functions over an immutable site. */
#pragma once

#include "gateway/model/site.h"

/* Whether one of the agency's grants covers such an alert or incident now. `with_evidence` (may be NULL): whether one that
 * covers it includes the evidence. */
gboolean grants_admit (const Site *site, const char *agency, const char *category, const char *grid, Severity severity,
                       gint64 now_us, gboolean *with_evidence);

/* Whether the agency may watch cameras of `grid` live now by a grant. */
gboolean grants_admit_live (const Site *site, const char *agency, const char *grid, gint64 now_us);
