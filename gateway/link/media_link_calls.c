#include <string.h>

#include "gateway/core/error.h"
#include "gateway/link/media_link_private.h"

static const char *const export_reasons[EXPORT_OUTCOMES] = { "complete", "closed", "too slow", "error", "ended", "refused" };

/* The index of a day of recordings on a slow disk: 86,400 short reads. */
static const gint64 export_plan_us = 120 * G_TIME_SPAN_SECOND;

json_t *media_link_deletions (MediaLink *link, const char *camera, gint64 from_us, gint64 to_us, GError **error)
{
  json_t *whole = json_array ();
  gint64 after = 0;
  do {
    json_t *body = json_pack ("{s:s, s:I, s:I, s:I}", "camera", camera, "from", (json_int_t) from_us, "to",
                              (json_int_t) to_us, "after", (json_int_t) after);
    g_autoptr (LinkMessage) reply
      = link_endpoint_call (link->endpoint, link_message_new (LINK_DELETIONS_LIST, body), 0, error);
    if (reply == NULL) {
      json_decref (whole);
      return NULL;
    }
    json_array_extend (whole, link_message_json (reply, "deletions"));
    after = link_message_integer (reply, "next");
  } while (after > 0);
  return whole;
}

void media_link_deletions_day (MediaLink *link, gint64 from_day, gint64 before_day, const char *after, LinkReplied replied,
                               gpointer data)
{
  json_t *body = json_pack ("{s:I, s:I, s:s}", "from_day", (json_int_t) from_day, "before_day", (json_int_t) before_day,
                            "after", after);
  link_endpoint_request (link->endpoint, link_message_new (LINK_DELETIONS_DAY, body), 0, replied, data);
}

/* Takes `body` and `socket_fd`. */
static gboolean hand_socket (MediaLink *link, LinkKind kind, json_t *body, int socket_fd, const void *extra, gsize extra_size,
                             GError **error)
{
  if (extra_size > 0) {
    g_autofree char *base64 = g_base64_encode (extra, extra_size);
    json_object_set_new (body, "extra", json_string (base64));
  }
  LinkMessage *message = link_message_new (kind, body);
  link_message_add_fd (message, socket_fd);
  g_autoptr (LinkMessage) reply = link_endpoint_call (link->endpoint, message, 0, error);
  return reply != NULL;
}

gboolean media_link_view (MediaLink *link, const char *viewer, const char *camera, const char *stream, int socket_fd,
                          const void *extra, gsize extra_size, GError **error)
{
  json_t *body = json_pack ("{s:s, s:s, s:s}", "viewer", viewer, "camera", camera, "stream", stream);
  return hand_socket (link, LINK_VIEWER_SOCKET, body, socket_fd, extra, extra_size, error);
}

gboolean media_link_play_back (MediaLink *link, const MediaPlaybackView *view, int socket_fd, const void *extra,
                               gsize extra_size, GError **error)
{
  json_t *body = json_pack ("{s:s, s:s, s:s, s:I, s:I, s:f}", "viewer", view->viewer, "camera", view->camera, "stream",
                            view->stream, "from", (json_int_t) view->from_us, "to", (json_int_t) view->to_us, "speed",
                            view->speed);
  return hand_socket (link, LINK_PLAYBACK_SOCKET, body, socket_fd, extra, extra_size, error);
}

void media_link_count_export (MediaLink *link, const char *outcome)
{
  int number = EXPORT_ENDED; /* for a reason of ours: a right that was taken away */
  for (int i = 0; i < EXPORT_OUTCOMES; i++)
    if (strcmp (export_reasons[i], outcome) == 0)
      number = i;
  g_mutex_lock (&link->mutex);
  link->exports[number]++;
  g_mutex_unlock (&link->mutex);
}

json_t *media_link_exports (MediaLink *link)
{
  json_t *counts = json_object ();
  g_mutex_lock (&link->mutex);
  for (int i = 0; i < EXPORT_OUTCOMES; i++) {
    g_autofree char *name = g_strdelimit (g_strdup (export_reasons[i]), " ", '_');
    json_object_set_new (counts, name, json_integer (link->exports[i]));
  }
  g_mutex_unlock (&link->mutex);
  return counts;
}

