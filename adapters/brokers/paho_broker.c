#include "adapters/brokers/paho_broker.h"

#include <MQTTAsync.h>
#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "gateway/core/log.h"

enum {
  CONNECT_SECONDS = 10,
  KEEP_ALIVE_SECONDS = 30,
  SESSION_SECONDS = 30 * 86400, /* how long a broker of MQTT 5 keeps our session */
  BACK_OFF_MAX_SECONDS = 60,
  REFUSED_SECONDS = 30,
  SUBSCRIBE_AT_ONCE = 100,
  PUBLISH_AT_ONCE = 1000,
  SUBSCRIBE_SECONDS = 20,
  DISCONNECT_SECONDS = 3,
  FIRST_REFUSAL = 0x80, /* reason codes from here on are failures (MQTT 5 2.4, MQTT 3.1.1 3.9.3) */
};

typedef enum { RESULT_NONE, RESULT_DONE, RESULT_FAILED } Result;

typedef struct {
  char *topic;
  GBytes *payload;
} Publication;

struct BrokerConnection {
  Broker *settings;
  char *client_id;
  BrokerHandlers handlers;
  MQTTAsync client;
  GThread *thread;

  GMutex mutex; /* never held over a call into the library */
  GCond wake;
  gboolean is_closing, is_finished, is_lost;
  Result connecting; /* how it ended; apart, for a late answer to a request of the former connection must not end it */
  Result result; /* of the one other request under way */
  int code;      /* why connecting failed */
  char problem[160];
  char tls_problem[160];
  int asked; /* filters of the request under way */
  guint8 granted[SUBSCRIBE_AT_ONCE];
  GStrv wanted; /* filters */
  gboolean is_wanted_new;
  GPtrArray *forgotten; /* filters to unsubscribe */
  GPtrArray *publications; /* of Publication: what waits to be sent */
  BrokerStatus status;

  GStrv subscribed; /* this thread's own */
  guint failures;
};

/* State */

static void set_state (BrokerConnection *connection, BrokerState state, const char *reason, const char *detail)
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

/* The library's threads */

static void finish_request (BrokerConnection *connection, Result result)
{
  g_mutex_lock (&connection->mutex);
  connection->result = result;
  g_cond_signal (&connection->wake);
  g_mutex_unlock (&connection->mutex);
}

static void fail_connect (BrokerConnection *connection, int code, const char *problem)
{
  g_mutex_lock (&connection->mutex);
  connection->connecting = RESULT_FAILED;
  connection->code = code;
  g_strlcpy (connection->problem, problem != NULL ? problem : "", sizeof connection->problem);
  g_cond_signal (&connection->wake);
  g_mutex_unlock (&connection->mutex);
}

static void note_connected (BrokerConnection *connection, int session_present)
{
  g_mutex_lock (&connection->mutex);
  connection->status.connects++;
  connection->status.session_present = session_present != 0;
  connection->is_lost = FALSE; /* that was the former connection */
  connection->connecting = RESULT_DONE;
  g_cond_signal (&connection->wake);
  g_mutex_unlock (&connection->mutex);
}

static void on_connected (void *context, MQTTAsync_successData *response)
{
  note_connected (context, response->alt.connect.sessionPresent);
}

static void on_connected5 (void *context, MQTTAsync_successData5 *response)
{
  note_connected (context, response->alt.connect.sessionPresent);
}

static void on_done (void *context, MQTTAsync_successData *response)
{
  (void) response;
  finish_request (context, RESULT_DONE);
}

static void on_done5 (void *context, MQTTAsync_successData5 *response)
{
  (void) response;
  finish_request (context, RESULT_DONE);
}

static void on_not_connected (void *context, MQTTAsync_failureData *response)
{
  fail_connect (context, response != NULL ? response->code : -1, response != NULL ? response->message : NULL);
}

