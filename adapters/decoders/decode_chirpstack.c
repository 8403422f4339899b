/* chirpstack: the events of ChirpStack v4's MQTT integration, as JSON: application/ID/device/EUI/event/EVENT.
 *
 * Of an uplink (`up`) a metric's path is a JSONPath into `object`, which ChirpStack's codec fills; where the sensor names a
 * `payload_format`, the raw `data` goes through that decoder instead. `rssi` and `snr` are those of the gateway that heard it
 * best. Of a `status` event there are `battery` (percent) and `margin`, of a `location` event `latitude`, `longitude` and
 * `altitude`. join, ack, txack, log and integration are known and carry no readings.
 *
 * Fields at their default are left out (protobuf's JSON): the first uplink after a join has no fCnt, which is 0. */
#include <math.h>
#include <string.h>

#include "adapters/decoders/decoders.h"
#include "adapters/decoders/json_payload.h"
#include "adapters/decoders/metric_names.h"
#include "gateway/core/error.h"
#include "gateway/core/json_path.h"

typedef enum { SOURCE_OBJECT, SOURCE_PAYLOAD, SOURCE_SIGNAL, SOURCE_STATUS, SOURCE_LOCATION } SourceKind;

typedef struct {
  SourceKind kind;
  JsonPath *path; /* into the event; NULL for SOURCE_PAYLOAD and SOURCE_SIGNAL */
} Source;

typedef struct {
  const Sensor *sensor;
  GArray *sources; /* of Source, one a metric */
  const Decoder *inner;
  gpointer inner_prepared;
  Sensor inner_sensor; /* those of the metrics that the inner decoder reads */
  GArray *inner_metrics; /* of guint: which ones they are */
} ChirpstackFormat;

static const struct {
  const char *address;
  SourceKind kind;
  const char *path;
} known[] = {
  { "rssi", SOURCE_SIGNAL, NULL },
  { "snr", SOURCE_SIGNAL, NULL },
  { "battery", SOURCE_STATUS, "$.batteryLevel" },
  { "margin", SOURCE_STATUS, "$.margin" },
  { "latitude", SOURCE_LOCATION, "$.location.latitude" },
  { "longitude", SOURCE_LOCATION, "$.location.longitude" },
  { "altitude", SOURCE_LOCATION, "$.location.altitude" },
};

static void source_clear (gpointer source)
{
  json_path_free (((Source *) source)->path);
}

static void chirpstack_format_release (gpointer prepared)
{
  ChirpstackFormat *format = prepared;
  if (format->inner_prepared != NULL)
    format->inner->release (format->inner_prepared);
  g_ptr_array_unref (format->inner_sensor.metrics);
  g_array_unref (format->inner_metrics);
  g_array_unref (format->sources);
  g_free (format);
}

static gboolean add_source (ChirpstackFormat *format, guint index, GError **error)
{
  const Metric *metric = format->sensor->metrics->pdata[index];
  const char *address = metric_address (metric);
  Source source = { SOURCE_PAYLOAD, NULL };
  guint i = 0;
  while (i < G_N_ELEMENTS (known) && strcmp (known[i].address, address) != 0)
    i++;
  if (i < G_N_ELEMENTS (known)) {
    source.kind = known[i].kind;
    source.path = known[i].path != NULL ? json_path_parse (known[i].path, NULL, NULL) : NULL;
  } else if (format->inner == NULL) {
    source.kind = SOURCE_OBJECT;
    source.path = json_path_parse (address, NULL, error);
    if (source.path == NULL)
      return FALSE;
  } else {
    g_array_append_val (format->inner_metrics, index);
    g_ptr_array_add (format->inner_sensor.metrics, (gpointer) metric);
  }
  g_array_append_val (format->sources, source);
  return TRUE;
}

