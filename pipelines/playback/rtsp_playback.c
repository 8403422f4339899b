#include "pipelines/playback/rtsp_playback.h"

#include <string.h>

#include "gateway/core/log.h"
#include "pipelines/live/fragment.h"
#include "pipelines/playback/packetizer.h"
#include "pipelines/playback/recorded_sdp.h"
#include "pipelines/rtp/interleaved.h"
#include "pipelines/rtp/sender_report.h"

enum { TRACKS = 2, NO_CHANNEL = 0xff, BATCHES_MAX = 2, BYE_BYTES = 8, SHARE_BYTES = 256 * 1024 };

#define AHEAD_US ((gint64) 500 * 1000)                /* clients keep buffers of their own */
#define REPORT_US ((gint64) 5 * G_USEC_PER_SEC)

struct RtspPlaybacks {
  RtspRecordings recordings;
  FeedPool *pool;
  char *(*data_dir) (gpointer data);
  gpointer data;
  gint count; /* atomic */
};

typedef struct {
  guint8 rtp, rtcp;   /* channels; NO_CHANNEL: not set up */
  guint32 rate;       /* Hz, of its RTP time */
  guint32 first;      /* RTP time of `zero_us` */
  Packetizer packetizer;
  guint32 packets, bytes;
  gint64 reported_us; /* timeline */
} PlayedTrack;

typedef struct {
  RtspPlaybacks *playbacks;
  Loop *loop;
  char *camera;
  Outlet *outlet;
  RtspRecordedEvents events;
  gpointer data;
  PlaybackFeed *feed; /* NULL: too many play already */
  LoopTimer *timer;
  PlayedTrack tracks[TRACKS];
  gint64 from_us, to_us; /* wall */
  double scale;
  GQueue batches;     /* of FeedBatch */
  guint next;         /* unit of the first */
  gboolean is_described, answers_play, is_playing, is_at_end, drops_next, is_anchored;
  gint64 anchor_us, zero_us;  /* monotonic; timeline */
  gint64 media_zero_us; /* RTP time, in microseconds, of the anchor: RTP time goes on where it was */
  gint64 media_us;      /* of the newest picture */
  Block *block;         /* that packets are written into */
  guint32 filled, begun;
  guint16 packets;
  gboolean is_key, is_reported, is_gone; /* reported: what goes before the first batch was sent */
} Session;

static void work (Session *session);

static void end (Session *session, const char *reason)
{
  if (!session->is_gone)
    session->events.ended (reason, session->data);
}

/* ---- time ---- */

/* Where a timeline's moment is in RTP time, microseconds. */
static gint64 media_of (const Session *session, gint64 timeline_us)
{
  return session->media_zero_us + (gint64) ((double) (timeline_us - session->zero_us) / session->scale);
}

static guint32 rtp_time (const PlayedTrack *track, gint64 media_us)
{
  gint64 seconds = media_us / G_USEC_PER_SEC, rest = media_us % G_USEC_PER_SEC;
  return track->first + (guint32) (seconds * track->rate + rest * track->rate / G_USEC_PER_SEC);
}

static gint64 due_us (const Session *session, const AccessUnit *unit)
{
  return session->anchor_us + media_of (session, access_unit_dts_us (unit)) - session->media_zero_us - AHEAD_US;
}

/* ---- what is sent ---- */

/* What stands in the block since the last call goes out as one unit. */
static void flush_block (Session *session)
{
  guint32 size = session->filled - session->begun;
  gint64 now_us = loop_now_us (session->loop);
  if (size == 0)
    return;
  Unit unit = { .block = session->block, .offset = session->begun, .size = size, .packets = session->packets,
                .is_random_access = session->is_key, .ends_access_unit = TRUE, .arrival_us = now_us, .wall_us = now_us };
  session->begun = session->filled;
  session->packets = 0;
  if (!outlet_send (session->outlet, &unit, now_us))
    end (session, "closed");
}

static void put_frame (Session *session, guint8 channel, const guint8 *packet, gsize size)
{
  if (session->is_gone)
    return;
  if (session->block != NULL && BLOCK_BYTES - session->filled < INTERLEAVED_HEADER + size) {
    flush_block (session);
    g_clear_pointer (&session->block, block_unref);
    if (session->is_gone)
      return;
  }
  if (session->block == NULL) {
    session->block = block_new (loop_blocks (session->loop));
    session->filled = session->begun = 0;
  }
  guint8 *to = session->block->bytes + session->filled;
  to[0] = '$';
  to[1] = channel;
  to[2] = (guint8) (size >> 8);
  to[3] = (guint8) size;
  memcpy (to + INTERLEAVED_HEADER, packet, size);
  session->filled += (guint32) (INTERLEAVED_HEADER + size);
  session->packets++;
}

