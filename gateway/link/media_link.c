#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "gateway/link/media_link_private.h"

static const char *const refusals[REFUSALS] = { "viewers", "memory", "load" };

const char *const camera_states[CAMERA_STATES] = { "idle", "connecting", "live", "stalled", "backing_off", "failed" };

void camera_status_free (CameraStatus *status)
{
  if (status == NULL)
    return;
  g_free (status->camera);
  g_free (status->stream);
  g_free (status->state);
  g_free (status->reason);
  g_free (status->detail);
  g_free (status->codec);
  g_free (status->audio);
  g_free (status->mime);
  g_free (status->audio_note);
  json_decref (status->repairs);
  g_free (status);
}

static CameraStatus *status_copy (const CameraStatus *status)
{
  CameraStatus *copy = g_memdup2 (status, sizeof *status);
  copy->camera = g_strdup (status->camera);
  copy->stream = g_strdup (status->stream);
  copy->state = g_strdup (status->state);
  copy->reason = g_strdup (status->reason);
  copy->detail = g_strdup (status->detail);
  copy->codec = g_strdup (status->codec);
  copy->audio = g_strdup (status->audio);
  copy->mime = g_strdup (status->mime);
  copy->audio_note = g_strdup (status->audio_note);
  copy->repairs = json_deep_copy (status->repairs);
  return copy;
}

static CameraStatus *status_new (const char *camera, const char *stream)
{
  CameraStatus *status = g_new0 (CameraStatus, 1);
  status->camera = g_strdup (camera);
  status->stream = g_strdup (stream);
  status->state = g_strdup ("idle");
  status->reason = g_strdup ("");
  status->since_us = clock_wall_us (clock_system ());
  return status;
}

static char *status_key (const char *camera, const char *stream)
{
  return g_strconcat (camera, "/", stream, NULL);
}

static void publish_camera (MediaLink *link, const CameraStatus *status)
{
  const Camera *camera = link->site != NULL ? site_camera (link->site, status->camera) : NULL;
  g_autofree char *since = time_to_rfc3339 (status->since_us);
  json_t *body = json_pack ("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:i, s:i}", "id", status->camera, "stream",
                            status->stream, "state", status->state, "since", since, "reason", status->reason, "detail",
                            status->detail, "codec", status->codec, "width", status->width, "height", status->height);
  char *text = json_dumps (body, JSON_COMPACT);
  event_bus_publish (link->events, "camera", text, camera != NULL ? camera->grid : NULL, NULL, status->camera, 0);
  free (text);
  json_decref (body);
}

static void replace_string (char **field, const char *text)
{
  if (g_strcmp0 (*field, text) == 0)
    return;
  g_free (*field);
  *field = g_strdup (text);
}

static void note_camera_state (MediaLink *link, const LinkMessage *message)
{
  g_autofree char *key = status_key (link_message_string (message, "camera"), link_message_string (message, "stream"));
  CameraStatus *copy = NULL;

  g_mutex_lock (&link->mutex);
  CameraStatus *status = g_hash_table_lookup (link->cameras, key);
  if (status != NULL) {
    replace_string (&status->state, link_message_string (message, "state"));
    replace_string (&status->reason, link_message_string (message, "reason"));
    replace_string (&status->detail, link_message_string (message, "detail"));
    status->since_us = link_message_integer (message, "since");
    if (link_message_string (message, "codec") != NULL) {
      replace_string (&status->codec, link_message_string (message, "codec"));
      replace_string (&status->audio, link_message_string (message, "audio"));
      replace_string (&status->audio_note, link_message_string (message, "audio_note"));
      replace_string (&status->mime, link_message_string (message, "mime"));
      status->width = (int) link_message_integer (message, "width");
      status->height = (int) link_message_integer (message, "height");
    }
    copy = status_copy (status);
  }
  g_mutex_unlock (&link->mutex);

  if (copy != NULL) {
    publish_camera (link, copy);
    camera_status_free (copy);
    link->handlers.camera_state (message, link->handlers.data);
  }
}

