#include "pipelines/media_rtsp.h"

#include <string.h>

#include "gateway/core/log.h"
#include "pipelines/rtp/wire_context.h"

enum { VERDICT_UNAVAILABLE = 503 };

/* ---- may they play? ---- */

typedef struct {
  Media *media;
  LinkMessage *message;
  Loop *loop;
  RtspVerdict verdict;
  gpointer verdict_data;
  int status;
  gint64 until_us;
} Question;

/* thread: the loop. */
static void deliver_verdict (gpointer data)
{
  Question *question = data;
  question->verdict (question->status, question->until_us, question->verdict_data);
  g_free (question);
}

static void on_verdict (LinkMessage *reply, const GError *error, gpointer data)
{
  Question *question = data;
  question->status = error != NULL ? VERDICT_UNAVAILABLE : (int) link_message_integer (reply, "status");
  question->until_us = error != NULL ? 0 : link_message_integer (reply, "until");
  if (question->status < 200 || question->status > 599)
    question->status = VERDICT_UNAVAILABLE;
  loop_post (question->loop, deliver_verdict, question);
}

static gboolean put_question (gpointer data)
{
  Question *question = data;
  link_endpoint_request (question->media->link, g_steal_pointer (&question->message), 0, on_verdict, question);
  return G_SOURCE_REMOVE;
}

static void add_text (json_t *body, const char *name, const char *text)
{
  if (text == NULL)
    return;
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  json_object_set_new (body, name, json_string (valid));
}

/* thread: any loop. */
static void ask (const RtspAsk *ask, Loop *loop, RtspVerdict verdict, gpointer verdict_data, gpointer data)
{
  json_t *body = json_object ();
  add_text (body, "viewer", ask->viewer);
  add_text (body, "camera", ask->camera);
  add_text (body, "stream", ask->stream);
  add_text (body, "address", ask->address);
  add_text (body, "user_agent", ask->user_agent);
  add_text (body, "method", ask->method);
  add_text (body, "purpose", ask->purpose);
  add_text (body, "token", ask->token);
  if (strcmp (ask->purpose, "playback") == 0) {
    add_text (body, "reason", ask->reason);
    json_object_set_new (body, "from", json_integer (ask->from_us));
    json_object_set_new (body, "to", json_integer (ask->to_us));
  }
  if (ask->answer != NULL) {
    add_text (body, "username", ask->answer->username);
    add_text (body, "realm", ask->answer->realm);
    add_text (body, "nonce", ask->answer->nonce);
    add_text (body, "uri", ask->answer->uri);
    add_text (body, "response", ask->answer->response);
    add_text (body, "algorithm", ask->answer->algorithm);
    add_text (body, "qop", ask->answer->qop);
    add_text (body, "nc", ask->answer->nc);
    add_text (body, "cnonce", ask->answer->cnonce);
  }
  Question *question = g_new0 (Question, 1);
  *question = (Question){ data, link_message_new (LINK_PLAY_ASK, body), loop, verdict, verdict_data, 0, 0 };
  g_main_context_invoke (NULL, put_question, question);
}

/* thread: any loop. */
static void on_viewer_started (const char *viewer, Stream *stream, gint64 at_us, gpointer data)
{
  const MediaStream named = { .camera = (char *) stream_camera (stream), .name = (char *) stream_name (stream) };
  media_send_event (data, LINK_VIEWER_STARTED, media_viewer_body (viewer, &named, "rtsp", at_us));
}

/* thread: any loop. */
static void on_recording_started (const char *viewer, const char *camera, const char *stream, gint64 at_us, gpointer data)
{
  const MediaStream named = { .camera = (char *) camera, .name = (char *) stream };
  media_send_event (data, LINK_VIEWER_STARTED, media_viewer_body (viewer, &named, "rtsp", at_us));
}

/* thread: any loop. */
static void on_viewer_ended (const char *viewer, guint64 sent_bytes, const char *reason, const char *watched, gpointer data)
{
  media_send_event (data, LINK_VIEWER_ENDED, media_viewer_ended_body (viewer, sent_bytes, reason, watched));
}

