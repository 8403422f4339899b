#include "adapters/center/center_connection.h"

#include <string.h>

#include <jansson.h>

#include "adapters/center/center_connection_private.h"
#include "gateway/core/log.h"

#define PAUSE_FIRST_US (1 * G_TIME_SPAN_SECOND)
#define PAUSE_LAST_US (60 * G_TIME_SPAN_SECOND)
#define SILENT_US (30 * G_TIME_SPAN_SECOND) /* without any acknowledgement: the connection is taken for dead */

/* Every open port hears it; outside the lock. */
static void tell_ready (CenterConnection *connection, gboolean is_ready)
{
  g_autoptr (GArray) sinks = g_array_new (FALSE, FALSE, sizeof (DeliverySink));
  g_mutex_lock (&connection->mutex);
  for (guint i = 0; i <= connection->ports->len; i++) {
    Port *port = i == 0 ? &connection->own : connection->ports->pdata[i - 1];
    if (port->is_open)
      g_array_append_val (sinks, port->sink);
  }
  g_mutex_unlock (&connection->mutex);
  for (guint i = 0; i < sinks->len; i++) {
    DeliverySink *sink = &g_array_index (sinks, DeliverySink, i);
    sink->ready (sink->data, is_ready);
  }
}

static void complete (const Outgoing *outgoing, DeliveryOutcome outcome, const char *detail)
{
  if (outgoing->kind != SENT_EVENT)
    return;
  const DeliverySink *sink = &outgoing->port->sink;
  sink->completed (sink->data, outgoing->event, outcome, 0, detail);
}

/* Events go back to the outbox; states are sent anew after the next connect; replies wait here. */
static void take_back (CenterConnection *connection)
{
  GHashTableIter iter;
  gpointer value;
  Outgoing *outgoing;
  g_hash_table_iter_init (&iter, connection->in_flight);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    outgoing = value;
    if (outgoing->kind == SENT_REPLY) {
      g_mutex_lock (&connection->mutex);
      g_queue_push_head (&connection->replies, outgoing);
      g_mutex_unlock (&connection->mutex);
      continue;
    }
    if (outgoing->kind == SENT_EVENT)
      complete (outgoing, DELIVERY_RETURNED, NULL);
    center_outgoing_free (outgoing);
  }
  g_hash_table_remove_all (connection->in_flight);
  for (;;) {
    g_mutex_lock (&connection->mutex);
    outgoing = g_queue_pop_head (&connection->events);
    g_mutex_unlock (&connection->mutex);
    if (outgoing == NULL)
      return;
    complete (outgoing, DELIVERY_RETURNED, NULL);
    center_outgoing_free (outgoing);
  }
}

static gint64 next_pause_us (CenterConnection *connection)
{
  gint64 pause = MIN (PAUSE_FIRST_US << MIN (connection->failures, 10), PAUSE_LAST_US);
  connection->failures++;
  return pause + (gint64) (g_random_double () * (double) pause / 4);
}

static void end_session (CenterConnection *connection, const char *reason)
{
  gboolean was_up;
  gint64 now_us = g_get_monotonic_time ();
  g_mutex_lock (&connection->mutex);
  was_up = connection->phase == PHASE_UP;
  connection->phase = PHASE_DOWN;
  g_mutex_unlock (&connection->mutex);
  center_session_free (g_steal_pointer (&connection->session));

  g_mutex_lock (&connection->mutex);
  connection->has_connected = connection->has_ended = FALSE;
  g_clear_pointer (&connection->end_reason, g_free);
  g_queue_clear_full (&connection->acknowledgements, center_acknowledgement_free);
  g_mutex_unlock (&connection->mutex);

  take_back (connection);
  if (was_up)
    tell_ready (connection, FALSE);
  if (was_up && now_us - connection->up_since_us > PAUSE_LAST_US)
    connection->failures = 0;
  if (!connection->is_leaving && (was_up || g_strcmp0 (reason, connection->last_reason) != 0))
    log_warning ("center %s: %s; trying again until it is back", connection->center->id, reason);
  g_free (connection->last_reason);
  connection->last_reason = g_strdup (reason);
  connection->next_connect_us = now_us + next_pause_us (connection);
}

static char *status_payload (CenterConnection *connection, gboolean is_online)
{
  if (!is_online)
    return g_strdup ("{\"online\":false}");
  json_t *json = json_pack ("{s:b, s:s, s:s, s:s}", "online", 1, "gateway", connection->gateway, "version",
                            GRIDGATE_VERSION, "since", connection->since);
  char *text = json_dumps (json, JSON_COMPACT), *kept = g_strdup (text);
  free (text);
  json_decref (json);
  return kept;
}

