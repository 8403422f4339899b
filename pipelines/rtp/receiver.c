#include "pipelines/rtp/receiver.h"

#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/rtp/access_point.h"
#include "pipelines/rtp/big_endian.h"
#include "pipelines/rtp/camera_times.h"
#include "pipelines/rtp/interleaved.h"
#include "pipelines/rtp/picture_pace.h"

enum {
  UNIT_MAX = 48 * 1024,
  READ_MIN = WIRE_READ_MIN, /* with less room than this the next block is taken */
  CARRY_MAX = 16 * 1024,   /* a pending unit up to this moves along, so that it stays one send */
  GARBAGE_MAX = 64 * 1024, /* skipped in a row before we give the connection up */
  PENDING_MAX_US = 7 * 1000, /* less than a tick; a packet waits so long for the rest of its picture */
  RTP_HEADER = 12,
  NO_CHANNEL = 0xff,
};

struct Receiver {
  Stream *stream;
  ReceiverEvents events;
  gpointer data;

  Block *block;
  guint32 unit_start, parsed, filled; /* pending unit, then what isn't parsed yet, then room */
  Unit pending;
  gboolean pending_has_video, pending_has_picture;

  const TrackList *tracks;
  int video; /* track; -1: none */
  PicturePace pace;
  gboolean is_patient; /* it is read at ticks */
  gboolean has_more;   /* the last read has filled all the room */

  guint8 channels[256];
  CameraTimes times;
  Sprop sprop;
  gsize garbage;

  gboolean in_picture;                              /* of the current access unit something was seen */
  gboolean parameter_set_seen, recovery_point_seen; /* since the last picture */
  gboolean last_was_access_point;
  guint32 last_picture_timestamp;
  gint64 last_key_us, last_video_us;
  gboolean had_packet, had_key_frame;
  gboolean spares; /* memory is spent: nothing is published until there is room again and a random access point */
};

Receiver *receiver_new (Stream *stream, const ReceiverEvents *events, gpointer data)
{
  Receiver *receiver = g_new0 (Receiver, 1);
  receiver->stream = receiver->times.stream = stream;
  receiver->events = *events;
  receiver->data = data;
  receiver_reset (receiver);
  return receiver;
}

void receiver_reset (Receiver *receiver)
{
  g_clear_pointer (&receiver->block, block_unref);
  receiver->unit_start = receiver->parsed = receiver->filled = 0;
  receiver->pending = (Unit){ 0 };
  receiver->pending_has_video = receiver->pending_has_picture = FALSE;
  receiver->in_picture = receiver->parameter_set_seen = receiver->recovery_point_seen = FALSE;
  receiver->last_was_access_point = receiver->had_packet = receiver->had_key_frame = FALSE;
  receiver->garbage = 0;
  receiver->pace = (PicturePace){ 0 };
  receiver->is_patient = FALSE;
  receiver->last_key_us = receiver->last_video_us = 0;
  receiver->tracks = NULL;
  receiver->video = -1;
  memset (receiver->channels, NO_CHANNEL, sizeof receiver->channels);
  camera_times_reconnect (&receiver->times);
}

void receiver_set_tracks (Receiver *receiver, const TrackList *tracks)
{
  receiver->tracks = tracks;
  receiver->video = track_list_video (tracks);
  camera_times_set_tracks (&receiver->times, tracks);
  if (receiver->video >= 0)
    sprop_init (&receiver->sprop, &tracks->tracks[receiver->video]);
}

void receiver_map (Receiver *receiver, guint8 camera_channel, guint8 channel)
{
  receiver->channels[camera_channel] = channel;
}

gboolean receiver_may_wait (Receiver *receiver)
{
  receiver->is_patient = !receiver->has_more && (picture_pace_is_spread (&receiver->pace) || !stream_is_watched (receiver->stream));
  return receiver->is_patient;
}

gint64 receiver_last_video_us (const Receiver *receiver)
{
  return receiver->last_video_us;
}

const Sprop *receiver_sprop (const Receiver *receiver)
{
  return &receiver->sprop;
}

static BlockPool *pool_of (const Receiver *receiver)
{
  return loop_blocks (stream_loop (receiver->stream));
}

static void pass_on (Receiver *receiver, const Unit *unit)
{
  if (receiver->spares && unit->is_random_access && block_pool_has_room (pool_of (receiver)))
    receiver->spares = FALSE;
  if (receiver->spares)
    stream_counters (receiver->stream)->spared_packets += unit->packets;
  else
    stream_publish (receiver->stream, unit);
}

gboolean receiver_is_mapped (const Receiver *receiver, guint8 camera_channel)
{
  return receiver->channels[camera_channel] != NO_CHANNEL;
}