static gboolean prepare_inner (ChirpstackFormat *format, GError **error)
{
  for (guint i = 0; i < format->sensor->metrics->len; i++)
    if (!add_source (format, i, error))
      return FALSE;
  if (format->inner == NULL || format->inner_metrics->len == 0)
    return TRUE;
  format->inner_prepared = format->inner->prepare (&format->inner_sensor, error);
  return format->inner_prepared != NULL;
}

static gpointer chirpstack_format_prepare (const Sensor *sensor, GError **error)
{
  ChirpstackFormat *format = g_new0 (ChirpstackFormat, 1);
  format->sensor = sensor;
  format->sources = g_array_new (FALSE, FALSE, sizeof (Source));
  g_array_set_clear_func (format->sources, source_clear);
  format->inner_metrics = g_array_new (FALSE, FALSE, sizeof (guint));
  format->inner_sensor = *sensor;
  format->inner_sensor.metrics = g_ptr_array_new ();
  if (sensor->payload_format != NULL)
    format->inner = decoder_find (sensor->payload_format);
  gboolean is_known = sensor->payload_format == NULL || format->inner != NULL;
  if (!is_known)
    error_set (error, ERROR_RECONFIGURE, "payload_format %s is unknown", sensor->payload_format);
  if (is_known && prepare_inner (format, error))
    return format;
  chirpstack_format_release (format);
  return NULL;
}

/* The gateway with the strongest signal; of equal ones the first. */
static json_t *best_reception (json_t *event)
{
  json_t *list = json_object_get (event, "rxInfo"), *one, *best = NULL;
  size_t index;
  json_array_foreach (list, index, one)
    if (best == NULL || json_number_value (json_object_get (one, "rssi")) > json_number_value (json_object_get (best, "rssi")))
      best = one;
  return best;
}

static void add_signals (const ChirpstackFormat *format, json_t *event, Reading *common, Decoded *decoded)
{
  json_t *best = best_reception (event);
  for (guint i = 0; best != NULL && i < format->sources->len; i++) {
    const char *address = metric_address (format->sensor->metrics->pdata[i]);
    if (g_array_index (format->sources, Source, i).kind != SOURCE_SIGNAL)
      continue;
    json_t *value = json_object_get (best, address);
    json_t *absent = value == NULL ? json_real (0) : NULL; /* left out at its default */
    common->metric = i;
    json_payload_add (value != NULL ? value : absent, format->sensor, common, address, decoded);
    json_decref (absent);
  }
}

static void add_paths (const ChirpstackFormat *format, SourceKind kind, json_t *root, Reading *common, gboolean is_needed,
                       Decoded *decoded)
{
  for (guint i = 0; i < format->sources->len; i++) {
    const Source *source = &g_array_index (format->sources, Source, i);
    if (source->kind != kind)
      continue;
    json_t *value = json_path_find (source->path, root);
    common->metric = i;
    if (value != NULL)
      json_payload_add (value, format->sensor, common, json_path_text (source->path), decoded);
    else if (is_needed)
      decoded_miss (decoded, REASON_PATH_ABSENT, "nothing at %s of object", json_path_text (source->path));
  }
}

/* Base64 with nothing else in it; g_base64_decode skips what isn't. */
static guint8 *take_data (json_t *event, gsize *size, Decoded *decoded)
{
  json_t *data = json_object_get (event, "data");
  const char *text = json_is_string (data) ? json_string_value (data) : "";
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  if (strspn (text, alphabet) == strlen (text) && strlen (text) % 4 == 0)
    return g_base64_decode (text, size);
  decoded_miss (decoded, REASON_MALFORMED, "data is no base64");
  return NULL;
}

