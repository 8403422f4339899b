/* incident_view.h: reading incidents, as JSON with the fields that interfaces.md names.
 *
 * thread: any, with a database that belongs to it (store_reader, or the store's own inside a job). */
#pragma once

#include "gateway/incident/incident.h"

/* NULL is "any". */
typedef struct {
  const char *state; /* a state's name, or "open" for all that are not closed */
  const char *grid;  /* this grid and all below it; needs `site` */
  const char *category, *agency; /* agency: whom it is assigned to */
  Severity severity; /* 0: any */
  gint64 from_us, to_us; /* opened in [from, to); to 0: no end */
  const char *cursor;    /* the last id of the page before */
  guint limit;           /* 0: 100; at most 1000 */
  const Site *site;
  /* Who asks may see it? NULL: everything. */
  gboolean (*admits) (gpointer data, const char *grid, const char *category, Severity severity, const char *agency);
  gpointer admits_data;
} IncidentFilter;

/* id gateway revision state title category severity grid location opened_at closed_at changed_at rule reporter alerts[]
 * evidence[] assignee deadlines{step,whole} light history[]. At most the newest 100 alerts and 200 history entries. */
json_t *incident_to_json (Database *database, const Incident *incident, gint64 now_us, GError **error);

/* NULL without an error: there is none. */
json_t *incident_get (Database *database, const char *id, gint64 now_us, GError **error);

/* {"items":[…],"next":CURSOR|null}, newest first. */
json_t *incident_list (Database *database, const IncidentFilter *filter, gint64 now_us, GError **error);

/* Open incidents by state and light, for metrics: [{"state","light","count"},…], only those that are not 0. */
json_t *incident_counts (Database *database, gint64 now_us, GError **error);
