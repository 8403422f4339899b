#include "adapters/center/center_connection_private.h"

#include <string.h>

#include "gateway/core/log.h"

enum { QUEUED_MAX = 64, INCOMING_MAX = 1000, REPLIES_MAX = 1000, MESSAGE_MAX = 256 * 1024 };

void center_outgoing_free (gpointer data)
{
  Outgoing *outgoing = data;
  if (outgoing == NULL)
    return;
  g_free (outgoing->event);
  g_free (outgoing->topic);
  g_free (outgoing->payload);
  g_free (outgoing);
}

void center_acknowledgement_free (gpointer data)
{
  Acknowledgement *acknowledgement = data;
  g_free (acknowledgement->problem);
  g_free (acknowledgement);
}

void center_incoming_free (gpointer data)
{
  Incoming *incoming = data;
  g_free (incoming->payload);
  g_free (incoming);
}

/* From Paho's threads, its lock held. */

void center_note_connected (gpointer data)
{
  CenterConnection *connection = data;
  g_mutex_lock (&connection->mutex);
  connection->has_connected = TRUE;
  g_cond_signal (&connection->changed);
  g_mutex_unlock (&connection->mutex);
}

void center_note_ended (gpointer data, const char *reason)
{
  CenterConnection *connection = data;
  g_mutex_lock (&connection->mutex);
  if (!connection->has_ended)
    connection->end_reason = g_strdup (reason);
  connection->has_ended = TRUE;
  g_cond_signal (&connection->changed);
  g_mutex_unlock (&connection->mutex);
}

void center_note_acknowledged (gpointer data, guint64 token, const char *problem)
{
  CenterConnection *connection = data;
  Acknowledgement *acknowledgement = g_new0 (Acknowledgement, 1);
  acknowledgement->token = token;
  acknowledgement->problem = g_strdup (problem);
  g_mutex_lock (&connection->mutex);
  g_queue_push_tail (&connection->acknowledgements, acknowledgement);
  g_cond_signal (&connection->changed);
  g_mutex_unlock (&connection->mutex);
}

void center_note_received (gpointer data, const char *topic, const char *payload, gsize size)
{
  CenterConnection *connection = data;
  gboolean is_full;
  g_mutex_lock (&connection->mutex);
  is_full = connection->incoming.length >= INCOMING_MAX || size > MESSAGE_MAX;
  if (!is_full) {
    Incoming *incoming = g_new0 (Incoming, 1);
    incoming->is_command = g_str_has_suffix (topic, "/commands");
    incoming->payload = g_memdup2 (payload, size);
    incoming->size = size;
    g_queue_push_tail (&connection->incoming, incoming);
    g_cond_signal (&connection->changed);
  }
  g_mutex_unlock (&connection->mutex);
  if (is_full)
    log_limited (LOG_LEVEL_WARNING, "center %s: a message of %zu bytes was dropped: too large or too many",
                 connection->center->id, size);
}

/* The ports. */

gboolean center_port_deliver (gpointer self, const char *kind, const char *event, const char *payload)
{
  Port *port = self;
  CenterConnection *connection = port->connection;
  gboolean is_taken;
  g_mutex_lock (&connection->mutex);
  is_taken = port->is_open && connection->phase == PHASE_UP
             && connection->events.length < QUEUED_MAX * (1 + connection->ports->len);
  if (is_taken) {
    Outgoing *outgoing = g_new0 (Outgoing, 1);
    outgoing->kind = SENT_EVENT;
    outgoing->port = port;
    outgoing->event = g_strdup (event);
    outgoing->topic
      = port->agency != NULL ? g_strdup_printf ("agencies/%s/%s", port->agency, kind) : g_strdup (kind);
    outgoing->payload = g_strdup (payload);
    g_queue_push_tail (&connection->events, outgoing);
    g_cond_signal (&connection->changed);
  }
  g_mutex_unlock (&connection->mutex);
  return is_taken;
}

void center_port_state (gpointer self, const char *topic, const char *payload)
{
  CenterConnection *connection = ((Port *) self)->connection;
  g_mutex_lock (&connection->mutex);
  g_hash_table_replace (connection->states, g_strdup (topic), g_strdup (payload));
  g_hash_table_add (connection->dirty, g_strdup (topic));
  g_cond_signal (&connection->changed);
  g_mutex_unlock (&connection->mutex);
}

void center_port_reply (gpointer self, const char *payload)
{
  CenterConnection *connection = ((Port *) self)->connection;
  Outgoing *outgoing = g_new0 (Outgoing, 1);
  outgoing->kind = SENT_REPLY;
  outgoing->topic = g_strdup ("replies");
  outgoing->payload = g_strdup (payload);
  g_mutex_lock (&connection->mutex);
  g_queue_push_tail (&connection->replies, outgoing);
  if (connection->replies.length > REPLIES_MAX) /* the center asks again and is answered from the table */
    center_outgoing_free (g_queue_pop_head (&connection->replies));
  g_cond_signal (&connection->changed);
  g_mutex_unlock (&connection->mutex);
}

void center_port_close (gpointer self)
{
  Port *port = self;
  g_mutex_lock (&port->connection->mutex);
  port->is_open = FALSE;
  g_mutex_unlock (&port->connection->mutex);
}
