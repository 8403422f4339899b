/* routes_alerts.c: alerts. */
#include <string.h>

#include "gateway/alert/alert_book.h"
#include "gateway/http/http_matter.h"
#include "gateway/http/http_route.h"

enum { SEARCH_PAGES_MAX = 8 };

static gboolean fill_filter (const HttpRequest *request, AlertFilter *filter, GError **error)
{
  const char *severity = http_request_query (request, "severity");
  filter->state = http_request_query (request, "state");
  filter->rule = http_request_query (request, "rule");
  filter->sensor = http_request_query (request, "sensor");
  filter->camera = http_request_query (request, "camera");
  filter->incident = http_request_query (request, "incident");
  filter->min_severity = severity != NULL ? severity_from_name (severity) : 0;
  if (severity != NULL && filter->min_severity == 0)
    return error_set (error, ERROR_REFUSE, "severity must be minor, moderate, severe or extreme");
  if (filter->state != NULL && !g_str_equal (filter->state, "open") && !g_str_equal (filter->state, "cleared"))
    return error_set (error, ERROR_REFUSE, "state must be open or cleared");
  return http_request_time (request, "from", 0, &filter->from_us, error)
         && http_request_time (request, "to", 0, &filter->to_us, error);
}

static gboolean sees_alert (const HttpRequest *request, json_t *alert)
{
  const char *severity = json_string_value (json_object_get (alert, "severity"));
  return permit_matter (request->site, &request->caller.actor, json_string_value (json_object_get (alert, "grid")),
                        json_string_value (json_object_get (alert, "category")),
                        severity != NULL ? severity_from_name (severity) : 0, NULL, request->now_us);
}

/* What the caller may see of the page; the filter can't say it all (an agency has several grants). */
static void keep_visible (const HttpRequest *request, json_t *items, json_t *kept)
{
  gsize index;
  json_t *alert;
  json_array_foreach (items, index, alert)
    if (sees_alert (request, alert))
      json_array_append (kept, alert);
}

static HttpResponse *get_alerts (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) grids = NULL;
  g_autofree char *cursor = g_strdup (http_request_query (request, "cursor"));
  const char *category = http_request_query (request, "category");
  const char *const categories[] = { category, NULL };
  AlertFilter filter = { .categories = category != NULL ? categories : NULL };
  guint limit;
  if (!http_request_limit (request, &limit, &error) || !fill_filter (request, &filter, &error))
    return http_response_error (error);
  grids = matter_grids (request->site, &request->caller.actor, http_request_query (request, "grid"));
  filter.grids = grids != NULL ? (const char *const *) grids->pdata : NULL;

  Database *reader = store_reader (context->store, &error);
  json_t *kept = json_array ();
  json_t *next = json_null ();
  for (guint page = 0; reader != NULL && page < SEARCH_PAGES_MAX && json_array_size (kept) < limit; page++) {
    json_t *found = alert_list (reader, &filter, limit - (guint) json_array_size (kept), cursor, &error);
    if (found == NULL)
      break;
    keep_visible (request, json_object_get (found, "items"), kept);
    json_decref (next);
    next = json_incref (json_object_get (found, "next"));
    g_free (cursor);
    cursor = g_strdup (json_string_value (next));
    json_decref (found);
    if (cursor == NULL)
      break;
  }
  json_t *body = json_pack ("{s:o, s:o}", "items", kept, "next", next);
  if (error == NULL)
    return http_response_json (200, body);
  json_decref (body);
  return http_response_error (error);
}

const HttpRoute alert_routes[] = {
  { "GET", "/api/v1/alerts", ROLES_ALL, get_alerts, "alerts, newest first",
    "state grid category severity rule sensor camera incident from to limit cursor", NULL, "application/json", 200 },
  { NULL },
};
