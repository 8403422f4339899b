#include "gateway/share/dispatcher.h"

#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "gateway/share/outbox.h"

#define PAUSE_FIRST_US (1 * G_TIME_SPAN_SECOND)
#define PAUSE_LAST_US (5 * G_TIME_SPAN_MINUTE)
#define AGAIN_US (60 * G_TIME_SPAN_SECOND) /* sent, but the receiver's own acknowledgement hasn't come */
#define STEP_MIN_US (5 * G_TIME_SPAN_SECOND) /* less is the clock's regulation */
#define PAUSE_BOUND_US (1 * G_TIME_SPAN_HOUR) /* no receiver may ask for a longer one */
#define STORE_AGAIN_US (5 * G_TIME_SPAN_SECOND) /* nothing could be written: the disk is full */

/* One port's attachment. Lives until dispatcher_free, since a port may report late. */
typedef struct {
  Dispatcher *dispatcher;
  char *receiver;
  DeliveryPort port; /* operations NULL: detached */
  gboolean is_attached, is_ready;
  GHashTable *in_flight; /* set of event ids */
  guint failures;        /* in a row */
  gint64 paused_until_us; /* monotonic */
} Link;

struct Dispatcher {
  Store *store;
  DispatcherCommand command;
  DispatcherAttached attached;
  gpointer data;
  GPtrArray *links; /* of Link */
  gboolean is_waking;
  gint64 clock_offset_us; /* wall − monotonic, when last looked */
};

/* What a port reports, on its way to the store's thread. */
typedef struct {
  Link *link;
  char *event, *detail;
  DeliveryOutcome outcome;
  gint64 retry_after_us;
  gboolean is_ready;
  char *command, *reply;
  gsize command_size;
} Report;

static void report_free (Report *report)
{
  g_free (report->event);
  g_free (report->detail);
  g_free (report->command);
  g_free (report->reply);
  g_free (report);
}

static gint64 clock_offset_us (const Dispatcher *dispatcher)
{
  const Clock *clock = store_clock (dispatcher->store);
  return clock_wall_us (clock) - clock_monotonic_us (clock);
}

/* Pauses hold through a step of the wall clock: an hour back must not make them an hour longer. */
static gboolean follow_clock (Dispatcher *dispatcher, Database *database, GError **error)
{
  gint64 offset_us = clock_offset_us (dispatcher), step_us = offset_us - dispatcher->clock_offset_us;
  if (ABS (step_us) < STEP_MIN_US)
    return TRUE;
  dispatcher->clock_offset_us = offset_us;
  return outbox_shift (database, step_us, error);
}

static gboolean wake_job (Database *database, gpointer data, GError **error)
{
  Link *link = data;
  dispatcher_wake (link->dispatcher);
  return follow_clock (link->dispatcher, database, error);
}

static void give (Link *link, const OutboxRow *row)
{
  if (g_hash_table_contains (link->in_flight, row->event))
    return;
  if (link->port.operations->deliver (link->port.self, row->kind, row->event, row->payload))
    g_hash_table_add (link->in_flight, g_strdup (row->event));
}

static void fill (Link *link, GPtrArray *alerts, GPtrArray *incidents)
{
  for (guint i = 0; i < MAX (alerts->len, incidents->len); i++) {
    if (i < alerts->len && g_hash_table_size (link->in_flight) < DELIVERY_IN_FLIGHT_MAX)
      give (link, alerts->pdata[i]);
    if (i < incidents->len && g_hash_table_size (link->in_flight) < DELIVERY_IN_FLIGHT_MAX)
      give (link, incidents->pdata[i]);
  }
}

static void pump_link (Link *link, Database *reader)
{
  Store *store = link->dispatcher->store;
  gint64 monotonic_us = clock_monotonic_us (store_clock (store)), wall_us = clock_wall_us (store_clock (store));
  if (link->port.operations == NULL || !link->is_ready)
    return;
  if (monotonic_us < link->paused_until_us) {
    store_set_timer (store, wake_job, link, link->paused_until_us);
    return;
  }
  guint held = g_hash_table_size (link->in_flight);
  if (held >= DELIVERY_IN_FLIGHT_MAX)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) alerts
    = outbox_next (reader, link->receiver, "alerts", wall_us, DELIVERY_IN_FLIGHT_MAX + held, &error);
  g_autoptr (GPtrArray) incidents
    = alerts != NULL
        ? outbox_next (reader, link->receiver, "incidents", wall_us, DELIVERY_IN_FLIGHT_MAX + held, &error)
        : NULL;
  if (incidents == NULL) {
    log_limited (LOG_LEVEL_ERROR, "outbox of %s: %s", link->receiver, error->message);
    return;
  }
  fill (link, alerts, incidents);
  gint64 next_us = outbox_next_time (reader, link->receiver, wall_us);
  if (next_us != G_MAXINT64)
    store_set_timer (store, wake_job, link, monotonic_us + next_us - wall_us);
}

