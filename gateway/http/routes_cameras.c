/* routes_cameras.c: cameras, their pictures now, and live views. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/access/view.h"
#include "gateway/core/clock.h"
#include "gateway/core/ids.h"
#include "gateway/core/log.h"
#include "gateway/http/http_camera.h"
#include "gateway/http/http_json.h"
#include "gateway/http/http_route.h"


static json_t *camera_with_state (const HttpContext *context, const Camera *camera)
{
  json_t *object = camera_to_json (camera);
  CameraStatus *status = context->media != NULL ? media_link_camera (context->media, camera->id, "main") : NULL;
  camera_status_into (object, status);
  camera_status_free (status);
  camera_recording_into (object, &camera->recording,
                         context->media != NULL ? media_link_recording (context->media, camera->id) : NULL);
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
  json_t *page
    = page_of_site (request->site->cameras, camera_id, http_request_query (request, "cursor"), limit, show_camera, &shower, &error);
  return page != NULL ? http_response_json (200, page) : http_response_error (error);
}

static HttpResponse *get_camera (HttpRequest *request, const HttpContext *context)
{
  HttpResponse *refusal = NULL;
  const Camera *camera = http_camera_find (request, &refusal);
  return camera != NULL ? http_response_json (200, camera_with_state (context, camera)) : refusal;
}

/* --- the picture now --- */

static HttpResponse *refuse_live (const HttpRequest *request, const HttpContext *context, const Camera *camera)
{
  const Caller *caller = &request->caller;
  if (!permit_live (request->site, &caller->actor, camera, request->now_us, NULL))
    return http_response_problem (403, "forbidden", "camera %s: you have no right to watch it", camera->id);
  if (!http_camera_token_fits (caller, "live", camera))
    return http_response_problem (403, "forbidden", "the token is not for live views of camera %s", camera->id);
  return http_camera_refuse_away (context);
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
  const Camera *camera = http_camera_find (request, &refusal);
  const char *stream = camera != NULL ? http_camera_stream (request, camera, &refusal) : NULL;
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
    access_view_ended (live->context->access, live->viewer, access_now_us (live->context->access), "not connected", NULL);
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
  const Camera *camera = http_camera_find (request, &refusal);
  const char *stream = camera != NULL ? http_camera_stream (request, camera, &refusal) : NULL;
  if (stream == NULL || (refusal = http_camera_refuse_upgrade (request)) != NULL
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

const HttpRoute camera_routes[] = {
  { "GET", "/api/v1/cameras", ROLES_ALL, get_cameras, "the cameras and how they fare", "limit cursor", NULL,
    "application/json", 200 },
  { "GET", "/api/v1/cameras/{camera}", ROLES_ALL, get_camera, "one camera", NULL, NULL, "application/json", 200 },
  { "GET", "/api/v1/cameras/{camera}/snapshot.jpg", ROLES_LIVE, get_snapshot, "the picture now", "stream reason token", NULL,
    "image/jpeg", 200, TRUE },
  { "GET", "/api/v1/cameras/{camera}/live", ROLES_LIVE, get_live, "live view: WebSocket with fragmented MP4",
    "stream reason token", NULL, NULL, 101, TRUE },
  { NULL },
};
