#include "tests/bench/bench_process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000, END_MS = 20000, POLL_MS = 10 };

pid_t bench_spawn (const char *const *arguments, const char *output)
{
  pid_t pid = fork ();
  if (pid != 0)
    return pid;
  int fd = open (output != NULL ? output : "/dev/null", O_WRONLY | O_CREAT | O_APPEND, 0600);
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  dup2 (open ("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2 (fd, STDOUT_FILENO);
  dup2 (fd, STDERR_FILENO);
  execvp (arguments[0], (char *const *) arguments);
  _exit (127);
}

void bench_stop (pid_t pid)
{
  if (pid <= 0)
    return;
  kill (pid, SIGTERM);
  for (int waited = 0; waitpid (pid, NULL, WNOHANG) == 0; waited += POLL_MS) {
    if (waited == END_MS)
      kill (pid, SIGKILL);
    g_usleep (POLL_MS * 1000);
  }
}

static char *read_file (pid_t pid, const char *name)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", pid, name);
  char *text = NULL;
  return g_file_get_contents (path, &text, NULL, NULL) ? text : g_strdup ("");
}

/* Calls nothing for a process that is gone. Returns how many threads there are. */
static guint each_thread (pid_t pid, gint64 *cpu_ns)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/task", pid);
  g_autoptr (GDir) tasks = g_dir_open (path, 0, NULL);
  guint count = 0;
  for (const char *task; tasks != NULL && (task = g_dir_read_name (tasks)) != NULL; count++) {
    g_autofree char *name = g_strdup_printf ("task/%s/schedstat", task);
    g_autofree char *text = read_file (pid, name);
    *cpu_ns += g_ascii_strtoll (text, NULL, 10);
  }
  return count;
}

gint64 bench_cpu_ns (pid_t pid)
{
  gint64 cpu_ns = 0;
  each_thread (pid, &cpu_ns);
  return cpu_ns;
}

guint bench_threads (pid_t pid)
{
  gint64 cpu_ns = 0;
  return each_thread (pid, &cpu_ns);
}

gint64 bench_resident_bytes (pid_t pid)
{
  g_autofree char *text = read_file (pid, "statm");
  const char *resident = strchr (text, ' ');
  return resident != NULL ? g_ascii_strtoll (resident, NULL, 10) * sysconf (_SC_PAGESIZE) : 0;
}

gint64 bench_written_bytes (pid_t pid)
{
  g_autofree char *text = read_file (pid, "io");
  const char *written = strstr (text, "\nwrite_bytes: ");
  return written != NULL ? g_ascii_strtoll (written + strlen ("\nwrite_bytes: "), NULL, 10) : 0;
}

gboolean bench_reach (const gint *value, guint wanted)
{
  for (guint waited = 0; (guint) g_atomic_int_get (value) != wanted; waited += POLL_MS) {
    if (waited > PATIENCE_MS)
      return FALSE;
    g_usleep (POLL_MS * 1000);
  }
  return TRUE;
}

void bench_wait_for (const gint *value, guint wanted, const char *what)
{
  if (bench_reach (value, wanted))
    return;
  fprintf (stderr, "bench: %d of %u %s after %d s\n", g_atomic_int_get (value), wanted, what, PATIENCE_MS / 1000);
  exit (EXIT_FAILURE);
}

static int compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return x < y ? -1 : x > y;
}

double bench_quantile (double *values, guint count, double part)
{
  if (count == 0)
    return 0;
  qsort (values, count, sizeof *values, compare_doubles);
  return values[MIN ((guint) (part * count), count - 1)];
}

double bench_median (double *values, guint count)
{
  return bench_quantile (values, count, 0.5);
}

char *bench_folder (void)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  return g_path_get_dirname (self);
}

char *bench_program (const char *name)
{
  g_autofree char *folder = bench_folder ();
  return g_build_filename (folder, "..", "..", name, NULL);
}