static void pump (gpointer data)
{
  Dispatcher *dispatcher = data;
  g_autoptr (GError) error = NULL;
  Database *reader = store_reader (dispatcher->store, &error);
  if (reader == NULL) {
    log_limited (LOG_LEVEL_ERROR, "outbox: %s", error->message);
    return;
  }
  for (guint i = 0; i < dispatcher->links->len; i++)
    pump_link (dispatcher->links->pdata[i], reader);
}

static void end_waking (gpointer data)
{
  ((Dispatcher *) data)->is_waking = FALSE;
}

void dispatcher_wake (Dispatcher *dispatcher)
{
  if (dispatcher->is_waking)
    return;
  dispatcher->is_waking = TRUE;
  store_after_commit (dispatcher->store, pump, dispatcher, end_waking);
}

/* 1 s, 2 s, 4 s … 5 min, each up to a quarter longer so that receivers don't come in step. */
static gint64 pause_us (gint64 failures)
{
  gint64 pause = PAUSE_FIRST_US << CLAMP (failures - 1, 0, 20);
  pause = MIN (pause, PAUSE_LAST_US);
  return pause + (gint64) (g_random_double () * (double) pause / 4);
}

static gboolean settle_failure (Link *link, Database *database, const Report *report, gint64 wall_us, GError **error)
{
  Clock *clock = store_clock (link->dispatcher->store);
  gint64 attempts = outbox_attempts (database, link->receiver, report->event);
  gint64 row_pause_us = MAX (pause_us (attempts + 1), report->retry_after_us);
  link->failures++;
  link->paused_until_us = clock_monotonic_us (clock) + MAX (pause_us (link->failures), report->retry_after_us);
  log_limited (LOG_LEVEL_WARNING, "receiver %s: %s; trying again", link->receiver,
               report->detail != NULL ? report->detail : "a delivery failed");
  return outbox_postpone (database, link->receiver, report->event, wall_us + row_pause_us, error);
}

static gboolean completed_job (Database *database, gpointer data, GError **error)
{
  Report *report = data;
  Link *link = report->link;
  gint64 wall_us = clock_wall_us (store_clock (link->dispatcher->store));
  g_hash_table_remove (link->in_flight, report->event);
  dispatcher_wake (link->dispatcher);
  if (!follow_clock (link->dispatcher, database, error))
    return FALSE;
  switch (report->outcome) {
  case DELIVERY_DONE:
    link->failures = 0;
    return outbox_settle (database, link->receiver, report->event, "delivered", report->detail, wall_us, error);
  case DELIVERY_SENT:
    link->failures = 0;
    return outbox_postpone (database, link->receiver, report->event, wall_us + AGAIN_US, error);
  case DELIVERY_RETURNED:
    return TRUE;
  case DELIVERY_RETRY:
    return settle_failure (link, database, report, wall_us, error);
  case DELIVERY_REFUSED:
    link->failures = 0;
    log_limited (LOG_LEVEL_WARNING, "receiver %s refused event %s: %s", link->receiver, report->event,
                 report->detail != NULL ? report->detail : "no reason given");
    return outbox_settle (database, link->receiver, report->event, "refused", report->detail, wall_us, error);
  }
  return TRUE;
}

static gboolean ready_job (Database *database, gpointer data, GError **error)
{
  Report *report = data;
  (void) database, (void) error;
  report->link->is_ready = report->is_ready;
  if (!report->is_ready)
    g_hash_table_remove_all (report->link->in_flight);
  dispatcher_wake (report->link->dispatcher);
  return TRUE;
}

static void report_done (gpointer data, const GError *error)
{
  Report *report = data;
  Store *store = report->link->dispatcher->store;
  if (error != NULL)
    store_set_timer (store, wake_job, report->link, clock_monotonic_us (store_clock (store)) + STORE_AGAIN_US);
  report_free (report);
}

static Report *report_new (Link *link)
{
  Report *report = g_new0 (Report, 1);
  report->link = link;
  return report;
}

static void submit (Report *report, StoreJob job, StoreDone done)
{
  if (!store_submit (report->link->dispatcher->store, job, done, report))
    report_free (report); /* closing: the rows are still in the outbox */
}

/* thread: the port's, also the two below */
static void port_ready (gpointer data, gboolean is_ready)
{
  Report *report = report_new (data);
  report->is_ready = is_ready;
  submit (report, ready_job, report_done);
}

