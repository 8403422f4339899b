/* sparkplug: Eclipse Sparkplug B 3.0. A sensor is an edge node with its devices: its topic is spBv1.0/GROUP/+/NODE/#.
 *
 * A metric's path is a metric's name, of a device DEVICE/NAME. Births give names, aliases and datatypes, and set states:
 * nothing fires on them. Data is numbered 0 to 255 over the node and all its devices: when one is missing, or data comes
 * before a birth, the node is asked for its births again (whoever sends it limits how often). A death makes what it
 * concerns bad. STATE and commands are known and say nothing of the sensor. is_transient asks historians not to store: rules
 * judge what is stored, so it is stored. */
#include <string.h>

#include "adapters/decoders/decoders.h"
#include "adapters/decoders/metric_names.h"
#include "adapters/decoders/sparkplug_payload.h"
#include "gateway/core/log.h"

#define BIRTH_DEATH_SEQUENCE "bdSeq"

enum { ALIASES_MAX = 20000, QUALITY_PROPERTY_GOOD = 192, QUALITY_PROPERTY_STALE = 500 };

typedef struct {
  guint metric; /* the sensor's first one of that name; their number: none */
  guint datatype;
  char *device; /* NULL: the node's own */
} Alias;

/* What is known of one of the sensor's metrics. */
typedef struct {
  gboolean is_known;
  guint datatype;
  char *device;
  char *text;   /* of `last` */
  Reading last; /* as sent */
} MetricState;

typedef struct {
  const Sensor *sensor;
  GHashTable *aliases; /* guint64 → Alias */
  MetricState *states; /* one a metric */
  gboolean is_born, has_death_sequence;
  guint64 death_sequence; /* bdSeq of the birth */
  guint next_sequence;
} SparkplugFormat;

typedef struct {
  SparkplugFormat *format;
  const EncodedMessage *message;
  Decoded *decoded;
  const char *device; /* NULL: the node's own */
  SparkplugPayload payload;
  gboolean is_birth, is_unborn;
} Part;

static void alias_free (gpointer data)
{
  Alias *alias = data;
  g_free (alias->device);
  g_free (alias);
}

static void sparkplug_format_release (gpointer prepared)
{
  SparkplugFormat *format = prepared;
  for (guint i = 0; i < format->sensor->metrics->len; i++) {
    g_free (format->states[i].device);
    g_free (format->states[i].text);
  }
  g_free (format->states);
  g_hash_table_unref (format->aliases);
  g_free (format);
}

static gpointer sparkplug_format_prepare (const Sensor *sensor, GError **error)
{
  (void) error;
  SparkplugFormat *format = g_new0 (SparkplugFormat, 1);
  format->sensor = sensor;
  format->aliases = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, alias_free);
  format->states = g_new0 (MetricState, sensor->metrics->len);
  return format;
}

/* Names, aliases */

static char *address_of (const Part *part, const SparkplugMetric *metric)
{
  g_autofree char *name = g_strndup ((const char *) metric->name.at, byte_reader_left (&metric->name));
  return part->device != NULL ? g_strconcat (part->device, "/", name, NULL) : g_steal_pointer (&name);
}

static void learn_alias (const Part *part, const SparkplugMetric *metric, guint index)
{
  GHashTable *aliases = part->format->aliases;
  if (!metric->has_alias || (g_hash_table_size (aliases) >= ALIASES_MAX && !g_hash_table_contains (aliases, &metric->alias)))
    return;
  Alias *alias = g_new0 (Alias, 1);
  alias->metric = index;
  alias->datatype = metric->datatype;
  alias->device = g_strdup (part->device);
  g_hash_table_replace (aliases, g_memdup2 (&metric->alias, sizeof metric->alias), alias);
}

/* The sensor's first metric that is meant, their number when none is; G_MAXUINT when nobody told what the alias means. */
static guint find_metric (const Part *part, const SparkplugMetric *metric, guint *datatype)
{
  *datatype = metric->datatype;
  if (byte_reader_left (&metric->name) > 0) {
    g_autofree char *address = address_of (part, metric);
    guint index = metric_index (part->format->sensor, address, 0);
    if (*datatype == 0 && index < part->format->sensor->metrics->len)
      *datatype = part->format->states[index].datatype;
    if (part->is_birth)
      learn_alias (part, metric, index);
    return index;
  }
  const Alias *alias = metric->has_alias ? g_hash_table_lookup (part->format->aliases, &metric->alias) : NULL;
  if (alias == NULL || g_strcmp0 (alias->device, part->device) != 0)
    return G_MAXUINT;
  *datatype = *datatype != 0 ? *datatype : alias->datatype;
  return alias->metric;
}

static gboolean is_of_device (gpointer key, gpointer value, gpointer device)
{
  (void) key;
  return g_strcmp0 (((const Alias *) value)->device, device) == 0;
}

