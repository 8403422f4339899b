#include "gateway/verify.h"

#include <stdio.h>
#include <string.h>

#include "gateway/access/audit.h"
#include "gateway/core/error.h"
#include "gateway/incident/incident_history.h"

enum { EXIT_WHOLE = 0, EXIT_BROKEN = 1, EXIT_USAGE = 64, HASH_DIGITS = 64 };

void verify_report_clear (VerifyReport *report)
{
  g_clear_pointer (&report->head, g_free);
}

/* What was taken away from an incident's history must have been entered in the audit log, which is chained itself. */
static gboolean erasures_are_entered (Database *database, GError **error)
{
  gint64 number = database_integer (
    database, -1,
    "SELECT coalesce (min (h.number), 0) FROM incident_history h"
    " WHERE NOT EXISTS (SELECT 1 FROM incident_payloads p WHERE p.number = h.number)"
    " AND NOT EXISTS (SELECT 1 FROM audit WHERE action = 'incident.erase' AND subject = CAST (h.number AS TEXT))", "");
  if (number < 0)
    return error_set (error, ERROR_RETRY, "the incidents' history can't be read now");
  return number == 0
         || error_set (error, ERROR_GIVE_UP,
                       "incident history, entry %" G_GINT64_FORMAT ": its payload is gone, and no audit entry says who erased it",
                       number);
}

/* The hash of "NUMBER:HASH"; NULL when it reads otherwise. */
static const char *hash_of_head (const char *head)
{
  const char *colon = strchr (head, ':');
  return colon != NULL && strlen (colon + 1) == HASH_DIGITS ? colon + 1 : NULL;
}

static gboolean verify_incidents (Database *database, const char *anchor, VerifyReport *report, char **head, GError **error)
{
  ChainReport chain;
  const char *hash = anchor != NULL ? hash_of_head (anchor) : NULL;
  if (anchor != NULL && hash == NULL)
    return error_set (error, ERROR_REFUSE, "the anchor is no head: it reads NUMBER:HASH+NUMBER:HASH, as a former run printed it");
  if (!incident_chain_verify (database, hash, &chain, error) || !erasures_are_entered (database, error))
    return FALSE;
  report->incident_entries = chain.entries;
  report->incident_erased = chain.erased;
  *head = chain.entries > 0 ? g_strdup_printf ("%" G_GINT64_FORMAT ":%s", chain.entries, chain.head) : g_strdup ("");
  return TRUE;
}

static gboolean verify_both (Database *database, const char *audit_anchor, const char *incident_anchor, VerifyReport *report,
                             GError **error)
{
  AuditReport audit;
  g_autofree char *incident_head = NULL;
  gboolean is_whole = audit_verify (database, audit_anchor, &audit, error)
                      && verify_incidents (database, incident_anchor, report, &incident_head, error);
  if (is_whole) {
    report->entries = audit.entries;
    report->head = g_strconcat (audit.head, "+", incident_head, NULL);
  }
  audit_report_clear (&audit);
  return is_whole;
}

static const char *unless_empty (const char *text)
{
  return text != NULL && *text != '\0' ? text : NULL;
}

gboolean verify_chains (const char *data_dir, const char *anchor, VerifyReport *report, GError **error)
{
  *report = (VerifyReport){ 0 };
  g_autofree char *path = g_build_filename (data_dir, "gridgate.db", NULL);
  g_auto (GStrv) halves = g_strsplit (anchor != NULL ? anchor : "", "+", 2);
  const char *audit_anchor = unless_empty (halves[0]);
  g_autoptr (Database) database = database_open (path, DATABASE_READER, error);
  return database != NULL
         && verify_both (database, audit_anchor, halves[0] != NULL ? unless_empty (halves[1]) : NULL,
                         report, error);
}

int verify_command (const Site *site, int count, char **arguments)
{
  gboolean has_anchor = count == 4 && strcmp (arguments[2], "--anchor") == 0;
  if (count < 2 || strcmp (arguments[1], "verify") != 0 || (count != 2 && !has_anchor)) {
    fputs ("usage: gridgate audit verify -c FILE [--anchor HEAD]\n", stderr);
    return EXIT_USAGE;
  }
  g_autoptr (GError) error = NULL;
  VerifyReport report;
  gboolean is_whole = verify_chains (site->gateway.data_dir, has_anchor ? arguments[3] : NULL, &report, &error);
  if (is_whole)
    printf ("{\"entries\":%" G_GINT64_FORMAT ",\"incident_entries\":%" G_GINT64_FORMAT ",\"incident_erased\":%" G_GINT64_FORMAT
            ",\"head\":\"%s\"}\n",
            report.entries, report.incident_entries, report.incident_erased, report.head);
  else
    fprintf (stderr, "gridgate: %s\n", error->message);
  verify_report_clear (&report);
  return is_whole ? EXIT_WHOLE : EXIT_BROKEN;
}
