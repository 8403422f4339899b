#include "gateway/http/http_api.h"

#include <string.h>

#include "gateway/core/log.h"
#include "gateway/http/console_assets.h"
#include "gateway/http/http_guard.h"
#include "gateway/http/http_server.h"

struct HttpApi {
  HttpContext context;
  HttpServer *server;
  char *listen;
  guint watch;
  GMutex mutex; /* over `server` for the bus's wake */
};

/* Without the console's build the gateway still says what it is. */
static const char plain_page[] = "<!doctype html><html lang=\"zh\"><meta charset=\"utf-8\"><title>gridgate</title>"
                                 "<p>gridgate " GRIDGATE_VERSION "</p>"
                                 "<p>此网关构建时未包含操作台页面；接口在 /api/v1。</p>"
                                 "<p>This gateway was built without its console; the API is at /api/v1.</p>";

static char *joined_path (const HttpRequest *request)
{
  g_autofree char *joined = g_strjoinv ("/", request->path.segments);
  return g_strconcat ("/", joined, NULL);
}

static HttpResponse *answer_asset (const HttpRequest *request)
{
  g_autofree char *path = joined_path (request);
  const ConsoleAsset *asset = console_asset_find (path);
  if (asset == NULL && (g_str_equal (path, "/") || g_str_equal (path, "/setup")))
    return http_response_constant ("text/html; charset=utf-8", plain_page, sizeof plain_page - 1);
  if (asset == NULL)
    return http_response_problem (404, "unknown-path", "there is nothing at %s", path);
  HttpResponse *response;
  if (g_strcmp0 (http_request_header (request, "If-None-Match"), asset->etag) == 0)
    response = http_response_empty (304);
  else
    response = http_response_constant (asset->content_type, asset->data, asset->size);
  http_response_header (response, "ETag", asset->etag);
  http_response_header (response, "Cache-Control",
                        asset->is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
  return response;
}

static HttpResponse *answer_unmatched (const HttpRequest *request, RouteMatch match, const char *allowed)
{
  if (match == ROUTE_WRONG_METHOD) {
    HttpResponse *response = http_response_problem (405, "wrong-method", "this path takes %s", allowed);
    http_response_header (response, "Allow", allowed);
    return response;
  }
  if (request->path.segments[0] != NULL && g_str_equal (request->path.segments[0], "api"))
    return http_response_problem (404, "unknown-path", "there is nothing at this path");
  if (!g_str_equal (request->method, "GET")) {
    HttpResponse *response = http_response_problem (405, "wrong-method", "this path takes GET");
    http_response_header (response, "Allow", "GET, HEAD");
    return response;
  }
  return answer_asset (request);
}

/* A body of anything but JSON can be sent by a form on a foreign page; the route for YAML is the exception. */
static HttpResponse *refuse_media_type (const HttpRequest *request)
{
  const char *type = http_request_header (request, "Content-Type");
  if (request->body->len == 0 || request->route->body == NULL || request->route->body[0] != '{'
      || (type != NULL && g_ascii_strncasecmp (type, "application/json", 16) == 0))
    return NULL;
  return http_response_problem (415, "media-type", "the body must be application/json");
}

static HttpResponse *handle (HttpRequest *request, gpointer data)
{
  HttpApi *api = data;
  g_autofree char *allowed = NULL;
  RouteMatch match = http_route_match (request, &allowed);
  if (match != ROUTE_FOUND)
    return answer_unmatched (request, match, allowed);
  request->site = api->context.site (api->context.data);
  request->now_us = access_now_us (api->context.access);
  http_guard_identify (request, api->context.access);
  HttpResponse *refusal = http_guard_refuse (request);
  if (refusal == NULL)
    refusal = refuse_media_type (request);
  return refusal != NULL ? refusal : request->route->handler (request, &api->context);
}

static HttpResponse *at_once (HttpRequest *request, gpointer data)
{
  HttpApi *api = data;
  g_autofree char *allowed = NULL;
  GStrv segments = request->path.segments;
  gboolean is_health = segments[0] != NULL && segments[1] == NULL && g_str_equal (request->method, "GET")
                       && (g_str_equal (segments[0], "healthz") || g_str_equal (segments[0], "readyz"));
  if (!is_health || http_route_match (request, &allowed) != ROUTE_FOUND)
    return NULL;
  return request->route->handler (request, &api->context);
}

static void wake (gpointer data)
{
  HttpApi *api = data;
  g_mutex_lock (&api->mutex);
  if (api->server != NULL)
    http_server_wake (api->server);
  g_mutex_unlock (&api->mutex);
}

static HttpServer *start_server (HttpApi *api, const char *listen, GError **error)
{
  HttpHandlers handlers = { at_once, handle, api };
  return http_server_new (listen, &handlers, error);
}

HttpApi *http_api_new (const HttpContext *context, GError **error)
{
  HttpApi *api = g_new0 (HttpApi, 1);
  g_autoptr (Site) site = context->site (context->data);
  g_mutex_init (&api->mutex);
  api->context = *context;
  api->listen = g_strdup (site->http.listen);
  HttpServer *server = start_server (api, api->listen, error);
  if (server == NULL) {
    http_api_free (api);
    return NULL;
  }
  g_mutex_lock (&api->mutex);
  api->server = server;
  g_mutex_unlock (&api->mutex);
  api->watch = event_bus_watch (context->events, wake, api);
  return api;
}

gboolean http_api_set_site (HttpApi *api, const Site *site, GError **error)
{
  if (g_str_equal (api->listen, site->http.listen))
    return TRUE;
  HttpServer *next = start_server (api, site->http.listen, error);
  if (next == NULL)
    return FALSE;
  g_mutex_lock (&api->mutex);
  HttpServer *former = api->server;
  api->server = next;
  g_mutex_unlock (&api->mutex);
  http_server_free (former);
  g_free (api->listen);
  api->listen = g_strdup (site->http.listen);
  return TRUE;
}

guint http_api_port (HttpApi *api)
{
  return http_server_port (api->server);
}

void http_api_free (HttpApi *api)
{
  if (api == NULL)
    return;
  if (api->watch != 0)
    event_bus_unwatch (api->context.events, api->watch);
  http_server_free (api->server);
  g_mutex_clear (&api->mutex);
  g_free (api->listen);
  g_free (api);
}
