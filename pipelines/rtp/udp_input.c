#include "pipelines/rtp/udp_input.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "pipelines/rtp/reception.h"
#include "pipelines/rtp/reorder.h"
#include "pipelines/rtp/socket_address.h"

enum {
  PACKETS_A_TURN = 64,
  PORT_TRIES = 64,
  RTP_HEADER = 12,
  BUFFER_BYTES = 2 * 1024 * 1024, /* of the kernel: a key frame in one burst, while the loop is away */
  REPORT_US = 5 * G_USEC_PER_SEC, /* RFC 3550 6.2: the least interval; half of it for the first */
};

typedef struct {
  UdpInput *input;
  guint track;
  gboolean is_rtcp;
  int fd; /* -1: not open */
  LoopWatch *watch;
  struct sockaddr_storage peer; /* where it sends to; port 0: not known yet */
} Port;

typedef struct {
  Port rtp, rtcp;
  Reorder reorder;
  Reception reception;
} UdpTrack;

struct UdpInput {
  Loop *loop;
  Receiver *receiver;
  const char *name;
  struct sockaddr_storage local, peer; /* port 0 */
  guint32 ssrc;
  char cname[32];
  LoopTimer *gap_timer, *report_timer;
  UdpTrack tracks[TRACKS_MAX];
  gboolean is_over;
};

/* ---- addresses ---- */

/* Some cameras name no address of theirs but 0.0.0.0, which would be ourselves, or the group that they could send to. */
static gboolean is_somebody (const struct sockaddr_storage *address)
{
  if (address->ss_family == AF_INET6) {
    const struct in6_addr *host = &((const struct sockaddr_in6 *) address)->sin6_addr;
    return !IN6_IS_ADDR_UNSPECIFIED (host) && !IN6_IS_ADDR_MULTICAST (host);
  }
  in_addr_t host = ntohl (((const struct sockaddr_in *) address)->sin_addr.s_addr);
  return host != INADDR_ANY && !IN_MULTICAST (host);
}

/* FALSE for what is no numeric address of one host of the same family. */
static gboolean read_address (const char *text, sa_family_t family, struct sockaddr_storage *address)
{
  struct sockaddr_storage read = { .ss_family = family };
  void *place = family == AF_INET6 ? (void *) &((struct sockaddr_in6 *) &read)->sin6_addr
                                   : (void *) &((struct sockaddr_in *) &read)->sin_addr;
  if (inet_pton (family, text, place) != 1 || !is_somebody (&read))
    return FALSE;
  *address = read;
  return TRUE;
}

/* ---- sending ---- */

static void send_to (const Port *port, const guint8 *bytes, gsize size)
{
  if (port->fd >= 0 && socket_address_port (&port->peer) != 0)
    (void) !sendto (port->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *) &port->peer,
                    socket_address_length (&port->peer)); /* what isn't sent is lost, as on the way */
}

static void send_report (UdpInput *input, UdpTrack *track)
{
  guint8 bytes[RECEPTION_REPORT_MAX];
  gsize size = reception_write (&track->reception, input->ssrc, input->cname, loop_now_us (input->loop), bytes);
  send_to (&track->rtcp, bytes, size);
}

static void on_report_timer (gpointer data)
{
  UdpInput *input = data;
  for (guint i = 0; i < TRACKS_MAX; i++)
    send_report (input, &input->tracks[i]);
  loop_timer_set (input->report_timer, loop_now_us (input->loop) + REPORT_US * g_random_int_range (50, 151) / 100);
}

/* An RTP header without payload, as others do it, and an empty report. */
static void punch (UdpInput *input, UdpTrack *track)
{
  guint8 packet[RTP_HEADER] = { 0x80 };
  memcpy (packet + 8, &input->ssrc, 4);
  send_to (&track->rtp, packet, sizeof packet);
  send_report (input, track);
}

/* ---- receiving ---- */

static void set_gap_timer (UdpInput *input)
{
  gint64 first_us = 0;
  for (guint i = 0; i < TRACKS_MAX; i++) {
    gint64 deadline_us = reorder_deadline_us (&input->tracks[i].reorder);
    if (deadline_us > 0 && (first_us == 0 || deadline_us < first_us))
      first_us = deadline_us;
  }
  if (first_us > 0)
    loop_timer_set (input->gap_timer, first_us);
  else
    loop_timer_clear (input->gap_timer);
}