static void publish (Receiver *receiver, gboolean ends_access_unit)
{
  Unit *unit = &receiver->pending;
  unit->block = receiver->block;
  unit->offset = receiver->unit_start;
  unit->size = receiver->parsed - receiver->unit_start;
  unit->ends_access_unit = ends_access_unit;
  receiver->unit_start = receiver->parsed;
  if (unit->packets > 0)
    pass_on (receiver, unit);
  *unit = (Unit){ 0 };
  receiver->pending_has_video = receiver->pending_has_picture = FALSE;
}

void receiver_flush (Receiver *receiver)
{
  if (receiver->pending.packets > 0)
    publish (receiver, FALSE);
}

/* What stands at `parsed` goes no further: units are whole ranges, so the pending one ends before it. */
static void cut (Receiver *receiver, gsize size)
{
  receiver_flush (receiver);
  receiver->parsed += (guint32) size;
  receiver->unit_start = receiver->parsed;
}

static void cut_malformed (Receiver *receiver, gsize size)
{
  stream_counters (receiver->stream)->malformed_packets++;
  cut (receiver, size);
}

static void include (Receiver *receiver, gsize frame_size)
{
  if (receiver->pending.packets == 0)
    receiver->pending.arrival_us = loop_now_us (stream_loop (receiver->stream)) - (receiver->is_patient ? LOOP_TICK_US : 0);
  receiver->pending.packets++;
  receiver->parsed += (guint32) frame_size;
}

/* The payload's range in an RTP packet (RFC 3550 5.1). FALSE when its lengths lie. */
static gboolean find_payload (const guint8 *packet, gsize size, gsize *offset, gsize *payload_size)
{
  gsize begin = RTP_HEADER + 4u * (packet[0] & 0x0f);
  if (packet[0] & 0x10) {
    if (begin + 4 > size)
      return FALSE;
    begin += 4 + 4 * ((gsize) packet[begin + 2] << 8 | packet[begin + 3]);
  }
  if (begin > size)
    return FALSE;
  gsize padding = packet[0] & 0x20 ? packet[size - 1] : 0;
  if ((packet[0] & 0x20 && padding == 0) || padding > size - begin)
    return FALSE;
  *offset = begin;
  *payload_size = size - begin - padding;
  return TRUE;
}

static void see_parameter_set (const guint8 *nal, gsize size, gpointer data)
{
  Receiver *receiver = data;
  if (sprop_see (&receiver->sprop, nal, size) && receiver->events.parameter_sets != NULL)
    receiver->events.parameter_sets (receiver->data);
}

static void note_key_frame (Receiver *receiver)
{
  gint64 now = loop_now_us (stream_loop (receiver->stream));
  if (receiver->last_key_us > 0)
    stream_counters (receiver->stream)->key_frame_interval_us = now - receiver->last_key_us;
  receiver->last_key_us = now;
  receiver->pending.is_random_access = TRUE;
  if (receiver->had_key_frame)
    return;
  receiver->had_key_frame = TRUE;
  if (receiver->events.first_key_frame != NULL)
    receiver->events.first_key_frame (receiver->data);
}

/* Whether this packet's picture starts a random access point. A camera may set the marker on every slice, so the next
 * slices of the same picture don't start another one. */
static gboolean starts_access_point (Receiver *receiver, guint flags, guint32 timestamp)
{
  if (!(flags & PEEK_PICTURE) || receiver->in_picture)
    return FALSE;
  if (receiver->last_was_access_point && timestamp == receiver->last_picture_timestamp)
    return FALSE;
  return flags & PEEK_RANDOM_ACCESS || (receiver->recovery_point_seen && receiver->parameter_set_seen);
}

static void see_video (Receiver *receiver, guint flags, guint32 timestamp)
{
  receiver->pending_has_video = TRUE;
  receiver->parameter_set_seen |= (flags & PEEK_PARAMETER_SET) != 0;
  receiver->recovery_point_seen |= (flags & PEEK_RECOVERY_POINT) != 0;
  if (!(flags & PEEK_PICTURE))
    return;
  if (!receiver->in_picture) {
    gboolean is_continued = receiver->last_was_access_point && timestamp == receiver->last_picture_timestamp;
    gboolean is_access_point = starts_access_point (receiver, flags, timestamp);
    if (is_access_point)
      note_key_frame (receiver);
    receiver->last_was_access_point = is_access_point || is_continued;
  }
  receiver->pending_has_picture = receiver->in_picture = TRUE;
  receiver->last_picture_timestamp = timestamp;
  receiver->parameter_set_seen = receiver->recovery_point_seen = FALSE;
}

