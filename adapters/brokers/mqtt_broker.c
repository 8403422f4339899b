#include "adapters/brokers/mqtt_broker.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "adapters/brokers/mqtt_session.h"
#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "gateway/core/log.h"

enum {
  BACK_OFF_MAX_SECONDS = 60,
  REFUSED_SECONDS = 30,
  FORGET_AT_ONCE = 100,
  PUBLISH_AT_ONCE = 1000,
  RECEIPT_BITS = 40, /* of a receipt, for the number of the message; the others say of which connection it is */
};

/* State */

void mqtt_broker_set_state (BrokerConnection *connection, BrokerState state, const char *reason, const char *detail)
{
  g_mutex_lock (&connection->mutex);
  BrokerStatus *status = &connection->status;
  gboolean is_news = status->state != state || g_strcmp0 (status->reason, reason) != 0;
  if (status->state != state)
    status->since_us = clock_wall_us (clock_system ());
  status->state = state;
  status->reason = reason;
  g_strlcpy (status->detail, detail, sizeof status->detail);
  BrokerStatus now = *status;
  g_mutex_unlock (&connection->mutex);
  if (!is_news || state == BROKER_CONNECTING)
    return;
  log_write (state == BROKER_CONNECTED || state == BROKER_CLOSED ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARNING,
             "broker %s: %s%s%s", connection->settings->id, broker_state_name (state), detail[0] != '\0' ? ", " : "",
             detail);
  connection->handlers.changed (connection->handlers.self, connection->settings->id, &now);
}

/* Orders */

static void publication_free (gpointer data)
{
  MqttPublication *publication = data;
  g_free (publication->topic);
  g_bytes_unref (publication->payload);
  g_free (publication);
}

/* Under the mutex. */
static void wake (BrokerConnection *connection)
{
  guint64 one = 1;
  if (connection->doing != MQTT_BUSY)
    (void) !write (connection->event_fd, &one, sizeof one);
  connection->doing = MQTT_BUSY;
}

/* Under the mutex. */
static gboolean has_orders (const BrokerConnection *connection)
{
  return connection->is_closing || connection->is_wanted_new || connection->is_resumed || connection->is_acknowledged_new
         || connection->forgotten->len > 0 || connection->publications->len > 0;
}

/* Under the mutex. */
static GPtrArray *steal_all (GPtrArray **array, GDestroyNotify free_item)
{
  if ((*array)->len == 0)
    return NULL;
  GPtrArray *stolen = *array;
  *array = g_ptr_array_new_with_free_func (free_item);
  return stolen;
}

void mqtt_broker_take_orders (BrokerConnection *connection, MqttOrders *orders)
{
  g_mutex_lock (&connection->mutex);
  orders->is_closing = connection->is_closing;
  orders->is_resumed = connection->is_resumed;
  orders->acknowledged = connection->acknowledged;
  orders->wanted = connection->is_wanted_new ? g_strdupv (connection->wanted) : NULL;
  orders->forgotten = steal_all (&connection->forgotten, g_free);
  orders->publications = steal_all (&connection->publications, publication_free);
  connection->is_wanted_new = connection->is_resumed = connection->is_acknowledged_new = FALSE;
  g_mutex_unlock (&connection->mutex);
}

void mqtt_orders_clear (MqttOrders *orders)
{
  g_strfreev (orders->wanted);
  g_clear_pointer (&orders->forgotten, g_ptr_array_unref);
  g_clear_pointer (&orders->publications, g_ptr_array_unref);
}

gboolean mqtt_broker_must_close (BrokerConnection *connection)
{
  g_mutex_lock (&connection->mutex);
  gboolean is_closing = connection->is_closing;
  g_mutex_unlock (&connection->mutex);
  return is_closing;
}

/* FALSE: there is something to do. */
static gboolean begin_wait (BrokerConnection *connection, gboolean is_rest)
{
  g_mutex_lock (&connection->mutex);
  gboolean can_wait = !has_orders (connection) || (is_rest && !connection->is_closing);
  if (can_wait)
    connection->doing = is_rest ? MQTT_RESTING : MQTT_WAITING;
  g_mutex_unlock (&connection->mutex);
  return can_wait;
}

