/* routes_site.c: what there is, as far as the caller may see it. */
#include "gateway/http/http_json.h"
#include "gateway/http/http_route.h"

static json_t *grid_to_json (const Grid *grid)
{
  json_t *area = json_array ();
  for (guint i = 0; grid->area != NULL && i < grid->area->len; i++) {
    const Location *point = &g_array_index (grid->area, Location, i);
    json_array_append_new (area, json_pack ("[f, f]", point->lon, point->lat));
  }
  return json_pack ("{s:s, s:s?, s:s?, s:o}", "id", grid->id, "name", grid->name, "parent", grid->parent, "area", area);
}

/* A bound caller sees its subtree and the way up to the root; an agency what its grants cover. */
static gboolean sees_grid (const HttpRequest *request, const Grid *grid)
{
  const Actor *actor = &request->caller.actor;
  return permit_grid (request->site, actor, grid->id, request->now_us)
         || (actor->role != ROLE_AGENCY && actor->grid != NULL
             && site_grid_is_within (request->site, actor->grid, grid->id));
}

static json_t *grids_to_json (const HttpRequest *request)
{
  json_t *list = json_array ();
  for (guint i = 0; i < request->site->grids->len; i++)
    if (sees_grid (request, request->site->grids->pdata[i]))
      json_array_append_new (list, grid_to_json (request->site->grids->pdata[i]));
  return list;
}

static json_t *cameras_to_json (const HttpRequest *request)
{
  json_t *list = json_array ();
  for (guint i = 0; i < request->site->cameras->len; i++) {
    const Camera *camera = request->site->cameras->pdata[i];
    if (permit_camera (request->site, &request->caller.actor, camera, request->now_us))
      json_array_append_new (list, camera_to_json (camera));
  }
  return list;
}

static json_t *sensors_to_json (const HttpRequest *request)
{
  json_t *list = json_array ();
  for (guint i = 0; i < request->site->sensors->len; i++) {
    const Sensor *sensor = request->site->sensors->pdata[i];
    if (permit_grid (request->site, &request->caller.actor, sensor->grid, request->now_us))
      json_array_append_new (list, sensor_to_json (sensor));
  }
  return list;
}

static json_t *agencies_to_json (const HttpRequest *request)
{
  json_t *list = json_array ();
  const Actor *actor = &request->caller.actor;
  for (guint i = 0; i < request->site->agencies->len; i++) {
    const Agency *agency = request->site->agencies->pdata[i];
    if (actor->role != ROLE_AGENCY || g_strcmp0 (actor->agency, agency->id) == 0)
      json_array_append_new (list, json_pack ("{s:s, s:s?}", "id", agency->id, "name", agency->name));
  }
  return list;
}

static json_t *rules_to_json (const HttpRequest *request)
{
  json_t *list = json_array ();
  for (guint i = 0; i < request->site->rules->len; i++) {
    const Rule *rule = request->site->rules->pdata[i];
    if (permit_rule (request->site, &request->caller.actor, rule, request->now_us))
      json_array_append_new (list, json_pack ("{s:s, s:s?, s:s?, s:s}", "id", rule->id, "name", rule->name, "category",
                                              rule->category, "severity", severity_name (rule->severity)));
  }
  return list;
}

static HttpResponse *get_site (HttpRequest *request, const HttpContext *context)
{
  const GatewaySettings *gateway = &request->site->gateway;
  (void) context;
  return http_response_json (
    200, json_pack ("{s:{s:s, s:s?, s:s?, s:s?, s:s}, s:o, s:o, s:o, s:o, s:o}", "gateway", "id", gateway->id, "name",
                    gateway->name, "division", gateway->division, "time_zone", gateway->time_zone, "version",
                    GRIDGATE_VERSION, "grids", grids_to_json (request), "cameras", cameras_to_json (request), "sensors",
                    sensors_to_json (request), "rules", rules_to_json (request), "agencies", agencies_to_json (request)));
}

const HttpRoute site_routes[] = {
  { "GET", "/api/v1/site", ROLES_ALL, get_site, "gateway, grids, cameras, sensors, rules and agencies that the caller may see", NULL,
    NULL, "application/json", 200 },
  { NULL },
};
