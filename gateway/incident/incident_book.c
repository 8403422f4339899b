#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/ids.h"
#include "gateway/incident/incident_arguments.h"
#include "gateway/incident/incident_book_private.h"
#include "gateway/incident/incident_history.h"
#include "gateway/incident/incident_view.h"

#define KEY_KEPT_US (G_TIME_SPAN_DAY)

GQuark incident_error_quark (void)
{
  return g_quark_from_static_string ("gridgate-incident");
}

typedef struct {
  EventBus *events;
  char *json, *grid, *category;
  int severity;
} Publication;

static void publish (gpointer data)
{
  Publication *publication = data;
  event_bus_publish (publication->events, "incident", publication->json, publication->grid, publication->category, NULL,
                     publication->severity);
}

static void publication_free (gpointer data)
{
  Publication *publication = data;
  free (publication->json); /* jansson's */
  g_free (publication->grid);
  g_free (publication->category);
  g_free (publication);
}

static void publish_after_commit (IncidentBook *book, const Incident *incident, const json_t *json)
{
  if (book->events == NULL)
    return;
  Publication *publication = g_new0 (Publication, 1);
  publication->events = book->events;
  publication->json = json_dumps (json, JSON_COMPACT | JSON_REAL_PRECISION (15));
  publication->grid = g_strdup (incident->grid);
  publication->category = g_strdup (incident->category);
  publication->severity = (int) incident->severity;
  store_after_commit (book->store, publish, publication, publication_free);
}

static gboolean tell_incident (IncidentBook *book, Database *database, IncidentChange change, const Incident *incident,
                               const json_t *json, GError **error)
{
  for (guint i = 0; i < book->listeners->len; i++) {
    IncidentListener *listener = &g_array_index (book->listeners, IncidentListener, i);
    if (listener->incident != NULL && !listener->incident (listener->self, database, change, incident, json, error))
      return FALSE;
  }
  publish_after_commit (book, incident, json);
  return TRUE;
}

gboolean incident_book_change (IncidentBook *book, Database *database, Incident *incident, const Actor *actor,
                               IncidentState from, const char *action, json_t *payload, json_t **result, GError **error)
{
  gint64 now_us = clock_wall_us (store_clock (book->store));
  HistoryEntry entry = { .incident = incident->id, .at_us = now_us, .actor = actor != NULL ? actor->name : "gridgate",
                         .role = actor != NULL ? role_name (actor->role) : "gateway",
                         .unit = actor != NULL ? actor->unit : NULL, .action = action, .from = from,
                         .to = incident->state };
  gboolean is_closing = incident_state_is_open (from) && !incident_state_is_open (incident->state);
  incident->changed_at_us = now_us;
  entry.revision = ++incident->revision;
  if (!incident_history_append (database, &entry, payload, error) || !incident_save (database, incident, error))
    return FALSE;

  IncidentChange kind = incident->revision == 1 ? INCIDENT_OPENED : is_closing ? INCIDENT_CLOSED : INCIDENT_CHANGED;
  json_t *json = incident_to_json (database, incident, now_us, error);
  if (json == NULL)
    return FALSE;
  gboolean told = tell_incident (book, database, kind, incident, json, error);
  if (told && result != NULL)
    *result = json_incref (json);
  json_decref (json);
  return told;
}

Incident *incident_book_begin (IncidentBook *book, const Site *site)
{
  Incident *incident = g_new0 (Incident, 1);
  gint64 now_us = clock_wall_us (store_clock (book->store));
  incident->id = ulid_new (now_us);
  incident->gateway = g_strdup (site->gateway.id);
  incident->opened_at_us = incident->step_at_us = now_us;
  return incident;
}

static gboolean refuse (GError **error, IncidentProblem problem, const char *format, ...) G_GNUC_PRINTF (3, 4);
static gboolean refuse (GError **error, IncidentProblem problem, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error_literal (error, INCIDENT_ERROR, (int) problem, text);
  return FALSE;
}

/* A request that came before under this key: its incident. FALSE with an error, also when the body differs. */
static gboolean find_request (IncidentBook *book, Database *database, const Actor *actor, const char *key,
                              const char *fingerprint, json_t **incident, GError **error)
{
  gint64 now_us = clock_wall_us (store_clock (book->store));
  GError *failure = NULL;
  if (!database_run (database, error, "DELETE FROM incident_requests WHERE at < ?", "i", now_us - KEY_KEPT_US))
    return FALSE;
  g_autoptr (Statement) statement
    = database_query (database, &failure, "SELECT fingerprint, incident FROM incident_requests WHERE actor = ? AND key = ?",
                      "ss", actor->name, key);
  if (!statement_step (statement, &failure)) {
    if (failure != NULL)
      g_propagate_error (error, failure);
    return failure == NULL;
  }
  if (strcmp (statement_text (statement, 0), fingerprint) != 0)
    return refuse (error, INCIDENT_KEY_REUSED,
                   "this Idempotency-Key was used for another report: send a new key with a new report");
  *incident = incident_get (database, statement_text (statement, 1), now_us, error);
  return *incident != NULL;
}

