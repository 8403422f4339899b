#include "gateway/access/audit.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/ids.h"

#define AUDIT_ERASE "audit.erase"

static const char *text_or_empty (const char *text)
{
  return text != NULL ? text : "";
}

/* The entry's canonical text is a JSON array: no field can flow into the next. */
static char *entry_hash (const char *previous, gint64 number, gint64 at, const char *const *fields,
                         const char *detail_sha256)
{
  json_t *array = json_pack ("[s, I, I, s, s, s, s, s, s, s]", previous, (json_int_t) number, (json_int_t) at, fields[0],
                             fields[1], fields[2], fields[3], fields[4], fields[5], detail_sha256);
  if (array == NULL)
    return NULL;
  char *text = json_dumps (array, JSON_COMPACT | JSON_ENSURE_ASCII);
  char *hash = sha256_hex (text, strlen (text));
  free (text);
  json_decref (array);
  return hash;
}

/* What a client sent may be no UTF-8; the log takes it all the same. */
static char *clean (const char *text)
{
  return g_utf8_make_valid (text_or_empty (text), MIN (strlen (text_or_empty (text)), 4096));
}

gboolean audit_append (Database *database, gint64 now_us, const AuditEntry *entry, GError **error)
{
  g_autofree char *previous = NULL;
  gint64 number = 1;
  {
    g_autoptr (Statement) last
      = database_query (database, error, "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1", "");
    if (last == NULL)
      return FALSE;
    if (statement_step (last, error)) {
      number = statement_integer (last, 0) + 1;
      previous = g_strdup (statement_text (last, 1));
    }
  }
  g_autofree char *actor = clean (entry->actor != NULL ? entry->actor->name : NULL);
  g_autofree char *address = clean (entry->address);
  g_autofree char *subject = clean (entry->subject);
  g_autofree char *detail = clean (entry->detail);
  const char *const fields[] = { actor,         entry->actor != NULL ? role_name (entry->actor->role) : "none", address,
                                 entry->action, subject, entry->outcome != NULL ? entry->outcome : "ok" };
  g_autofree char *detail_sha256 = sha256_hex (detail, strlen (detail));
  g_autofree char *hash = entry_hash (text_or_empty (previous), number, now_us, fields, detail_sha256);
  if (hash == NULL)
    return error_set (error, ERROR_GIVE_UP, "audit entry %s could not be written as text", entry->action);
  return database_run (database, error, "INSERT INTO audit VALUES (?,?,?,?,?,?,?,?,?,?,?)", "iisssssssss", number, now_us,
                       fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], detail, detail_sha256, hash);
}

gboolean audit_erase (Database *database, gint64 now_us, const Actor *actor, gint64 number, const char *reason,
                      GError **error)
{
  g_autofree char *subject = g_strdup_printf ("%" G_GINT64_FORMAT, number);
  AuditEntry entry = { actor, "cli", AUDIT_ERASE, subject, NULL, reason };
  if (!database_run (database, error, "UPDATE audit SET detail = '' WHERE number = ? AND detail != ''", "i", number))
    return FALSE;
  if (database_changes (database) == 0)
    return error_set (error, ERROR_REFUSE, "audit entry %" G_GINT64_FORMAT " has no detail to erase", number);
  return audit_append (database, now_us, &entry, error);
}

/* The entry that says so may stand anywhere after: it is in the chain as they all are. */
static gboolean is_erased_by_entry (Database *database, gint64 number)
{
  g_autofree char *subject = g_strdup_printf ("%" G_GINT64_FORMAT, number);
  return database_integer (database, 0,
                           "SELECT count(*) FROM audit WHERE number > ? AND action = '" AUDIT_ERASE "' AND subject = ?",
                           "is", number, subject)
         > 0;
}

/* What is wrong with the row at hand, or NULL; `previous` becomes its hash. */
static const char *check_row (Database *database, Statement *row, gint64 expected, char **previous)
{
  const char *fields[6];
  for (int i = 0; i < 6; i++)
    fields[i] = text_or_empty (statement_text (row, 2 + i));
  const char *detail = text_or_empty (statement_text (row, 8));
  const char *detail_sha256 = text_or_empty (statement_text (row, 9));
  const char *stored = text_or_empty (statement_text (row, 10));
  if (statement_integer (row, 0) != expected)
    return "entries before it are missing";
  g_autofree char *actual = sha256_hex (detail, strlen (detail));
  if (!g_str_equal (actual, detail_sha256) && (detail[0] != '\0' || !is_erased_by_entry (database, expected)))
    return detail[0] != '\0' ? "its detail was changed" : "its detail is gone, and no entry says who erased it";
  g_autofree char *hash = entry_hash (*previous, expected, statement_integer (row, 1), fields, detail_sha256);
  if (hash == NULL || !g_str_equal (hash, stored))
    return "it was changed, or the entry before it was";
  g_free (*previous);
  *previous = g_steal_pointer (&hash);
  return NULL;
}

