/* What each payload format wants of a sensor and of its metrics. */
#include <stdlib.h>
#include <string.h>

#include "config/keys_metrics.h"
#include "config/reader.h"
#include "gateway/core/json_path.h"

typedef enum { PATH_NONE, PATH_JSON, PATH_NAME, PATH_EVENT, PATH_COLUMN } PathUse;

typedef struct {
  PathUse path;
  gboolean has_time_path;
  const char *keys; /* of the sensor, that it alone has */
} FormatRule;

enum { FORMAT_JSON, FORMAT_VALUE, FORMAT_SENML, FORMAT_SPARKPLUG, FORMAT_CHIRPSTACK, FORMAT_CAYENNE_LPP, FORMAT_ZIGBEE2MQTT,
       FORMAT_BINARY, FORMAT_CSV, FORMATS };

const Choice sensor_formats[] = {
  { "json", FORMAT_JSON },           { "value", FORMAT_VALUE },           { "senml", FORMAT_SENML },
  { "sparkplug", FORMAT_SPARKPLUG }, { "chirpstack", FORMAT_CHIRPSTACK }, { "cayenne_lpp", FORMAT_CAYENNE_LPP },
  { "zigbee2mqtt", FORMAT_ZIGBEE2MQTT }, { "binary", FORMAT_BINARY },     { "csv", FORMAT_CSV },
  { 0 },
};

static const FormatRule format_rules[FORMATS] = {
  [FORMAT_JSON] = { PATH_JSON, TRUE, "sequence_path" },
  [FORMAT_VALUE] = { PATH_NONE, FALSE, "" },
  [FORMAT_SENML] = { PATH_NAME, FALSE, "" },
  [FORMAT_SPARKPLUG] = { PATH_NAME, FALSE, "" },
  [FORMAT_CHIRPSTACK] = { PATH_EVENT, FALSE, "payload_format length" },
  [FORMAT_CAYENNE_LPP] = { PATH_NAME, TRUE, "" },
  [FORMAT_ZIGBEE2MQTT] = { PATH_NAME, TRUE, "" },
  [FORMAT_BINARY] = { PATH_NONE, FALSE, "length" },
  [FORMAT_CSV] = { PATH_COLUMN, TRUE, "separator header decimal_comma" },
};

/* What Zigbee2MQTT's fields are, so that a metric need only name them. */
static const struct {
  const char *name;
  ValueKind kind;
  const char *unit;
} zigbee_fields[] = {
  { "contact", VALUE_BOOLEAN, NULL },     { "occupancy", VALUE_BOOLEAN, NULL },   { "presence", VALUE_BOOLEAN, NULL },
  { "water_leak", VALUE_BOOLEAN, NULL },  { "smoke", VALUE_BOOLEAN, NULL },       { "gas", VALUE_BOOLEAN, NULL },
  { "carbon_monoxide", VALUE_BOOLEAN, NULL }, { "vibration", VALUE_BOOLEAN, NULL }, { "tamper", VALUE_BOOLEAN, NULL },
  { "battery_low", VALUE_BOOLEAN, NULL }, { "availability", VALUE_BOOLEAN, NULL }, { "temperature", VALUE_NUMBER, "Cel" },
  { "device_temperature", VALUE_NUMBER, "Cel" }, { "humidity", VALUE_NUMBER, "%" }, { "soil_moisture", VALUE_NUMBER, "%" },
  { "battery", VALUE_NUMBER, "%" },       { "voltage", VALUE_NUMBER, "mV" },      { "pressure", VALUE_NUMBER, "hPa" },
  { "illuminance", VALUE_NUMBER, "lx" },  { "co2", VALUE_NUMBER, "[ppm]" },       { "pm25", VALUE_NUMBER, "ug/m3" },
  { "power", VALUE_NUMBER, "W" },         { "energy", VALUE_NUMBER, "kW.h" },     { "current", VALUE_NUMBER, "A" },
  { "linkquality", VALUE_NUMBER, NULL },
};

static const char *address_of (const Metric *metric)
{
  return metric->path != NULL ? metric->path : metric->name;
}

/* `node` is a plain or quoted scalar of one line: the character that is wrong has a column of its own. */
static void check_json_path (Reader *reader, const char *key, const YamlNode *node, const char *text)
{
  gsize offset = 0;
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonPath) path = json_path_parse (text, &offset, &error);
  if (path != NULL || node == NULL)
    return;
  if (offset == 0) {
    reader_refuse (reader, node, "%s: expected a path such as $.level_cm or $.values[0].level, found \"%s\"", key, text);
    return;
  }
  guint column = node->column + (guint) g_utf8_strlen (text, (gssize) offset) + (node->is_plain ? 0 : 1);
  problems_add (reader->problems, node->file, node->line, column, "%s: %s", key, error->message);
}

