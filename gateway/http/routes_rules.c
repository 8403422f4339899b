/* routes_rules.c: silences, and what a rule would have raised. */
#include <string.h>

#include "gateway/access/audit.h"
#include "gateway/alert/rule_preview.h"
#include "gateway/alert/silence.h"
#include "gateway/http/http_route.h"

static HttpResponse *get_silences (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  const char *state = http_request_query (request, "state");
  guint limit;
  if (state != NULL && !g_str_equal (state, "active") && !g_str_equal (state, "upcoming") && !g_str_equal (state, "over"))
    return http_response_problem (400, "invalid", "state must be active, upcoming or over");
  Database *reader = http_request_limit (request, &limit, &error) ? store_reader (context->store, &error) : NULL;
  json_t *list = reader == NULL ? NULL
    : silence_list (reader, state, request->now_us, limit, http_request_query (request, "cursor"), &error);
  return list != NULL ? http_response_json (200, list) : http_response_error (error);
}

typedef struct {
  const HttpRequest *request;
  const HttpContext *context;
  json_t *body, *silence;
} Change;

static gboolean finish (Database *database, Change *change, const char *action, GError **error)
{
  const HttpRequest *request = change->request;
  const char *id = json_string_value (json_object_get (change->silence, "id"));
  char *detail = json_dumps (change->silence, JSON_COMPACT);
  AuditEntry entry = { &request->caller.actor, request->address, action, id, NULL, detail };
  gboolean is_written = audit_append (database, request->now_us, &entry, error);
  free (detail);
  return is_written
         && (change->context->engine == NULL
             || alert_engine_silences_changed (change->context->engine, database, error));
}

static gboolean add_job (Database *database, gpointer data, GError **error)
{
  Change *change = data;
  const HttpRequest *request = change->request;
  return silence_add (database, request->site, request->caller.actor.name, request->caller.actor.grid, change->body,
                      request->now_us, &change->silence, error)
         && finish (database, change, "silence.add", error);
}

static gboolean end_job (Database *database, gpointer data, GError **error)
{
  Change *change = data;
  const HttpRequest *request = change->request;
  return silence_end (database, request->parameters[0], request->caller.actor.name, request->now_us, &change->silence,
                      error)
         && finish (database, change, "silence.end", error);
}

static HttpResponse *post_silence (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  Change change = { request, context, http_request_json (request, &error), NULL };
  gboolean is_done = change.body != NULL && store_run (context->store, add_job, &change, &error);
  json_decref (change.body);
  if (is_done)
    return http_response_json (201, change.silence);
  json_decref (change.silence);
  return http_response_error (error);
}

/* Who is bound to a grid ends what stands wholly in it. */
static gboolean may_end (const HttpRequest *request, json_t *silence)
{
  const char *own = request->caller.actor.grid;
  const json_t *grids = json_object_get (silence, "grids");
  gsize index;
  json_t *grid;
  if (own == NULL)
    return TRUE;
  json_array_foreach (grids, index, grid)
    if (!site_grid_is_within (request->site, json_string_value (grid), own))
      return FALSE;
  return grids != NULL;
}

static HttpResponse *delete_silence (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  Change change = { request, context, NULL, NULL };
  Database *reader = store_reader (context->store, &error);
  json_t *known = reader != NULL ? silence_get (reader, request->parameters[0], request->now_us, &error) : NULL;
  gboolean is_allowed = known != NULL && may_end (request, known);
  gboolean is_there = known != NULL;
  json_decref (known);
  if (error != NULL)
    return http_response_error (error);
  if (!is_there)
    return http_response_problem (404, "unknown-silence", "there is no silence %s", request->parameters[0]);
  if (!is_allowed)
    return http_response_problem (403, "forbidden", "this silence reaches beyond the grid that you are bound to");
  if (store_run (context->store, end_job, &change, &error))
    return http_response_json (200, change.silence);
  json_decref (change.silence);
  return http_response_error (error);
}

/* One at a time: it reads a day's files, and workers are few. */
static HttpResponse *post_preview (HttpRequest *request, const HttpContext *context)
{
  static gint is_busy;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
  if (context->parse_rule == NULL)
    return http_response_problem (503, "unavailable", "the gateway is being started: try again in a moment");
  Rule *rule = context->parse_rule (request->site, (const char *) request->body->data, request->body->len, problems);
  if (rule == NULL) {
    json_t *list = json_array ();
    for (guint i = 0; i < problems->len; i++)
      json_array_append_new (list, json_string (problems->pdata[i]));
    return http_response_problem_with (400, "invalid", "the rule is wrong: see errors", "errors", list);
  }
  if (!g_atomic_int_compare_and_exchange (&is_busy, 0, 1)) {
    rule_free (rule);
    return http_response_problem (503, "busy", "another preview is being made: try again in a moment");
  }
  json_t *preview = rule_preview (store_data_dir (context->store), request->site, rule, request->caller.actor.grid,
                                  request->now_us, &error);
  g_atomic_int_set (&is_busy, 0);
  rule_free (rule);
  return preview != NULL ? http_response_json (200, preview) : http_response_error (error);
}

const HttpRoute rule_routes[] = {
  { "GET", "/api/v1/silences", ROLES_WATCH_MACHINE, get_silences, "silences and maintenance windows, newest first",
    "state limit cursor", NULL, "application/json", 200 },
  { "POST", "/api/v1/silences", ROLES_OPERATE, post_silence, "tell nobody of these alerts for a while", NULL,
    "{\"rules\":[\"flood\"],\"grids\":[\"621121104201\"],\"to\":\"2026-05-01T18:00:00Z\",\"reason\":\"the pump is being repaired\"}",
    "application/json", 201 },
  { "DELETE", "/api/v1/silences/{silence}", ROLES_OPERATE, delete_silence, "end a silence now", NULL, NULL,
    "application/json", 200 },
  { "POST", "/api/v1/rules/preview", ROLES_OPERATE, post_preview,
    "how many alerts a rule (as it would stand in the configuration) would have raised in the last day", NULL,
    "{\"id\":\"flood\",\"category\":\"flood\",\"match\":{\"metric\":\"water_level\"},\"when\":{\"above\":3.2}}",
    "application/json", 200 },
  { NULL },
};
