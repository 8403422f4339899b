#include "pipelines/playback/browser_playback.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/log.h"
#include "pipelines/live/fragment.h"
#include "pipelines/live/init_segment.h"
#include "pipelines/live/live_viewer.h"
#include "pipelines/live/websocket.h"
#include "pipelines/playback/playback_command.h"
#include "pipelines/playback/watched.h"

enum {
  FRAGMENT_US = 500 * 1000,
  WAITING_BYTES = 1024 * 1024,  /* in the socket's queue: more is not made */
  BATCHES_MAX = 2,
};

#define LOOK_AHEAD_US ((gint64) 2 * G_USEC_PER_SEC)      /* of watching, at any speed */
#define STUCK_US ((gint64) 120 * G_USEC_PER_SEC)         /* not a byte taken */
#define IDLE_US ((gint64) 1800 * G_USEC_PER_SEC)         /* paused or at the end, and nothing said */

struct BrowserPlayback {
  Loop *loop;
  char *id, *camera, *stream;
  LiveViewer *viewer;
  PlaybackFeed *feed;
  LoopTimer *timer;
  BrowserPlaybackEnded ended;
  gpointer data;

  gint64 to_us;
  double speed;
  gboolean is_paused, is_at_end, keys_only, wants_init, is_over;
  gboolean drops_next;       /* the batch that is asked for was sought before the last seek */
  GQueue batches;            /* of FeedBatch */
  gboolean is_introduced;    /* the first batch */
  guint next;                /* its next unit */
  guint32 sequence;
  MediaFormat *video, *audio; /* as the client was told */

  gboolean is_anchored;       /* a first picture was sent since the seek */
  gint64 anchor_us, anchor_media_us; /* monotonic; media time that is shown then */
  gint64 sent_media_us, sent_wall_us; /* of the newest picture */
  Watched watched;
  gint64 said_us;             /* monotonic: when the client last said something */
  guint64 seen_sent_bytes;    /* when the timer last looked */
};

static void work (BrowserPlayback *playback);

static void leave (BrowserPlayback *playback, const char *reason)
{
  if (playback->is_over)
    return;
  playback->is_over = TRUE;
  playback->ended (playback, reason, playback->data);
}

static void say (BrowserPlayback *playback, json_t *taken)
{
  char *text = json_dumps (taken, JSON_COMPACT | JSON_REAL_PRECISION (15));
  g_autoptr (GBytes) frame = websocket_frame (WEBSOCKET_TEXT, text, strlen (text));
  live_viewer_push_frame (playback->viewer, frame);
  free (text);
  json_decref (taken);
}

/* The client has enough to read: no more is made, and no more is read from the disk. */
static gboolean is_blocked (const BrowserPlayback *playback)
{
  return live_viewer_waiting_bytes (playback->viewer) >= WAITING_BYTES;
}

/* ---- time ---- */

/* What the client may have by now. */
static gint64 allowed_us (const BrowserPlayback *playback)
{
  gint64 passed_us = playback->is_paused ? 0 : loop_now_us (playback->loop) - playback->anchor_us;
  return playback->anchor_media_us + (gint64) ((double) (passed_us + LOOK_AHEAD_US) * playback->speed);
}

/* Time runs from here on as it is: before speed or pause change. */
static void anchor_again (BrowserPlayback *playback)
{
  gint64 now_us = loop_now_us (playback->loop);
  if (!playback->is_paused)
    playback->anchor_media_us += (gint64) ((double) (now_us - playback->anchor_us) * playback->speed);
  playback->anchor_media_us = MIN (playback->anchor_media_us, playback->sent_media_us);
  playback->anchor_us = now_us;
}

/* ---- what is sent ---- */

static void say_place (BrowserPlayback *playback, const AccessUnit *unit)
{
  g_autofree char *at = time_to_rfc3339 (unit->wall_us);
  say (playback, json_pack ("{s:s, s:f, s:f}", "at", at, "media", (double) access_unit_dts_us (unit) / G_USEC_PER_SEC, "speed",
                            playback->speed));
}