typedef struct {
  Session *session;
  PlayedTrack *track;
} Sending;

static void take_packet (const guint8 *packet, gsize size, gpointer data)
{
  Sending *sending = data;
  sending->track->packets++;
  sending->track->bytes += (guint32) (size - 12);
  put_frame (sending->session, sending->track->rtp, packet, size);
}

static void put_32 (guint8 *bytes, guint32 value)
{
  guint32 big_endian = GUINT32_TO_BE (value);
  memcpy (bytes, &big_endian, 4);
}

/* A sender report, with what was sent; `says_bye`: and a BYE behind it (RFC 3550 6.4.1, 6.6). */
static void put_report (Session *session, PlayedTrack *track, gint64 media_us, gint64 wall_us, gboolean says_bye)
{
  guint8 packet[SENDER_REPORT_BYTES + BYE_BYTES];
  SenderReport report = { .ntp = ntp_from_wall_us (wall_us), .timestamp = rtp_time (track, media_us),
                          .ssrc = track->packetizer.ssrc, .clock_rate = track->rate };
  if (track->rtcp == NO_CHANNEL)
    return;
  sender_report_write (&report, report.timestamp, packet);
  put_32 (packet + 20, track->packets);
  put_32 (packet + 24, track->bytes);
  memcpy (packet + SENDER_REPORT_BYTES, (guint8[]){ 0x81, 203, 0, 1 }, 4);
  put_32 (packet + SENDER_REPORT_BYTES + 4, track->packetizer.ssrc);
  put_frame (session, track->rtcp, packet, SENDER_REPORT_BYTES + (says_bye ? BYE_BYTES : 0));
}

/* All tracks at once, so that they are moved together. */
static void report_all (Session *session, const AccessUnit *unit, gboolean says_bye)
{
  gint64 media_us = media_of (session, access_unit_dts_us (unit));
  for (guint i = 0; i < TRACKS; i++)
    put_report (session, &session->tracks[i], media_us, unit->wall_us, says_bye);
  session->tracks[0].reported_us = media_us;
}

static void send_unit (Session *session, const AccessUnit *unit)
{
  PlayedTrack *track = &session->tracks[!access_unit_is_video (unit)];
  Sending sending = { session, track };
  if (track->rtp == NO_CHANNEL || (!access_unit_is_video (unit) && unit->format->time_scale != track->rate))
    return;
  gint64 media_us = media_of (session, access_unit_pts_us (unit));
  session->is_key = access_unit_is_video (unit) && unit->is_key;
  outlet_allow (session->outlet, unit->size * 2 + BLOCK_BYTES);
  if (access_unit_is_video (unit)) {
    session->media_us = media_of (session, access_unit_dts_us (unit) + (gint64) unit->duration * G_USEC_PER_SEC / unit->format->time_scale);
    if (media_of (session, access_unit_dts_us (unit)) - track->reported_us >= REPORT_US)
      report_all (session, unit, FALSE);
  }
  if (!packetizer_push (&track->packetizer, unit, rtp_time (track, media_us), take_packet, &sending))
    log_limited (LOG_LEVEL_WARNING, "playback of camera %s: a picture is broken", session->camera);
}

/* ---- starting ---- */

static const AccessUnit *first_picture (const FeedBatch *batch)
{
  for (guint i = 0; i < batch->units->len; i++)
    if (access_unit_is_video (batch->units->pdata[i]))
      return batch->units->pdata[i];
  return NULL;
}

static MediaFormat *sound_of (const FeedBatch *batch)
{
  for (guint i = 0; i < batch->units->len; i++)
    if (!access_unit_is_video (batch->units->pdata[i]))
      return ((const AccessUnit *) batch->units->pdata[i])->format;
  return NULL;
}

/* The first batch since DESCRIBE. */
static void describe (Session *session, const FeedBatch *batch)
{
  const AccessUnit *first = first_picture (batch);
  gboolean is_there = first != NULL && (session->to_us < 0 || first->wall_us < session->to_us);
  MediaFormat *sound = sound_of (batch);
  session->is_described = TRUE;
  session->tracks[0].rate = RECORDED_VIDEO_RATE;
  session->tracks[1].rate = sound != NULL ? sound->time_scale : 0;
  g_autofree char *sdp
    = is_there ? recorded_sdp (session->camera, first->format, sound, session->from_us, session->to_us) : NULL;
  session->events.described (sdp, session->data);
}

