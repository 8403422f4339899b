#include "gateway/workers.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/core/log.h"

enum {
  WORKERS_MAX = 4,
  TURN_MS = 250,
  BACK_OFF_FIRST_US = 250 * 1000, /* a viewer of a camera plays again within 3 s of media's death */
  BACK_OFF_LAST_US = 30 * G_USEC_PER_SEC,
  HEALTHY_US = 60 * G_USEC_PER_SEC, /* having run that long, a worker starts again at once */
  STOP_US = 5 * G_USEC_PER_SEC,
};

typedef struct {
  const WorkerKind *kind;
  Workers *workers;
  GPid child; /* 0: not ours, or not running */
  guint watch;
  gint64 started_us, start_after_us, back_off_us;
} Worker;

struct Workers {
  char *runtime_dir, *folder;
  Worker list[WORKERS_MAX];
  guint count;
  guint timer;
};

static char *folder_of_executable (void)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  return self != NULL ? g_path_get_dirname (self) : g_strdup (".");
}

static void on_ended (GPid pid, gint status, gpointer data)
{
  Worker *worker = data;
  gint64 now = g_get_monotonic_time ();
  g_spawn_close_pid (pid);
  worker->child = 0;
  worker->watch = 0;
  if (now - worker->started_us > HEALTHY_US)
    worker->back_off_us = BACK_OFF_FIRST_US;
  worker->start_after_us = now + worker->back_off_us;
  if (WIFSIGNALED (status))
    log_warning ("%s: killed by signal %d; starting again in %d ms", worker->kind->name, WTERMSIG (status),
                 (int) (worker->back_off_us / 1000));
  else
    log_warning ("%s: ended with status %d; starting again in %d ms", worker->kind->name, WEXITSTATUS (status),
                 (int) (worker->back_off_us / 1000));
  worker->back_off_us = MIN (worker->back_off_us * 2, BACK_OFF_LAST_US);
}

/* A session of its own: Ctrl-C at the terminal reaches gridgate alone, which then ends the others in order. */
static void leave_session (gpointer unused)
{
  (void) unused;
  setsid ();
}

static void start (Worker *worker)
{
  const Workers *workers = worker->workers;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (workers->folder, worker->kind->name, NULL);
  g_auto (GStrv) environment = g_get_environ ();
  environment = g_environ_unsetenv (environment, "NOTIFY_SOCKET");
  environment = g_environ_unsetenv (environment, "WATCHDOG_USEC");
  environment = g_environ_unsetenv (environment, "WATCHDOG_PID");
  char *arguments[] = { path, (char *) "--runtime-dir", workers->runtime_dir, NULL };

  worker->started_us = g_get_monotonic_time ();
  if (!g_spawn_async (NULL, arguments, environment, G_SPAWN_DO_NOT_REAP_CHILD, leave_session, NULL, &worker->child, &error)) {
    worker->child = 0;
    worker->start_after_us = worker->started_us + worker->back_off_us;
    worker->back_off_us = MIN (worker->back_off_us * 2, BACK_OFF_LAST_US);
    log_error ("%s: cannot be started: %s", worker->kind->name, error->message);
    return;
  }
  worker->watch = g_child_watch_add (worker->child, on_ended, worker);
  log_info ("%s: started, process %d", worker->kind->name, worker->child);
}

static gboolean on_turn (gpointer data)
{
  Workers *workers = data;
  for (guint i = 0; i < workers->count; i++) {
    Worker *worker = &workers->list[i];
    if (worker->child == 0 && worker->kind->pid (worker->kind->link) == 0
        && g_get_monotonic_time () >= worker->start_after_us)
      start (worker);
  }
  return G_SOURCE_CONTINUE;
}

Workers *workers_new (const char *runtime_dir, const WorkerKind *kinds)
{
  Workers *workers = g_new0 (Workers, 1);
  workers->runtime_dir = g_strdup (runtime_dir);
  workers->folder = folder_of_executable ();
  for (const WorkerKind *kind = kinds; kind->name != NULL && workers->count < WORKERS_MAX; kind++)
    workers->list[workers->count++] = (Worker){ .kind = kind, .workers = workers, .back_off_us = BACK_OFF_FIRST_US };
  workers->timer = g_timeout_add (TURN_MS, on_turn, workers);
  return workers;
}

/* Whether the process has ended; reaps it when it is our child. */
static gboolean has_ended (pid_t pid, gboolean is_child)
{
  if (is_child)
    return waitpid (pid, NULL, WNOHANG) != 0;
  return kill (pid, 0) < 0 && errno == ESRCH;
}

static void wait_for (pid_t pid, gboolean is_child, gint64 until_us)
{
  while (!has_ended (pid, is_child)) {
    if (g_get_monotonic_time () >= until_us) {
      log_warning ("process %d did not end in time: killing it", pid);
      kill (pid, SIGKILL);
      until_us = G_MAXINT64;
    }
    g_usleep (20 * 1000);
  }
}

void workers_stop (Workers *workers)
{
  if (workers == NULL)
    return;
  pid_t pids[WORKERS_MAX];
  g_source_remove (workers->timer);
  for (guint i = 0; i < workers->count; i++) {
    Worker *worker = &workers->list[i];
    g_clear_handle_id (&worker->watch, g_source_remove);
    pids[i] = worker->child != 0 ? worker->child : worker->kind->pid (worker->kind->link);
    if (pids[i] > 0)
      kill (pids[i], SIGTERM);
  }
  gint64 until_us = g_get_monotonic_time () + STOP_US;
  for (guint i = 0; i < workers->count; i++)
    if (pids[i] > 0)
      wait_for (pids[i], workers->list[i].child != 0, until_us);
  g_free (workers->folder);
  g_free (workers->runtime_dir);
  g_free (workers);
}