static gboolean say_init (BrowserPlayback *playback, MediaFormat *video, MediaFormat *audio)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) init = init_segment_new (video, audio, &error);
  if (init == NULL) {
    log_limited (LOG_LEVEL_WARNING, "playback of camera %s: %s", playback->camera, error->message);
    return FALSE;
  }
  g_autofree char *mime = media_format_mime (video, audio);
  gsize size;
  const void *bytes = g_bytes_get_data (init, &size);
  g_autoptr (GBytes) frame = websocket_frame (WEBSOCKET_BINARY, bytes, size);
  say (playback, json_pack ("{s:s}", "mime", mime));
  live_viewer_push_frame (playback->viewer, frame);
  media_format_unref (playback->video);
  media_format_unref (playback->audio);
  playback->video = media_format_ref (video);
  playback->audio = audio != NULL ? media_format_ref (audio) : NULL;
  playback->wants_init = FALSE;
  return TRUE;
}

static MediaFormat *format_in (const FeedBatch *batch, Medium medium)
{
  for (guint i = 0; i < batch->units->len; i++)
    if (((const AccessUnit *) batch->units->pdata[i])->format->medium == medium)
      return ((const AccessUnit *) batch->units->pdata[i])->format;
  return NULL;
}

/* Before a batch: what is missing, new parameters, where it lies. FALSE: it can't be shown. */
static gboolean introduce (BrowserPlayback *playback, const FeedBatch *batch)
{
  MediaFormat *video = format_in (batch, MEDIUM_VIDEO), *audio = format_in (batch, MEDIUM_AUDIO);
  if (batch->gap_to_us > batch->gap_from_us) {
    g_autofree char *from = time_to_rfc3339 (batch->gap_from_us), *to = time_to_rfc3339 (batch->gap_to_us);
    say (playback, json_pack ("{s:{s:s, s:s, s:s}}", "gap", "from", from, "to", to, "reason", batch->gap_reason));
  }
  gboolean is_new = playback->wants_init || (video != NULL && video != playback->video)
                    || (audio != NULL && audio != playback->audio);
  if (video != NULL && is_new && !say_init (playback, video, audio))
    return FALSE;
  for (guint i = 0; i < batch->units->len; i++) {
    const AccessUnit *unit = batch->units->pdata[i];
    if (!access_unit_is_video (unit))
      continue;
    if (!playback->is_anchored) {
      playback->is_anchored = TRUE;
      playback->anchor_us = loop_now_us (playback->loop);
      playback->anchor_media_us = access_unit_dts_us (unit);
    }
    say_place (playback, unit);
    break;
  }
  return TRUE;
}

static void send_fragment (BrowserPlayback *playback, const GPtrArray *units)
{
  g_autoptr (GByteArray) fragment = g_byte_array_new ();
  guint8 header[WEBSOCKET_HEADER_MAX];
  fragment_append (fragment, ++playback->sequence, units, 0);
  gsize header_size = websocket_header (header, WEBSOCKET_BINARY, fragment->len);
  g_byte_array_prepend (fragment, header, (guint) header_size);
  g_autoptr (GBytes) frame = g_byte_array_free_to_bytes (g_steal_pointer (&fragment));
  live_viewer_push_frame (playback->viewer, frame);
}

/* Whether the unit is of what the client was told; sound that is not waits for the next init. */
static gboolean fits (const BrowserPlayback *playback, const AccessUnit *unit)
{
  return unit->format == playback->video || unit->format == playback->audio;
}

/* A fragment's worth of the first batch. FALSE: it is not due yet, or over. */
static gboolean send_some (BrowserPlayback *playback, const FeedBatch *batch)
{
  g_autoptr (GPtrArray) units = g_ptr_array_new ();
  gint64 allowed = allowed_us (playback), first_us = -1;
  for (; playback->next < batch->units->len && units->len < FRAGMENT_UNITS_MAX; playback->next++) {
    AccessUnit *unit = batch->units->pdata[playback->next];
    gint64 media_us = access_unit_dts_us (unit);
    if (!fits (playback, unit))
      continue;
    if (playback->to_us > 0 && unit->wall_us >= playback->to_us) {
      if (access_unit_is_video (unit))
        playback->is_at_end = TRUE;
      continue;
    }
    if (access_unit_is_video (unit)) {
      if (media_us > allowed || (first_us >= 0 && media_us - first_us >= FRAGMENT_US))
        break;
      first_us = first_us < 0 ? media_us : first_us;
      playback->sent_media_us = media_us;
      playback->sent_wall_us = unit->wall_us;
      watched_add (&playback->watched, unit->wall_us, access_unit_duration_us (unit));
    }
    g_ptr_array_add (units, unit);
  }
  if (units->len == 0)
    return FALSE;
  send_fragment (playback, units);
  return TRUE;
}

