/* incident.h: one incident's row, as this folder passes it around; everybody else sees incident_view's JSON.
 *
 * thread: a value that its holder owns. */
#pragma once

#include "gateway/incident/lifecycle.h"
#include "gateway/model/site.h"
#include "gateway/store/database.h"

typedef struct {
  char *id, *gateway, *title, *category, *grid;
  char *rule;     /* NULL: a person reported it */
  char *reporter; /* the person; NULL: a rule opened it */
  char *agency, *account; /* whom it is assigned to: one of them, or none */
  gint64 revision;
  IncidentState state, held_from;
  Severity severity;
  Location location;
  gint64 opened_at_us, changed_at_us;
  gint64 closed_at_us; /* 0 while open */
  gint64 held_at_us;   /* since when it is on hold; 0: it is not */
  gint64 step_at_us;   /* since when it is in its state */
  gint64 step_due_us, whole_due_us; /* 0: no deadline */
} Incident;

typedef enum { LIGHT_GREEN, LIGHT_YELLOW, LIGHT_RED } Light;

const char *light_name (Light light);

/* The worse of both deadlines: yellow from 80 % of the time on, red at the deadline. It stands still while the incident
 * is on hold and once it is closed. */
Light incident_light (const Incident *incident, gint64 now_us);

/* NULL without an error: there is none. */
Incident *incident_load (Database *database, const char *id, GError **error);

/* The incident that alerts of this rule and grid join; NULL without an error: none is open. */
Incident *incident_load_open (Database *database, const char *rule, const char *grid, GError **error);

gboolean incident_save (Database *database, const Incident *incident, GError **error);

/* The columns of `incidents` in the order that incident_from_row expects. */
#define INCIDENT_COLUMNS                                                                                               \
  "id, gateway, revision, state, held_from, title, category, severity, grid, has_location, lon, lat, rule, reporter, " \
  "agency, account, opened_at, changed_at, closed_at, held_at, step_at, step_due, whole_due"
Incident *incident_from_row (Statement *statement);

/* Enters `state` at `at_us`: moves step and hold times. A hold stops both deadlines. */
void incident_enter (Incident *incident, IncidentState state, gint64 at_us);

void incident_free (Incident *incident);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Incident, incident_free)
