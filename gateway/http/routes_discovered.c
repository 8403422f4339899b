/* routes_discovered.c: the sensors as a list to take away, and an end to those that templates have discovered. */
#include "gateway/core/csv.h"
#include "gateway/http/http_json.h"
#include "gateway/http/http_route.h"

static gboolean sees_sensor (const HttpRequest *request, const Sensor *sensor)
{
  return permit_grid (request->site, &request->caller.actor, sensor->grid, request->now_us);
}

static void append_sensor (GString *text, const Sensor *sensor)
{
  g_autofree char *at = sensor->template != NULL ? time_to_rfc3339 (sensor->discovered_at_us) : NULL;
  csv_append_field (text, sensor->id, ',');
  csv_append_foreign_field (text, sensor->name, ',');
  csv_append_field (text, sensor->grid, ',');
  csv_append_field (text, sensor->broker, ',');
  csv_append_foreign_field (text, sensor->topic, ',');
  csv_append_field (text, sensor->template != NULL ? sensor->template->id : NULL, ',');
  csv_append_field (text, at, '\0');
  g_string_append (text, "\r\n");
}

static HttpResponse *get_sensors_csv (HttpRequest *request, const HttpContext *context)
{
  const char *wanted = http_request_query (request, "discovered");
  (void) context;
  if (wanted != NULL && !g_str_equal (wanted, "true") && !g_str_equal (wanted, "false"))
    return http_response_problem (400, "invalid", "discovered must be true or false");
  GString *text = g_string_new ("id,name,grid,broker,topic,template,discovered_at\r\n");
  for (guint i = 0; i < request->site->sensors->len; i++) {
    const Sensor *sensor = request->site->sensors->pdata[i];
    gboolean is_wanted = wanted == NULL || g_str_equal (wanted, "true") == (sensor->template != NULL);
    if (is_wanted && sees_sensor (request, sensor))
      append_sensor (text, sensor);
  }
  HttpResponse *response = http_response_text (200, "text/csv; charset=utf-8; header=present", g_string_free (text, FALSE));
  http_response_header (response, "Content-Disposition", "attachment; filename=\"sensors.csv\"");
  return response;
}

/* What stands in a file is only to be changed there. */
static HttpResponse *delete_sensor (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  const char *id = request->parameters[0];
  const Sensor *sensor = site_sensor (request->site, id);
  if (sensor == NULL || !sees_sensor (request, sensor))
    return http_response_problem (404, "unknown-sensor", "there is no sensor %s", id);
  const SiteOrigin *origin = site_origin (request->site, SITE_SENSORS, id);
  if (sensor->template == NULL)
    return http_response_problem (409, "configured", "sensor %s stands in %s:%u: remove it there", id,
                                  origin != NULL ? origin->file : "the configuration", origin != NULL ? origin->line : 0);
  if (context->observe == NULL)
    return http_response_problem (503, "unavailable", "the gateway is being started: try again in a moment");
  if (!observe_forget_sensor (context->observe, id, &error))
    return http_response_error (error);
  AuditEntry entry = { &request->caller.actor, request->address, "sensor.forget", id, NULL, sensor->topic };
  access_audit (context->access, &entry);
  return http_response_empty (204);
}

const HttpRoute discovered_routes[] = {
  { "GET", "/api/v1/sensors.csv", ROLES_ALL, get_sensors_csv, "the sensors as CSV; discovered=true: those that templates have become",
    "discovered", NULL, "text/csv", 200 },
  { "DELETE", "/api/v1/sensors/{sensor}", ROLES_ADMIN, delete_sensor,
    "forget a sensor that a template has become; it comes back when it sends again", NULL, NULL, NULL, 204 },
  { NULL },
};
