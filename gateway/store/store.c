#include "gateway/store/store.h"

#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "gateway/core/log.h"
#include "gateway/core/queue.h"
#include "gateway/store/reserve.h"
#include "gateway/store/schema.h"

enum {
  QUEUE_JOBS = 65536,
  GROUP_JOBS = 512,
  RESERVE_CHECK_US = 60 * G_USEC_PER_SEC,
  TIMER_RETRY_US = G_USEC_PER_SEC,
  ROOM_CHECK_US = 5 * G_USEC_PER_SEC, /* while the disk is full */
};

typedef struct {
  StoreJob job;
  StoreDone done;
  gpointer data;
  gboolean is_timer;
  GError *error; /* of the job itself */
} Job;

typedef struct {
  StoreHook hook;
  gpointer data;
  GDestroyNotify free_data;
} AfterCommit;

typedef struct {
  StoreReload reload;
  gpointer data;
} Rollback;

typedef struct {
  StoreJob job;
  gpointer data;
  gint64 at_us;
} Timer;

struct Store {
  Clock *clock;
  char *data_dir, *path;
  Database *database;
  Reserve *reserve;
  gint64 reserve_checked_us;
  gint is_full; /* atomic */
  Queue *jobs;
  GThread *thread;
  GArray *after_commit; /* of AfterCommit, of the open transaction */
  GArray *rollbacks;    /* of Rollback */
  GArray *timers;       /* of Timer */
  GMutex mutex; /* over what follows */
  guint64 commits;
  double commit_seconds, last_commit_seconds;
};

/* A thread's connections, by store: a process has one store, a test may have several in turn. */
static void readers_free (gpointer readers)
{
  g_hash_table_unref (readers);
}
static GPrivate readers_of_thread = G_PRIVATE_INIT (readers_free);

static void run_after_commit (Store *store, gboolean committed)
{
  g_autoptr (GArray) hooks = g_steal_pointer (&store->after_commit);
  store->after_commit = g_array_new (FALSE, FALSE, sizeof (AfterCommit));
  for (guint i = 0; i < hooks->len; i++) {
    AfterCommit *after = &g_array_index (hooks, AfterCommit, i);
    if (committed)
      after->hook (after->data);
    if (after->free_data != NULL)
      after->free_data (after->data);
  }
}

static void drop_after_commit (Store *store, guint from)
{
  for (guint i = from; i < store->after_commit->len; i++) {
    AfterCommit *after = &g_array_index (store->after_commit, AfterCommit, i);
    if (after->free_data != NULL)
      after->free_data (after->data);
  }
  g_array_set_size (store->after_commit, from);
}

static void run_rollbacks (Store *store)
{
  for (guint i = 0; i < store->rollbacks->len; i++) {
    Rollback *rollback = &g_array_index (store->rollbacks, Rollback, i);
    g_autoptr (GError) error = NULL;
    if (!rollback->reload (store->database, rollback->data, &error))
      log_error ("store: could not load a module's state again: %s", error->message);
  }
}

/* What found the disk full has failed, what comes after it finds the reserve's space. */
void store_note_full (Store *store)
{
  g_atomic_int_set (&store->is_full, TRUE);
  if (reserve_release (store->reserve))
    log_error ("the disk that holds %s is full: alerts go on from the reserve, free some space now", store->data_dir);
  store->reserve_checked_us = g_get_monotonic_time ();
}

static void look_for_room (Store *store)
{
  gint64 now = g_get_monotonic_time ();
  if (now - store->reserve_checked_us <= (store_is_full (store) ? ROOM_CHECK_US : RESERVE_CHECK_US))
    return;
  reserve_restore (store->reserve);
  store->reserve_checked_us = now;
  if (reserve_is_set_aside (store->reserve) && g_atomic_int_compare_and_exchange (&store->is_full, TRUE, FALSE))
    log_notice ("the disk that holds %s has room again", store->data_dir);
}

static void look_after_reserve (Store *store)
{
  if (database_found_full (store->database))
    store_note_full (store);
  else
    look_for_room (store);
}

gboolean store_is_full (Store *store)
{
  return g_atomic_int_get (&store->is_full);
}

/* It couldn't even begin. */
static void put_off (Store *store, const Job *job)
{
  if (job->is_timer)
    store_set_timer (store, job->job, job->data, clock_monotonic_us (store->clock) + TIMER_RETRY_US);
}

static void run_job (Store *store, Job *job)
{
  guint hooks = store->after_commit->len;
  if (!database_script (store->database, "SAVEPOINT job", &job->error)) {
    put_off (store, job);
    run_rollbacks (store);
    return;
  }
  if (job->job (store->database, job->data, &job->error)) {
    database_script (store->database, "RELEASE job", &job->error);
    return;
  }
  look_after_reserve (store);
  if (job->error == NULL)
    error_set (&job->error, ERROR_GIVE_UP, "a job failed without saying why");
  drop_after_commit (store, hooks);
  database_script (store->database, "ROLLBACK TO job; RELEASE job", NULL);
  run_rollbacks (store);
}

