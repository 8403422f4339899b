#include "pipelines/media_playback.h"

#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "pipelines/live/websocket.h"
#include "pipelines/media_exports.h"
#include "pipelines/playback/browser_playback.h"
#include "pipelines/playback/playback_command.h"
#include "pipelines/playback/rtsp_playback.h"

enum { EXTRA_BYTES_MAX = 4096 };

struct MediaPlayback {
  Media *media;
  char *data_dir;       /* NULL until the first site */
  FeedPool *pool;
  RtspPlaybacks *rtsp;
  Loop *loop;           /* of all browsers */
  GPtrArray *browsers;  /* loop: of BrowserPlayback */
  GMutex mutex;         /* of `data_dir`, which loops read */
  MediaExports *exports;
};

/* ---- what gridgate is told; thread: any ---- */

static json_t *started_body (const char *viewer, const char *camera, const char *stream, const char *protocol, gint64 at_us)
{
  const MediaStream named = { .camera = (char *) camera, .name = (char *) stream };
  return media_viewer_body (viewer, &named, protocol, at_us);
}

static void tell_end (Media *media, const char *viewer, guint64 sent_bytes, const char *reason, const char *watched)
{
  media_send_event (media, LINK_VIEWER_ENDED, media_viewer_ended_body (viewer, sent_bytes, reason, watched));
}

static void refuse (Media *media, LinkMessage *request, ErrorStep step, const char *text)
{
  g_autoptr (GError) error = g_error_new_literal (GRIDGATE_ERROR, (int) step, text);
  media_reply_error (media, request, error);
}

void media_playback_export (Media *media, LinkMessage *request)
{
  media_exports_open (media->playback->exports, request, media->playback->data_dir);
}

/* ---- browsers ---- */

static void end_browser (MediaPlayback *playback, BrowserPlayback *browser, const char *reason, guint16 code)
{
  g_ptr_array_remove_fast (playback->browsers, browser);
  g_autofree char *watched = browser_playback_watched (browser);
  tell_end (playback->media, browser_playback_viewer (browser), browser_playback_sent_bytes (browser), reason, watched);
  browser_playback_free (browser, code);
}

static void on_browser_ended (BrowserPlayback *browser, const char *reason, gpointer data)
{
  guint16 code = strcmp (reason, "protocol") == 0 ? WEBSOCKET_CLOSE_PROTOCOL : WEBSOCKET_CLOSE_NORMAL;
  end_browser (data, browser, reason, code);
}

typedef struct {
  MediaPlayback *playback;
  BrowserPlaybackSettings settings;
  int fd;
  const guint8 *extra;
  gsize extra_size;
  GError *error;
} Watching;

static void watch_on_loop (gpointer data)
{
  Watching *watching = data;
  MediaPlayback *playback = watching->playback;
  if (playback->browsers->len >= BROWSER_PLAYBACKS_MAX) {
    error_set (&watching->error, ERROR_RETRY, "%d browsers watch recordings already", BROWSER_PLAYBACKS_MAX);
    close (watching->fd);
    return;
  }
  BrowserPlayback *browser = browser_playback_new (playback->loop, &watching->settings, watching->fd, watching->extra,
                                                   watching->extra_size, on_browser_ended, playback, &watching->error);
  if (browser == NULL)
    return;
  g_ptr_array_add (playback->browsers, browser);
  media_send_event (playback->media, LINK_VIEWER_STARTED,
                    started_body (watching->settings.viewer, watching->settings.camera, watching->settings.stream,
                                  "websocket", browser_playback_started_us (browser)));
}

void media_playback_watch (Media *media, LinkMessage *request)
{
  MediaPlayback *playback = media->playback;
  const char *text = link_message_string (request, "extra");
  gsize extra_size = 0;
  g_autofree guchar *extra = text != NULL && *text != '\0' ? g_base64_decode (text, &extra_size) : NULL;
  Watching watching = {
    .playback = playback, .fd = link_message_steal_fd (request, 0), .extra = extra, .extra_size = extra_size,
    .settings = { .pool = playback->pool, .data_dir = playback->data_dir, .viewer = link_message_string (request, "viewer"),
                  .camera = link_message_string (request, "camera"), .stream = link_message_string (request, "stream"),
                  .from_us = link_message_integer (request, "from"), .to_us = link_message_integer (request, "to"),
                  .speed = link_message_real (request, "speed") }
  };
  if (watching.fd < 0 || extra_size > EXTRA_BYTES_MAX || playback->data_dir == NULL
      || !playback_speed_is_valid (watching.settings.speed)) {
    if (watching.fd >= 0)
      close (watching.fd);
    refuse (media, request, ERROR_RETRY, "playback needs a site, a socket and a speed from 0.25 to 16");
    return;
  }
  loop_call (playback->loop, watch_on_loop, &watching);
  if (watching.error == NULL)
    media_reply (media, request, NULL);
  else
    media_reply_error (media, request, watching.error);
  g_clear_error (&watching.error);
}