static void begin_session (CenterConnection *connection)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *client_id = connection->center->client_id != NULL
                                 ? g_strdup (connection->center->client_id)
                                 : g_strdup_printf ("gridgate-%s", connection->gateway);
  g_autofree char *topic = g_strconcat (connection->prefix, "status", NULL);
  g_autofree char *offline = status_payload (connection, FALSE);
  CenterSessionOptions options = { connection->center, client_id, topic, offline };
  CenterSessionEvents events = { connection, center_note_connected, center_note_ended, center_note_acknowledged, center_note_received };
  connection->session = center_session_open (&options, &events, &error);
  if (connection->session == NULL) {
    end_session (connection, error->message);
    return;
  }
  g_mutex_lock (&connection->mutex);
  connection->phase = PHASE_CONNECTING;
  g_mutex_unlock (&connection->mutex);
}

/* Takes `outgoing`. */
static void publish (CenterConnection *connection, Outgoing *outgoing)
{
  g_autofree char *topic = g_strconcat (connection->prefix, outgoing->topic, NULL);
  guint64 token = ++connection->last_token;
  gboolean is_retained = outgoing->kind == SENT_STATE || outgoing->kind == SENT_STATUS;
  outgoing->at_us = g_get_monotonic_time ();
  g_hash_table_insert (connection->in_flight, g_memdup2 (&token, sizeof token), outgoing);
  if (!center_session_publish (connection->session, token, topic, outgoing->payload, is_retained,
                               outgoing->kind == SENT_EVENT))
    center_note_ended (connection, "the connection was lost");
}

static void publish_status (CenterConnection *connection, gboolean is_online)
{
  Outgoing *outgoing = g_new0 (Outgoing, 1);
  outgoing->kind = SENT_STATUS;
  outgoing->topic = g_strdup ("status");
  outgoing->payload = status_payload (connection, is_online);
  publish (connection, outgoing);
}

static void begin_up (CenterConnection *connection)
{
  static const char *const subscribed[] = { "acks", "commands" };
  GHashTableIter iter;
  gpointer topic;
  log_notice ("center %s: connected to %s", connection->center->id, connection->center->url);
  connection->up_since_us = g_get_monotonic_time ();
  for (guint i = 0; i < G_N_ELEMENTS (subscribed); i++) {
    g_autofree char *filter = g_strconcat (connection->prefix, subscribed[i], NULL);
    if (!center_session_subscribe (connection->session, filter))
      center_note_ended (connection, "the connection was lost");
  }
  publish_status (connection, TRUE);
  g_mutex_lock (&connection->mutex);
  connection->phase = PHASE_UP;
  g_hash_table_iter_init (&iter, connection->states);
  while (g_hash_table_iter_next (&iter, &topic, NULL))
    g_hash_table_add (connection->dirty, g_strdup (topic));
  g_mutex_unlock (&connection->mutex);
  tell_ready (connection, TRUE);
}

/* Under the lock. */
static Outgoing *next_state (CenterConnection *connection)
{
  GHashTableIter iter;
  gpointer topic;
  g_hash_table_iter_init (&iter, connection->dirty);
  if (!g_hash_table_iter_next (&iter, &topic, NULL))
    return NULL;
  const char *payload = g_hash_table_lookup (connection->states, topic);
  Outgoing *outgoing = g_new0 (Outgoing, 1);
  outgoing->kind = SENT_STATE;
  outgoing->topic = g_strdup (topic);
  outgoing->payload = g_strdup (payload != NULL ? payload : "");
  g_hash_table_iter_remove (&iter);
  return outgoing;
}

/* Answers first, then events, then states. Under the lock. */
static Outgoing *next_outgoing (CenterConnection *connection)
{
  Outgoing *outgoing = g_queue_pop_head (&connection->replies);
  if (outgoing == NULL)
    outgoing = g_queue_pop_head (&connection->events);
  return outgoing != NULL ? outgoing : next_state (connection);
}

static void acknowledge (CenterConnection *connection, const Acknowledgement *acknowledgement)
{
  Outgoing *outgoing = g_hash_table_lookup (connection->in_flight, &acknowledgement->token);
  if (outgoing == NULL)
    return;
  gboolean waits_for_center
    = outgoing->kind == SENT_EVENT && outgoing->port->agency == NULL && connection->center->ack == ACK_APPLICATION;
  if (acknowledgement->problem != NULL) {
    log_limited (LOG_LEVEL_WARNING, "center %s: %s was not taken: %s", connection->center->id, outgoing->topic,
                 acknowledgement->problem);
    complete (outgoing, DELIVERY_RETRY, acknowledgement->problem);
  } else {
    connection->failures = 0;
    complete (outgoing, waits_for_center ? DELIVERY_SENT : DELIVERY_DONE, NULL);
  }
  g_hash_table_remove (connection->in_flight, &acknowledgement->token);
  center_outgoing_free (outgoing);
}

