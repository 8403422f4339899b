#include "gateway/http/http_route.h"

#include <string.h>

const HttpRoute *const http_routes[] = { session_routes, site_routes, camera_routes, recording_routes, sensor_routes, discovered_routes,
                                         alert_routes, incident_routes, evidence_routes, event_routes, register_routes,
                                         hold_routes, machine_routes, rule_routes, later_routes, NULL };

/* Segment by segment; a {…} takes any one segment. */
static gboolean path_matches (const char *pattern, GStrv segments, const char **parameters)
{
  guint parameter = 0;
  char **segment = segments;
  for (const char *at = pattern; *at == '/'; segment++) {
    gsize length = strcspn (++at, "/");
    if (*segment == NULL)
      return FALSE;
    if (*at == '{')
      parameters[parameter++] = *segment;
    else if (strlen (*segment) != length || strncmp (*segment, at, length) != 0)
      return FALSE;
    at += length;
  }
  return *segment == NULL;
}

RouteMatch http_route_match (HttpRequest *request, char **allowed)
{
  g_autoptr (GString) methods = g_string_new (NULL);
  for (const HttpRoute *const *list = http_routes; *list != NULL; list++)
    for (const HttpRoute *route = *list; route->method != NULL; route++) {
      const char *parameters[G_N_ELEMENTS (request->parameters)] = { NULL };
      if (!path_matches (route->path, request->path.segments, parameters))
        continue;
      if (g_str_equal (route->method, request->method)) {
        request->route = route;
        memcpy (request->parameters, parameters, sizeof parameters);
        return ROUTE_FOUND;
      }
      g_string_append_printf (methods, "%s%s%s", methods->len > 0 ? ", " : "", route->method,
                              g_str_equal (route->method, "GET") ? ", HEAD" : "");
    }
  *allowed = methods->len > 0 ? g_strdup (methods->str) : NULL;
  return *allowed != NULL ? ROUTE_WRONG_METHOD : ROUTE_UNKNOWN;
}
