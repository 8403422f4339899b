/* incident_arguments.h: what people and programs send about incidents, checked.
 *
 * thread: any; pure functions. The strings are borrowed from the JSON. Errors are INCIDENT_ERROR, INCIDENT_INVALID, and
 * name the member. */
#pragma once

#include <jansson.h>

#include "gateway/model/site.h"

typedef struct {
  const char *title, *category, *grid, *note; /* note may be NULL */
  Severity severity;
  Location location;
} IncidentReport;

typedef struct {
  const char *name, *note;
  gint64 revision;
  const char *agency, *account; /* at most one */
  gint64 deadline_us;           /* 0: none */
} IncidentAction;

gboolean incident_report_parse (const json_t *json, const Site *site, IncidentReport *report, GError **error);
gboolean incident_action_parse (const json_t *json, const Site *site, IncidentAction *action, GError **error);