static void check_wildcards (Reader *reader, const YamlNode *map, const Sensor *sensor)
{
  g_autoptr (JsonPath) time = sensor->time_path != NULL ? json_path_parse (sensor->time_path, NULL, NULL) : NULL;
  for (guint i = 0; time != NULL && i < sensor->metrics->len; i++) {
    const Metric *metric = sensor->metrics->pdata[i];
    g_autoptr (JsonPath) path = metric->path != NULL ? json_path_parse (metric->path, NULL, NULL) : NULL;
    if (path != NULL && json_path_wildcards (time) > json_path_wildcards (path))
      reader_refuse (reader, yaml_map_get (map, "time_path"),
                     "time_path has more wildcards than the path of %s, expected at most as many: each reading has one time",
                     metric->name);
  }
}

/* The number is the whole message's. */
static void check_sequence_path (Reader *reader, const YamlNode *map, const Sensor *sensor)
{
  const YamlNode *node = yaml_map_get (map, "sequence_path");
  check_json_path (reader, "sequence_path", node, sensor->sequence_path);
  g_autoptr (JsonPath) path = json_path_parse (sensor->sequence_path, NULL, NULL);
  if (path != NULL && json_path_wildcards (path) > 0)
    reader_refuse (reader, node, "sequence_path: expected a path without wildcards: a message has one number");
}

static void check_column (Reader *reader, const YamlNode *node, const Sensor *sensor, const Metric *metric)
{
  const char *address = address_of (metric);
  if (!sensor->has_header && (address[0] == '\0' || strspn (address, "0123456789") != strlen (address) || atoi (address) < 1))
    reader_refuse (reader, node, "path: expected the number of a column, from 1, as there is no header line, found \"%s\"",
                   address);
}

static void check_event_path (Reader *reader, const YamlNode *node, const Sensor *sensor, const Metric *metric)
{
  static const char *const events[] = { "rssi", "snr", "battery", "margin", "latitude", "longitude", "altitude", NULL };
  if (g_strv_contains (events, address_of (metric)) || sensor->payload_format != NULL)
    return;
  if (metric->path == NULL)
    reader_refuse (reader, node, "path is missing, expected one into object, such as $.level, or payload_format for the raw payload");
  else
    check_json_path (reader, "path", yaml_map_get (node, "path"), metric->path);
}

static void check_path (Reader *reader, const YamlNode *node, const Sensor *sensor, const Metric *metric, PathUse use)
{
  const YamlNode *path = yaml_map_get (node, "path");
  switch (use) {
  case PATH_NONE:
    if (metric->path != NULL)
      reader_refuse (reader, path, "path has no use with format %s, expected none", sensor->format);
    break;
  case PATH_JSON:
    if (path == NULL)
      reader_refuse (reader, node, "path is missing, expected one with format json, such as $.level_cm");
    else if (metric->path != NULL)
      check_json_path (reader, "path", path, metric->path);
    break;
  case PATH_EVENT:
    check_event_path (reader, node, sensor, metric);
    break;
  case PATH_COLUMN:
    check_column (reader, path != NULL ? path : node, sensor, metric);
    break;
  case PATH_NAME:
    break;
  }
}

static gboolean is_binary (const Sensor *sensor)
{
  return g_strcmp0 (sensor->format, "binary") == 0 || g_strcmp0 (sensor->payload_format, "binary") == 0;
}

static guint bits_of (BinaryEncoding encoding)
{
  static const guint bits[] = { 8, 8, 16, 16, 24, 24, 32, 32, 64, 64, 32, 64, 8, 16, 32 };
  return bits[encoding];
}

static void check_field (Reader *reader, const YamlNode *node, const Metric *metric)
{
  guint size = bits_of (metric->field.encoding);
  if (yaml_map_get (node, "byte") == NULL && metric->path == NULL)
    reader_refuse (reader, node, "byte is missing, expected where the metric starts, from 0");
  if (metric->field.order == BINARY_WORD_SWAPPED && size < 32)
    reader_refuse (reader, yaml_map_get (node, "order"), "order: word_swapped needs two words, expected an encoding of 32 or 64 bits");
  if (metric->field.bits > 0 && (guint) (metric->field.bit + metric->field.bits) > size)
    reader_refuse (reader, yaml_map_get (node, "bit"), "bit: bits %d to %d are more than the encoding has, expected at most %u",
                   metric->field.bit, metric->field.bit + metric->field.bits - 1, size - 1);
}

