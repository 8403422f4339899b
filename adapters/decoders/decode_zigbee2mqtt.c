/* zigbee2mqtt: what the Zigbee2MQTT bridge publishes of a device: a flat JSON object, and beside it, on TOPIC/availability,
 * whether the device is there ("online", or {"state":"online"}).
 *
 * A metric's path is a field's name, by default its own; "color.x" goes into an object; "availability" is the other topic's.
 * A field that is null or not there is one that the device has not reported. The sensor's topic is BASE/DEVICE/#. */
#include <string.h>

#include "adapters/decoders/decoders.h"
#include "adapters/decoders/json_payload.h"
#include "adapters/decoders/metric_names.h"

#define AVAILABILITY "availability"

static gpointer zigbee_format_prepare (const Sensor *sensor, GError **error)
{
  (void) error;
  return (gpointer) sensor;
}

static json_t *find_field (json_t *root, const char *address)
{
  json_t *value = json_object_get (root, address);
  if (value != NULL)
    return value;
  g_auto (GStrv) names = g_strsplit (address, ".", 4);
  for (guint i = 0; names[i] != NULL && root != NULL; i++)
    root = json_object_get (root, names[i]);
  return root;
}

static void take_availability (const Sensor *sensor, const EncodedMessage *message, Decoded *decoded)
{
  const char *text = (const char *) message->payload;
  gboolean is_online = g_strstr_len (text, (gssize) message->size, "online") != NULL;
  guint metric = metric_index (sensor, AVAILABILITY, 0);
  if (metric == sensor->metrics->len)
    return;
  if (!is_online && g_strstr_len (text, (gssize) message->size, "offline") == NULL) {
    decoded_miss (decoded, REASON_MALFORMED, "neither online nor offline");
    return;
  }
  Reading reading = { .metric = metric, .kind = VALUE_BOOLEAN, .value = is_online, .sequence = -1 };
  decoded_add (decoded, sensor, &reading, AVAILABILITY);
}

static void take_state (const Sensor *sensor, const EncodedMessage *message, Decoded *decoded)
{
  json_t *root = json_payload_parse (message->payload, message->size, decoded);
  Reading common = { .sequence = -1 };
  json_t *time = json_object_get (root, sensor->time_path != NULL ? sensor->time_path : "last_seen");
  common.has_time = time != NULL && json_payload_time (time, &common.time_us);
  if (root != NULL && !json_is_object (root))
    decoded_miss (decoded, REASON_MALFORMED, "no object of fields");
  for (guint i = 0; i < sensor->metrics->len; i++) {
    const char *address = metric_address (sensor->metrics->pdata[i]);
    json_t *value = find_field (root, address);
    common.metric = i;
    if (value != NULL && !json_is_null (value))
      json_payload_add (value, sensor, &common, address, decoded);
  }
  json_decref (root);
}

static void zigbee_format_decode (gpointer prepared, const EncodedMessage *message, Decoded *decoded)
{
  const char *last = strrchr (message->topic, '/');
  if (last != NULL && strcmp (last, "/" AVAILABILITY) == 0)
    take_availability (prepared, message, decoded);
  else if (last == NULL || (strcmp (last, "/set") != 0 && strcmp (last, "/get") != 0)) /* those are commands to it */
    take_state (prepared, message, decoded);
}

static void zigbee_format_release (gpointer prepared)
{
  (void) prepared;
}

const Decoder decoder_zigbee2mqtt = {
  .format = "zigbee2mqtt",
  .prepare = zigbee_format_prepare,
  .decode = zigbee_format_decode,
  .release = zigbee_format_release,
};
