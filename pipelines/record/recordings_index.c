#include "pipelines/record/recordings_index.h"

#include <string.h>

#include "gateway/core/error.h"

struct RecordingsIndex {
  Database *database;
};

/* `is_open`: a process writes the file; to_us and bytes are then as of about a second ago. */
static const char schema_1[]
  = "CREATE TABLE segments (id INTEGER PRIMARY KEY, camera TEXT NOT NULL, stream TEXT NOT NULL, file TEXT NOT NULL,"
    " from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, bytes INTEGER NOT NULL, tracks TEXT NOT NULL,"
    " is_open INTEGER NOT NULL);"
    "CREATE INDEX segments_by_time ON segments (camera, stream, from_us);"
    "CREATE INDEX segments_by_end ON segments (is_open, to_us);"
    "CREATE TABLE gaps (id INTEGER PRIMARY KEY, camera TEXT NOT NULL, stream TEXT NOT NULL, from_us INTEGER NOT NULL,"
    " to_us INTEGER, reason TEXT NOT NULL);" /* to_us NULL: it lasts */
    "CREATE INDEX gaps_by_time ON gaps (camera, stream, from_us);"
    "PRAGMA user_version = 1;";

/* A timeline is read from the index alone: a month of minutes in 8 ms instead of 22. */
static const char schema_2[] = "DROP INDEX segments_by_time;"
                               "CREATE INDEX segments_by_span ON segments (camera, stream, from_us, to_us, bytes);"
                               "PRAGMA user_version = 2;";

/* What retention took away, summed up by the day (UTC) it did so; and what must be remembered of the index itself. */
static const char schema_3[]
  = "DROP INDEX segments_by_end;"
    "CREATE INDEX segments_open ON segments (id) WHERE is_open = 1;"
    "CREATE TABLE deletions (id INTEGER PRIMARY KEY, camera TEXT NOT NULL, stream TEXT NOT NULL, reason TEXT NOT NULL,"
    " day INTEGER NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, segments INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, at_us INTEGER NOT NULL);"
    "CREATE INDEX deletions_by_camera ON deletions (camera, stream, id);"
    "CREATE INDEX deletions_by_day ON deletions (day, camera);"
    "CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "PRAGMA user_version = 3;";

static const char *const schemas[] = { schema_1, schema_2, schema_3 };

#define COLUMNS "id, from_us, to_us, bytes, camera, stream, file"

/* A row that touches a time began at most an hour before it (the longest segment), or is the last that began before that: a
 * range of the index from both sides, where `to_us >= …` alone walks all that the camera ever recorded. ?1 camera,
 * ?2 stream, ?3 the time. */
#define NOT_LONG_BEFORE                                                                                                \
  " AND from_us >= coalesce ((SELECT max(from_us) FROM segments WHERE camera = ?1 AND stream = ?2"                      \
  " AND from_us <= ?3 - 3600000000), 0)"

/* Gaps follow each other, but for a clock that was set back: a few before the time are enough to look at. */
#define NOT_BEFORE_THE_LAST_GAPS                                                                                       \
  " AND from_us >= coalesce ((SELECT from_us FROM gaps WHERE camera = ?1 AND stream = ?2 AND from_us <= ?3"            \
  " ORDER BY from_us DESC LIMIT 1 OFFSET 3), 0)"

void segment_row_free (SegmentRow *row)
{
  if (row == NULL)
    return;
  g_free (row->camera);
  g_free (row->stream);
  g_free (row->file);
  g_free (row);
}