static void take_kept (UdpInput *input, guint track)
{
  gsize size;
  guint8 *packet;
  while ((packet = reorder_next (&input->tracks[track].reorder, &size)) != NULL) {
    memcpy (receiver_room (input->receiver), packet, size);
    receiver_take (input->receiver, (guint8) (2 * track), size);
    g_free (packet);
  }
}

static void on_gap_timer (gpointer data)
{
  UdpInput *input = data;
  for (guint i = 0; i < TRACKS_MAX; i++) {
    gint64 deadline_us = reorder_deadline_us (&input->tracks[i].reorder);
    if (deadline_us > 0 && deadline_us <= loop_now_us (input->loop))
      reorder_give_up (&input->tracks[i].reorder);
    take_kept (input, i);
  }
  receiver_end_turn (input->receiver);
  set_gap_timer (input);
}

/* Those that are kept go before it, through the room that it lies in. */
static void take_again (UdpInput *input, guint track, const guint8 *room, gsize size)
{
  g_autofree guint8 *copy = g_memdup2 (room, size);
  take_kept (input, track);
  memcpy (receiver_room (input->receiver), copy, size);
  udp_input_take (input, track, FALSE, size);
}

void udp_input_take (UdpInput *input, guint track, gboolean is_rtcp, gsize size)
{
  UdpTrack *one = &input->tracks[track];
  guint8 *packet = receiver_room (input->receiver);
  if (is_rtcp) {
    input->is_over |= reception_rtcp (&one->reception, packet, size, loop_now_us (input->loop));
    receiver_take (input->receiver, (guint8) (2 * track + 1), size);
    return;
  }
  if (size < RTP_HEADER || packet[0] >> 6 != 2) {
    receiver_take (input->receiver, (guint8) (2 * track), size); /* which counts it as malformed */
    return;
  }
  switch (reorder_take (&one->reorder, packet, size, loop_now_us (input->loop))) {
  case REORDER_PASS:
    receiver_take (input->receiver, (guint8) (2 * track), size);
    break;
  case REORDER_AGAIN:
    take_again (input, track, packet, size);
    return;
  case REORDER_KEPT:
  case REORDER_DROP:
    break;
  }
  if (one->reorder.kept > 0)
    take_kept (input, track);
}

/* -1: nothing more is there; 0: something that isn't for us. */
static gssize receive (Port *port, guint8 *room)
{
  UdpInput *input = port->input;
  struct sockaddr_storage from;
  socklen_t from_size = sizeof from;
  gssize size = recvfrom (port->fd, room, RECEIVER_ROOM_BYTES, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *) &from, &from_size);
  if (size < 0) /* also an ICMP error of what we sent, which the next read is free of */
    return errno == ECONNREFUSED ? 0 : -1;
  if (!socket_address_is_same_host (&from, &port->peer) && !socket_address_is_same_host (&from, &input->peer))
    return 0;
  if (port->is_rtcp && socket_address_port (&port->peer) == 0) /* it didn't say: reports go to where its own come from */
    port->peer = from;
  return size <= RECEIVER_ROOM_BYTES ? size : 0; /* longer than any link carries */
}

static void on_readable (guint32 events, gpointer data)
{
  (void) events;
  Port *port = data;
  UdpInput *input = port->input;
  Reception *reception = &input->tracks[port->track].reception;
  gssize size = 0;
  for (guint i = 0; i < PACKETS_A_TURN && size >= 0; i++) {
    guint8 *room = receiver_room (input->receiver);
    size = receive (port, room);
    if (size <= 0)
      continue;
    if (!port->is_rtcp && size >= RTP_HEADER)
      reception_packet (reception, room, loop_now_us (input->loop));
    udp_input_take (input, port->track, port->is_rtcp, (gsize) size);
  }
  receiver_end_turn (input->receiver);
  set_gap_timer (input);
}

/* ---- ports ---- */

static void enlarge_buffer (const UdpInput *input, int fd)
{
  static gsize is_told;
  int bytes = BUFFER_BYTES, got = 0;
  socklen_t size = sizeof got;
  setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  if (getsockopt (fd, SOL_SOCKET, SO_RCVBUF, &got, &size) == 0 && got < bytes && g_once_init_enter (&is_told)) {
    log_warning ("%s: the kernel grants UDP only %d KiB to wait in, key frames may be lost: set net.core.rmem_max to %d "
                 "(told once)", input->name, got / 1024, BUFFER_BYTES);
    g_once_init_leave (&is_told, 1);
  }
}

