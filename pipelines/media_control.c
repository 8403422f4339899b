#include "pipelines/media_control.h"

#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "gateway/core/memory.h"
#include "pipelines/media_demand.h"
#include "pipelines/media_playback.h"
#include "pipelines/media_rtsp.h"
#include "pipelines/record/retention.h"

enum {
  LOOPS_MAX = 4,
  STREAMS_A_LOOP = 64, /* 64 cameras of 2 Mb/s with a viewer each take a tenth of a core */
  STATISTICS_S = 5,
  PACKET_MEMORY_LEAST = 256 * 1024 * 1024,
};

static const gint64 packet_memory_most = G_GINT64_CONSTANT (4) << 30;

/* ---- the desired state ---- */

#define FOR_EACH_PART(media, function, ...)                                                                            \
  for (guint part_ = 0; part_ < (media)->parts->len; part_++) {                                                        \
    const MediaPart *one_ = &g_array_index ((media)->parts, MediaPart, part_);                                         \
    if (one_->function != NULL)                                                                                        \
      one_->function (__VA_ARGS__, one_->data);                                                                        \
  }

void media_add_part (Media *media, const MediaPart *part)
{
  g_array_append_val (media->parts, *part);
}

MediaStream *media_find_stream (Media *media, const char *camera, const char *name)
{
  g_autofree char *key = g_strconcat (camera, "/", name, NULL);
  return g_hash_table_lookup (media->streams, key);
}

/* thread: the stream's loop. */
static void open_stream (gpointer data)
{
  MediaStream *stream = data;
  stream->stream = stream_new (stream->loop, stream->camera, stream->name);
}

static void start_source (gpointer data)
{
  MediaStream *stream = data;
  stream->source = camera_source_new (stream->stream, &stream->settings, stream->media->resolver, media_camera_changed, stream);
  DirectoryEntry entry = { stream->loop, stream->stream, stream->source };
  directory_put (stream->media->directory, &entry);
}

static void stop_source (gpointer data)
{
  MediaStream *stream = data;
  directory_remove (stream->media->directory, stream->stream);
  g_clear_pointer (&stream->source, camera_source_free);
}

static void close_stream (gpointer data)
{
  MediaStream *stream = data;
  rtsp_server_end_stream (stream->media->server, stream->stream, "camera removed");
  stop_source (stream);
  g_clear_pointer (&stream->stream, stream_free);
}

/* Loops are filled one after the other: waking a thread costs more than a packet does, and one that has more to do sleeps
 * less often (40 cameras: 0.19 against 0.12 % of a core each). When all are full, the emptiest. */
static Loop *choose_loop (Media *media)
{
  guint counts[LOOPS_MAX] = { 0 }, best = 0;
  GHashTableIter iterator;
  gpointer value;
  g_hash_table_iter_init (&iterator, media->streams);
  while (g_hash_table_iter_next (&iterator, NULL, &value))
    for (guint i = 0; i < media->loop_count; i++)
      counts[i] += ((MediaStream *) value)->loop == media->loops[i];
  for (guint i = 1; i < media->loop_count && counts[best] >= STREAMS_A_LOOP; i++)
    if (counts[i] < counts[best])
      best = i;
  return media->loops[best];
}

static void media_stream_free (gpointer data)
{
  MediaStream *stream = data;
  FOR_EACH_PART (stream->media, stream_closing, stream);
  loop_call (stream->loop, close_stream, stream);
  camera_settings_clear (&stream->settings);
  g_free (stream->camera);
  g_free (stream->name);
  g_free (stream->record);
  g_free (stream->mime);
  g_free (stream);
}

static MediaStream *media_stream_open (Media *media, const char *camera, const char *name)
{
  MediaStream *stream = g_new0 (MediaStream, 1);
  stream->media = media;
  stream->camera = g_strdup (camera);
  stream->name = g_strdup (name);
  stream->loop = choose_loop (media);
  loop_call (stream->loop, open_stream, stream);
  g_hash_table_insert (media->streams, g_strconcat (camera, "/", name, NULL), stream);
  return stream;
}

static gint64 integer_or (const LinkMessage *request, const char *field, gint64 otherwise)
{
  return link_message_json (request, field) != NULL ? link_message_integer (request, field) : otherwise;
}

