#include "pipelines/rtsp/rtsp_server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "pipelines/rtsp/rtsp_connection.h"

enum { VIEWERS_MAX_DEFAULT = 1000, CONNECTIONS_BESIDE = 200, BACKLOG = 1024, ACCEPTS_A_TURN = 64, LISTENERS_MAX = 4 };

struct RtspServer {
  RtspServerShared shared;
  RtspServerLoop *loops;
  guint loop_count;
  int listen_fds[LISTENERS_MAX]; /* the first loop's once they are watched */
  LoopWatch *listen_watches[LISTENERS_MAX];
  guint listen_count;
  gboolean is_paused; /* out of descriptors: accept again with the next tick */
  guint16 port;
  GMutex udp_mutex; /* guards udp_ports, which the main thread writes */
  UdpPorts *udp_ports;
};

RtspServerShared *rtsp_server_shared (RtspServer *server)
{
  return &server->shared;
}

RtspServerLoop *rtsp_server_loop (RtspServer *server, Loop *loop)
{
  for (guint i = 0; i < server->loop_count; i++)
    if (server->loops[i].loop == loop)
      return &server->loops[i];
  return NULL;
}

/* ---- accepting ---- */

static void watch_listeners (RtspServer *server, guint32 events)
{
  for (guint i = 0; i < server->listen_count; i++)
    loop_watch_change (server->listen_watches[i], events);
}

static int accept_one (RtspServer *server, int listen_fd, char *host, gsize host_size)
{
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  int fd = accept4 (listen_fd, (struct sockaddr *) &address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      log_limited (LOG_LEVEL_WARNING, "rtsp server: no more connections can be taken: %s", g_strerror (errno));
      server->is_paused = TRUE;
      watch_listeners (server, 0);
    }
    return -1;
  }
  if (getnameinfo ((struct sockaddr *) &address, size, host, (socklen_t) host_size, NULL, 0, NI_NUMERICHOST) != 0)
    g_strlcpy (host, "unknown", host_size);
  return fd;
}

static void accept_from (RtspServer *server, int listen_fd)
{
  char host[NI_MAXHOST];
  for (guint i = 0; i < ACCEPTS_A_TURN; i++) {
    int fd = accept_one (server, listen_fd, host, sizeof host);
    if (fd < 0)
      return;
    gint connections_max = g_atomic_int_get (&server->shared.viewers_max) + CONNECTIONS_BESIDE;
    if (g_atomic_int_get (&server->shared.connections) >= connections_max) {
      log_limited (LOG_LEVEL_WARNING, "rtsp server: over %d connections, %s is turned away", connections_max, host);
      close (fd);
      continue;
    }
    rtsp_connection_open (&server->loops[0], fd, host);
  }
}

static void on_acceptable (guint32 events, gpointer data)
{
  (void) events;
  RtspServer *server = data;
  for (guint i = 0; i < server->listen_count && !server->is_paused; i++)
    accept_from (server, server->listen_fds[i]);
}

/* ---- the loops ---- */

static void on_tick (gpointer data)
{
  RtspServerLoop *place = data;
  for (GList *link = place->connections.head, *next; link != NULL; link = next) {
    next = link->next;
    rtsp_connection_tick (link->data);
  }
  if (place == &place->server->loops[0] && place->server->is_paused) {
    place->server->is_paused = FALSE;
    watch_listeners (place->server, EPOLLIN);
  }
  loop_timer_set (place->tick, loop_now_us (place->loop) + G_USEC_PER_SEC);
}

static void start_loop (gpointer data)
{
  RtspServerLoop *place = data;
  place->tick = loop_timer_new (place->loop, on_tick, place);
  loop_timer_set (place->tick, loop_now_us (place->loop) + G_USEC_PER_SEC);
}