static gboolean open_port (UdpInput *input, Port *port, guint16 number)
{
  struct sockaddr_storage local = input->local;
  socket_address_set_port (&local, number);
  port->fd = socket (local.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return port->fd >= 0 && bind (port->fd, (struct sockaddr *) &local, socket_address_length (&local)) == 0;
}

static guint16 number_of (const Port *port)
{
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  return getsockname (port->fd, (struct sockaddr *) &address, &size) == 0 ? socket_address_port (&address) : 0;
}

static void close_port (Port *port)
{
  g_clear_pointer (&port->watch, loop_watch_remove);
  if (port->fd >= 0)
    close (port->fd);
  port->fd = -1;
}

/* The kernel chooses; every other time it is an even number whose next is free as well. */
static gboolean open_pair (UdpInput *input, UdpTrack *track, guint16 *number)
{
  for (guint i = 0; i < PORT_TRIES; i++) {
    if (open_port (input, &track->rtp, 0) && (*number = number_of (&track->rtp)) % 2 == 0 && *number > 0
        && open_port (input, &track->rtcp, (guint16) (*number + 1)))
      return TRUE;
    close_port (&track->rtp);
    close_port (&track->rtcp);
  }
  return FALSE;
}

gboolean udp_input_open_track (UdpInput *input, guint number, guint32 clock_rate, guint16 *rtp_port, GError **error)
{
  UdpTrack *track = &input->tracks[number];
  close_port (&track->rtp); /* a SETUP that is said again, with a login */
  close_port (&track->rtcp);
  if (!open_pair (input, track, rtp_port))
    return error_set_errno (error, errno, "no pair of UDP ports is free");
  reception_init (&track->reception, clock_rate);
  enlarge_buffer (input, track->rtp.fd);
  track->rtp.watch = loop_watch_add (input->loop, track->rtp.fd, EPOLLIN, on_readable, &track->rtp);
  track->rtcp.watch = loop_watch_add (input->loop, track->rtcp.fd, EPOLLIN, on_readable, &track->rtcp);
  return TRUE;
}

void udp_input_set_peer (UdpInput *input, guint number, const char *source, int rtp_port, int rtcp_port)
{
  UdpTrack *track = &input->tracks[number];
  struct sockaddr_storage peer = input->peer;
  if (source != NULL)
    read_address (source, peer.ss_family, &peer);
  track->rtp.peer = track->rtcp.peer = peer;
  socket_address_set_port (&track->rtp.peer, (guint16) CLAMP (rtp_port, 0, 65535));
  socket_address_set_port (&track->rtcp.peer, (guint16) CLAMP (rtcp_port > 0 || rtp_port <= 0 ? rtcp_port : rtp_port + 1, 0, 65535));
  punch (input, track);
}

/* ---- its life ---- */

UdpInput *udp_input_new (Loop *loop, Receiver *receiver, int connection_fd, const char *name, GError **error)
{
  UdpInput *input = g_new0 (UdpInput, 1);
  socklen_t local_size = sizeof input->local, peer_size = sizeof input->peer;
  if (getsockname (connection_fd, (struct sockaddr *) &input->local, &local_size) != 0
      || getpeername (connection_fd, (struct sockaddr *) &input->peer, &peer_size) != 0) {
    error_set_errno (error, errno, "the connection's addresses are not known");
    g_free (input);
    return NULL;
  }
  input->loop = loop;
  input->receiver = receiver;
  input->name = name;
  input->ssrc = g_random_int ();
  g_snprintf (input->cname, sizeof input->cname, "gridgate-%08x", g_random_int ());
  socket_address_set_port (&input->peer, 0);
  for (guint i = 0; i < TRACKS_MAX; i++) {
    input->tracks[i].rtp = (Port){ input, i, FALSE, -1, NULL, input->peer };
    input->tracks[i].rtcp = (Port){ input, i, TRUE, -1, NULL, input->peer };
  }
  input->gap_timer = loop_timer_new (loop, on_gap_timer, input);
  input->report_timer = loop_timer_new (loop, on_report_timer, input);
  loop_timer_set (input->report_timer, loop_now_us (loop) + REPORT_US / 2);
  return input;
}

gboolean udp_input_is_over (const UdpInput *input)
{
  return input->is_over;
}

void udp_input_free (UdpInput *input)
{
  if (input == NULL)
    return;
  for (guint i = 0; i < TRACKS_MAX; i++) {
    close_port (&input->tracks[i].rtp);
    close_port (&input->tracks[i].rtcp);
    reorder_clear (&input->tracks[i].reorder);
  }
  loop_timer_free (input->gap_timer);
  loop_timer_free (input->report_timer);
  g_free (input);
}
