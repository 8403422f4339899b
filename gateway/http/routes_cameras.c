/* routes_cameras.c: cameras, their pictures, what is recorded of them, and live views. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/access/view.h"
#include "gateway/core/clock.h"
#include "gateway/core/ids.h"
#include "gateway/core/log.h"
#include "gateway/http/http_guard.h"
#include "gateway/http/http_json.h"
#include "gateway/http/http_route.h"

/* The camera of the path, when the caller may know of it; else NULL and what to answer. A camera that is hidden and one
 * that isn't there look alike. */
static const Camera *find_camera (const HttpRequest *request, HttpResponse **refusal)
{
  const char *id = request->parameters[0];
  const Camera *camera = site_camera (request->site, id);
  if (camera != NULL && permit_camera (request->site, &request->caller.actor, camera, request->now_us))
    return camera;
  *refusal = http_response_problem (404, "unknown-camera", "there is no camera %s", id);
  return NULL;
}

/* "main" or "sub"; NULL and what to answer when the camera has no such stream. */
static const char *find_stream (const HttpRequest *request, const Camera *camera, HttpResponse **refusal)
{
  const char *stream = http_request_query (request, "stream");
  if (stream == NULL || g_str_equal (stream, "main"))
    return "main";
  if (g_str_equal (stream, "sub") && camera->sub != NULL)
    return "sub";
  *refusal = http_response_problem (404, "unknown-stream", "camera %s has no stream %s", camera->id, stream);
  return NULL;
}

static json_t *camera_with_state (const HttpContext *context, const Camera *camera)
{
  json_t *object = camera_to_json (camera);
  CameraStatus *status = context->media != NULL ? media_link_camera (context->media, camera->id, "main") : NULL;
  camera_status_into (object, status);
  camera_status_free (status);
  if (camera->sub != NULL) {
    json_t *sub = json_object ();
    status = context->media != NULL ? media_link_camera (context->media, camera->id, "sub") : NULL;
    camera_status_into (sub, status);
    camera_status_free (status);
    json_object_set_new (object, "sub", sub);
  }
  return object;
}

typedef struct {
  const HttpRequest *request;
  const HttpContext *context;
} Shower;

static const char *camera_id (gpointer item)
{
  return ((const Camera *) item)->id;
}

static json_t *show_camera (gpointer item, gpointer data)
{
  const Shower *shower = data;
  if (!permit_camera (shower->request->site, &shower->request->caller.actor, item, shower->request->now_us))
    return NULL;
  return camera_with_state (shower->context, item);
}

static HttpResponse *get_cameras (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  guint limit;
  Shower shower = { request, context };
  if (!http_request_limit (request, &limit, &error))
    return http_response_error (error);
  return http_response_json (200, page_of_site (request->site->cameras, camera_id, http_request_query (request, "cursor"),
                                                limit, show_camera, &shower));
}

static HttpResponse *get_camera (HttpRequest *request, const HttpContext *context)
{
  HttpResponse *refusal = NULL;
  const Camera *camera = find_camera (request, &refusal);
  return camera != NULL ? http_response_json (200, camera_with_state (context, camera)) : refusal;
}

/* --- the picture now --- */

static HttpResponse *refuse_live (const HttpRequest *request, const HttpContext *context, const Camera *camera)
{
  const Caller *caller = &request->caller;
  if (!permit_live (request->site, &caller->actor, camera, request->now_us, NULL))
    return http_response_problem (403, "forbidden", "camera %s: you have no right to watch it", camera->id);
  if (caller->kind == CALLER_PLAY
      && (!g_str_equal (caller->purpose, "live")
          || (caller->cameras != NULL && !g_strv_contains ((const char *const *) caller->cameras, camera->id))))
    return http_response_problem (403, "forbidden", "the token is not for live views of camera %s", camera->id);
  if (context->media == NULL || !media_link_is_connected (context->media)) {
    HttpResponse *response
      = http_response_problem (503, "media-away", "the media process is being started: try again in a moment");
    http_response_header (response, "Retry-After", "2");
    return response;
  }
  return NULL;
}

/* A memfd with the JPEG, or -1. */
static int take_picture (const HttpContext *context, const Camera *camera, const char *stream, GError **error)
{
  g_autofree char *codec = NULL;
  VisionPicture picture;
  gint64 taken_at_us;
  int unit_fd = media_link_picture (context->media, camera->id, stream, 0, &codec, &taken_at_us, error);
  if (unit_fd < 0)
    return -1;
  int file_fd = memfd_create ("snapshot", MFD_CLOEXEC);
  if (vision_link_encode (context->vision, unit_fd, codec, 0, file_fd, &picture, error))
    return file_fd;
  close (file_fd);
  return -1;
}

