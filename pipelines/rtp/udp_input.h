/* udp_input.h: the ports that a camera sends RTP and RTCP to (RFC 3550 11), and what arrives at them: put in order, and
 * handed to the receiver as if it had come interleaved. Reports back how much arrives.
 *
 * A packet is received where it stays: into the receiver's block, behind its header to be. recvmmsg would gain nothing
 * (0.53 against 0.52 µs a packet). Only packets from the camera's address are taken.
 *
 * thread: the loop's. */
#pragma once

#include "pipelines/rtp/loop.h"
#include "pipelines/rtp/receiver.h"

typedef struct UdpInput UdpInput;

/* For the camera at the other end of the connection `connection_fd`, at the same address of ours. `name` is for the log and
 * must live as long. */
UdpInput *udp_input_new (Loop *loop, Receiver *receiver, int connection_fd, const char *name, GError **error);

/* A pair of ports, RTP's even, RTCP's the next. */
gboolean udp_input_open_track (UdpInput *input, guint track, guint32 clock_rate, guint16 *rtp_port, GError **error);

/* What the camera answered: `source` may be NULL and ports 0 or less when it doesn't say. Sends a packet to each port, so that
 * a router or firewall on the way lets the answers in. */
void udp_input_set_peer (UdpInput *input, guint track, const char *source, int rtp_port, int rtcp_port);

/* The camera has said goodbye. */
gboolean udp_input_is_over (const UdpInput *input);

/* A packet of `size` bytes lies in the receiver's room. For the input itself, and for tests. */
void udp_input_take (UdpInput *input, guint track, gboolean is_rtcp, gsize size);

void udp_input_free (UdpInput *input); /* NULL is taken */