static void on_not_connected5 (void *context, MQTTAsync_failureData5 *response)
{
  int reason = response != NULL ? (int) response->reasonCode : 0;
  int code = reason >= FIRST_REFUSAL ? reason : response != NULL ? response->code : -1;
  fail_connect (context, code, response != NULL ? response->message : NULL);
}

static void on_failed (void *context, MQTTAsync_failureData *response)
{
  (void) response;
  finish_request (context, RESULT_FAILED);
}

static void on_failed5 (void *context, MQTTAsync_failureData5 *response)
{
  (void) response;
  finish_request (context, RESULT_FAILED);
}

static void on_subscribed (void *context, MQTTAsync_successData *response)
{
  BrokerConnection *connection = context;
  (void) response; /* what was granted is in the list only when several were asked for: then the caller looks there */
  finish_request (connection, RESULT_DONE);
}

static void on_subscribed_many (void *context, MQTTAsync_successData *response)
{
  BrokerConnection *connection = context;
  g_mutex_lock (&connection->mutex);
  for (int i = 0; i < connection->asked; i++)
    connection->granted[i] = (guint8) response->alt.qosList[i];
  g_mutex_unlock (&connection->mutex);
  finish_request (connection, RESULT_DONE);
}

static void on_subscribed_many5 (void *context, MQTTAsync_successData5 *response)
{
  BrokerConnection *connection = context;
  g_mutex_lock (&connection->mutex);
  connection->granted[0] = (guint8) response->reasonCode; /* of a single filter there is no list */
  for (int i = 0; connection->asked > 1 && i < MIN (connection->asked, response->alt.sub.reasonCodeCount); i++)
    connection->granted[i] = (guint8) response->alt.sub.reasonCodes[i];
  g_mutex_unlock (&connection->mutex);
  finish_request (connection, RESULT_DONE);
}

static void on_lost (void *context, char *cause)
{
  BrokerConnection *connection = context;
  (void) cause; /* Paho gives none */
  g_mutex_lock (&connection->mutex);
  connection->is_lost = TRUE;
  g_cond_signal (&connection->wake);
  g_mutex_unlock (&connection->mutex);
}

static int on_tls_error (const char *text, size_t length, void *context)
{
  BrokerConnection *connection = context;
  g_mutex_lock (&connection->mutex);
  g_strlcpy (connection->tls_problem, text, MIN (length + 1, sizeof connection->tls_problem));
  g_strchomp (connection->tls_problem);
  g_mutex_unlock (&connection->mutex);
  return 1;
}

/* Always takes the message: Paho acknowledges what is refused, too, and then delivers it late or never. */
static int on_message (void *context, char *topic_name, int topic_length, MQTTAsync_message *message)
{
  BrokerConnection *connection = context;
  g_autofree char *topic = topic_length > 0 ? g_strndup (topic_name, (gsize) topic_length) : g_strdup (topic_name);
  g_autoptr (RawMessage) raw = raw_message_new (connection->settings->id, topic, message->payload,
                                                (gsize) MAX (message->payloadlen, 0));
  raw->receive_time_us = clock_wall_us (clock_system ());
  raw->qos = message->qos;
  raw->packet_id = (guint16) message->msgid;
  raw->is_retained = message->retained != 0;
  raw->is_redelivery = message->dup != 0;
  MQTTAsync_freeMessage (&message);
  MQTTAsync_free (topic_name);
  connection->handlers.received (connection->handlers.self, raw);
  return 1;
}

/* The connection's own thread */

static void expect_result (BrokerConnection *connection)
{
  g_mutex_lock (&connection->mutex);
  connection->result = RESULT_NONE;
  memset (connection->granted, G_MAXUINT8, sizeof connection->granted);
  g_mutex_unlock (&connection->mutex);
}

