#include "gateway/share/sharing.h"

#include <string.h>

#include "gateway/core/ids.h"
#include "gateway/core/log.h"
#include "gateway/alert/alert_json.h"
#include "gateway/share/center_commands.h"
#include "gateway/share/cloud_event.h"
#include "gateway/share/dispatcher.h"
#include "gateway/share/grants.h"
#include "gateway/share/outbox.h"
#include "gateway/share/regrant.h"

#define KEPT_US (30 * G_TIME_SPAN_DAY) /* what no receiver has taken in this time is given up, with a receipt */
#define TIDY_EVERY_US G_TIME_SPAN_HOUR

struct Sharing {
  Store *store;
  Dispatcher *dispatcher;
  IncidentBook *book;
  /* the store's thread alone touches what follows */
  Site *site;
  GPtrArray *receivers; /* of Receiver */
  GHashTable *states;   /* topic → payload: the last one */
  gint64 clock_offset_us, jumped_us; /* wall − monotonic at the last tidying; how far the wall clock went ahead since the start */
};

/* What is told of an alert or incident. */
typedef struct {
  const char *kind, *type, *subject, *category, *grid;
  Severity severity;
} Matter;

static gboolean put (Sharing *sharing, Database *database, const char *receiver, const Matter *matter, const char *event,
                     const char *payload, GError **error)
{
  OutboxRow row = { .receiver = (char *) receiver, .kind = (char *) matter->kind, .event = (char *) event,
                    .subject = (char *) matter->subject, .payload = (char *) payload, .severity = matter->severity,
                    .created_at_us = clock_wall_us (store_clock (sharing->store)) };
  return outbox_add (database, &row, error);
}