static void handle_video (Receiver *receiver, const guint8 *packet, const TimelineStep *step, gsize frame_size,
                          const guint8 *payload, gsize payload_size)
{
  Loop *loop = stream_loop (receiver->stream);
  Codec codec = receiver->tracks->tracks[receiver->video].codec;
  guint32 timestamp = read_32 (packet + 4);

  receiver->last_video_us = loop_now_us (loop);
  if (step->is_new_timestamp) {
    receiver->in_picture = FALSE;
    picture_pace_forget (&receiver->pace);
    if (receiver->pending_has_picture)
      publish (receiver, TRUE);
  }
  see_video (receiver, access_point_peek (codec, payload, payload_size, see_parameter_set, receiver), timestamp);
  if (receiver->pending.wall_us == 0)
    receiver->pending.wall_us = stream_capture_time (receiver->stream, (guint) receiver->video)->wall_us;
  include (receiver, frame_size);
  picture_pace_begin (&receiver->pace, receiver->last_video_us);
  if (packet[1] & 0x80 && receiver->pending_has_picture) {
    receiver->in_picture = FALSE;
    picture_pace_end (&receiver->pace, receiver->last_video_us);
    publish (receiver, TRUE);
  }
}

static void handle_other (Receiver *receiver, guint track, gsize frame_size)
{
  if (receiver->video < 0) {
    receiver->last_video_us = loop_now_us (stream_loop (receiver->stream));
    receiver->pending.is_random_access = TRUE;
  }
  if (receiver->pending.wall_us == 0)
    receiver->pending.wall_us = stream_capture_time (receiver->stream, track)->wall_us;
  include (receiver, frame_size);
}

/* A packet that came after later ones of its track goes before them, as far as they have not been sent on. Only their bytes
 * change places. */
static void take_late (Receiver *receiver, guint track, guint8 *frame, gsize frame_size)
{
  guint8 *place = receiver->block->bytes + receiver->unit_start;
  guint16 sequence = read_16 (frame + INTERLEAVED_HEADER + 2);
  while (place < frame
         && (place[1] != frame[1] || (gint16) (read_16 (place + INTERLEAVED_HEADER + 2) - sequence) < 0))
    place += INTERLEAVED_HEADER + read_16 (place + 2);
  if (place < frame) {
    g_autofree guint8 *late = g_memdup2 (frame, frame_size);
    memmove (place + frame_size, place, (gsize) (frame - place));
    memcpy (place, late, frame_size);
  }
  handle_other (receiver, track, frame_size);
}

static void announce_first_packet (Receiver *receiver)
{
  if (receiver->had_packet)
    return;
  receiver->had_packet = TRUE;
  receiver->events.first_packet (receiver->data);
}

static void handle_rtp (Receiver *receiver, guint track, guint8 *frame, gsize frame_size)
{
  guint8 *packet = frame + INTERLEAVED_HEADER;
  gsize size = frame_size - INTERLEAVED_HEADER, offset, payload_size;

  if (size < RTP_HEADER || packet[0] >> 6 != 2 || !find_payload (packet, size, &offset, &payload_size)
      || (packet[1] & 0x7f) != receiver->tracks->tracks[track].payload_type) {
    cut_malformed (receiver, frame_size);
    return;
  }
  announce_first_packet (receiver);
  const Loop *loop = stream_loop (receiver->stream);
  TimelineStep step = camera_times_packet (&receiver->times, track, packet, loop_now_us (loop), loop_wall_us (loop));
  if (step.repairs & 1 << REPAIR_DUPLICATED)
    cut (receiver, frame_size);
  else if (step.is_late)
    take_late (receiver, track, frame, frame_size);
  else if ((int) track == receiver->video)
    handle_video (receiver, packet, &step, frame_size, packet + offset, payload_size);
  else
    handle_other (receiver, track, frame_size);
}

static void handle_rtcp (Receiver *receiver, guint track, guint8 *frame, gsize frame_size)
{
  const Loop *loop = stream_loop (receiver->stream);
  if (!receiver->had_packet
      || !camera_times_rtcp (&receiver->times, track, frame + INTERLEAVED_HEADER, frame_size - INTERLEAVED_HEADER,
                             loop_now_us (loop), loop_wall_us (loop))) {
    cut (receiver, frame_size);
    return;
  }
  if (receiver->pending.wall_us == 0)
    receiver->pending.wall_us = loop_wall_us (loop);
  include (receiver, frame_size);
}

static void handle_frame (Receiver *receiver, guint8 *frame, gsize size)
{
  guint8 channel = receiver->channels[frame[1]];
  receiver->garbage = 0;
  if (channel == NO_CHANNEL || receiver->tracks == NULL) {
    cut_malformed (receiver, size);
    return;
  }
  frame[1] = channel;
  if (channel & 1)
    handle_rtcp (receiver, channel / 2, frame, size);
  else
    handle_rtp (receiver, channel / 2, frame, size);
  if (receiver->parsed - receiver->unit_start >= UNIT_MAX)
    publish (receiver, FALSE);
}

/* Video whose picture isn't whole waits for the rest; all else goes at the end of the read, as does what may have waited for a tick
 * already. */
