#include "gateway/link/media_link.h"

#include <string.h>
#include <unistd.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "gateway/core/log.h"

/* Why a viewer is refused. */
enum { REFUSAL_VIEWERS, REFUSAL_MEMORY, REFUSAL_LOAD, REFUSALS };
static const char *const refusals[REFUSALS] = { "viewers", "memory", "load" };

/* What media says of an export's end; the last two are ours. */
enum { EXPORT_COMPLETE, EXPORT_CLOSED, EXPORT_TOO_SLOW, EXPORT_ERROR, EXPORT_ENDED, EXPORT_REFUSED, EXPORT_OUTCOMES };
static const char *const export_reasons[EXPORT_OUTCOMES] = { "complete", "closed", "too slow", "error", "ended", "refused" };

/* The index of a day of recordings on a slow disk: 86,400 short reads. */
static const gint64 export_plan_us = 120 * G_TIME_SPAN_SECOND;

struct MediaLink {
  LinkEndpoint *endpoint;
  MediaHandlers handlers;
  EventBus *events;
  Site *site;            /* main thread */
  GHashTable *present;   /* main thread: ids of the viewers that media has told of since it was met */
  gint64 met_us;         /* main thread: wall */
  GMutex mutex;          /* over what follows */
  gboolean is_connected;
  GHashTable *cameras;   /* "camera/stream" → CameraStatus */
  int strain;            /* of refusals[]; -1: none */
  gint64 refused_rtsp[REFUSALS], refused_browsers[REFUSALS];
  gint64 exports[EXPORT_OUTCOMES];
  GPtrArray *holds;      /* of MediaHold */
  json_t *recording;     /* camera, or "" → the last RECORDING_STATE */
};

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

