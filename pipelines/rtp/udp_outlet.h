/* udp_outlet.h: what goes out to one RTSP viewer over UDP: the packets of units, without their interleaved headers.
 *
 * Packets of one size in a row (the last may be shorter) leave with one call, cut up by the kernel (UDP_SEGMENT): eight packets
 * cost 7.1 µs so, 22.9 µs by themselves. Where the kernel or the interface can't, each goes by itself. A full socket drops to
 * the next random access point and counts, as a full TCP viewer does; a datagram that nobody takes is nobody's fault.
 *
 * What the viewer starts with, the kept group, is paced: a burst of megabytes would overflow the client's socket. So is
 * everything of a recording (udp_outlet_pace): nothing else spreads its pictures, as the camera's own sending spreads live ones.
 *
 * thread: the loop's. */
#pragma once

#include <sys/socket.h>

#include "pipelines/rtp/loop.h"
#include "pipelines/rtp/outlet.h"
#include "pipelines/rtp/track.h"

/* Sockets that many viewers share, on all loops. */
typedef struct {
  int rtp_fd, rtcp_fd;
  gint has_segments; /* atomic: UDP_SEGMENT works */
} UdpSockets;

/* Whether the kernel knows UDP_SEGMENT; one that doesn't would send the packets as a single one. */
gboolean udp_sockets_probe (const UdpSockets *sockets);

typedef struct {
  UdpSockets *sockets;            /* the owner's */
  Loop *loop;
  struct sockaddr_storage client; /* its port is the packet's */
  struct sockaddr_storage local;  /* where the client reached us: what it gets comes from there */
  guint16 ports[2 * TRACKS_MAX];  /* of our channels; 0: not wanted */
  gboolean starts_anywhere;       /* has no video: each unit is a random access point */

  const OutletLimits *limits;
  LoopTimer *timer;      /* of the next piece while something waits */
  GArray *waiting;       /* of Unit; those before `first` are sent and unreferenced */
  guint first;
  guint32 sent_of_first; /* bytes */
  gsize waiting_bytes, allowance;
  gsize piece_bytes;     /* of what is paced, at a time */
  gint64 piece_us;
  gboolean paces_all, skips;
  guint64 sent_bytes, skip_count;
} UdpOutlet;

/* Addresses are IPv4 or IPv6, both alike. */
void udp_outlet_init (UdpOutlet *outlet, UdpSockets *sockets, Loop *loop, const struct sockaddr_storage *client,
                      const struct sockaddr_storage *local, const OutletLimits *limits);

/* FALSE when the viewer's ports are not those of a pair, or used already. */
gboolean udp_outlet_set_ports (UdpOutlet *outlet, guint track, guint16 rtp_port, guint16 rtcp_port);

/* All that follows is paced, at so many bytes a second (at least 100 KB): a few packets each ten milliseconds. */
void udp_outlet_pace (UdpOutlet *outlet, gint64 bytes_per_second);

/* What waits is not wanted any more; what follows is another stretch, and begins whole. */
void udp_outlet_forget (UdpOutlet *outlet);

/* What follows until the queue is empty again is paced, and so much may wait beyond the bound. */
void udp_outlet_allow (UdpOutlet *outlet, gsize bytes);

void udp_outlet_send (UdpOutlet *outlet, const Unit *unit);

/* One packet of ours, on a channel of ours. */
void udp_outlet_send_packet (UdpOutlet *outlet, guint8 channel, const guint8 *packet, gsize size);

void udp_outlet_finish (UdpOutlet *outlet);