RecordingsIndex *recordings_index_open (const char *data_dir, DatabaseMode mode, GError **error)
{
  g_autofree char *path = g_build_filename (data_dir, "recordings.db", NULL);
  g_autoptr (Database) database = database_open (path, mode, error);
  if (database == NULL)
    return NULL;
  gint64 version = database_integer (database, -1, "PRAGMA user_version", "");
  if (version > (gint64) G_N_ELEMENTS (schemas)) {
    error_set (error, ERROR_RECONFIGURE, "%s was written by a newer version of gridgate", path);
    return NULL;
  }
  for (; mode == DATABASE_WRITER && version < (gint64) G_N_ELEMENTS (schemas); version++) {
    g_autofree char *script = g_strdup_printf ("BEGIN;%sCOMMIT;", schemas[version]);
    if (!database_script (database, script, error))
      return NULL;
  }
  RecordingsIndex *index = g_new0 (RecordingsIndex, 1);
  index->database = g_steal_pointer (&database);
  return index;
}

void recordings_index_close (RecordingsIndex *index)
{
  if (index == NULL)
    return;
  database_close (index->database);
  g_free (index);
}

Database *recordings_index_database (RecordingsIndex *index)
{
  return index->database;
}

gboolean recordings_index_begin (RecordingsIndex *index, GError **error)
{
  return database_run (index->database, error, "BEGIN", "");
}

gboolean recordings_index_commit (RecordingsIndex *index, GError **error)
{
  if (database_run (index->database, error, "COMMIT", ""))
    return TRUE;
  database_script (index->database, "ROLLBACK", NULL); /* which SQLite may have done itself */
  return FALSE;
}

gboolean recordings_index_put (RecordingsIndex *index, SegmentRow *row, const char *tracks, gboolean is_open,
                               GError **error)
{
  if (row->id > 0
      && !database_run (index->database, error,
                        "UPDATE segments SET to_us = ?, bytes = ?, is_open = ? WHERE id = ? AND file = ?", "iiiis",
                        row->to_us, row->bytes, (gint64) is_open, row->id, row->file))
    return FALSE;
  if (row->id > 0 && database_changes (index->database) == 1)
    return TRUE;
  if (!database_run (index->database, error,
                     "INSERT INTO segments (camera, stream, file, from_us, to_us, bytes, tracks, is_open)"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                     "sssiiisi", row->camera, row->stream, row->file, row->from_us, row->to_us, row->bytes, tracks,
                     (gint64) is_open))
    return FALSE;
  row->id = database_last_rowid (index->database);
  return TRUE;
}

gboolean recordings_index_move (RecordingsIndex *index, SegmentRow *row, const char *file, gint64 from_us, GError **error)
{
  const char *name = file != NULL ? file : row->file;
  gboolean is_good
    = database_run (index->database, error, "UPDATE segments SET from_us = ?, file = ? WHERE id = ? AND file = ?", "isis",
                    from_us, name, row->id, row->file)
      && database_run (index->database, error,
                       "UPDATE gaps SET to_us = max (from_us, ?) WHERE camera = ? AND stream = ? AND to_us = ?", "issi",
                       from_us, row->camera, row->stream, row->from_us);
  if (file != NULL) {
    g_free (row->file);
    row->file = g_strdup (file);
  }
  row->from_us = from_us;
  return is_good;
}

gboolean recordings_index_remove (RecordingsIndex *index, gint64 id, GError **error)
{
  return database_run (index->database, error, "DELETE FROM segments WHERE id = ?", "i", id);
}

gboolean recordings_index_open_gap (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us,
                                    const char *reason, GError **error)
{
  return database_run (index->database, error,
                       "INSERT INTO gaps (camera, stream, from_us, to_us, reason) SELECT ?, ?, ?, NULL, ?"
                       " WHERE NOT EXISTS (SELECT 1 FROM gaps WHERE camera = ? AND stream = ? AND to_us IS NULL)",
                       "ssisss", camera, stream, from_us, reason, camera, stream);
}

gboolean recordings_index_close_gap (RecordingsIndex *index, const char *camera, const char *stream, gint64 to_us,
                                     GError **error)
{
  return database_run (index->database, error,
                       "DELETE FROM gaps WHERE camera = ? AND stream = ? AND to_us IS NULL AND from_us > ?"
                       " AND reason <> 'media_restart'",
                       "ssi", camera, stream, to_us - GAP_MIN_US)
         && database_run (index->database, error,
                          "UPDATE gaps SET to_us = ? WHERE camera = ? AND stream = ? AND to_us IS NULL", "iss", to_us,
                          camera, stream);
}