static gint64 next_due_us (const BrowserPlayback *playback, const FeedBatch *batch)
{
  for (guint i = playback->next; i < batch->units->len; i++) {
    const AccessUnit *unit = batch->units->pdata[i];
    if (access_unit_is_video (unit))
      return loop_now_us (playback->loop)
             + MAX ((gint64) ((double) (access_unit_dts_us (unit) - allowed_us (playback)) / playback->speed), 1000);
  }
  return loop_now_us (playback->loop) + FRAGMENT_US;
}

static void drop_batch (BrowserPlayback *playback)
{
  feed_batch_free (g_queue_pop_head (&playback->batches));
  playback->next = 0;
  playback->is_introduced = FALSE;
}

static void drop_batches (BrowserPlayback *playback)
{
  while (playback->batches.length > 0)
    drop_batch (playback);
}

/* TRUE: this batch is out, the next may follow at once. */
static gboolean send_batch (BrowserPlayback *playback)
{
  const FeedBatch *batch = playback->batches.head->data;
  if (!playback->is_introduced && !introduce (playback, batch)) {
    leave (playback, "broken");
    return FALSE;
  }
  playback->is_introduced = TRUE;
  while (!is_blocked (playback) && send_some (playback, batch))
    ;
  if (playback->next < batch->units->len && !playback->is_at_end) {
    if (!is_blocked (playback) && !playback->is_paused)
      loop_timer_set (playback->timer, next_due_us (playback, batch));
    return FALSE;
  }
  playback->is_at_end |= batch->is_end;
  drop_batch (playback);
  return TRUE;
}

static void set_rest_timer (BrowserPlayback *playback)
{
  if (playback->is_paused || playback->is_at_end)
    loop_timer_set (playback->timer, playback->said_us + IDLE_US);
  else if (is_blocked (playback))
    loop_timer_set (playback->timer, loop_now_us (playback->loop) + STUCK_US);
}

static void work (BrowserPlayback *playback)
{
  gboolean was_at_end = playback->is_at_end;
  while (!playback->is_over && playback->batches.length > 0 && !playback->is_at_end
         && !is_blocked (playback) && send_batch (playback))
    ;
  if (playback->is_over)
    return;
  if (playback->is_at_end && !was_at_end) {
    drop_batches (playback);
    say (playback, json_pack ("{s:b}", "end", TRUE));
  }
  if (!playback->is_at_end && !playback_feed_is_asked (playback->feed) && playback->batches.length < BATCHES_MAX)
    playback_feed_ask (playback->feed);
  set_rest_timer (playback);
  live_viewer_flush (playback->viewer);
}

/* ---- what comes ---- */

static void on_batch (FeedBatch *taken, gpointer data)
{
  BrowserPlayback *playback = data;
  g_autoptr (FeedBatch) batch = taken;
  if (batch->error != NULL) {
    log_limited (LOG_LEVEL_WARNING, "playback of camera %s: %s", playback->camera, batch->error->message);
    leave (playback, "error");
    return;
  }
  if (!playback->drops_next)
    g_queue_push_tail (&playback->batches, g_steal_pointer (&batch));
  playback->drops_next = FALSE;
  work (playback);
}

static void seek (BrowserPlayback *playback, gint64 at_us)
{
  playback->keys_only = playback->speed > PLAYBACK_SPEED_ALL_PICTURES;
  playback_feed_seek (playback->feed, at_us, playback->keys_only);
  drop_batches (playback);
  playback->drops_next = playback_feed_is_asked (playback->feed);
  playback->wants_init = TRUE;
  playback->is_anchored = playback->is_at_end = FALSE;
}

/* What the client shows now: behind the newest that was sent by what it may have ahead. */
static gint64 shown_wall_us (const BrowserPlayback *playback)
{
  gint64 ahead_us = playback->sent_media_us - playback->anchor_media_us;
  return playback->sent_wall_us - CLAMP (ahead_us, 0, (gint64) ((double) LOOK_AHEAD_US * playback->speed));
}

static void change_speed (BrowserPlayback *playback, double speed)
{
  anchor_again (playback);
  gboolean keys_only = speed > PLAYBACK_SPEED_ALL_PICTURES;
  gint64 shown_us = shown_wall_us (playback);
  playback->speed = speed;
  if (keys_only != playback->keys_only && playback->is_anchored)
    seek (playback, shown_us);
}

/* Where recording went on since, there is more. */
static void play (BrowserPlayback *playback)
{
  anchor_again (playback);
  playback->is_paused = FALSE;
  playback->is_at_end = FALSE;
}

