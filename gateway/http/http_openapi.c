/* http_openapi.c: the OpenAPI 3.1 document, made of the table of routes. */
#include <string.h>

#include "gateway/http/http_route.h"

static json_t *parameter (const char *name, gsize length, const char *in)
{
  return json_pack ("{s:s%, s:s, s:b, s:{s:s}}", "name", name, length, "in", in, "required", g_str_equal (in, "path"),
                    "schema", "type", "string");
}

static json_t *parameters_of (const HttpRoute *route)
{
  json_t *list = json_array ();
  for (const char *at = route->path; (at = strchr (at, '{')) != NULL;) {
    gsize length = strcspn (++at, "}");
    json_array_append_new (list, parameter (at, length, "path"));
  }
  for (const char *at = route->query; at != NULL && *at != '\0';) {
    gsize length = strcspn (at, " ");
    json_array_append_new (list, parameter (at, length, "query"));
    at += length + strspn (at + length, " ");
  }
  return list;
}

static void add_response (json_t *responses, int status, const char *description, const char *media_type)
{
  g_autofree char *key = g_strdup_printf ("%d", status);
  json_t *response = json_pack ("{s:s}", "description", description);
  if (media_type != NULL)
    json_object_set_new (response, "content", json_pack ("{s:{}}", media_type));
  json_object_set_new (responses, key, response);
}

static const char problem_type[] = "application/problem+json";

static json_t *responses_of (const HttpRoute *route)
{
  json_t *responses = json_object ();
  add_response (responses, route->status, route->status == 501 ? "not in this version" : "as asked",
                route->status == 501 ? problem_type : route->answer);
  if (route->roles != 0) {
    add_response (responses, 401, "no login, or one that has ended", problem_type);
    add_response (responses, 403, "not for this role, or no CSRF token", problem_type);
  }
  if (route->body != NULL || route->query != NULL)
    add_response (responses, 400, "the request is wrong; the detail says where", problem_type);
  if (strchr (route->path, '{') != NULL)
    add_response (responses, 404, "there is none, or it is not for the caller to see", problem_type);
  add_response (responses, 503, "a part of the gateway is away or busy", problem_type);
  return responses;
}

static json_t *roles_of (const HttpRoute *route)
{
  json_t *list = json_array ();
  for (Role role = ROLE_ADMIN; role <= ROLE_AGENCY; role++)
    if (role_is_in (role, route->roles))
      json_array_append_new (list, json_string (role_name (role)));
  return list;
}

static json_t *operation_of (const HttpRoute *route)
{
  json_t *operation = json_pack ("{s:s, s:o, s:o}", "summary", route->summary, "parameters", parameters_of (route),
                                 "responses", responses_of (route));
  json_object_set_new (operation, "x-roles", roles_of (route));
  json_object_set_new (operation, "security",
                       route->roles == 0 ? json_array () : json_pack ("[{s:[]}, {s:[]}]", "session", "token"));
  if (route->body != NULL) {
    json_t *example = json_loads (route->body, 0, NULL);
    gboolean is_json = example != NULL;
    json_object_set_new (operation, "requestBody",
                         json_pack ("{s:b, s:{s:{s:o}}}", "required", 1, "content",
                                    is_json ? "application/json" : "application/yaml", "example",
                                    is_json ? example : json_string (route->body)));
  }
  return operation;
}

json_t *http_openapi (void)
{
  json_t *paths = json_object ();
  for (const HttpRoute *const *list = http_routes; *list != NULL; list++)
    for (const HttpRoute *route = *list; route->method != NULL; route++) {
      g_autofree char *method = g_ascii_strdown (route->method, -1);
      if (json_object_get (paths, route->path) == NULL)
        json_object_set_new (paths, route->path, json_object ());
      json_object_set_new (json_object_get (paths, route->path), method, operation_of (route));
    }
  return json_pack ("{s:s, s:{s:s, s:s, s:s}, s:o, s:{s:{s:{s:s, s:s, s:s}, s:{s:s, s:s}}}}", "openapi", "3.1.0", "info",
                    "title", "gridgate", "version", GRIDGATE_VERSION, "description",
                    "Errors are RFC 9457 problem documents. Unsafe calls with a session send X-CSRF-Token.", "paths", paths,
                    "components", "securitySchemes", "session", "type", "apiKey", "in", "cookie", "name",
                    "gridgate_session", "token", "type", "http", "scheme", "bearer");
}
