#include "gateway/share/outbox.h"

#include "gateway/core/clock.h"

enum { RECEIPTS_MAX = 1000, TIDY_ROWS = 1000 };
#define RECEIPTS_KEPT_US (180 * G_TIME_SPAN_DAY)
#define CLOCK_WAS_SET_US (1577836800 * (gint64) G_USEC_PER_SEC) /* 2020: a row from before it comes of a clock that wasn't */

gboolean outbox_add (Database *database, const OutboxRow *row, GError **error)
{
  return database_run (database, error,
                       "INSERT INTO outbox (receiver, kind, severity, event, subject, payload, attempts, not_before,"
                       " created_at) VALUES (?, ?, ?, ?, ?, ?, 0, 0, ?)",
                       "ssisssi", row->receiver, row->kind, (gint64) row->severity, row->event, row->subject,
                       row->payload, row->created_at_us);
}

static OutboxRow *from_row (Statement *statement)
{
  OutboxRow *row = g_new0 (OutboxRow, 1);
  row->number = statement_integer (statement, 0);
  row->receiver = g_strdup (statement_text (statement, 1));
  row->kind = g_strdup (statement_text (statement, 2));
  row->severity = (Severity) statement_integer (statement, 3);
  row->event = g_strdup (statement_text (statement, 4));
  row->subject = g_strdup (statement_text (statement, 5));
  row->payload = g_strdup (statement_text (statement, 6));
  row->attempts = statement_integer (statement, 7);
  row->created_at_us = statement_integer (statement, 8);
  return row;
}

GPtrArray *outbox_next (Database *database, const char *receiver, const char *kind, gint64 now_us, guint limit,
                        GError **error)
{
  GError *failure = NULL;
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func ((GDestroyNotify) outbox_row_free);
  g_autoptr (Statement) statement
    = database_query (database, &failure,
                      "SELECT number, receiver, kind, severity, event, subject, payload, attempts, created_at FROM outbox"
                      " WHERE receiver = ? AND kind = ? AND not_before <= ? ORDER BY severity DESC, number LIMIT ?",
                      "ssii", receiver, kind, now_us, (gint64) limit);
  while (statement_step (statement, &failure))
    g_ptr_array_add (rows, from_row (statement));
  if (failure == NULL)
    return g_steal_pointer (&rows);
  g_propagate_error (error, failure);
  return NULL;
}

gint64 outbox_next_time (Database *database, const char *receiver, gint64 now_us)
{
  return database_integer (database, G_MAXINT64,
                           "SELECT min (not_before) FROM outbox WHERE receiver = ? AND not_before > ?", "si", receiver,
                           now_us);
}

gboolean outbox_settle (Database *database, const char *receiver, const char *event, const char *outcome,
                        const char *detail, gint64 now_us, GError **error)
{
  return database_run (database, error,
                       "INSERT INTO receipts (receiver, kind, event, subject, outcome, attempts, created_at, at, detail)"
                       " SELECT receiver, kind, event, subject, ?1, attempts + 1, created_at, ?2, ?3 FROM outbox"
                       " WHERE receiver = ?4 AND event = ?5",
                       "sisss", outcome, now_us, detail, receiver, event)
         && database_run (database, error, "DELETE FROM outbox WHERE receiver = ? AND event = ?", "ss", receiver, event);
}

gboolean outbox_postpone (Database *database, const char *receiver, const char *event, gint64 not_before_us,
                          GError **error)
{
  return database_run (database, error,
                       "UPDATE outbox SET attempts = attempts + 1, not_before = ? WHERE receiver = ? AND event = ?",
                       "iss", not_before_us, receiver, event);
}

gboolean outbox_shift (Database *database, gint64 step_us, GError **error)
{
  return database_run (database, error, "UPDATE outbox SET not_before = max (not_before + ?, 1) WHERE not_before > 0", "i",
                       step_us);
}

gboolean outbox_bound (Database *database, const char *receiver, gint64 latest_us, GError **error)
{
  return database_run (database, error, "UPDATE outbox SET not_before = 0 WHERE receiver = ? AND not_before > ?", "si",
                       receiver, latest_us);
}

gint64 outbox_attempts (Database *database, const char *receiver, const char *event)
{
  return database_integer (database, 0, "SELECT attempts FROM outbox WHERE receiver = ? AND event = ?", "ss", receiver,
                           event);
}

static gboolean settle_all (Database *database, const char *receiver, const char *outcome, gint64 since_us,
                            gint64 older_than_us, gint64 now_us, GError **error)
{
  return database_run (database, error,
                       "INSERT INTO receipts (receiver, kind, event, subject, outcome, attempts, created_at, at, detail)"
                       " SELECT receiver, kind, event, subject, ?1, attempts, created_at, ?2, NULL FROM outbox"
                       " WHERE receiver = ?3 AND created_at >= ?4 AND created_at < ?5",
                       "sisii", outcome, now_us, receiver, since_us, older_than_us)
         && database_run (database, error, "DELETE FROM outbox WHERE receiver = ? AND created_at >= ? AND created_at < ?",
                          "sii", receiver, since_us, older_than_us);
}

