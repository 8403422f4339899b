/* incident_book_private.h: what incident_book.c (reports, actions) and incident_alerts.c (what alerts do to incidents) share.
 *
 * thread: the store's, where nothing else is said. */
#pragma once

#include "gateway/incident/incident_book.h"

struct IncidentBook {
  Store *store;
  EventBus *events;
  GMutex mutex; /* over site */
  Site *site;
  GArray *listeners; /* of IncidentListener */
  AlertSink sink;
};

/* A new one that is on no disk yet. */
Incident *incident_book_begin (IncidentBook *book, const Site *site);

/* The one way in which an incident changes: `incident` is what it becomes, `from` the state it had. `actor` NULL: the
 * gateway. Takes `payload`. `result` may be NULL. */
gboolean incident_book_change (IncidentBook *book, Database *database, Incident *incident, const Actor *actor,
                               IncidentState from, const char *action, json_t *payload, json_t **result, GError **error);

/* What the rules tell of alerts (incident_alerts.c). thread: any. */
AlertSink incident_book_sink (IncidentBook *book);
