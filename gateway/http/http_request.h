/* http_request.h: one request, as handlers see it.
 *
 * It is whole when a handler gets it: head checked, body received. It belongs to the server.
 *
 * thread: one worker's at a time. */
#pragma once

#include <jansson.h>

#include "gateway/access/access.h"
#include "gateway/http/http_path.h"

struct MHD_Connection;
struct HttpRoute;

typedef struct HttpRequest {
  struct MHD_Connection *connection;
  char *target;      /* raw */
  char *method;      /* HEAD is "GET" here */
  gboolean is_head;   /* nobody reads a body */
  char *version;     /* "HTTP/1.1" */
  HttpPath path;
  GByteArray *body;
  char *peer;        /* address of the other end of the connection */
  char *address;     /* the client's, behind trusted proxies */
  gboolean is_secure; /* a trusted proxy says that the client came by HTTPS */
  const struct HttpRoute *route;
  const char *parameters[4]; /* what the route's {…} stand for, in their order */
  Caller caller;
  Site *site;   /* of now, as is the time, for the whole of this request */
  gint64 now_us; /* wall */
} HttpRequest;

/* Whether the client has closed the connection, or its half of it: nobody waits for the answer. */
gboolean http_request_is_abandoned (const HttpRequest *request);

const char *http_request_header (const HttpRequest *request, const char *name); /* NULL: not there */
const char *http_request_cookie (const HttpRequest *request, const char *name);
const char *http_request_query (const HttpRequest *request, const char *name);

/* The body as a JSON object; NULL with ERROR_REFUSE. The caller's. */
json_t *http_request_json (const HttpRequest *request, GError **error);

/* `limit`: 100 by default, 1 to 1000. FALSE with ERROR_REFUSE. */
gboolean http_request_limit (const HttpRequest *request, guint *limit, GError **error);

/* An RFC 3339 time of the query; `otherwise` when it isn't there. */
gboolean http_request_time (const HttpRequest *request, const char *name, gint64 otherwise, gint64 *time_us,
                            GError **error);