static gboolean open_report (IncidentBook *book, Database *database, const Actor *actor, const Site *site,
                             const IncidentReport *report, json_t **json, GError **error)
{
  g_autoptr (Incident) incident = incident_book_begin (book, site);
  incident->title = g_strdup (report->title);
  incident->category = g_strdup (report->category);
  incident->severity = report->severity;
  incident->grid = g_strdup (report->grid);
  incident->location = report->location;
  incident->reporter = g_strdup (actor->name);
  return incident_book_change (book, database, incident, actor, STATE_REPORTED, "report",
                               json_pack ("{s:s*, s:{s:s, s:s, s:s, s:s}}", "note", report->note, "set", "title", report->title,
                                          "category", report->category, "severity", severity_name (report->severity), "grid",
                                          report->grid),
                               json, error);
}

gboolean incident_book_report (IncidentBook *book, Database *database, const Actor *actor, const json_t *report,
                               const char *key, json_t **incident, gboolean *is_new, GError **error)
{
  IncidentReport parsed;
  g_autoptr (Site) site = incident_book_site (book);
  *incident = NULL;
  if (actor->role != ROLE_ADMIN && actor->role != ROLE_OPERATOR && actor->role != ROLE_WORKER)
    return refuse (error, INCIDENT_NOT_ALLOWED, "the role %s may not report incidents", role_name (actor->role));
  if (!incident_report_parse (report, site, &parsed, error))
    return FALSE;
  if (actor->grid != NULL && !site_grid_is_within (site, parsed.grid, actor->grid))
    return refuse (error, INCIDENT_NOT_ALLOWED, "%s may report in grid %s only", actor->name, actor->grid);

  char *text = json_dumps (report, JSON_COMPACT | JSON_SORT_KEYS);
  g_autofree char *fingerprint = sha256_hex (text, strlen (text));
  free (text);
  if (key != NULL && !find_request (book, database, actor, key, fingerprint, incident, error))
    return FALSE;
  *is_new = *incident == NULL;
  if (!*is_new)
    return TRUE;
  if (!open_report (book, database, actor, site, &parsed, incident, error))
    return FALSE;
  return key == NULL
         || database_run (database, error,
                          "INSERT INTO incident_requests (actor, key, fingerprint, incident, at) VALUES (?,?,?,?,?)",
                          "ssssi", actor->name, key, fingerprint,
                          json_string_value (json_object_get (*incident, "id")),
                          clock_wall_us (store_clock (book->store)));
}

/* Those who don't run the office act on what is theirs. */
static gboolean is_assigned_to (const Incident *incident, const Actor *actor)
{
  return (incident->account != NULL && g_strcmp0 (incident->account, actor->name) == 0)
         || (incident->agency != NULL && g_strcmp0 (incident->agency, actor->agency) == 0);
}

static gboolean may_act (const Site *site, const Incident *incident, const Actor *actor, const IncidentAction *action,
                         IncidentState *to, GError **error)
{
  const char *state = incident_state_name (incident->state);
  switch (lifecycle_step (action->name, incident->state, incident->held_from, actor->role, to)) {
  case STEP_UNKNOWN_ACTION:
    return refuse (error, INCIDENT_INVALID, "there is no action %s", action->name);
  case STEP_NOT_IN_THIS_VERSION:
    return refuse (error, INCIDENT_NOT_IN_THIS_VERSION, "the action %s is not in this version", action->name);
  case STEP_WRONG_STATE:
    return refuse (error, INCIDENT_NOT_ALLOWED, "%s is not possible while the incident is %s", action->name, state);
  case STEP_WRONG_ROLE:
    return refuse (error, INCIDENT_NOT_ALLOWED, "the role %s may not %s an incident that is %s",
                   role_name (actor->role), action->name, state);
  case STEP_ALLOWED:
    break;
  }
  if (actor->grid != NULL && !site_grid_is_within (site, incident->grid, actor->grid))
    return refuse (error, INCIDENT_NOT_ALLOWED, "%s may act in grid %s only", actor->name, actor->grid);
  if ((actor->role == ROLE_WORKER || actor->role == ROLE_AGENCY) && !is_assigned_to (incident, actor))
    return refuse (error, INCIDENT_NOT_ALLOWED, "the incident is not assigned to %s", actor->name);
  return TRUE;
}

