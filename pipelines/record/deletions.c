#include "pipelines/record/deletions.h"

#define DAY_US ((gint64) 86400 * G_USEC_PER_SEC)
#define KEPT_US (366 * DAY_US)

const char *retention_reason_name (RetentionReason reason)
{
  static const char *const names[] = { "age", "camera_bytes", "total_bytes", "free_space" };
  return names[reason];
}

/* Goes on where an earlier deletion ended, unless something that stays lies between. */
static gboolean extend_day (Database *database, const SegmentRow *row, const char *reason, gint64 now_us, GError **error)
{
  return database_run (
           database, error,
           "UPDATE deletions SET to_us = max(to_us, ?1), segments = segments + 1, bytes = bytes + ?2, at_us = ?3"
           " WHERE id = (SELECT max(id) FROM deletions WHERE camera = ?4 AND stream = ?5) AND reason = ?6 AND day = ?7"
           " AND to_us <= ?8 + 1000000 AND NOT EXISTS (SELECT 1 FROM segments WHERE camera = ?4 AND stream = ?5"
           "   AND from_us >= deletions.to_us AND from_us < ?8)",
           "iiisssii", row->to_us, row->bytes, now_us, row->camera, row->stream, reason, now_us / DAY_US, row->from_us)
         && database_changes (database) == 1;
}

static gboolean note_day (Database *database, const SegmentRow *row, const char *reason, gint64 now_us, GError **error)
{
  GError *failure = NULL;
  if (extend_day (database, row, reason, now_us, &failure))
    return TRUE;
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  return database_run (database, error,
                       "INSERT INTO deletions (camera, stream, reason, day, from_us, to_us, segments, bytes, at_us)"
                       " VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)",
                       "sssiiiii", row->camera, row->stream, reason, now_us / DAY_US, row->from_us, row->to_us, row->bytes,
                       now_us);
}

/* The oldest goes first, so the gap that grows is the last that begins before the segment. */
static gboolean note_gap (Database *database, const SegmentRow *row, const char *reason, GError **error)
{
  g_autofree char *gap = g_strconcat ("deleted_", reason, NULL);
  if (!database_run (database, error,
                     "UPDATE gaps SET to_us = max(to_us, ?1) WHERE id = (SELECT id FROM gaps WHERE camera = ?2 AND stream = ?3"
                     " AND from_us <= ?4 ORDER BY from_us DESC LIMIT 1) AND reason = ?5 AND to_us BETWEEN ?4 - ?6 AND ?4 + ?6",
                     "issisi", row->to_us, row->camera, row->stream, row->from_us, gap, (gint64) GAP_MIN_US))
    return FALSE;
  return database_changes (database) == 1
         || database_run (database, error,
                          "INSERT INTO gaps (camera, stream, from_us, to_us, reason) VALUES (?, ?, ?, ?, ?)", "ssiis",
                          row->camera, row->stream, row->from_us, row->to_us, gap);
}

gboolean deletions_note (RecordingsIndex *index, const SegmentRow *row, RetentionReason reason, gint64 now_us,
                         GError **error)
{
  Database *database = recordings_index_database (index);
  const char *name = retention_reason_name (reason);
  return note_day (database, row, name, now_us, error)
         && (row->to_us <= row->from_us || note_gap (database, row, name, error));
}

gboolean deletions_prune (RecordingsIndex *index, gint64 now_us, GError **error)
{
  Database *database = recordings_index_database (index);
  return database_run (database, error, "DELETE FROM deletions WHERE day < ?", "i", (now_us - KEPT_US) / DAY_US)
         && database_run (database, error, "DELETE FROM gaps WHERE to_us < ?", "i", now_us - KEPT_US);
}

json_t *deletions_list (RecordingsIndex *index, const char *camera, gint64 from_us, gint64 to_us, gint64 after,
                        GError **error)
{
  GError *failure = NULL;
  gint64 last = 0;
  json_t *list = json_array ();
  g_autoptr (Statement) statement
    = database_query (recordings_index_database (index), &failure,
                      "SELECT id, stream, reason, from_us, to_us, segments, bytes, at_us FROM deletions WHERE camera = ?"
                      " AND stream IN ('main', 'sub') AND id > ? AND from_us < ? AND to_us > ? ORDER BY id LIMIT ?",
                      "siiii", camera, after, to_us, from_us, (gint64) DELETIONS_LISTED_MAX);
  while (statement_step (statement, &failure)) {
    last = statement_integer (statement, 0);
    json_array_append_new (list, json_pack ("[s, s, I, I, I, I, I]", statement_text (statement, 1),
                                            statement_text (statement, 2), (json_int_t) statement_integer (statement, 3),
                                            (json_int_t) statement_integer (statement, 4),
                                            (json_int_t) statement_integer (statement, 5),
                                            (json_int_t) statement_integer (statement, 6),
                                            (json_int_t) statement_integer (statement, 7)));
  }
  json_t *result = json_pack ("{s:o}", "deletions", list);
  if (json_array_size (list) == DELETIONS_LISTED_MAX)
    json_object_set_new (result, "next", json_integer (last));
  if (failure == NULL)
    return result;
  g_propagate_error (error, failure);
  json_decref (result);
  return NULL;
}

json_t *deletions_day (RecordingsIndex *index, gint64 from_day, gint64 before_day, const char *after_camera,
                       GError **error)
{
  Database *database = recordings_index_database (index);
  GError *failure = NULL;
  json_t *cameras = json_array ();
  gint64 day = database_integer (database, 0, "SELECT coalesce(min(day), 0) FROM deletions WHERE day >= ? AND day < ?", "ii",
                                 from_day, before_day);
  g_autoptr (Statement) statement
    = database_query (database, &failure,
                      "SELECT camera, group_concat(DISTINCT reason), min(from_us), max(to_us), sum(segments), sum(bytes)"
                      " FROM deletions WHERE day = ? AND camera > ? GROUP BY camera ORDER BY camera LIMIT ?",
                      "isi", day, after_camera, (gint64) DELETIONS_LISTED_MAX);
  while (statement_step (statement, &failure))
    json_array_append_new (cameras, json_pack ("[s, s, I, I, I, I]", statement_text (statement, 0),
                                               statement_text (statement, 1), (json_int_t) statement_integer (statement, 2),
                                               (json_int_t) statement_integer (statement, 3),
                                               (json_int_t) statement_integer (statement, 4),
                                               (json_int_t) statement_integer (statement, 5)));
  json_t *last = json_array_get (json_array_get (cameras, json_array_size (cameras) - 1), 0);
  json_t *result = json_pack ("{s:I, s:o}", "day", (json_int_t) day, "cameras", cameras);
  if (json_array_size (cameras) == DELETIONS_LISTED_MAX)
    json_object_set (result, "next", last);
  if (failure == NULL)
    return result;
  g_propagate_error (error, failure);
  json_decref (result);
  return NULL;
}
