#include "adapters/center/center_session.h"

#include <string.h>

#include <MQTTAsync.h>

#include "gateway/core/error.h"
#include "gateway/core/file.h"

enum { CONNECT_TIMEOUT_S = 10, KEEP_ALIVE_S = 20, LEAVE_MS = 1000, SESSION_EXPIRY_S = 7 * 24 * 3600 };

struct CenterSession {
  MQTTAsync handle;
  CenterSessionEvents events;
  gboolean is_version_5, is_tls;
  GMutex mutex;
  GHashTable *sendings; /* of Sending: those that wait for Paho */
  gboolean has_left;
  GCond left;
  char tls_problem[256]; /* OpenSSL's last word; "": none */
};

/* A context for Paho's answer to one publication. */
typedef struct {
  CenterSession *session;
  guint64 token;
} Sending;

static void on_connected (void *context, MQTTAsync_successData *response)
{
  CenterSession *session = context;
  (void) response;
  session->events.connected (session->events.data);
}

static void on_connected_5 (void *context, MQTTAsync_successData5 *response)
{
  CenterSession *session = context;
  (void) response;
  session->events.connected (session->events.data);
}

/* CONNACK codes of MQTT 3.1.1 (3.2.2.3), which Paho gives as they are. */
static const char *refusal (int code)
{
  static const char *const names[]
    = { NULL, "the broker does not speak this MQTT version", "the broker refuses the client id",
        "the broker is not available", "wrong user name or password", "the broker does not let this user in" };
  return code > 0 && code < (int) G_N_ELEMENTS (names) ? names[code] : NULL;
}

static int on_tls_error (const char *text, size_t length, void *context)
{
  CenterSession *session = context;
  g_mutex_lock (&session->mutex);
  g_strlcpy (session->tls_problem, text, MIN (length + 1, sizeof session->tls_problem));
  g_strchomp (session->tls_problem);
  g_mutex_unlock (&session->mutex);
  return 1;
}

/* Paho itself says no more than that TCP or TLS failed, and OpenSSL nothing of a name that is not the certificate's. */
static void tell_no_connection (CenterSession *session, const char *text)
{
  g_mutex_lock (&session->mutex);
  g_autofree char *tls_problem = session->tls_problem[0] != '\0' ? g_strdup (session->tls_problem) : NULL;
  g_mutex_unlock (&session->mutex);
  const char *hint = session->is_tls && tls_problem == NULL ? " (or its certificate is not made out to this name)" : "";
  g_autofree char *reason = g_strconcat (tls_problem != NULL ? tls_problem : text != NULL ? text : "no connection", hint, NULL);
  session->events.ended (session->events.data, reason);
}

static void on_not_connected (void *context, MQTTAsync_failureData *response)
{
  CenterSession *session = context;
  const char *text = response != NULL ? refusal (response->code) : NULL;
  if (text == NULL && response != NULL)
    text = response->message;
  tell_no_connection (session, text);
}

static void on_not_connected_5 (void *context, MQTTAsync_failureData5 *response)
{
  CenterSession *session = context;
  const char *text = response != NULL && response->reasonCode != 0 ? MQTTReasonCode_toString (response->reasonCode)
                     : response != NULL                              ? response->message
                                                                     : NULL;
  tell_no_connection (session, text);
}

static void on_lost (void *context, char *cause)
{
  CenterSession *session = context;
  session->events.ended (session->events.data, cause != NULL ? cause : "the connection was lost");
}

static void on_disconnected (void *context, MQTTProperties *properties, enum MQTTReasonCodes reason)
{
  CenterSession *session = context;
  (void) properties;
  session->events.ended (session->events.data, MQTTReasonCode_toString (reason));
}

/* Paho acknowledges when this returns, whatever it returns; 0 would only stall its queue (research: sensors.md 3). */
static int on_message (void *context, char *topic, int topic_length, MQTTAsync_message *message)
{
  CenterSession *session = context;
  g_autofree char *name = topic_length > 0 ? g_strndup (topic, (gsize) topic_length) : g_strdup (topic);
  if (!message->retained)
    session->events.received (session->events.data, name, message->payload, (gsize) message->payloadlen);
  MQTTAsync_freeMessage (&message);
  MQTTAsync_free (topic);
  return 1;
}

static void finish (Sending *sending, const char *problem)
{
  CenterSession *session = sending->session;
  session->events.acknowledged (session->events.data, sending->token, problem);
  g_mutex_lock (&session->mutex);
  g_hash_table_remove (session->sendings, sending);
  g_mutex_unlock (&session->mutex);
}