/* Requests */

/* Asks the node for its births. */
static void ask_for_birth (const Part *part, const char *why)
{
  g_auto (GStrv) levels = g_strsplit (part->message->topic, "/", 5);
  g_free (part->decoded->request_topic);
  g_clear_pointer (&part->decoded->request, g_bytes_unref);
  part->decoded->request_topic = g_strdup_printf ("%s/%s/NCMD/%s", levels[0], levels[1], levels[3]);
  part->decoded->request = sparkplug_rebirth (part->message->receive_time_us);
  log_limited (LOG_LEVEL_INFO, "sparkplug: %s, its births are asked for: %s", part->message->topic, why);
}

static void follow_sequence (const Part *part)
{
  SparkplugFormat *format = part->format;
  gboolean is_next = part->payload.has_sequence && part->payload.sequence == format->next_sequence;
  if (!is_next && format->is_born)
    ask_for_birth (part, "a message is missing");
  if (part->payload.has_sequence)
    format->next_sequence = (guint) (part->payload.sequence + 1) % 256;
}

/* Values */

static Quality quality_of (const SparkplugMetric *metric)
{
  if (!metric->has_quality || metric->quality == QUALITY_PROPERTY_GOOD)
    return QUALITY_GOOD;
  return metric->quality == QUALITY_PROPERTY_STALE ? QUALITY_UNCERTAIN : QUALITY_BAD;
}

/* What was last known, now bad. Nothing when nothing was. */
static void add_bad (const Part *part, guint index, const Reading *common)
{
  const MetricState *state = &part->format->states[index];
  if (!state->is_known)
    return;
  Reading reading = state->last;
  reading.has_time = common->has_time;
  reading.time_us = common->time_us;
  reading.sequence = common->sequence;
  reading.is_state = TRUE;
  reading.is_historical = FALSE;
  reading.quality = QUALITY_BAD;
  if (reading.kind == VALUE_TEXT)
    reading.text = decoded_text (part->decoded, state->text, -1);
  decoded_add (part->decoded, part->format->sensor, &reading, metric_address (part->format->sensor->metrics->pdata[index]));
}

static void add_value (const Part *part, guint index, const Reading *reading)
{
  MetricState *state = &part->format->states[index];
  const char *address = metric_address (part->format->sensor->metrics->pdata[index]);
  if (!decoded_add (part->decoded, part->format->sensor, reading, address) || reading->is_historical)
    return;
  g_free (state->device);
  state->device = g_strdup (part->device);
  g_free (state->text);
  state->text = reading->kind == VALUE_TEXT ? g_strdup (reading->text) : NULL;
  state->last = *reading;
  state->last.text = NULL;
  state->is_known = TRUE;
}

static Reading common_of (const Part *part, const SparkplugMetric *metric)
{
  Reading reading = { .sequence = part->payload.has_sequence ? (gint64) part->payload.sequence : -1 };
  guint64 ms = metric->has_timestamp ? metric->timestamp_ms : part->payload.timestamp_ms;
  reading.has_time = (metric->has_timestamp || part->payload.has_timestamp) && ms < G_MAXINT64 / 1000;
  reading.time_us = reading.has_time ? (gint64) ms * 1000 : 0;
  reading.is_historical = metric->is_historical;
  reading.is_state = part->is_birth;
  reading.quality = quality_of (metric);
  return reading;
}

static void take_metric (Part *part, const SparkplugMetric *metric)
{
  const Sensor *sensor = part->format->sensor;
  guint datatype;
  guint index = find_metric (part, metric, &datatype);
  part->is_unborn |= index == G_MAXUINT;
  if (index >= sensor->metrics->len)
    return;
  ByteReader text;
  Reading reading = common_of (part, metric);
  gboolean has_value = metric->has_value && !metric->is_null
                       && sparkplug_value (metric, datatype, &reading.kind, &reading.value, &text);
  if (has_value && reading.kind == VALUE_TEXT)
    reading.text = decoded_text (part->decoded, (const char *) text.at, (gssize) byte_reader_left (&text));
  const char *address = metric_address (sensor->metrics->pdata[index]);
  for (; index < sensor->metrics->len; index = metric_index (sensor, address, index + 1)) {
    reading.metric = index;
    part->format->states[index].datatype = datatype;
    if (has_value)
      add_value (part, index, &reading);
    else if (metric->is_null)
      add_bad (part, index, &reading);
    else
      decoded_miss (part->decoded, REASON_NOT_A_NUMBER, "%s has no value that is a number, a truth or a text", address);
  }
}

static void take_metrics (Part *part)
{
  SparkplugMetric metric;
  while (sparkplug_payload_next (&part->payload, &metric))
    take_metric (part, &metric);
  if (part->payload.metrics.is_short)
    decoded_miss (part->decoded, REASON_MALFORMED, "a metric is cut short");
}

