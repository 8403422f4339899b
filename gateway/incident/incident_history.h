/* incident_history.h: the append-only, hash-chained history of all incidents of this gateway.
 *
 * One chain: an entry's hash covers its fields, the SHA-256 of its payload and the hash before it. Payloads (notes, what
 * was set) stand in a table of their own with a salt inside, so that one can be erased where the law asks: the chain
 * still verifies, and the erased text can't be guessed back from its hash.
 *
 * thread: that of the database given. */
#pragma once

#include <jansson.h>

#include "gateway/incident/lifecycle.h"
#include "gateway/store/database.h"

/* Borrowed strings. */
typedef struct {
  const char *incident;
  gint64 revision, at_us;
  const char *actor, *role, *unit, *action; /* unit may be NULL */
  IncidentState from, to;
} HistoryEntry;

/* Takes `payload`, an object ({"note","set"}; NULL: empty). */
gboolean incident_history_append (Database *database, const HistoryEntry *entry, json_t *payload, GError **error);

/* The entries of one incident as JSON, oldest first, at most the newest 200.
 */
json_t *incident_history_json (Database *database, const char *incident, GError **error);

/* Takes the payload of entry `number` away for good. In the same job the caller enters "incident.erase" of that number in the
 * audit log: without it `gridgate audit verify` takes the gap for tampering. ERROR_REFUSE when there is none. */
gboolean incident_history_erase (Database *database, gint64 number, GError **error);

typedef struct {
  gint64 entries, erased;
  gint64 broken; /* number of the first broken entry, 0: none */
  char head[65]; /* hash of the last entry: keep it elsewhere to find a cut tail later; "" without entries */
} ChainReport;

/* Walks the chain and compares every incident's row with its last entry. `anchor` is a head kept elsewhere, or NULL.
 * FALSE with ERROR_GIVE_UP: something was changed; the message says what, `report` where. */
gboolean incident_chain_verify (Database *database, const char *anchor, ChainReport *report, GError **error);
