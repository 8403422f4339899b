/* mqtt_client.h: one MQTT 3.1.1 connection that comes back by itself; Paho's threads only hand over to the main
 * context.
 *
 * Nothing is queued here: what is published while the broker is away is refused, and whoever publishes keeps it.
 *
 * thread: the main thread; handlers are called there, never from inside a call to this. */
#pragma once

#include <glib.h>

#include "pipelines/sim/site_script.h"

typedef struct MqttClient MqttClient;

typedef struct {
  void (*changed) (gpointer data, gboolean is_connected, const char *reason); /* `reason` NULL when connected */
  /* A publish has ended: the broker has acknowledged it, or it has failed and was perhaps delivered, perhaps not. */
  void (*published) (gpointer data, guint64 tag, gboolean is_acknowledged);
  void (*received) (gpointer data, const char *topic, const guint8 *payload, gsize size);
} MqttHandlers;

/* Connects now and every second until it works. `broker` outlives it; `data` must until mqtt_client_free. */
MqttClient *mqtt_client_new (const BrokerScript *broker, const char *client_id, const MqttHandlers *handlers,
                             gpointer data, GError **error);

/* FALSE when it is not connected. */
gboolean mqtt_client_publish (MqttClient *client, const char *topic, const char *payload, gsize size, int qos,
                              gboolean retain, guint64 tag);

gboolean mqtt_client_subscribe (MqttClient *client, const char *filter, int qos);

/* No handler is called any more. NULL is taken. */
void mqtt_client_free (MqttClient *client);