/* RESULT_NONE when the time is over, the connection is lost or being closed (unless `is_closing_too`). */
static Result wait_for_result (BrokerConnection *connection, int seconds, gboolean is_closing_too)
{
  gint64 until = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;
  g_mutex_lock (&connection->mutex);
  while (connection->result == RESULT_NONE && !connection->is_lost && (is_closing_too || !connection->is_closing)
         && g_cond_wait_until (&connection->wake, &connection->mutex, until))
    ;
  Result result = connection->result;
  g_mutex_unlock (&connection->mutex);
  return result;
}

/* Ends with an answer, or when the time is over or the connection is being closed. */
static Result wait_for_connect (BrokerConnection *connection)
{
  gint64 until = g_get_monotonic_time () + 3 * CONNECT_SECONDS * G_USEC_PER_SEC;
  g_mutex_lock (&connection->mutex);
  while (connection->connecting == RESULT_NONE && !connection->is_closing
         && g_cond_wait_until (&connection->wake, &connection->mutex, until))
    ;
  Result result = connection->connecting;
  g_mutex_unlock (&connection->mutex);
  return result;
}

static gboolean must_close (BrokerConnection *connection)
{
  g_mutex_lock (&connection->mutex);
  gboolean is_closing = connection->is_closing;
  g_mutex_unlock (&connection->mutex);
  return is_closing;
}

static void pause_for (BrokerConnection *connection, int seconds)
{
  gint64 until = g_get_monotonic_time ()
                 + (gint64) ((double) seconds * G_USEC_PER_SEC * g_random_double_range (0.8, 1.2));
  g_mutex_lock (&connection->mutex);
  while (!connection->is_closing && g_cond_wait_until (&connection->wake, &connection->mutex, until))
    ;
  g_mutex_unlock (&connection->mutex);
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
  { 5, 0x8c, "not_authorized", "the broker wants another way of logging in" },
  { 3, 0x88, "unavailable", "the broker says that it is unavailable" },
  { 3, 0x89, "unavailable", "the broker says that it is busy" },
};

static void say_failure (BrokerConnection *connection)
{
  g_mutex_lock (&connection->mutex);
  int code = connection->code;
  g_autofree char *problem = g_strdup (connection->problem);
  g_autofree char *tls_problem = g_strdup (connection->tls_problem);
  g_mutex_unlock (&connection->mutex);
  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++)
    if (code == refusals[i].code || code == refusals[i].code5) {
      set_state (connection, BROKER_REFUSED, refusals[i].reason, refusals[i].detail);
      return;
    }
  gboolean is_tls = tls_problem[0] != '\0';
  /* neither library says so of a name that is not the certificate's */
  gboolean may_be_name = !is_tls && g_str_has_prefix (connection->settings->url, "mqtts://");
  g_autofree char *detail = g_strdup_printf ("%s can't be reached%s%s%s", connection->settings->url,
                                             is_tls || problem[0] != '\0' ? ": " : "", is_tls ? tls_problem : problem,
                                             may_be_name ? " (or its certificate is not made out to this name)" : "");
  set_state (connection, is_tls ? BROKER_REFUSED : BROKER_BACKING_OFF, is_tls ? "tls" : "unreachable", detail);
}

