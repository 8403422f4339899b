/* routes_sensors.c: sensors, their observations, and the accounts of what came in. */
#include "gateway/core/log.h"
#include "gateway/core/quantity.h"
#include "gateway/http/http_json.h"
#include "gateway/http/http_route.h"
#include "gateway/observe/observation_read.h"

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
  json_t *page
    = page_of_site (request->site->sensors, sensor_id, http_request_query (request, "cursor"), limit, show_sensor, &shower, &error);
  return page != NULL ? http_response_json (200, page) : http_response_error (error);
}

static HttpResponse *get_sensor (HttpRequest *request, const HttpContext *context)
{
  const Sensor *sensor = site_sensor (request->site, request->parameters[0]);
  if (sensor == NULL || !sees_sensor (request, sensor))
    return http_response_problem (404, "unknown-sensor", "there is no sensor %s", request->parameters[0]);
  return http_response_json (200, sensor_with_values (context, sensor));
}

/* Which observations are asked for; NULL when the caller may have them. */
static HttpResponse *read_span (HttpRequest *request, ObservationSpan *span)
{
  g_autoptr (GError) error = NULL;
  const Actor *actor = &request->caller.actor;
  span->sensor = http_request_query (request, "sensor");
  span->metric = http_request_query (request, "metric");
  if (!http_request_time (request, "to", request->now_us + G_TIME_SPAN_DAY, &span->to_us, &error)
      || !http_request_time (request, "from", span->to_us - 2 * G_TIME_SPAN_DAY, &span->from_us, &error))
    return http_response_error (error);
  if (span->sensor == NULL && (actor->role == ROLE_AGENCY || actor->grid != NULL))
    return http_response_problem (400, "invalid", "sensor is needed: you may not see all of them");
  const Sensor *sensor = span->sensor != NULL ? site_sensor (request->site, span->sensor) : NULL;
  if (span->sensor != NULL && (sensor == NULL || !sees_sensor (request, sensor)))
    return http_response_problem (404, "unknown-sensor", "there is no sensor %s", span->sensor);
  return NULL;
}

static HttpResponse *get_buckets (const HttpContext *context, ObservationSpan *span, const char *every)
{
  g_autoptr (GError) error = NULL;
  if (!duration_parse (every, &span->every_us) || span->every_us < G_TIME_SPAN_SECOND)
    return http_response_problem (400, "invalid", "every must be a duration of a second or more, like 10m");
  json_t *found = observation_buckets (store_data_dir (context->store), span, &error);
  return found != NULL ? http_response_json (200, found) : http_response_error (error);
}

static HttpResponse *get_observations (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  ObservationSpan span = { 0 };
  HttpResponse *refusal = read_span (request, &span);
  const char *every = http_request_query (request, "every");
  if (refusal != NULL)
    return refusal;
  if (every != NULL)
    return get_buckets (context, &span, every);
  ObservationQuery query = { span.sensor, span.metric, span.from_us, span.to_us, 0, http_request_query (request, "cursor") };
  if (!http_request_limit (request, &query.limit, &error))
    return http_response_error (error);
  json_t *found = observe_query (store_data_dir (context->store), request->site->gateway.id, &query, &error);
  return found != NULL ? http_response_json (200, found) : http_response_error (error);
}

/* What an export needs when the request is over. */
typedef struct {
  char *data_dir, *sensor, *metric;
  ObservationSpan span;
} Wanted;

static void wanted_free (gpointer data)
{
  Wanted *wanted = data;
  g_free (wanted->data_dir);
  g_free (wanted->sensor);
  g_free (wanted->metric);
  g_free (wanted);
}

static gboolean write_piece (const char *text, gsize size, gpointer producer)
{
  return http_producer_write (producer, text, size);
}

static gboolean produce_csv (HttpProducer *producer, gpointer data)
{
  g_autoptr (GError) error = NULL;
  const Wanted *wanted = data;
  if (observation_export (wanted->data_dir, &wanted->span, write_piece, producer, &error))
    return TRUE;
  log_limited (LOG_LEVEL_WARNING, "http: an export of observations was broken off: %s", error->message);
  return FALSE;
}

static HttpResponse *get_observations_csv (HttpRequest *request, const HttpContext *context)
{
  ObservationSpan span = { 0 };
  HttpResponse *refusal = read_span (request, &span);
  if (refusal != NULL)
    return refusal;
  Wanted *wanted = g_new0 (Wanted, 1);
  wanted->data_dir = g_strdup (store_data_dir (context->store));
  wanted->sensor = g_strdup (span.sensor);
  wanted->metric = g_strdup (span.metric);
  wanted->span = (ObservationSpan){ wanted->sensor, wanted->metric, span.from_us, span.to_us, 0 };
  HttpResponse *response = http_response_produced ("text/csv; charset=utf-8; header=present", produce_csv, wanted, wanted_free);
  if (response == NULL)
    return http_response_problem (503, "unavailable", "too many exports are under way: try again when one has ended");
  http_response_header (response, "Content-Disposition", "attachment; filename=\"observations.csv\"");
  return response;
}

static HttpResponse *get_accounting (HttpRequest *request, const HttpContext *context)
{
  json_t *accounts = context->observe != NULL ? observe_accounting_json (context->observe) : NULL;
  (void) request;
  return accounts != NULL ? http_response_json (200, accounts) : answer_absent ();
}

static HttpResponse *get_rejected (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  guint limit;
  if (!http_request_limit (request, &limit, &error))
    return http_response_error (error);
  return http_response_json (200, observe_rejected (store_data_dir (context->store), http_request_query (request, "broker"),
                                                    http_request_query (request, "sensor"), limit));
}

const HttpRoute sensor_routes[] = {
  { "GET", "/api/v1/sensors", ROLES_ALL, get_sensors, "the sensors and their last values", "limit cursor", NULL,
    "application/json", 200 },
  { "GET", "/api/v1/sensors/{sensor}", ROLES_ALL, get_sensor, "one sensor", NULL, NULL, "application/json", 200 },
  { "GET", "/api/v1/observations", ROLES_ALL, get_observations, "observations by phenomenon time; the last day by default; with every one sensor's metric in buckets of that length",
    "sensor metric from to every limit cursor", NULL, "application/json", 200 },
  { "GET", "/api/v1/observations.csv", ROLES_ALL, get_observations_csv, "observations as CSV", "sensor metric from to", NULL,
    "text/csv", 200 },
  { "GET", "/api/v1/accounting", ROLES_WATCH_MACHINE, get_accounting,
    "per broker and sensor: received = stored + rejected + dropped + pending", NULL, NULL, "application/json", 200 },
  { "GET", "/api/v1/accounting/rejected", ROLES_OPERATE, get_rejected, "payloads that were rejected, newest first, and why",
    "broker sensor limit", NULL, "application/json", 200 },
  { NULL },
};
