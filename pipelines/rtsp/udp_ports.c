#include "pipelines/rtsp/udp_ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "pipelines/rtp/socket_address.h"
#include "pipelines/rtp/viewer_report.h"

enum { READS_A_TURN = 64, TRIES = 64, REPORT_MAX = 1500, SEND_BUFFER = 4 * 1024 * 1024 };

struct UdpPorts {
  gint references; /* atomic */
  UdpSockets sockets;
  struct sockaddr_storage host; /* with any port */
  guint16 number;
  LoopWatch *watches[2];
  GMutex mutex;      /* guards what follows */
  GHashTable *peers; /* UdpPeer → itself, by its address */
};

/* ---- peers ---- */

static guint hash_peer (gconstpointer key)
{
  const struct sockaddr_storage *address = &((const UdpPeer *) key)->address;
  gsize size;
  const guint8 *host = socket_address_host (address, &size);
  guint hash = socket_address_port (address);
  for (gsize i = 0; i < size; i++)
    hash = hash * 31 + host[i];
  return hash;
}

static gboolean peers_equal (gconstpointer a, gconstpointer b)
{
  const struct sockaddr_storage *one = &((const UdpPeer *) a)->address, *other = &((const UdpPeer *) b)->address;
  return socket_address_port (one) == socket_address_port (other) && socket_address_is_same_host (one, other);
}

/* ---- what viewers send ---- */

static void note_sign_of_life (UdpPorts *ports, const struct sockaddr_storage *from)
{
  UdpPeer key = { .address = *from };
  g_mutex_lock (&ports->mutex);
  UdpPeer *peer = g_hash_table_lookup (ports->peers, &key);
  if (peer != NULL)
    g_atomic_int_set (&peer->heard_s, (gint) (g_get_monotonic_time () / G_USEC_PER_SEC));
  g_mutex_unlock (&ports->mutex);
}

static void on_report (guint32 events, gpointer data)
{
  (void) events;
  UdpPorts *ports = data;
  guint8 packet[REPORT_MAX];
  for (guint i = 0; i < READS_A_TURN; i++) {
    struct sockaddr_storage from;
    socklen_t from_size = sizeof from;
    gssize size = recvfrom (ports->sockets.rtcp_fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *) &from, &from_size);
    if (size < 0)
      return;
    if (viewer_report_read (packet, (gsize) size) == VIEWER_REPORT_ALIVE)
      note_sign_of_life (ports, &from);
  }
}

static void on_rtp (guint32 events, gpointer data)
{
  (void) events;
  UdpPorts *ports = data;
  guint8 byte;
  for (guint i = 0; i < READS_A_TURN; i++)
    if (recv (ports->sockets.rtp_fd, &byte, sizeof byte, MSG_DONTWAIT) < 0)
      return;
}

/* ---- opening ---- */