static HttpResponse *get_snapshot (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  HttpResponse *refusal = NULL;
  const Camera *camera = find_camera (request, &refusal);
  const char *stream = camera != NULL ? find_stream (request, camera, &refusal) : NULL;
  if (stream == NULL || (refusal = refuse_live (request, context, camera)) != NULL)
    return refusal;
  if (context->vision == NULL || !vision_link_is_connected (context->vision))
    return http_response_problem (503, "vision-away", "the vision process is being started: try again in a moment");
  View view = { .actor = &request->caller.actor, .camera = camera->id, .stream = stream, .kind = "picture",
                .address = request->address, .reason = http_request_query (request, "reason") };
  int file_fd = take_picture (context, camera, stream, &error);
  if (file_fd < 0 || !access_view_note (context->access, &view, &error)) {
    if (file_fd >= 0)
      close (file_fd);
    return error_is (error, ERROR_RETRY) ? http_response_error (error)
                                         : http_response_problem (503, "no-picture", "%s", error->message);
  }
  return http_response_file (file_fd, "image/jpeg", NULL);
}

/* --- live --- */

typedef struct {
  const HttpContext *context;
  char *viewer, *camera, *stream;
  gboolean is_handed_over;
} LiveView;

static void live_view_free (gpointer data)
{
  LiveView *live = data;
  if (!live->is_handed_over) /* the register has it, media never will */
    access_view_ended (live->context->access, live->viewer, access_now_us (live->context->access), "not connected");
  g_free (live->viewer);
  g_free (live->camera);
  g_free (live->stream);
  g_free (live);
}

static void hand_over (int socket_fd, const void *extra, gsize extra_size, gpointer data)
{
  LiveView *live = data;
  g_autoptr (GError) error = NULL;
  live->is_handed_over
    = media_link_view (live->context->media, live->viewer, live->camera, live->stream, socket_fd, extra, extra_size, &error);
  if (!live->is_handed_over)
    log_limited (LOG_LEVEL_WARNING, "camera %s: a viewer could not be handed to media: %s", live->camera, error->message);
}

static gboolean header_has_word (const HttpRequest *request, const char *name, const char *word)
{
  const char *value = http_request_header (request, name);
  g_auto (GStrv) words = g_strsplit (value != NULL ? value : "", ",", 16);
  for (char **one = words; *one != NULL; one++)
    if (g_ascii_strcasecmp (g_strstrip (*one), word) == 0)
      return TRUE;
  return FALSE;
}

static gboolean is_key (const char *text)
{
  gsize size = 0;
  g_free (text != NULL && strlen (text) == 24 ? g_base64_decode (text, &size) : NULL);
  return size == 16;
}

/* RFC 6455 4.2.1: libmicrohttpd checks none of it. */
static HttpResponse *refuse_upgrade (const HttpRequest *request)
{
  const char *key = http_request_header (request, "Sec-WebSocket-Key");
  const char *version = http_request_header (request, "Sec-WebSocket-Version");
  if (!header_has_word (request, "Upgrade", "websocket") || !header_has_word (request, "Connection", "Upgrade")
      || g_strcmp0 (version, "13") != 0 || !g_str_equal (request->version, "HTTP/1.1")) {
    HttpResponse *response = http_response_problem (426, "websocket-needed", "this is a WebSocket, version 13");
    http_response_header (response, "Upgrade", "websocket");
    http_response_header (response, "Sec-WebSocket-Version", "13");
    return response;
  }
  if (!is_key (key) || request->body->len > 0)
    return http_response_problem (400, "bad-request", "Sec-WebSocket-Key must be 16 bytes in base64");
  /* a browser always says where its page is from; without it a cookie could be another page's doing */
  if ((request->caller.kind == CALLER_SESSION && http_request_header (request, "Origin") == NULL)
      || !http_guard_origin_is_allowed (request))
    return http_response_problem (403, "foreign-origin", "this page is not the gateway's own: add its origin to "
                                                         "http.allowed_origins if it should be");
  return NULL;
}

static HttpResponse *refuse_full (const HttpRequest *request, const HttpContext *context)
{
  guint viewers_max = (guint) request->site->rtsp.max_viewers;
  const char *reason = media_link_refuses_viewer (context->media, viewers_max);
  if (reason == NULL)
    return NULL;
  HttpResponse *response
    = g_str_equal (reason, "viewers")
        ? http_response_problem (503, "full", "the gateway has %u viewers and takes no more (rtsp.max_viewers)", viewers_max)
        : http_response_problem (503, "full", "the gateway has all it can carry (%s) and takes no more viewers", reason);
  http_response_header (response, "Retry-After", "10");
  return response;
}