static gboolean set_recording (MediaStream *stream, const LinkMessage *request)
{
  const char *record = link_message_string (request, "record");
  gint64 pre_roll_us = link_message_integer (request, "pre_roll");
  gboolean is_on_demand = link_message_boolean (request, "on_demand");
  stream->retain_us = integer_or (request, "retain", -1);
  stream->keep_at_least_us = integer_or (request, "keep_at_least", -1);
  stream->max_bytes = integer_or (request, "max_bytes", 0);
  if (g_strcmp0 (stream->record, record) == 0 && stream->pre_roll_us == pre_roll_us
      && stream->is_on_demand == is_on_demand)
    return FALSE;
  stream->is_on_demand = is_on_demand;
  g_free (stream->record);
  stream->record = g_strdup (record);
  stream->pre_roll_us = pre_roll_us;
  return TRUE;
}

static CameraSettings read_settings (const LinkMessage *request)
{
  const CameraSettings borrowed = {
    .url = (char *) link_message_string (request, "url"),
    .username = (char *) link_message_string (request, "username"),
    .password = (char *) link_message_string (request, "password"),
    .ca_file = (char *) link_message_string (request, "ca_file"),
    .fingerprint = (char *) link_message_string (request, "fingerprint"),
    .is_udp = g_str_equal (link_message_string (request, "transport"), "udp"),
    .on_demand = link_message_boolean (request, "on_demand"),
    .linger_us = link_message_integer (request, "linger"),
  };
  return camera_settings_copy (&borrowed);
}

static void handle_camera_put (Media *media, LinkMessage *request)
{
  const char *camera = link_message_string (request, "camera"), *name = link_message_string (request, "stream");
  CameraSettings settings = read_settings (request);
  MediaStream *stream = media_find_stream (media, camera, name);
  gboolean is_new = stream == NULL;
  if (is_new)
    stream = media_stream_open (media, camera, name);
  stream->is_put = TRUE;
  gboolean is_recording_new = set_recording (stream, request);
  if (is_new)
    FOR_EACH_PART (media, stream_opened, stream)
  else if (is_recording_new)
    FOR_EACH_PART (media, stream_changed, stream)

  if (is_new || !camera_settings_equal (&stream->settings, &settings)) {
    if (!is_new)
      loop_call (stream->loop, stop_source, stream);
    camera_settings_clear (&stream->settings);
    stream->settings = settings;
    loop_call (stream->loop, start_source, stream);
  } else {
    camera_settings_clear (&settings);
  }
  media_reply (media, request, NULL);
}

static void media_site_clear (MediaSite *site)
{
  g_free (site->gateway);
  g_free (site->data_dir);
  *site = (MediaSite){ 0 };
}

static void handle_site_begin (Media *media, LinkMessage *request)
{
  g_autoptr (GError) error = NULL;
  gboolean listens = media_rtsp_apply (media, request, &error);
  media_site_clear (&media->site);
  media->site = (MediaSite){
    .gateway = g_strdup (link_message_string (request, "gateway")),
    .data_dir = g_strdup (link_message_string (request, "data_dir")),
    .segment_us = link_message_integer (request, "segment"),
    .retain_us = link_message_integer (request, "retain"),
    .keep_at_least_us = link_message_integer (request, "keep_at_least"),
    .max_bytes = link_message_integer (request, "max_bytes"),
    .min_free_bytes = link_message_integer (request, "min_free_bytes"),
    .min_free_percent = (guint) link_message_integer (request, "min_free_percent"),
  };
  GHashTableIter iterator;
  gpointer value;
  g_hash_table_iter_init (&iterator, media->streams);
  while (g_hash_table_iter_next (&iterator, NULL, &value))
    ((MediaStream *) value)->is_put = FALSE;
  g_ptr_array_set_size (media->holds, 0);
  FOR_EACH_PART (media, site_changed, media, &media->site);
  if (listens) {
    media_reply (media, request, NULL);
  } else {
    log_error ("rtsp server: %s", error->message);
    media_reply_error (media, request, error);
  }
}

static void tell_state (gpointer data)
{
  media_send_state (data);
}

typedef struct {
  MediaStream *stream;
  GPtrArray *bodies; /* of json_t */
} Present;

