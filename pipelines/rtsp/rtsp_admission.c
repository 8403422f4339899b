#include <string.h>

#include "pipelines/rtsp/rtsp_connection_private.h"

enum { ASKS_MAX = 1024 };

/* A question that gridgate has; it outlives the connection. */
struct PendingAsk {
  RtspConnection *connection; /* NULL once that is closed */
  RtspServerShared *shared;
};

static void on_verdict (int status, gint64 until_us, gpointer data)
{
  PendingAsk *ask = data;
  RtspConnection *connection = ask->connection;
  g_atomic_int_add (&ask->shared->asks, -1);
  g_free (ask);
  if (connection == NULL)
    return;
  connection->ask = NULL;

  g_autoptr (GstRTSPMessage) request = g_steal_pointer (&connection->request);
  g_auto (RtspPath) path = { 0 };
  DirectoryEntry entry;
  rtsp_path_parse (request->type_data.request.uri, &path);
  if (status == GST_RTSP_STS_OK && !path.is_playback && !session_find_entry (connection, &path, &entry))
    status = GST_RTSP_STS_NOT_FOUND;
  if (status == GST_RTSP_STS_UNAUTHORIZED) {
    connection_respond_unauthorized (connection, request, FALSE);
  } else if (status != GST_RTSP_STS_OK) {
    connection_respond (connection, request, (GstRTSPStatusCode) status);
  } else {
    if (connection->session == NULL) /* what plays keeps the end of its own permission */
      connection->until_us = until_us;
    if (path.token != NULL) {
      g_free (connection->token);
      connection->token = g_strdup (path.token);
    }
    if (path.is_playback) {
      recorded_open (connection, g_steal_pointer (&request), &path);
    } else if (request->type_data.request.method == GST_RTSP_DESCRIBE) {
      connection->request = g_steal_pointer (&request);
      session_start_describe (connection, &entry);
    } else {
      session_set_up (connection, request, &path, &entry);
    }
  }
  connection_resume (connection);
}

/* RFC 7616 3.4.6: an answer must be about the resource that is asked for. Clients differ in whether they name the track. */
static gboolean is_about (const DigestAnswer *answer, const RtspPath *path)
{
  g_auto (RtspPath) answered = { 0 };
  return rtsp_path_parse (answer->uri, &answered) && strcmp (answered.camera, path->camera) == 0
         && answered.stream == path->stream && answered.is_playback == path->is_playback;
}

static void put_question (RtspConnection *connection, GstRTSPMessage *request, const RtspPath *path,
                          const DigestAnswer *answer)
{
  RtspServerShared *shared = connection_shared (connection);
  if (g_atomic_int_add (&shared->asks, 1) >= ASKS_MAX) {
    g_atomic_int_add (&shared->asks, -1);
    connection_respond (connection, request, GST_RTSP_STS_SERVICE_UNAVAILABLE);
    return;
  }
  RtspAsk question = { connection->viewer, path->camera, path->stream, connection->address,
                       rtsp_message_header (request, GST_RTSP_HDR_USER_AGENT),
                       gst_rtsp_method_as_text (request->type_data.request.method) };
  question.token = path->token != NULL ? path->token : answer == NULL ? connection->token : NULL;
  question.answer = answer;
  question.purpose = path->is_playback ? "playback" : "live";
  if (path->is_playback) { /* a SETUP may leave to its DESCRIBE what it is about */
    gboolean is_named = path->from_us >= 0 || !recorded_is_of (connection, path);
    question.from_us = is_named ? path->from_us : connection->recorded.from_us;
    question.to_us = is_named ? path->to_us : connection->recorded.to_us;
    question.reason = is_named ? path->reason : connection->recorded.reason;
  }
  PendingAsk *ask = g_new (PendingAsk, 1);
  *ask = (PendingAsk){ connection, shared };
  connection->ask = ask;
  gst_rtsp_message_copy (request, &connection->request);
  connection_watch_again (connection);
  shared->handlers.ask (&question, connection->place->loop, on_verdict, ask, shared->data);
}

/* DESCRIBE, and SETUP of a session's first track. */
void admission_ask (RtspConnection *connection, GstRTSPMessage *request)
{
  g_auto (RtspPath) path = { 0 };
  DigestAnswer answer;
  if (!rtsp_path_parse (request->type_data.request.uri, &path)) {
    connection_respond (connection, request, GST_RTSP_STS_NOT_FOUND);
    return;
  }
  if (path.is_playback && connection->session != NULL) { /* it would take the place of what plays, under another's entry */
    connection_respond (connection, request, GST_RTSP_STS_METHOD_NOT_VALID_IN_THIS_STATE);
    return;
  }
  gboolean has_answer = digest_answer_read (request, &answer);
  if (has_answer && !is_about (&answer, &path))
    connection_respond (connection, request, GST_RTSP_STS_BAD_REQUEST);
  else if (has_answer && strcmp (answer.realm, DIGEST_REALM) != 0)
    connection_respond_unauthorized (connection, request, FALSE);
  else if (has_answer
           && !digest_nonce_takes (&connection->nonce, &answer, loop_now_us (connection->place->loop)))
    connection_respond_unauthorized (connection, request, TRUE);
  else
    put_question (connection, request, &path, has_answer ? &answer : NULL);
  digest_answer_clear (&answer);
}

void admission_cancel (RtspConnection *connection)
{
  if (connection->ask != NULL)
    connection->ask->connection = NULL;
}
