/* routes_incidents.c: incidents: lists, one, people's reports and actions. */
#include <string.h>

#include "gateway/http/http_matter.h"
#include "gateway/http/http_route.h"
#include "gateway/incident/incident_view.h"

static gboolean sees_matter (gpointer data, const char *grid, const char *category, Severity severity, const char *agency)
{
  const HttpRequest *request = data;
  return permit_matter (request->site, &request->caller.actor, grid, category, severity, agency, request->now_us);
}

static gboolean fill_filter (const HttpRequest *request, IncidentFilter *filter, GError **error)
{
  const char *severity = http_request_query (request, "severity");
  IncidentState state;
  filter->state = http_request_query (request, "state");
  filter->grid = http_request_query (request, "grid");
  filter->category = http_request_query (request, "category");
  filter->agency = http_request_query (request, "agency");
  filter->cursor = http_request_query (request, "cursor");
  filter->severity = severity != NULL ? severity_from_name (severity) : 0;
  filter->site = request->site;
  filter->admits = sees_matter;
  filter->admits_data = (gpointer) request;
  if (severity != NULL && filter->severity == 0)
    return error_set (error, ERROR_REFUSE, "severity must be minor, moderate, severe or extreme");
  if (filter->state != NULL && !g_str_equal (filter->state, "open") && !incident_state_from_name (filter->state, &state))
    return error_set (error, ERROR_REFUSE, "state must be \"open\" or the name of a state");
  return http_request_limit (request, &filter->limit, error)
         && http_request_time (request, "from", 0, &filter->from_us, error)
         && http_request_time (request, "to", 0, &filter->to_us, error);
}

static gint64 now_of (const HttpContext *context)
{
  return access_now_us (context->access);
}

static HttpResponse *get_incidents (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  IncidentFilter filter = { 0 };
  gsize index;
  json_t *incident;
  Database *reader = fill_filter (request, &filter, &error) ? store_reader (context->store, &error) : NULL;
  json_t *found = reader != NULL ? incident_list (reader, &filter, now_of (context), &error) : NULL;
  if (found == NULL)
    return http_response_error (error);
  json_array_foreach (json_object_get (found, "items"), index, incident)
    matter_cut (request->site, &request->caller.actor, incident, now_of (context));
  return http_response_json (200, found);
}

static HttpResponse *answer_unknown (const HttpRequest *request)
{
  return http_response_problem (404, "unknown-incident", "there is no incident %s", request->parameters[0]);
}

/* What a page needs beside the incident: the actions that its state allows this caller. */
static void add_actions (const HttpRequest *request, json_t *incident)
{
  IncidentState state;
  if (incident_state_from_name (json_string_value (json_object_get (incident, "state")), &state))
    json_object_set_new (incident, "actions", lifecycle_actions (state, request->caller.actor.role));
}

static HttpResponse *get_incident (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  Database *reader = store_reader (context->store, &error);
  json_t *incident = reader != NULL ? incident_get (reader, request->parameters[0], now_of (context), &error) : NULL;
  if (error != NULL)
    return http_response_error (error);
  if (incident != NULL && matter_cut (request->site, &request->caller.actor, incident, now_of (context))) {
    add_actions (request, incident);
    return http_response_json (200, incident);
  }
  json_decref (incident);
  return answer_unknown (request);
}

static HttpResponse *get_incident_evidence (HttpRequest *request, const HttpContext *context)
{
  HttpResponse *response;
  g_autoptr (GError) error = NULL;
  Database *reader = store_reader (context->store, &error);
  json_t *incident = reader != NULL ? incident_get (reader, request->parameters[0], now_of (context), &error) : NULL;
  if (error != NULL)
    return http_response_error (error);
  if (incident != NULL && matter_cut (request->site, &request->caller.actor, incident, now_of (context)))
    response = http_response_json (200, json_pack ("{s:O, s:n}", "items", json_object_get (incident, "evidence"), "next"));
  else
    response = answer_unknown (request);
  json_decref (incident);
  return response;
}

/* --- what changes them --- */

typedef struct {
  const HttpRequest *request;
  const HttpContext *context;
  json_t *body, *incident;
  gboolean is_new;
} Change;

static gboolean note (Database *database, const Change *change, const char *action, const char *detail, GError **error)
{
  const char *id = json_string_value (json_object_get (change->incident, "id"));
  AuditEntry entry = { &change->request->caller.actor, change->request->address, action, id, NULL, detail };
  return audit_append (database, now_of (change->context), &entry, error);
}

