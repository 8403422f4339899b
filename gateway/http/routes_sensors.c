/* routes_sensors.c: sensors, their observations, and the accounts of what came in. */
#include <string.h>

#include "gateway/http/http_json.h"
#include "gateway/http/http_route.h"

static HttpResponse *answer_absent (void)
{
  return http_response_problem (503, "unavailable", "the gateway is being started: try again in a moment");
}

static json_t *sensor_with_values (const HttpContext *context, const Sensor *sensor)
{
  json_t *object = sensor_to_json (sensor);
  json_t *last = context->observe != NULL ? observe_sensor_json (context->observe, sensor->id) : NULL;
  if (last != NULL)
    json_object_update (object, last);
  json_decref (last);
  return object;
}

typedef struct {
  const HttpRequest *request;
  const HttpContext *context;
} Shower;

static const char *sensor_id (gpointer item)
{
  return ((const Sensor *) item)->id;
}

static gboolean sees_sensor (const HttpRequest *request, const Sensor *sensor)
{
  return permit_grid (request->site, &request->caller.actor, sensor->grid, request->now_us);
}

static json_t *show_sensor (gpointer item, gpointer data)
{
  const Shower *shower = data;
  return sees_sensor (shower->request, item) ? sensor_with_values (shower->context, item) : NULL;
}

static HttpResponse *get_sensors (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  guint limit;
  Shower shower = { request, context };
  if (!http_request_limit (request, &limit, &error))
    return http_response_error (error);
  return http_response_json (200, page_of_site (request->site->sensors, sensor_id, http_request_query (request, "cursor"),
                                                limit, show_sensor, &shower));
}

static HttpResponse *get_sensor (HttpRequest *request, const HttpContext *context)
{
  const Sensor *sensor = site_sensor (request->site, request->parameters[0]);
  if (sensor == NULL || !sees_sensor (request, sensor))
    return http_response_problem (404, "unknown-sensor", "there is no sensor %s", request->parameters[0]);
  return http_response_json (200, sensor_with_values (context, sensor));
}

static HttpResponse *get_observations (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  const Actor *actor = &request->caller.actor;
  ObservationQuery query = { .sensor = http_request_query (request, "sensor"),
                             .metric = http_request_query (request, "metric"),
                             .cursor = http_request_query (request, "cursor") };
  gint64 now = request->now_us;
  if (!http_request_limit (request, &query.limit, &error)
      || !http_request_time (request, "to", now + G_TIME_SPAN_DAY, &query.to_us, &error)
      || !http_request_time (request, "from", query.to_us - 2 * G_TIME_SPAN_DAY, &query.from_us, &error))
    return http_response_error (error);
  if (query.sensor == NULL && (actor->role == ROLE_AGENCY || actor->grid != NULL))
    return http_response_problem (400, "invalid", "sensor is needed: you may not see all of them");
  const Sensor *sensor = query.sensor != NULL ? site_sensor (request->site, query.sensor) : NULL;
  if (query.sensor != NULL && (sensor == NULL || !sees_sensor (request, sensor)))
    return http_response_problem (404, "unknown-sensor", "there is no sensor %s", query.sensor);
  json_t *found = observe_query (store_data_dir (context->store), request->site->gateway.id, &query, &error);
  return found != NULL ? http_response_json (200, found) : http_response_error (error);
}

static HttpResponse *get_accounting (HttpRequest *request, const HttpContext *context)
{
  json_t *accounts = context->observe != NULL ? observe_accounting_json (context->observe) : NULL;
  (void) request;
  return accounts != NULL ? http_response_json (200, accounts) : answer_absent ();
}

const HttpRoute sensor_routes[] = {
  { "GET", "/api/v1/sensors", ROLES_ALL, get_sensors, "the sensors and their last values", "limit cursor", NULL,
    "application/json", 200 },
  { "GET", "/api/v1/sensors/{sensor}", ROLES_ALL, get_sensor, "one sensor", NULL, NULL, "application/json", 200 },
  { "GET", "/api/v1/observations", ROLES_ALL, get_observations, "observations by phenomenon time; the last day by default",
    "sensor metric from to limit cursor", NULL, "application/json", 200 },
  { "GET", "/api/v1/accounting", ROLES_WATCH_MACHINE, get_accounting,
    "per broker and sensor: received = stored + rejected + dropped + pending", NULL, NULL, "application/json", 200 },
  { NULL },
};
