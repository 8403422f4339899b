/* ThreadSanitizer's view of GLib. Debian's GLib isn't instrumented, and its locks are futexes of its own, so that the sanitizer
 * sees no order between threads that take turns by them, and calls every exchange a race. In a build with -Db_sanitize=thread
 * these stand before GLib's functions of the same names, tell the sanitizer what is locked, published and fetched, and call
 * GLib. Not covered, for it isn't used between threads here: GRecMutex, GRWLock, GAsyncQueue. */
#include <dlfcn.h>
#include <glib.h>
#include <sanitizer/tsan_interface.h>

#define MUTEX __tsan_mutex_linker_init /* made wherever it is first seen */

/* GLib's own function behind the one in which this stands. */
#define REAL(name) ((__typeof__ (&name)) real (&place_of_##name, #name))
#define PLACE(name) static gpointer place_of_##name

static gpointer real (gpointer *place, const char *name)
{
  gpointer found = __atomic_load_n (place, __ATOMIC_RELAXED);
  if (found == NULL) {
    found = dlsym (RTLD_NEXT, name);
    __atomic_store_n (place, found, __ATOMIC_RELAXED);
  }
  return found;
}

/* ---- locks ---- */

PLACE (g_mutex_lock);
PLACE (g_mutex_trylock);
PLACE (g_mutex_unlock);
PLACE (g_mutex_clear);
PLACE (g_cond_wait);
PLACE (g_cond_wait_until);

void g_mutex_lock (GMutex *mutex)
{
  __tsan_mutex_pre_lock (mutex, MUTEX);
  REAL (g_mutex_lock) (mutex);
  __tsan_mutex_post_lock (mutex, MUTEX, 0);
}

gboolean g_mutex_trylock (GMutex *mutex)
{
  __tsan_mutex_pre_lock (mutex, MUTEX | __tsan_mutex_try_lock);
  gboolean is_locked = REAL (g_mutex_trylock) (mutex);
  __tsan_mutex_post_lock (mutex, MUTEX | __tsan_mutex_try_lock | (is_locked ? 0 : __tsan_mutex_try_lock_failed), 0);
  return is_locked;
}

static void tell_unlock (GMutex *mutex)
{
  __tsan_mutex_pre_unlock (mutex, MUTEX);
  __tsan_mutex_post_unlock (mutex, MUTEX);
}

void g_mutex_unlock (GMutex *mutex)
{
  tell_unlock (mutex); /* before another can have it */
  REAL (g_mutex_unlock) (mutex);
}

void g_mutex_clear (GMutex *mutex)
{
  __tsan_mutex_destroy (mutex, MUTEX);
  REAL (g_mutex_clear) (mutex);
}

/* Waiting lets go of the lock inside of GLib, where nobody sees it. */
static void tell_relock (GMutex *mutex)
{
  __tsan_mutex_pre_lock (mutex, MUTEX);
  __tsan_mutex_post_lock (mutex, MUTEX, 0);
}

void g_cond_wait (GCond *condition, GMutex *mutex)
{
  tell_unlock (mutex);
  REAL (g_cond_wait) (condition, mutex);
  tell_relock (mutex);
}

gboolean g_cond_wait_until (GCond *condition, GMutex *mutex, gint64 end_us)
{
  tell_unlock (mutex);
  gboolean is_signalled = REAL (g_cond_wait_until) (condition, mutex, end_us);
  tell_relock (mutex);
  return is_signalled;
}

/* ---- what is published once, or given from hand to hand ---- */

PLACE (g_once_init_leave);
PLACE (g_bytes_unref);

void (g_once_init_leave) (volatile void *location, gsize result)
{
  ((void (*) (volatile void *, gsize)) real (&place_of_g_once_init_leave, "g_once_init_leave")) (location, result);
  __atomic_store_n ((volatile gsize *) location, result, __ATOMIC_RELEASE);
}

void g_bytes_unref (GBytes *bytes)
{
  if (bytes != NULL) {
    __tsan_acquire (bytes); /* the last to let go frees what all others have read */
    __tsan_release (bytes);
  }
  REAL (g_bytes_unref) (bytes);
}

/* ---- callbacks that another thread's main context runs ---- */

typedef struct {
  GSourceFunc function;
  gpointer data;
  GDestroyNotify notify;
} Callback;

PLACE (g_source_attach);
PLACE (g_source_set_callback);

static gboolean run_callback (gpointer data)
{
  Callback *callback = data;
  __tsan_acquire (callback);
  __tsan_acquire (g_main_current_source ());
  return callback->function (callback->data);
}