RtspServer *rtsp_server_new (Loop *const *loops, guint loop_count, Directory *directory, const RtspServerHandlers *handlers,
                             gpointer data)
{
  RtspServer *server = g_new0 (RtspServer, 1);
  server->shared = (RtspServerShared){ .directory = directory, .handlers = *handlers, .data = data,
                                        .viewers_max = VIEWERS_MAX_DEFAULT };
  server->loops = g_new0 (RtspServerLoop, loop_count);
  g_mutex_init (&server->udp_mutex);
  server->loop_count = loop_count;
  for (guint i = 0; i < loop_count; i++) {
    RtspServerLoop *place = &server->loops[i];
    place->server = server;
    place->loop = loops[i];
    g_queue_init (&place->connections);
    place->counts = g_hash_table_new_full (NULL, NULL, NULL, g_free);
    loop_call (place->loop, start_loop, place);
  }
  return server;
}

/* ---- listening ---- */

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

static guint open_listeners (const char *host, const char *port, int fds[LISTENERS_MAX])
{
  struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *addresses = NULL;
  guint count = 0;
  if (getaddrinfo (host, port, &hints, &addresses) != 0) {
    errno = EADDRNOTAVAIL;
    return 0;
  }
  for (struct addrinfo *address = addresses; address != NULL && count < LISTENERS_MAX; address = address->ai_next) {
    int fd = listen_on (address);
    if (fd >= 0)
      fds[count++] = fd;
  }
  freeaddrinfo (addresses);
  return count;
}

typedef struct {
  RtspServer *server;
  const int *fds;
  guint count;
} Listen;

static void replace_listeners (gpointer data)
{
  const Listen *listen = data;
  RtspServer *server = listen->server;
  for (guint i = 0; i < server->listen_count; i++) {
    loop_watch_remove (server->listen_watches[i]);
    close (server->listen_fds[i]);
  }
  server->listen_count = listen->count;
  for (guint i = 0; i < listen->count; i++) {
    server->listen_fds[i] = listen->fds[i];
    server->listen_watches[i] = loop_watch_add (server->loops[0].loop, listen->fds[i], EPOLLIN, on_acceptable, server);
  }
}

static guint16 port_of (int fd)
{
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  char port[NI_MAXSERV] = "0";
  if (getsockname (fd, (struct sockaddr *) &address, &size) == 0)
    getnameinfo ((struct sockaddr *) &address, size, NULL, 0, port, sizeof port, NI_NUMERICSERV);
  return (guint16) g_ascii_strtoull (port, NULL, 10);
}

gboolean rtsp_server_listen (RtspServer *server, const char *address, GError **error)
{
  g_autofree char *host = NULL, *port = NULL;
  int fds[LISTENERS_MAX];
  if (!split_address (address, &host, &port))
    return error_set (error, ERROR_RECONFIGURE, "%s is no address to listen on: write host:port", address);
  guint count = open_listeners (host, port, fds);
  if (count == 0)
    return error_set_errno (error, errno, "cannot listen on %s", address);
  Listen listen = { server, fds, count };
  loop_call (server->loops[0].loop, replace_listeners, &listen);
  server->port = port_of (fds[0]);
  return TRUE;
}

void rtsp_server_set_viewers_max (RtspServer *server, guint count)
{
  g_atomic_int_set (&server->shared.viewers_max, count > 0 ? (gint) count : VIEWERS_MAX_DEFAULT);
}

guint16 rtsp_server_port (const RtspServer *server)
{
  return server->port;
}

/* ---- UDP ---- */

typedef struct {
  RtspServer *server;
  gboolean opens;
  guint16 port;
  GError *error;
} OpenUdp;

/* thread: the first loop. The old ports go first: the new ones may be the same. */
static void replace_udp (gpointer data)
{
  OpenUdp *open = data;
  RtspServer *server = open->server;
  g_mutex_lock (&server->udp_mutex);
  UdpPorts *old = g_steal_pointer (&server->udp_ports);
  g_mutex_unlock (&server->udp_mutex);
  if (old != NULL)
    udp_ports_stop (old);
  udp_ports_unref (old);
  UdpPorts *opened = open->opens ? udp_ports_open (server->loops[0].loop, server->listen_fds[0], open->port, &open->error) : NULL;
  g_mutex_lock (&server->udp_mutex);
  server->udp_ports = opened;
  g_mutex_unlock (&server->udp_mutex);
}

