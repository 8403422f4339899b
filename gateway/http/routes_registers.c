/* routes_registers.c: the viewing register and the audit log. */
#include "gateway/access/view.h"
#include "gateway/http/http_route.h"

static HttpResponse *get_views (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  gint64 from_us, to_us;
  guint limit;
  if (!http_request_limit (request, &limit, &error) || !http_request_time (request, "from", 0, &from_us, &error)
      || !http_request_time (request, "to", 0, &to_us, &error))
    return http_response_error (error);
  Database *reader = store_reader (context->store, &error);
  json_t *found = reader != NULL
                    ? view_list (reader, http_request_query (request, "camera"), http_request_query (request, "who"),
                                 from_us, to_us, http_request_query (request, "cursor"), limit, &error)
                    : NULL;
  return found != NULL ? http_response_json (200, found) : http_response_error (error);
}

static HttpResponse *get_audit (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  const char *cursor = http_request_query (request, "cursor");
  gint64 number = 0;
  guint limit;
  if (!http_request_limit (request, &limit, &error))
    return http_response_error (error);
  if (cursor != NULL && !g_ascii_string_to_signed (cursor, 10, 1, G_MAXINT64, &number, &error))
    return http_response_problem (400, "invalid", "cursor must be the `next` of an earlier answer");
  Database *reader = store_reader (context->store, &error);
  json_t *found = reader != NULL ? audit_list (reader, number, limit, &error) : NULL;
  return found != NULL ? http_response_json (200, found) : http_response_error (error);
}

const HttpRoute register_routes[] = {
  { "GET", "/api/v1/views", ROLES_AUDIT, get_views, "the viewing register, newest first", "camera who from to limit cursor",
    NULL, "application/json", 200 },
  { "GET", "/api/v1/audit", ROLES_AUDIT, get_audit, "the audit log, newest first", "limit cursor", NULL, "application/json",
    200 },
  { NULL },
};