static void free_callback (gpointer data)
{
  Callback *callback = data;
  __tsan_acquire (callback);
  if (callback->notify != NULL)
    callback->notify (callback->data);
  g_free (callback);
}

static Callback *callback_new (GSourceFunc function, gpointer data, GDestroyNotify notify)
{
  Callback *callback = g_new (Callback, 1);
  *callback = (Callback){ function, data, notify };
  __tsan_release (callback);
  return callback;
}

/* Other sources call functions of other shapes: they are made where they run. */
void g_source_set_callback (GSource *source, GSourceFunc function, gpointer data, GDestroyNotify notify)
{
  if (source->source_funcs == &g_idle_funcs || source->source_funcs == &g_timeout_funcs)
    REAL (g_source_set_callback) (source, run_callback, callback_new (function, data, notify), free_callback);
  else
    REAL (g_source_set_callback) (source, function, data, notify);
}

guint g_source_attach (GSource *source, GMainContext *context)
{
  __tsan_release (source); /* all that was made for it */
  return REAL (g_source_attach) (source, context);
}

/* What GLib makes inside of these is handed over, too: so they are put together here. */
static guint attach (GSource *source, GMainContext *context, gint priority, GSourceFunc function, gpointer data,
                     GDestroyNotify notify)
{
  g_source_set_priority (source, priority);
  g_source_set_callback (source, function, data, notify);
  guint id = g_source_attach (source, context);
  g_source_unref (source);
  return id;
}

guint g_timeout_add_full (gint priority, guint interval_ms, GSourceFunc function, gpointer data, GDestroyNotify notify)
{
  return attach (g_timeout_source_new (interval_ms), NULL, priority, function, data, notify);
}

guint g_timeout_add (guint interval_ms, GSourceFunc function, gpointer data)
{
  return g_timeout_add_full (G_PRIORITY_DEFAULT, interval_ms, function, data, NULL);
}

guint g_idle_add_full (gint priority, GSourceFunc function, gpointer data, GDestroyNotify notify)
{
  return attach (g_idle_source_new (), NULL, priority, function, data, notify);
}

guint g_idle_add (GSourceFunc function, gpointer data)
{
  return g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, function, data, NULL);
}

void g_main_context_invoke_full (GMainContext *context, gint priority, GSourceFunc function, gpointer data,
                                 GDestroyNotify notify)
{
  if (!g_main_context_is_owner (context != NULL ? context : g_main_context_default ())) {
    attach (g_idle_source_new (), context, priority, function, data, notify);
    return;
  }
  while (function (data))
    ;
  if (notify != NULL)
    notify (data);
}

void g_main_context_invoke (GMainContext *context, GSourceFunc function, gpointer data)
{
  g_main_context_invoke_full (context, G_PRIORITY_DEFAULT, function, data, NULL);
}

/* ---- thread pools ---- */

typedef struct {
  GFunc function;
  gpointer user_data;
} Pool;

PLACE (g_thread_pool_new);
PLACE (g_thread_pool_push);
PLACE (g_thread_pool_free);
static char pools; /* stands for all: a pool itself is freed by its last thread */
static char tasks; /* that were done */

static void run_task (gpointer task, gpointer data)
{
  Pool *pool = data;
  __tsan_acquire (&pools);
  pool->function (task, pool->user_data);
  __tsan_release (&tasks);
}

/* The little that a pool keeps here stays until the process ends. */
GThreadPool *g_thread_pool_new (GFunc function, gpointer user_data, gint threads_max, gboolean is_exclusive, GError **error)
{
  Pool *pool = g_new (Pool, 1);
  *pool = (Pool){ function, user_data };
  __tsan_release (&pools);
  return REAL (g_thread_pool_new) (run_task, pool, threads_max, is_exclusive, error);
}

gboolean g_thread_pool_push (GThreadPool *pool, gpointer task, GError **error)
{
  __tsan_release (&pools);
  return REAL (g_thread_pool_push) (pool, task, error);
}

void g_thread_pool_free (GThreadPool *pool, gboolean is_immediate, gboolean waits)
{
  REAL (g_thread_pool_free) (pool, is_immediate, waits);
  if (waits)
    __tsan_acquire (&tasks);
}

/* ---- reference counts ---- */

PLACE (g_ptr_array_unref);

/* Whoever lets go last frees what the others have read. */
void g_ptr_array_unref (GPtrArray *array)
{
  __tsan_release (array);
  __tsan_acquire (array);
  REAL (g_ptr_array_unref) (array);
}