static void end_wait (BrokerConnection *connection, gboolean is_woken)
{
  guint64 count;
  g_mutex_lock (&connection->mutex);
  connection->doing = MQTT_BUSY;
  g_mutex_unlock (&connection->mutex);
  if (is_woken)
    (void) !read (connection->event_fd, &count, sizeof count);
}

short mqtt_broker_wait (BrokerConnection *connection, int fd, short events, gint64 wait_us, gboolean is_rest)
{
  if (!begin_wait (connection, is_rest))
    return 0;
  struct pollfd fds[] = { { connection->event_fd, POLLIN, 0 }, { fd, events, 0 } };
  struct timespec time = { wait_us / G_USEC_PER_SEC, wait_us % G_USEC_PER_SEC * 1000 };
  int ready = ppoll (fds, fd >= 0 ? 2 : 1, &time, NULL);
  end_wait (connection, ready > 0 && fds[0].revents != 0);
  return ready > 0 ? fds[1].revents : 0;
}

/* The connection's thread */

static void pause_for (BrokerConnection *connection, int seconds)
{
  gint64 until_us = g_get_monotonic_time ()
                    + (gint64) ((double) seconds * G_USEC_PER_SEC * g_random_double_range (0.8, 1.2));
  for (gint64 left_us = until_us - g_get_monotonic_time (); left_us > 0 && !mqtt_broker_must_close (connection);
       left_us = until_us - g_get_monotonic_time ())
    mqtt_broker_wait (connection, -1, 0, left_us, TRUE);
}

typedef struct {
  int code, code5;
  const char *reason, *detail;
} Refusal;

static const Refusal refusals[] = {
  { 1, 0x84, "bad_protocol", "the broker doesn't speak this version of MQTT: set `protocol`" },
  { 2, 0x85, "bad_client_id", "the broker refuses our client id: set `client_id`" },
  { 4, 0x86, "bad_credentials", "wrong user name or password" },
  { 5, 0x87, "not_authorized", "wrong user name or password, or this user may not connect" },
  { 5, 0x8a, "not_authorized", "the broker has banned this client" },
  { 5, 0x8c, "not_authorized", "the broker wants another way of logging in" },
  { 3, 0x88, "unavailable", "the broker says that it is unavailable" },
  { 3, 0x89, "unavailable", "the broker says that it is busy" },
};

static void say_unreachable (BrokerConnection *connection, BrokerState state, const char *reason, const char *problem)
{
  g_autofree char *detail = g_strdup_printf ("%s can't be reached: %s", connection->settings->url, problem);
  mqtt_broker_set_state (connection, state, reason, detail);
}

static void say_refused (BrokerConnection *connection, guint8 code)
{
  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++)
    if (code == refusals[i].code || code == refusals[i].code5) {
      mqtt_broker_set_state (connection, BROKER_REFUSED, refusals[i].reason, refusals[i].detail);
      return;
    }
  g_autofree char *problem = g_strdup_printf ("the broker refuses with code 0x%02x", code);
  say_unreachable (connection, BROKER_BACKING_OFF, "unreachable", problem);
}

static gboolean read_password (BrokerConnection *connection, char **password)
{
  g_autoptr (GError) error = NULL;
  *password = NULL;
  if (connection->settings->password_file == NULL)
    return TRUE;
  *password = file_read_secret (connection->settings->password_file, &error);
  if (*password != NULL)
    return TRUE;
  mqtt_broker_set_state (connection, BROKER_REFUSED, "password_file", error->message);
  return FALSE;
}

/* A broker that doesn't speak MQTT 5 may say so, or go without a word, or say nothing: then 3.1.1 is tried at once. One that didn't say
 * so may only have been starting: it is asked again at the next attempt. */
static gboolean falls_back (BrokerConnection *connection, gboolean is_answered, guint8 code)
{
  gboolean may_fall_back = connection->settings->protocol == 0 && !connection->is_protocol_known
                           && connection->protocol == MQTT_5 && (!is_answered || code == refusals[0].code || code == refusals[0].code5);
  if (!may_fall_back)
    return FALSE;
  connection->is_5_refused = is_answered;
  connection->protocol = MQTT_3_1_1;
  return TRUE;
}