static int bind_to (const struct sockaddr_storage *host, guint16 port)
{
  struct sockaddr_storage address = *host;
  int on = 1, buffer = SEND_BUFFER;
  int fd = socket (address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -1;
  if (address.ss_family == AF_INET6)
    setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  socket_address_set_port (&address, port);
  if (bind (fd, (struct sockaddr *) &address, socket_address_length (&address)) == 0)
    return fd;
  int problem = errno;
  close (fd);
  errno = problem;
  return -1;
}

static guint16 number_of (int fd)
{
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  return getsockname (fd, (struct sockaddr *) &address, &size) == 0 ? socket_address_port (&address) : 0;
}

/* `port` and the one above, both or none. */
static gboolean bind_pair (UdpSockets *sockets, const struct sockaddr_storage *host, guint16 port)
{
  sockets->rtp_fd = bind_to (host, port);
  if (sockets->rtp_fd < 0)
    return FALSE;
  guint16 number = number_of (sockets->rtp_fd);
  sockets->rtcp_fd = number % 2 == 0 ? bind_to (host, (guint16) (number + 1)) : -1;
  if (sockets->rtcp_fd >= 0)
    return TRUE;
  int problem = errno;
  close (sockets->rtp_fd);
  errno = problem;
  return FALSE;
}

static gboolean open_sockets (UdpSockets *sockets, const struct sockaddr_storage *host, guint16 port)
{
  guint tries = port == 0 ? TRIES : 1;
  for (guint i = 0; i < tries; i++)
    if (bind_pair (sockets, host, port)) {
      sockets->has_segments = udp_sockets_probe (sockets);
      return TRUE;
    }
  return FALSE;
}

UdpPorts *udp_ports_open (Loop *loop, int listener, guint16 port, GError **error)
{
  struct sockaddr_storage host;
  socklen_t size = sizeof host;
  UdpSockets sockets = { 0 };
  if (getsockname (listener, (struct sockaddr *) &host, &size) != 0 || !open_sockets (&sockets, &host, port)) {
    error_set_errno (error, errno, "cannot open the UDP ports %u and %u", port, port + 1);
    return NULL;
  }
  UdpPorts *ports = g_new0 (UdpPorts, 1);
  ports->references = 1;
  ports->sockets = sockets;
  ports->host = host;
  ports->number = number_of (sockets.rtp_fd);
  ports->peers = g_hash_table_new (hash_peer, peers_equal);
  g_mutex_init (&ports->mutex);
  ports->watches[0] = loop_watch_add (loop, sockets.rtp_fd, EPOLLIN, on_rtp, ports);
  ports->watches[1] = loop_watch_add (loop, sockets.rtcp_fd, EPOLLIN, on_report, ports);
  return ports;
}

UdpPorts *udp_ports_ref (UdpPorts *ports)
{
  g_atomic_int_inc (&ports->references);
  return ports;
}

void udp_ports_unref (UdpPorts *ports)
{
  if (ports == NULL || !g_atomic_int_dec_and_test (&ports->references))
    return;
  close (ports->sockets.rtp_fd);
  close (ports->sockets.rtcp_fd);
  g_hash_table_unref (ports->peers);
  g_mutex_clear (&ports->mutex);
  g_free (ports);
}

void udp_ports_stop (UdpPorts *ports)
{
  for (guint i = 0; i < G_N_ELEMENTS (ports->watches); i++)
    g_clear_pointer (&ports->watches[i], loop_watch_remove);
}

UdpSockets *udp_ports_sockets (UdpPorts *ports)
{
  return &ports->sockets;
}

guint16 udp_ports_number (const UdpPorts *ports)
{
  return ports->number;
}

gboolean udp_ports_are_at (const UdpPorts *ports, int listener, guint16 port)
{
  struct sockaddr_storage host;
  socklen_t size = sizeof host;
  if (ports->number != port || getsockname (listener, (struct sockaddr *) &host, &size) != 0 || !udp_ports_reach (ports, &host))
    return FALSE;
  return socket_address_is_same_host (&ports->host, &host);
}

gboolean udp_ports_reach (const UdpPorts *ports, const struct sockaddr_storage *client)
{
  return ports->host.ss_family == client->ss_family;
}

/* ---- viewers ---- */

void udp_ports_register (UdpPorts *ports, UdpPeer *peer, const struct sockaddr_storage *client, guint16 rtcp_port)
{
  udp_ports_forget (peer);
  *peer = (UdpPeer){ .ports = udp_ports_ref (ports), .address = *client };
  socket_address_set_port (&peer->address, rtcp_port);
  g_mutex_lock (&ports->mutex);
  g_hash_table_replace (ports->peers, peer, peer);
  g_mutex_unlock (&ports->mutex);
}

void udp_ports_forget (UdpPeer *peer)
{
  UdpPorts *ports = g_steal_pointer (&peer->ports);
  if (ports == NULL)
    return;
  g_mutex_lock (&ports->mutex);
  if (g_hash_table_lookup (ports->peers, peer) == peer)
    g_hash_table_remove (ports->peers, peer);
  g_mutex_unlock (&ports->mutex);
  udp_ports_unref (ports);
}
