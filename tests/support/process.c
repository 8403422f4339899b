#include "tests/support/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/test.h"

struct Process {
  char *name, *output_path;
  pid_t pid;
  int pidfd, input_fd;
  gboolean has_ended;
  int status;
  gsize seen; /* bytes of output that waits have passed */
};

static void show_and_fail (Process *process, const char *what, const char *text)
{
  g_autofree char *output = process_output (process);
  fail_msg ("%s: %s %s; its output:\n%s", process->name, what, text, output);
}

Process *process_start_with (const char *folder, const char *const *arguments, const char *const *environment)
{
  static int count;
  Process *process = g_new0 (Process, 1);
  process->name = g_path_get_basename (arguments[0]);
  process->output_path = g_strdup_printf ("%s/%s-%d-%d.out", folder, process->name, getpid (), ++count);

  int pipe_fds[2];
  assert_int_equal (pipe2 (pipe_fds, O_CLOEXEC), 0);
  process->input_fd = pipe_fds[1];
  process->pid = fork ();
  if (process->pid == 0) {
    int output = open (process->output_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    prctl (PR_SET_PDEATHSIG, SIGKILL); /* nothing outlives a test that was cut short */
    dup2 (pipe_fds[0], STDIN_FILENO);
    dup2 (output, STDOUT_FILENO);
    dup2 (output, STDERR_FILENO);
    for (const char *const *pair = environment; pair != NULL && *pair != NULL; pair++)
      putenv ((char *) *pair);
    execvp (arguments[0], (char *const *) arguments);
    dprintf (STDERR_FILENO, "cannot run %s: %s\n", arguments[0], strerror (errno));
    _exit (127);
  }
  close (pipe_fds[0]);
  assert_true (process->pid > 0);
  process->pidfd = (int) syscall (SYS_pidfd_open, process->pid, 0);
  assert_true (process->pidfd >= 0);
  return process;
}

Process *process_start (const char *folder, const char *const *arguments)
{
  return process_start_with (folder, arguments, NULL);
}

pid_t process_pid (const Process *process)
{
  return process->pid;
}

char *process_output (Process *process)
{
  char *text = NULL;
  return g_file_get_contents (process->output_path, &text, NULL, NULL) ? text : g_strdup ("");
}

static char *line_around (const char *text, const char *at, gsize length)
{
  const char *start = at;
  while (start > text && start[-1] != '\n')
    start--;
  const char *end = strchr (at + length, '\n');
  return end != NULL ? g_strndup (start, (gsize) (end - start)) : NULL;
}

/* The line once it is whole, and moves on behind it. */
static char *take_line (Process *process, const char *text)
{
  g_autofree char *output = process_output (process);
  if (strlen (output) < process->seen)
    return NULL;
  const char *found = strstr (output + process->seen, text);
  char *line = found != NULL ? line_around (output, found, strlen (text)) : NULL;
  if (line != NULL)
    process->seen = (gsize) (found - output) + strlen (text);
  return line;
}

char *process_wait_for (Process *process, const char *text, int seconds)
{
  gint64 until = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;
  for (;;) {
    gboolean was_running = process_is_running (process);
    char *line = take_line (process, text);
    if (line != NULL)
      return line;
    if (!was_running)
      show_and_fail (process, "ended before it said", text);
    if (g_get_monotonic_time () > until)
      show_and_fail (process, "did not say in time", text);
    struct pollfd entry = { .fd = process->pidfd, .events = POLLIN };
    poll (&entry, 1, 10);
  }
}

gboolean process_has_said (Process *process, const char *text)
{
  g_autofree char *output = process_output (process);
  return strstr (output, text) != NULL;
}

void process_write_line (Process *process, const char *line)
{
  g_autofree char *whole = g_strconcat (line, "\n", NULL);
  assert_int_equal (write (process->input_fd, whole, strlen (whole)), strlen (whole));
}

static void reap (Process *process, int options)
{
  int status;
  if (process->has_ended || waitpid (process->pid, &status, options) != process->pid)
    return;
  process->has_ended = TRUE;
  process->status = WIFSIGNALED (status) ? -WTERMSIG (status) : WEXITSTATUS (status);
}

gboolean process_is_running (Process *process)
{
  reap (process, WNOHANG);
  return !process->has_ended;
}

int process_wait (Process *process, int seconds)
{
  struct pollfd entry = { .fd = process->pidfd, .events = POLLIN };
  if (!process->has_ended && poll (&entry, 1, seconds * 1000) != 1)
    show_and_fail (process, "did not end", "in time");
  reap (process, 0);
  return process->status;
}

int process_end (Process *process, int signal_number, int seconds)
{
  if (process_is_running (process))
    kill (process->pid, signal_number);
  return process_wait (process, seconds);
}

void process_free (Process *process)
{
  if (process == NULL)
    return;
  if (process_is_running (process)) {
    kill (process->pid, SIGKILL);
    reap (process, 0);
  }
  close (process->pidfd);
  if (process->input_fd >= 0)
    close (process->input_fd);
  g_free (process->output_path);
  g_free (process->name);
  g_free (process);
}

int process_run (const char *folder, int seconds, char **output, const char *const *arguments)
{
  g_autoptr (Process) process = process_start (folder, arguments);
  close (process->input_fd); /* it reads the end of its input at once */
  process->input_fd = -1;
  int status = process_wait (process, seconds);
  if (output != NULL)
    *output = process_output (process);
  return status;
}

static int bind_loopback (int port)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((guint16) port),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal (bind (fd, (struct sockaddr *) &address, size), 0);
  assert_int_equal (getsockname (fd, (struct sockaddr *) &address, &size), 0);
  close (fd);
  return ntohs (address.sin_port);
}

int port_free (void)
{
  return bind_loopback (0);
}

static gboolean port_answers (gpointer data)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((guint16) *(int *) data),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  gboolean answers = connect (fd, (struct sockaddr *) &address, sizeof address) == 0;
  close (fd);
  return answers;
}

void port_wait (int port, int seconds)
{
  if (!wait_until (port_answers, &port, seconds))
    fail_msg ("nothing listens on port %d after %d s", port, seconds);
}

char *built_program (const char *name)
{
  return g_build_filename (g_getenv ("GRIDGATE_BUILD_ROOT") ? g_getenv ("GRIDGATE_BUILD_ROOT") : "build", name, NULL);
}

gboolean wait_until (gboolean (*condition) (gpointer data), gpointer data, int seconds)
{
  gint64 until = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;
  while (!condition (data)) {
    if (g_get_monotonic_time () > until)
      return FALSE;
    poll (NULL, 0, 10);
  }
  return TRUE;
}