/* One connection to the socket that stands, to its end. `*is_over`: it must not be tried again at once in another way. */
static void stay (BrokerConnection *connection, MqttSocket *socket, const char *password, gboolean *is_over)
{
  MqttConnack connack;
  g_autoptr (MqttSession) session = mqtt_session_new (connection, socket, connection->protocol);
  gboolean is_answered = mqtt_session_log_in (session, password, &connack);
  *is_over = TRUE;
  if (!is_answered || connack.code != 0) {
    *is_over = !falls_back (connection, is_answered, is_answered ? connack.code : 0);
    if (*is_over && is_answered)
      say_refused (connection, connack.code);
    else if (*is_over && !mqtt_broker_must_close (connection))
      say_unreachable (connection, BROKER_BACKING_OFF, "unreachable", mqtt_session_problem (session));
    return;
  }
  connection->failures = 0;
  connection->is_protocol_known = connection->protocol == MQTT_5 || connection->is_5_refused;
  mqtt_subscriptions_start (connection->subscriptions, connection->protocol, connack.packet_bytes_max);
  g_mutex_lock (&connection->mutex);
  connection->status.connects++;
  connection->status.session_present = connack.session_present;
  connection->is_wanted_new = connection->wanted != NULL; /* the session may be a new one */
  g_ptr_array_set_size (connection->publications, 0);
  g_mutex_unlock (&connection->mutex);
  mqtt_broker_set_state (connection, BROKER_CONNECTED, NULL, connection->settings->url);
  mqtt_session_run (session);
  if (mqtt_broker_must_close (connection)) {
    mqtt_session_leave (session);
    return;
  }
  g_autofree char *detail = g_strdup_printf ("the connection was lost: %s", mqtt_session_problem (session));
  mqtt_broker_set_state (connection, BROKER_BACKING_OFF, "lost", detail);
}

static void attempt (BrokerConnection *connection)
{
  g_autofree char *password = NULL;
  gboolean is_over = !read_password (connection, &password);
  if (connection->settings->protocol == 0 && !connection->is_protocol_known)
    connection->protocol = MQTT_5;
  while (!is_over && !mqtt_broker_must_close (connection)) {
    g_autoptr (GError) error = NULL;
    MqttSocket *socket = mqtt_socket_open (connection->settings, connection->closing, &error);
    if (socket != NULL) {
      stay (connection, socket, password, &is_over);
      continue;
    }
    is_over = TRUE;
    gboolean is_tls = error_is (error, ERROR_RECONFIGURE);
    if (!mqtt_broker_must_close (connection))
      say_unreachable (connection, is_tls ? BROKER_REFUSED : BROKER_BACKING_OFF, is_tls ? "tls" : "unreachable",
                       error->message);
  }
}

static void block_sigpipe (void)
{
  sigset_t set; /* of what OpenSSL writes to a broker that has gone */
  sigemptyset (&set);
  sigaddset (&set, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &set, NULL);
}

static gpointer connection_thread (gpointer data)
{
  BrokerConnection *connection = data;
  BrokerStatus status;
  block_sigpipe ();
  while (!mqtt_broker_must_close (connection)) {
    attempt (connection);
    mqtt_broker_port.status (connection, &status);
    pause_for (connection, status.state == BROKER_REFUSED
                             ? REFUSED_SECONDS
                             : MIN (1 << MIN (connection->failures, 6u), BACK_OFF_MAX_SECONDS));
    connection->failures++;
  }
  mqtt_broker_set_state (connection, BROKER_CLOSED, NULL, "");
  return NULL;
}

/* The port */

static guint64 first_receipt (void)
{
  static guint connections;
  return (guint64) (g_atomic_int_add (&connections, 1) + 1) << RECEIPT_BITS;
}