static gboolean report_job (Database *database, gpointer data, GError **error)
{
  Change *change = data;
  const HttpRequest *request = change->request;
  const char *key = http_request_header (request, "Idempotency-Key");
  return incident_book_report (change->context->incidents, database, &request->caller.actor, change->body, key,
                               &change->incident, &change->is_new, error)
         && (!change->is_new || note (database, change, "incident.report", NULL, error));
}

static gboolean act_job (Database *database, gpointer data, GError **error)
{
  Change *change = data;
  const HttpRequest *request = change->request;
  g_autoptr (Incident) incident = incident_load (database, request->parameters[0], error);
  if (incident == NULL || !sees_matter ((gpointer) request, incident->grid, incident->category, incident->severity, incident->agency)) {
    if (*error == NULL)
      g_set_error (error, INCIDENT_ERROR, INCIDENT_NOT_FOUND, "there is no incident %s", request->parameters[0]);
    return FALSE;
  }
  return incident_book_act (change->context->incidents, database, &request->caller.actor, request->parameters[0],
                            change->body, &change->incident, error)
         && note (database, change, "incident.action", json_string_value (json_object_get (change->body, "action")), error);
}

static HttpResponse *answer_problem (const GError *error, json_t *current)
{
  static const struct {
    int status;
    const char *type;
  } problems[] = {
    [INCIDENT_NOT_FOUND] = { 404, "unknown-incident" }, [INCIDENT_STALE_REVISION] = { 409, "stale-revision" },
    [INCIDENT_NOT_ALLOWED] = { 409, "not-allowed" },    [INCIDENT_INVALID] = { 400, "invalid" },
    [INCIDENT_NOT_IN_THIS_VERSION] = { 501, "not-in-this-version" }, [INCIDENT_KEY_REUSED] = { 422, "key-reused" },
  };
  if (error->domain != INCIDENT_ERROR)
    return http_response_error (error);
  gboolean has_current = current != NULL && problems[error->code].status == 409;
  return http_response_problem_with (problems[error->code].status, problems[error->code].type, error->message,
                                     has_current ? "incident" : NULL, has_current ? json_incref (current) : NULL);
}

static HttpResponse *run_change (HttpRequest *request, const HttpContext *context, StoreJob job, gboolean is_report)
{
  g_autoptr (GError) error = NULL;
  Change change = { .request = request, .context = context, .body = http_request_json (request, &error) };
  HttpResponse *response;
  if (change.body == NULL)
    return http_response_error (error);
  gboolean is_done = store_run (context->store, job, &change, &error);
  if (change.incident != NULL) {
    matter_cut (request->site, &request->caller.actor, change.incident, now_of (context));
    add_actions (request, change.incident);
  }
  if (is_done)
    response = http_response_json (is_report && change.is_new ? 201 : 200, json_incref (change.incident));
  else
    response = answer_problem (error, change.incident);
  json_decref (change.incident);
  json_decref (change.body);
  return response;
}

static HttpResponse *post_incident (HttpRequest *request, const HttpContext *context)
{
  const char *key = http_request_header (request, "Idempotency-Key");
  if (key != NULL && (key[0] == '\0' || strlen (key) > 255))
    return http_response_problem (400, "invalid", "Idempotency-Key must have 1 to 255 characters");
  if (context->incidents == NULL)
    return http_response_problem (503, "unavailable", "the gateway is being started: try again in a moment");
  return run_change (request, context, report_job, TRUE);
}

static HttpResponse *post_action (HttpRequest *request, const HttpContext *context)
{
  if (context->incidents == NULL)
    return http_response_problem (503, "unavailable", "the gateway is being started: try again in a moment");
  return run_change (request, context, act_job, FALSE);
}

const HttpRoute incident_routes[] = {
  { "GET", "/api/v1/incidents", ROLES_ALL, get_incidents, "incidents, newest first",
    "state grid category severity agency from to limit cursor", NULL, "application/json", 200 },
  { "POST", "/api/v1/incidents", ROLES_REPORT, post_incident, "report one; Idempotency-Key is respected", NULL,
    "{\"title\":\"…\",\"category\":\"flood\",\"severity\":\"moderate\",\"grid\":\"621121104201001\"}", "application/json",
    201 },
  { "GET", "/api/v1/incidents/{incident}", ROLES_ALL, get_incident, "one incident with its history", NULL, NULL,
    "application/json", 200 },
  { "POST", "/api/v1/incidents/{incident}/actions", ROLES_ACT, post_action, "do something to it", NULL,
    "{\"action\":\"accept\",\"revision\":1,\"note\":\"…\"}", "application/json", 200 },
  { "GET", "/api/v1/incidents/{incident}/evidence", ROLES_ALL, get_incident_evidence, "its clips and pictures", NULL, NULL,
    "application/json", 200 },
  { NULL },
};
