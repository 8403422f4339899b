/* Two threads count together: by turns under a lock ("locked"), or just so ("unlocked"), which must be found. A value is handed
 * over through a condition and through a main context, too, and those are no races. */
#include <glib.h>
#include <string.h>

#include "tests/support/test.h"

typedef struct {
  GMutex mutex;
  GCond condition;
  gboolean is_locked, is_given;
  guint count, given, dispatched;
  GMainLoop *loop;
} Shared;

static void count (Shared *shared)
{
  for (guint i = 0; i < 1000; i++) {
    if (shared->is_locked)
      g_mutex_lock (&shared->mutex);
    shared->count++;
    if (shared->is_locked)
      g_mutex_unlock (&shared->mutex);
  }
}

static gboolean quit (gpointer data)
{
  Shared *shared = data;
  shared->dispatched++;
  g_main_loop_quit (shared->loop);
  return G_SOURCE_REMOVE;
}

static gpointer work (gpointer data)
{
  Shared *shared = data;
  count (shared);
  g_mutex_lock (&shared->mutex);
  shared->given = 42;
  shared->is_given = TRUE;
  g_cond_signal (&shared->condition);
  g_mutex_unlock (&shared->mutex);
  shared->dispatched = 1;
  g_idle_add (quit, shared);
  return NULL;
}

int main (int argc, char **argv)
{
  Shared shared = { .is_locked = argc < 2 || strcmp (argv[1], "unlocked") != 0, .loop = g_main_loop_new (NULL, FALSE) };
  g_mutex_init (&shared.mutex);
  g_cond_init (&shared.condition);
  GThread *thread = g_thread_new ("counter", work, &shared);
  count (&shared);
  g_mutex_lock (&shared.mutex);
  while (!shared.is_given)
    g_cond_wait (&shared.condition, &shared.mutex);
  guint given = shared.given;
  g_mutex_unlock (&shared.mutex);
  g_main_loop_run (shared.loop);
  gboolean is_good = given == 42 && shared.dispatched == 2 && (!shared.is_locked || shared.count > 0);
  g_thread_join (thread);
  g_main_loop_unref (shared.loop);
  return is_good ? 0 : 1;
}
