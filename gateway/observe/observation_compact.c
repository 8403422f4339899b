#include "gateway/observe/observation_compact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "gateway/observe/observation_files.h"

/* A commit of the other databases waits for what the disk still has to write of this file: give it away in small parts. */
#define SYNC_BYTES (4 * 1024 * 1024)
#define ROOM_LEFT_BYTES (64 * 1024 * 1024)

enum { LOOK_EVERY_OPERATIONS = 20000 }; /* of SQLite: some 2 ms */

#define SCHEMA                                                                                                         \
  "CREATE TABLE series (id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, metric TEXT NOT NULL, unit TEXT,"                \
  " keep_days INTEGER);"                                                                                               \
  "CREATE TABLE observations (series INTEGER NOT NULL, at INTEGER NOT NULL, number INTEGER NOT NULL,"                  \
  " delay INTEGER NOT NULL, value REAL NOT NULL, flags INTEGER NOT NULL, sequence INTEGER,"                            \
  " PRIMARY KEY (series, at, number)) WITHOUT ROWID;"                                                                  \
  "CREATE TABLE rejected (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, broker TEXT NOT NULL, topic TEXT NOT NULL,"     \
  " sensor TEXT, reason TEXT NOT NULL, detail TEXT, payload BLOB);"                                                    \
  "CREATE TABLE deliveries (broker TEXT PRIMARY KEY, packet_ids BLOB NOT NULL, hashes BLOB NOT NULL,"                  \
  " next INTEGER NOT NULL) WITHOUT ROWID;"                                                                             \
  "CREATE TABLE compacted (first INTEGER, last INTEGER, rows INTEGER NOT NULL);"                                       \
  "PRAGMA user_version = 1;"

/* The unary plus keeps the plan: one walk along the order in which the rows are wanted, by the index of the one form or the key of
 * the other, and no sorting. */
#define COPY_ROWS                                                                                                      \
  "INSERT INTO main.observations (series, at, number, delay, value, flags, sequence)"                                  \
  " SELECT series, at, number, delay, value, flags & ~?, sequence FROM source.observations"                            \
  " WHERE +series IN (SELECT id FROM main.series) ORDER BY series, at, number"

typedef struct {
  const CompactWork *work;
  Database *draft;
  int fd;
  gint64 synced_bytes;
  gboolean is_ended; /* by go_on */
} Compaction;

static int look (void *data)
{
  Compaction *compaction = data;
  struct stat status;
  if (fstat (compaction->fd, &status) == 0 && status.st_size - compaction->synced_bytes >= SYNC_BYTES) {
    fdatasync (compaction->fd);
    compaction->synced_bytes = status.st_size;
  }
  const CompactWork *work = compaction->work;
  compaction->is_ended = compaction->is_ended || (work->go_on != NULL && !work->go_on (work->self));
  return compaction->is_ended;
}

static gboolean has_room (const char *path, GError **error)
{
  struct stat status;
  g_autofree char *folder = g_path_get_dirname (path);
  gint64 free_bytes, total_bytes;
  if (stat (path, &status) != 0 || !disk_free (folder, &free_bytes, &total_bytes))
    return error_set (error, ERROR_RETRY, "%s: %s", path, g_strerror (errno));
  return free_bytes > status.st_size + ROOM_LEFT_BYTES
         || error_set (error, ERROR_RETRY, "%s: the disk has no room to write it anew", path);
}

static gboolean attach (Compaction *compaction, const char *path, GError **error)
{
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);
  g_autofree char *plain = g_filename_to_uri (absolute, NULL, error);
  if (plain == NULL)
    return FALSE;
  g_autofree char *uri = g_strconcat (plain, "?mode=ro", NULL);
  return database_run (compaction->draft, error, "ATTACH ? AS source", "s", uri);
}

static gboolean copy_one_series (Compaction *compaction, Statement *row, GError **error)
{
  const CompactWork *work = compaction->work;
  gboolean is_kept = TRUE;
  guint days = (guint) statement_integer (row, 4);
  if (work->keep != NULL)
    days = work->keep (work->self, statement_text (row, 1), statement_text (row, 2), days, &is_kept);
  return !is_kept
         || database_run (compaction->draft, error,
                          "INSERT INTO main.series (id, sensor, metric, unit, keep_days) VALUES (?, ?, ?, ?, nullif (?, 0))",
                          "isssi", statement_integer (row, 0), statement_text (row, 1), statement_text (row, 2),
                          statement_text (row, 3), (gint64) days);
}

