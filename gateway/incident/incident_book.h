/* incident_book.h: what changes incidents: alerts, people's reports and actions, evidence that came in.
 *
 * Every change is one entry of the hash-chained history, one revision, one row, one round of the listeners, in one
 * transaction; after the commit it goes to the event bus as type "incident" with the incident's JSON. A rule's alerts of
 * one grid join the incident that is open for them, else they open one; their clearing never closes it. A historical alert
 * joins but never opens one: nobody is called out for last night's late readings. An alert of a storm stands with the
 * storm's incident and is told by it alone.
 *
 * thread: the store's, inside a job, unless it says otherwise. */
#pragma once

#include "gateway/alert/alert_sink.h"
#include "gateway/core/event_bus.h"
#include "gateway/incident/incident.h"
#include "gateway/store/store.h"

typedef struct IncidentBook IncidentBook;

/* What a refused report or action fails with; everything else is a GRIDGATE_ERROR. The code is the problem's type. */
#define INCIDENT_ERROR (incident_error_quark ())
GQuark incident_error_quark (void);
typedef enum {
  INCIDENT_NOT_FOUND,           /* 404 */
  INCIDENT_STALE_REVISION,      /* 409: somebody else was first; look at the current incident */
  INCIDENT_NOT_ALLOWED,         /* 409: the state, the role or the assignment doesn't allow it */
  INCIDENT_INVALID,             /* 400: the arguments are wrong */
  INCIDENT_NOT_IN_THIS_VERSION, /* 400 */
  INCIDENT_KEY_REUSED,          /* 422: the Idempotency-Key came with another body before */
} IncidentProblem;

typedef enum { INCIDENT_OPENED, INCIDENT_CHANGED, INCIDENT_CLOSED } IncidentChange;
typedef enum { ALERT_OPENED, ALERT_CHANGED, ALERT_CLEARED } AlertChange;

/* Told inside the transaction; FALSE takes it back. */
typedef struct {
  gpointer self;
  gboolean (*alert) (gpointer self, Database *database, AlertChange change, const Alert *alert, GError **error);
  gboolean (*incident) (gpointer self, Database *database, IncidentChange change, const Incident *incident,
                        const json_t *json, GError **error);
} IncidentListener;

/* `events` may be NULL. thread: any, before the first job; also incident_book_listen. */
IncidentBook *incident_book_new (Store *store, EventBus *events, Site *site);
void incident_book_listen (IncidentBook *book, const IncidentListener *listener);

/* For what raises alerts; lives as long as the book. */
const AlertSink *incident_book_alert_sink (IncidentBook *book);

/* thread: any. */
void incident_book_set_site (IncidentBook *book, Site *site);
Site *incident_book_site (IncidentBook *book); /* a reference for the caller */

/* A person reports one: {"title","category","severity","grid","note"?,"location"?{lon,lat}}. `key`: the Idempotency-Key
 * or NULL; the same key of the same actor gives the same incident again for a day, and `*is_new` FALSE. `*incident` is the
 * caller's. */
gboolean incident_book_report (IncidentBook *book, Database *database, const Actor *actor, const json_t *report,
                               const char *key, json_t **incident, gboolean *is_new, GError **error);

/* {"action","revision","note"?,"assignee"?{"agency"|"account"},"deadline"? (RFC 3339: until when the step that begins now
 * is to be done)}. `*incident` becomes the caller's: the changed incident, or with an INCIDENT_ERROR other than NOT_FOUND
 * the current one, unchanged. */
gboolean incident_book_act (IncidentBook *book, Database *database, const Actor *actor, const char *id,
                            const json_t *arguments, json_t **incident, GError **error);

/* The gateway itself adds to an incident's history: the state stays, the revision counts. Takes `payload`. */
gboolean incident_book_note (IncidentBook *book, Database *database, const char *id, const char *action, json_t *payload,
                             GError **error);

void incident_book_free (IncidentBook *book);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (IncidentBook, incident_book_free)