static void tell_start (Session *session, const AccessUnit *first)
{
  GString *info = g_string_new (NULL);
  session->answers_play = FALSE;
  for (guint i = 0; first != NULL && i < TRACKS; i++) {
    const PlayedTrack *track = &session->tracks[i];
    if (track->rtp != NO_CHANNEL)
      g_string_append_printf (info, "%strackID=%u;seq=%u;rtptime=%u", info->len > 0 ? "," : "", i, track->packetizer.sequence,
                              rtp_time (track, session->media_zero_us));
  }
  RtspRecordedPlay play = { first != NULL ? first->wall_us : 0, session->scale, info->str };
  session->events.playing (first != NULL ? &play : NULL, session->data);
  g_string_free (info, TRUE);
}

static void anchor (Session *session, const AccessUnit *first)
{
  session->is_anchored = TRUE;
  session->anchor_us = loop_now_us (session->loop) + AHEAD_US;
  session->zero_us = access_unit_dts_us (first);
  session->media_zero_us = session->media_us;
}

/* ---- going on ---- */

static void drop_batch (Session *session)
{
  feed_batch_free (g_queue_pop_head (&session->batches));
  session->next = 0;
  session->is_reported = FALSE;
}

static void say_goodbye (Session *session, const AccessUnit *last)
{
  session->is_at_end = TRUE;
  if (last != NULL)
    report_all (session, last, TRUE);
  flush_block (session);
  if (!session->is_gone)
    session->events.finished (session->data);
}

/* TRUE: the batch is out. */
static gboolean send_batch (Session *session)
{
  const FeedBatch *batch = session->batches.head->data;
  const AccessUnit *first = first_picture (batch), *last = NULL;
  if (first != NULL && !session->is_anchored)
    anchor (session, first);
  if (session->answers_play) { /* which may bring the next request, and with it anything */
    loop_timer_set (session->timer, loop_now_us (session->loop));
    tell_start (session, first);
    return FALSE;
  }
  gboolean is_gap = batch->gap_to_us > batch->gap_from_us;
  if (!session->is_reported && first != NULL && (batch->is_first || is_gap))
    report_all (session, first, FALSE);
  session->is_reported = TRUE;
  while (!session->is_gone && session->next < batch->units->len && !outlet_is_waiting (session->outlet)) {
    const AccessUnit *unit = batch->units->pdata[session->next];
    gint64 at_us = due_us (session, unit);
    if (access_unit_is_video (unit) && at_us > loop_now_us (session->loop)) {
      flush_block (session);
      if (!session->is_gone)
        loop_timer_set (session->timer, at_us);
      return FALSE;
    }
    session->next++;
    last = access_unit_is_video (unit) ? unit : last;
    if (session->to_us >= 0 && unit->wall_us >= session->to_us) {
      if (access_unit_is_video (unit)) {
        say_goodbye (session, unit);
        return FALSE;
      }
      continue;
    }
    send_unit (session, unit);
    flush_block (session);
  }
  if (session->is_gone || session->next < batch->units->len)
    return FALSE;
  if (batch->is_end)
    say_goodbye (session, last != NULL ? last : first);
  drop_batch (session);
  return !session->is_at_end;
}

static void work (Session *session)
{
  while (session->is_playing && !session->is_at_end && !session->is_gone && session->batches.length > 0
         && !outlet_is_waiting (session->outlet) && send_batch (session))
    ;
  if (session->is_playing && !session->is_at_end && !session->is_gone && !playback_feed_is_asked (session->feed)
      && session->batches.length < BATCHES_MAX)
    playback_feed_ask (session->feed);
}

static void on_batch (FeedBatch *taken, gpointer data)
{
  Session *session = data;
  g_autoptr (FeedBatch) batch = taken;
  if (batch->error != NULL) {
    log_limited (LOG_LEVEL_WARNING, "playback of camera %s: %s", session->camera, batch->error->message);
    end (session, "error");
    return;
  }
  if (session->drops_next) {
    session->drops_next = FALSE;
  } else if (!session->is_described) {
    FeedBatch *kept = g_steal_pointer (&batch);
    g_queue_push_tail (&session->batches, kept);
    describe (session, kept); /* the session may be closed after this */
    return;
  } else {
    g_queue_push_tail (&session->batches, g_steal_pointer (&batch));
  }
  work (session);
}

static void on_timer (gpointer data)
{
  work (data);
}

/* ---- for the server ---- */

static void refuse_later (gpointer data)
{
  Session *session = data;
  if (!session->is_gone)
    session->events.described (NULL, session->data);
}