static void add_rtsp_viewer (const char *viewer, gint64 at_us, gpointer data)
{
  Present *present = data;
  g_ptr_array_add (present->bodies, media_viewer_body (viewer, present->stream, "rtsp", at_us));
}

/* thread: the stream's loop. */
static void list_viewers (gpointer data)
{
  Present *present = data;
  Media *media = present->stream->media;
  rtsp_server_each_viewer (media->server, present->stream->stream, add_rtsp_viewer, present);
  FOR_EACH_PART (media, tell_viewers, present->stream, present->bodies);
}

/* gridgate may be another than the one that admitted them. Sent from here, so that they come before the reply. */
static void tell_present_viewers (Media *media)
{
  g_autoptr (GPtrArray) bodies = g_ptr_array_new ();
  GHashTableIter iterator;
  gpointer value;
  g_hash_table_iter_init (&iterator, media->streams);
  while (g_hash_table_iter_next (&iterator, NULL, &value)) {
    Present present = { value, bodies };
    loop_call (present.stream->loop, list_viewers, &present);
  }
  for (guint i = 0; i < bodies->len; i++)
    link_endpoint_send (media->link, link_message_new (LINK_VIEWER_STARTED, bodies->pdata[i]));
}

static void handle_site_end (Media *media, LinkMessage *request)
{
  GHashTableIter iterator;
  gpointer value;
  g_hash_table_iter_init (&iterator, media->streams);
  while (g_hash_table_iter_next (&iterator, NULL, &value))
    if (!((MediaStream *) value)->is_put)
      g_hash_table_iter_remove (&iterator);
  tell_present_viewers (media);
  media_rtsp_tell_load (media, TRUE);
  json_t *body = json_pack ("{s:I}", "started_at", (json_int_t) media->started_at);
  FOR_EACH_PART (media, site_ended, media, body);
  media_reply (media, request, body);

  g_hash_table_iter_init (&iterator, media->streams);
  while (g_hash_table_iter_next (&iterator, NULL, &value))
    loop_post (((MediaStream *) value)->loop, tell_state, value);
}

static void handle_hold_put (Media *media, LinkMessage *request)
{
  g_ptr_array_add (media->holds, retention_hold_new (link_message_string (request, "camera"),
                                                     link_message_integer (request, "from"),
                                                     link_message_integer (request, "to"),
                                                     link_message_integer (request, "until")));
  media_reply (media, request, NULL);
}

static void handle_hello (Media *media, LinkMessage *request)
{
  json_t *body = json_pack ("{s:s, s:s, s:I, s:I}", "version", GRIDGATE_VERSION, "process", "media", "pid",
                            (json_int_t) getpid (), "started_at", (json_int_t) media->started_at);
  media_reply (media, request, body);
}

static void handle_viewer_end (Media *media, LinkMessage *request)
{
  const char *viewer = link_message_string (request, "viewer"), *reason = link_message_string (request, "reason");
  rtsp_server_end_viewer (media->server, viewer, reason);
  FOR_EACH_PART (media, end_viewer, media, viewer, reason);
  media_reply (media, request, NULL);
}

/* ---- the table ---- */

static const struct {
  LinkKind kind;
  void (*handle) (Media *media, LinkMessage *request); /* takes `request` */
} handlers[] = {
  { LINK_HELLO, handle_hello },
  { LINK_SITE_BEGIN, handle_site_begin },
  { LINK_CAMERA_PUT, handle_camera_put },
  { LINK_HOLD_PUT, handle_hold_put },
  { LINK_SITE_END, handle_site_end },
  { LINK_VIEWER_END, handle_viewer_end },
  { LINK_VIEWER_SOCKET, media_demand_view },
  { LINK_CLIP_CUT, media_demand_cut },
  { LINK_PICTURE_TAKE, media_demand_picture },
  { LINK_RECORDINGS_LIST, media_demand_list },
  { LINK_DELETIONS_LIST, media_demand_list },
  { LINK_DELETIONS_DAY, media_demand_list },
  { LINK_EXPORT_OPEN, media_playback_export },
  { LINK_PLAYBACK_SOCKET, media_playback_watch },
};

