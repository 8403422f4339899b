#include "pipelines/rtsp/rtsp_listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/core/error.h"

enum { BACKLOG = 1024 };

/* "host:port" or "[host]:port" */
static gboolean split_address (const char *address, char **host, char **port)
{
  const char *colon = strrchr (address, ':');
  if (colon == NULL || colon == address)
    return FALSE;
  gboolean has_brackets = *address == '[' && colon[-1] == ']';
  *host = has_brackets ? g_strndup (address + 1, (gsize) (colon - address - 2)) : g_strndup (address, (gsize) (colon - address));
  *port = g_strdup (colon + 1);
  return TRUE;
}

static int listen_on (const struct addrinfo *address)
{
  int on = 1;
  int fd = socket (address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -1;
  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->ai_family == AF_INET6)
    setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind (fd, address->ai_addr, address->ai_addrlen) == 0 && listen (fd, BACKLOG) == 0)
    return fd;
  int problem = errno;
  close (fd);
  errno = problem;
  return -1;
}

static guint open_all (const char *host, const char *port, int fds[RTSP_LISTENER_FDS])
{
  struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *addresses = NULL;
  guint count = 0;
  if (getaddrinfo (host, port, &hints, &addresses) != 0) {
    errno = EADDRNOTAVAIL;
    return 0;
  }
  for (struct addrinfo *address = addresses; address != NULL && count < RTSP_LISTENER_FDS; address = address->ai_next) {
    int fd = listen_on (address);
    if (fd >= 0)
      fds[count++] = fd;
  }
  freeaddrinfo (addresses);
  return count;
}

guint16 rtsp_listener_port (int fd)
{
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  char port[NI_MAXSERV] = "0";
  if (getsockname (fd, (struct sockaddr *) &address, &size) == 0)
    getnameinfo ((struct sockaddr *) &address, size, NULL, 0, port, sizeof port, NI_NUMERICSERV);
  return (guint16) g_ascii_strtoull (port, NULL, 10);
}

guint rtsp_listener_open (const char *address, int fds[RTSP_LISTENER_FDS], GError **error)
{
  g_autofree char *host = NULL, *port = NULL;
  if (!split_address (address, &host, &port)) {
    error_set (error, ERROR_RECONFIGURE, "%s is no address to listen on: write host:port", address);
    return 0;
  }
  guint count = open_all (host, port, fds);
  if (count == 0)
    error_set_errno (error, errno, "cannot listen on %s", address);
  return count;
}