const RtspServerHandlers media_rtsp_handlers = { ask, on_viewer_started, on_viewer_ended, on_recording_started };

/* ---- where it listens ---- */

/* UDP goes with the listener's host. Without it the clients take TCP: no reason to refuse a site. */
static void open_udp (Media *media, guint16 port)
{
  g_autoptr (GError) error = NULL;
  if (!rtsp_server_open_udp (media->server, port, &error))
    log_error ("rtsp server: UDP is not offered: %s (rtsp.udp_port)", error->message);
}

static gboolean listen_plain (Media *media, const char *listen, gint64 udp_port, GError **error)
{
  gboolean is_new = g_strcmp0 (listen, media->rtsp.listen) != 0;
  if (is_new && !rtsp_server_listen (media->server, listen, error))
    return FALSE;
  if (is_new || udp_port != media->rtsp.udp_port)
    open_udp (media, (guint16) udp_port);
  g_free (media->rtsp.listen);
  media->rtsp.listen = g_strdup (listen);
  media->rtsp.udp_port = udp_port;
  return TRUE;
}

/* The files are read each time: they may have been renewed. */
static gboolean listen_tls (Media *media, const LinkMessage *request, GError **error)
{
  const char *listen = link_message_string (request, "rtsp_tls_listen");
  WireContext *tls = wire_context_new_server (link_message_string (request, "rtsp_cert_file"),
                                              link_message_string (request, "rtsp_key_file"), error);
  if (tls == NULL)
    return FALSE;
  gboolean is_new = g_strcmp0 (listen, media->rtsp.tls_listen) != 0;
  gboolean listens = !is_new || rtsp_server_listen_tls (media->server, listen, tls, error);
  if (!is_new)
    rtsp_server_present (media->server, tls);
  wire_context_unref (tls);
  if (is_new && listens) {
    g_free (media->rtsp.tls_listen);
    media->rtsp.tls_listen = g_strdup (listen);
  }
  return listens;
}

static void end_tls (Media *media)
{
  if (media->rtsp.tls_listen == NULL)
    return;
  rtsp_server_end_tls (media->server);
  g_clear_pointer (&media->rtsp.tls_listen, g_free);
}

gboolean media_rtsp_apply (Media *media, const LinkMessage *request, GError **error)
{
  gboolean is_done = listen_plain (media, link_message_string (request, "rtsp_listen"),
                                   link_message_integer (request, "rtsp_udp_port"), error);
  rtsp_server_set_viewers_max (media->server, (guint) link_message_integer (request, "max_viewers"));
  if (link_message_string (request, "rtsp_tls_listen") != NULL)
    return listen_tls (media, request, is_done ? error : NULL) && is_done;
  end_tls (media);
  return is_done;
}

void media_rtsp_tell_load (Media *media, gboolean always)
{
  MediaRtsp *rtsp = &media->rtsp;
  Admission *admission = rtsp_server_admission (media->server);
  Refusal strain = admission_strain (admission);
  gboolean has_changed = strain != rtsp->told_strain;
  rtsp->told_strain = strain;
  json_t *refused = json_object ();
  for (Refusal i = 0; i < REFUSALS; i++) {
    gint count = g_atomic_int_get (&admission->refused[i]);
    has_changed |= count != rtsp->told_refused[i];
    rtsp->told_refused[i] = count;
    json_object_set_new (refused, refusal_name (i), json_integer (count));
  }
  json_t *body = json_pack ("{s:o}", "refused", refused);
  if (strain != REFUSED_NOT)
    json_object_set_new (body, "strain", json_string (refusal_name (strain)));
  if (has_changed && strain != REFUSED_NOT)
    log_limited (LOG_LEVEL_WARNING, "rtsp server: takes in no viewers for now: %s",
                 strain == REFUSED_MEMORY ? "the memory for packets is nearly spent" : "the machine is too slow for those that are here");
  if (has_changed || always)
    media_send_event (media, LINK_MEDIA_LOAD, body);
  else
    json_decref (body);
}

void media_rtsp_clear (MediaRtsp *rtsp)
{
  g_free (rtsp->listen);
  g_free (rtsp->tls_listen);
}