static void on_sent (void *context, MQTTAsync_successData *response)
{
  (void) response;
  finish (context, NULL);
}

static void on_sent_5 (void *context, MQTTAsync_successData5 *response)
{
  (void) response;
  finish (context, NULL);
}

static void on_not_sent (void *context, MQTTAsync_failureData *response)
{
  finish (context, response != NULL && response->message != NULL ? response->message : "not sent");
}

static void on_not_sent_5 (void *context, MQTTAsync_failureData5 *response)
{
  const char *text = response != NULL && response->reasonCode != 0 ? MQTTReasonCode_toString (response->reasonCode) : NULL;
  finish (context, text != NULL ? text : "not sent");
}

static void note_left (CenterSession *session)
{
  g_mutex_lock (&session->mutex);
  session->has_left = TRUE;
  g_cond_signal (&session->left);
  g_mutex_unlock (&session->mutex);
}

static void on_left (void *context, MQTTAsync_successData *response)
{
  (void) response;
  note_left (context);
}

static void on_left_5 (void *context, MQTTAsync_successData5 *response)
{
  (void) response;
  note_left (context);
}

static char *paho_url (const char *url, GError **error)
{
  if (g_str_has_prefix (url, "mqtt://"))
    return g_strdup_printf ("tcp://%s", url + strlen ("mqtt://"));
  if (g_str_has_prefix (url, "mqtts://"))
    return g_strdup_printf ("ssl://%s", url + strlen ("mqtts://"));
  error_set (error, ERROR_RECONFIGURE, "%s is no mqtt:// or mqtts:// address", url);
  return NULL;
}

static gboolean create (CenterSession *session, const CenterSessionOptions *options, GError **error)
{
  g_autofree char *url = paho_url (options->center->url, error);
  if (url == NULL)
    return FALSE;
  MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
  create.MQTTVersion = session->is_version_5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  int result = MQTTAsync_createWithOptions (&session->handle, url, options->client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                            &create);
  if (result != MQTTASYNC_SUCCESS)
    return error_set (error, ERROR_RECONFIGURE, "%s: %s", url, MQTTAsync_strerror (result));
  MQTTAsync_setCallbacks (session->handle, session, on_lost, on_message, NULL);
  if (session->is_version_5)
    MQTTAsync_setDisconnected (session->handle, session, on_disconnected);
  return TRUE;
}

static void set_session_expiry (MQTTProperties *properties)
{
  MQTTProperty expiry = { .identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL };
  expiry.value.integer4 = SESSION_EXPIRY_S;
  MQTTProperties_add (properties, &expiry);
}

/* The session is kept by the broker, so that commands that came while we were away reach us. */
static gboolean connect_to (CenterSession *session, const CenterSessionOptions *options, const char *password,
                            GError **error)
{
  const Center *center = options->center;
  MQTTAsync_connectOptions first = MQTTAsync_connectOptions_initializer, fifth = MQTTAsync_connectOptions_initializer5;
  MQTTAsync_connectOptions connect = session->is_version_5 ? fifth : first;
  MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
  MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
  MQTTProperties properties = MQTTProperties_initializer;

  will.topicName = options->will_topic;
  will.message = options->will_payload;
  will.retained = 1;
  will.qos = 1;
  connect.will = &will;
  connect.keepAliveInterval = KEEP_ALIVE_S;
  connect.connectTimeout = CONNECT_TIMEOUT_S;
  connect.context = session;
  connect.username = center->username;
  connect.password = password;
  connect.maxInflight = 100; /* the bound is ours, below the broker's: a full window of Paho's sleeps a second */
  if (session->is_version_5) {
    connect.cleanstart = 0;
    connect.onSuccess5 = on_connected_5;
    connect.onFailure5 = on_not_connected_5;
    set_session_expiry (&properties);
    connect.connectProperties = &properties;
  } else {
    connect.MQTTVersion = MQTTVERSION_3_1_1;
    connect.cleansession = 0;
    connect.onSuccess = on_connected;
    connect.onFailure = on_not_connected;
  }
  if (session->is_tls) {
    tls.trustStore = center->ca_file;
    tls.keyStore = center->cert_file;
    tls.privateKey = center->key_file;
    tls.disableDefaultTrustStore = center->ca_file != NULL;
    tls.verify = 1; /* the name in the certificate, too */
    tls.sslVersion = MQTT_SSL_VERSION_TLS_1_2;
    tls.ssl_error_cb = on_tls_error;
    tls.ssl_error_context = session;
    connect.ssl = &tls;
  }
  int result = MQTTAsync_connect (session->handle, &connect);
  MQTTProperties_free (&properties);
  return result == MQTTASYNC_SUCCESS
         || error_set (error, ERROR_RETRY, "%s: %s", center->url, MQTTAsync_strerror (result));
}

