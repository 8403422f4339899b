#include "adapters/brokers/mqtt_session_private.h"

#include <poll.h>
#include <string.h>

#include "gateway/core/log.h"

enum {
  KEEP_ALIVE_SECONDS = 30,
  SESSION_SECONDS = 30 * 86400, /* how long a broker of MQTT 5 keeps our session */
  ANSWER_SECONDS = 10,
  REQUEST_SECONDS = 20,
  LEAVE_MS = 1000,
  OUTPUT_BYTES_MAX = 1024 * 1024, /* then nothing is published any more */
  ASSUMED_WINDOW = 20, /* that of a broker of MQTT 3.1.1: mosquitto's, and others' or more */
  REST_US = 4000,
  DENSE_US = 3 * REST_US, /* messages follow each other so closely that a rest may bring several */
  TELL_US = 1000000,
  LATE_MAX = BROKER_WINDOW / 8, /* so many may be acknowledged later, while we rest: a write costs as much as five messages */
  NO_REST_US = 20000, /* after one that brought nothing */
};

MqttSession *mqtt_session_new (BrokerConnection *connection, MqttSocket *socket, int protocol)
{
  MqttSession *session = g_new0 (MqttSession, 1);
  session->connection = connection;
  session->socket = socket;
  session->protocol = protocol;
  session->keep_alive_us = KEEP_ALIVE_SECONDS * G_USEC_PER_SEC;
  session->packet_bytes_max = G_MAXUINT32;
  session->input = g_malloc (MQTT_INPUT_BYTES);
  session->output = g_byte_array_new ();
  session->heard_us = session->sent_us = g_get_monotonic_time ();
  return session;
}

gboolean mqtt_session_end (MqttSession *session, const char *problem)
{
  g_strlcpy (session->problem, problem, sizeof session->problem);
  return FALSE;
}

static gboolean end_closed (MqttSession *session)
{
  const char *problem = mqtt_socket_problem (session->socket);
  if (problem[0] == '\0') /* mosquitto says no word when another client takes over */
    problem = session->is_logged_in ? "the broker closed it: it was stopped, or another client has come with our client id"
                                    : "the broker closed it";
  return mqtt_session_end (session, problem);
}

/* Bytes */

static gboolean write_output (MqttSession *session)
{
  gsize at = 0, done;
  MqttSocketState state = MQTT_SOCKET_OPEN;
  while (at < session->output->len && state == MQTT_SOCKET_OPEN) {
    state = mqtt_socket_write (session->socket, session->output->data + at, session->output->len - at, &done);
    at += done;
  }
  if (at > 0) {
    session->sent_us = g_get_monotonic_time ();
    g_byte_array_remove_range (session->output, 0, (guint) at);
  }
  session->is_blocked = session->output->len > 0;
  return state != MQTT_SOCKET_CLOSED || end_closed (session);
}

static gboolean read_input (MqttSession *session)
{
  gsize done;
  if (session->at > 0) {
    memmove (session->input, session->input + session->at, session->filled - session->at);
    session->filled -= session->at;
    session->at = 0;
  }
  gsize room = MQTT_INPUT_BYTES - session->filled;
  MqttSocketState state = mqtt_socket_read (session->socket, session->input + session->filled, room, &done);
  session->filled += done;
  session->is_readable = done == room || mqtt_socket_has_more (session->socket);
  if (done > 0)
    session->heard_us = g_get_monotonic_time ();
  return state != MQTT_SOCKET_CLOSED || end_closed (session);
}

/* A turn */

static gboolean is_paused (const MqttSession *session)
{
  return session->is_stopped && (session->is_held_up || mqtt_window_is_full (&session->window));
}

/* Parses what waits, then reads and parses what is new. */
static gboolean take_messages (MqttSession *session)
{
  session->taken = 0;
  if (is_paused (session)) {
    session->heard_us = g_get_monotonic_time (); /* an answer to a ping may lie behind what waits */
    return TRUE;
  }
  if (session->is_stopped && !mqtt_session_parse (session))
    return FALSE;
  if (session->is_stopped || !session->is_readable)
    return TRUE;
  return read_input (session) && mqtt_session_parse (session);
}

static void publish_all (MqttSession *session, const GPtrArray *publications)
{
  for (guint i = 0; publications != NULL && i < publications->len; i++) {
    const MqttPublication *publication = publications->pdata[i];
    gsize size, before = session->output->len;
    const guint8 *payload = g_bytes_get_data (publication->payload, &size);
    if (before < OUTPUT_BYTES_MAX && mqtt_publish_write (session->output, session->protocol, publication->topic, payload, size)
        && session->output->len - before <= session->packet_bytes_max)
      continue;
    g_byte_array_set_size (session->output, (guint) before);
    log_limited (LOG_LEVEL_WARNING, "broker %s: nothing could be published to %s", session->connection->settings->id,
                 publication->topic);
  }
}

static void acknowledge (MqttSession *session)
{
  mqtt_window_flush (&session->window, session->acknowledged, session->output);
}

