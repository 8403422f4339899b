/* receiver.h: reads a camera's interleaved connection into blocks, repairs the packets in place and publishes units.
 *
 * It outlives connections, so that numbers and timestamps run on after a reconnect. A unit ends at the marker of a video
 * packet, at a changed timestamp or at 48 KiB; parameter sets stay together with the picture that follows them, so that a
 * unit which starts a random access point has them.
 *
 * thread: its stream's loop. */
#pragma once

#include "pipelines/rtp/sprop.h"
#include "pipelines/rtp/stream.h"
#include "pipelines/rtp/wire.h"

typedef struct Receiver Receiver;

enum { RECEIVER_STOP = -1 };

/* Called with what may be an RTSP message. Returns how many bytes it used, 0 when it isn't whole yet, RECEIVER_STOP when
 * the connection is over. It must not read again or free the receiver. */
typedef gssize (*ReceiverMessage) (const guint8 *bytes, gsize size, gpointer data);

/* Something to tell came with a packet: the first key frame, or other parameter sets. */
typedef void (*ReceiverChanged) (gpointer data);

typedef struct {
  ReceiverMessage message;
  ReceiverChanged first_packet; /* of a connection, before it is published: the tracks may be published now */
  ReceiverChanged first_key_frame;
  ReceiverChanged parameter_sets;
} ReceiverEvents;

Receiver *receiver_new (Stream *stream, const ReceiverEvents *events, gpointer data);

/* A new connection: forgets channels and whatever half of a packet there was. */
void receiver_reset (Receiver *receiver);

/* The connection will carry these tracks, which stay the caller's and must live until the next reset. */
void receiver_set_tracks (Receiver *receiver, const TrackList *tracks);

/* What the camera sends on its channel is ours on `channel` (2 × track for RTP, 2 × track + 1 for RTCP). */
void receiver_map (Receiver *receiver, guint8 camera_channel, guint8 channel);
gboolean receiver_is_mapped (const Receiver *receiver, guint8 camera_channel);

/* One read, and all that is whole in it. Returns FALSE when the connection is over: `error` is set unless the message
 * callback stopped it. */
gboolean receiver_read (Receiver *receiver, Wire *wire, GError **error);

/* For packets that don't come in a connection: room for one of RECEIVER_ROOM_BYTES, behind its header to be. It stays
 * where it is until a packet is taken. */
enum { RECEIVER_ROOM_BYTES = 16 * 1024 - 4 };
guint8 *receiver_room (Receiver *receiver);

/* `size` bytes in the room are a packet of our `channel`. */
void receiver_take (Receiver *receiver, guint8 channel, gsize size);

/* No more came this time. */
void receiver_end_turn (Receiver *receiver);

/* What was read and isn't whole yet; valid until it is skipped or more is read. */
const guint8 *receiver_rest (const Receiver *receiver, gsize *size);
void receiver_skip_rest (Receiver *receiver);

/* Publishes what is pending. */
void receiver_flush (Receiver *receiver);

/* Asked after each read: what comes next may wait for the loop's tick, for the camera spreads its pictures over time, or nobody
 * watches. */
gboolean receiver_may_wait (Receiver *receiver);

gint64 receiver_last_video_us (const Receiver *receiver); /* monotonic, of the last packet that counts as a sign of life */
const Sprop *receiver_sprop (const Receiver *receiver);

void receiver_free (Receiver *receiver); /* NULL is taken */