static gboolean take_assignee (Incident *incident, const IncidentAction *action, GError **error)
{
  if (strcmp (action->name, "transfer") == 0 && action->agency == NULL)
    return refuse (error, INCIDENT_INVALID, "transfer needs \"assignee\": {\"agency\": ID}");
  if (action->agency == NULL && action->account == NULL)
    return incident->agency != NULL || incident->account != NULL
           || refuse (error, INCIDENT_INVALID, "dispatch needs \"assignee\": {\"agency\": ID} or {\"account\": NAME}");
  g_free (incident->agency);
  g_free (incident->account);
  incident->agency = g_strdup (action->agency);
  incident->account = g_strdup (action->account);
  return TRUE;
}

static gboolean act (IncidentBook *book, Database *database, const Actor *actor, Incident *incident,
                     const json_t *arguments, json_t **json, GError **error)
{
  IncidentAction action;
  IncidentState to, before = incident->state;
  g_autoptr (Site) site = incident_book_site (book);
  if (!incident_action_parse (arguments, site, &action, error))
    return FALSE;
  if (action.revision != incident->revision)
    return refuse (error, INCIDENT_STALE_REVISION,
                   "the incident is at revision %" G_GINT64_FORMAT ", not %" G_GINT64_FORMAT ": look at it again",
                   incident->revision, action.revision);
  if (!may_act (site, incident, actor, &action, &to, error))
    return FALSE;
  if (lifecycle_needs_assignee (action.name) && !take_assignee (incident, &action, error))
    return FALSE;
  gint64 now_us = clock_wall_us (store_clock (book->store));
  if (to == before && lifecycle_needs_assignee (action.name)) {
    incident->step_at_us = now_us; /* dispatched anew: the step begins again */
    incident->step_due_us = 0;
  }
  incident_enter (incident, to, now_us);
  if (action.deadline_us != 0)
    incident->step_due_us = action.deadline_us;

  json_t *payload = json_pack ("{s:s*}", "note", action.note);
  if (lifecycle_needs_assignee (action.name))
    json_object_set_new (payload, "assignee", json_pack ("{s:s*, s:s*}", "agency", incident->agency, "account",
                                                         incident->account));
  if (action.deadline_us != 0)
    json_object_set (payload, "deadline", json_object_get (arguments, "deadline"));
  return incident_book_change (book, database, incident, actor, before, action.name, payload, json, error);
}

gboolean incident_book_act (IncidentBook *book, Database *database, const Actor *actor, const char *id,
                            const json_t *arguments, json_t **json, GError **error)
{
  GError *failure = NULL;
  *json = NULL;
  g_autoptr (Incident) incident = incident_load (database, id, &failure);
  if (incident == NULL && failure == NULL)
    return refuse (error, INCIDENT_NOT_FOUND, "there is no incident %s", id);
  if (incident != NULL && act (book, database, actor, incident, arguments, json, &failure))
    return TRUE;
  if (failure->domain == INCIDENT_ERROR)
    *json = incident_get (database, id, clock_wall_us (store_clock (book->store)), NULL);
  g_propagate_error (error, failure);
  return FALSE;
}

gboolean incident_book_note (IncidentBook *book, Database *database, const char *id, const char *action, json_t *payload,
                             GError **error)
{
  g_autoptr (Incident) incident = incident_load (database, id, error);
  if (incident == NULL) {
    json_decref (payload);
    return (error != NULL && *error != NULL) || refuse (error, INCIDENT_NOT_FOUND, "there is no incident %s", id);
  }
  return incident_book_change (book, database, incident, NULL, incident->state, action, payload, NULL, error);
}

IncidentBook *incident_book_new (Store *store, EventBus *events, Site *site)
{
  IncidentBook *book = g_new0 (IncidentBook, 1);
  g_mutex_init (&book->mutex);
  book->store = store;
  book->events = events;
  book->site = site_ref (site);
  book->listeners = g_array_new (FALSE, FALSE, sizeof (IncidentListener));
  book->sink = incident_book_sink (book);
  return book;
}

void incident_book_listen (IncidentBook *book, const IncidentListener *listener)
{
  g_array_append_vals (book->listeners, listener, 1);
}

const AlertSink *incident_book_alert_sink (IncidentBook *book)
{
  return &book->sink;
}

void incident_book_set_site (IncidentBook *book, Site *site)
{
  g_mutex_lock (&book->mutex);
  Site *old = g_steal_pointer (&book->site);
  book->site = site_ref (site);
  g_mutex_unlock (&book->mutex);
  site_unref (old);
}

Site *incident_book_site (IncidentBook *book)
{
  g_mutex_lock (&book->mutex);
  Site *site = site_ref (book->site);
  g_mutex_unlock (&book->mutex);
  return site;
}

void incident_book_free (IncidentBook *book)
{
  if (book == NULL)
    return;
  site_unref (book->site);
  g_array_unref (book->listeners);
  g_mutex_clear (&book->mutex);
  g_free (book);
}