static void carry_out (MqttSession *session, const MqttOrders *orders)
{
  MqttSubscriptions *subscriptions = session->connection->subscriptions;
  session->acknowledged = orders->acknowledged;
  if (orders->is_resumed)
    session->is_held_up = FALSE;
  if (orders->wanted != NULL)
    mqtt_subscriptions_want (subscriptions, (const char *const *) orders->wanted, session->output);
  if (orders->forgotten != NULL)
    mqtt_subscriptions_forget (subscriptions, (const char *const *) orders->forgotten->pdata, orders->forgotten->len,
                               session->output);
  publish_all (session, orders->publications);
  if (!session->is_after_rest || orders->is_closing)
    acknowledge (session);
}

/* Pings go out after three quarters of the time in which the broker wants to hear from us (3.1.2.10). */
static gint64 ping_due_us (const MqttSession *session)
{
  return MIN (session->sent_us, session->heard_us) + session->keep_alive_us * 3 / 4;
}

static gboolean keep_alive (MqttSession *session, gint64 now)
{
  gint64 asked_us = mqtt_subscriptions_waiting_since (session->connection->subscriptions);
  if (session->is_stopped)
    session->stopped_us = now; /* answers may lie behind what waits */
  if (asked_us != 0 && now - MAX (asked_us, session->stopped_us) > REQUEST_SECONDS * G_USEC_PER_SEC)
    return mqtt_session_end (session, "the broker doesn't answer a subscription");
  if (session->ping_us > session->heard_us && now - session->ping_us > session->keep_alive_us / 2)
    return mqtt_session_end (session, "the broker doesn't answer any more");
  if (now < ping_due_us (session) || session->ping_us > session->heard_us)
    return TRUE;
  mqtt_ping_write (session->output);
  session->ping_us = now;
  return write_output (session);
}

/* When there is next something to do without anybody's asking. */
static gint64 wait_us (const MqttSession *session, gint64 now)
{
  gint64 due_us = session->ping_us > session->heard_us ? session->ping_us + session->keep_alive_us / 2 : ping_due_us (session);
  gint64 until_us = MIN (now + REQUEST_SECONDS * G_USEC_PER_SEC, MAX (due_us, now + G_USEC_PER_SEC / 10));
  if (session->window.held > 0 || session->is_held_up)
    until_us = MIN (until_us, now + TELL_US);
  return until_us - now;
}

/* After what this turn brought. */
static gboolean may_rest (MqttSession *session)
{
  gint64 now = g_get_monotonic_time ();
  if (session->taken > 0) {
    session->taken_before_us = session->taken_us;
    session->taken_us = now;
  }
  if (session->is_after_rest && session->taken < 2)
    session->no_rest_until_us = now + NO_REST_US;
  session->is_after_rest = FALSE;
  guint window = session->protocol == MQTT_5 ? BROKER_WINDOW : ASSUMED_WINDOW;
  return session->taken > 0 && (session->taken + session->window.held) * 4 <= window && !session->is_stopped
         && !session->is_readable && !session->is_blocked
         && session->taken_us - session->taken_before_us < DENSE_US && now >= session->no_rest_until_us;
}

/* FALSE when the connection is broken. */
static gboolean wait_for_more (MqttSession *session, gboolean is_rest)
{
  gint64 now = g_get_monotonic_time ();
  if (!keep_alive (session, now))
    return FALSE;
  if (is_rest) {
    mqtt_broker_wait (session->connection, -1, 0, REST_US, TRUE);
    session->is_readable = session->is_after_rest = TRUE;
    return TRUE;
  }
  if (session->is_stopped ? !is_paused (session) : session->is_readable)
    return TRUE;
  short events = (short) ((session->is_stopped ? 0 : POLLIN) | (session->is_blocked ? POLLOUT : 0));
  short found = mqtt_broker_wait (session->connection, mqtt_socket_fd (session->socket), events, wait_us (session, now), FALSE);
  session->is_readable |= (found & (POLLIN | POLLERR | POLLHUP)) != 0;
  if (session->is_stopped && (found & (POLLERR | POLLHUP)) != 0)
    return mqtt_session_end (session, "the broker went away");
  return TRUE;
}

/* How many a broker of MQTT 3.1.1 sends before it waits is not known. One of MQTT 5 may have a bound below ours (EMQX: 32), but even
 * that many are worth a commit. */
static gboolean may_broker_wait (const MqttSession *session)
{
  return session->window.held > (session->protocol == MQTT_5 ? BROKER_WINDOW / 4 : 0);
}

/* Again and again while messages are held, for the receiver may have been too busy to be woken. */
static void tell_all_received (MqttSession *session)
{
  const BrokerHandlers *handlers = &session->connection->handlers;
  gint64 now = g_get_monotonic_time ();
  gboolean is_held = session->window.held > 0 || session->is_held_up;
  if (handlers->received_all == NULL || (session->taken == 0 && !(is_held && now - session->told_us >= TELL_US)))
    return;
  session->told_us = now;
  handlers->received_all (handlers->self, may_broker_wait (session));
}