static void take_acks (CenterConnection *connection, const Incoming *incoming)
{
  const DeliverySink *sink = &connection->own.sink;
  json_t *json = json_loadb (incoming->payload, incoming->size, JSON_REJECT_DUPLICATES, NULL), *id;
  size_t index;
  if (!json_is_array (json_object_get (json, "ids")))
    log_limited (LOG_LEVEL_WARNING, "center %s: an acknowledgement that is not {\"ids\":[…]}", connection->center->id);
  json_array_foreach (json_object_get (json, "ids"), index, id)
    if (json_is_string (id) && json_string_length (id) <= 64)
      sink->completed (sink->data, json_string_value (id), DELIVERY_DONE, 0, NULL);
  json_decref (json);
}

static void take_incoming (CenterConnection *connection, const Incoming *incoming)
{
  const DeliverySink *sink = &connection->own.sink;
  if (incoming->is_command)
    sink->command (sink->data, incoming->payload, incoming->size);
  else
    take_acks (connection, incoming);
}

static gboolean is_silent (CenterConnection *connection)
{
  GHashTableIter iter;
  gpointer value;
  gint64 oldest_us = g_get_monotonic_time () - SILENT_US;
  g_hash_table_iter_init (&iter, connection->in_flight);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((Outgoing *) value)->at_us < oldest_us)
      return TRUE;
  return FALSE;
}

/* One piece of work; FALSE when there was none. */
static gboolean work (CenterConnection *connection)
{
  g_mutex_lock (&connection->mutex);
  g_autofree char *end_reason = connection->has_ended ? g_strdup (connection->end_reason) : NULL;
  gboolean has_ended = connection->has_ended, has_connected = connection->has_connected;
  connection->has_connected = FALSE;
  Acknowledgement *acknowledgement = g_queue_pop_head (&connection->acknowledgements);
  Incoming *incoming = acknowledgement == NULL ? g_queue_pop_head (&connection->incoming) : NULL;
  Outgoing *outgoing = NULL;
  if (acknowledgement == NULL && incoming == NULL && !has_ended && !has_connected && connection->phase == PHASE_UP
      && g_hash_table_size (connection->in_flight) < DELIVERY_IN_FLIGHT_MAX)
    outgoing = next_outgoing (connection);
  g_mutex_unlock (&connection->mutex);

  if (acknowledgement != NULL) {
    acknowledge (connection, acknowledgement);
    center_acknowledgement_free (acknowledgement);
  }
  if (incoming != NULL) {
    take_incoming (connection, incoming);
    center_incoming_free (incoming);
  }
  if (has_ended && acknowledgement == NULL)
    end_session (connection, end_reason);
  else if (has_connected)
    begin_up (connection);
  else if (outgoing != NULL)
    publish (connection, outgoing);
  return acknowledgement != NULL || incoming != NULL || has_ended || has_connected || outgoing != NULL;
}

/* Waits for the next event, but not beyond the next connect or a look at silence. Under the lock. */
static void wait_for_work (CenterConnection *connection)
{
  gint64 until_us = g_get_monotonic_time () + 5 * G_TIME_SPAN_SECOND;
  if (connection->session == NULL)
    until_us = connection->next_connect_us;
  gboolean has_room
    = connection->phase == PHASE_UP && g_hash_table_size (connection->in_flight) < DELIVERY_IN_FLIGHT_MAX;
  gboolean has_outgoing = connection->events.length > 0 || connection->replies.length > 0
                          || g_hash_table_size (connection->dirty) > 0;
  if (!connection->is_stopping && !connection->has_connected && !connection->has_ended
      && connection->acknowledgements.length == 0 && connection->incoming.length == 0 && !(has_room && has_outgoing))
    g_cond_wait_until (&connection->changed, &connection->mutex, until_us);
}

/* The last word is retained too: a broker that sees us leave in order does not send the will. */
static void say_goodbye (CenterConnection *connection)
{
  gint64 until_us = g_get_monotonic_time () + 2 * G_TIME_SPAN_SECOND;
  connection->is_leaving = TRUE;
  if (connection->phase == PHASE_UP) {
    publish_status (connection, FALSE);
    guint64 token = connection->last_token;
    g_mutex_lock (&connection->mutex);
    while (g_hash_table_contains (connection->in_flight, &token) && !connection->has_ended) {
      Acknowledgement *acknowledgement = g_queue_pop_head (&connection->acknowledgements);
      if (acknowledgement == NULL) {
        if (!g_cond_wait_until (&connection->changed, &connection->mutex, until_us))
          break;
        continue;
      }
      g_mutex_unlock (&connection->mutex);
      acknowledge (connection, acknowledgement);
      center_acknowledgement_free (acknowledgement);
      g_mutex_lock (&connection->mutex);
    }
    g_mutex_unlock (&connection->mutex);
    center_session_leave (connection->session);
  }
  end_session (connection, "stopped");
}