gboolean rtsp_server_open_udp (RtspServer *server, guint16 port, GError **error)
{
  OpenUdp open = { server, server->port != 0, port, NULL };
  loop_call (server->loops[0].loop, replace_udp, &open);
  if (open.error == NULL)
    return TRUE;
  g_propagate_error (error, open.error);
  return FALSE;
}

UdpPorts *rtsp_server_udp_ports (RtspServer *server)
{
  g_mutex_lock (&server->udp_mutex);
  UdpPorts *ports = server->udp_ports != NULL ? udp_ports_ref (server->udp_ports) : NULL;
  g_mutex_unlock (&server->udp_mutex);
  return ports;
}

/* ---- ending ---- */

typedef struct {
  RtspServerLoop *place;
  char *viewer, *reason;
} EndViewer;

static void end_viewer (gpointer data)
{
  EndViewer *end = data;
  for (GList *link = end->place->connections.head, *next; link != NULL; link = next) {
    next = link->next;
    if (rtsp_connection_is_viewer (link->data, end->viewer))
      rtsp_connection_close (link->data, end->reason);
  }
  g_free (end->viewer);
  g_free (end->reason);
  g_free (end);
}

void rtsp_server_end_viewer (RtspServer *server, const char *viewer, const char *reason)
{
  for (guint i = 0; i < server->loop_count; i++) {
    EndViewer *end = g_new (EndViewer, 1);
    *end = (EndViewer){ &server->loops[i], g_strdup (viewer), g_strdup (reason) };
    loop_post (server->loops[i].loop, end_viewer, end);
  }
}

void rtsp_server_end_stream (RtspServer *server, Stream *stream, const char *reason)
{
  RtspServerLoop *place = rtsp_server_loop (server, stream_loop (stream));
  for (GList *link = place->connections.head, *next; link != NULL; link = next) {
    next = link->next;
    if (rtsp_connection_watches (link->data, stream))
      rtsp_connection_close (link->data, reason);
  }
  g_hash_table_remove (place->counts, stream);
}

void rtsp_server_each_viewer (RtspServer *server, Stream *stream,
                              void (*visit) (const char *viewer, gint64 at_us, gpointer data), gpointer data)
{
  RtspServerLoop *place = rtsp_server_loop (server, stream_loop (stream));
  for (GList *link = place->connections.head; link != NULL; link = link->next) {
    gint64 at_us;
    const char *viewer = rtsp_connection_viewer (link->data, stream, &at_us);
    if (viewer != NULL)
      visit (viewer, at_us, data);
  }
}

RtspServerCounts rtsp_server_counts (RtspServer *server, Stream *stream)
{
  RtspServerLoop *place = rtsp_server_loop (server, stream_loop (stream));
  RtspServerCounts *counts = g_hash_table_lookup (place->counts, stream);
  return counts != NULL ? *counts : (RtspServerCounts){ 0 };
}

static void end_loop (gpointer data)
{
  RtspServerLoop *place = data;
  while (place->connections.head != NULL)
    rtsp_connection_close (place->connections.head->data, "shutdown");
  g_clear_pointer (&place->tick, loop_timer_free);
}

void rtsp_server_stop (RtspServer *server)
{
  Listen none = { server, NULL, 0 };
  OpenUdp no_udp = { .server = server };
  loop_call (server->loops[0].loop, replace_listeners, &none);
  loop_call (server->loops[0].loop, replace_udp, &no_udp);
  /* Twice: what was moving between two loops in the first round has arrived in the second. */
  for (guint i = 0; i < 2 * server->loop_count; i++)
    loop_call (server->loops[i % server->loop_count].loop, end_loop, &server->loops[i % server->loop_count]);
}

void rtsp_server_free (RtspServer *server)
{
  if (server == NULL)
    return;
  for (guint i = 0; i < server->loop_count; i++)
    g_hash_table_unref (server->loops[i].counts);
  g_mutex_clear (&server->udp_mutex);
  g_free (server->loops);
  g_free (server);
}
