/* audit.h: the audit log: who did what, from where, with what outcome; append-only and hash-chained.
 *
 * An entry's hash covers its fields, the SHA-256 of its detail and the hash before it. The detail itself may be erased
 * where the law asks, by audit_erase: the erasure is an entry of its own ("audit.erase", of the number), and the chain still
 * verifies. A detail that is gone without such an entry is tampering.
 *
 * thread: that of the database given. */
#pragma once

#include <jansson.h>

#include "gateway/model/actor.h"
#include "gateway/store/database.h"

/* Borrowed; NULL strings are written as "". */
typedef struct {
  const Actor *actor;  /* NULL: nobody known */
  const char *address; /* "cli" and "gateway" stand for the machine itself */
  const char *action;  /* "login" "logout" "account.add" … */
  const char *subject; /* what it was done to */
  const char *outcome; /* NULL: "ok" */
  const char *detail;  /* for people, or JSON */
} AuditEntry;

/* Inside a job of the store. */
gboolean audit_append (Database *database, gint64 now_us, const AuditEntry *entry, GError **error);

/* Inside a job of the store. Takes the detail of entry `number` away for good, and enters who did it. ERROR_REFUSE when
 * there is no such detail. */
gboolean audit_erase (Database *database, gint64 now_us, const Actor *actor, gint64 number, const char *reason,
                      GError **error);

typedef struct {
  gint64 entries;
  gint64 broken; /* number of the first broken entry; 0: none */
  char *head;    /* "NUMBER:HASH" of the last entry, "" without any: keep it elsewhere to find a cut tail later */
} AuditReport;

/* Walks the chain. `anchor` is a head kept elsewhere, or NULL. FALSE with ERROR_GIVE_UP when something was changed: the
 * message says what. */
gboolean audit_verify (Database *database, const char *anchor, AuditReport *report, GError **error);
void audit_report_clear (AuditReport *report);

/* Newest first, from below `cursor` (0: the newest): {"items":[…],"next":…}. */
json_t *audit_list (Database *database, gint64 cursor, guint limit, GError **error);