static void note_statistics (MediaLink *link, const LinkMessage *message)
{
  g_autofree char *key = status_key (link_message_string (message, "camera"), link_message_string (message, "stream"));
  g_mutex_lock (&link->mutex);
  CameraStatus *status = g_hash_table_lookup (link->cameras, key);
  if (status != NULL) {
    status->bitrate = link_message_integer (message, "bitrate");
    status->received_bytes = link_message_integer (message, "received_bytes");
    status->received_packets = link_message_integer (message, "received_packets");
    status->lost_packets = link_message_integer (message, "lost_packets");
    status->malformed_packets = link_message_integer (message, "malformed_packets");
    status->repaired_timestamps = link_message_integer (message, "repaired_timestamps");
    json_decref (status->repairs);
    status->repairs = json_deep_copy (link_message_json (message, "repairs"));
    status->connects = link_message_integer (message, "connects");
    status->key_frame_interval_us = link_message_integer (message, "key_frame_interval");
    status->first_frame_us = link_message_integer (message, "first_frame");
    status->clock_skew_us = link_message_integer (message, "clock_skew");
    status->viewers_rtsp = link_message_integer (message, "viewers_rtsp");
    status->viewers_websocket = link_message_integer (message, "viewers_websocket");
    status->viewer_skips = link_message_integer (message, "viewer_skips");
    status->spared_packets = link_message_integer (message, "spared_packets");
    status->viewer_drops = link_message_integer (message, "viewer_drops");
    for (guint i = 0; i < CAMERA_STATES; i++)
      status->transitions[i] = json_integer_value (json_object_get (link_message_json (message, "transitions"), camera_states[i]));
  }
  g_mutex_unlock (&link->mutex);
}

static void note_load (MediaLink *link, const LinkMessage *message)
{
  const json_t *refused = json_object_get (message->body, "refused");
  const char *strain = link_message_string (message, "strain");
  g_mutex_lock (&link->mutex);
  link->strain = -1;
  for (int i = 0; i < REFUSALS; i++) {
    link->refused_rtsp[i] = json_integer_value (json_object_get (refused, refusals[i]));
    if (g_strcmp0 (strain, refusals[i]) == 0)
      link->strain = i;
  }
  g_mutex_unlock (&link->mutex);
}

const char *media_link_refuses_viewer (MediaLink *link, guint viewers_max)
{
  gboolean is_full = media_link_viewers (link) >= viewers_max;
  g_mutex_lock (&link->mutex);
  int refusal = is_full ? REFUSAL_VIEWERS : link->strain;
  if (refusal >= 0)
    link->refused_browsers[refusal]++;
  g_mutex_unlock (&link->mutex);
  return refusal >= 0 ? refusals[refusal] : NULL;
}

json_t *media_link_refused_viewers (MediaLink *link)
{
  json_t *refused = json_object ();
  g_mutex_lock (&link->mutex);
  for (int i = 0; i < REFUSALS; i++)
    json_object_set_new (refused, refusals[i], json_integer (link->refused_rtsp[i] + link->refused_browsers[i]));
  g_mutex_unlock (&link->mutex);
  return refused;
}

static void note_recording (MediaLink *link, const LinkMessage *message)
{
  const char *camera = link_message_string (message, "camera"), *state = link_message_string (message, "state");
  g_mutex_lock (&link->mutex);
  json_t *before = json_object_get (link->recording, camera);
  gboolean is_changed = before == NULL || g_strcmp0 (json_string_value (json_object_get (before, "state")), state) != 0;
  json_object_set (link->recording, camera, message->body);
  g_mutex_unlock (&link->mutex);
  if (is_changed)
    link->handlers.recording_state (message, link->handlers.data);
}

static void answer_play_ask (MediaLink *link, const LinkMessage *request)
{
  gint64 until_us = 0;
  int status = link->handlers.play_ask (request, &until_us, link->handlers.data);
  json_t *body = json_pack ("{s:i, s:I}", "status", status, "until", (json_int_t) until_us);
  link_endpoint_send (link->endpoint, link_message_reply (request, body));
}