/* ---- as a part of the process ---- */

static void on_site_changed (Media *media, const MediaSite *site, gpointer data)
{
  MediaPlayback *playback = data;
  (void) media;
  g_mutex_lock (&playback->mutex);
  g_free (playback->data_dir);
  playback->data_dir = g_strdup (site->data_dir);
  g_mutex_unlock (&playback->mutex);
}

/* thread: any loop. */
static char *copy_data_dir (gpointer data)
{
  MediaPlayback *playback = data;
  g_mutex_lock (&playback->mutex);
  char *copy = g_strdup (playback->data_dir);
  g_mutex_unlock (&playback->mutex);
  return copy;
}

typedef struct {
  MediaPlayback *playback;
  const char *viewer, *reason;
  GPtrArray *bodies;
  gboolean is_found;
} Visit;

static void end_on_loop (gpointer data)
{
  Visit *visit = data;
  GPtrArray *browsers = visit->playback->browsers;
  for (guint i = browsers->len; i > 0; i--) {
    BrowserPlayback *browser = browsers->pdata[i - 1];
    if (visit->viewer != NULL && strcmp (browser_playback_viewer (browser), visit->viewer) != 0)
      continue;
    visit->is_found = TRUE;
    end_browser (visit->playback, browser, visit->reason, WEBSOCKET_CLOSE_GOING_AWAY);
  }
}

static gboolean on_end_viewer (Media *media, const char *viewer, const char *reason, gpointer data)
{
  Visit visit = { .playback = data, .viewer = viewer, .reason = reason };
  (void) media;
  loop_call (visit.playback->loop, end_on_loop, &visit);
  return visit.is_found || media_exports_cancel (visit.playback->exports, viewer, reason);
}

static void list_on_loop (gpointer data)
{
  Visit *visit = data;
  for (guint i = 0; i < visit->playback->browsers->len; i++) {
    const BrowserPlayback *browser = visit->playback->browsers->pdata[i];
    g_ptr_array_add (visit->bodies, started_body (browser_playback_viewer (browser), browser_playback_camera (browser),
                                                  browser_playback_stream (browser), "websocket",
                                                  browser_playback_started_us (browser)));
  }
}

/* thread: a loop, while main waits. */
static void list_rtsp (const char *viewer, const char *camera, const char *stream, gint64 at_us, gpointer data)
{
  g_ptr_array_add (data, started_body (viewer, camera, stream, "rtsp", at_us));
}

/* gridgate may be another than the one that admitted them: they are told before the reply, as those of streams are. */
static void on_site_ended (Media *media, json_t *reply, gpointer data)
{
  MediaPlayback *playback = data;
  g_autoptr (GPtrArray) bodies = g_ptr_array_new ();
  Visit visit = { .playback = playback, .bodies = bodies };
  (void) reply;
  loop_call (playback->loop, list_on_loop, &visit);
  rtsp_server_each_recorded (media->server, list_rtsp, bodies);
  media_exports_list (playback->exports, bodies);
  for (guint i = 0; i < bodies->len; i++)
    link_endpoint_send (media->link, link_message_new (LINK_VIEWER_STARTED, bodies->pdata[i]));
}

MediaPlayback *media_playback_new (Media *media)
{
  MediaPlayback *playback = g_new0 (MediaPlayback, 1);
  MediaPart part = { .site_changed = on_site_changed, .end_viewer = on_end_viewer, .site_ended = on_site_ended,
                     .data = playback };
  playback->media = media;
  playback->loop = media->loops[media->loop_count - 1];
  playback->pool = feed_pool_new (media->pins);
  playback->browsers = g_ptr_array_new ();
  playback->exports = media_exports_new (media);
  g_mutex_init (&playback->mutex);
  playback->rtsp = rtsp_playbacks_new (playback->pool, copy_data_dir, playback);
  rtsp_server_set_recordings (media->server, rtsp_playbacks_recordings (playback->rtsp));
  media_add_part (media, &part);
  return playback;
}

static void do_nothing (gpointer data)
{
  (void) data;
}

void media_playback_free (MediaPlayback *playback)
{
  if (playback == NULL)
    return;
  Visit visit = { .playback = playback, .reason = "media_stopped" };
  loop_call (playback->loop, end_on_loop, &visit);
  media_exports_free (playback->exports);
  feed_pool_free (playback->pool);
  for (guint i = 0; i < playback->media->loop_count; i++)
    loop_call (playback->media->loops[i], do_nothing, NULL); /* what was read last is handed over, to nobody */
  rtsp_playbacks_free (playback->rtsp);
  g_ptr_array_unref (playback->browsers);
  g_mutex_clear (&playback->mutex);
  g_free (playback->data_dir);
  g_free (playback);
}