static int request_connect (BrokerConnection *connection, const char *password)
{
  const Broker *settings = connection->settings;
  gboolean is_5 = settings->protocol == 5;
  MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
  MQTTAsync_connectOptions options5 = MQTTAsync_connectOptions_initializer5;
  MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
  MQTTProperties properties = MQTTProperties_initializer;
  MQTTProperty session = { .identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, .value.integer4 = SESSION_SECONDS };

  if (is_5) {
    options = options5;
    if (!connection->handlers.ends_session)
      MQTTProperties_add (&properties, &session);
    options.connectProperties = &properties;
    options.cleanstart = connection->handlers.ends_session;
    options.onSuccess5 = on_connected5;
    options.onFailure5 = on_not_connected5;
  } else {
    options.MQTTVersion = MQTTVERSION_3_1_1; /* the default would try 3.1 after every refusal */
    options.cleansession = connection->handlers.ends_session;
    options.onSuccess = on_connected;
    options.onFailure = on_not_connected;
  }
  options.context = connection;
  options.keepAliveInterval = KEEP_ALIVE_SECONDS;
  options.connectTimeout = CONNECT_SECONDS;
  options.username = settings->username;
  options.password = password;
  if (g_str_has_prefix (settings->url, "mqtts://")) {
    tls.trustStore = settings->ca_file;
    tls.keyStore = settings->cert_file;
    tls.privateKey = settings->key_file;
    tls.disableDefaultTrustStore = settings->ca_file != NULL;
    tls.verify = 1; /* the name in the certificate, too */
    tls.ssl_error_cb = on_tls_error;
    tls.ssl_error_context = connection;
    options.ssl = &tls;
  }
  int code = MQTTAsync_connect (connection->client, &options);
  MQTTProperties_free (&properties);
  return code;
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
  set_state (connection, BROKER_REFUSED, "password_file", error->message);
  return FALSE;
}

static gboolean attempt (BrokerConnection *connection)
{
  g_autofree char *password = NULL;
  if (!read_password (connection, &password))
    return FALSE;
  g_mutex_lock (&connection->mutex);
  connection->connecting = RESULT_NONE;
  connection->code = -1;
  connection->problem[0] = connection->tls_problem[0] = '\0';
  g_mutex_unlock (&connection->mutex);
  int code = request_connect (connection, password);
  if (code != MQTTASYNC_SUCCESS)
    fail_connect (connection, -1, MQTTAsync_strerror (code));
  if (wait_for_connect (connection) == RESULT_DONE)
    return TRUE;
  if (!must_close (connection))
    say_failure (connection);
  return FALSE;
}

static void say_subscription_refused (BrokerConnection *connection, const char *filter)
{
  g_autofree char *detail = g_strdup_printf ("the broker doesn't let us subscribe to %s", filter);
  set_state (connection, BROKER_CONNECTED, "subscription_refused", detail);
}

/* What a broker says of itself: asked for where it is offered, and not kept for us while we are away. */
static gboolean is_of_broker (const char *filter)
{
  return g_str_has_prefix (filter, "$SYS/");
}

/* Whether the request was answered; single refusals are told. */
static gboolean subscribe_some (BrokerConnection *connection, char *const *filters, int count)
{
  int qos[SUBSCRIBE_AT_ONCE];
  MQTTSubscribe_options list[SUBSCRIBE_AT_ONCE];
  gboolean is_5 = connection->settings->protocol == 5;
  MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
  MQTTSubscribe_options one = MQTTSubscribe_options_initializer;

  one.retainHandling = 1; /* what is retained comes when the subscription is new, not with every connection */
  for (int i = 0; i < count; i++) {
    qos[i] = is_of_broker (filters[i]) ? 0 : MIN (connection->settings->qos, 1); /* QoS 2 is kept in Paho's memory between its steps: a kill would lose it */
    list[i] = one;
  }
  response.context = connection;
  if (is_5) {
    response.onSuccess5 = on_subscribed_many5;
    response.onFailure5 = on_failed5;
    response.subscribeOptions = one;
    response.subscribeOptionsList = list;
    response.subscribeOptionsCount = count;
  } else {
    response.onSuccess = count > 1 ? on_subscribed_many : on_subscribed;
    response.onFailure = on_failed;
  }
  expect_result (connection);
  connection->asked = count;
  if (MQTTAsync_subscribeMany (connection->client, count, filters, qos, &response) != MQTTASYNC_SUCCESS)
    return FALSE;
  Result result = wait_for_result (connection, SUBSCRIBE_SECONDS, FALSE);
  if (result == RESULT_NONE)
    return FALSE;
  for (int i = 0; i < count; i++)
    if (is_of_broker (filters[i]))
      continue;
    else if (result == RESULT_FAILED || (connection->granted[i] >= FIRST_REFUSAL && connection->granted[i] != G_MAXUINT8))
      say_subscription_refused (connection, filters[i]);
  return TRUE;
}

