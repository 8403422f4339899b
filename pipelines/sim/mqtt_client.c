#include "pipelines/sim/mqtt_client.h"

#include <MQTTAsync.h>
#include <string.h>

#include "gateway/core/error.h"

enum {
  RETRY_MS = 1000,
  KEEP_ALIVE_SECONDS = 20,
  CONNECT_SECONDS = 5,
  DISCONNECT_MS = 200,
  PAYLOAD_MAX = 4 * 1024 * 1024
};

/* Shared by the owner and whatever Paho has still to tell; `owner_gone` is read and written on the main thread only. */
struct MqttClient {
  MQTTAsync paho;
  const BrokerScript *broker;
  MqttHandlers handlers;
  gpointer data;
  gboolean owner_gone, is_connected, was_told_away;
  guint retry;
};

typedef enum { HAPPENED_CONNECTED, HAPPENED_AWAY, HAPPENED_PUBLISHED, HAPPENED_RECEIVED } HappeningKind;

/* What one of Paho's threads saw, on its way to the main thread. */
typedef struct {
  MqttClient *client;
  HappeningKind kind;
  gboolean is_acknowledged;
  guint64 tag;
  char *text; /* the reason, or the topic */
  guint8 *payload;
  gsize size;
} Happening;

static gboolean connect_now (gpointer data);

static void client_unref (MqttClient *client)
{
  g_atomic_rc_box_release (client);
}

static void happening_free (gpointer data)
{
  Happening *happening = data;
  client_unref (happening->client);
  g_free (happening->text);
  g_free (happening->payload);
  g_free (happening);
}

static void went_away (MqttClient *client, const char *reason)
{
  client->is_connected = FALSE;
  if (client->retry == 0)
    client->retry = g_timeout_add (RETRY_MS, connect_now, client);
  if (!client->was_told_away)
    client->handlers.changed (client->data, FALSE, reason);
  client->was_told_away = TRUE;
}

static gboolean tell (gpointer data)
{
  Happening *happening = data;
  MqttClient *client = happening->client;
  if (client->owner_gone)
    return G_SOURCE_REMOVE;
  switch (happening->kind) {
  case HAPPENED_CONNECTED:
    client->is_connected = TRUE;
    client->was_told_away = FALSE;
    client->handlers.changed (client->data, TRUE, NULL);
    break;
  case HAPPENED_AWAY:
    went_away (client, happening->text);
    break;
  case HAPPENED_PUBLISHED:
    if (client->handlers.published)
      client->handlers.published (client->data, happening->tag, happening->is_acknowledged);
    break;
  case HAPPENED_RECEIVED:
    if (client->handlers.received)
      client->handlers.received (client->data, happening->text, happening->payload, happening->size);
    break;
  }
  return G_SOURCE_REMOVE;
}

static Happening *happening_new (MqttClient *client, HappeningKind kind)
{
  Happening *happening = g_new0 (Happening, 1);
  happening->client = g_atomic_rc_box_acquire (client);
  happening->kind = kind;
  return happening;
}

static void hand_over (Happening *happening)
{
  g_main_context_invoke_full (NULL, G_PRIORITY_DEFAULT, tell, happening, happening_free);
}

/* Paho's threads from here … */

static void on_connected (void *context, MQTTAsync_successData *unused)
{
  (void) unused;
  hand_over (happening_new (context, HAPPENED_CONNECTED));
}

static void on_refused (void *context, MQTTAsync_failureData *failure)
{
  Happening *happening = happening_new (context, HAPPENED_AWAY);
  happening->text = failure && failure->message ? g_strdup (failure->message)
                                                : g_strdup_printf ("code %d", failure ? failure->code : 0);
  hand_over (happening);
}

static void on_lost (void *context, char *cause)
{
  (void) cause; /* Paho 1.3 knows none */
  Happening *happening = happening_new (context, HAPPENED_AWAY);
  happening->text = g_strdup ("connection lost");
  hand_over (happening);
}