static gboolean commit (Store *store, GError **error)
{
  gint64 start = g_get_monotonic_time ();
  if (!database_script (store->database, "COMMIT", error)) {
    look_after_reserve (store);
    database_script (store->database, "ROLLBACK", NULL);
    return FALSE;
  }
  double seconds = (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC;
  g_mutex_lock (&store->mutex);
  store->commits++;
  store->commit_seconds += seconds;
  store->last_commit_seconds = seconds;
  g_mutex_unlock (&store->mutex);
  return TRUE;
}

/* Calls back the jobs from `from` up to `end`; `error` is of their transaction, NULL when it is on disk. */
static void finish_jobs (GPtrArray *group, guint from, guint end, const GError *error)
{
  for (guint i = from; i < end; i++) {
    Job *job = group->pdata[i];
    if (job->done != NULL)
      job->done (job->data, job->error != NULL ? job->error : error);
    g_clear_error (&job->error);
    g_free (job);
  }
}

/* Runs jobs in one transaction; returns how far it came. A full disk may make SQLite roll back the whole transaction under
 * a job: those after it would commit one by one while all are told that they failed, so they get a transaction anew. */
static guint run_transaction (Store *store, GPtrArray *group, guint from)
{
  g_autoptr (GError) error = NULL;
  guint end = group->len;
  look_after_reserve (store);
  gboolean committed = database_script (store->database, "BEGIN IMMEDIATE", &error);
  if (committed) {
    gboolean is_whole = TRUE;
    for (end = from; end < group->len && is_whole; is_whole = sqlite3_get_autocommit (database_handle (store->database)) == 0)
      run_job (store, group->pdata[end++]);
    committed = is_whole ? commit (store, &error)
                         : error_set (&error, ERROR_RETRY, "the whole transaction was rolled back under a job that failed");
  } else {
    for (guint i = from; i < end; i++)
      put_off (store, group->pdata[i]);
  }
  if (!committed) {
    run_rollbacks (store);
    log_limited (LOG_LEVEL_ERROR, "store: nothing could be written: %s", error->message);
  }
  run_after_commit (store, committed);
  finish_jobs (group, from, end, error);
  return end;
}

static void run_group (Store *store, GPtrArray *group)
{
  for (guint next = 0; next < group->len;)
    next = run_transaction (store, group, next);
}

static Timer *timer_next (Store *store)
{
  Timer *next = NULL;
  for (guint i = 0; i < store->timers->len; i++) {
    Timer *timer = &g_array_index (store->timers, Timer, i);
    if (next == NULL || timer->at_us < next->at_us)
      next = timer;
  }
  return next;
}

static void take_due_timers (Store *store, GPtrArray *group)
{
  gint64 now = clock_monotonic_us (store->clock);
  for (guint i = store->timers->len; i-- > 0;) {
    Timer timer = g_array_index (store->timers, Timer, i);
    if (timer.at_us > now)
      continue;
    g_array_remove_index_fast (store->timers, i);
    Job *job = g_new0 (Job, 1);
    job->job = timer.job;
    job->data = timer.data;
    job->is_timer = TRUE;
    g_ptr_array_add (group, job);
  }
}

static gint64 wait_us (Store *store)
{
  Timer *next = timer_next (store);
  if (next == NULL)
    return -1;
  gint64 wait = next->at_us - clock_monotonic_us (store->clock);
  return CLAMP (wait, 0, 3600 * G_TIME_SPAN_SECOND);
}

static gpointer store_thread (gpointer data)
{
  Store *store = data;
  g_autoptr (GPtrArray) group = g_ptr_array_new ();
  for (;;) {
    Job *job = queue_pop (store->jobs, wait_us (store));
    gboolean stop = FALSE;
    for (; job != NULL; job = group->len < GROUP_JOBS ? queue_pop (store->jobs, 0) : NULL) {
      if (job->job == NULL) {
        stop = TRUE;
        g_free (job);
        break;
      }
      g_ptr_array_add (group, job);
    }
    if (!stop)
      take_due_timers (store, group);
    if (group->len > 0)
      run_group (store, group);
    g_ptr_array_set_size (group, 0);
    if (stop)
      return NULL;
  }
}

Store *store_open (const char *data_dir, Clock *clock, GError **error)
{
  Store *store = g_new0 (Store, 1);
  g_mutex_init (&store->mutex);
  store->clock = clock;
  store->data_dir = g_strdup (data_dir);
  store->path = g_build_filename (data_dir, "gridgate.db", NULL);
  store->after_commit = g_array_new (FALSE, FALSE, sizeof (AfterCommit));
  store->rollbacks = g_array_new (FALSE, FALSE, sizeof (Rollback));
  store->timers = g_array_new (FALSE, FALSE, sizeof (Timer));
  store->jobs = queue_new (QUEUE_JOBS, 0, g_free);
  if (folder_make (data_dir, error)) {
    store->reserve = reserve_new (data_dir);
    store->is_full = !reserve_is_set_aside (store->reserve);
    store->database = database_open (store->path, DATABASE_WRITER, error);
  }
  if (store->database == NULL || !schema_migrate (store->database, error)) {
    store_close (store);
    return NULL;
  }
  store->thread = g_thread_new ("store", store_thread, store);
  return store;
}

gboolean store_submit (Store *store, StoreJob job, StoreDone done, gpointer data)
{
  Job *one = g_new0 (Job, 1);
  one->job = job;
  one->done = done;
  one->data = data;
  if (queue_push (store->jobs, one, 0))
    return TRUE;
  g_free (one);
  return FALSE;
}

typedef struct {
  StoreJob job;
  gpointer data;
  GMutex mutex;
  GCond finished;
  gboolean is_finished;
  GError *error;
} Waiting;

static gboolean run_waiting (Database *database, gpointer data, GError **error)
{
  Waiting *waiting = data;
  return waiting->job (database, waiting->data, error);
}

static void finish_waiting (gpointer data, const GError *error)
{
  Waiting *waiting = data;
  g_mutex_lock (&waiting->mutex);
  waiting->error = error != NULL ? g_error_copy (error) : NULL;
  waiting->is_finished = TRUE;
  g_cond_signal (&waiting->finished);
  g_mutex_unlock (&waiting->mutex);
}

gboolean store_run (Store *store, StoreJob job, gpointer data, GError **error)
{
  Waiting waiting = { .job = job, .data = data };
  g_mutex_init (&waiting.mutex);
  g_cond_init (&waiting.finished);
  if (store_submit (store, run_waiting, finish_waiting, &waiting)) {
    g_mutex_lock (&waiting.mutex);
    while (!waiting.is_finished)
      g_cond_wait (&waiting.finished, &waiting.mutex);
    g_mutex_unlock (&waiting.mutex);
  } else {
    error_set (&waiting.error, ERROR_RETRY, "the store takes no more work now");
  }
  g_cond_clear (&waiting.finished);
  g_mutex_clear (&waiting.mutex);
  if (waiting.error == NULL)
    return TRUE;
  g_propagate_error (error, waiting.error);
  return FALSE;
}

void store_after_commit (Store *store, StoreHook hook, gpointer data, GDestroyNotify free_data)
{
  AfterCommit after = { hook, data, free_data };
  g_array_append_val (store->after_commit, after);
}

void store_add_rollback (Store *store, StoreReload reload, gpointer data)
{
  Rollback rollback = { reload, data };
  g_array_append_val (store->rollbacks, rollback);
}

void store_set_timer (Store *store, StoreJob job, gpointer data, gint64 monotonic_us)
{
  for (guint i = 0; i < store->timers->len; i++) {
    Timer *timer = &g_array_index (store->timers, Timer, i);
    if (timer->job != job || timer->data != data)
      continue;
    if (monotonic_us == G_MAXINT64)
      g_array_remove_index_fast (store->timers, i);
    else
      timer->at_us = monotonic_us;
    return;
  }
  Timer timer = { job, data, monotonic_us };
  if (monotonic_us != G_MAXINT64)
    g_array_append_val (store->timers, timer);
}

Database *store_reader (Store *store, GError **error)
{
  GHashTable *readers = g_private_get (&readers_of_thread);
  if (readers == NULL) {
    readers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) database_close);
    g_private_set (&readers_of_thread, readers);
  }
  Database *reader = g_hash_table_lookup (readers, store->path);
  if (reader == NULL) {
    reader = database_open (store->path, DATABASE_READER, error);
    if (reader != NULL)
      g_hash_table_insert (readers, g_strdup (store->path), reader);
  }
  return reader;
}

Clock *store_clock (Store *store)
{
  return store->clock;
}

const char *store_data_dir (Store *store)
{
  return store->data_dir;
}

void store_commit_times (Store *store, guint64 *count, double *sum_seconds, double *last_seconds)
{
  g_mutex_lock (&store->mutex);
  *count = store->commits;
  *sum_seconds = store->commit_seconds;
  *last_seconds = store->last_commit_seconds;
  g_mutex_unlock (&store->mutex);
}

void store_close (Store *store)
{
  if (store == NULL)
    return;
  if (store->thread != NULL) {
    while (!store_submit (store, NULL, NULL, NULL))
      g_thread_yield ();
    queue_close (store->jobs);
    g_thread_join (store->thread);
  }
  queue_free (store->jobs);
  database_close (store->database);
  reserve_free (store->reserve);
  g_array_unref (store->timers);
  g_array_unref (store->rollbacks);
  g_array_unref (store->after_commit);
  g_mutex_clear (&store->mutex);
  g_free (store->path);
  g_free (store->data_dir);
  g_free (store);
}
