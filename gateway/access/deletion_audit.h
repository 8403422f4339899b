/* deletion_audit.h: what retention deleted, in the audit log: an entry for each day (UTC) that is over and each camera.
 *
 * gridgate-media counts; here a day is fetched when media is met and each hour, and entered in one transaction with the day that
 * is done, so that no day is entered twice and none is left out because one of the two was away.
 *
 * thread: main. */
#pragma once

#include "gateway/access/access.h"
#include "gateway/link/media_link.h"

typedef struct DeletionAudit DeletionAudit;

DeletionAudit *deletion_audit_new (Access *access, MediaLink *media);

/* thread: any but the store's; waits. Enters that retention takes `rows` observations that were stored on `day` (YYYY-MM-DD). FALSE: it is
 * not entered, and they must stay; on a full disk, which needs what they take, it is logged alone. */
gboolean deletion_audit_observations (Store *store, const char *day, gint64 rows, GError **error);

/* Looks now: media is there. */
void deletion_audit_look (DeletionAudit *audit);

/* After the links are freed and the store is closed, which still hold what they call here. NULL is taken. */
void deletion_audit_free (DeletionAudit *audit);