gboolean recordings_index_add_gap (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us,
                                   gint64 to_us, const char *reason, GError **error)
{
  return database_run (index->database, error,
                       "INSERT INTO gaps (camera, stream, from_us, to_us, reason) VALUES (?, ?, ?, ?, ?)", "ssiis",
                       camera, stream, from_us, to_us, reason);
}

static SegmentRow *row_of (Statement *statement)
{
  SegmentRow *row = g_new0 (SegmentRow, 1);
  row->id = statement_integer (statement, 0);
  row->from_us = statement_integer (statement, 1);
  row->to_us = statement_integer (statement, 2);
  row->bytes = statement_integer (statement, 3);
  row->camera = g_strdup (statement_text (statement, 4));
  row->stream = g_strdup (statement_text (statement, 5));
  row->file = g_strdup (statement_text (statement, 6));
  return row;
}

/* Takes `statement`, which may be NULL with `*error` set. */
static GPtrArray *rows_of (Statement *statement, GError **error)
{
  GError *step_error = NULL;
  GPtrArray *rows = g_ptr_array_new_with_free_func ((GDestroyNotify) segment_row_free);
  if (statement == NULL) {
    g_ptr_array_unref (rows);
    return NULL;
  }
  while (statement_step (statement, &step_error))
    g_ptr_array_add (rows, row_of (statement));
  statement_end (statement);
  if (step_error == NULL)
    return rows;
  g_propagate_error (error, step_error);
  g_ptr_array_unref (rows);
  return NULL;
}

GPtrArray *recordings_index_open_rows (RecordingsIndex *index, GError **error)
{
  return rows_of (database_query (index->database, error,
                                  "SELECT " COLUMNS " FROM segments WHERE is_open = 1 ORDER BY from_us", ""),
                  error);
}

SegmentRow *recordings_index_next (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us,
                                   GError **error)
{
  g_autoptr (GPtrArray) rows
    = rows_of (database_query (index->database, error,
                               "SELECT " COLUMNS " FROM segments WHERE camera = ? AND stream = ? AND from_us >= ?"
                               " AND is_open = 0 ORDER BY from_us LIMIT 1",
                               "ssi", camera, stream, from_us),
               error);
  if (rows == NULL || rows->len == 0)
    return NULL;
  return g_ptr_array_steal_index (rows, 0);
}

gboolean recordings_index_has_file (RecordingsIndex *index, const SegmentRow *row)
{
  return database_integer (index->database, 0,
                           "SELECT count(*) FROM segments WHERE camera = ? AND stream = ? AND from_us BETWEEN ? AND ?"
                           " AND file = ?",
                           "ssiis", row->camera, row->stream, row->from_us - 1000, row->from_us + 1000, row->file)
         > 0;
}

gboolean recordings_index_sums (RecordingsIndex *index, RecordingsSum sum, gpointer data, GError **error)
{
  GError *failure = NULL;
  g_autoptr (Statement) statement
    = database_query (index->database, &failure,
                      "SELECT camera, stream, sum(bytes), min(from_us), max(from_us) FROM segments GROUP BY camera, stream", "");
  while (statement_step (statement, &failure))
    sum (statement_text (statement, 0), statement_text (statement, 1), statement_integer (statement, 2),
         statement_integer (statement, 3), statement_integer (statement, 4), data);
  if (failure != NULL)
    g_propagate_error (error, failure);
  return failure == NULL;
}

gint64 recordings_index_begin_after (RecordingsIndex *index, const char *camera, const char *stream, gint64 after_us)
{
  return database_integer (index->database, 0,
                           "SELECT coalesce(min(from_us), 0) FROM segments WHERE camera = ? AND stream = ? AND from_us > ?",
                           "ssi", camera, stream, after_us);
}

