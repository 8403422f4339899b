#include "gateway/incident/incident_history.h"

#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/ids.h"

#define GENESIS "gridgate incident history" /* what the first entry chains to */

/* Jansson's text of an array: unambiguous, whatever the fields contain. Takes `fields`. */
static char *hash_of (json_t *fields)
{
  char *text = json_dumps (fields, JSON_COMPACT);
  char *hash = sha256_hex (text, strlen (text));
  json_decref (fields);
  free (text);
  return hash;
}

static char *entry_hash (gint64 number, const HistoryEntry *entry, const char *payload_hash, const char *previous)
{
  return hash_of (json_pack ("[I, s, I, I, s, s, s?, s, s, s, s, s]", (json_int_t) number, entry->incident,
                             (json_int_t) entry->revision, (json_int_t) entry->at_us, entry->actor, entry->role,
                             entry->unit, entry->action, incident_state_name (entry->from),
                             incident_state_name (entry->to), payload_hash, previous));
}

static gboolean chain_head (Database *database, gint64 *number, char **hash, GError **error)
{
  GError *failure = NULL;
  g_autoptr (Statement) statement
    = database_query (database, &failure, "SELECT number, hash FROM incident_history ORDER BY number DESC LIMIT 1", "");
  gboolean found = statement_step (statement, &failure);
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  *number = found ? statement_integer (statement, 0) : 0;
  *hash = g_strdup (found ? statement_text (statement, 1) : GENESIS);
  return TRUE;
}

gboolean incident_history_append (Database *database, const HistoryEntry *entry, json_t *payload, GError **error)
{
  g_autofree char *previous = NULL, *salt = random_hex (16);
  gint64 last;
  json_t *salted = payload != NULL ? payload : json_object ();
  json_object_set_new (salted, "salt", json_string (salt));
  char *text = json_dumps (salted, JSON_COMPACT | JSON_SORT_KEYS);
  json_decref (salted);
  g_autofree char *kept = g_strdup (text);
  free (text);

  if (!chain_head (database, &last, &previous, error))
    return FALSE;
  g_autofree char *payload_hash = sha256_hex (kept, strlen (kept));
  g_autofree char *hash = entry_hash (last + 1, entry, payload_hash, previous);
  return database_run (database, error,
                       "INSERT INTO incident_history (number, incident, revision, at, actor, role, unit, action,"
                       " from_state, to_state, payload_hash, previous, hash) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                       "isiisssssssss", last + 1, entry->incident, entry->revision, entry->at_us, entry->actor,
                       entry->role, entry->unit, entry->action, incident_state_name (entry->from),
                       incident_state_name (entry->to), payload_hash, previous, hash)
         && database_run (database, error, "INSERT INTO incident_payloads (number, payload) VALUES (?, ?)", "is",
                          last + 1, kept);
}

static void add_payload (json_t *entry, const char *text)
{
  json_t *payload = text != NULL ? json_loads (text, 0, NULL) : NULL;
  if (payload == NULL) {
    json_object_set_new (entry, "erased", json_true ());
    return;
  }
  json_object_del (payload, "salt");
  json_object_update_missing (entry, payload);
  json_decref (payload);
}

json_t *incident_history_json (Database *database, const char *incident, GError **error)
{
  GError *failure = NULL;
  json_t *entries = json_array ();
  g_autoptr (Statement) statement
    = database_query (database, &failure,
                      "SELECT * FROM (SELECT h.number, revision, at, actor, role, unit, action, from_state, to_state,"
                      " payload FROM incident_history h LEFT JOIN incident_payloads p ON p.number = h.number"
                      " WHERE incident = ? ORDER BY revision DESC LIMIT 200) ORDER BY revision",
                      "s", incident);
  while (statement_step (statement, &failure)) {
    g_autofree char *at = time_to_rfc3339 (statement_integer (statement, 2));
    json_t *entry = json_pack ("{s:I, s:I, s:s, s:s, s:s, s:s*, s:s, s:s, s:s}", "entry",
                               (json_int_t) statement_integer (statement, 0), "revision",
                               (json_int_t) statement_integer (statement, 1), "at", at, "actor",
                               statement_text (statement, 3), "role", statement_text (statement, 4), "unit",
                               statement_text (statement, 5), "action", statement_text (statement, 6), "from",
                               statement_text (statement, 7), "to", statement_text (statement, 8));
    add_payload (entry, statement_text (statement, 9));
    json_array_append_new (entries, entry);
  }
  if (failure == NULL)
    return entries;
  json_decref (entries);
  g_propagate_error (error, failure);
  return NULL;
}

