/* PICTURE_TAKE and RECORDINGS_LIST. */
#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/media_demand_private.h"
#include "pipelines/record/key_picture.h"
#include "pipelines/record/deletions.h"
#include "pipelines/record/segment_reader.h"

enum { PICTURES_WAITING_MAX = 64 };

#define PICTURE_WAIT_US ((gint64) 9 * G_USEC_PER_SEC)  /* a link request is given up after ten */
#define PICTURE_NOW_US ((gint64) 2 * G_USEC_PER_SEC)   /* a time this near to now means the newest */
#define PICTURE_NEAR_US ((gint64) 15 * G_USEC_PER_SEC) /* a picture further from the time asked for is none of it */

typedef struct {
  MediaDemand *demand;
  StreamDemand *stream; /* loop */
  AssemblerSink sink;
  LoopTimer *timer;
  LinkMessage *request;
  char *camera, *name;
  gint64 at_us;
} Picture;

static void picture_free (Picture *picture)
{
  g_free (picture->camera);
  g_free (picture->name);
  g_free (picture);
}

/* Takes `picture`, not `bytes`. */
static void answer (Picture *picture, GBytes *bytes, const char *codec, gint64 taken_at_us)
{
  g_autoptr (GError) error = NULL;
  int fd = key_picture_seal (bytes, &error);
  if (fd >= 0)
    media_demand_answer (picture->demand, picture->request,
                         json_pack ("{s:s, s:I}", "codec", codec, "taken_at", (json_int_t) taken_at_us), fd);
  else
    media_demand_answer_error (picture->demand, picture->request, error);
  picture_free (picture);
}

static void answer_unit (Picture *picture, const AccessUnit *unit)
{
  g_autoptr (GBytes) bytes = access_unit_to_annex_b (unit);
  answer (picture, bytes, codec_name (unit->format->codec), unit->wall_us);
}

static void fail (Picture *picture, ErrorStep step, const char *text)
{
  g_autoptr (GError) error = NULL;
  error_set (&error, step, "%s", text);
  media_demand_answer_error (picture->demand, picture->request, error);
  picture_free (picture);
}

/* ---- the newest ---- */

static void detach (Picture *picture)
{
  g_ptr_array_remove_fast (picture->stream->pictures, picture);
  assembler_remove_sink (picture->stream->assembler, &picture->sink);
  loop_timer_free (picture->timer);
}

static void sink_unit (AssemblerSink *sink, AccessUnit *unit)
{
  Picture *picture = (Picture *) ((char *) sink - G_STRUCT_OFFSET (Picture, sink));
  if (!access_unit_is_video (unit) || !unit->is_key)
    return;
  g_autoptr (AccessUnit) key = access_unit_ref (unit);
  detach (picture);
  answer_unit (picture, key);
}

static void sink_ended (AssemblerSink *sink, const char *reason)
{
  (void) sink, (void) reason; /* it may come back in time */
}

static void on_timeout (gpointer data)
{
  Picture *picture = data;
  detach (picture);
  fail (picture, ERROR_RETRY, "the camera sent no key frame in time");
}

static void wait_for_key (Picture *picture)
{
  StreamDemand *stream = picture->stream;
  Loop *loop = stream->stream->loop;
  if (stream->pictures->len >= PICTURES_WAITING_MAX) {
    fail (picture, ERROR_RETRY, "too many pictures of this camera are waited for");
    return;
  }
  g_ptr_array_add (stream->pictures, picture);
  picture->sink = (AssemblerSink){ .unit = sink_unit, .ended = sink_ended };
  picture->timer = loop_timer_new (loop, on_timeout, picture);
  loop_timer_set (picture->timer, loop_now_us (loop) + PICTURE_WAIT_US);
  assembler_add_sink (stream->assembler, &picture->sink); /* answers at once when a group is kept */
}

void media_pictures_close (StreamDemand *stream)
{
  while (stream->pictures->len > 0) {
    Picture *picture = stream->pictures->pdata[0];
    detach (picture);
    fail (picture, ERROR_RETRY, "the camera was removed");
  }
}

/* ---- an earlier one ---- */

static const SegmentRow *nearest_row (const GPtrArray *rows, gint64 at_us)
{
  for (guint i = rows->len; i > 0; i--)
    if (((const SegmentRow *) rows->pdata[i - 1])->from_us <= at_us)
      return rows->pdata[i - 1];
  return rows->len > 0 ? rows->pdata[0] : NULL;
}