static void on_received (LinkEndpoint *endpoint, LinkMessage *message, gpointer data)
{
  (void) endpoint;
  Media *media = data;
  if (media->is_ending) {
    link_message_free (message);
    return;
  }
  for (guint i = 0; i < G_N_ELEMENTS (handlers); i++)
    if (handlers[i].kind == message->kind) {
      handlers[i].handle (media, message);
      return;
    }
  if (message->serial == 0) {
    link_message_free (message);
    return;
  }
  g_autoptr (GError) error = NULL;
  error_set (&error, ERROR_GIVE_UP, "%s: not in this version", link_kind_name (message->kind));
  media_reply_error (media, message, error);
}

static void on_link_changed (LinkEndpoint *endpoint, gboolean is_connected, gpointer data)
{
  (void) endpoint, (void) data;
  log_notice (is_connected ? "gridgate is here" : "gridgate is away: cameras and present viewers go on");
}

/* ---- its life ---- */

static gboolean on_statistics (gpointer data)
{
  media_send_statistics (data);
  return G_SOURCE_CONTINUE;
}

static gboolean on_load (gpointer data)
{
  media_rtsp_tell_load (data, FALSE);
  return G_SOURCE_CONTINUE;
}

static gboolean start_loops (Media *media, GError **error)
{
  guint count = MIN (g_get_num_processors (), LOOPS_MAX);
  media->loops = g_new0 (Loop *, count);
  for (; media->loop_count < count; media->loop_count++)
    if ((media->loops[media->loop_count] = loop_new (error)) == NULL)
      return FALSE;
  return TRUE;
}

/* A quarter of what there is: cameras' groups of pictures, and what waits for slow viewers. */
static gsize packet_memory_bytes (void)
{
  gint64 memory = (gint64) memory_limit_bytes ();
  return (gsize) CLAMP (memory / 4, MIN (PACKET_MEMORY_LEAST, memory / 2), packet_memory_most);
}

Media *media_new (const char *runtime_dir, GError **error)
{
  Media *media = g_new0 (Media, 1);
  g_autofree char *path = g_build_filename (runtime_dir, "media.sock", NULL);
  media->runtime_dir = g_strdup (runtime_dir);
  media->started_at = g_get_real_time ();
  media->rtsp.told_strain = REFUSED_NOT;
  block_budget_set (packet_memory_bytes ());
  media->parts = g_array_new (FALSE, FALSE, sizeof (MediaPart));
  media->holds = g_ptr_array_new_with_free_func ((GDestroyNotify) retention_hold_free);
  media->pins = recording_pins_new (clock_system ());
  media->streams = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, media_stream_free);
  media->resolver = resolver_new ();
  media->directory = directory_new ();
  if (!start_loops (media, error)) {
    media_free (media);
    return NULL;
  }
  media->server = rtsp_server_new (media->loops, media->loop_count, media->directory, &media_rtsp_handlers, media);
  media->demand = media_demand_new (media);
  media->playback = media_playback_new (media);
  media->link = link_endpoint_listen (path, on_received, on_link_changed, media, error);
  if (media->link == NULL) {
    media_free (media);
    return NULL;
  }
  media->statistics_timer = g_timeout_add_seconds (STATISTICS_S, on_statistics, media);
  media->load_timer = g_timeout_add_seconds (1, on_load, media);
  return media;
}

/* Events that loops have posted are sent, questions that wait are answered, before what they point to goes. */
static void drain (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

void media_free (Media *media)
{
  if (media == NULL)
    return;
  media->is_ending = TRUE;
  g_clear_handle_id (&media->statistics_timer, g_source_remove);
  g_clear_handle_id (&media->load_timer, g_source_remove);
  if (media->server != NULL)
    rtsp_server_stop (media->server);
  media_playback_free (media->playback);
  g_hash_table_unref (media->streams);
  media_demand_free (media->demand); /* ends the recordings */
  drain ();
  link_endpoint_free (media->link);
  resolver_free (media->resolver);
  for (guint i = 0; i < media->loop_count; i++)
    loop_free (media->loops[i]);
  rtsp_server_free (media->server);
  directory_free (media->directory);
  media_site_clear (&media->site);
  media_rtsp_clear (&media->rtsp);
  g_array_unref (media->parts);
  g_ptr_array_unref (media->holds);
  recording_pins_free (media->pins);
  g_free (media->loops);
  g_free (media->runtime_dir);
  g_free (media);
}
