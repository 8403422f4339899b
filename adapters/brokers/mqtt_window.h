/* mqtt_window.h: the messages that were taken in and are not acknowledged, in the order in which they came.
 *
 * The broker is told in that order (MQTT 5 4.6), so a message that may be acknowledged waits for those before it.
 *
 * thread: that of its connection. */
#pragma once

#include "adapters/brokers/mqtt_packet.h"
#include "gateway/model/broker_port.h"

typedef struct {
  guint64 receipt;
  guint16 packet_id;
  guint8 answer; /* MQTT_PUBACK or MQTT_PUBREC */
  gboolean is_done;
} MqttUnacknowledged;

typedef struct {
  MqttUnacknowledged entries[BROKER_WINDOW];
  guint first, length;
  guint held; /* of them: not done */
} MqttWindow;

gboolean mqtt_window_is_full (const MqttWindow *window);

/* Whether a message of this number is held among them: what is done is told within the turn. */
gboolean mqtt_window_holds (const MqttWindow *window, guint16 packet_id);

/* There must be room. `qos` is 1 or 2; receipts grow. */
void mqtt_window_add (MqttWindow *window, guint64 receipt, guint16 packet_id, int qos, gboolean is_done);

/* Writes what may be told now: each that is done or has a receipt up to `acknowledged`, as far as none before it waits. */
void mqtt_window_flush (MqttWindow *window, guint64 acknowledged, GByteArray *output);