static gpointer connection_thread (gpointer data)
{
  CenterConnection *connection = data;
  for (;;) {
    g_mutex_lock (&connection->mutex);
    wait_for_work (connection);
    gboolean is_stopping = connection->is_stopping;
    g_mutex_unlock (&connection->mutex);
    if (is_stopping)
      break;
    if (work (connection))
      continue;
    if (connection->session == NULL && g_get_monotonic_time () >= connection->next_connect_us)
      begin_session (connection);
    else if (connection->session != NULL && is_silent (connection))
      center_note_ended (connection, "the broker acknowledges nothing");
  }
  say_goodbye (connection);
  return NULL;
}

static gboolean own_open (gpointer self, const DeliverySink *sink, GError **error)
{
  CenterConnection *connection = ((Port *) self)->connection;
  (void) error;
  connection->own.sink = *sink;
  connection->own.is_open = TRUE;
  connection->thread = g_thread_new ("center", connection_thread, connection);
  return TRUE;
}

static void own_stop (gpointer self)
{
  CenterConnection *connection = ((Port *) self)->connection;
  if (connection->thread == NULL)
    return;
  g_mutex_lock (&connection->mutex);
  connection->is_stopping = TRUE;
  g_cond_signal (&connection->changed);
  g_mutex_unlock (&connection->mutex);
  g_thread_join (g_steal_pointer (&connection->thread));
}

static void own_free (gpointer self)
{
  CenterConnection *connection = ((Port *) self)->connection;
  own_stop (self);
  g_queue_clear_full (&connection->events, center_outgoing_free);
  g_queue_clear_full (&connection->replies, center_outgoing_free);
  g_queue_clear_full (&connection->acknowledgements, center_acknowledgement_free);
  g_queue_clear_full (&connection->incoming, center_incoming_free);
  g_hash_table_unref (connection->states);
  g_hash_table_unref (connection->dirty);
  g_hash_table_unref (connection->in_flight);
  g_ptr_array_unref (connection->ports);
  g_cond_clear (&connection->changed);
  g_mutex_clear (&connection->mutex);
  g_free (connection->end_reason);
  g_free (connection->last_reason);
  g_free (connection->gateway);
  g_free (connection->prefix);
  g_free (connection->since);
  center_free (connection->center);
  g_free (connection);
}

static void agency_nothing (gpointer self)
{
  (void) self;
}

static gboolean agency_open (gpointer self, const DeliverySink *sink, GError **error)
{
  Port *port = self;
  CenterConnection *connection = port->connection;
  (void) error;
  g_mutex_lock (&connection->mutex);
  port->sink = *sink;
  port->is_open = TRUE;
  gboolean is_up = connection->phase == PHASE_UP;
  g_mutex_unlock (&connection->mutex);
  if (is_up)
    sink->ready (sink->data, TRUE);
  return TRUE;
}

static void port_free (gpointer data)
{
  Port *port = data;
  g_free (port->agency);
  g_free (port);
}

DeliveryPort center_connection_port (CenterConnection *connection)
{
  static const DeliveryOperations operations
    = { own_open, center_port_deliver, center_port_state, center_port_reply, center_port_close, own_stop, own_free };
  return (DeliveryPort) { &operations, &connection->own };
}

DeliveryPort center_connection_agency_port (CenterConnection *connection, const char *agency)
{
  static const DeliveryOperations operations
    = { agency_open, center_port_deliver, NULL, NULL, center_port_close, agency_nothing, agency_nothing };
  Port *port = g_new0 (Port, 1);
  port->connection = connection;
  port->agency = g_strdup (agency);
  g_mutex_lock (&connection->mutex);
  g_ptr_array_add (connection->ports, port); /* freed with the connection: an event of it may be on the way */
  g_mutex_unlock (&connection->mutex);
  return (DeliveryPort) { &operations, port };
}

gboolean center_connection_is_up (CenterConnection *connection)
{
  g_mutex_lock (&connection->mutex);
  gboolean is_up = connection->phase == PHASE_UP;
  g_mutex_unlock (&connection->mutex);
  return is_up;
}

CenterConnection *center_connection_new (const Center *center, const char *gateway, Clock *clock)
{
  CenterConnection *connection = g_new0 (CenterConnection, 1);
  connection->center = center_copy (center);
  connection->gateway = g_strdup (gateway);
  connection->prefix = g_strdup_printf ("gridgate/v1/%s/", gateway);
  connection->since = time_to_rfc3339 (clock_wall_us (clock));
  connection->own.connection = connection;
  connection->ports = g_ptr_array_new_with_free_func (port_free);
  connection->states = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  connection->dirty = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  connection->in_flight
    = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_mutex_init (&connection->mutex);
  g_cond_init (&connection->changed);
  return connection;
}