static void unsubscribe (BrokerConnection *connection, const char *filter)
{
  MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
  response.context = connection;
  response.onSuccess = connection->settings->protocol == 5 ? NULL : on_done;
  response.onFailure = connection->settings->protocol == 5 ? NULL : on_failed;
  response.onSuccess5 = connection->settings->protocol == 5 ? on_done5 : NULL;
  response.onFailure5 = connection->settings->protocol == 5 ? on_failed5 : NULL;
  expect_result (connection);
  if (MQTTAsync_unsubscribe (connection->client, filter, &response) == MQTTASYNC_SUCCESS)
    wait_for_result (connection, SUBSCRIBE_SECONDS, FALSE);
}

/* Nobody answered: the connection may be on its way down, or a held message kept the library from reading the answer. */
static void subscribe_again (BrokerConnection *connection)
{
  pause_for (connection, 1);
  g_mutex_lock (&connection->mutex);
  connection->is_wanted_new = TRUE;
  g_mutex_unlock (&connection->mutex);
}

/* Brings the subscriptions of the session to what is wanted. */
static void subscribe_wanted (BrokerConnection *connection, GStrv wanted)
{
  for (guint i = 0; connection->subscribed != NULL && connection->subscribed[i] != NULL; i++)
    if (!g_strv_contains ((const char *const *) wanted, connection->subscribed[i]))
      unsubscribe (connection, connection->subscribed[i]);
  g_clear_pointer (&connection->subscribed, g_strfreev);
  guint total = g_strv_length (wanted);
  for (guint at = 0; at < total; at += SUBSCRIBE_AT_ONCE)
    if (!subscribe_some (connection, wanted + at, (int) MIN (total - at, SUBSCRIBE_AT_ONCE))) {
      subscribe_again (connection);
      return;
    }
  connection->subscribed = g_strdupv (wanted);
  log_info ("broker %s: subscribed to %u topic filters", connection->settings->id, total);
}

/* Under the lock. */
static gboolean is_wanted (const BrokerConnection *connection, const char *filter)
{
  return connection->wanted != NULL && g_strv_contains ((const char *const *) connection->wanted, filter);
}

static void publication_free (gpointer data)
{
  Publication *publication = data;
  if (publication == NULL)
    return;
  g_free (publication->topic);
  g_bytes_unref (publication->payload);
  g_free (publication);
}

/* What there is to do; at most one of them. */
typedef struct {
  GStrv wanted;             /* filters to subscribe to */
  char *forgotten;          /* one to unsubscribe */
  Publication *publication; /* one to publish */
} Work;

/* Under the lock. */
static gboolean has_work (const BrokerConnection *connection)
{
  return connection->is_closing || connection->is_lost || connection->is_wanted_new || connection->forgotten->len > 0
         || connection->publications->len > 0;
}

/* FALSE when the connection ends. */
static gboolean wait_for_work (BrokerConnection *connection, Work *work)
{
  *work = (Work){ 0 };
  g_mutex_lock (&connection->mutex);
  while (!has_work (connection))
    g_cond_wait (&connection->wake, &connection->mutex);
  gboolean goes_on = !connection->is_closing && !connection->is_lost;
  if (goes_on && connection->is_wanted_new) {
    work->wanted = g_strdupv (connection->wanted);
    connection->is_wanted_new = FALSE;
  } else if (goes_on && connection->publications->len > 0) {
    work->publication = g_ptr_array_steal_index (connection->publications, 0);
  } else if (goes_on) {
    work->forgotten = g_ptr_array_steal_index_fast (connection->forgotten, 0);
    if (is_wanted (connection, work->forgotten)) /* by now: a message of before a reload asked to forget it */
      g_clear_pointer (&work->forgotten, g_free);
  }
  g_mutex_unlock (&connection->mutex);
  return goes_on;
}

