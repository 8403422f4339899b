#include "gateway/store/database.h"

#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"

enum { READER_WAIT_MS = 1000, WRITER_WAIT_MS = 5000 };

struct Statement {
  sqlite3_stmt *handle;
  Database *database;
  gboolean is_busy;
};

struct Database {
  sqlite3 *handle;
  char *path;
  GHashTable *statements; /* SQL text → Statement */
  gboolean has_found_full;
};

static ErrorStep step_of_result (int result)
{
  switch (result & 0xff) {
  case SQLITE_FULL:
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
  case SQLITE_NOMEM:
  case SQLITE_IOERR:
    return ERROR_RETRY;
  case SQLITE_CANTOPEN:
  case SQLITE_PERM:
  case SQLITE_READONLY:
    return ERROR_RECONFIGURE;
  case SQLITE_CONSTRAINT:
    return ERROR_REFUSE;
  default:
    return ERROR_GIVE_UP;
  }
}

static gboolean fail (Database *database, GError **error)
{
  int result = sqlite3_extended_errcode (database->handle);
  database->has_found_full |= (result & 0xff) == SQLITE_FULL;
  return error_set (error, step_of_result (result), "database %s: %s", database->path, sqlite3_errmsg (database->handle));
}

static void statement_free (Statement *statement)
{
  sqlite3_finalize (statement->handle);
  g_free (statement);
}

Database *database_open (const char *path, DatabaseMode mode, GError **error)
{
  static const int flags[] = { [DATABASE_WRITER] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, [DATABASE_READER] = SQLITE_OPEN_READONLY,
                               [DATABASE_DRAFT] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI };
  static const char *const settings[] = {
    [DATABASE_WRITER] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA mmap_size=0;",
    [DATABASE_READER] = NULL,
    [DATABASE_DRAFT] = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA mmap_size=0;",
  };
  Database *database = g_new0 (Database, 1);
  database->path = g_strdup (path);
  database->statements = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) statement_free);

  int result = sqlite3_open_v2 (path, &database->handle, flags[mode] | SQLITE_OPEN_NOMUTEX, NULL);
  if (result == SQLITE_OK)
    result = sqlite3_busy_timeout (database->handle, mode == DATABASE_WRITER ? WRITER_WAIT_MS : READER_WAIT_MS);
  if (result == SQLITE_OK && settings[mode] != NULL)
    result = sqlite3_exec (database->handle, settings[mode], NULL, NULL, NULL);
  if (result == SQLITE_OK)
    return database;
  if (database->handle != NULL)
    fail (database, error);
  else
    error_set (error, ERROR_RETRY, "database %s: %s", path, sqlite3_errstr (result));
  database_close (database);
  return NULL;
}

gboolean database_found_full (Database *database)
{
  gboolean has_found_full = database->has_found_full;
  database->has_found_full = FALSE;
  return has_found_full;
}

void database_close (Database *database)
{
  if (database == NULL)
    return;
  g_hash_table_unref (database->statements);
  sqlite3_close_v2 (database->handle);
  g_free (database->path);
  g_free (database);
}

static Statement *statement_for (Database *database, const char *sql, GError **error)
{
  Statement *statement = g_hash_table_lookup (database->statements, sql);
  if (statement == NULL) {
    statement = g_new0 (Statement, 1);
    statement->database = database;
    if (sqlite3_prepare_v3 (database->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->handle, NULL) != SQLITE_OK) {
      fail (database, error);
      g_free (statement);
      return NULL;
    }
    g_hash_table_insert (database->statements, (gpointer) sqlite3_sql (statement->handle), statement);
  }
  g_assert (!statement->is_busy); /* a query of the same text is still being stepped through: a fault of ours */
  statement->is_busy = TRUE;
  return statement;
}

/* `lifetime`: SQLITE_STATIC where the arguments outlive the statement's run, else SQLITE_TRANSIENT. */
static void bind (Statement *statement, const char *types, sqlite3_destructor_type lifetime, va_list arguments)
{
  sqlite3_stmt *handle = statement->handle;
  g_assert ((int) strlen (types) == sqlite3_bind_parameter_count (handle));
  for (int i = 1; *types; i++, types++)
    switch (*types) {
    case 'i':
      sqlite3_bind_int64 (handle, i, va_arg (arguments, gint64));
      break;
    case 'd':
      sqlite3_bind_double (handle, i, va_arg (arguments, double));
      break;
    case 's':
      sqlite3_bind_text (handle, i, va_arg (arguments, const char *), -1, lifetime);
      break;
    case 'b': {
      const void *bytes = va_arg (arguments, const void *);
      gsize size = va_arg (arguments, gsize);
      sqlite3_bind_blob64 (handle, i, bytes, size, lifetime);
      break;
    }
    case 'n':
      sqlite3_bind_null (handle, i);
      break;
    default:
      g_assert_not_reached ();
    }
}

