#include "pipelines/rtp/udp_outlet.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#include "pipelines/rtp/group.h"
#include "pipelines/rtp/interleaved.h"

enum {
  RUN_PACKETS = 64,         /* UDP_MAX_SEGMENTS of the kernels before 6.9 */
  RUN_BYTES = 65000,        /* a datagram before it is cut up */
  PIECE_BYTES = 32 * 1024,  /* of what is paced: 52 Mb/s; a client's socket takes some 200 KB */
  PIECE_US = 5 * 1000,
  PACED_PIECE_US = 10 * 1000, /* of a stream that is paced all along: a piece of 4 Mb/s is four packets */
  PACED_BYTES_MIN = 100 * 1000, /* a second */
  COMPACT_AT = 256,
  UNITS_MAX = 8192 + GROUP_UNITS_MAX,
};

typedef enum { SEND_DONE, SEND_FULL } SendResult;

/* Packets in a row for one port. */
typedef struct {
  struct iovec parts[RUN_PACKETS];
  guint count;
  gsize bytes;
  guint8 channel;
  gboolean is_closed; /* a shorter packet was the last */
} Run;

typedef union {
  struct cmsghdr alignment;
  char bytes[CMSG_SPACE (sizeof (struct in6_pktinfo)) + CMSG_SPACE (sizeof (guint16))];
} Control;

gboolean udp_sockets_probe (const UdpSockets *sockets)
{
  int size;
  socklen_t length = sizeof size;
  return getsockopt (sockets->rtp_fd, IPPROTO_UDP, UDP_SEGMENT, &size, &length) == 0;
}

gboolean udp_outlet_set_ports (UdpOutlet *outlet, guint track, guint16 rtp_port, guint16 rtcp_port)
{
  guint16 *ports = outlet->ports;
  for (guint i = 0; i < G_N_ELEMENTS (outlet->ports); i++)
    if (i / 2 != track && (ports[i] == rtp_port || ports[i] == rtcp_port))
      return FALSE;
  if (rtp_port == 0 || rtcp_port == 0 || rtp_port == rtcp_port)
    return FALSE;
  ports[2 * track] = rtp_port;
  ports[2 * track + 1] = rtcp_port;
  return TRUE;
}

void udp_outlet_pace (UdpOutlet *outlet, gint64 bytes_per_second)
{
  outlet->paces_all = TRUE;
  outlet->piece_us = PACED_PIECE_US;
  outlet->piece_bytes = (gsize) (MAX (bytes_per_second, PACED_BYTES_MIN) * PACED_PIECE_US / G_USEC_PER_SEC);
}

void udp_outlet_allow (UdpOutlet *outlet, gsize bytes)
{
  outlet->allowance = bytes;
}

/* ---- one call ---- */

static gsize put_control (char *place, int level, int type, gconstpointer value, gsize size)
{
  struct cmsghdr *header = (struct cmsghdr *) (void *) place;
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN (size);
  memcpy (CMSG_DATA (header), value, size);
  return CMSG_SPACE (size);
}

/* The source address; on a host of many the route alone would choose another. */
static gsize put_source (const UdpOutlet *outlet, Control *control)
{
  if (outlet->local.ss_family == AF_INET6) {
    const struct sockaddr_in6 *local = (const void *) &outlet->local;
    struct in6_pktinfo source = { .ipi6_addr = local->sin6_addr };
    return put_control (control->bytes, IPPROTO_IPV6, IPV6_PKTINFO, &source, sizeof source);
  }
  const struct sockaddr_in *local = (const void *) &outlet->local;
  struct in_pktinfo source = { .ipi_spec_dst = local->sin_addr };
  return put_control (control->bytes, IPPROTO_IP, IP_PKTINFO, &source, sizeof source);
}

static struct sockaddr_storage destination (const UdpOutlet *outlet, guint8 channel)
{
  struct sockaddr_storage address = outlet->client;
  if (address.ss_family == AF_INET6)
    ((struct sockaddr_in6 *) (void *) &address)->sin6_port = htons (outlet->ports[channel]);
  else
    ((struct sockaddr_in *) (void *) &address)->sin_port = htons (outlet->ports[channel]);
  return address;
}

