#include "pipelines/playback/rtsp_playback.h"

#include <string.h>

#include "gateway/core/log.h"
#include "pipelines/live/fragment.h"
#include "pipelines/playback/recorded_sdp.h"
#include "pipelines/playback/rtsp_packets.h"
#include "pipelines/playback/watched.h"

enum { BATCHES_MAX = 2 };

#define REPORT_US ((gint64) 5 * G_USEC_PER_SEC)

/* Over UDP reports have sockets of their own: a BYE right behind the last picture overtakes it, and clients end without it
 * (GStreamer, one run in two). */
#define GOODBYE_AFTER_US ((gint64) 500 * 1000)

struct RtspPlaybacks {
  RtspRecordings recordings;
  FeedPool *pool;
  char *(*data_dir) (gpointer data);
  gpointer data;
  gint count; /* atomic */
};

typedef struct {
  RtspPlaybacks *playbacks;
  Loop *loop;
  char *camera;
  RtspRecordedEvents events;
  gpointer data;
  PlaybackFeed *feed; /* NULL: there is no site yet */
  LoopTimer *timer;
  RtspPackets packets;
  Watched watched;
  gint64 from_us, to_us; /* wall */
  double scale;
  GQueue batches;     /* of FeedBatch */
  guint next;         /* unit of the first */
  gboolean is_described, answers_play, is_playing, is_at_end, drops_next, is_anchored;
  gint64 anchor_us, zero_us;  /* monotonic; timeline */
  gint64 media_zero_us; /* RTP time, in microseconds, of the anchor: RTP time goes on where it was */
  gint64 media_us, wall_us; /* of the newest picture's end; until there is one, wall_us is where to begin */
  gint64 reported_us;   /* media time of the newest sender report */
  gboolean leaves;      /* all is out, the BYE follows */
  gboolean is_reported, is_gone; /* reported: what goes before the first batch was sent */
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

static gint64 due_us (const Session *session, const AccessUnit *unit)
{
  return session->anchor_us + media_of (session, access_unit_dts_us (unit)) - session->media_zero_us;
}

/* ---- what is sent ---- */

static void flush (Session *session)
{
  rtsp_packets_flush (&session->packets);
  if (session->packets.is_broken)
    end (session, "closed");
}

static void report (Session *session, const AccessUnit *unit)
{
  gint64 media_us = media_of (session, access_unit_dts_us (unit));
  rtsp_packets_report (&session->packets, media_us, unit->wall_us, FALSE);
  session->reported_us = media_us;
}

static void send_unit (Session *session, const AccessUnit *unit)
{
  if (access_unit_is_video (unit)) {
    gint64 media_us = media_of (session, access_unit_dts_us (unit));
    session->media_us = media_of (session, access_unit_dts_us (unit) + access_unit_duration_us (unit));
    session->wall_us = unit->wall_us + access_unit_duration_us (unit);
    watched_add (&session->watched, unit->wall_us, access_unit_duration_us (unit));
    if (media_us - session->reported_us >= REPORT_US)
      report (session, unit);
  }
  if (!rtsp_packets_send (&session->packets, unit, media_of (session, access_unit_pts_us (unit))))
    log_limited (LOG_LEVEL_WARNING, "playback of camera %s: a picture is broken", session->camera);
  flush (session);
}

static void pace (Session *session, const FeedBatch *batch)
{
  gsize bytes = 0;
  gint64 lasts_us = 0;
  for (guint i = 0; i < batch->units->len; i++) {
    const AccessUnit *unit = batch->units->pdata[i];
    bytes += unit->size;
    lasts_us += access_unit_is_video (unit) ? access_unit_duration_us (unit) : 0;
  }
  rtsp_packets_pace (&session->packets, bytes, (double) lasts_us / session->scale);
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
  session->packets.tracks[0].rate = RECORDED_VIDEO_RATE;
  session->packets.tracks[1].rate = sound != NULL ? sound->time_scale : 0;
  g_autofree char *sdp
    = is_there ? recorded_sdp (session->camera, first->format, sound, session->from_us, session->to_us) : NULL;
  session->events.described (sdp, session->data);
}

static void tell_start (Session *session, const AccessUnit *first)
{
  GString *info = g_string_new (NULL);
  session->answers_play = FALSE;
  session->is_playing = first != NULL;
  for (guint i = 0; first != NULL && i < RTSP_PACKETS_TRACKS; i++) {
    const RtspPacketTrack *track = &session->packets.tracks[i];
    if (track->rtp != RTSP_PACKETS_NO_CHANNEL)
      g_string_append_printf (info, "%strackID=%u;seq=%u;rtptime=%u", info->len > 0 ? "," : "", i, track->packetizer.sequence,
                              rtsp_packets_time (track, session->media_zero_us));
  }
  RtspRecordedPlay play = { first != NULL ? first->wall_us : 0, session->scale, info->str };
  session->events.playing (first != NULL ? &play : NULL, session->data);
  g_string_free (info, TRUE);
}

static void anchor (Session *session, const AccessUnit *first)
{
  session->is_anchored = TRUE;
  session->anchor_us = loop_now_us (session->loop);
  session->zero_us = access_unit_dts_us (first);
  session->media_zero_us = session->media_us;
  session->wall_us = first->wall_us;
}

/* ---- going on ---- */

static void drop_batch (Session *session)
{
  feed_batch_free (g_queue_pop_head (&session->batches));
  session->next = 0;
  session->is_reported = FALSE;
}

static void say_goodbye (Session *session)
{
  if (session->is_anchored) /* else nothing was promised: the PLAY was refused */
    rtsp_packets_report (&session->packets, session->media_us, session->wall_us, TRUE);
  flush (session);
  if (!session->is_gone)
    session->events.finished (session->data);
}

static void reach_end (Session *session)
{
  session->is_at_end = TRUE;
  session->leaves = session->packets.udp != NULL;
  if (session->leaves)
    loop_timer_set (session->timer, loop_now_us (session->loop) + GOODBYE_AFTER_US);
  else
    say_goodbye (session);
}

static void leave (Session *session)
{
  if (session->packets.udp->waiting_bytes > 0) {
    loop_timer_set (session->timer, loop_now_us (session->loop) + GOODBYE_AFTER_US);
    return;
  }
  session->leaves = FALSE;
  say_goodbye (session);
}

/* Nothing that is wanted comes behind it. */
static gboolean is_last (const Session *session, const FeedBatch *batch)
{
  return batch->is_end || (session->to_us >= 0 && batch->units->len > 0
                           && ((const AccessUnit *) batch->units->pdata[0])->wall_us >= session->to_us);
}

/* TRUE: the batch is out. */
static gboolean send_batch (Session *session)
{
  FeedBatch *batch = session->batches.head->data;
  const AccessUnit *first = first_picture (batch);
  if (session->answers_play && first == NULL && !is_last (session, batch)) { /* sound alone: the pictures are behind it */
    drop_batch (session);
    return TRUE;
  }
  if (first != NULL && !session->is_anchored) {
    anchor (session, first);
    batch->is_first = TRUE;
  }
  if (session->answers_play) { /* which may bring the next request, and with it anything */
    loop_timer_set (session->timer, loop_now_us (session->loop));
    tell_start (session, first);
    return FALSE;
  }
  gboolean is_gap = batch->gap_to_us > batch->gap_from_us;
  if (!session->is_reported && first != NULL && (batch->is_first || is_gap))
    report (session, first);
  if (!session->is_reported)
    pace (session, batch);
  session->is_reported = TRUE;
  while (!session->is_gone && session->next < batch->units->len && !outlet_is_waiting (session->packets.outlet)) {
    const AccessUnit *unit = batch->units->pdata[session->next];
    gint64 at_us = due_us (session, unit);
    if (access_unit_is_video (unit) && at_us > loop_now_us (session->loop)) {
      flush (session);
      if (!session->is_gone)
        loop_timer_set (session->timer, at_us);
      return FALSE;
    }
    session->next++;
    if (session->to_us >= 0 && unit->wall_us >= session->to_us) {
      if (access_unit_is_video (unit)) {
        reach_end (session);
        return FALSE;
      }
      continue;
    }
    send_unit (session, unit);
  }
  if (session->is_gone || session->next < batch->units->len)
    return FALSE;
  if (batch->is_end)
    reach_end (session);
  drop_batch (session);
  return !session->is_at_end;
}

static void work (Session *session)
{
  while (session->is_playing && !session->is_at_end && !session->is_gone && session->batches.length > 0
         && !outlet_is_waiting (session->packets.outlet) && send_batch (session))
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
  Session *session = data;
  if (session->leaves)
    leave (session);
  else
    work (session);
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
  if (g_atomic_int_add (&playbacks->count, 1) >= RTSP_PLAYBACKS_MAX) {
    g_atomic_int_add (&playbacks->count, -1);
    return NULL;
  }
  Session *session = g_new0 (Session, 1);
  g_autofree char *data_dir = playbacks->data_dir (playbacks->data);
  *session = (Session){ .playbacks = playbacks, .loop = loop, .camera = g_strdup (time->camera), .events = *events, .data = data,
                        .from_us = time->from_us, .to_us = time->to_us, .wall_us = time->from_us, .scale = 1 };
  rtsp_packets_init (&session->packets, loop, time->outlet);
  if (data_dir == NULL) {
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

static void use_udp (gpointer data, UdpOutlet *udp)
{
  ((Session *) data)->packets.udp = udp;
}

static gboolean has_track (gpointer data, guint track)
{
  return track < RTSP_PACKETS_TRACKS && ((const Session *) data)->packets.tracks[track].rate > 0;
}

static gboolean set_up (gpointer data, guint track, guint8 rtp_channel, guint8 rtcp_channel, guint32 *ssrc)
{
  RtspPackets *packets = &((Session *) data)->packets;
  if (!rtsp_packets_set_up (packets, track, rtp_channel, rtcp_channel))
    return FALSE;
  *ssrc = packets->tracks[track].packetizer.ssrc;
  return TRUE;
}

/* The picture that would come next, or the end of the newest: a pause goes on there. */
static gint64 place_of (const Session *session)
{
  const FeedBatch *batch = session->batches.length > 0 ? session->batches.head->data : NULL;
  for (guint i = session->next; batch != NULL && i < batch->units->len; i++)
    if (access_unit_is_video (batch->units->pdata[i]))
      return ((const AccessUnit *) batch->units->pdata[i])->wall_us;
  return session->wall_us;
}

static void play (gpointer data, gint64 from_us, gint64 to_us, double scale)
{
  Session *session = data;
  gboolean is_new_scale = scale != session->scale, starts = session->is_anchored || from_us >= 0 || is_new_scale;
  gint64 place_us = from_us >= 0 ? from_us : place_of (session);
  session->scale = scale;
  session->to_us = to_us;
  session->wall_us = place_us;
  if (starts) { /* from a key picture: units that were read may be of another place, or too many */
    playback_feed_seek (session->feed, place_us, scale > 1);
    while (session->batches.length > 0)
      drop_batch (session);
    session->drops_next = playback_feed_is_asked (session->feed);
  }
  if (from_us >= 0) /* what waits before a pause that goes on is watched on */
    rtsp_packets_forget (&session->packets);
  if (session->packets.udp != NULL)
    session->packets.udp->starts_anywhere = session->packets.tracks[0].rtp == RTSP_PACKETS_NO_CHANNEL;
  session->is_anchored = session->is_at_end = session->leaves = FALSE;
  session->is_playing = session->answers_play = TRUE;
  loop_timer_set (session->timer, loop_now_us (session->loop)); /* never from inside this call */
}

static void pause_session (gpointer data)
{
  Session *session = data;
  session->is_playing = FALSE;
  loop_timer_clear (session->timer);
}

static char *watched (gpointer data)
{
  return watched_text (&((const Session *) data)->watched);
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
  watched_clear (&session->watched);
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
  rtsp_packets_finish (&session->packets);
  loop_free_later (session->loop, session, release);
}

RtspPlaybacks *rtsp_playbacks_new (FeedPool *pool, char *(*data_dir) (gpointer data), gpointer data)
{
  RtspPlaybacks *playbacks = g_new0 (RtspPlaybacks, 1);
  *playbacks = (RtspPlaybacks){ { open_session, use_udp, has_track, set_up, play, pause_session, resume_session, watched, close_session,
                                  playbacks }, pool, data_dir, data, 0 };
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
