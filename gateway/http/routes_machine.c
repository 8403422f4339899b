/* routes_machine.c: health, metrics, the API's own document, checking a configuration; what comes in later versions. */
#include "gateway/http/http_metrics.h"
#include "gateway/http/http_route.h"

/* Answered on the server's own thread (http_api.c), so that they work when everything else is busy; these two rows are
 * for the document. */
static HttpResponse *get_healthz (HttpRequest *request, const HttpContext *context)
{
  (void) request, (void) context;
  return http_response_json (200, json_pack ("{s:s}", "status", "ok"));
}

static HttpResponse *get_readyz (HttpRequest *request, const HttpContext *context)
{
  (void) request;
  if (context->is_ready == NULL || context->is_ready (context->data))
    return http_response_json (200, json_pack ("{s:s}", "status", "ready"));
  return http_response_problem (503, "not-ready", "the gateway is starting, or a part of it is away");
}

static HttpResponse *get_metrics (HttpRequest *request, const HttpContext *context)
{
  return http_response_text (200, "text/plain; version=0.0.4; charset=utf-8", http_metrics (context, request->site));
}

static HttpResponse *get_openapi (HttpRequest *request, const HttpContext *context)
{
  (void) request, (void) context;
  return http_response_json (200, http_openapi ());
}

static HttpResponse *post_config_check (HttpRequest *request, const HttpContext *context)
{
  if (context->check_config == NULL)
    return http_response_problem (501, "not-in-this-version", "checking a configuration is not in this version");
  g_autoptr (GPtrArray) errors
    = context->check_config ((const char *) request->body->data, request->body->len, context->data);
  json_t *list = json_array ();
  for (guint i = 0; errors != NULL && i < errors->len; i++)
    json_array_append_new (list, json_string (errors->pdata[i]));
  return http_response_json (200, json_pack ("{s:b, s:o}", "ok", json_array_size (list) == 0, "errors", list));
}

static HttpResponse *not_in_this_version (HttpRequest *request, const HttpContext *context)
{
  (void) context;
  return http_response_problem (501, "not-in-this-version", "%s is not in this version", request->route->summary);
}

const HttpRoute machine_routes[] = {
  { "GET", "/healthz", 0, get_healthz, "the process answers", NULL, NULL, "application/json", 200 },
  { "GET", "/readyz", 0, get_readyz, "the gateway can do its work", NULL, NULL, "application/json", 200 },
  { "GET", "/metrics", ROLES_WATCH_MACHINE, get_metrics, "figures for Prometheus", NULL, NULL, "text/plain", 200 },
  { "GET", "/openapi.json", ROLES_ALL, get_openapi, "this document", NULL, NULL, "application/json", 200 },
  { "POST", "/api/v1/config/check", ROLES_ADMIN, post_config_check, "check a configuration (YAML)", NULL, "gateway:\n  id: …",
    "application/json", 200 },
  { NULL },
};

const HttpRoute later_routes[] = {
  { "POST", "/api/v1/cameras/{camera}/whep", ROLES_LIVE, not_in_this_version, "WebRTC", NULL, NULL, NULL, 501 },
  { "GET", "/api/v1/config/{kind}/{id}", ROLES_ADMIN, not_in_this_version, "reading the configuration", NULL, NULL, NULL, 501 },
  { "PUT", "/api/v1/config/{kind}/{id}", ROLES_ADMIN, not_in_this_version, "changing the configuration", NULL, NULL, NULL,
    501 },
  { "DELETE", "/api/v1/config/{kind}/{id}", ROLES_ADMIN, not_in_this_version, "changing the configuration", NULL, NULL, NULL,
    501 },
  { NULL },
};
