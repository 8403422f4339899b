/* verify.h: `gridgate audit verify`: walks the chain of the audit log and the chain of the incidents' history.
 *
 * It reads the database beside a running gateway, so that it depends on nothing that the gateway says of itself. */
#pragma once

#include "gateway/model/site.h"

/* The head of both chains is one text, "NUMBER:HASH+NUMBER:HASH" (audit log, incidents; a chain without entries is empty).
 * Either half alone, or an audit log's head without "+", may be the anchor. */
typedef struct {
  gint64 entries, incident_entries, incident_erased;
  char *head;
} VerifyReport;

void verify_report_clear (VerifyReport *report);

/* FALSE with ERROR_GIVE_UP: something was changed, cut off or erased without an entry that says so. Other codes: it could
 * not be looked at. `anchor` may be NULL. */
gboolean verify_chains (const char *data_dir, const char *anchor, VerifyReport *report, GError **error);

/* The command. The exit status: 0 whole, 1 not, 64 wrong usage. `arguments`: "audit" "verify" ["--anchor" HEAD]. */
int verify_command (const Site *site, int count, char **arguments);
