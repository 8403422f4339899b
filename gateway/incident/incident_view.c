#include "gateway/incident/incident_view.h"

#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/incident/evidence_rows.h"
#include "gateway/incident/incident_history.h"

enum { LIST_DEFAULT = 100, LIST_MAX = 1000, COUNTS_MAX = 100000 };

static json_t *time_json (gint64 time_us)
{
  g_autofree char *text = time_us != 0 ? time_to_rfc3339 (time_us) : NULL;
  return text != NULL ? json_string (text) : json_null ();
}

static json_t *assignee_json (const Incident *incident)
{
  if (incident->agency != NULL)
    return json_pack ("{s:s}", "agency", incident->agency);
  if (incident->account != NULL)
    return json_pack ("{s:s}", "account", incident->account);
  return json_null ();
}

static json_t *location_json (const Location *location)
{
  return location->is_set ? json_pack ("{s:f, s:f}", "lon", location->lon, "lat", location->lat) : json_null ();
}

static json_t *alerts_json (Database *database, const char *incident, GError **error)
{
  GError *failure = NULL;
  json_t *alerts = json_array ();
  g_autoptr (Statement) statement
    = database_query (database, &failure,
                      "SELECT data FROM (SELECT rowid AS number, data FROM incident_alerts WHERE incident = ?"
                      " ORDER BY rowid DESC LIMIT 100) ORDER BY number",
                      "s", incident);
  while (statement_step (statement, &failure))
    json_array_append_new (alerts, json_loads (statement_text (statement, 0), 0, NULL));
  if (failure == NULL)
    return alerts;
  json_decref (alerts);
  g_propagate_error (error, failure);
  return NULL;
}

/* Takes `value`; FALSE when it is NULL. */
static gboolean set_list (json_t *json, const char *name, json_t *value)
{
  return value != NULL && json_object_set_new (json, name, value) == 0;
}

json_t *incident_to_json (Database *database, const Incident *incident, gint64 now_us, GError **error)
{
  json_t *json = json_pack (
    "{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s?, s:s?, s:o, s:{s:o, s:o}, s:s}", "id",
    incident->id, "gateway", incident->gateway, "revision", (json_int_t) incident->revision, "state",
    incident_state_name (incident->state), "title", incident->title, "category", incident->category, "severity",
    severity_name (incident->severity), "grid", incident->grid, "location", location_json (&incident->location),
    "opened_at", time_json (incident->opened_at_us), "changed_at", time_json (incident->changed_at_us), "closed_at",
    time_json (incident->closed_at_us), "rule", incident->rule, "reporter", incident->reporter, "assignee",
    assignee_json (incident), "deadlines", "step", time_json (incident->step_due_us), "whole",
    time_json (incident->whole_due_us), "light", light_name (incident_light (incident, now_us)));
  if (set_list (json, "alerts", alerts_json (database, incident->id, error))
      && set_list (json, "evidence", evidence_list (database, incident->id, error))
      && set_list (json, "history", incident_history_json (database, incident->id, error)))
    return json;
  json_decref (json);
  return NULL;
}

json_t *incident_get (Database *database, const char *id, gint64 now_us, GError **error)
{
  g_autoptr (Incident) incident = incident_load (database, id, error);
  return incident != NULL ? incident_to_json (database, incident, now_us, error) : NULL;
}

static Statement *list_query (Database *database, const IncidentFilter *filter, GError **error)
{
  gboolean only_open = g_strcmp0 (filter->state, "open") == 0;
  return database_query (database, error,
                         "SELECT " INCIDENT_COLUMNS " FROM incidents WHERE (?1 IS NULL OR id < ?1)"
                         " AND (?2 IS NULL OR state = ?2) AND (?3 = 0 OR closed_at = 0)"
                         " AND (?4 IS NULL OR category = ?4) AND (?5 = 0 OR severity = ?5)"
                         " AND (?6 IS NULL OR agency = ?6) AND opened_at >= ?7 AND opened_at < ?8 ORDER BY id DESC",
                         "ssisisii", filter->cursor, only_open ? NULL : filter->state, (gint64) only_open,
                         filter->category, (gint64) filter->severity, filter->agency, filter->from_us,
                         filter->to_us != 0 ? filter->to_us : G_MAXINT64);
}

static gboolean filter_passes (const IncidentFilter *filter, const Incident *incident)
{
  if (filter->grid != NULL && !site_grid_is_within (filter->site, incident->grid, filter->grid))
    return FALSE;
  return filter->admits == NULL
         || filter->admits (filter->admits_data, incident->grid, incident->category, incident->severity,
                            incident->agency);
}

json_t *incident_list (Database *database, const IncidentFilter *filter, gint64 now_us, GError **error)
{
  GError *failure = NULL;
  guint limit = filter->limit == 0 ? LIST_DEFAULT : MIN (filter->limit, LIST_MAX);
  gboolean has_more = FALSE;
  json_t *items = json_array ();
  g_autofree char *last = NULL;
  g_autoptr (Statement) statement = list_query (database, filter, &failure);
  while (!has_more && statement_step (statement, &failure)) {
    g_autoptr (Incident) incident = incident_from_row (statement);
    if (!filter_passes (filter, incident))
      continue;
    has_more = json_array_size (items) == limit;
    if (has_more)
      continue;
    json_t *json = incident_to_json (database, incident, now_us, &failure);
    if (json == NULL)
      break;
    json_array_append_new (items, json);
    g_free (last);
    last = g_strdup (incident->id);
  }
  if (failure == NULL)
    return json_pack ("{s:o, s:s?}", "items", items, "next", has_more ? last : NULL);
  json_decref (items);
  g_propagate_error (error, failure);
  return NULL;
}

json_t *incident_counts (Database *database, gint64 now_us, GError **error)
{
  GError *failure = NULL;
  guint counts[STATE_COUNT][3] = { 0 };
  g_autoptr (Statement) statement
    = database_query (database, &failure, "SELECT " INCIDENT_COLUMNS " FROM incidents WHERE closed_at = 0 LIMIT ?", "i",
                      (gint64) COUNTS_MAX);
  while (statement_step (statement, &failure)) {
    g_autoptr (Incident) incident = incident_from_row (statement);
    counts[incident->state][incident_light (incident, now_us)]++;
  }
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return NULL;
  }
  json_t *list = json_array ();
  for (int state = 0; state < STATE_COUNT; state++)
    for (int light = LIGHT_GREEN; light <= LIGHT_RED; light++)
      if (counts[state][light] > 0)
        json_array_append_new (list, json_pack ("{s:s, s:s, s:i}", "state", incident_state_name ((IncidentState) state),
                                                "light", light_name ((Light) light), "count",
                                                (int) counts[state][light]));
  return list;
}