static gboolean fail_at (AuditReport *report, gint64 number, const char *what, GError **error)
{
  report->broken = number;
  return error_set (error, ERROR_GIVE_UP, "audit log: entry %" G_GINT64_FORMAT ": %s", number, what);
}

gboolean audit_verify (Database *database, const char *anchor, AuditReport *report, GError **error)
{
  *report = (AuditReport){ .head = g_strdup ("") };
  gint64 anchor_number = 0;
  const char *anchor_hash = NULL;
  if (anchor != NULL) {
    char *end;
    anchor_number = g_ascii_strtoll (anchor, &end, 10);
    if (anchor_number <= 0 || *end != ':' || strlen (end + 1) != 64)
      return error_set (error, ERROR_REFUSE, "the anchor is no head: it reads NUMBER:HASH, as a former run printed it");
    anchor_hash = end + 1;
  }
  g_autofree char *previous = g_strdup ("");
  g_autoptr (GError) failure = NULL;
  g_autoptr (Statement) rows = database_query (
    database, error,
    "SELECT number, at, actor, role, address, action, subject, outcome, detail, detail_sha256, hash FROM audit"
    " ORDER BY number", "");
  if (rows == NULL)
    return FALSE;
  while (statement_step (rows, &failure)) {
    const char *what = check_row (database, rows, report->entries + 1, &previous);
    if (what != NULL)
      return fail_at (report, report->entries + 1, what, error);
    report->entries++;
    if (report->entries == anchor_number && !g_str_equal (previous, anchor_hash))
      return fail_at (report, anchor_number, "it is not the one that the anchor names: the log was written anew", error);
  }
  if (failure != NULL) {
    g_propagate_error (error, g_steal_pointer (&failure));
    return FALSE;
  }
  if (report->entries < anchor_number)
    return fail_at (report, report->entries + 1, "the log ends before the anchor: its tail was cut", error);
  g_free (report->head);
  report->head = report->entries > 0 ? g_strdup_printf ("%" G_GINT64_FORMAT ":%s", report->entries, previous) : g_strdup ("");
  return TRUE;
}

void audit_report_clear (AuditReport *report)
{
  g_clear_pointer (&report->head, g_free);
}

static json_t *entry_to_json (Statement *row)
{
  g_autofree char *at = time_to_rfc3339 (statement_integer (row, 1));
  return json_pack ("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "number",
                    (json_int_t) statement_integer (row, 0), "at", at, "actor", text_or_empty (statement_text (row, 2)),
                    "role", text_or_empty (statement_text (row, 3)), "address", text_or_empty (statement_text (row, 4)),
                    "action", text_or_empty (statement_text (row, 5)), "subject", text_or_empty (statement_text (row, 6)),
                    "outcome", text_or_empty (statement_text (row, 7)), "detail", text_or_empty (statement_text (row, 8)),
                    "hash", text_or_empty (statement_text (row, 9)));
}

json_t *audit_list (Database *database, gint64 cursor, guint limit, GError **error)
{
  g_autoptr (GError) failure = NULL;
  json_t *items = json_array ();
  json_t *next = json_null ();
  g_autoptr (Statement) rows = database_query (
    database, &failure,
    "SELECT number, at, actor, role, address, action, subject, outcome, detail, hash FROM audit WHERE number < ?"
    " ORDER BY number DESC LIMIT ?", "ii", cursor > 0 ? cursor : G_MAXINT64, (gint64) limit + 1);
  gint64 last = 0;
  while (statement_step (rows, &failure)) {
    if (json_array_size (items) == limit) {
      g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT, last);
      next = json_string (text);
      break;
    }
    last = statement_integer (rows, 0);
    json_array_append_new (items, entry_to_json (rows));
  }
  if (failure == NULL)
    return json_pack ("{s:o, s:o}", "items", items, "next", next);
  g_propagate_error (error, g_steal_pointer (&failure));
  json_decref (items);
  json_decref (next);
  return NULL;
}