static void on_message (LinkEndpoint *endpoint, LinkMessage *received, gpointer data)
{
  (void) endpoint;
  g_autoptr (LinkMessage) message = received;
  MediaLink *link = data;
  gpointer context = link->handlers.data;

  switch (message->kind) {
  case LINK_PLAY_ASK:
    answer_play_ask (link, message);
    break;
  case LINK_CAMERA_STATE:
    note_camera_state (link, message);
    break;
  case LINK_CAMERA_STATISTICS:
    note_statistics (link, message);
    break;
  case LINK_MEDIA_LOAD:
    note_load (link, message);
    break;
  case LINK_VIEWER_STARTED:
    g_hash_table_add (link->present, g_strdup (link_message_string (message, "viewer")));
    link->handlers.viewer_started (message, context);
    break;
  case LINK_VIEWER_ENDED:
    g_hash_table_remove (link->present, link_message_string (message, "viewer"));
    if (g_strcmp0 (link_message_string (message, "protocol"), "export") == 0)
      media_link_count_export (link, link_message_string (message, "reason"));
    link->handlers.viewer_ended (message, context);
    break;
  case LINK_RECORDING_STATE:
    note_recording (link, message);
    break;
  case LINK_CLIP_DONE:
    link->handlers.clip_done (message, context);
    break;
  default:
    log_limited (LOG_LEVEL_WARNING, "media sent a %s, which is not its to send", link_kind_name (message->kind));
  }
}

/* While media is away nobody knows better than: being reached. */
static void mark_all_away (MediaLink *link)
{
  g_autoptr (GPtrArray) changed = g_ptr_array_new_with_free_func ((GDestroyNotify) camera_status_free);
  GHashTableIter iterator;
  gpointer value;

  g_mutex_lock (&link->mutex);
  g_hash_table_iter_init (&iterator, link->cameras);
  while (g_hash_table_iter_next (&iterator, NULL, &value)) {
    CameraStatus *status = value;
    replace_string (&status->state, "connecting");
    replace_string (&status->reason, "media_restart");
    status->since_us = clock_wall_us (clock_system ());
    status->viewers_rtsp = status->viewers_websocket = 0;
    g_ptr_array_add (changed, status_copy (status));
  }
  json_object_clear (link->recording);
  g_mutex_unlock (&link->mutex);
  for (guint i = 0; i < changed->len; i++)
    publish_camera (link, changed->pdata[i]);
}

static gboolean greet (gpointer data);

/* Without the greeting media would keep the former site as long as it is there. */
static void note_hello (LinkMessage *reply, const GError *error, gpointer data)
{
  MediaLink *link = data;
  if (error != NULL) {
    log_limited (LOG_LEVEL_WARNING, "media does not greet: %s", error->message);
    if (error_is (error, ERROR_RETRY) && link_endpoint_is_connected (link->endpoint))
      link->greets_again = g_timeout_add_seconds (MEDIA_LINK_AGAIN_S, greet, link);
    return;
  }
  if (g_strcmp0 (link_message_string (reply, "version"), GRIDGATE_VERSION) != 0)
    log_warning ("media is version %s, gridgate is " GRIDGATE_VERSION ": restart gridgate-media when it suits",
                 link_message_string (reply, "version"));
  media_link_send_site (link);
}

static gboolean greet (gpointer data)
{
  MediaLink *link = data;
  link->greets_again = 0;
  link_endpoint_request (link->endpoint, link_message_new (LINK_HELLO, json_pack ("{s:s}", "version", GRIDGATE_VERSION)),
                         MEDIA_LINK_STATE_TIMEOUT_US, note_hello, link);
  return G_SOURCE_REMOVE;
}

static void on_changed (LinkEndpoint *endpoint, gboolean is_connected, gpointer data)
{
  (void) endpoint;
  MediaLink *link = data;
  g_mutex_lock (&link->mutex);
  link->is_connected = is_connected;
  g_mutex_unlock (&link->mutex);

  log_info ("media: %s", is_connected ? "connected" : "away");
  media_link_forget_again (link);
  g_clear_handle_id (&link->greets_again, g_source_remove);
  g_hash_table_remove_all (link->present);
  link->met_us = clock_wall_us (clock_system ());
  if (is_connected)
    greet (link);
  else
    mark_all_away (link);
  link->handlers.connected (is_connected, link->handlers.data);
}

