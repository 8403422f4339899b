/* udp_relay.h: a bad network between an RTSP client and a server whose RTP goes by UDP: it loses, doubles, delays and
 * reorders, by a seed, because the kernel of a test machine can't.
 *
 * The client connects to the relay's port instead of the server's. The relay passes RTSP on, and puts ports of its own
 * into the Transport headers, so that RTP and RTCP of both directions go through it. What it does to the n-th RTP packet
 * that the server sends on a track depends on the seed, the track and n alone. RTCP, and what clients send, passes
 * untouched. One client at a time; both ends at 127.0.0.1.
 *
 * It serves a camera and gridgate as its client (URL: rtsp://127.0.0.1:PORT/…) as well as gridgate and a viewer.
 *
 * thread: one of its own; the functions may be called from any. */
#pragma once

#include <glib.h>

typedef struct {
  guint32 seed;
  guint spare;                       /* the first packets of a track pass untouched */
  double loss, duplicate, reorder;   /* shares of the packets, 0 to 1 */
  guint reorder_packets, reorder_ms; /* one that is reordered passes behind 1 to so many others, or after so long */
  guint delay_ms;                    /* of every packet */
} UdpRelayHarm;

typedef struct {
  guint passed, lost, doubled, reordered; /* RTP packets of the server */
} UdpRelayCounts;

typedef struct UdpRelay UdpRelay;

/* Listens at `port` (0: one that is free), in front of the server at `server_port`. */
UdpRelay *udp_relay_new (guint16 port, guint16 server_port, const UdpRelayHarm *harm);

guint16 udp_relay_port (const UdpRelay *relay);

/* From now on everything passes; what is held back comes out. */
void udp_relay_end_harm (UdpRelay *relay);

UdpRelayCounts udp_relay_counts (UdpRelay *relay);

void udp_relay_free (UdpRelay *relay); /* NULL is taken */