gboolean incident_history_erase (Database *database, gint64 number, GError **error)
{
  if (!database_run (database, error, "DELETE FROM incident_payloads WHERE number = ?", "i", number))
    return FALSE;
  return database_changes (database) == 1
         || error_set (error, ERROR_REFUSE, "history entry %" G_GINT64_FORMAT " has no payload to erase", number);
}

static gboolean broken (ChainReport *report, gint64 number, const char *what, GError **error)
{
  report->broken = number;
  return error_set (error, ERROR_GIVE_UP, "incident history, entry %" G_GINT64_FORMAT ": %s", number, what);
}

static gboolean verify_entry (Statement *row, ChainReport *report, const char *previous, GError **error)
{
  HistoryEntry entry = { .incident = statement_text (row, 1), .revision = statement_integer (row, 2),
                         .at_us = statement_integer (row, 3), .actor = statement_text (row, 4),
                         .role = statement_text (row, 5), .unit = statement_text (row, 6),
                         .action = statement_text (row, 7) };
  gint64 number = statement_integer (row, 0);
  const char *payload_hash = statement_text (row, 10), *payload = statement_text (row, 13);

  if (number != report->entries + 1)
    return broken (report, report->entries + 1, "it is missing", error);
  if (!incident_state_from_name (statement_text (row, 8), &entry.from)
      || !incident_state_from_name (statement_text (row, 9), &entry.to))
    return broken (report, number, "a state that does not exist", error);
  if (g_strcmp0 (statement_text (row, 11), previous) != 0)
    return broken (report, number, "it does not chain to the entry before it", error);
  g_autofree char *hash = entry_hash (number, &entry, payload_hash, previous);
  if (strcmp (hash, statement_text (row, 12)) != 0)
    return broken (report, number, "its fields were changed", error);
  g_autofree char *kept = payload != NULL ? sha256_hex (payload, strlen (payload)) : NULL;
  if (kept != NULL && strcmp (kept, payload_hash) != 0)
    return broken (report, number, "its payload was changed", error);
  report->erased += payload == NULL;
  report->entries = number;
  g_strlcpy (report->head, hash, sizeof report->head);
  return TRUE;
}

static gboolean verify_entries (Database *database, const char *anchor, ChainReport *report, GError **error)
{
  GError *failure = NULL;
  gboolean anchored = anchor == NULL;
  g_autofree char *previous = g_strdup (GENESIS);
  g_autoptr (Statement) row
    = database_query (database, &failure,
                      "SELECT h.number, incident, revision, at, actor, role, unit, action, from_state, to_state,"
                      " payload_hash, previous, hash, payload FROM incident_history h"
                      " LEFT JOIN incident_payloads p ON p.number = h.number ORDER BY h.number",
                      "");
  while (statement_step (row, &failure)) {
    if (!verify_entry (row, report, previous, error))
      return FALSE;
    g_free (previous);
    previous = g_strdup (report->head);
    anchored = anchored || g_strcmp0 (anchor, previous) == 0;
  }
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  return anchored || broken (report, report->entries + 1, "the head kept elsewhere is not in the chain: its end was cut",
                             error);
}

/* Rows are derived: each must stand where its last entry left it. */
static gboolean verify_rows (Database *database, ChainReport *report, GError **error)
{
  GError *failure = NULL;
  g_autoptr (Statement) row
    = database_query (database, &failure,
                      "SELECT coalesce (max (number), 0) FROM incident_history h JOIN incidents i ON i.id = h.incident"
                      " GROUP BY i.id HAVING max (h.revision) != i.revision OR NOT EXISTS (SELECT 1 FROM"
                      " incident_history l WHERE l.incident = i.id AND l.revision = i.revision AND l.to_state = i.state)"
                      " LIMIT 1",
                      "");
  gboolean differs = statement_step (row, &failure);
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  return !differs || broken (report, statement_integer (row, 0), "the incident's row is not where it left it", error);
}

gboolean incident_chain_verify (Database *database, const char *anchor, ChainReport *report, GError **error)
{
  *report = (ChainReport) { 0 };
  return verify_entries (database, anchor, report, error) && verify_rows (database, report, error);
}