static void end_read (Receiver *receiver)
{
  if (receiver->pending.packets == 0)
    return;
  gboolean waits = receiver->pending_has_video
                   && (!receiver->pending_has_picture
                       || loop_now_us (stream_loop (receiver->stream)) - receiver->pending.arrival_us < PENDING_MAX_US);
  if (!waits)
    publish (receiver, FALSE);
}

static gboolean parse (Receiver *receiver, GError **error)
{
  for (;;) {
    guint8 *bytes = receiver->block->bytes + receiver->parsed;
    gsize available = receiver->filled - receiver->parsed, size;
    gssize used;

    switch (interleaved_next (bytes, available, &size)) {
    case INTERLEAVED_MORE:
      return TRUE;
    case INTERLEAVED_FRAME:
      handle_frame (receiver, bytes, size);
      break;
    case INTERLEAVED_GARBAGE:
      receiver->garbage += size;
      cut_malformed (receiver, size);
      if (receiver->garbage > GARBAGE_MAX)
        return error_set (error, ERROR_RETRY, "sends neither RTSP nor interleaved packets");
      break;
    case INTERLEAVED_MESSAGE:
      receiver_flush (receiver);
      used = receiver->events.message (bytes, available, receiver->data);
      if (used == RECEIVER_STOP)
        return FALSE;
      if (used == 0)
        return TRUE;
      cut (receiver, (gsize) used);
    }
  }
}

/* The budget is spent: the kept group goes first, then nothing is passed on, and this one block is used again and again. */
static gboolean must_stay (Receiver *receiver)
{
  if (block_pool_has_room (pool_of (receiver)))
    return FALSE;
  stream_shed (receiver->stream);
  receiver->spares |= !block_pool_has_room (pool_of (receiver));
  return receiver->spares && receiver->block != NULL && receiver->block->references == 1;
}

/* Makes room: what is pending (if it is small) and what isn't whole yet goes to the start of a new block. */
static void take_block (Receiver *receiver)
{
  Block *old = receiver->block;
  if (old != NULL && receiver->parsed - receiver->unit_start > CARRY_MAX)
    publish (receiver, FALSE);
  gboolean stays = must_stay (receiver);
  if (!stays)
    receiver->block = block_new (pool_of (receiver));
  if (old == NULL)
    return;
  guint32 begin = receiver->unit_start, carried = receiver->filled - begin;
  memmove (receiver->block->bytes, old->bytes + begin, carried);
  receiver->parsed -= begin;
  receiver->unit_start = 0;
  receiver->filled = carried;
  if (!stays)
    block_unref (old);
}

gboolean receiver_read (Receiver *receiver, Wire *wire, GError **error)
{
  if (receiver->block == NULL || BLOCK_BYTES - receiver->filled < READ_MIN)
    take_block (receiver);
  gsize room = BLOCK_BYTES - receiver->filled;
  gssize size = wire_read (wire, receiver->block->bytes + receiver->filled, room);
  if (size < 0)
    return errno == EAGAIN || errno == EINTR || error_set (error, ERROR_RETRY, "the connection broke: %s", wire_problem (wire));
  if (size == 0)
    return error_set (error, ERROR_RETRY, "the other side closed the connection");
  receiver->has_more = (gsize) size == room;
  receiver->filled += (guint32) size;
  stream_counters (receiver->stream)->received_bytes += (guint64) size;
  if (!parse (receiver, error))
    return FALSE;
  end_read (receiver);
  return TRUE;
}

const guint8 *receiver_rest (const Receiver *receiver, gsize *size)
{
  *size = receiver->filled - receiver->parsed;
  return receiver->block != NULL ? receiver->block->bytes + receiver->parsed : NULL;
}

void receiver_skip_rest (Receiver *receiver)
{
  cut (receiver, receiver->filled - receiver->parsed);
}

guint8 *receiver_room (Receiver *receiver)
{
  if (receiver->block == NULL || BLOCK_BYTES - receiver->filled < READ_MIN)
    take_block (receiver);
  return receiver->block->bytes + receiver->filled + INTERLEAVED_HEADER;
}

void receiver_take (Receiver *receiver, guint8 channel, gsize size)
{
  guint8 *frame = receiver->block->bytes + receiver->filled;
  frame[0] = '$';
  frame[1] = channel;
  frame[2] = (guint8) (size >> 8);
  frame[3] = (guint8) size;
  receiver->filled += (guint32) (INTERLEAVED_HEADER + size);
  stream_counters (receiver->stream)->received_bytes += size;
  handle_frame (receiver, frame, INTERLEAVED_HEADER + size);
}

void receiver_end_turn (Receiver *receiver)
{
  end_read (receiver);
}

void receiver_free (Receiver *receiver)
{
  if (receiver == NULL)
    return;
  block_unref (receiver->block);
  g_free (receiver);
}
