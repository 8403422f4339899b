/* store.h: the main database and the one thread that writes it: the thread that decides.
 *
 * Whatever changes decisions (rule state, alerts, incidents, outbox, accounts, audit) is a job on this thread. Jobs that
 * wait together share one transaction (group commit, synchronous=FULL); each has a savepoint, so that a job that fails
 * takes back only its own rows. A job's `done` runs on this thread once the rows are on disk.
 *
 * Modules may keep what they have written in memory too, but a commit can fail (disk full): then the rollback hooks run,
 * and each such module loads its memory from the database again.
 *
 * Readers use store_reader: a read-only connection of the calling thread's own. Keep reads short. */
#pragma once

#include "gateway/core/clock.h"
#include "gateway/store/database.h"

typedef struct Store Store;

/* Runs on the store's thread inside a transaction. FALSE with `error`: the job's rows are taken back. */
typedef gboolean (*StoreJob) (Database *database, gpointer data, GError **error);

/* Runs on the store's thread after the commit (`error` NULL) or when the job or the commit failed. */
typedef void (*StoreDone) (gpointer data, const GError *error);

typedef void (*StoreHook) (gpointer data);
typedef gboolean (*StoreReload) (Database *database, gpointer data, GError **error);

/* Opens DATA_DIR/gridgate.db, brings its schema up to date, starts the thread. The folder is made. */
Store *store_open (const char *data_dir, Clock *clock, GError **error);

/* thread: any. Queues `job`; `done` may be NULL. FALSE when the store is closing or too many jobs wait: nothing is called. */
gboolean store_submit (Store *store, StoreJob job, StoreDone done, gpointer data);

/* thread: any but the store's. Waits until `job` is on disk. */
gboolean store_run (Store *store, StoreJob job, gpointer data, GError **error);

/* thread: the store's, inside a job: `hook` runs once this transaction is on disk, not at all when it fails. Then
 * `free_data` (may be NULL) runs in either case. For live events. */
void store_after_commit (Store *store, StoreHook hook, gpointer data, GDestroyNotify free_data);

/* Before the first job: `reload` runs on the store's thread after every failed commit or job, also when they could not
 * even begin. */
void store_add_rollback (Store *store, StoreReload reload, gpointer data);

/* thread: the store's. Calls `hook` on the store's thread at `monotonic_us` or soon after, as a job of its own
 * transaction; one timer per (job, data), a second call moves it; G_MAXINT64 removes it. One that could
 * not begin (the database is locked) is tried again after a second. */
void store_set_timer (Store *store, StoreJob job, gpointer data, gint64 monotonic_us);

/* thread: any. A read-only connection that belongs to the calling thread and lives as long as it. NULL with an error. */
Database *store_reader (Store *store, GError **error);

/* thread: the store's. A file of the data folder that isn't the main database found the disk full: the reserve is given up
 * for it, too. */
void store_note_full (Store *store);

/* thread: any. From the first write that found the disk full, or a start without room for the reserve, until there is. */
gboolean store_is_full (Store *store);

Clock *store_clock (Store *store);
const char *store_data_dir (Store *store);

/* Seconds that the last commits took, for metrics: sum and count since the start. thread: any. */
void store_commit_times (Store *store, guint64 *count, double *sum_seconds, double *last_seconds);

/* Refuses new jobs, runs what waits, stops the thread, closes. NULL is taken. */
void store_close (Store *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Store, store_close)