/* From here, never from a handler: the library's lock is held while one runs. */
static void publish (BrokerConnection *connection, const Publication *publication)
{
  gsize size;
  const void *payload = g_bytes_get_data (publication->payload, &size);
  MQTTAsync_message message = MQTTAsync_message_initializer;
  message.payload = (void *) payload;
  message.payloadlen = (int) size;
  if (MQTTAsync_sendMessage (connection->client, publication->topic, &message, NULL) != MQTTASYNC_SUCCESS)
    log_limited (LOG_LEVEL_WARNING, "broker %s: nothing could be published to %s", connection->settings->id,
                 publication->topic);
}

static void stay (BrokerConnection *connection)
{
  Work work;
  g_mutex_lock (&connection->mutex);
  connection->is_wanted_new = connection->wanted != NULL; /* the session may be a new one */
  g_mutex_unlock (&connection->mutex);
  set_state (connection, BROKER_CONNECTED, NULL, connection->settings->url);
  while (wait_for_work (connection, &work)) {
    if (work.wanted != NULL)
      subscribe_wanted (connection, work.wanted);
    if (work.forgotten != NULL)
      unsubscribe (connection, work.forgotten);
    if (work.publication != NULL)
      publish (connection, work.publication);
    g_strfreev (work.wanted);
    g_free (work.forgotten);
    publication_free (work.publication);
  }
}

static void leave (BrokerConnection *connection)
{
  MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
  MQTTAsync_disconnectOptions options5 = MQTTAsync_disconnectOptions_initializer5;
  gboolean is_5 = connection->settings->protocol == 5;
  if (is_5)
    options = options5;
  options.timeout = 0;
  options.context = connection;
  options.onSuccess = is_5 ? NULL : on_done;
  options.onFailure = is_5 ? NULL : on_failed;
  options.onSuccess5 = is_5 ? on_done5 : NULL;
  options.onFailure5 = is_5 ? on_failed5 : NULL;
  expect_result (connection);
  if (MQTTAsync_isConnected (connection->client)
      && MQTTAsync_disconnect (connection->client, &options) == MQTTASYNC_SUCCESS)
    wait_for_result (connection, DISCONNECT_SECONDS, TRUE);
  MQTTAsync_destroy (&connection->client);
}

static gboolean create (BrokerConnection *connection)
{
  MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
  gboolean is_tls = g_str_has_prefix (connection->settings->url, "mqtts://");
  g_autofree char *uri = g_strconcat (is_tls ? "ssl" : "tcp", strstr (connection->settings->url, "://"), NULL);
  options.MQTTVersion = connection->settings->protocol == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  int code = MQTTAsync_createWithOptions (&connection->client, uri, connection->client_id, MQTTCLIENT_PERSISTENCE_NONE,
                                          NULL, &options);
  if (code == MQTTASYNC_SUCCESS)
    code = MQTTAsync_setCallbacks (connection->client, connection, on_lost, on_message, NULL);
  if (code != MQTTASYNC_SUCCESS)
    set_state (connection, BROKER_REFUSED, "unreachable", MQTTAsync_strerror (code));
  return code == MQTTASYNC_SUCCESS;
}

static void keep_up (BrokerConnection *connection)
{
  while (!must_close (connection)) {
    if (attempt (connection)) {
      connection->failures = 0;
      stay (connection);
      if (!must_close (connection))
        set_state (connection, BROKER_BACKING_OFF, "lost", "the connection was lost");
    }
    if (must_close (connection))
      return;
    BrokerStatus status;
    paho_broker_port.status (connection, &status);
    pause_for (connection, status.state == BROKER_REFUSED
                             ? REFUSED_SECONDS
                             : MIN (1 << MIN (connection->failures, 6u), BACK_OFF_MAX_SECONDS));
    connection->failures++;
  }
}

