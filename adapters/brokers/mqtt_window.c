#include "adapters/brokers/mqtt_window.h"

gboolean mqtt_window_is_full (const MqttWindow *window)
{
  return window->length == BROKER_WINDOW;
}

gboolean mqtt_window_holds (const MqttWindow *window, guint16 packet_id)
{
  for (guint i = 0; i < window->length; i++) {
    const MqttUnacknowledged *entry = &window->entries[(window->first + i) % BROKER_WINDOW];
    if (!entry->is_done && entry->packet_id == packet_id)
      return TRUE;
  }
  return FALSE;
}

void mqtt_window_add (MqttWindow *window, guint64 receipt, guint16 packet_id, int qos, gboolean is_done)
{
  g_assert (!mqtt_window_is_full (window));
  window->entries[(window->first + window->length++) % BROKER_WINDOW]
    = (MqttUnacknowledged){ receipt, packet_id, qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, is_done };
  window->held += !is_done;
}

void mqtt_window_flush (MqttWindow *window, guint64 acknowledged, GByteArray *output)
{
  while (window->length > 0) {
    const MqttUnacknowledged *entry = &window->entries[window->first];
    if (!entry->is_done && entry->receipt > acknowledged)
      return;
    mqtt_ack_write (output, (MqttType) entry->answer, entry->packet_id);
    window->first = (window->first + 1) % BROKER_WINDOW;
    window->length--;
    window->held -= !entry->is_done;
  }
}
