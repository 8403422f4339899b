/* incident_alerts.c: what alerts do to incidents: they open them, raise them and are noted in them. */
#include "gateway/alert/alert_json.h"
#include "gateway/incident/evidence_rows.h"
#include "gateway/incident/incident_book_private.h"

static gboolean tell_alert (IncidentBook *book, Database *database, AlertChange change, const Alert *alert,
                            GError **error)
{
  for (guint i = 0; i < book->listeners->len; i++) {
    IncidentListener *listener = &g_array_index (book->listeners, IncidentListener, i);
    if (listener->alert != NULL && !listener->alert (listener->self, database, change, alert, error))
      return FALSE;
  }
  return TRUE;
}

static Incident *incident_for_alert (IncidentBook *book, const Site *site, const Rule *rule, const Alert *alert)
{
  const Sensor *sensor = alert->sensor != NULL ? site_sensor (site, alert->sensor) : NULL;
  const Camera *camera = alert->camera != NULL ? site_camera (site, alert->camera) : NULL;
  const char *device = sensor != NULL ? sensor->name : camera != NULL ? camera->name : NULL;
  const char *what = rule != NULL && rule->name != NULL ? rule->name : alert->rule;
  Incident *incident = incident_book_begin (book, site);
  incident->title = device != NULL ? g_strdup_printf ("%s: %s", what, device) : g_strdup (what);
  incident->category = g_strdup (alert->category);
  incident->severity = alert->severity;
  incident->grid = g_strdup (alert->grid);
  incident->rule = g_strdup (alert->rule);
  incident->opened_at_us = incident->step_at_us = alert->opened_at_us;
  if (sensor != NULL)
    incident->location = sensor->location;
  else if (camera != NULL)
    incident->location = camera->location;
  if (rule != NULL) {
    incident->agency = g_strdup (rule->assign_agency);
    incident->whole_due_us = rule->deadline_us != 0 ? incident->opened_at_us + rule->deadline_us : 0;
  }
  return incident;
}

static gboolean want_evidence (IncidentBook *book, Database *database, const Incident *incident, const Rule *rule,
                               GError **error)
{
  gint64 now_us = clock_wall_us (store_clock (book->store));
  for (char **camera = rule != NULL ? rule->evidence_cameras : NULL; camera != NULL && *camera != NULL; camera++)
    if (!evidence_want (database, incident->id, *camera, incident->opened_at_us - rule->evidence_before_us,
                        incident->opened_at_us + MAX (rule->evidence_after_us, 1), now_us, error)
        || !evidence_want (database, incident->id, *camera, incident->opened_at_us, incident->opened_at_us, now_us,
                           error))
      return FALSE;
  return TRUE;
}

static gboolean keep_alert (Database *database, const Alert *alert, GError **error)
{
  json_t *json = alert_to_json (alert);
  char *text = json_dumps (json, JSON_COMPACT);
  gboolean kept = database_run (database, error,
                                "INSERT INTO incident_alerts (incident, alert, data) VALUES (?, ?, ?)"
                                " ON CONFLICT (incident, alert) DO UPDATE SET data = excluded.data",
                                "sss", alert->incident, alert->id, text);
  free (text);
  json_decref (json);
  return kept;
}

static gboolean open_for_alert (IncidentBook *book, Database *database, const Site *site, Alert *alert, GError **error)
{
  const Rule *rule = site_rule (site, alert->rule);
  g_autoptr (Incident) incident = incident_for_alert (book, site, rule, alert);
  alert->incident = g_strdup (incident->id);
  return keep_alert (database, alert, error) && want_evidence (book, database, incident, rule, error)
         && incident_book_change (book, database, incident, NULL, STATE_REPORTED, "open",
                                  json_pack ("{s:{s:s, s:s, s:s, s:s, s:s}}", "set", "alert", alert->id, "title", incident->title,
                                             "category", incident->category, "severity", severity_name (incident->severity), "grid",
                                             incident->grid),
                                  NULL, error);
}