gint64 recordings_index_oldest_of (RecordingsIndex *index, const char *camera, const char *stream)
{
  return database_integer (index->database, 0,
                           "SELECT coalesce(min(from_us), 0) FROM segments WHERE camera = ? AND stream = ?", "ss", camera,
                           stream);
}

gint64 recordings_index_mark (RecordingsIndex *index, const char *name)
{
  return database_integer (index->database, 0, "SELECT value FROM marks WHERE name = ?", "s", name);
}

gboolean recordings_index_set_mark (RecordingsIndex *index, const char *name, gint64 value, GError **error)
{
  return database_run (index->database, error, "REPLACE INTO marks (name, value) VALUES (?, ?)", "si", name, value);
}

gint64 recordings_index_bytes (RecordingsIndex *index)
{
  return database_integer (index->database, 0, "SELECT coalesce(sum(bytes), 0) FROM segments", "");
}

gint64 recordings_index_newest_us (RecordingsIndex *index)
{
  return database_integer (index->database, 0, "SELECT coalesce(max(to_us), 0) FROM segments", "");
}

/* The last that began, or one that began less than an hour (the longest segment) before it: at its start a gateway asks this
 * for each day of each stream, which a walk through all rows makes minutes. */
gint64 recordings_index_end_us (RecordingsIndex *index, const char *camera, const char *stream)
{
  return database_integer (index->database, 0,
                           "SELECT coalesce(max(to_us), 0) FROM segments WHERE camera = ?1 AND stream = ?2 AND from_us >="
                           " (SELECT max(from_us) - 3600000000 FROM segments WHERE camera = ?1 AND stream = ?2)", "ss",
                           camera, stream);
}

gint64 recordings_index_known_us (RecordingsIndex *index, const char *camera, const char *stream)
{
  gint64 gap_us = database_integer (index->database, 0,
                                    "SELECT coalesce(max(to_us), 0) FROM gaps WHERE camera = ? AND stream = ?", "ss", camera,
                                    stream);
  return MAX (gap_us, recordings_index_end_us (index, camera, stream));
}

GPtrArray *recordings_index_find (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us,
                                  gint64 to_us, guint limit, GError **error)
{
  return rows_of (database_query (index->database, error,
                                  "SELECT " COLUMNS " FROM segments WHERE camera = ?1 AND stream = ?2 AND from_us <= ?4"
                                  " AND to_us >= ?3 AND bytes > 0" NOT_LONG_BEFORE " ORDER BY from_us LIMIT ?5",
                                  "ssiii", camera, stream, from_us, to_us, (gint64) limit),
                  error);
}

char *recordings_index_gap_reason (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us,
                                   gint64 to_us)
{
  g_autoptr (Statement) statement
    = database_query (index->database, NULL,
                      "SELECT reason FROM gaps WHERE camera = ? AND stream = ? AND from_us < ? AND (to_us IS NULL OR to_us > ?)"
                      " ORDER BY from_us DESC LIMIT 1",
                      "ssii", camera, stream, to_us, from_us);
  return statement_step (statement, NULL) ? g_strdup (statement_text (statement, 0)) : g_strdup ("");
}

typedef struct {
  gint64 from_us, to_us;
} Span;

static void add_span (GArray *spans, gint64 from_us, gint64 to_us)
{
  Span *last = spans->len > 0 ? &g_array_index (spans, Span, spans->len - 1) : NULL;
  if (last != NULL && from_us <= last->to_us + GAP_MIN_US) {
    last->to_us = MAX (last->to_us, to_us);
    return;
  }
  Span span = { from_us, to_us };
  g_array_append_val (spans, span);
}

/* A gap inside a span (the camera said nothing for a while in one file) splits it. Gaps come in order: spans before `*first`
 * ended before the last one. */