static gpointer open_session (Loop *loop, const RtspRecordedTime *time, const RtspRecordedEvents *events, gpointer data,
                              gpointer owner)
{
  RtspPlaybacks *playbacks = owner;
  Session *session = g_new0 (Session, 1);
  g_autofree char *data_dir = playbacks->data_dir (playbacks->data);
  *session = (Session){ .playbacks = playbacks, .loop = loop, .camera = g_strdup (time->camera), .outlet = time->outlet,
                        .events = *events, .data = data, .from_us = time->from_us, .to_us = time->to_us, .scale = 1 };
  for (guint i = 0; i < TRACKS; i++)
    session->tracks[i] = (PlayedTrack){ .rtp = NO_CHANNEL, .rtcp = NO_CHANNEL, .first = g_random_int (),
                                        .packetizer = { i == 0 ? RECORDED_VIDEO_TYPE : RECORDED_AUDIO_TYPE,
                                                        (guint16) g_random_int (), g_random_int () } };
  if (g_atomic_int_add (&playbacks->count, 1) >= RTSP_PLAYBACKS_MAX || data_dir == NULL) {
    session->timer = loop_timer_new (loop, refuse_later, session);
    loop_timer_set (session->timer, loop_now_us (loop));
    return session;
  }
  session->timer = loop_timer_new (loop, on_timer, session);
  session->feed
    = playback_feed_new (playbacks->pool, loop, data_dir, time->camera, time->stream, on_batch, session);
  playback_feed_seek (session->feed, time->from_us, FALSE);
  playback_feed_ask (session->feed);
  return session;
}

static gboolean set_up (gpointer data, guint track, guint8 rtp_channel, guint8 rtcp_channel)
{
  Session *session = data;
  if (track >= TRACKS || session->tracks[track].rate == 0 || rtp_channel == rtcp_channel)
    return FALSE;
  const PlayedTrack *other = &session->tracks[1 - track];
  if (other->rtp == rtp_channel || other->rtp == rtcp_channel || other->rtcp == rtp_channel || other->rtcp == rtcp_channel)
    return FALSE;
  session->tracks[track].rtp = rtp_channel;
  session->tracks[track].rtcp = rtcp_channel;
  return TRUE;
}

/* The picture that would come next: a pause goes on there. */
static gint64 place_of (const Session *session)
{
  const FeedBatch *batch = session->batches.length > 0 ? session->batches.head->data : NULL;
  for (guint i = session->next; batch != NULL && i < batch->units->len; i++)
    if (access_unit_is_video (batch->units->pdata[i]))
      return ((const AccessUnit *) batch->units->pdata[i])->wall_us;
  return -1;
}

static void play (gpointer data, gint64 from_us, gint64 to_us, double scale)
{
  Session *session = data;
  gboolean is_new_scale = scale != session->scale, starts = session->is_anchored || from_us >= 0 || is_new_scale;
  gint64 place_us = from_us >= 0 ? from_us : place_of (session);
  session->scale = scale;
  if (to_us >= 0)
    session->to_us = to_us;
  if (starts) { /* from a key picture: units that were read may be of another place, or too many */
    playback_feed_seek (session->feed, place_us >= 0 ? place_us : session->from_us, scale > 1);
    while (session->batches.length > 0)
      drop_batch (session);
    session->drops_next = playback_feed_is_asked (session->feed);
  }
  session->is_anchored = session->is_at_end = FALSE;
  session->is_playing = session->answers_play = TRUE;
  loop_timer_set (session->timer, loop_now_us (session->loop)); /* never from inside this call */
}

static void pause_session (gpointer data)
{
  Session *session = data;
  session->is_playing = FALSE;
  loop_timer_clear (session->timer);
}

static void resume_session (gpointer data)
{
  work (data);
}

static void release (gpointer data)
{
  Session *session = data;
  while (session->batches.length > 0)
    drop_batch (session);
  g_free (session->camera);
  g_free (session);
}

/* Sending itself may find the client gone and come here: what is being sent lives on until the loop's turn ends. */
static void close_session (gpointer data)
{
  Session *session = data;
  session->is_gone = TRUE;
  g_atomic_int_add (&session->playbacks->count, -1);
  playback_feed_free (session->feed);
  loop_timer_free (session->timer);
  g_clear_pointer (&session->block, block_unref);
  loop_free_later (session->loop, session, release);
}

RtspPlaybacks *rtsp_playbacks_new (FeedPool *pool, char *(*data_dir) (gpointer data), gpointer data)
{
  RtspPlaybacks *playbacks = g_new0 (RtspPlaybacks, 1);
  *playbacks = (RtspPlaybacks){ { open_session, set_up, play, pause_session, resume_session, close_session, playbacks },
                                pool, data_dir, data, 0 };
  return playbacks;
}

const RtspRecordings *rtsp_playbacks_recordings (const RtspPlaybacks *playbacks)
{
  return &playbacks->recordings;
}

void rtsp_playbacks_free (RtspPlaybacks *playbacks)
{
  g_free (playbacks);
}