static void count_export (MediaLink *link, const char *outcome)
{
  int number = EXPORT_ENDED; /* for a reason of ours: a right that was taken away */
  for (int i = 0; i < EXPORT_OUTCOMES; i++)
    if (strcmp (export_reasons[i], outcome) == 0)
      number = i;
  g_mutex_lock (&link->mutex);
  link->exports[number]++;
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
      count_export (link, link_message_string (message, "reason"));
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

static void note_failure (LinkMessage *reply, const GError *error, gpointer data)
{
  (void) reply;
  if (error != NULL)
    log_warning ("media did not take %s: %s", (const char *) data, error->message);
}

static void send_state (MediaLink *link, LinkKind kind, json_t *body)
{
  link_endpoint_request (link->endpoint, link_message_new (kind, body), 0, note_failure, (gpointer) link_kind_name (kind));
}

/* How much of the past a clip or an event of this camera may ask for. */
static gint64 pre_roll_of (const Site *site, const Camera *camera)
{
  gint64 longest_us = camera->recording.mode == RECORDING_EVENT ? camera->recording.pre_roll_us : 0;
  for (guint i = 0; i < site->rules->len; i++) {
    const Rule *rule = site->rules->pdata[i];
    if (rule->evidence_cameras != NULL && g_strv_contains ((const gchar *const *) rule->evidence_cameras, camera->id))
      longest_us = MAX (longest_us, rule->evidence_before_us);
  }
  return longest_us;
}

static const char *recording_mode_name (RecordingMode mode)
{
  static const char *const names[] = { "continuous", "event", "off" };
  return names[mode];
}

typedef struct {
  const char *name, *url, *username, *password_file, *ca_file, *fingerprint;
} Source;

static Source source_of (const Camera *camera, gboolean is_sub)
{
  Source source = { "main", camera->url, camera->username, camera->password_file, camera->ca_file, camera->fingerprint };
  if (is_sub) {
    source.name = "sub";
    source.url = camera->sub->url;
    if (camera->sub->username != NULL)
      source.username = camera->sub->username;
    if (camera->sub->password_file != NULL)
      source.password_file = camera->sub->password_file;
    if (camera->sub->ca_file != NULL || camera->sub->fingerprint != NULL) {
      source.ca_file = camera->sub->ca_file;
      source.fingerprint = camera->sub->fingerprint;
    }
  }
  return source;
}

/* A sub stream is pulled while somebody wants it, unless its past must be there when an event comes. */
static gboolean is_on_demand (const Camera *camera, gboolean is_sub, gint64 pre_roll_us)
{
  return camera->on_demand || (is_sub && pre_roll_us == 0);
}

static void put_stream (MediaLink *link, const Camera *camera, gboolean is_sub)
{
  Source source = source_of (camera, is_sub);
  gboolean is_recorded = is_sub == camera->recording.is_sub;
  gint64 pre_roll_us = is_recorded ? pre_roll_of (link->site, camera) : 0;
  g_autoptr (GError) error = NULL;
  g_autofree char *password = source.password_file != NULL ? file_read_secret (source.password_file, &error) : NULL;
  if (error != NULL)
    log_error ("camera %s: %s", camera->id, error->message);

  json_t *body = json_pack (
    "{s:s, s:s, s:s, s:s, s:b, s:I, s:s, s:I, s:I, s:I, s:I}", "camera", camera->id, "stream", source.name, "url", source.url,
    "transport",
    camera->transport == TRANSPORT_UDP ? "udp" : "tcp", "on_demand", is_on_demand (camera, is_sub, pre_roll_us), "linger",
    (json_int_t) camera->linger_us, "record",
    recording_mode_name (is_recorded ? camera->recording.mode : RECORDING_OFF), "pre_roll",
    (json_int_t) pre_roll_us, "retain", (json_int_t) camera->recording.retain_us,
    "keep_at_least", (json_int_t) camera->recording.keep_at_least_us, "max_bytes",
    (json_int_t) camera->recording.max_bytes);
  if (source.username != NULL)
    json_object_set_new (body, "username", json_string (source.username));
  if (password != NULL)
    json_object_set_new (body, "password", json_string (password));
  if (source.ca_file != NULL)
    json_object_set_new (body, "ca_file", json_string (source.ca_file));
  if (source.fingerprint != NULL)
    json_object_set_new (body, "fingerprint", json_string (source.fingerprint));
  send_state (link, LINK_CAMERA_PUT, body);
}

static void put_holds (MediaLink *link)
{
  g_mutex_lock (&link->mutex);
  g_autoptr (GPtrArray) holds = g_ptr_array_ref (link->holds);
  g_mutex_unlock (&link->mutex);
  for (guint i = 0; i < holds->len; i++) {
    const MediaHold *hold = holds->pdata[i];
    send_state (link, LINK_HOLD_PUT,
                json_pack ("{s:s, s:I, s:I, s:I}", "camera", hold->camera, "from", (json_int_t) hold->from_us, "to",
                           (json_int_t) hold->to_us, "until", (json_int_t) hold->until_us));
  }
}

/* Views of a media process that is gone ended when it did; others that this one does not serve ended some time before now. */
static void note_site_end (LinkMessage *reply, const GError *error, gpointer data)
{
  MediaLink *link = data;
  if (error != NULL) {
    note_failure (NULL, error, (gpointer) link_kind_name (LINK_SITE_END));
    return;
  }
  gint64 started_us = link_message_integer (reply, "started_at"), stopped_us = link_message_integer (reply, "stopped_at");
  g_autofree gpointer *present = g_hash_table_get_keys_as_array (link->present, NULL);
  if (started_us > 0)
    link->handlers.viewers_known (NULL, started_us, stopped_us > 0 ? MIN (stopped_us, started_us) : started_us,
                                  link->handlers.data);
  link->handlers.viewers_known ((const char *const *) present, link->met_us, clock_wall_us (clock_system ()),
                                link->handlers.data);
}

static json_t *site_body (const Site *site)
{
  const RtspSettings *rtsp = &site->rtsp;
  const RecordingSettings *recording = &site->recording;
  json_t *body = json_pack (
    "{s:s, s:s, s:i, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "gateway", site->gateway.id, "rtsp_listen", rtsp->listen,
    "rtsp_udp_port", rtsp->udp_port, "max_viewers", rtsp->max_viewers, "data_dir", site->gateway.data_dir, "segment",
    (json_int_t) recording->segment_us, "retain", (json_int_t) recording->retain_us, "keep_at_least",
    (json_int_t) recording->keep_at_least_us, "max_bytes", (json_int_t) recording->max_bytes, "min_free_bytes",
    (json_int_t) recording->min_free_bytes, "min_free_percent", (json_int_t) recording->min_free_percent);
  if (rtsp->tls_listen != NULL) {
    json_object_set_new (body, "rtsp_tls_listen", json_string (rtsp->tls_listen));
    json_object_set_new (body, "rtsp_cert_file", json_string (rtsp->cert_file));
    json_object_set_new (body, "rtsp_key_file", json_string (rtsp->key_file));
  }
  return body;
}

static void send_site (MediaLink *link)
{
  const Site *site = link->site;
  if (site == NULL || !link_endpoint_is_connected (link->endpoint))
    return;
  send_state (link, LINK_SITE_BEGIN, site_body (site));
  for (guint i = 0; i < site->cameras->len; i++) {
    const Camera *camera = site->cameras->pdata[i];
    put_stream (link, camera, FALSE);
    if (camera->sub != NULL)
      put_stream (link, camera, TRUE);
  }
  put_holds (link);
  link_endpoint_request (link->endpoint, link_message_new (LINK_SITE_END, NULL), 0, note_site_end, link);
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

static void note_hello (LinkMessage *reply, const GError *error, gpointer data)
{
  MediaLink *link = data;
  if (error != NULL) {
    log_warning ("media does not greet: %s", error->message);
    return;
  }
  if (g_strcmp0 (link_message_string (reply, "version"), GRIDGATE_VERSION) != 0)
    log_warning ("media is version %s, gridgate is " GRIDGATE_VERSION ": restart gridgate-media when it suits",
                 link_message_string (reply, "version"));
  send_site (link);
}

static void on_changed (LinkEndpoint *endpoint, gboolean is_connected, gpointer data)
{
  MediaLink *link = data;
  g_mutex_lock (&link->mutex);
  link->is_connected = is_connected;
  g_mutex_unlock (&link->mutex);

  log_info ("media: %s", is_connected ? "connected" : "away");
  g_hash_table_remove_all (link->present);
  link->met_us = clock_wall_us (clock_system ());
  if (is_connected)
    link_endpoint_request (endpoint, link_message_new (LINK_HELLO, json_pack ("{s:s}", "version", GRIDGATE_VERSION)), 0,
                           note_hello, link);
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
  send_site (link);
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

void media_hold_free (MediaHold *hold)
{
  g_free (hold->camera);
  g_free (hold);
}

static gboolean send_site_again (gpointer data)
{
  send_site (data);
  return G_SOURCE_REMOVE;
}

void media_link_set_holds (MediaLink *link, GPtrArray *holds)
{
  g_mutex_lock (&link->mutex);
  GPtrArray *before = link->holds;
  link->holds = holds;
  g_mutex_unlock (&link->mutex);
  g_ptr_array_unref (before);
  g_main_context_invoke (NULL, send_site_again, link);
}

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
      count_export (link, export_reasons[EXPORT_REFUSED]);
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
  g_hash_table_unref (link->present);
  g_hash_table_unref (link->cameras);
  json_decref (link->recording);
  g_ptr_array_unref (link->holds);
  g_clear_pointer (&link->site, site_unref);
  g_mutex_clear (&link->mutex);
  g_free (link);
}