static gboolean alert_opened (gpointer self, Database *database, Alert *alert, GError **error)
{
  IncidentBook *book = self;
  GError *failure = NULL;
  g_autoptr (Site) site = incident_book_site (book);
  g_autoptr (Incident) incident = incident_load_open (database, alert->rule, alert->grid, &failure);
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  if (incident != NULL) {
    alert->incident = g_strdup (incident->id);
    incident->severity = MAX (incident->severity, alert->severity);
    if (!keep_alert (database, alert, error)
        || !incident_book_change (book, database, incident, NULL, incident->state, "alert",
                                  json_pack ("{s:{s:s, s:s}}", "set", "alert", alert->id, "severity",
                                             severity_name (incident->severity)),
                                  NULL, error))
      return FALSE;
  } else if (!alert->historical && !open_for_alert (book, database, site, alert, error)) {
    return FALSE;
  }
  return tell_alert (book, database, ALERT_OPENED, alert, error);
}

/* The incident that an alert stands with; NULL without an error when there is none. */
static gboolean incident_of (Database *database, const Alert *alert, Incident **incident, GError **error)
{
  GError *failure = NULL;
  *incident = alert->incident != NULL ? incident_load (database, alert->incident, &failure) : NULL;
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

/* Notes in the incident what its alert has come to. */
static gboolean note_alert (IncidentBook *book, Database *database, Incident *incident, const Alert *alert,
                            const char *action, GError **error)
{
  return incident_book_change (book, database, incident, NULL, incident->state, action,
                               json_pack ("{s:{s:s, s:s}}", "set", "alert", alert->id, "severity",
                                          severity_name (incident->severity)),
                               NULL, error);
}

static gboolean alert_cleared (gpointer self, Database *database, const Alert *alert, GError **error)
{
  IncidentBook *book = self;
  g_autoptr (Incident) incident = NULL;
  if (!incident_of (database, alert, &incident, error))
    return FALSE;
  if (incident != NULL && !keep_alert (database, alert, error))
    return FALSE;
  if (incident != NULL && incident_state_is_open (incident->state)
      && !incident_book_change (book, database, incident, NULL, incident->state, "alert_cleared",
                                json_pack ("{s:{s:s}}", "set", "alert", alert->id), NULL, error))
    return FALSE;
  return tell_alert (book, database, ALERT_CLEARED, alert, error);
}

/* An incident's severity rises with its alerts' and stays: people have been called for it. */
static gboolean alert_changed (gpointer self, Database *database, const Alert *alert, GError **error)
{
  IncidentBook *book = self;
  g_autoptr (Incident) incident = NULL;
  if (!incident_of (database, alert, &incident, error) || (incident != NULL && !keep_alert (database, alert, error)))
    return FALSE;
  if (incident != NULL && incident_state_is_open (incident->state)) {
    incident->severity = MAX (incident->severity, alert->severity);
    if (!note_alert (book, database, incident, alert, "alert_changed", error))
      return FALSE;
  }
  return tell_alert (book, database, ALERT_CHANGED, alert, error);
}

/* Of a storm: a hundred alerts are not a hundred entries, but the worst of them shows. */
static gboolean alert_joined (gpointer self, Database *database, const Alert *alert, GError **error)
{
  IncidentBook *book = self;
  g_autoptr (Incident) incident = NULL;
  if (!incident_of (database, alert, &incident, error) || (incident != NULL && !keep_alert (database, alert, error)))
    return FALSE;
  if (incident == NULL || !incident_state_is_open (incident->state) || alert->severity <= incident->severity)
    return TRUE;
  incident->severity = alert->severity;
  return note_alert (book, database, incident, alert, "alert", error);
}

AlertSink incident_book_sink (IncidentBook *book)
{
  return (AlertSink) { book, alert_opened, alert_cleared, alert_changed, alert_joined };
}