gint64 media_link_export (MediaLink *link, const MediaExport *export, int pipe_fd, json_t **spans, GError **error)
{
  GError *failure = NULL;
  LinkMessage *message = link_message_new (
    LINK_EXPORT_OPEN, json_pack ("{s:s, s:s, s:s, s:I, s:I, s:b}", "viewer", export->viewer, "camera", export->camera, "stream",
                                 export->stream, "from", (json_int_t) export->from_us, "to", (json_int_t) export->to_us, "check",
                                 export->is_check));
  link_message_add_fd (message, pipe_fd);
  g_autoptr (LinkMessage) reply
    = link_endpoint_call_looking (link->endpoint, message, export_plan_us, export->look, export->data, &failure);
  if (reply == NULL) {
    if (error_is (failure, ERROR_RETRY) && !export->is_check)
      media_link_count_export (link, export_reasons[EXPORT_REFUSED]);
    g_propagate_error (error, failure);
    return -1;
  }
  *spans = json_incref (link_message_json (reply, "spans"));
  return link_message_integer (reply, "bytes");
}

static gboolean append_all (json_t *whole, const char *field, const LinkMessage *reply)
{
  return json_array_extend (json_object_get (whole, field), link_message_json (reply, field)) == 0;
}

json_t *media_link_recordings (MediaLink *link, const char *camera, const char *stream, gint64 from_us, gint64 to_us,
                               GError **error)
{
  json_t *whole = json_pack ("{s:[], s:[]}", "spans", "gaps");
  while (from_us < to_us) {
    json_t *body = json_pack ("{s:s, s:s, s:I, s:I}", "camera", camera, "stream", stream, "from", (json_int_t) from_us, "to",
                              (json_int_t) to_us);
    g_autoptr (LinkMessage) reply
      = link_endpoint_call (link->endpoint, link_message_new (LINK_RECORDINGS_LIST, body), 0, error);
    if (reply == NULL) {
      json_decref (whole);
      return NULL;
    }
    append_all (whole, "spans", reply);
    append_all (whole, "gaps", reply);
    gint64 next = link_message_integer (reply, "next");
    if (next <= from_us)
      break;
    from_us = next;
  }
  return whole;
}

int media_link_picture (MediaLink *link, const char *camera, const char *stream, gint64 at_us, char **codec,
                        gint64 *taken_at_us, GError **error)
{
  json_t *body = json_pack ("{s:s, s:s, s:I}", "camera", camera, "stream", stream, "at", (json_int_t) at_us);
  g_autoptr (LinkMessage) reply
    = link_endpoint_call (link->endpoint, link_message_new (LINK_PICTURE_TAKE, body), 0, error);
  if (reply == NULL)
    return -1;
  int fd = link_message_steal_fd (reply, 0);
  if (fd < 0) {
    error_set (error, ERROR_RETRY, "media answered without a picture");
    return -1;
  }
  *codec = g_strdup (link_message_string (reply, "codec"));
  *taken_at_us = link_message_integer (reply, "taken_at");
  return fd;
}

void media_link_end_viewer (MediaLink *link, const char *viewer, const char *reason)
{
  link_endpoint_post_request (link->endpoint, link_message_new (LINK_VIEWER_END, json_pack ("{s:s, s:s}", "viewer", viewer,
                                                                                           "reason", reason)));
}

gboolean media_link_clip (MediaLink *link, const char *clip, const char *camera, const char *stream, gint64 from_us,
                          gint64 to_us, int file_fd, GError **error)
{
  LinkMessage *message = link_message_new (
    LINK_CLIP_CUT, json_pack ("{s:s, s:s, s:s, s:I, s:I}", "clip", clip, "camera", camera, "stream", stream, "from",
                              (json_int_t) from_us, "to", (json_int_t) to_us));
  link_message_add_fd (message, file_fd);
  g_autoptr (LinkMessage) reply = link_endpoint_call (link->endpoint, message, 0, error);
  return reply != NULL;
}