static Statement *query_valist (Database *database, GError **error, const char *sql, const char *types,
                                sqlite3_destructor_type lifetime, va_list arguments)
{
  Statement *statement = statement_for (database, sql, error);
  if (statement != NULL)
    bind (statement, types, lifetime, arguments);
  return statement;
}

Statement *database_query (Database *database, GError **error, const char *sql, const char *types, ...)
{
  va_list arguments;
  va_start (arguments, types);
  Statement *statement = query_valist (database, error, sql, types, SQLITE_TRANSIENT, arguments);
  va_end (arguments);
  return statement;
}

gboolean database_run (Database *database, GError **error, const char *sql, const char *types, ...)
{
  va_list arguments;
  va_start (arguments, types);
  g_autoptr (Statement) statement = query_valist (database, error, sql, types, SQLITE_STATIC, arguments);
  va_end (arguments);
  if (statement == NULL)
    return FALSE;
  int result = sqlite3_step (statement->handle);
  return result == SQLITE_DONE || result == SQLITE_ROW || fail (database, error);
}

gint64 database_integer (Database *database, gint64 otherwise, const char *sql, const char *types, ...)
{
  g_autoptr (GError) error = NULL;
  va_list arguments;
  va_start (arguments, types);
  g_autoptr (Statement) statement = query_valist (database, &error, sql, types, SQLITE_STATIC, arguments);
  va_end (arguments);
  if (statement_step (statement, &error) && !statement_is_null (statement, 0))
    return statement_integer (statement, 0);
  if (error != NULL)
    log_limited (LOG_LEVEL_ERROR, "%s", error->message);
  return otherwise;
}

gboolean database_read_integer (Database *database, gint64 *value, const char *sql, GError **error)
{
  GError *problem = NULL;
  g_autoptr (Statement) row = database_query (database, &problem, sql, "");
  *value = statement_step (row, &problem) ? statement_integer (row, 0) : 0;
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, problem);
  return FALSE;
}

gboolean database_script (Database *database, const char *sql, GError **error)
{
  return sqlite3_exec (database->handle, sql, NULL, NULL, NULL) == SQLITE_OK || fail (database, error);
}

gboolean statement_step (Statement *statement, GError **error)
{
  if (statement == NULL)
    return FALSE;
  int result = sqlite3_step (statement->handle);
  if (result == SQLITE_ROW)
    return TRUE;
  return result == SQLITE_DONE ? FALSE : fail (statement->database, error);
}

gint64 statement_integer (Statement *statement, int column)
{
  return sqlite3_column_int64 (statement->handle, column);
}

double statement_real (Statement *statement, int column)
{
  return sqlite3_column_double (statement->handle, column);
}

const char *statement_text (Statement *statement, int column)
{
  return (const char *) sqlite3_column_text (statement->handle, column);
}

const void *statement_blob (Statement *statement, int column, gsize *size)
{
  const void *bytes = sqlite3_column_blob (statement->handle, column);
  *size = (gsize) sqlite3_column_bytes (statement->handle, column);
  return bytes;
}

gboolean statement_is_null (Statement *statement, int column)
{
  return sqlite3_column_type (statement->handle, column) == SQLITE_NULL;
}

gboolean statement_is_blob (Statement *statement, int column)
{
  return sqlite3_column_type (statement->handle, column) == SQLITE_BLOB;
}

void statement_end (Statement *statement)
{
  if (statement == NULL)
    return;
  sqlite3_reset (statement->handle);
  sqlite3_clear_bindings (statement->handle);
  statement->is_busy = FALSE;
}

gint64 database_last_rowid (Database *database)
{
  return sqlite3_last_insert_rowid (database->handle);
}

gint64 database_changes (Database *database)
{
  return sqlite3_changes64 (database->handle);
}

gint64 database_total_changes (Database *database)
{
  return sqlite3_total_changes64 (database->handle);
}

sqlite3 *database_handle (Database *database)
{
  return database->handle;
}
