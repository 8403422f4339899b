/* access_point.h: what an RTP payload of H.264 or H.265 holds, seen from its NAL headers, without depacketizing.
 *
 * Single packets, aggregates (STAP-A, STAP-B, AP) and the first fragments (FU-A, FU-B, FU) are looked into (RFC 6184 5.6 to
 * 5.8, RFC 7798 4.4). Everything is bounded by the payload's size.
 *
 * thread: any; no state. */
#pragma once

#include "pipelines/rtp/track.h"

typedef enum {
  PEEK_PARAMETER_SET = 1 << 0,  /* SPS, PPS, VPS */
  PEEK_PICTURE = 1 << 1,        /* part of a coded picture */
  PEEK_RANDOM_ACCESS = 1 << 2,  /* the picture starts here, and decoding can start with it: IDR, IRAP */
  PEEK_RECOVERY_POINT = 1 << 3, /* SEI that says so of the picture after it (H.264 without IDR) */
  PEEK_MALFORMED = 1 << 4,      /* a length that lies, a payload that is too short */
} Peek;

/* Called with each whole parameter set that is seen. */
typedef void (*PeekParameterSet) (const guint8 *nal, gsize size, gpointer data);

/* Flags of Peek; 0 for other codecs. `parameter_set` may be NULL. */
guint access_point_peek (Codec codec, const guint8 *payload, gsize size, PeekParameterSet parameter_set, gpointer data);