static int on_message (void *context, char *topic, int topic_length, MQTTAsync_message *message)
{
  if (message->payloadlen <= PAYLOAD_MAX) {
    Happening *happening = happening_new (context, HAPPENED_RECEIVED);
    happening->text = topic_length > 0 ? g_strndup (topic, (gsize) topic_length) : g_strdup (topic);
    happening->payload = g_memdup2 (message->payload, (gsize) message->payloadlen);
    happening->size = (gsize) message->payloadlen;
    hand_over (happening);
  }
  MQTTAsync_freeMessage (&message);
  MQTTAsync_free (topic);
  return 1;
}

typedef struct {
  MqttClient *client;
  guint64 tag;
} Publishing;

static void end_publishing (Publishing *publishing, gboolean is_acknowledged)
{
  Happening *happening = happening_new (publishing->client, HAPPENED_PUBLISHED);
  happening->tag = publishing->tag;
  happening->is_acknowledged = is_acknowledged;
  hand_over (happening);
  client_unref (publishing->client);
  g_free (publishing);
}

static void on_published (void *context, MQTTAsync_successData *unused)
{
  (void) unused;
  end_publishing (context, TRUE);
}

static void on_publish_failed (void *context, MQTTAsync_failureData *unused)
{
  (void) unused;
  end_publishing (context, FALSE);
}

/* … to here. */

static gboolean connect_now (gpointer data)
{
  MqttClient *client = data;
  MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
  options.keepAliveInterval = KEEP_ALIVE_SECONDS;
  options.connectTimeout = CONNECT_SECONDS;
  options.cleansession = 1;
  options.username = client->broker->username;
  options.password = client->broker->password;
  options.onSuccess = on_connected;
  options.onFailure = on_refused;
  options.context = client;
  client->retry = 0;
  if (MQTTAsync_connect (client->paho, &options) != MQTTASYNC_SUCCESS)
    went_away (client, "can't connect");
  return G_SOURCE_REMOVE;
}

MqttClient *mqtt_client_new (const BrokerScript *broker, const char *client_id, const MqttHandlers *handlers,
                             gpointer data, GError **error)
{
  g_autofree char *uri = g_strdup_printf ("tcp://%s:%d", broker->host, broker->port);
  MqttClient *client = g_atomic_rc_box_new0 (MqttClient);
  client->broker = broker;
  client->handlers = *handlers;
  client->data = data;
  if (MQTTAsync_create (&client->paho, uri, client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL) != MQTTASYNC_SUCCESS) {
    error_set (error, ERROR_RECONFIGURE, "broker %s: \"%s\" is no address", broker->id, uri);
    client_unref (client);
    return NULL;
  }
  MQTTAsync_setCallbacks (client->paho, client, on_lost, on_message, NULL);
  connect_now (client);
  return client;
}

gboolean mqtt_client_publish (MqttClient *client, const char *topic, const char *payload, gsize size, int qos,
                              gboolean retain, guint64 tag)
{
  if (!client->is_connected)
    return FALSE;
  Publishing *publishing = g_new (Publishing, 1);
  publishing->client = g_atomic_rc_box_acquire (client);
  publishing->tag = tag;
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  options.onSuccess = on_published;
  options.onFailure = on_publish_failed;
  options.context = publishing;
  if (MQTTAsync_send (client->paho, topic, (int) size, payload, qos, retain, &options) == MQTTASYNC_SUCCESS)
    return TRUE;
  client_unref (publishing->client);
  g_free (publishing);
  return FALSE;
}

gboolean mqtt_client_subscribe (MqttClient *client, const char *filter, int qos)
{
  return client->is_connected && MQTTAsync_subscribe (client->paho, filter, qos, NULL) == MQTTASYNC_SUCCESS;
}

void mqtt_client_free (MqttClient *client)
{
  if (client == NULL)
    return;
  client->owner_gone = TRUE;
  if (client->retry != 0)
    g_source_remove (client->retry);
  MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
  options.timeout = DISCONNECT_MS;
  MQTTAsync_disconnect (client->paho, &options);
  MQTTAsync_destroy (&client->paho); /* no callback comes after this */
  client_unref (client);
}