static void obey (BrowserPlayback *playback, const PlaybackCommand *command)
{
  switch (command->action) {
  case PLAYBACK_PAUSE:
    anchor_again (playback);
    playback->is_paused = TRUE;
    break;
  case PLAYBACK_PLAY:
    play (playback);
    break;
  case PLAYBACK_SEEK:
    seek (playback, command->at_us);
    break;
  case PLAYBACK_SPEED:
    change_speed (playback, command->speed);
    break;
  }
  loop_timer_clear (playback->timer);
}

static void on_said (const char *text, gsize size, gpointer data)
{
  BrowserPlayback *playback = data;
  g_autoptr (GError) error = NULL;
  PlaybackCommand command;
  playback->said_us = loop_now_us (playback->loop);
  if (playback_command_parse (text, size, &command, &error))
    obey (playback, &command);
  else if (!is_blocked (playback))
    say (playback, json_pack ("{s:s}", "problem", error->message));
  work (playback);
}

static void on_drained (gpointer data)
{
  work (data);
}

static void on_timer (gpointer data)
{
  BrowserPlayback *playback = data;
  gboolean rests = playback->is_paused || playback->is_at_end;
  guint64 sent_bytes = live_viewer_sent_bytes (playback->viewer);
  gboolean is_stuck = is_blocked (playback) && sent_bytes == playback->seen_sent_bytes;
  playback->seen_sent_bytes = sent_bytes;
  if (is_stuck)
    leave (playback, "slow");
  else if (rests && loop_now_us (playback->loop) - playback->said_us >= IDLE_US)
    leave (playback, "idle");
  else
    work (playback);
}

static void on_gone (LiveViewer *viewer, const char *reason, gpointer data)
{
  (void) viewer;
  leave (data, reason);
}

/* ---- its life ---- */

BrowserPlayback *browser_playback_new (Loop *loop, const BrowserPlaybackSettings *settings, int socket_fd, const guint8 *extra,
                                       gsize extra_size, BrowserPlaybackEnded ended, gpointer data, GError **error)
{
  static const LiveViewerListener listener = { on_said, on_drained };
  BrowserPlayback *playback = g_new0 (BrowserPlayback, 1);
  playback->loop = loop;
  playback->id = g_strdup (settings->viewer);
  playback->camera = g_strdup (settings->camera);
  playback->stream = g_strdup (settings->stream);
  playback->ended = ended;
  playback->data = data;
  playback->to_us = settings->to_us;
  playback->speed = settings->speed;
  playback->said_us = loop_now_us (loop);
  playback->timer = loop_timer_new (loop, on_timer, playback);
  playback->feed = playback_feed_new (settings->pool, loop, settings->data_dir, settings->camera, settings->stream, on_batch,
                                      playback);
  playback->viewer = live_viewer_new (loop, settings->viewer, socket_fd, extra, extra_size, on_gone, playback, error);
  if (playback->viewer == NULL) {
    browser_playback_free (playback, 0);
    return NULL;
  }
  live_viewer_set_listener (playback->viewer, &listener);
  seek (playback, settings->from_us);
  playback_feed_ask (playback->feed);
  return playback;
}

const char *browser_playback_viewer (const BrowserPlayback *playback)
{
  return playback->id;
}

const char *browser_playback_camera (const BrowserPlayback *playback)
{
  return playback->camera;
}

const char *browser_playback_stream (const BrowserPlayback *playback)
{
  return playback->stream;
}

gint64 browser_playback_started_us (const BrowserPlayback *playback)
{
  return live_viewer_started_us (playback->viewer);
}

guint64 browser_playback_sent_bytes (const BrowserPlayback *playback)
{
  return live_viewer_sent_bytes (playback->viewer);
}

char *browser_playback_watched (const BrowserPlayback *playback)
{
  return watched_text (&playback->watched);
}

static void release (gpointer data)
{
  BrowserPlayback *playback = data;
  watched_clear (&playback->watched);
  media_format_unref (playback->video);
  media_format_unref (playback->audio);
  g_free (playback->id);
  g_free (playback->camera);
  g_free (playback->stream);
  g_free (playback);
}

void browser_playback_free (BrowserPlayback *playback, guint16 code)
{
  if (playback == NULL)
    return;
  playback->is_over = TRUE;
  live_viewer_free (playback->viewer, code);
  playback_feed_free (playback->feed);
  loop_timer_free (playback->timer);
  drop_batches (playback);
  loop_free_later (playback->loop, playback, release);
}