CenterSession *center_session_open (const CenterSessionOptions *options, const CenterSessionEvents *events,
                                    GError **error)
{
  g_autofree char *password = NULL;
  if (options->center->password_file != NULL) {
    password = file_read_secret (options->center->password_file, error);
    if (password == NULL)
      return NULL;
  }
  CenterSession *session = g_new0 (CenterSession, 1);
  g_mutex_init (&session->mutex);
  g_cond_init (&session->left);
  session->events = *events;
  session->is_version_5 = options->center->protocol == 5;
  session->is_tls = g_str_has_prefix (options->center->url, "mqtts://");
  session->sendings = g_hash_table_new_full (NULL, NULL, g_free, NULL);
  if (create (session, options, error) && connect_to (session, options, password, error))
    return session;
  center_session_free (session);
  return NULL;
}

static Sending *sending_new (CenterSession *session, guint64 token)
{
  Sending *sending = g_new0 (Sending, 1);
  sending->session = session;
  sending->token = token;
  g_mutex_lock (&session->mutex);
  g_hash_table_add (session->sendings, sending);
  g_mutex_unlock (&session->mutex);
  return sending;
}

gboolean center_session_publish (CenterSession *session, guint64 token, const char *topic, const char *payload,
                                 gboolean is_retained, gboolean is_cloud_event)
{
  MQTTAsync_message message = MQTTAsync_message_initializer;
  MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
  Sending *sending = sending_new (session, token);
  message.payload = (void *) payload;
  message.payloadlen = (int) strlen (payload);
  message.qos = 1;
  message.retained = is_retained;
  response.context = sending;
  if (session->is_version_5) {
    static const char type[] = "application/cloudevents+json"; /* CloudEvents MQTT binding 3.2.1 */
    MQTTProperty content = { .identifier = MQTTPROPERTY_CODE_CONTENT_TYPE };
    content.value.data.data = (char *) type;
    content.value.data.len = (int) strlen (type);
    if (is_cloud_event)
      MQTTProperties_add (&message.properties, &content);
    response.onSuccess5 = on_sent_5;
    response.onFailure5 = on_not_sent_5;
  } else {
    response.onSuccess = on_sent;
    response.onFailure = on_not_sent;
  }
  int result = MQTTAsync_sendMessage (session->handle, topic, &message, &response);
  MQTTProperties_free (&message.properties);
  if (result == MQTTASYNC_SUCCESS)
    return TRUE;
  g_mutex_lock (&session->mutex);
  g_hash_table_remove (session->sendings, sending);
  g_mutex_unlock (&session->mutex);
  return FALSE;
}

gboolean center_session_subscribe (CenterSession *session, const char *topic)
{
  MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
  return MQTTAsync_subscribe (session->handle, topic, 1, &response) == MQTTASYNC_SUCCESS;
}

void center_session_leave (CenterSession *session)
{
  MQTTAsync_disconnectOptions leave = MQTTAsync_disconnectOptions_initializer;
  MQTTAsync_disconnectOptions leave_5 = MQTTAsync_disconnectOptions_initializer5;
  MQTTAsync_disconnectOptions *options = session->is_version_5 ? &leave_5 : &leave;
  gint64 until_us = g_get_monotonic_time () + LEAVE_MS * 1000;
  options->timeout = LEAVE_MS;
  options->context = session;
  if (session->is_version_5)
    options->onSuccess5 = on_left_5;
  else
    options->onSuccess = on_left;
  if (MQTTAsync_disconnect (session->handle, options) != MQTTASYNC_SUCCESS)
    return;
  g_mutex_lock (&session->mutex);
  while (!session->has_left && g_cond_wait_until (&session->left, &session->mutex, until_us))
    ;
  g_mutex_unlock (&session->mutex);
}

void center_session_free (CenterSession *session)
{
  if (session == NULL)
    return;
  if (session->handle != NULL)
    MQTTAsync_destroy (&session->handle);
  g_hash_table_unref (session->sendings);
  g_cond_clear (&session->left);
  g_mutex_clear (&session->mutex);
  g_free (session);
}