/* One event for every receiver of one audience: all centers (`agency` NULL), or all ways to one agency. */
static gboolean put_for (Sharing *sharing, Database *database, const char *agency, const Matter *matter,
                         const json_t *data, GError **error)
{
  gint64 now_us = clock_wall_us (store_clock (sharing->store));
  g_autofree char *event = ulid_new (now_us);
  g_autofree char *payload = NULL;
  for (guint i = 0; i < sharing->receivers->len; i++) {
    const Receiver *receiver = sharing->receivers->pdata[i];
    if (g_strcmp0 (receiver->agency, agency) != 0)
      continue;
    if (payload == NULL)
      payload
        = cloud_event_text (event, sharing->site->gateway.id, matter->type, matter->subject, now_us, data);
    if (!put (sharing, database, receiver->name, matter, event, payload, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean put_for_agency (Sharing *sharing, Database *database, const char *agency, const Matter *matter,
                                const json_t *data, GError **error)
{
  gboolean with_evidence;
  gint64 now_us = clock_wall_us (store_clock (sharing->store));
  if (!grants_admit (sharing->site, agency, matter->category, matter->grid, matter->severity, now_us, &with_evidence))
    return TRUE;
  if (with_evidence || strcmp (matter->kind, "incidents") != 0)
    return put_for (sharing, database, agency, matter, data, error);
  json_t *cut = incident_without_evidence (data);
  gboolean done = put_for (sharing, database, agency, matter, cut, error);
  json_decref (cut);
  return done;
}

static gboolean tell (Sharing *sharing, Database *database, const Matter *matter, const json_t *data, GError **error)
{
  if (!put_for (sharing, database, NULL, matter, data, error))
    return FALSE;
  for (guint i = 0; i < sharing->site->agencies->len; i++) {
    const Agency *agency = sharing->site->agencies->pdata[i];
    if (!put_for_agency (sharing, database, agency->id, matter, data, error))
      return FALSE;
  }
  dispatcher_wake (sharing->dispatcher);
  return TRUE;
}

/* By its worst severity: who heard of it then hears of its end, too. */
static gboolean tell_alert (gpointer self, Database *database, AlertChange change, const Alert *alert, GError **error)
{
  static const char *const types[] = { "gridgate.alert.opened", "gridgate.alert.changed", "gridgate.alert.cleared" };
  g_autofree char *subject = g_strconcat ("alerts/", alert->id, NULL);
  Matter matter = { "alerts", types[change], subject, alert->category, alert->grid, MAX (alert->peak, alert->severity) };
  json_t *json = alert_to_json (alert);
  gboolean told = tell (self, database, &matter, json, error);
  json_decref (json);
  return told;
}

static gboolean tell_incident (gpointer self, Database *database, IncidentChange change, const Incident *incident,
                               const json_t *json, GError **error)
{
  static const char *const types[] = { "gridgate.incident.opened", "gridgate.incident.changed",
                                       "gridgate.incident.closed" };
  g_autofree char *subject = g_strconcat ("incidents/", incident->id, NULL);
  Matter matter
    = { "incidents", types[change], subject, incident->category, incident->grid, incident->severity };
  return tell (self, database, &matter, json, error);
}

static Receiver *receiver_new (ReceiverKind kind, char *name, const char *center, const char *agency)
{
  Receiver *receiver = g_new0 (Receiver, 1);
  receiver->kind = kind;
  receiver->name = name;
  receiver->center = g_strdup (center);
  receiver->agency = g_strdup (agency);
  return receiver;
}

/* Takes `receiver`. A way that is configured twice is one: two rows of one event for one name would fail the alert. */
static void add_once (GPtrArray *receivers, Receiver *receiver)
{
  for (guint i = 0; i < receivers->len; i++)
    if (strcmp (((Receiver *) receivers->pdata[i])->name, receiver->name) == 0) {
      receiver_free (receiver);
      return;
    }
  g_ptr_array_add (receivers, receiver);
}

/* By its address, not by its place: what waits for one must not go to, or be given up for, another when the list changes. */
static char *webhook_name (const char *agency, const char *url)
{
  g_autofree char *hash = sha256_hex (url, strlen (url));
  return g_strdup_printf ("%s#%.8s", agency, hash);
}

static void add_agency (GPtrArray *receivers, const Agency *agency)
{
  for (guint i = 0; i < agency->deliveries->len; i++) {
    const Delivery *delivery = agency->deliveries->pdata[i];
    if (delivery->mqtt_center != NULL)
      add_once (receivers, receiver_new (RECEIVER_AGENCY_TOPIC,
                                         g_strdup_printf ("%s@%s", agency->id, delivery->mqtt_center),
                                         delivery->mqtt_center, agency->id));
    if (delivery->webhook_url == NULL)
      continue;
    Receiver *receiver = receiver_new (RECEIVER_AGENCY_WEBHOOK, webhook_name (agency->id, delivery->webhook_url), NULL,
                                       agency->id);
    receiver->url = g_strdup (delivery->webhook_url);
    receiver->secret_file = g_strdup (delivery->secret_file);
    add_once (receivers, receiver);
  }
}

GPtrArray *sharing_receivers (const Site *site)
{
  GPtrArray *receivers = g_ptr_array_new_with_free_func ((GDestroyNotify) receiver_free);
  for (guint i = 0; i < site->centers->len; i++) {
    const Center *center = site->centers->pdata[i];
    g_ptr_array_add (receivers, receiver_new (RECEIVER_CENTER, g_strdup (center->id), center->id, NULL));
  }
  for (guint i = 0; i < site->agencies->len; i++)
    add_agency (receivers, site->agencies->pdata[i]);
  return receivers;
}

static gboolean is_known (gpointer data, const char *name)
{
  Sharing *sharing = data;
  for (guint i = 0; i < sharing->receivers->len; i++)
    if (strcmp (((Receiver *) sharing->receivers->pdata[i])->name, name) == 0)
      return TRUE;
  return FALSE;
}

/* An outbox's age counts no step of the clock: a jump ahead must not give up at once what waits. */
static gint64 oldest_kept_us (Sharing *sharing)
{
  Clock *clock = store_clock (sharing->store);
  gint64 now_us = clock_wall_us (clock), offset_us = now_us - clock_monotonic_us (clock);
  if (sharing->clock_offset_us != 0)
    sharing->jumped_us = MAX (sharing->jumped_us + offset_us - sharing->clock_offset_us, 0);
  sharing->clock_offset_us = offset_us;
  return now_us - KEPT_US - sharing->jumped_us;
}

/* Grants change with the site, and end by time. */
static gboolean regrant (Sharing *sharing, Database *database, gint64 now_us, GError **error)
{
  for (guint i = 0; i < sharing->receivers->len; i++) {
    const Receiver *receiver = sharing->receivers->pdata[i];
    if (receiver->agency != NULL
        && !regrant_receiver (database, sharing->site, receiver->name, receiver->agency, now_us, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean tidy_job (Database *database, gpointer data, GError **error)
{
  Sharing *sharing = data;
  Clock *clock = store_clock (sharing->store);
  gint64 now_us = clock_wall_us (clock);
  store_set_timer (sharing->store, tidy_job, sharing, clock_monotonic_us (clock) + TIDY_EVERY_US);
  return outbox_tidy (database, is_known, sharing, oldest_kept_us (sharing), now_us, error)
         && regrant (sharing, database, now_us, error);
}

static gboolean topic_is_of_site (const Site *site, const char *topic)
{
  if (g_str_has_prefix (topic, "cameras/"))
    return site_camera (site, topic + strlen ("cameras/")) != NULL;
  return site_sensor (site, topic + strlen ("sensors/")) != NULL;
}

/* Also those of a site before the last start: their topics are kept in the database for this. */
static gboolean empty_gone_states (Sharing *sharing, Database *database, GError **error)
{
  GError *failure = NULL;
  g_autoptr (Statement) statement = database_query (database, &failure, "SELECT topic FROM center_states", "");
  while (statement_step (statement, &failure)) {
    const char *topic = statement_text (statement, 0);
    if (topic_is_of_site (sharing->site, topic))
      continue;
    g_hash_table_replace (sharing->states, g_strdup (topic), NULL);
    dispatcher_state (sharing->dispatcher, topic, NULL);
  }
  if (failure != NULL)
    g_propagate_error (error, failure);
  return failure == NULL;
}

typedef struct {
  Sharing *sharing;
  Site *site;
  char *topic, *payload;
} Change;

static void change_free (Change *change)
{
  site_unref (change->site);
  g_free (change->topic);
  g_free (change->payload);
  g_free (change);
}

static void change_done (gpointer data, const GError *error)
{
  if (error != NULL)
    log_limited (LOG_LEVEL_WARNING, "sharing: %s", error->message);
  change_free (data);
}

static void change_submit (Change *change, StoreJob job, StoreDone done)
{
  if (!store_submit (change->sharing->store, job, done, change))
    change_free (change); /* closing */
}

static gboolean site_job (Database *database, gpointer data, GError **error)
{
  Change *change = data;
  Sharing *sharing = change->sharing;
  site_unref (sharing->site);
  sharing->site = site_ref (change->site);
  g_ptr_array_unref (sharing->receivers);
  sharing->receivers = sharing_receivers (sharing->site);
  return tidy_job (database, sharing, error) && empty_gone_states (sharing, database, error);
}

void sharing_set_site (Sharing *sharing, Site *site)
{
  Change *change = g_new0 (Change, 1);
  change->sharing = sharing;
  change->site = site_ref (site);
  change_submit (change, site_job, change_done);
}

static gboolean state_job (Database *database, gpointer data, GError **error)
{
  const Change *change = data;
  return change->payload == NULL
         || database_run (database, error, "INSERT OR IGNORE INTO center_states (topic) VALUES (?)", "s", change->topic);
}

/* The center keeps what it is told: whatever dies now, the topic is on disk, so that a later start can empty it. */
static void state_done (gpointer data, const GError *error)
{
  Change *change = data;
  Sharing *sharing = change->sharing;
  if (error == NULL && (change->payload != NULL || g_hash_table_contains (sharing->states, change->topic))) {
    g_hash_table_replace (sharing->states, g_strdup (change->topic), g_strdup (change->payload));
    dispatcher_state (sharing->dispatcher, change->topic, change->payload);
  }
  change_done (change, error);
}

static void state_submit (Sharing *sharing, const char *folder, const char *id, const char *json)
{
  Change *change = g_new0 (Change, 1);
  change->sharing = sharing;
  change->topic = g_strconcat (folder, id, NULL);
  change->payload = g_strdup (json);
  change_submit (change, state_job, state_done);
}

void sharing_camera_state (Sharing *sharing, const char *camera, const char *json)
{
  state_submit (sharing, "cameras/", camera, json);
}

void sharing_sensor_state (Sharing *sharing, const char *sensor, const char *json)
{
  state_submit (sharing, "sensors/", sensor, json);
}

static void attached (gpointer data, const char *receiver, const DeliveryPort *port)
{
  Sharing *sharing = data;
  GHashTableIter iter;
  gpointer topic, payload;
  (void) receiver;
  if (port->operations->state == NULL)
    return;
  g_hash_table_iter_init (&iter, sharing->states);
  while (g_hash_table_iter_next (&iter, &topic, &payload))
    port->operations->state (port->self, topic, payload);
}

static gboolean run_command (gpointer data, Database *database, const char *center, const char *json, gsize size,
                             char **reply, GError **error)
{
  Sharing *sharing = data;
  return center_command_run (sharing->book, database, center, json, size,
                             clock_wall_us (store_clock (sharing->store)), reply, error);
}

gboolean sharing_attach (Sharing *sharing, const char *receiver, DeliveryPort port, GError **error)
{
  return dispatcher_attach (sharing->dispatcher, receiver, port, error);
}

void sharing_detach (Sharing *sharing, const char *receiver)
{
  dispatcher_detach (sharing->dispatcher, receiver);
}

Sharing *sharing_new (Store *store, IncidentBook *book, Site *site)
{
  Sharing *sharing = g_new0 (Sharing, 1);
  sharing->store = store;
  sharing->book = book;
  sharing->site = site_ref (site);
  sharing->receivers = sharing_receivers (site);
  sharing->states = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  sharing->dispatcher = dispatcher_new (store, run_command, attached, sharing);
  IncidentListener listener = { sharing, tell_alert, tell_incident };
  incident_book_listen (book, &listener);
  sharing_set_site (sharing, site);
  return sharing;
}

void sharing_free (Sharing *sharing)
{
  if (sharing == NULL)
    return;
  dispatcher_free (sharing->dispatcher);
  g_hash_table_unref (sharing->states);
  g_ptr_array_unref (sharing->receivers);
  site_unref (sharing->site);
  g_free (sharing);
}

void receiver_free (Receiver *receiver)
{
  if (receiver == NULL)
    return;
  g_free (receiver->name);
  g_free (receiver->center);
  g_free (receiver->agency);
  g_free (receiver->url);
  g_free (receiver->secret_file);
  g_free (receiver);
}
