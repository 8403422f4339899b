#include "gateway/incident/incident.h"

const char *light_name (Light light)
{
  return light == LIGHT_RED ? "red" : light == LIGHT_YELLOW ? "yellow" : "green";
}

static Light light_of (gint64 start_us, gint64 due_us, gint64 now_us)
{
  if (due_us == 0)
    return LIGHT_GREEN;
  if (now_us >= due_us)
    return LIGHT_RED;
  return (now_us - start_us) / 4 >= (due_us - start_us) / 5 ? LIGHT_YELLOW : LIGHT_GREEN; /* 80 % */
}

Light incident_light (const Incident *incident, gint64 now_us)
{
  gint64 at_us = incident->closed_at_us != 0 ? incident->closed_at_us
                 : incident->held_at_us != 0 ? incident->held_at_us
                                             : now_us;
  Light step = light_of (incident->step_at_us, incident->step_due_us, at_us);
  Light whole = light_of (incident->opened_at_us, incident->whole_due_us, at_us);
  return MAX (step, whole);
}

Incident *incident_from_row (Statement *statement)
{
  Incident *incident = g_new0 (Incident, 1);
  int column = 0;
  incident->id = g_strdup (statement_text (statement, column++));
  incident->gateway = g_strdup (statement_text (statement, column++));
  incident->revision = statement_integer (statement, column++);
  incident_state_from_name (statement_text (statement, column++), &incident->state);
  incident_state_from_name (statement_text (statement, column++), &incident->held_from);
  incident->title = g_strdup (statement_text (statement, column++));
  incident->category = g_strdup (statement_text (statement, column++));
  incident->severity = (Severity) statement_integer (statement, column++);
  incident->grid = g_strdup (statement_text (statement, column++));
  incident->location.is_set = statement_integer (statement, column++) != 0;
  incident->location.lon = statement_real (statement, column++);
  incident->location.lat = statement_real (statement, column++);
  incident->rule = g_strdup (statement_text (statement, column++));
  incident->reporter = g_strdup (statement_text (statement, column++));
  incident->agency = g_strdup (statement_text (statement, column++));
  incident->account = g_strdup (statement_text (statement, column++));
  incident->opened_at_us = statement_integer (statement, column++);
  incident->changed_at_us = statement_integer (statement, column++);
  incident->closed_at_us = statement_integer (statement, column++);
  incident->held_at_us = statement_integer (statement, column++);
  incident->step_at_us = statement_integer (statement, column++);
  incident->step_due_us = statement_integer (statement, column++);
  incident->whole_due_us = statement_integer (statement, column++);
  return incident;
}

Incident *incident_load (Database *database, const char *id, GError **error)
{
  g_autoptr (Statement) statement
    = database_query (database, error, "SELECT " INCIDENT_COLUMNS " FROM incidents WHERE id = ?", "s", id);
  return statement_step (statement, error) ? incident_from_row (statement) : NULL;
}

Incident *incident_load_open (Database *database, const char *rule, const char *grid, GError **error)
{
  g_autoptr (Statement) statement
    = database_query (database, error,
                      "SELECT " INCIDENT_COLUMNS " FROM incidents WHERE rule = ? AND grid = ? AND closed_at = 0"
                      " ORDER BY id DESC LIMIT 1",
                      "ss", rule, grid);
  return statement_step (statement, error) ? incident_from_row (statement) : NULL;
}

gboolean incident_save (Database *database, const Incident *incident, GError **error)
{
  const char *held_from = incident->state == STATE_ON_HOLD ? incident_state_name (incident->held_from) : NULL;
  return database_run (database, error,
                       "INSERT OR REPLACE INTO incidents (" INCIDENT_COLUMNS ")"
                       " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                       "ssissssisiddssssiiiiiii", incident->id, incident->gateway, incident->revision,
                       incident_state_name (incident->state), held_from, incident->title, incident->category,
                       (gint64) incident->severity, incident->grid, (gint64) incident->location.is_set,
                       incident->location.lon, incident->location.lat, incident->rule, incident->reporter,
                       incident->agency, incident->account, incident->opened_at_us, incident->changed_at_us,
                       incident->closed_at_us, incident->held_at_us, incident->step_at_us, incident->step_due_us,
                       incident->whole_due_us);
}

static void end_hold (Incident *incident, gint64 at_us)
{
  gint64 held_us = MAX (at_us - incident->held_at_us, 0);
  if (incident->whole_due_us != 0)
    incident->whole_due_us += held_us;
  incident->held_at_us = 0;
}

void incident_enter (Incident *incident, IncidentState state, gint64 at_us)
{
  gint64 held_at_us = incident->held_at_us;
  IncidentState before = incident->state;
  if (state == before)
    return;
  if (before == STATE_ON_HOLD)
    end_hold (incident, at_us);
  incident->state = state;
  incident->closed_at_us = incident_state_is_open (state) ? 0 : at_us;
  if (state == STATE_ON_HOLD) {
    incident->held_from = before;
    incident->held_at_us = at_us;
  } else if (before == STATE_ON_HOLD && state == incident->held_from) {
    gint64 held_us = MAX (at_us - held_at_us, 0); /* the step goes on where it was */
    incident->step_at_us += held_us;
    if (incident->step_due_us != 0)
      incident->step_due_us += held_us;
  } else {
    incident->step_at_us = at_us;
    incident->step_due_us = 0;
  }
}

void incident_free (Incident *incident)
{
  if (incident == NULL)
    return;
  g_free (incident->id);
  g_free (incident->gateway);
  g_free (incident->title);
  g_free (incident->category);
  g_free (incident->grid);
  g_free (incident->rule);
  g_free (incident->reporter);
  g_free (incident->agency);
  g_free (incident->account);
  g_free (incident);
}
