/* raw_packets.h: hand-made interleaved RTP, right and wrong, of one black 64x64 H.264 key frame.
 *
 * thread: any; a RawPackets belongs to one session. */
#pragma once

#include <glib.h>

#include "pipelines/sim/site_script.h"

typedef struct {
  guint16 sequence;
  guint32 frames;
} RawPackets;

/* The SDP of that video, under the codec name `encoding`. Free with g_free. */
char *raw_description (const char *encoding);

/* The next frame's packets with their interleaved headers, and with them what `fault` adds or spoils. */
GByteArray *raw_packets_frame (RawPackets *packets, RawFault fault);