static void port_completed (gpointer data, const char *event, DeliveryOutcome outcome, gint64 retry_after_us,
                            const char *detail)
{
  Report *report = report_new (data);
  report->event = g_strdup (event);
  report->outcome = outcome;
  report->retry_after_us = retry_after_us;
  report->detail = detail != NULL ? g_utf8_make_valid (detail, (gssize) strnlen (detail, 500)) : NULL;
  submit (report, completed_job, report_done);
}

static gboolean command_job (Database *database, gpointer data, GError **error)
{
  Report *report = data;
  Dispatcher *dispatcher = report->link->dispatcher;
  return dispatcher->command (dispatcher->data, database, report->link->receiver, report->command,
                              report->command_size, &report->reply, error);
}

static void command_done (gpointer data, const GError *error)
{
  Report *report = data;
  const DeliveryPort *port = &report->link->port;
  if (error != NULL)
    log_limited (LOG_LEVEL_WARNING, "center %s: a command was not carried out: %s", report->link->receiver,
                 error->message);
  else if (report->reply != NULL && port->operations != NULL && port->operations->reply != NULL)
    port->operations->reply (port->self, report->reply);
  report_free (report);
}

static void port_command (gpointer data, const char *json, gsize size)
{
  Report *report = report_new (data);
  report->command = g_memdup2 (json, size);
  report->command_size = size;
  submit (report, command_job, command_done);
}

static gboolean attach_job (Database *database, gpointer data, GError **error)
{
  Link *link = data;
  Dispatcher *dispatcher = link->dispatcher;
  DeliverySink sink = { link, port_ready, port_completed, port_command };
  gint64 latest_us = clock_wall_us (store_clock (dispatcher->store)) + PAUSE_BOUND_US;
  if (!outbox_bound (database, link->receiver, latest_us, error)
      || !link->port.operations->open (link->port.self, &sink, error))
    return FALSE;
  g_ptr_array_add (dispatcher->links, link);
  link->is_attached = TRUE;
  if (dispatcher->attached != NULL)
    dispatcher->attached (dispatcher->data, link->receiver, &link->port);
  return TRUE;
}

static void link_free (gpointer data)
{
  Link *link = data;
  g_hash_table_unref (link->in_flight);
  g_free (link->receiver);
  g_free (link);
}

gboolean dispatcher_attach (Dispatcher *dispatcher, const char *receiver, DeliveryPort port, GError **error)
{
  Link *link = g_new0 (Link, 1);
  link->dispatcher = dispatcher;
  link->receiver = g_strdup (receiver);
  link->port = port;
  link->in_flight = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GError) failure = NULL;
  if (store_run (dispatcher->store, attach_job, link, &failure) || link->is_attached)
    return TRUE; /* also when only the commit of others in the same group failed */
  link_free (link);
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

typedef struct {
  Dispatcher *dispatcher;
  const char *receiver;
} Detach;

static gboolean detach_job (Database *database, gpointer data, GError **error)
{
  Detach *detach = data;
  (void) database, (void) error;
  for (guint i = 0; i < detach->dispatcher->links->len; i++) {
    Link *link = detach->dispatcher->links->pdata[i];
    if (strcmp (link->receiver, detach->receiver) != 0)
      continue;
    link->port = (DeliveryPort) { NULL, NULL };
    link->is_ready = FALSE;
    g_hash_table_remove_all (link->in_flight);
  }
  return TRUE;
}

void dispatcher_detach (Dispatcher *dispatcher, const char *receiver)
{
  Detach detach = { dispatcher, receiver };
  g_autoptr (GError) error = NULL;
  if (!store_run (dispatcher->store, detach_job, &detach, &error))
    log_warning ("receiver %s: %s", receiver, error->message);
}

void dispatcher_state (Dispatcher *dispatcher, const char *topic, const char *payload)
{
  for (guint i = 0; i < dispatcher->links->len; i++) {
    Link *link = dispatcher->links->pdata[i];
    if (link->port.operations != NULL && link->port.operations->state != NULL)
      link->port.operations->state (link->port.self, topic, payload);
  }
}

Dispatcher *dispatcher_new (Store *store, DispatcherCommand command, DispatcherAttached attached, gpointer data)
{
  Dispatcher *dispatcher = g_new0 (Dispatcher, 1);
  dispatcher->store = store;
  dispatcher->command = command;
  dispatcher->attached = attached;
  dispatcher->data = data;
  dispatcher->clock_offset_us = clock_offset_us (dispatcher);
  dispatcher->links = g_ptr_array_new_with_free_func (link_free);
  return dispatcher;
}

void dispatcher_free (Dispatcher *dispatcher)
{
  if (dispatcher == NULL)
    return;
  g_ptr_array_unref (dispatcher->links);
  g_free (dispatcher);
}