static void add_payload (const ChirpstackFormat *format, json_t *event, const EncodedMessage *message,
                         const Reading *common, Decoded *decoded)
{
  gsize size = 0;
  guint first = decoded->readings->len;
  g_autofree guint8 *data = format->inner_prepared != NULL ? take_data (event, &size, decoded) : NULL;
  if (data == NULL || size == 0) /* an uplink of MAC commands alone has none */
    return;
  EncodedMessage inner = *message;
  inner.payload = data;
  inner.size = size;
  format->inner->decode (format->inner_prepared, &inner, decoded);
  for (guint i = first; i < decoded->readings->len; i++) {
    Reading *reading = &g_array_index (decoded->readings, Reading, i);
    reading->metric = g_array_index (format->inner_metrics, guint, reading->metric);
    reading->sequence = common->sequence;
    if (!reading->has_time) {
      reading->has_time = common->has_time;
      reading->time_us = common->time_us;
    }
  }
}

/* The same uplink, heard late by another gateway, comes as another event: device, session and frame counter tell it. */
static void identify (json_t *event, gint64 frame, Decoded *decoded)
{
  const char *device = json_string_value (json_object_get (json_object_get (event, "deviceInfo"), "devEui"));
  const char *session = json_string_value (json_object_get (event, "devAddr"));
  if (device == NULL || session == NULL)
    return;
  g_autofree char *text = g_strdup_printf ("%s %s %" G_GINT64_FORMAT, device, session, frame);
  decoded_identify (decoded, text);
}

static void take_uplink (const ChirpstackFormat *format, json_t *event, const EncodedMessage *message, Reading *common,
                         Decoded *decoded)
{
  double frame = json_number_value (json_object_get (event, "fCnt"));
  common->sequence = frame >= 0 && frame <= G_MAXUINT32 ? (gint64) frame : -1;
  identify (event, common->sequence, decoded);
  json_t *object = json_object_get (event, "object");
  if (object != NULL)
    add_paths (format, SOURCE_OBJECT, object, common, TRUE, decoded);
  add_payload (format, event, message, common, decoded);
  add_signals (format, event, common, decoded);
  gboolean has_data = json_string_length (json_object_get (event, "data")) > 0;
  for (guint i = 0; object == NULL && has_data && i < format->sources->len; i++)
    if (g_array_index (format->sources, Source, i).kind == SOURCE_OBJECT)
      decoded_miss (decoded, REASON_PATH_ABSENT, "the event has no object: the device profile has no codec, or set payload_format");
}

static void take_event (const ChirpstackFormat *format, const char *name, json_t *event, const EncodedMessage *message,
                        Decoded *decoded)
{
  Reading common = { .sequence = -1 };
  json_t *time = json_object_get (event, "time");
  common.has_time = time != NULL && json_payload_time (time, &common.time_us);
  gboolean has_battery = !json_is_true (json_object_get (event, "batteryLevelUnavailable"));
  if (strcmp (name, "up") == 0)
    take_uplink (format, event, message, &common, decoded);
  else if (strcmp (name, "status") == 0 && has_battery)
    add_paths (format, SOURCE_STATUS, event, &common, FALSE, decoded);
  else if (strcmp (name, "location") == 0)
    add_paths (format, SOURCE_LOCATION, event, &common, FALSE, decoded);
}

static gboolean has_readings (const char *name)
{
  static const char *const without[] = { "join", "ack", "txack", "log", "integration" };
  for (guint i = 0; i < G_N_ELEMENTS (without); i++)
    if (strcmp (name, without[i]) == 0)
      return FALSE;
  return TRUE;
}

static void chirpstack_format_decode (gpointer prepared, const EncodedMessage *message, Decoded *decoded)
{
  const char *last = strrchr (message->topic, '/');
  const char *name = last != NULL ? last + 1 : message->topic;
  if (!has_readings (name))
    return;
  json_t *event = json_payload_parse (message->payload, message->size, decoded);
  if (json_is_object (event))
    take_event (prepared, name, event, message, decoded);
  else if (event != NULL)
    decoded_miss (decoded, REASON_MALFORMED, "no event: expected an object");
  json_decref (event);
}

const Decoder decoder_chirpstack = {
  .format = "chirpstack",
  .prepare = chirpstack_format_prepare,
  .decode = chirpstack_format_decode,
  .release = chirpstack_format_release,
};