static BrokerConnection *connection_open (const Broker *settings, const char *client_id, const BrokerHandlers *handlers)
{
  BrokerConnection *connection = g_new0 (BrokerConnection, 1);
  connection->settings = broker_copy (settings);
  connection->client_id = g_strdup (client_id);
  connection->handlers = *handlers;
  connection->closing = g_cancellable_new ();
  connection->event_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  connection->forgotten = g_ptr_array_new_with_free_func (g_free);
  connection->publications = g_ptr_array_new_with_free_func (publication_free);
  connection->subscriptions = mqtt_subscriptions_new (settings->id, settings->qos);
  connection->acknowledged = connection->last_receipt = first_receipt ();
  connection->protocol = settings->protocol == 0 ? MQTT_5 : settings->protocol;
  connection->status.since_us = clock_wall_us (clock_system ());
  g_mutex_init (&connection->mutex);
  connection->thread = g_thread_new ("broker", connection_thread, connection);
  return connection;
}

static void connection_subscribe (BrokerConnection *connection, const char *const *filters)
{
  g_mutex_lock (&connection->mutex);
  if (connection->wanted == NULL || !g_strv_equal ((const char *const *) connection->wanted, filters)) {
    g_strfreev (connection->wanted);
    connection->wanted = g_strdupv ((GStrv) filters);
    connection->is_wanted_new = TRUE;
    wake (connection);
  }
  g_mutex_unlock (&connection->mutex);
}

static void connection_forget (BrokerConnection *connection, const char *filter)
{
  g_mutex_lock (&connection->mutex);
  if (connection->forgotten->len < FORGET_AT_ONCE
      && !g_ptr_array_find_with_equal_func (connection->forgotten, filter, g_str_equal, NULL)) {
    g_ptr_array_add (connection->forgotten, g_strdup (filter));
    wake (connection);
  }
  g_mutex_unlock (&connection->mutex);
}

static void connection_publish (BrokerConnection *connection, const char *topic, GBytes *payload)
{
  g_mutex_lock (&connection->mutex);
  if (connection->status.state == BROKER_CONNECTED && connection->publications->len < PUBLISH_AT_ONCE) {
    MqttPublication *publication = g_new0 (MqttPublication, 1);
    publication->topic = g_strdup (topic);
    publication->payload = g_bytes_ref (payload);
    g_ptr_array_add (connection->publications, publication);
    wake (connection);
  }
  g_mutex_unlock (&connection->mutex);
}

static void connection_acknowledge (BrokerConnection *connection, guint64 receipt)
{
  g_mutex_lock (&connection->mutex);
  if (receipt > connection->acknowledged) {
    connection->acknowledged = receipt;
    connection->is_acknowledged_new = TRUE;
    if (connection->doing == MQTT_WAITING)
      wake (connection);
  }
  g_mutex_unlock (&connection->mutex);
}

static void connection_resume (BrokerConnection *connection)
{
  g_mutex_lock (&connection->mutex);
  connection->is_resumed = TRUE;
  wake (connection);
  g_mutex_unlock (&connection->mutex);
}

static void connection_status (BrokerConnection *connection, BrokerStatus *status)
{
  g_mutex_lock (&connection->mutex);
  *status = connection->status;
  g_mutex_unlock (&connection->mutex);
}

static void connection_close (BrokerConnection *connection)
{
  g_mutex_lock (&connection->mutex);
  connection->is_closing = TRUE;
  wake (connection);
  g_mutex_unlock (&connection->mutex);
  g_cancellable_cancel (connection->closing);
  g_thread_join (connection->thread);
  g_mutex_clear (&connection->mutex);
  mqtt_subscriptions_free (connection->subscriptions);
  g_ptr_array_unref (connection->publications);
  g_ptr_array_unref (connection->forgotten);
  close (connection->event_fd);
  g_object_unref (connection->closing);
  g_strfreev (connection->wanted);
  g_free (connection->client_id);
  broker_free (connection->settings);
  g_free (connection);
}

const BrokerPort mqtt_broker_port = {
  .open = connection_open,
  .subscribe = connection_subscribe,
  .forget = connection_forget,
  .publish = connection_publish,
  .acknowledge = connection_acknowledge,
  .resume = connection_resume,
  .status = connection_status,
  .close = connection_close,
};