static gboolean copy_series (Compaction *compaction, gboolean is_from_compact, GError **error)
{
  GError *problem = NULL;
  g_autoptr (Statement) rows
    = is_from_compact
        ? database_query (compaction->draft, &problem, "SELECT id, sensor, metric, unit, keep_days FROM source.series", "")
        : database_query (compaction->draft, &problem, "SELECT id, sensor, metric, unit, 0 FROM source.series", "");
  while (problem == NULL && statement_step (rows, &problem))
    copy_one_series (compaction, rows, &problem);
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, problem);
  return FALSE;
}

static gboolean copy_rest (Compaction *compaction, GError **error)
{
  return compaction->work->is_bare
         || (database_run (compaction->draft, error,
                           "INSERT INTO main.rejected (id, at, broker, topic, sensor, reason, detail, payload) SELECT id, at,"
                           " broker, topic, sensor, reason, detail, payload FROM source.rejected", "")
             && database_run (compaction->draft, error,
                              "INSERT INTO main.deliveries (broker, packet_ids, hashes, next) SELECT broker, packet_ids,"
                              " hashes, next FROM source.deliveries", ""));
}

/* The day's own numbers, also when their rows are deleted. */
static gboolean keep_numbers (Compaction *compaction, gboolean is_from_compact, gint64 kept, GError **error)
{
  return is_from_compact
           ? database_run (compaction->draft, error,
                           "INSERT INTO main.compacted (first, last, rows) SELECT first, last, ? FROM source.compacted", "i", kept)
           : database_run (compaction->draft, error,
                           "INSERT INTO main.compacted (first, last, rows) SELECT (SELECT min (number) FROM source.observations),"
                           " (SELECT max (number) FROM source.observations), ?", "i", kept);
}

static gboolean copy_all (Compaction *compaction, const char *path, CompactResult *result, GError **error)
{
  gboolean is_from_compact = observation_file_is_compact (path);
  if (!database_script (compaction->draft, SCHEMA, error) || !attach (compaction, path, error)
      || !database_script (compaction->draft, "BEGIN", error) || !copy_series (compaction, is_from_compact, error)
      || !database_run (compaction->draft, error, COPY_ROWS, "i", (gint64) (FIRST_OF_SENSOR | FIRST_OF_MESSAGE)))
    return FALSE;
  result->kept = database_changes (compaction->draft);
  return database_read_integer (compaction->draft, &result->deleted,
                                "SELECT count (*) FROM source.observations WHERE series NOT IN (SELECT id FROM main.series)", error)
         && copy_rest (compaction, error) && keep_numbers (compaction, is_from_compact, result->kept, error)
         && database_script (compaction->draft, "COMMIT", error);
}

static gboolean fill (Compaction *compaction, const char *path, CompactResult *result, GError **error)
{
  sqlite3_progress_handler (database_handle (compaction->draft), LOOK_EVERY_OPERATIONS, look, compaction);
  gboolean is_full = copy_all (compaction, path, result, error);
  g_clear_pointer (&compaction->draft, database_close);
  if (compaction->is_ended) {
    g_clear_error (error);
    return error_set (error, ERROR_RETRY, "%s: writing it anew was broken off", path);
  }
  return is_full;
}

static gboolean write_draft (const char *path, const char *draft, const CompactWork *work, CompactResult *result, GError **error)
{
  Compaction compaction = { .work = work, .fd = open (draft, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) };
  if (compaction.fd < 0)
    return error_set (error, ERROR_RETRY, "%s: %s", draft, g_strerror (errno));
  compaction.draft = database_open (draft, DATABASE_DRAFT, error);
  gboolean is_written = compaction.draft != NULL && fill (&compaction, path, result, error);
  if (is_written && fsync (compaction.fd) != 0)
    is_written = error_set (error, ERROR_RETRY, "%s: %s", draft, g_strerror (errno));
  close (compaction.fd); /* after the database: closing it ends the locks that the process has on the file */
  return is_written;
}

gboolean observation_compact_write (const char *path, const CompactWork *work, CompactResult *result, GError **error)
{
  static const CompactWork all = { 0 };
  g_autofree char *draft = observation_compacting_path (path);
  *result = (CompactResult){ 0 };
  if (has_room (path, error) && write_draft (path, draft, work != NULL ? work : &all, result, error))
    return TRUE;
  unlink (draft);
  return FALSE;
}

gboolean observation_compact_publish (const char *path, GError **error)
{
  g_autofree char *draft = observation_compacting_path (path), *compact = observation_compact_path (path);
  g_autofree char *folder = g_path_get_dirname (path);
  if (rename (draft, compact) != 0) {
    error_set (error, ERROR_RETRY, "%s: %s", draft, g_strerror (errno));
    unlink (draft); /* with it the day would go on to count as closed */
    return FALSE;
  }
  return folder_sync (folder, error);
}
