#include "gateway/incident/evidence_rows.h"

#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/ids.h"

#define COLUMNS "id, incident, camera, kind, state, from_us, to_us, bytes, sha256, reason"

gboolean evidence_want (Database *database, const char *incident, const char *camera, gint64 from_us, gint64 to_us,
                        gint64 now_us, GError **error)
{
  g_autofree char *id = ulid_new (now_us);
  return database_run (database, error,
                       "INSERT INTO evidence (" COLUMNS ") VALUES (?, ?, ?, ?, 'wanted', ?, ?, 0, NULL, NULL)",
                       "ssssii", id, incident, camera, from_us == to_us ? "picture" : "clip", from_us, to_us);
}

static EvidenceRow *from_row (Statement *statement)
{
  EvidenceRow *row = g_new0 (EvidenceRow, 1);
  row->id = g_strdup (statement_text (statement, 0));
  row->incident = g_strdup (statement_text (statement, 1));
  row->camera = g_strdup (statement_text (statement, 2));
  row->is_clip = g_strcmp0 (statement_text (statement, 3), "clip") == 0;
  row->state = g_strdup (statement_text (statement, 4));
  row->from_us = statement_integer (statement, 5);
  row->to_us = statement_integer (statement, 6);
  row->bytes = statement_integer (statement, 7);
  row->sha256 = g_strdup (statement_text (statement, 8));
  row->reason = g_strdup (statement_text (statement, 9));
  return row;
}

EvidenceRow *evidence_row_load (Database *database, const char *id, GError **error)
{
  g_autoptr (Statement) statement
    = database_query (database, error, "SELECT " COLUMNS " FROM evidence WHERE id = ?", "s", id);
  return statement_step (statement, error) ? from_row (statement) : NULL;
}

GPtrArray *evidence_rows_wanted (Database *database, GError **error)
{
  GError *failure = NULL;
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func ((GDestroyNotify) evidence_row_free);
  g_autoptr (Statement) statement
    = database_query (database, &failure, "SELECT " COLUMNS " FROM evidence WHERE state = 'wanted' ORDER BY id", "");
  while (statement_step (statement, &failure))
    g_ptr_array_add (rows, from_row (statement));
  if (failure == NULL)
    return g_steal_pointer (&rows);
  g_propagate_error (error, failure);
  return NULL;
}

gboolean evidence_row_done (Database *database, const EvidenceRow *row, GError **error)
{
  return database_run (database, error,
                       "UPDATE evidence SET state = 'done', from_us = ?, to_us = ?, bytes = ?, sha256 = ?"
                       " WHERE id = ? AND state = 'wanted'",
                       "iiiss", row->from_us, row->to_us, row->bytes, row->sha256, row->id)
         && database_changes (database) == 1;
}

gboolean evidence_row_failed (Database *database, const char *id, const char *reason, GError **error)
{
  return database_run (database, error,
                       "UPDATE evidence SET state = 'failed', reason = ? WHERE id = ? AND state = 'wanted'", "ss",
                       reason, id)
         && database_changes (database) == 1;
}

static json_t *row_json (const EvidenceRow *row)
{
  gboolean is_there = strcmp (row->state, "done") == 0;
  g_autofree char *from = time_to_rfc3339 (row->from_us), *to = time_to_rfc3339 (row->to_us);
  g_autofree char *url = is_there ? g_strdup_printf ("/api/v1/evidence/%s", row->id) : NULL;
  json_t *json = json_pack ("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s*}", "id", row->id, "camera", row->camera,
                            "kind", row->is_clip ? "clip" : "picture", "state", row->state, "from", from, "to", to,
                            "sha256", is_there ? row->sha256 : NULL, "url", url, "reason", row->reason);
  json_object_set_new (json, "bytes", is_there ? json_integer (row->bytes) : json_null ());
  return json;
}

json_t *evidence_list (Database *database, const char *incident, GError **error)
{
  GError *failure = NULL;
  json_t *list = json_array ();
  g_autoptr (Statement) statement
    = database_query (database, &failure, "SELECT " COLUMNS " FROM evidence WHERE incident = ? ORDER BY id", "s",
                      incident);
  while (statement_step (statement, &failure)) {
    g_autoptr (EvidenceRow) row = from_row (statement);
    json_array_append_new (list, row_json (row));
  }
  if (failure == NULL)
    return list;
  json_decref (list);
  g_propagate_error (error, failure);
  return NULL;
}

char *evidence_path (const char *data_dir, const EvidenceRow *row)
{
  g_autofree char *name = g_strconcat (row->id, row->is_clip ? ".mp4" : ".jpg", NULL);
  return g_build_filename (data_dir, "evidence", name, NULL);
}

const char *evidence_media_type (const EvidenceRow *row)
{
  return row->is_clip ? "video/mp4" : "image/jpeg";
}

void evidence_row_free (EvidenceRow *row)
{
  if (row == NULL)
    return;
  g_free (row->id);
  g_free (row->incident);
  g_free (row->camera);
  g_free (row->state);
  g_free (row->sha256);
  g_free (row->reason);
  g_free (row);
}
