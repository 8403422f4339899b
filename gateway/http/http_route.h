/* http_route.h: the table of routes: what exists, who may, and what the document says of it.
 *
 * Each area has its routes in a file of its own, as a constant list; /openapi.json is made of the same rows.
 *
 * thread: any; constant. */
#pragma once

#include "gateway/http/http_context.h"
#include "gateway/http/http_request.h"
#include "gateway/http/http_response.h"

typedef HttpResponse *(*HttpHandler) (HttpRequest *request, const HttpContext *context);

typedef struct HttpRoute {
  const char *method, *path; /* "/api/v1/cameras/{camera}" */
  guint roles;               /* who may; 0: anybody, without a login */
  HttpHandler handler;
  const char *summary;
  const char *query; /* names of query fields, separated by spaces; NULL: none */
  const char *body;  /* the JSON of an example body; NULL: none */
  const char *answer; /* media type of the good answer; NULL: no body */
  int status;         /* of the good answer */
  gboolean takes_play_token; /* `?token=` does too */
} HttpRoute;

/* Each ends with a NULL method. */
extern const HttpRoute session_routes[], site_routes[], camera_routes[], recording_routes[], sensor_routes[], discovered_routes[], alert_routes[],
  incident_routes[], evidence_routes[], event_routes[], register_routes[], hold_routes[], machine_routes[], rule_routes[], later_routes[];

/* All lists in the order of the document, ended by NULL. */
extern const HttpRoute *const http_routes[];

typedef enum { ROUTE_FOUND, ROUTE_UNKNOWN, ROUTE_WRONG_METHOD } RouteMatch;

/* Sets the request's route and parameters; on ROUTE_WRONG_METHOD `*allowed` (g_free) lists the methods that there are. */
RouteMatch http_route_match (HttpRequest *request, char **allowed);

/* The OpenAPI 3.1 document of all routes; the caller's. */
json_t *http_openapi (void);
