#include "pipelines/rtsp/rtsp_server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/core/log.h"
#include "pipelines/rtsp/rtsp_connection.h"
#include "pipelines/rtsp/rtsp_listener.h"

enum { VIEWERS_MAX_DEFAULT = 1000, CONNECTIONS_BESIDE = 200, ACCEPTS_A_TURN = 64, DOOR_PLAIN = 0, DOOR_TLS = 1, DOORS = 2 };

/* Where clients come in. */
typedef struct {
  RtspServer *server;
  int fds[RTSP_LISTENER_FDS]; /* the first loop's once they are watched, as is what follows */
  LoopWatch *watches[RTSP_LISTENER_FDS];
  guint count;
  WireContext *tls; /* what the server shows to new clients; NULL: no TLS */
  guint16 port;     /* the main thread's, 0: it doesn't listen */
} Door;

struct RtspServer {
  RtspServerShared shared;
  RtspServerLoop *loops;
  guint loop_count;
  Door doors[DOORS];
  gboolean is_paused; /* out of descriptors: accept again with the next tick */
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
  for (guint i = 0; i < DOORS; i++)
    for (guint j = 0; j < server->doors[i].count; j++)
      loop_watch_change (server->doors[i].watches[j], events);
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

static void accept_from (const Door *door, int listen_fd)
{
  RtspServer *server = door->server;
  char host[NI_MAXHOST];
  for (guint i = 0; i < ACCEPTS_A_TURN; i++) {
    int fd = accept_one (server, listen_fd, host, sizeof host);
    if (fd < 0)
      return;
    gint connections_max = g_atomic_int_get (&server->shared.admission.viewers_max) + CONNECTIONS_BESIDE;
    if (g_atomic_int_get (&server->shared.connections) >= connections_max) {
      log_limited (LOG_LEVEL_WARNING, "rtsp server: over %d connections, %s is turned away", connections_max, host);
      close (fd);
      continue;
    }
    rtsp_connection_open (&server->loops[0], fd, host, door->tls);
  }
}

static void on_acceptable (guint32 events, gpointer data)
{
  (void) events;
  const Door *door = data;
  for (guint i = 0; i < door->count && !door->server->is_paused; i++)
    accept_from (door, door->fds[i]);
}

/* ---- the loops ---- */

static void set_tick (RtspServerLoop *place)
{
  place->tick_due_us = loop_now_us (place->loop) + G_USEC_PER_SEC;
  loop_timer_set (place->tick, place->tick_due_us);
}

static void on_tick (gpointer data)
{
  RtspServerLoop *place = data;
  admission_note_lateness (&place->server->shared.admission, &place->lateness, loop_now_us (place->loop) - place->tick_due_us);
  for (GList *link = place->connections.head, *next; link != NULL; link = next) {
    next = link->next;
    rtsp_connection_tick (link->data);
  }
  if (place == &place->server->loops[0] && place->server->is_paused) {
    place->server->is_paused = FALSE;
    watch_listeners (place->server, EPOLLIN);
  }
  set_tick (place);
}

static void on_handshakes (gpointer data)
{
  RtspServerLoop *place = data;
  for (GList *link = place->connections.head; link != NULL; link = link->next)
    rtsp_connection_shake_hands_again (link->data);
}

static void start_loop (gpointer data)
{
  RtspServerLoop *place = data;
  place->handshakes = loop_timer_new (place->loop, on_handshakes, place);
  place->tick = loop_timer_new (place->loop, on_tick, place);
  set_tick (place);
}

RtspServer *rtsp_server_new (Loop *const *loops, guint loop_count, Directory *directory, const RtspServerHandlers *handlers,
                             gpointer data)
{
  RtspServer *server = g_new0 (RtspServer, 1);
  server->shared = (RtspServerShared){ .directory = directory, .handlers = *handlers, .data = data,
                                        .admission.viewers_max = VIEWERS_MAX_DEFAULT };
  server->loops = g_new0 (RtspServerLoop, loop_count);
  for (guint i = 0; i < DOORS; i++)
    server->doors[i].server = server;
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

typedef struct {
  Door *door;
  const int *fds; /* NULL: the present ones stay */
  guint count;
  WireContext *tls;
} Replace;

/* thread: the first loop. */
static void replace_door (gpointer data)
{
  const Replace *replace = data;
  Door *door = replace->door;
  wire_context_unref (door->tls);
  door->tls = replace->tls != NULL ? wire_context_ref (replace->tls) : NULL;
  if (replace->fds == NULL)
    return;
  for (guint i = 0; i < door->count; i++) {
    loop_watch_remove (door->watches[i]);
    close (door->fds[i]);
  }
  door->count = replace->count;
  for (guint i = 0; i < replace->count; i++) {
    door->fds[i] = replace->fds[i];
    door->watches[i] = loop_watch_add (door->server->loops[0].loop, replace->fds[i], EPOLLIN, on_acceptable, door);
  }
}

static gboolean open_door (Door *door, const char *address, WireContext *tls, GError **error)
{
  int fds[RTSP_LISTENER_FDS];
  guint count = rtsp_listener_open (address, fds, error);
  if (count == 0)
    return FALSE;
  Replace replace = { door, fds, count, tls };
  loop_call (door->server->loops[0].loop, replace_door, &replace);
  door->port = rtsp_listener_port (fds[0]);
  return TRUE;
}

static void close_door (Door *door)
{
  Replace nothing = { door, (const int[]){ -1 }, 0, NULL };
  loop_call (door->server->loops[0].loop, replace_door, &nothing);
  door->port = 0;
}

gboolean rtsp_server_listen (RtspServer *server, const char *address, GError **error)
{
  return open_door (&server->doors[DOOR_PLAIN], address, NULL, error);
}

gboolean rtsp_server_listen_tls (RtspServer *server, const char *address, WireContext *tls, GError **error)
{
  return open_door (&server->doors[DOOR_TLS], address, tls, error);
}

void rtsp_server_present (RtspServer *server, WireContext *tls)
{
  Replace replace = { .door = &server->doors[DOOR_TLS], .tls = tls };
  loop_call (server->loops[0].loop, replace_door, &replace);
}

void rtsp_server_end_tls (RtspServer *server)
{
  close_door (&server->doors[DOOR_TLS]);
}

void rtsp_server_set_viewers_max (RtspServer *server, guint count)
{
  g_atomic_int_set (&server->shared.admission.viewers_max, count > 0 ? (gint) count : VIEWERS_MAX_DEFAULT);
}

Admission *rtsp_server_admission (RtspServer *server)
{
  return &server->shared.admission;
}

guint16 rtsp_server_port (const RtspServer *server)
{
  return server->doors[DOOR_PLAIN].port;
}

guint16 rtsp_server_tls_port (const RtspServer *server)
{
  return server->doors[DOOR_TLS].port;
}

/* ---- UDP ---- */

typedef struct {
  RtspServer *server;
  gboolean opens;
  guint16 port;
  GError *error;
} OpenUdp;

/* thread: the first loop. The same ones stay: viewers hold them open, they could not be opened again. Others go first: the new
 * ones may overlap. */
static void replace_udp (gpointer data)
{
  OpenUdp *open = data;
  RtspServer *server = open->server;
  int listener = server->doors[DOOR_PLAIN].fds[0];
  if (open->opens && server->udp_ports != NULL && udp_ports_are_at (server->udp_ports, listener, open->port))
    return;
  g_mutex_lock (&server->udp_mutex);
  UdpPorts *old = g_steal_pointer (&server->udp_ports);
  g_mutex_unlock (&server->udp_mutex);
  if (old != NULL)
    udp_ports_stop (old);
  udp_ports_unref (old);
  UdpPorts *opened = open->opens ? udp_ports_open (server->loops[0].loop, listener, open->port, &open->error) : NULL;
  g_mutex_lock (&server->udp_mutex);
  server->udp_ports = opened;
  g_mutex_unlock (&server->udp_mutex);
}

gboolean rtsp_server_open_udp (RtspServer *server, guint16 port, GError **error)
{
  OpenUdp open = { server, rtsp_server_port (server) != 0, port, NULL };
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

void rtsp_server_set_recordings (RtspServer *server, const RtspRecordings *recordings)
{
  rtsp_server_shared (server)->recordings = recordings;
}

typedef struct {
  RtspServerLoop *place;
  RtspRecordedVisit visit;
  gpointer data;
} RecordedWalk;

static void walk_recorded (gpointer data)
{
  const RecordedWalk *walk = data;
  for (GList *link = walk->place->connections.head; link != NULL; link = link->next) {
    const char *camera, *stream;
    gint64 at_us;
    const char *viewer = rtsp_connection_recorded (link->data, &camera, &stream, &at_us);
    if (viewer != NULL)
      walk->visit (viewer, camera, stream, at_us, walk->data);
  }
}

void rtsp_server_each_recorded (RtspServer *server, RtspRecordedVisit visit, gpointer data)
{
  for (guint i = 0; i < server->loop_count; i++) {
    RecordedWalk walk = { &server->loops[i], visit, data };
    loop_call (walk.place->loop, walk_recorded, &walk);
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
  g_clear_pointer (&place->handshakes, loop_timer_free);
}

void rtsp_server_stop (RtspServer *server)
{
  OpenUdp no_udp = { .server = server };
  for (guint i = 0; i < DOORS; i++)
    close_door (&server->doors[i]);
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