static void refuse_field_keys (Reader *reader, const YamlNode *node, const Sensor *sensor)
{
  static const char *const keys[] = { "byte", "encoding", "order", "bit", "bits" };
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (yaml_map_get (node, keys[i]) != NULL)
      reader_refuse (reader, yaml_map_get (node, keys[i]), "%s has no use with format %s, expected none", keys[i], sensor->format);
}

static void check_own_keys (Reader *reader, const YamlNode *map, const Sensor *sensor, const FormatRule *rule)
{
  static const char *const keys[] = { "payload_format", "length", "separator", "header", "decimal_comma", "sequence_path" };
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    const YamlNode *node = yaml_map_get (map, keys[i]);
    if (node != NULL && strstr (rule->keys, keys[i]) == NULL)
      reader_refuse (reader, node, "%s has no use with format %s, expected none", keys[i], sensor->format);
  }
  if (sensor->time_path != NULL && !rule->has_time_path)
    reader_refuse (reader, yaml_map_get (map, "time_path"), "time_path has no use with format %s, expected none", sensor->format);
  if (sensor->separator != NULL && (strlen (sensor->separator) != 1 || strchr ("\"\r\n", sensor->separator[0]) != NULL))
    reader_refuse (reader, yaml_map_get (map, "separator"), "separator: expected one character other than a quote");
  if (sensor->has_decimal_comma && (sensor->separator == NULL || sensor->separator[0] == ','))
    reader_refuse (reader, yaml_map_get (map, "decimal_comma"), "decimal_comma: a comma separates the fields, expected another"
                   " separator, such as \";\"");
}

static void fill_zigbee (const YamlNode *node, Metric *metric)
{
  for (guint i = 0; i < G_N_ELEMENTS (zigbee_fields); i++) {
    if (g_strcmp0 (zigbee_fields[i].name, address_of (metric)) != 0)
      continue;
    if (yaml_map_get (node, "kind") == NULL && metric->values == NULL)
      metric->kind = zigbee_fields[i].kind;
    if (zigbee_fields[i].unit == NULL)
      return;
    if (metric->unit == NULL)
      metric->unit = g_strdup (zigbee_fields[i].unit);
    else if (metric->raw_unit == NULL && metric->scale == 1)
      metric->raw_unit = g_strdup (zigbee_fields[i].unit);
    return;
  }
}

/* spBv1.0/GROUP/+/NODE/#: aliases and sequence numbers are the whole node's. */
static void check_sparkplug_topic (Reader *reader, const YamlNode *map, const Sensor *sensor)
{
  g_auto (GStrv) levels = g_strsplit (sensor->topic != NULL ? sensor->topic : "", "/", -1);
  if (sensor->topic != NULL
      && (g_strv_length (levels) != 5 || strcmp (levels[2], "+") != 0 || strcmp (levels[4], "#") != 0
          || strcmp (levels[1], "+") == 0 || strcmp (levels[3], "+") == 0))
    reader_refuse (reader, yaml_map_get (map, "topic"), "topic: a sensor of format sparkplug is an edge node, expected"
                   " spBv1.0/GROUP/+/NODE/#");
}

static const FormatRule *rule_of (const char *format)
{
  for (const Choice *choice = sensor_formats; choice->name != NULL; choice++)
    if (g_strcmp0 (choice->name, format) == 0)
      return &format_rules[choice->value];
  return NULL;
}

void check_format (Reader *reader, const YamlNode *map, Sensor *sensor)
{
  const FormatRule *rule = rule_of (sensor->format);
  if (rule == NULL) /* refused by the table */
    return;
  check_own_keys (reader, map, sensor, rule);
  if (rule == &format_rules[FORMAT_VALUE] && sensor->metrics->len > 1)
    reader_refuse (reader, yaml_map_get (map, "metrics"), "metrics: format value carries one number, expected one metric");
  if (rule == &format_rules[FORMAT_SPARKPLUG])
    check_sparkplug_topic (reader, map, sensor);
  for (guint i = 0; i < sensor->metrics->len; i++) {
    Metric *metric = sensor->metrics->pdata[i];
    const YamlNode *node = g_hash_table_lookup (reader->nodes, metric);
    if (metric->name == NULL)
      continue;
    check_path (reader, node, sensor, metric, rule->path);
    if (is_binary (sensor))
      check_field (reader, node, metric);
    else
      refuse_field_keys (reader, node, sensor);
    if (rule == &format_rules[FORMAT_ZIGBEE2MQTT])
      fill_zigbee (node, metric);
  }
  if (rule == &format_rules[FORMAT_JSON]) {
    if (sensor->time_path != NULL)
      check_json_path (reader, "time_path", yaml_map_get (map, "time_path"), sensor->time_path);
    check_wildcards (reader, map, sensor);
    if (sensor->sequence_path != NULL)
      check_sequence_path (reader, map, sensor);
  }
}
