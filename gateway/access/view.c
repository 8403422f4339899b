#include "gateway/access/view.h"

#include <string.h>

#include "gateway/access/access_private.h"
#include "gateway/access/view_expected.h"
#include "gateway/core/error.h"
#include "gateway/core/ids.h"
#include "gateway/core/log.h"

#define VIEW_COLUMNS                                                                                                   \
  "(id, actor, role, unit, camera, stream, kind, subject, address, reason, from_at, to_at, credential) VALUES "       \
  "(?,?,?,?,?,?,?,?,?,?,?,nullif (?, 0),?)"

static gboolean insert (Database *database, const View *view, gint64 from_us, gint64 to_us, GError **error)
{
  const Actor *actor = view->actor;
  return database_run (database, error, "INSERT OR IGNORE INTO views " VIEW_COLUMNS, "ssssssssssiis", view->id, actor->name,
                       role_name (actor->role), actor->unit != NULL ? actor->unit : actor->agency, view->camera,
                       view->stream, view->kind, view->subject, view->address, view->reason, from_us, to_us,
                       view->credential);
}

char *view_recorded_time (gint64 from_us, gint64 to_us)
{
  g_autofree char *from = time_to_rfc3339 (from_us);
  g_autofree char *to = to_us != 0 ? time_to_rfc3339 (to_us) : g_strdup (".."); /* ISO 8601-2: open */
  return g_strconcat (from, "/", to, NULL);
}

typedef struct {
  Access *access;
  const View *view;
  gboolean is_over;
} OpenJob;

static gboolean open_view (Database *database, gpointer data, GError **error)
{
  OpenJob *job = data;
  gint64 now = access_now_us (job->access);
  return insert (database, job->view, now, job->is_over ? now : 0, error);
}

gboolean access_view_open (Access *access, const View *view, GError **error)
{
  OpenJob job = { access, view, FALSE };
  return store_run (access->store, open_view, &job, error);
}

gboolean access_view_note (Access *access, const View *view, GError **error)
{
  g_autofree char *id = ulid_new (access_now_us (access));
  View with_id = *view;
  with_id.id = id;
  OpenJob job = { access, &with_id, TRUE };
  return store_run (access->store, open_view, &job, error);
}

/* --- what media reports: jobs that nobody waits for --- */

typedef struct {
  ExpectedView *expected; /* of a start */
  char *viewer, *reason, *watched; /* of an end */
  GStrv present;          /* of a repair */
  gint64 at_us, before_us;
} ReportJob;

static void report_done (gpointer data, const GError *error)
{
  ReportJob *job = data;
  if (error != NULL)
    log_error ("viewing register: an entry could not be written: %s", error->message);
  expected_view_free (job->expected);
  g_free (job->viewer);
  g_free (job->reason);
  g_free (job->watched);
  g_strfreev (job->present);
  g_free (job);
}

static void report (Access *access, StoreJob write, ReportJob *job)
{
  if (!store_submit (access->store, write, report_done, job)) {
    g_autoptr (GError) error = g_error_new_literal (GRIDGATE_ERROR, ERROR_RETRY, "the store takes no more work now");
    report_done (job, error);
  }
}

static gboolean write_start (Database *database, gpointer data, GError **error)
{
  ReportJob *job = data;
  const ExpectedView *expected = job->expected;
  View view = { expected->id,   &expected->actor, expected->camera,  expected->stream,
                expected->kind, expected->subject, expected->address, expected->reason,
                expected->credential };
  return insert (database, &view, job->at_us, 0, error);
}

void access_view_started (Access *access, const LinkMessage *started)
{
  ReportJob *job = g_new0 (ReportJob, 1);
  const char *viewer = link_message_string (started, "viewer");
  job->at_us = link_message_integer (started, "at");
  job->expected = expected_view_take (access, viewer);
  if (job->expected == NULL)
    job->expected = expected_view_unknown (viewer, link_message_string (started, "camera"),
                                           link_message_string (started, "stream"));
  report (access, write_start, job);
}

static gboolean write_end (Database *database, gpointer data, GError **error)
{
  ReportJob *job = data;
  return database_run (database, error,
                       "UPDATE views SET to_at = max (from_at, ?), end_reason = ?, watched = ? WHERE id = ? AND to_at IS NULL", "isss",
                       job->at_us, job->reason, job->watched, job->viewer);
}

