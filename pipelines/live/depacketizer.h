/* depacketizer.h: RTP packets of one track in, access units out.
 *
 * Takes packets in the order of arrival and tolerates loss: an access unit that lacks a packet, or whose packets lie about
 * their lengths, is dropped and counted, never handed on. Bounded: one unit under assembly, ACCESS_UNIT_BYTES_MAX.
 *
 * thread: the stream's loop. */
#pragma once

#include "pipelines/live/access_unit.h"

typedef struct Depacketizer Depacketizer;

/* Takes `unit`: pts and dts are RTP ticks, unwrapped to 64 bits from the first packet's timestamp on. */
typedef void (*DepacketizerOutput) (AccessUnit *unit, gpointer data);

typedef struct {
  guint64 units;     /* handed on */
  guint64 broken;    /* units dropped: a packet is missing or lies */
  guint64 malformed; /* packets that are no RTP of this track */
  guint64 waiting;   /* units dropped because no whole parameter sets were known yet */
} DepacketizerCounts;

/* `track` is copied from. ERROR_GIVE_UP for a codec or packetization that can't be recorded or played in a browser. */
Depacketizer *depacketizer_new (const Track *track, DepacketizerOutput output, gpointer data, GError **error);

/* One RTP packet (RFC 3550 5.1). */
void depacketizer_push (Depacketizer *depacketizer, const guint8 *packet, gsize size, gint64 wall_us);

/* Hands on what is whole although its end was not seen: the stream is over. */
void depacketizer_flush (Depacketizer *depacketizer);

/* Borrowed; NULL while unknown. */
MediaFormat *depacketizer_format (Depacketizer *depacketizer);

DepacketizerCounts depacketizer_counts (const Depacketizer *depacketizer);

void depacketizer_free (Depacketizer *depacketizer); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Depacketizer, depacketizer_free)