MediaLink *media_link_new (const char *runtime_dir, const MediaHandlers *handlers, EventBus *events)
{
  MediaLink *link = g_new0 (MediaLink, 1);
  g_autofree char *path = g_build_filename (runtime_dir, "media.sock", NULL);
  link->strain = -1;
  g_mutex_init (&link->mutex);
  link->handlers = *handlers;
  link->events = events;
  link->recording = json_object ();
  link->holds = g_ptr_array_new ();
  link->present = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  link->cameras = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) camera_status_free);
  link->endpoint = link_endpoint_connect (path, on_message, on_changed, link);
  return link;
}

static void keep_stream (GHashTable *kept, GHashTable *before, const char *camera, const char *stream)
{
  char *key = status_key (camera, stream);
  gpointer old_key, status;
  if (!g_hash_table_steal_extended (before, key, &old_key, &status)) {
    old_key = NULL;
    status = status_new (camera, stream);
  }
  g_free (old_key);
  g_hash_table_insert (kept, key, status);
}

void media_link_set_site (MediaLink *link, Site *site)
{
  GHashTable *kept = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) camera_status_free);

  g_mutex_lock (&link->mutex);
  for (guint i = 0; i < site->cameras->len; i++) {
    const Camera *camera = site->cameras->pdata[i];
    keep_stream (kept, link->cameras, camera->id, "main");
    if (camera->sub != NULL)
      keep_stream (kept, link->cameras, camera->id, "sub");
  }
  g_hash_table_unref (link->cameras);
  link->cameras = kept;
  g_mutex_unlock (&link->mutex);

  g_clear_pointer (&link->site, site_unref);
  link->site = site_ref (site);
  media_link_send_site (link);
}

CameraStatus *media_link_camera (MediaLink *link, const char *camera, const char *stream)
{
  g_autofree char *key = status_key (camera, stream);
  g_mutex_lock (&link->mutex);
  const CameraStatus *status = g_hash_table_lookup (link->cameras, key);
  CameraStatus *copy = status != NULL ? status_copy (status) : NULL;
  g_mutex_unlock (&link->mutex);
  return copy;
}
json_t *media_link_recording (MediaLink *link, const char *camera)
{
  g_mutex_lock (&link->mutex);
  json_t *body = json_deep_copy (json_object_get (link->recording, camera));
  g_mutex_unlock (&link->mutex);
  return body;
}

gboolean media_link_is_connected (MediaLink *link)
{
  g_mutex_lock (&link->mutex);
  gboolean is_connected = link->is_connected;
  g_mutex_unlock (&link->mutex);
  return is_connected;
}

guint media_link_viewers (MediaLink *link)
{
  gint64 viewers = 0;
  GHashTableIter iterator;
  gpointer value;
  g_mutex_lock (&link->mutex);
  g_hash_table_iter_init (&iterator, link->cameras);
  while (g_hash_table_iter_next (&iterator, NULL, &value))
    viewers += ((CameraStatus *) value)->viewers_rtsp + ((CameraStatus *) value)->viewers_websocket;
  g_mutex_unlock (&link->mutex);
  return (guint) viewers;
}

int media_link_pid (MediaLink *link)
{
  return link_endpoint_peer_pid (link->endpoint);
}

void media_link_free (MediaLink *link)
{
  if (link == NULL)
    return;
  link_endpoint_free (link->endpoint);
  media_link_forget_again (link);
  g_clear_handle_id (&link->greets_again, g_source_remove);
  g_hash_table_unref (link->present);
  g_hash_table_unref (link->cameras);
  json_decref (link->recording);
  g_ptr_array_unref (link->holds);
  g_clear_pointer (&link->site, site_unref);
  g_mutex_clear (&link->mutex);
  g_free (link);
}