void access_view_ended (Access *access, const char *viewer, gint64 at_us, const char *reason, const char *watched)
{
  ReportJob *job = g_new0 (ReportJob, 1);
  expected_view_free (expected_view_take (access, viewer));
  job->viewer = g_strdup (viewer);
  job->reason = g_strdup (reason);
  job->watched = g_strdup (watched);
  job->at_us = at_us;
  report (access, write_end, job);
}

static gboolean write_repair (Database *database, gpointer data, GError **error)
{
  ReportJob *job = data;
  g_autoptr (GPtrArray) gone = g_ptr_array_new_with_free_func (g_free);
  {
    g_autoptr (GError) failure = NULL;
    g_autoptr (Statement) rows = database_query (database, &failure, "SELECT id FROM views WHERE to_at IS NULL AND from_at < ?",
                                                 "i", job->before_us);
    while (statement_step (rows, &failure))
      if (job->present == NULL || !g_strv_contains ((const char *const *) job->present, statement_text (rows, 0)))
        g_ptr_array_add (gone, g_strdup (statement_text (rows, 0)));
    if (failure != NULL) {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  }
  for (guint i = 0; i < gone->len; i++)
    if (!database_run (database, error,
                       "UPDATE views SET to_at = max (from_at, ?), end_reason = 'repaired' WHERE id = ? AND to_at IS NULL",
                       "is", job->at_us, gone->pdata[i]))
      return FALSE;
  return TRUE;
}

void access_views_repair (Access *access, const char *const *present, gint64 before_us, gint64 at_us)
{
  ReportJob *job = g_new0 (ReportJob, 1);
  job->present = g_strdupv ((char **) present);
  job->at_us = at_us;
  job->before_us = before_us;
  report (access, write_repair, job);
}

static json_t *watched_to_json (const char *text)
{
  if (text == NULL)
    return json_null ();
  json_t *spans = json_array ();
  g_auto (GStrv) parts = g_strsplit (text, ", ", -1);
  for (char **part = parts; *part != NULL; part++) {
    g_auto (GStrv) times = g_strsplit (*part, "/", 2);
    if (g_strv_length (times) == 2)
      json_array_append_new (spans, json_pack ("{s:s, s:s}", "from", times[0], "to", times[1]));
  }
  return spans;
}

static json_t *row_to_json (Statement *row)
{
  g_autofree char *from = time_to_rfc3339 (statement_integer (row, 10));
  g_autofree char *to = statement_is_null (row, 11) ? NULL : time_to_rfc3339 (statement_integer (row, 11));
  const char *kind = statement_text (row, 6);
  return json_pack ("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:s?, s:s, s:s?, s:s, s:s?, s:b, s:o}", "id", statement_text (row, 0),
                    "who", statement_text (row, 1), "role", statement_text (row, 2), "unit", statement_text (row, 3),
                    "camera", statement_text (row, 4), "stream", statement_text (row, 5), "kind", kind, "subject",
                    statement_text (row, 7), "address", statement_text (row, 8), "reason", statement_text (row, 9),
                    "from", from, "to", to, "live", (int) g_str_equal (kind, "live"), "watched",
                    watched_to_json (statement_text (row, 12)));
}

json_t *view_list (Database *database, const char *camera, const char *who, gint64 from_us, gint64 to_us,
                   const char *cursor, guint limit, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *last = NULL;
  json_t *items = json_array ();
  json_t *next = json_null ();
  g_autoptr (Statement) rows = database_query (
    database, &failure,
    "SELECT id, actor, role, unit, camera, stream, kind, subject, address, reason, from_at, to_at, watched FROM views"
    " WHERE id < ? AND (?2 IS NULL OR camera = ?2) AND (?3 IS NULL OR actor = ?3)"
    " AND (to_at IS NULL OR to_at >= ?4) AND (?5 = 0 OR from_at < ?5) ORDER BY id DESC LIMIT ?6",
    "sssiii", cursor != NULL ? cursor : "~", camera, who, from_us, to_us, (gint64) limit + 1);
  while (statement_step (rows, &failure)) {
    if (json_array_size (items) == limit) {
      next = json_string (last);
      break;
    }
    g_free (last);
    last = g_strdup (statement_text (rows, 0));
    json_array_append_new (items, row_to_json (rows));
  }
  if (failure == NULL)
    return json_pack ("{s:o, s:o}", "items", items, "next", next);
  g_propagate_error (error, g_steal_pointer (&failure));
  json_decref (items);
  json_decref (next);
  return NULL;
}