/* FALSE: the payload has none. */
static gboolean find_death_sequence (SparkplugPayload payload, guint64 *sequence)
{
  SparkplugMetric metric;
  while (sparkplug_payload_next (&payload, &metric))
    if (byte_reader_left (&metric.name) == strlen (BIRTH_DEATH_SEQUENCE)
        && memcmp (metric.name.at, BIRTH_DEATH_SEQUENCE, strlen (BIRTH_DEATH_SEQUENCE)) == 0 && metric.has_value) {
      *sequence = metric.value.value;
      return TRUE;
    }
  return FALSE;
}

/* Births, data, deaths */

static void take_node_birth (Part *part)
{
  SparkplugFormat *format = part->format;
  part->is_birth = TRUE;
  g_hash_table_remove_all (format->aliases);
  format->has_death_sequence = find_death_sequence (part->payload, &format->death_sequence);
  format->is_born = TRUE;
  format->next_sequence = (guint) (part->payload.sequence + 1) % 256;
  take_metrics (part);
}

static void take_device_birth (Part *part)
{
  follow_sequence (part);
  part->is_birth = TRUE;
  g_hash_table_foreach_remove (part->format->aliases, is_of_device, (gpointer) part->device);
  if (!part->format->is_born)
    ask_for_birth (part, "a device was born before its node");
  take_metrics (part);
}

static void take_data (Part *part)
{
  follow_sequence (part);
  take_metrics (part);
  if (!part->format->is_born || part->is_unborn)
    ask_for_birth (part, "data came before its birth");
  if (part->is_unborn)
    decoded_miss (part->decoded, REASON_UNBORN, "an alias that no birth has named yet: the node is asked for it");
}

static void make_bad (const Part *part, gboolean is_node)
{
  Reading common = { .sequence = -1 };
  for (guint i = 0; i < part->format->sensor->metrics->len; i++) {
    common.metric = i;
    if (is_node || g_strcmp0 (part->format->states[i].device, part->device) == 0)
      add_bad (part, i, &common);
  }
}

/* 5.4: the will of an earlier connection may come after the birth of the next: bdSeq tells which one it belongs to. */
static void take_node_death (Part *part)
{
  guint64 sequence;
  SparkplugFormat *format = part->format;
  if (format->has_death_sequence && find_death_sequence (part->payload, &sequence) && sequence != format->death_sequence)
    return;
  format->is_born = FALSE;
  make_bad (part, TRUE);
}

static void take_device_death (Part *part)
{
  follow_sequence (part);
  make_bad (part, FALSE);
}

static const struct {
  const char *type;
  gboolean has_device;
  void (*take) (Part *part);
} kinds[] = {
  { "NBIRTH", FALSE, take_node_birth }, { "DBIRTH", TRUE, take_device_birth }, { "NDATA", FALSE, take_data },
  { "DDATA", TRUE, take_data },         { "NDEATH", FALSE, take_node_death },  { "DDEATH", TRUE, take_device_death },
};

static gboolean is_known_without_readings (const GStrv levels)
{
  static const char *const types[] = { "NCMD", "DCMD", NULL };
  return g_strcmp0 (levels[0], "STATE") == 0 || g_strcmp0 (levels[1], "STATE") == 0
         || (g_strv_length (levels) >= 4 && g_strv_contains (types, levels[2]));
}

static void sparkplug_format_decode (gpointer prepared, const EncodedMessage *message, Decoded *decoded)
{
  g_auto (GStrv) levels = g_strsplit (message->topic, "/", 6);
  guint count = g_strv_length (levels), kind = 0;
  if (count == 0 || is_known_without_readings (levels))
    return;
  while (kind < G_N_ELEMENTS (kinds) && (count < 4 || strcmp (kinds[kind].type, levels[2]) != 0))
    kind++;
  if (kind == G_N_ELEMENTS (kinds) || count != (kinds[kind].has_device ? 5 : 4)) {
    decoded_miss (decoded, REASON_MALFORMED, "no topic of Sparkplug: expected spBv1.0/GROUP/TYPE/NODE[/DEVICE]");
    return;
  }
  Part part = { .format = prepared, .message = message, .decoded = decoded, .device = levels[4] };
  if (!sparkplug_payload_parse (message->payload, message->size, &part.payload)) {
    decoded_miss (decoded, REASON_MALFORMED, "no payload of Sparkplug B");
    return;
  }
  kinds[kind].take (&part);
}

const Decoder decoder_sparkplug = {
  .format = "sparkplug",
  .prepare = sparkplug_format_prepare,
  .decode = sparkplug_format_decode,
  .release = sparkplug_format_release,
};
