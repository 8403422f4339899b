/* hold.h: legal holds: what is recorded of a camera in a span of time that nothing may delete, until the hold ends or is lifted.
 *
 * The main database is the truth, and keeps lifted holds; every placing and lifting is in the audit log. gridgate-media gets
 * those in force with its desired state and heeds them while gridgate is away, too.
 *
 * thread: any but the store's where an Access is given: these wait for it; else that of the database. */
#pragma once

#include "gateway/access/access.h"
#include "gateway/link/media_link.h"

enum { HOLDS_MAX = 1000 }; /* in force */

typedef struct {
  const char *camera, *reason;
  gint64 from_us, to_us, until_us;
} HoldFields;

/* `*id` (g_free). ERROR_REFUSE with what is wrong; ERROR_RETRY when HOLDS_MAX are in force. */
gboolean hold_place (Access *access, const Actor *actor, const char *address, const HoldFields *fields, char **id,
                     GError **error);

/* ERROR_REFUSE when no such hold is in force. */
gboolean hold_lift (Access *access, const Actor *actor, const char *address, const char *id, const char *reason,
                    GError **error);

/* The camera of a hold (g_free); NULL: there is none of this id. */
char *hold_camera (Database *database, const char *id);

/* Of MediaHold: those that are not lifted, at most HOLDS_MAX; those that are over by `now_us` last. media judges when one is over,
 * by a clock that a wrong wall clock does not move: what was held must not go because the machine woke up in another year. */
GPtrArray *holds_not_lifted (Database *database, gint64 now_us, GError **error);

/* Newest first, from below `cursor` (NULL: the newest), lifted ones too: {"items":[…],"next":…}. `camera` NULL: of all. */
json_t *hold_list (Database *database, const char *camera, const char *cursor, guint limit, GError **error);
