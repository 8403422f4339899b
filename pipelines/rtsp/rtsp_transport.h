/* rtsp_transport.h: the Transport header of a client's SETUP (RFC 2326 12.39): which of its offers we take.
 *
 * thread: any; no state. */
#pragma once

#include <glib.h>

typedef enum { RTSP_TAKES_TCP = 1, RTSP_TAKES_UDP = 2 } RtspTakes;

typedef struct {
  gboolean is_udp;
  int first, second; /* channels or ports of RTP and RTCP; of TCP -1: ours to choose */
} RtspTransport;

/* The client's first offer that we speak and that is of `takes`; FALSE: there is none. A `destination` is not listened to:
 * packets go where the requests come from, or we would flood whomever a client names. */
gboolean rtsp_transport_choose (const char *header, RtspTakes takes, RtspTransport *chosen);
