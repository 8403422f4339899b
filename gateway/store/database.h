/* database.h: a thin, safe hold on one SQLite connection.
 *
 * Prepared statements only, cached by their text (which must be a literal). Arguments follow a type string, a letter each:
 * i gint64 · d double · s string (NULL: SQL NULL) · b blob (const void *, gsize) · n NULL (no argument).
 *
 * thread: a connection belongs to one thread at a time. */
#pragma once

#include <glib.h>
#include <sqlite3.h>

typedef struct Database Database;
typedef struct Statement Statement;

typedef enum { DATABASE_WRITER, DATABASE_READER, DATABASE_DRAFT } DatabaseMode;

/* A writer makes the file, sets WAL and synchronous=FULL; a reader opens read-only and waits at most a second for a lock. A draft
 * is a file that nobody else has, and that is thrown away when something fails: no log, nothing synced; it may attach by URI. */
Database *database_open (const char *path, DatabaseMode mode, GError **error);
void database_close (Database *database);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Database, database_close)

/* Runs one statement that returns no rows. ERROR_RETRY on a full disk or a lock. */
gboolean database_run (Database *database, GError **error, const char *sql, const char *types, ...);

/* Several statements without arguments, for schemas. */
gboolean database_script (Database *database, const char *sql, GError **error);

/* Binds and returns a statement to step through. It must be ended before the same text is used again. */
Statement *database_query (Database *database, GError **error, const char *sql, const char *types, ...);

/* TRUE while there is a row. FALSE at the end, or with `error` set. NULL as `statement` is the end. */
gboolean statement_step (Statement *statement, GError **error);
gint64 statement_integer (Statement *statement, int column);
double statement_real (Statement *statement, int column);
const char *statement_text (Statement *statement, int column); /* NULL for NULL; good until the next step */
const void *statement_blob (Statement *statement, int column, gsize *size);
gboolean statement_is_null (Statement *statement, int column);
gboolean statement_is_blob (Statement *statement, int column);
void statement_end (Statement *statement); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Statement, statement_end)

/* The first column of the first row; `otherwise` when there is none or on an error (which is logged). */
gint64 database_integer (Database *database, gint64 otherwise, const char *sql, const char *types, ...);

/* The same for who must know that it could not be read; 0 when there is none. */
gboolean database_read_integer (Database *database, gint64 *value, const char *sql, GError **error);

/* Whether the disk was full for a statement since this was last asked. */
gboolean database_found_full (Database *database);

gint64 database_last_rowid (Database *database);
gint64 database_changes (Database *database);
gint64 database_total_changes (Database *database); /* rows changed since it was opened */
sqlite3 *database_handle (Database *database);
