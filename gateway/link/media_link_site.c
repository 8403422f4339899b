#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "gateway/core/log.h"
#include "gateway/link/media_link_private.h"

/* So many messages of a round are under way at a time, whatever the site's size: the backlogs of both ends hold them and others'. */
enum { WINDOW = 256 };

static gboolean send_again (gpointer data)
{
  MediaLink *link = data;
  link->again = 0;
  media_link_send_site (link);
  return G_SOURCE_REMOVE;
}

void media_link_forget_again (MediaLink *link)
{
  g_clear_handle_id (&link->again, g_source_remove);
  g_queue_clear_full (&link->unsent, (GDestroyNotify) link_message_free);
  link->is_due = FALSE;
}

typedef struct {
  MediaLink *link;
  LinkKind kind;
} Sent;

/* What media refuses it would refuse again. What did not reach it, or found it too busy, is sent again with all the rest: media
 * would be without it until the next change. */
static void note_failure (MediaLink *link, LinkKind kind, const GError *error)
{
  if (!error_is (error, ERROR_RETRY)) {
    log_warning ("media did not take %s: %s", link_kind_name (kind), error->message);
    return;
  }
  log_limited (LOG_LEVEL_WARNING, "media did not take %s: %s", link_kind_name (kind), error->message);
  if (link->again == 0 && link_endpoint_is_connected (link->endpoint))
    link->again = g_timeout_add_seconds (MEDIA_LINK_AGAIN_S, send_again, link);
}

static void note_site_end (MediaLink *link, const LinkMessage *reply);
static void send_more (MediaLink *link);

static void note_outcome (LinkMessage *reply, const GError *error, gpointer data)
{
  g_autofree Sent *sent = data;
  MediaLink *link = sent->link;
  link->unanswered--;
  if (error != NULL)
    note_failure (link, sent->kind, error);
  else if (sent->kind == LINK_SITE_END)
    note_site_end (link, reply);
  if (!link_endpoint_is_connected (link->endpoint))
    return;
  send_more (link);
  if (link->unanswered == 0 && link->is_due)
    media_link_send_site (link);
}

static void send_more (MediaLink *link)
{
  while (link->unanswered < WINDOW && link->unsent.length > 0) {
    LinkMessage *message = g_queue_pop_head (&link->unsent);
    Sent *sent = g_new (Sent, 1);
    *sent = (Sent){ link, message->kind };
    link->unanswered++;
    link_endpoint_request (link->endpoint, message, MEDIA_LINK_STATE_TIMEOUT_US, note_outcome, sent);
  }
}

static void send_state (MediaLink *link, LinkKind kind, json_t *body)
{
  g_queue_push_tail (&link->unsent, link_message_new (kind, body));
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
static void note_site_end (MediaLink *link, const LinkMessage *reply)
{
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

void media_link_send_site (MediaLink *link)
{
  const Site *site = link->site;
  if (site == NULL || !link_endpoint_is_connected (link->endpoint))
    return;
  if (link->unanswered > 0) {
    link->is_due = TRUE;
    return;
  }
  media_link_forget_again (link);
  send_state (link, LINK_SITE_BEGIN, site_body (site));
  for (guint i = 0; i < site->cameras->len; i++) {
    const Camera *camera = site->cameras->pdata[i];
    put_stream (link, camera, FALSE);
    if (camera->sub != NULL)
      put_stream (link, camera, TRUE);
  }
  put_holds (link);
  send_state (link, LINK_SITE_END, NULL);
  send_more (link);
}

void media_hold_free (MediaHold *hold)
{
  g_free (hold->camera);
  g_free (hold);
}

static gboolean send_site_again (gpointer data)
{
  media_link_send_site (data);
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
