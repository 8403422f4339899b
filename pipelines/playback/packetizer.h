/* packetizer.h: access units into RTP packets: H.264 (RFC 6184 5.6 to 5.8: single, STAP-A, FU-A), H.265 (RFC 7798 4.4.1 to 4.4.3:
 * single, AP, FU), AAC (RFC 3640 3.3.6, AAC-hbr). The other way round than depacketizer.h.
 *
 * A key picture takes its parameter sets along, so that a viewer may start there and see them change. Small NAL units in a row
 * share a packet.
 *
 * thread: its owner's. */
#pragma once

#include "pipelines/live/access_unit.h"

enum { PACKET_PAYLOAD_MAX = 1400 };

typedef struct {
  guint8 payload_type;
  guint16 sequence; /* of the next packet */
  guint32 ssrc;
} Packetizer;

/* A whole RTP packet; good until it returns. */
typedef void (*PacketizerOutput) (const guint8 *packet, gsize size, gpointer data);

/* FALSE, and nothing is handed on of what follows, when the lengths in the unit lie or it is none of these formats. */
gboolean packetizer_push (Packetizer *packetizer, const AccessUnit *unit, guint32 timestamp, PacketizerOutput output,
                          gpointer data);