static void split_spans (GArray *spans, guint *first, gint64 from_us, gint64 to_us)
{
  while (*first < spans->len && g_array_index (spans, Span, *first).to_us <= from_us)
    (*first)++;
  for (guint i = *first; i < spans->len && g_array_index (spans, Span, i).from_us < from_us; i++) {
    Span *span = &g_array_index (spans, Span, i);
    if (from_us <= span->from_us || to_us >= span->to_us)
      continue;
    Span rest = { to_us, span->to_us };
    span->to_us = from_us;
    g_array_insert_val (spans, i + 1, rest);
    return;
  }
}

/* Reads spans up to the entry bound. Returns where it stopped, 0 when everything was read. */
static gint64 read_spans (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us, gint64 to_us,
                          GArray *spans, GError **error)
{
  gint64 stopped_us = 0;
  Statement *statement
    = database_query (index->database, error,
                      "SELECT from_us, to_us FROM segments WHERE camera = ?1 AND stream = ?2 AND from_us <= ?4"
                      " AND to_us >= ?3 AND bytes > 0" NOT_LONG_BEFORE " ORDER BY from_us",
                      "ssii", camera, stream, from_us, to_us);
  while (stopped_us == 0 && statement_step (statement, error)) {
    gint64 start = statement_integer (statement, 0), end = statement_integer (statement, 1);
    if (spans->len >= LIST_ENTRIES_MAX / 2)
      stopped_us = start;
    else if (MIN (end, to_us) > MAX (start, from_us))
      add_span (spans, MAX (start, from_us), MIN (end, to_us));
  }
  statement_end (statement);
  return stopped_us;
}

static gint64 read_gaps (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us, gint64 to_us,
                         gint64 now_us, GArray *spans, json_t *gaps, GError **error)
{
  gint64 stopped_us = 0;
  guint first = 0;
  Statement *statement
    = database_query (index->database, error,
                      "SELECT from_us, coalesce(to_us, ?5), reason FROM gaps WHERE camera = ?1 AND stream = ?2"
                      " AND from_us < ?4 AND coalesce(to_us, ?5) > ?3" NOT_BEFORE_THE_LAST_GAPS " ORDER BY from_us",
                      "ssiii", camera, stream, from_us, to_us, now_us);
  while (stopped_us == 0 && statement_step (statement, error)) {
    gint64 start = MAX (statement_integer (statement, 0), from_us), end = MIN (statement_integer (statement, 1), to_us);
    if (json_array_size (gaps) >= LIST_ENTRIES_MAX / 2) {
      stopped_us = start;
    } else if (end > start) {
      json_array_append_new (gaps, json_pack ("[I,I,s]", (json_int_t) start, (json_int_t) end,
                                              statement_text (statement, 2)));
      split_spans (spans, &first, start, end);
    }
  }
  statement_end (statement);
  return stopped_us;
}

json_t *recordings_index_list (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us,
                               gint64 to_us, gint64 now_us, GError **error)
{
  GError *read_error = NULL;
  g_autoptr (GArray) spans = g_array_new (FALSE, FALSE, sizeof (Span));
  json_t *gaps = json_array (), *list = json_array ();

  gint64 next_us = read_spans (index, camera, stream, from_us, to_us, spans, &read_error);
  gint64 end_us = next_us != 0 ? next_us : to_us;
  gint64 gaps_next_us
    = read_error == NULL ? read_gaps (index, camera, stream, from_us, end_us, now_us, spans, gaps, &read_error) : 0;
  if (gaps_next_us != 0)
    next_us = end_us = gaps_next_us;
  if (read_error != NULL) {
    g_propagate_error (error, read_error);
    json_decref (gaps);
    json_decref (list);
    return NULL;
  }
  for (guint i = 0; i < spans->len; i++) {
    const Span *span = &g_array_index (spans, Span, i);
    if (span->from_us < end_us)
      json_array_append_new (list, json_pack ("[I,I]", (json_int_t) span->from_us, (json_int_t) MIN (span->to_us, end_us)));
  }
  json_t *result = json_pack ("{s:o, s:o}", "spans", list, "gaps", gaps);
  if (next_us != 0)
    json_object_set_new (result, "next", json_integer (next_us));
  return result;
}
