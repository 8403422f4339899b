#include "gateway/access/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"

enum { REQUEST_BYTES = 16 * 1024, ANSWER_BYTES = 4 * 1024 * 1024, PATIENCE_S = 10, ANSWER_PATIENCE_S = 60 };

struct Control {
  Access *access;
  char *path;
  int listen_fd, stop_fd;
  GThread *thread;
};

static gboolean address_of (const char *path, struct sockaddr_un *address, GError **error)
{
  *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
  if (g_strlcpy (address->sun_path, path, sizeof address->sun_path) >= sizeof address->sun_path)
    return error_set (error, ERROR_RECONFIGURE, "%s is too long for a socket: choose a shorter runtime_dir", path);
  return TRUE;
}

static void set_patience (int fd, int seconds)
{
  struct timeval wait = { .tv_sec = seconds };
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
}

/* One JSON object, up to a newline or the end. NULL when it is none or too long. */
static json_t *read_object (int fd, gsize limit)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  guint8 block[4096];
  while (bytes->len < limit && (bytes->len == 0 || bytes->data[bytes->len - 1] != '\n')) {
    gssize got = read (fd, block, sizeof block);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    g_byte_array_append (bytes, block, (guint) got);
  }
  return json_loadb ((const char *) bytes->data, bytes->len, JSON_REJECT_DUPLICATES, NULL);
}

static gboolean write_object (int fd, json_t *object)
{
  char *text = json_dumps (object, JSON_COMPACT);
  g_autofree char *line = g_strconcat (text != NULL ? text : "null", "\n", NULL);
  free (text);
  for (gsize sent = 0, size = strlen (line); sent < size;) {
    gssize now = send (fd, line + sent, size - sent, MSG_NOSIGNAL);
    if (now < 0 && errno == EINTR)
      continue;
    if (now <= 0)
      return FALSE;
    sent += (gsize) now;
  }
  return TRUE;
}

static void serve (Control *control, int fd)
{
  set_patience (fd, PATIENCE_S);
  json_t *request = read_object (fd, REQUEST_BYTES);
  json_t *answer = json_is_object (request) ? control_execute (control->access, request)
                                            : json_pack ("{s:i, s:s}", "exit", 1, "error", "no JSON object came");
  write_object (fd, answer);
  json_decref (answer);
  json_decref (request);
}

static gpointer control_thread (gpointer data)
{
  Control *control = data;
  struct pollfd fds[] = { { control->listen_fd, POLLIN, 0 }, { control->stop_fd, POLLIN, 0 } };
  for (;;) {
    if (poll (fds, G_N_ELEMENTS (fds), -1) < 0 && errno != EINTR)
      return NULL;
    if (fds[1].revents != 0)
      return NULL;
    int fd = fds[0].revents != 0 ? accept4 (control->listen_fd, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (fd < 0)
      continue;
    serve (control, fd);
    close (fd);
  }
}

static gboolean listen_at (Control *control, GError **error)
{
  struct sockaddr_un address;
  if (!address_of (control->path, &address, error))
    return FALSE;
  control->listen_fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  unlink (control->path); /* of a gateway that was killed: whoever runs now holds the data folder's lock */
  fchmod (control->listen_fd, 0600); /* before bind: the socket is never open to others */
  if (control->listen_fd < 0 || bind (control->listen_fd, (struct sockaddr *) &address, sizeof address) < 0
      || chmod (control->path, 0600) < 0 || listen (control->listen_fd, 8) < 0)
    return error_set_errno (error, errno, "cannot listen at %s", control->path);
  return TRUE;
}

Control *control_new (Access *access, const char *runtime_dir, GError **error)
{
  Control *control = g_new0 (Control, 1);
  control->access = access;
  control->path = g_build_filename (runtime_dir, "control.sock", NULL);
  control->stop_fd = eventfd (0, EFD_CLOEXEC);
  control->listen_fd = -1;
  if (!listen_at (control, error)) {
    control_free (control);
    return NULL;
  }
  control->thread = g_thread_new ("control", control_thread, control);
  return control;
}

json_t *control_call (const char *runtime_dir, json_t *request, GError **error)
{
  g_autofree char *path = g_build_filename (runtime_dir, "control.sock", NULL);
  struct sockaddr_un address;
  if (!address_of (path, &address, error))
    return NULL;
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect (fd, (struct sockaddr *) &address, sizeof address) < 0) {
    error_set (error, errno == EACCES || errno == EPERM ? ERROR_REFUSE : ERROR_RETRY, "no gateway answers at %s: %s", path,
               g_strerror (errno));
    if (fd >= 0)
      close (fd);
    return NULL;
  }
  set_patience (fd, ANSWER_PATIENCE_S);
  json_t *answer = write_object (fd, request) ? read_object (fd, ANSWER_BYTES) : NULL;
  close (fd);
  if (answer == NULL)
    error_set (error, ERROR_GIVE_UP, "the gateway at %s did not answer", path);
  return answer;
}

void control_free (Control *control)
{
  if (control == NULL)
    return;
  if (control->thread != NULL) {
    guint64 one = 1;
    if (write (control->stop_fd, &one, sizeof one) < 0)
      log_error ("control: %s", g_strerror (errno));
    g_thread_join (control->thread);
  }
  if (control->listen_fd >= 0) {
    close (control->listen_fd);
    unlink (control->path);
  }
  close (control->stop_fd);
  g_free (control->path);
  g_free (control);
}
