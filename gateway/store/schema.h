/* schema.h: the main database's schema, as a numbered list of steps.
 *
 * thread: the store's. */
#pragma once

#include "gateway/store/database.h"

/* Brings the database to the newest version, each step in a transaction of its own. ERROR_GIVE_UP when it was written by
 * a newer gridgate. */
gboolean schema_migrate (Database *database, GError **error);

/* The version that schema_migrate leads to. */
int schema_version (void);