static gboolean turn (MqttSession *session)
{
  BrokerConnection *connection = session->connection;
  MqttOrders orders;
  mqtt_broker_take_orders (connection, &orders);
  gboolean is_closing = orders.is_closing;
  carry_out (session, &orders);
  mqtt_orders_clear (&orders);
  if (!write_output (session) || is_closing)
    return FALSE;
  gboolean goes_on = take_messages (session);
  tell_all_received (session);
  if (!goes_on)
    return FALSE;
  gboolean is_rest = may_rest (session);
  if (!is_rest || session->protocol != MQTT_5 || session->window.length > LATE_MAX)
    acknowledge (session);
  return write_output (session) && wait_for_more (session, is_rest);
}

void mqtt_session_run (MqttSession *session)
{
  while (turn (session))
    ;
}

/* Beginning and end */

static gboolean write_connect (MqttSession *session, const char *password)
{
  const BrokerConnection *connection = session->connection;
  gboolean ends_session = connection->handlers.ends_session;
  MqttConnect connect = { session->protocol, connection->client_id, connection->settings->username, password,
                          KEEP_ALIVE_SECONDS, ends_session, ends_session ? 0 : SESSION_SECONDS, BROKER_WINDOW };
  return mqtt_connect_write (session->output, &connect) || mqtt_session_end (session, "client id, user name or password is too long");
}

/* MQTT_WHOLE: `connack` is set. */
static MqttProgress take_connack (MqttSession *session, MqttConnack *connack)
{
  MqttHead head;
  MqttProgress progress = mqtt_head_read (session->input, session->filled, &head);
  if (progress == MQTT_MORE || (progress == MQTT_WHOLE && head.body_bytes < MQTT_INPUT_BYTES / 2
                                && session->filled < head.head_bytes + head.body_bytes))
    return MQTT_MORE;
  if (progress == MQTT_MALFORMED || head.type != MQTT_CONNACK || head.body_bytes >= MQTT_INPUT_BYTES / 2
      || !mqtt_connack_read (&head, session->input + head.head_bytes, session->protocol, connack)) {
    mqtt_session_end (session, "what answers there is no MQTT broker");
    return MQTT_MALFORMED;
  }
  session->at = head.head_bytes + head.body_bytes;
  return MQTT_WHOLE;
}

static gboolean read_connack (MqttSession *session, MqttConnack *connack)
{
  gint64 until_us = g_get_monotonic_time () + ANSWER_SECONDS * G_USEC_PER_SEC;
  while (!mqtt_broker_must_close (session->connection)) {
    if (!write_output (session) || !read_input (session))
      return FALSE;
    MqttProgress progress = take_connack (session, connack);
    if (progress != MQTT_MORE)
      return progress == MQTT_WHOLE;
    gint64 left_us = until_us - g_get_monotonic_time ();
    if (left_us <= 0)
      return mqtt_session_end (session, "the broker doesn't answer");
    mqtt_broker_wait (session->connection, mqtt_socket_fd (session->socket),
                      (short) (POLLIN | (session->is_blocked ? POLLOUT : 0)), left_us, TRUE);
  }
  return mqtt_session_end (session, "it is being closed");
}

gboolean mqtt_session_log_in (MqttSession *session, const char *password, MqttConnack *connack)
{
  if (!write_connect (session, password) || !read_connack (session, connack))
    return FALSE;
  if (connack->keep_alive_seconds > 0) /* one that asks for no pings, or few, is asked for a sign of life all the same */
    session->keep_alive_us = MIN (connack->keep_alive_seconds, KEEP_ALIVE_SECONDS) * G_USEC_PER_SEC;
  session->packet_bytes_max = connack->packet_bytes_max;
  session->is_logged_in = TRUE;
  session->is_stopped = TRUE; /* messages may have come with the answer */
  return TRUE;
}

void mqtt_session_leave (MqttSession *session)
{
  gint64 until_us = g_get_monotonic_time () + LEAVE_MS * 1000;
  gsize done;
  mqtt_disconnect_write (session->output);
  if (!write_output (session))
    return;
  mqtt_socket_finish (session->socket);
  for (gint64 left_us = LEAVE_MS * 1000; left_us > 0; left_us = until_us - g_get_monotonic_time ()) {
    MqttSocketState state = mqtt_socket_read (session->socket, session->input, MQTT_INPUT_BYTES, &done);
    if (state == MQTT_SOCKET_CLOSED)
      return;
    struct pollfd fd = { mqtt_socket_fd (session->socket), POLLIN, 0 };
    if (state == MQTT_SOCKET_LATER)
      poll (&fd, 1, (int) (left_us / 1000));
  }
}

const char *mqtt_session_problem (const MqttSession *session)
{
  return session->problem;
}

void mqtt_session_free (MqttSession *session)
{
  if (session == NULL)
    return;
  mqtt_socket_free (session->socket);
  raw_message_unref (session->large);
  g_byte_array_unref (session->output);
  g_free (session->input);
  g_free (session);
}