static HttpResponse *get_live (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  HttpResponse *refusal = NULL;
  const Camera *camera = find_camera (request, &refusal);
  const char *stream = camera != NULL ? find_stream (request, camera, &refusal) : NULL;
  if (stream == NULL || (refusal = refuse_upgrade (request)) != NULL
      || (refusal = refuse_live (request, context, camera)) != NULL)
    return refusal;
  if ((refusal = refuse_full (request, context)) != NULL)
    return refusal;

  g_autofree char *viewer = ulid_new (request->now_us);
  g_autofree char *credential = access_credential (&request->caller);
  View view = { viewer, &request->caller.actor, camera->id, stream, "live", NULL, request->address,
                http_request_query (request, "reason"), credential };
  if (!access_view_open (context->access, &view, &error))
    return http_response_error (error);
  LiveView *live = g_new0 (LiveView, 1);
  live->context = context;
  live->viewer = g_steal_pointer (&viewer);
  live->camera = g_strdup (camera->id);
  live->stream = g_strdup (stream);
  return http_response_websocket (http_request_header (request, "Sec-WebSocket-Key"), hand_over, live, live_view_free);
}

/* --- what is recorded --- */

static json_t *stretch_to_json (json_t *stretch, gboolean has_reason)
{
  g_autofree char *from = time_to_rfc3339 (json_integer_value (json_array_get (stretch, 0)));
  g_autofree char *to = time_to_rfc3339 (json_integer_value (json_array_get (stretch, 1)));
  json_t *object = json_pack ("{s:s, s:s}", "from", from, "to", to);
  if (has_reason)
    json_object_set (object, "reason", json_array_get (stretch, 2));
  return object;
}

static json_t *stretches_to_json (json_t *stretches, gboolean has_reason)
{
  gsize index;
  json_t *one, *list = json_array ();
  json_array_foreach (stretches, index, one)
    json_array_append_new (list, stretch_to_json (one, has_reason));
  return list;
}

static HttpResponse *get_recordings (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  HttpResponse *refusal = NULL;
  gint64 now = request->now_us, from_us, to_us;
  const Camera *camera = find_camera (request, &refusal);
  if (camera == NULL)
    return refusal;
  if (!permit_playback (request->site, &request->caller.actor, camera))
    return http_response_problem (403, "forbidden", "camera %s: you have no right to play back", camera->id);
  if (!http_request_time (request, "to", now, &to_us, &error)
      || !http_request_time (request, "from", to_us - G_TIME_SPAN_DAY, &from_us, &error))
    return http_response_error (error);
  if (from_us >= to_us)
    return http_response_problem (400, "invalid", "from must be before to");
  if (context->media == NULL || !media_link_is_connected (context->media))
    return http_response_problem (503, "media-away", "the media process is being started: try again in a moment");
  json_t *found = media_link_recordings (context->media, camera->id, from_us, to_us, &error);
  if (found == NULL)
    return http_response_error (error);
  json_t *body = json_pack ("{s:o, s:o}", "spans", stretches_to_json (json_object_get (found, "spans"), FALSE), "gaps",
                            stretches_to_json (json_object_get (found, "gaps"), TRUE));
  json_decref (found);
  return http_response_json (200, body);
}

const HttpRoute camera_routes[] = {
  { "GET", "/api/v1/cameras", ROLES_ALL, get_cameras, "the cameras and how they fare", "limit cursor", NULL,
    "application/json", 200 },
  { "GET", "/api/v1/cameras/{camera}", ROLES_ALL, get_camera, "one camera", NULL, NULL, "application/json", 200 },
  { "GET", "/api/v1/cameras/{camera}/snapshot.jpg", ROLES_LIVE, get_snapshot, "the picture now", "stream reason token", NULL,
    "image/jpeg", 200, TRUE },
  { "GET", "/api/v1/cameras/{camera}/live", ROLES_LIVE, get_live, "live view: WebSocket with fragmented MP4",
    "stream reason token", NULL, NULL, 101, TRUE },
  { "GET", "/api/v1/cameras/{camera}/recordings", ROLES_OPERATE, get_recordings, "what is recorded, and the gaps", "from to",
    NULL, "application/json", 200 },
  { NULL },
};