static gpointer connection_thread (gpointer data)
{
  BrokerConnection *connection = data;
  if (create (connection)) {
    keep_up (connection);
    leave (connection);
  }
  set_state (connection, BROKER_CLOSED, NULL, "");
  g_mutex_lock (&connection->mutex);
  connection->is_finished = TRUE;
  g_cond_broadcast (&connection->wake);
  g_mutex_unlock (&connection->mutex);
  return NULL;
}

/* The port */

static BrokerConnection *connection_open (const Broker *settings, const char *client_id, const BrokerHandlers *handlers)
{
  BrokerConnection *connection = g_new0 (BrokerConnection, 1);
  connection->settings = broker_copy (settings);
  connection->client_id = g_strdup (client_id);
  connection->handlers = *handlers;
  connection->forgotten = g_ptr_array_new_with_free_func (g_free);
  connection->publications = g_ptr_array_new_with_free_func (publication_free);
  connection->status.since_us = clock_wall_us (clock_system ());
  g_mutex_init (&connection->mutex);
  g_cond_init (&connection->wake);
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
    g_cond_signal (&connection->wake);
  }
  g_mutex_unlock (&connection->mutex);
}

static void connection_forget (BrokerConnection *connection, const char *filter)
{
  g_mutex_lock (&connection->mutex);
  if (connection->forgotten->len < SUBSCRIBE_AT_ONCE
      && !g_ptr_array_find_with_equal_func (connection->forgotten, filter, g_str_equal, NULL)) {
    g_ptr_array_add (connection->forgotten, g_strdup (filter));
    g_cond_signal (&connection->wake);
  }
  g_mutex_unlock (&connection->mutex);
}

static void connection_publish (BrokerConnection *connection, const char *topic, GBytes *payload)
{
  g_mutex_lock (&connection->mutex);
  if (connection->status.state == BROKER_CONNECTED && connection->publications->len < PUBLISH_AT_ONCE) {
    Publication *publication = g_new0 (Publication, 1);
    publication->topic = g_strdup (topic);
    publication->payload = g_bytes_ref (payload);
    g_ptr_array_add (connection->publications, publication);
    g_cond_signal (&connection->wake);
  }
  g_mutex_unlock (&connection->mutex);
}

static void connection_status (BrokerConnection *connection, BrokerStatus *status)
{
  g_mutex_lock (&connection->mutex);
  *status = connection->status;
  g_mutex_unlock (&connection->mutex);
}

static void connection_free (BrokerConnection *connection)
{
  g_thread_join (connection->thread);
  g_cond_clear (&connection->wake);
  g_mutex_clear (&connection->mutex);
  g_ptr_array_unref (connection->publications);
  g_ptr_array_unref (connection->forgotten);
  g_strfreev (connection->subscribed);
  g_strfreev (connection->wanted);
  g_free (connection->client_id);
  broker_free (connection->settings);
  g_free (connection);
}

/* A message that is held back holds the library's lock, and with it the connection's thread. */
static gboolean connection_close (BrokerConnection *connection, gint64 wait_us)
{
  gint64 until = g_get_monotonic_time () + wait_us;
  g_mutex_lock (&connection->mutex);
  connection->is_closing = TRUE;
  g_cond_broadcast (&connection->wake);
  while (!connection->is_finished && g_cond_wait_until (&connection->wake, &connection->mutex, until))
    ;
  gboolean is_finished = connection->is_finished;
  g_mutex_unlock (&connection->mutex);
  if (is_finished)
    connection_free (connection);
  return is_finished;
}

const BrokerPort paho_broker_port = {
  .open = connection_open,
  .subscribe = connection_subscribe,
  .forget = connection_forget,
  .publish = connection_publish,
  .status = connection_status,
  .close = connection_close,
};
