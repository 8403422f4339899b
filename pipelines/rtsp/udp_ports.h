/* udp_ports.h: the pair of UDP ports that everything over UDP leaves from, RTP from the even one, RTCP from the one above, and
 * what viewers send to it.
 *
 * One pair serves all viewers on all loops: sending on a shared socket takes no lock of ours, and a firewall needs to know two
 * ports. Receiver reports are read on one loop and noted for the viewer by the address they come from. A goodbye is no reason
 * to end a viewer: whoever knows the ports can forge it. What comes to the RTP port (clients open firewalls so) is thrown away.
 *
 * thread: opened and stopped on the loop that reads; everything else on any. */
#pragma once

#include <sys/socket.h>

#include "pipelines/rtp/loop.h"
#include "pipelines/rtp/udp_outlet.h"

typedef struct UdpPorts UdpPorts;

/* One viewer, for as long as it is registered. */
typedef struct {
  UdpPorts *ports; /* NULL: not registered */
  struct sockaddr_storage address; /* that its reports come from */
  gint heard_s;                    /* atomic: monotonic seconds of its last sign of life; 0: none yet */
} UdpPeer;

/* On the host of `listener`, a listening TCP socket, at `port`, an even number; 0: any two that are free. */
UdpPorts *udp_ports_open (Loop *loop, int listener, guint16 port, GError **error);

UdpPorts *udp_ports_ref (UdpPorts *ports);
void udp_ports_unref (UdpPorts *ports); /* NULL is taken; the last one closes */

/* Reads no more; viewers may still send. */
void udp_ports_stop (UdpPorts *ports);

UdpSockets *udp_ports_sockets (UdpPorts *ports);
guint16 udp_ports_number (const UdpPorts *ports); /* of RTP */

/* Whether they are what udp_ports_open would open anew. */
gboolean udp_ports_are_at (const UdpPorts *ports, int listener, guint16 port);

/* Whether packets can go to `client`: a listener may have addresses of IPv4 and IPv6, its ports have one of them. */
gboolean udp_ports_reach (const UdpPorts *ports, const struct sockaddr_storage *client);

/* `peer` must be registered until udp_ports_forget; `client` with any port. The newest of an address hears of it. */
void udp_ports_register (UdpPorts *ports, UdpPeer *peer, const struct sockaddr_storage *client, guint16 rtcp_port);
void udp_ports_forget (UdpPeer *peer); /* what is not registered is taken */