/* thread: a reader. */
static void read_picture (gpointer data)
{
  Picture *picture = data;
  g_autoptr (GError) error = NULL;
  const char *codec = NULL;
  gint64 taken_at_us = 0;
  g_autoptr (RecordingsIndex) index = recordings_index_open (picture->demand->data_dir, DATABASE_READER, &error);
  g_autoptr (GPtrArray) rows
    = index != NULL ? recordings_index_find (index, picture->camera, picture->name, picture->at_us - PICTURE_NEAR_US,
                                             picture->at_us + PICTURE_NEAR_US, 50, &error)
                    : NULL;
  const SegmentRow *row = rows != NULL ? nearest_row (rows, picture->at_us) : NULL;
  g_autoptr (GBytes) bytes = row != NULL ? segment_reader_key_near (picture->demand->data_dir, row, picture->at_us, &codec,
                                                                    &taken_at_us, &error)
                                         : NULL;
  if (bytes != NULL && ABS (taken_at_us - picture->at_us) <= PICTURE_NEAR_US)
    answer (picture, bytes, codec, taken_at_us);
  else
    fail (picture, ERROR_GIVE_UP, error != NULL ? error->message : "nothing was recorded at this time");
}

/* thread: the disk thread: what was captured a moment ago is in the index now. */
static void hand_to_reader (gpointer data)
{
  Picture *picture = data;
  if (!media_demand_read (picture->demand, read_picture, picture))
    fail (picture, ERROR_RETRY, "too much is being read");
}

static void take_on_loop (gpointer data)
{
  Picture *picture = data;
  StreamDemand *stream = picture->stream;
  if (picture->at_us == 0 || g_get_real_time () - picture->at_us < PICTURE_NOW_US) {
    wait_for_key (picture);
    return;
  }
  g_autoptr (AccessUnit) near = recorder_key_near (stream->recorder, picture->at_us);
  if (near != NULL && ABS (near->wall_us - picture->at_us) <= PICTURE_NEAR_US) {
    answer_unit (picture, near);
  } else if (picture->demand->archive != NULL) {
    recorder_flush (stream->recorder);
    archive_call (picture->demand->archive, hand_to_reader, picture);
  } else {
    fail (picture, ERROR_GIVE_UP, "nothing is recorded");
  }
}

void media_demand_picture (Media *media, LinkMessage *request)
{
  StreamDemand *stream = media_demand_find (media, request);
  if (stream == NULL)
    return;
  Picture *picture = g_new0 (Picture, 1);
  *picture = (Picture){ .demand = media->demand, .stream = stream, .request = request,
                        .camera = g_strdup (stream->stream->camera), .name = g_strdup (stream->stream->name),
                        .at_us = link_message_integer (request, "at") };
  loop_call (stream->stream->loop, take_on_loop, picture);
}

/* ---- lists ---- */

typedef struct {
  MediaDemand *demand;
  LinkMessage *request;
} List;

static const char *stream_of (const LinkMessage *request)
{
  const char *stream = link_message_string (request, "stream");
  return stream != NULL ? stream : "main";
}

static json_t *read_asked (RecordingsIndex *index, const LinkMessage *request, GError **error)
{
  switch (request->kind) {
  case LINK_DELETIONS_LIST:
    return deletions_list (index, link_message_string (request, "camera"), link_message_integer (request, "from"),
                           link_message_integer (request, "to"), link_message_integer (request, "after"), error);
  case LINK_DELETIONS_DAY:
    return deletions_day (index, link_message_integer (request, "from_day"), link_message_integer (request, "before_day"),
                          link_message_string (request, "after"), error);
  default:
    return recordings_index_list (index, link_message_string (request, "camera"), stream_of (request),
                                  link_message_integer (request, "from"), link_message_integer (request, "to"),
                                  g_get_real_time (), error);
  }
}

/* thread: a reader. */
static void read_list (gpointer data)
{
  g_autofree List *list = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (RecordingsIndex) index = recordings_index_open (list->demand->data_dir, DATABASE_READER, &error);
  json_t *body = index != NULL ? read_asked (index, list->request, &error) : NULL;
  if (body != NULL)
    media_demand_answer (list->demand, list->request, body, -1);
  else
    media_demand_answer_error (list->demand, list->request, error);
}

void media_demand_list (Media *media, LinkMessage *request)
{
  g_autoptr (GError) error = NULL;
  List *list = g_new (List, 1);
  *list = (List){ media->demand, request };
  if (media->demand->archive != NULL && media_demand_read (media->demand, read_list, list))
    return;
  g_free (list);
  error_set (&error, ERROR_RETRY, "the recordings can't be read now");
  media_demand_answer_error (media->demand, request, error);
}
