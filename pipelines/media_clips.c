/* CLIP_CUT: waits until the time has passed, then cuts from disk or memory on a reader thread. */
#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "pipelines/media_demand_private.h"
#include "pipelines/record/clip.h"
#include "pipelines/record/recordings_index.h"

enum { SEGMENTS_MAX = 500, CLIPS_WAITING_MAX = 32 };

#define CLIP_MAX_US ((gint64) 3600 * G_USEC_PER_SEC)
#define CLIP_AHEAD_MAX_US ((gint64) 3600 * G_USEC_PER_SEC)
#define CLIP_SETTLE_US ((gint64) G_USEC_PER_SEC) /* what was captured before `to` has arrived by then */

typedef struct {
  MediaDemand *demand;
  StreamDemand *stream;  /* loop */
  char *clip, *camera, *name;
  gint64 from_us, to_us;
  int fd;
  LoopTimer *timer;
  GPtrArray *units;      /* NULL: from disk */
  LinkMessage *request;  /* until it is accepted */
} Clip;

static void clip_free (Clip *clip)
{
  g_free (clip->clip);
  g_free (clip->camera);
  g_free (clip->name);
  close (clip->fd);
  if (clip->units != NULL)
    g_ptr_array_unref (clip->units);
  g_free (clip);
}

/* thread: any. */
static void tell_failure (const Clip *clip, const char *reason)
{
  log_warning ("clip %s of camera %s: %s", clip->clip, clip->camera, reason);
  media_send_event (clip->demand->media, LINK_CLIP_DONE,
                    json_pack ("{s:s, s:b, s:s}", "clip", clip->clip, "ok", FALSE, "reason", reason));
}

static gboolean cut (const Clip *clip, ClipResult *result, GError **error)
{
  if (clip->units != NULL)
    return clip_from_units (clip->fd, clip->units, clip->from_us, clip->to_us, result, error);
  g_autoptr (RecordingsIndex) index = recordings_index_open (clip->demand->data_dir, DATABASE_READER, error);
  if (index == NULL)
    return FALSE;
  g_autoptr (GPtrArray) rows = recordings_index_find (index, clip->camera, clip->name, clip->from_us, clip->to_us,
                                                      SEGMENTS_MAX, error);
  return rows != NULL
         && clip_from_segments (clip->fd, clip->demand->data_dir, rows, clip->from_us, clip->to_us, result, error);
}

/* thread: a reader. */
static void run (gpointer data)
{
  Clip *clip = data;
  ClipResult result = { 0 };
  g_autoptr (GError) error = NULL;
  if (cut (clip, &result, &error))
    media_send_event (clip->demand->media, LINK_CLIP_DONE,
                      json_pack ("{s:s, s:b, s:I, s:I, s:I, s:s}", "clip", clip->clip, "ok", TRUE, "from",
                                 (json_int_t) result.from_us, "to", (json_int_t) result.to_us, "bytes",
                                 (json_int_t) result.bytes, "sha256", result.sha256));
  else
    tell_failure (clip, error->message);
  clip_free (clip);
}

/* thread: the disk thread or a loop. */
static void hand_to_reader (gpointer data)
{
  Clip *clip = data;
  if (media_demand_read (clip->demand, run, clip))
    return;
  tell_failure (clip, "too many clips are being cut");
  clip_free (clip);
}

/* On the loop: off the stream, with nothing held any more. */
static void detach (Clip *clip)
{
  g_ptr_array_remove_fast (clip->stream->clips, clip);
  loop_timer_free (clip->timer);
  clip->timer = NULL;
}

static void on_time (gpointer data)
{
  Clip *clip = data;
  StreamDemand *stream = clip->stream;
  Recorder *recorder = stream->recorder;
  detach (clip);
  recorder_flush (recorder);
  if (recorder_is_on_disk (recorder, clip->from_us)) {
    recorder_release (recorder, clip->from_us);
    archive_call (clip->demand->archive, hand_to_reader, clip);
    return;
  }
  clip->units = recorder_units (recorder);
  recorder_release (recorder, clip->from_us);
  hand_to_reader (clip);
}

/* Asked again with the same id, it starts again. */
static void drop_same (StreamDemand *stream, const char *id)
{
  for (guint i = stream->clips->len; i > 0; i--) {
    Clip *clip = stream->clips->pdata[i - 1];
    if (strcmp (clip->clip, id) != 0)
      continue;
    detach (clip);
    recorder_release (stream->recorder, clip->from_us);
    clip_free (clip);
  }
}

static void wait_on_loop (gpointer data)
{
  Clip *clip = data;
  StreamDemand *stream = clip->stream;
  LinkMessage *request = g_steal_pointer (&clip->request);
  drop_same (stream, clip->clip);
  if (stream->clips->len >= CLIPS_WAITING_MAX) {
    g_autoptr (GError) error = NULL;
    error_set (&error, ERROR_RETRY, "%d clips of this camera wait already", CLIPS_WAITING_MAX);
    media_demand_answer_error (clip->demand, request, error);
    clip_free (clip);
    return;
  }
  media_demand_answer (clip->demand, request, NULL, -1);
  Loop *loop = stream->stream->loop;
  gint64 left_us = clip->to_us + CLIP_SETTLE_US - g_get_real_time ();
  clip->timer = loop_timer_new (loop, on_time, clip);
  g_ptr_array_add (stream->clips, clip);
  recorder_hold (stream->recorder, clip->from_us);
  loop_timer_set (clip->timer, loop_now_us (loop) + MAX (left_us, 0));
}

void media_demand_cut (Media *media, LinkMessage *request)
{
  g_autoptr (GError) error = NULL;
  StreamDemand *stream = media_demand_find (media, request);
  if (stream == NULL)
    return;
  gint64 from_us = link_message_integer (request, "from"), to_us = link_message_integer (request, "to");
  int fd = link_message_steal_fd (request, 0);
  if (fd < 0)
    error_set (&error, ERROR_GIVE_UP, "a clip needs a file to be written to");
  else if (from_us >= to_us || to_us - from_us > CLIP_MAX_US || to_us > g_get_real_time () + CLIP_AHEAD_MAX_US)
    error_set (&error, ERROR_REFUSE, "a clip must last up to an hour and end within the next");
  if (error != NULL) {
    if (fd >= 0)
      close (fd);
    media_demand_answer_error (media->demand, request, error);
    return;
  }
  Clip *clip = g_new0 (Clip, 1);
  *clip = (Clip){ .demand = media->demand, .stream = stream, .clip = g_strdup (link_message_string (request, "clip")),
                  .camera = g_strdup (stream->stream->camera), .name = g_strdup (stream->stream->name),
                  .from_us = from_us, .to_us = to_us, .fd = fd, .request = request };
  loop_call (stream->stream->loop, wait_on_loop, clip);
}

void media_clips_close (StreamDemand *stream, gboolean is_removed)
{
  while (stream->clips->len > 0) {
    Clip *clip = stream->clips->pdata[0];
    detach (clip);
    recorder_release (stream->recorder, clip->from_us);
    if (is_removed) /* else this process ends, and gridgate asks the next one */
      tell_failure (clip, "the camera was removed");
    clip_free (clip);
  }
}