/* 0 or what went wrong. */
static int send_parts (UdpOutlet *outlet, guint8 channel, struct iovec *parts, guint count)
{
  struct sockaddr_storage address = destination (outlet, channel);
  Control control = { .bytes = { 0 } };
  gsize control_size = put_source (outlet, &control);
  guint16 segment = (guint16) parts[0].iov_len;
  if (count > 1)
    control_size += put_control (control.bytes + control_size, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
  struct msghdr message = {
    .msg_name = &address,
    .msg_namelen = address.ss_family == AF_INET6 ? sizeof (struct sockaddr_in6) : sizeof (struct sockaddr_in),
    .msg_iov = parts, .msg_iovlen = count, .msg_control = &control, .msg_controllen = control_size,
  };
  int fd = channel & 1 ? outlet->sockets->rtcp_fd : outlet->sockets->rtp_fd;
  gssize sent;
  do
    sent = sendmsg (fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent < 0)
    return errno;
  outlet->sent_bytes += (guint64) sent;
  return 0;
}

static gboolean is_full (int problem)
{
  return problem == EAGAIN || problem == ENOBUFS || problem == ENOMEM;
}

static SendResult send_one_by_one (UdpOutlet *outlet, Run *run)
{
  for (guint i = 0; i < run->count; i++)
    if (is_full (send_parts (outlet, run->channel, &run->parts[i], 1)))
      return SEND_FULL;
  return SEND_DONE;
}

/* EINVAL and EMSGSIZE: these packets are over what the path takes whole, the next may fit. Any other problem that names neither
 * us nor a full socket (no route, a firewall) loses the packets, as the network may. */
static SendResult send_run (UdpOutlet *outlet, Run *run)
{
  gint *has_segments = &outlet->sockets->has_segments;
  if (run->count == 0)
    return SEND_DONE;
  if (run->count > 1 && !g_atomic_int_get (has_segments))
    return send_one_by_one (outlet, run);
  int problem = send_parts (outlet, run->channel, run->parts, run->count);
  if (run->count == 1 || problem == 0 || is_full (problem))
    return is_full (problem) ? SEND_FULL : SEND_DONE;
  if (problem == EIO || problem == ENOPROTOOPT || problem == EOPNOTSUPP)
    g_atomic_int_set (has_segments, FALSE);
  return send_one_by_one (outlet, run);
}

/* ---- a unit ---- */

static gsize packet_size (const guint8 *frame)
{
  return (gsize) frame[2] << 8 | frame[3];
}

static gboolean fits (const Run *run, guint8 channel, gsize size)
{
  return run->count > 0 && run->count < RUN_PACKETS && run->channel == channel && !run->is_closed
         && size <= run->parts[0].iov_len && run->bytes + size <= RUN_BYTES;
}

static void add (Run *run, const guint8 *packet, gsize size)
{
  run->is_closed = run->count > 0 && size < run->parts[0].iov_len;
  run->parts[run->count++] = (struct iovec){ (guint8 *) packet, size };
  run->bytes += size;
}

/* Sends the unit's packets from `*offset` on, until `bytes` have gone. */
static SendResult send_unit (UdpOutlet *outlet, const Unit *unit, guint32 *offset, gsize bytes)
{
  const guint8 *begin = unit->block->bytes + unit->offset;
  gsize done = 0;
  Run run; /* its parts are set as they come */
  run.count = 0;
  while (*offset < unit->size && done < bytes) {
    const guint8 *frame = begin + *offset;
    guint8 channel = frame[1];
    gsize size = packet_size (frame);
    *offset += (guint32) (INTERLEAVED_HEADER + size);
    if (channel >= G_N_ELEMENTS (outlet->ports) || outlet->ports[channel] == 0 || size == 0)
      continue;
    if (!fits (&run, channel, size)) {
      if (send_run (outlet, &run) == SEND_FULL)
        return SEND_FULL;
      run.count = 0;
      run.bytes = 0;
      run.channel = channel;
    }
    add (&run, frame + INTERLEAVED_HEADER, size);
    done += size;
  }
  return send_run (outlet, &run);
}

/* ---- what waits ---- */

static Unit *waiting_at (const UdpOutlet *outlet, guint index)
{
  return &g_array_index (outlet->waiting, Unit, index);
}

static gboolean is_waiting (const UdpOutlet *outlet)
{
  return outlet->first < outlet->waiting->len;
}

static void drop_waiting (UdpOutlet *outlet)
{
  for (guint i = outlet->first; i < outlet->waiting->len; i++)
    block_unref (waiting_at (outlet, i)->block);
  g_array_set_size (outlet->waiting, 0);
  outlet->first = outlet->sent_of_first = 0;
  outlet->waiting_bytes = outlet->allowance = 0;
}

void udp_outlet_forget (UdpOutlet *outlet)
{
  drop_waiting (outlet);
  loop_timer_clear (outlet->timer);
  outlet->skips = FALSE;
}

static void skip (UdpOutlet *outlet)
{
  udp_outlet_forget (outlet);
  outlet->skips = TRUE;
  outlet->skip_count++;
}

static void forget_first (UdpOutlet *outlet)
{
  Unit *unit = waiting_at (outlet, outlet->first++);
  outlet->waiting_bytes -= unit->size;
  outlet->sent_of_first = 0;
  block_unref (unit->block);
  if (outlet->first == outlet->waiting->len || outlet->first >= COMPACT_AT) {
    g_array_remove_range (outlet->waiting, 0, outlet->first);
    outlet->first = 0;
  }
}

static void send_piece (UdpOutlet *outlet)
{
  guint64 end = outlet->sent_bytes + outlet->piece_bytes;
  while (is_waiting (outlet) && outlet->sent_bytes < end) {
    Unit *unit = waiting_at (outlet, outlet->first);
    if (send_unit (outlet, unit, &outlet->sent_of_first, (gsize) (end - outlet->sent_bytes)) == SEND_FULL) {
      skip (outlet);
      return;
    }
    if (outlet->sent_of_first >= unit->size)
      forget_first (outlet);
  }
  if (!is_waiting (outlet))
    outlet->allowance = 0;
}

static void on_timer (gpointer data)
{
  UdpOutlet *outlet = data;
  send_piece (outlet);
  if (is_waiting (outlet))
    loop_timer_set (outlet->timer, loop_now_us (outlet->loop) + outlet->piece_us);
}

static void wait_unit (UdpOutlet *outlet, const Unit *unit)
{
  gboolean is_first = !is_waiting (outlet);
  block_ref (unit->block);
  g_array_append_val (outlet->waiting, *unit);
  outlet->waiting_bytes += unit->size;
  if (is_first)
    loop_timer_set (outlet->timer, 0); /* at the end of this turn */
}

/* Sender reports and goodbyes, which need no picture before them. */
static gboolean is_all_reports (const Unit *unit)
{
  const guint8 *begin = unit->block->bytes + unit->offset;
  for (guint32 at = 0; at < unit->size; at += (guint32) (INTERLEAVED_HEADER + packet_size (begin + at)))
    if (!(begin[at + 1] & 1))
      return FALSE;
  return TRUE;
}

void udp_outlet_send (UdpOutlet *outlet, const Unit *unit)
{
  gboolean starts = unit->is_random_access || outlet->starts_anywhere;
  if (outlet->skips && !starts && !is_all_reports (unit))
    return;
  outlet->skips = outlet->skips && !starts;
  if (is_waiting (outlet) || outlet->allowance > 0 || outlet->paces_all) {
    if (outlet->waiting_bytes + unit->size > outlet->limits->bytes + outlet->allowance
        || outlet->waiting->len - outlet->first >= UNITS_MAX)
      skip (outlet);
    else
      wait_unit (outlet, unit);
    return;
  }
  guint32 offset = 0;
  if (send_unit (outlet, unit, &offset, unit->size) == SEND_FULL)
    skip (outlet);
}

void udp_outlet_send_packet (UdpOutlet *outlet, guint8 channel, const guint8 *packet, gsize size)
{
  struct iovec part = { (guint8 *) packet, size };
  if (outlet->ports[channel] != 0)
    send_parts (outlet, channel, &part, 1);
}

/* ---- its life ---- */

void udp_outlet_init (UdpOutlet *outlet, UdpSockets *sockets, Loop *loop, const struct sockaddr_storage *client,
                      const struct sockaddr_storage *local, const OutletLimits *limits)
{
  *outlet = (UdpOutlet){ .sockets = sockets, .loop = loop, .client = *client, .local = *local, .limits = limits,
                          .piece_bytes = PIECE_BYTES, .piece_us = PIECE_US };
  outlet->waiting = g_array_new (FALSE, FALSE, sizeof (Unit));
  outlet->timer = loop_timer_new (loop, on_timer, outlet);
}

void udp_outlet_finish (UdpOutlet *outlet)
{
  drop_waiting (outlet);
  g_array_unref (outlet->waiting);
  loop_timer_free (outlet->timer);
  outlet->waiting = NULL;
}
