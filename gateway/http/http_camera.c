#include "gateway/http/http_camera.h"

#include <string.h>

#include "gateway/http/http_guard.h"

const Camera *http_camera_find (const HttpRequest *request, HttpResponse **refusal)
{
  const char *id = request->parameters[0];
  const Camera *camera = site_camera (request->site, id);
  if (camera != NULL && permit_camera (request->site, &request->caller.actor, camera, request->now_us))
    return camera;
  *refusal = http_response_problem (404, "unknown-camera", "there is no camera %s", id);
  return NULL;
}

const char *http_camera_stream (const HttpRequest *request, const Camera *camera, HttpResponse **refusal)
{
  const char *stream = http_request_query (request, "stream");
  if (stream == NULL || g_str_equal (stream, "main"))
    return "main";
  if (g_str_equal (stream, "sub") && camera->sub != NULL)
    return "sub";
  *refusal = http_response_problem (404, "unknown-stream", "camera %s has no stream %s", camera->id, stream);
  return NULL;
}

const char *http_camera_recorded_stream (const HttpRequest *request, const Camera *camera, HttpResponse **refusal)
{
  if (http_request_query (request, "stream") == NULL)
    return camera->recording.is_sub ? "sub" : "main";
  return http_camera_stream (request, camera, refusal);
}

gboolean http_camera_token_fits (const Caller *caller, const char *purpose, const Camera *camera)
{
  return caller->kind != CALLER_PLAY
         || (g_str_equal (caller->purpose, purpose)
             && (caller->cameras == NULL || g_strv_contains ((const char *const *) caller->cameras, camera->id)));
}

HttpResponse *http_camera_refuse_away (const HttpContext *context)
{
  if (context->media != NULL && media_link_is_connected (context->media))
    return NULL;
  HttpResponse *response
    = http_response_problem (503, "media-away", "the media process is being started: try again in a moment");
  http_response_header (response, "Retry-After", "2");
  return response;
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
HttpResponse *http_camera_refuse_upgrade (const HttpRequest *request)
{
  const char *key = http_request_header (request, "Sec-WebSocket-Key");
  const char *version = http_request_header (request, "Sec-WebSocket-Version");
  if (request->is_head || !header_has_word (request, "Upgrade", "websocket") || !header_has_word (request, "Connection", "Upgrade")
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