static GPtrArray *receivers (Database *database, GError **error)
{
  GError *failure = NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (Statement) statement = database_query (database, &failure, "SELECT DISTINCT receiver FROM outbox", "");
  while (statement_step (statement, &failure))
    g_ptr_array_add (names, g_strdup (statement_text (statement, 0)));
  if (failure == NULL)
    return g_steal_pointer (&names);
  g_propagate_error (error, failure);
  return NULL;
}

gboolean outbox_tidy (Database *database, gboolean (*is_known) (gpointer data, const char *receiver), gpointer data,
                      gint64 oldest_us, gint64 now_us, GError **error)
{
  g_autoptr (GPtrArray) names = receivers (database, error);
  for (guint i = 0; names != NULL && i < names->len; i++) {
    gboolean known = is_known (data, names->pdata[i]);
    if (!settle_all (database, names->pdata[i], known ? "expired" : "withdrawn", known ? CLOCK_WAS_SET_US : 0,
                     known ? oldest_us : G_MAXINT64, now_us, error))
      return FALSE;
  }
  return names != NULL
         && database_run (database, error,
                          "DELETE FROM receipts WHERE number IN (SELECT number FROM receipts WHERE at < ? LIMIT ?)",
                          "ii", now_us - RECEIPTS_KEPT_US, (gint64) TIDY_ROWS);
}

json_t *outbox_lengths (Database *database, gint64 now_us, GError **error)
{
  GError *failure = NULL;
  json_t *list = json_array ();
  g_autoptr (Statement) statement
    = database_query (database, &failure, "SELECT receiver, count(*), min (created_at) FROM outbox GROUP BY receiver",
                      "");
  while (statement_step (statement, &failure)) {
    double age = (double) MAX (now_us - statement_integer (statement, 2), 0) / G_USEC_PER_SEC;
    json_array_append_new (list, json_pack ("{s:s, s:I, s:f}", "receiver", statement_text (statement, 0), "events",
                                            (json_int_t) statement_integer (statement, 1), "age_seconds", age));
  }
  if (failure == NULL)
    return list;
  json_decref (list);
  g_propagate_error (error, failure);
  return NULL;
}

static json_t *receipt_json (Statement *statement)
{
  g_autofree char *created_at = time_to_rfc3339 (statement_integer (statement, 7));
  g_autofree char *at = time_to_rfc3339 (statement_integer (statement, 8));
  return json_pack ("{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s?}", "receiver", statement_text (statement, 1), "kind",
                    statement_text (statement, 2), "event", statement_text (statement, 3), "subject",
                    statement_text (statement, 4), "outcome", statement_text (statement, 5), "attempts",
                    (json_int_t) statement_integer (statement, 6), "created_at", created_at, "at", at, "detail",
                    statement_text (statement, 9));
}

json_t *receipts_list (Database *database, const char *receiver, const char *subject, gint64 cursor, guint limit,
                       GError **error)
{
  GError *failure = NULL;
  guint page = limit == 0 ? 100 : MIN (limit, RECEIPTS_MAX);
  gint64 last = 0;
  gboolean has_more = FALSE;
  json_t *items = json_array ();
  g_autoptr (Statement) statement
    = database_query (database, &failure,
                      "SELECT number, receiver, kind, event, subject, outcome, attempts, created_at, at, detail"
                      " FROM receipts WHERE (?1 = 0 OR number < ?1) AND (?2 IS NULL OR receiver = ?2)"
                      " AND (?3 IS NULL OR subject = ?3) ORDER BY number DESC LIMIT ?4",
                      "issi", cursor, receiver, subject, (gint64) page + 1);
  while (statement_step (statement, &failure)) {
    has_more = json_array_size (items) == page;
    if (has_more)
      break;
    json_array_append_new (items, receipt_json (statement));
    last = statement_integer (statement, 0);
  }
  if (failure == NULL) {
    g_autofree char *next = has_more ? g_strdup_printf ("%" G_GINT64_FORMAT, last) : NULL;
    return json_pack ("{s:o, s:s?}", "items", items, "next", next);
  }
  json_decref (items);
  g_propagate_error (error, failure);
  return NULL;
}

void outbox_row_free (OutboxRow *row)
{
  if (row == NULL)
    return;
  g_free (row->receiver);
  g_free (row->kind);
  g_free (row->event);
  g_free (row->subject);
  g_free (row->payload);
  g_free (row);
}
