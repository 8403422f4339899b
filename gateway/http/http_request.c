#include "gateway/http/http_request.h"

#include <microhttpd.h>
#include <poll.h>
#include <string.h>

#include "gateway/core/error.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000 };

gboolean http_request_is_abandoned (const HttpRequest *request)
{
  const union MHD_ConnectionInfo *info = MHD_get_connection_info (request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct pollfd polled = { info->connect_fd, POLLRDHUP, 0 };
  return poll (&polled, 1, 0) > 0;
}

const char *http_request_header (const HttpRequest *request, const char *name)
{
  return MHD_lookup_connection_value (request->connection, MHD_HEADER_KIND, name);
}

const char *http_request_cookie (const HttpRequest *request, const char *name)
{
  return MHD_lookup_connection_value (request->connection, MHD_COOKIE_KIND, name);
}

const char *http_request_query (const HttpRequest *request, const char *name)
{
  return http_path_query (&request->path, name);
}

json_t *http_request_json (const HttpRequest *request, GError **error)
{
  json_error_t problem;
  json_t *body = json_loadb ((const char *) request->body->data, request->body->len, JSON_REJECT_DUPLICATES, &problem);
  if (body == NULL) {
    error_set (error, ERROR_REFUSE, "the body is no JSON: line %d, column %d: %s", problem.line, problem.column,
               problem.text);
  } else if (!json_is_object (body)) {
    error_set (error, ERROR_REFUSE, "the body must be a JSON object");
    json_decref (body);
    return NULL;
  }
  return body;
}

gboolean http_request_limit (const HttpRequest *request, guint *limit, GError **error)
{
  const char *text = http_request_query (request, "limit");
  guint64 number = LIMIT_DEFAULT;
  if (text != NULL && !g_ascii_string_to_unsigned (text, 10, 1, LIMIT_MAX, &number, NULL))
    return error_set (error, ERROR_REFUSE, "limit must be a number from 1 to %d", LIMIT_MAX);
  *limit = (guint) number;
  return TRUE;
}

gboolean http_request_time (const HttpRequest *request, const char *name, gint64 otherwise, gint64 *time_us,
                            GError **error)
{
  const char *text = http_request_query (request, name);
  *time_us = otherwise;
  return text == NULL || time_from_rfc3339 (text, time_us)
         || error_set (error, ERROR_REFUSE, "%s must be a time like 2026-05-01T08:00:00Z", name);
}
