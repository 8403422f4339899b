#include "config/reader.h"
#include "config/types.h"

#include <string.h>

#define SECOND ((double) G_TIME_SPAN_SECOND)
#define PLACE(field) G_STRUCT_OFFSET (Metric, field)

enum { TOPIC_BYTES_MAX = 1024, PATH_STEPS_MAX = 16 };

/* One step of a path, after `at`: `.name`, `["name"]`, `['name']` or `[0]`. Returns what follows, NULL if it is none. */
static const char *path_step (const char *at)
{
  if (*at == '.') {
    gsize length = strcspn (++at, ".[]\"' *");
    return length > 0 ? at + length : NULL;
  }
  if (*at++ != '[')
    return NULL;
  if (*at == '"' || *at == '\'') {
    const char *end = strchr (at + 1, *at);
    return end != NULL && end > at + 1 && end[1] == ']' ? end + 2 : NULL;
  }
  at += *at == '-'; /* from the end */
  gsize digits = strspn (at, "0123456789");
  return digits > 0 && digits < 6 && at[digits] == ']' ? at + digits + 1 : NULL;
}

static gboolean path_is_right (const char *text)
{
  if (*text++ != '$')
    return FALSE;
  guint steps = 0;
  while (*text != '\0' && ++steps <= PATH_STEPS_MAX)
    if ((text = path_step (text)) == NULL)
      return FALSE;
  return *text == '\0';
}

static gboolean read_path (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  return path_is_right (text) ? type_text.read (reader, key, node, field) : reader_mismatch (reader, key, node);
}

static json_t *schema_path (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:s}", "type", "string", "pattern", "^\\$");
}

static const ValueType type_path = { "a path such as $.level_cm or $.values[0].level", read_path, show_text, schema_path };

static const Key metric_keys[] = {
  { "name", &type_id, PLACE (name), .is_required = TRUE, .example = "water_level",
    .help = "What is measured; rules refer to it.", .help_zh = "指标名称, 供规则引用。" },
  { "path", &type_path, PLACE (path), .example = "$.level_cm",
    .help = "Where it stands in a JSON payload; for format json.", .help_zh = "在 JSON 报文中的位置, 用于 json 格式。" },
  { "unit", &type_text, PLACE (unit), .example = "m", .help = "Its unit after scaling, as a UCUM code.",
    .help_zh = "换算后的单位 (UCUM)。" },
  { "scale", &type_number, PLACE (scale), .fallback = "1", .help = "value = raw * scale + offset",
    .help_zh = "换算系数: 值 = 原值 × scale + offset。" },
  { "offset", &type_number, PLACE (offset), .fallback = "0", .help = "See scale.", .help_zh = "换算偏移。" },
  { 0 }
};

static void check_metric (Reader *reader, const YamlNode *map, gpointer item)
{
  if (((const Metric *) item)->scale == 0)
    reader_refuse (reader, yaml_map_get (map, "scale"), "scale: 0 makes every value the same, expected another number");
}

static const Section metric_section = { "metric", metric_keys, sizeof (Metric), (GDestroyNotify) metric_free,
                                        .check = check_metric };

#undef PLACE
#define PLACE(field) G_STRUCT_OFFSET (Sensor, field)

/* MQTT 5.0 4.7.1: '+' stands for a whole level, '#' for all that follows and only at the end. */
static gboolean topic_is_right (const char *topic)
{
  if (strlen (topic) > TOPIC_BYTES_MAX || topic[0] == '$')
    return FALSE;
  g_auto (GStrv) levels = g_strsplit (topic, "/", -1);
  for (guint i = 0; levels[i] != NULL; i++)
    if (strpbrk (levels[i], "+#") != NULL && (strlen (levels[i]) != 1 || (levels[i][0] == '#' && levels[i + 1] != NULL)))
      return FALSE;
  return TRUE;
}

static gboolean read_topic (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  return topic_is_right (text) ? type_text.read (reader, key, node, field) : reader_mismatch (reader, key, node);
}

static const ValueType type_topic = { "an MQTT topic ('+' only as a whole level, '#' only at the end)", read_topic,
                                      show_text, schema_text };

static const Choice formats[] = {
  { "json", 0 },
  { "value", 0 },
  { "senml", 0, .is_later = TRUE },
  { "sparkplug", 0, .is_later = TRUE },
  { "chirpstack", 0, .is_later = TRUE },
  { "cayenne_lpp", 0, .is_later = TRUE },
  { "zigbee2mqtt", 0, .is_later = TRUE },
  { "binary", 0, .is_later = TRUE },
  { "csv", 0, .is_later = TRUE },
  { 0 },
};

static const Choice clocks[] = {
  { "auto", CLOCK_TRUST_AUTO }, { "device", CLOCK_TRUST_DEVICE }, { "gateway", CLOCK_TRUST_GATEWAY }, { 0 }
};

static const Key sensor_keys[] = {
  { "id", &type_id, PLACE (id), .is_required = TRUE, .example = "level-1", .help = "The name in rules and records.",
    .help_zh = "编号, 用于规则和记录。" },
  { "name", &type_text, PLACE (name), .example = "石庙桥水位", .help = "What people call it; the id when not given.",
    .help_zh = "显示名称, 不写则同编号。" },
  { "grid", &type_reference, PLACE (grid), .kind = SITE_GRIDS, .example = "\"621121104201001\"",
    .help = "The grid it stands in; the township when not given.", .help_zh = "所属网格, 不写则为本乡镇。" },
  { "broker", &type_reference, PLACE (broker), .kind = SITE_BROKERS, .is_required = TRUE, .example = "village",
    .help = "Where it publishes.", .help_zh = "所在的 MQTT 服务器。" },
  { "topic", &type_topic, PLACE (topic), .is_required = TRUE, .example = "village/shimiao/level-1",
    .help = "Its topic.", .help_zh = "主题。" },
  { "format", &type_choice_text, PLACE (format), .choices = formats, .fallback = "json",
    .help = "json: a JSON payload with a path for each metric; value: the payload is one number.",
    .help_zh = "json: 按路径取值; value: 报文即一个数值。" },
  { "clock", &type_choice, PLACE (clock), .choices = clocks, .fallback = "auto",
    .help = "Whose time counts: the device's, the gateway's, or the device's while it is plausible.",
    .help_zh = "以谁的时间为准: 设备、网关或自动判断。" },
  { "time_path", &type_path, PLACE (time_path), .example = "$.time",
    .help = "Where a JSON payload carries its time (RFC 3339, or seconds or milliseconds since 1970).",
    .help_zh = "JSON 报文中时间的位置。" },
  { "silent_after", &type_duration, PLACE (silent_after_us), .minimum = SECOND, .maximum = 366 * 86400 * SECOND,
    .example = "10m", .help = "Without a reading for this long, the alert sensor_silent opens; never when not given.",
    .help_zh = "超过此时间无数据即发出 sensor_silent 告警, 不写则不告警。" },
  { "durable", &type_boolean, PLACE (durable), .fallback = "true",
    .help = "Acknowledged to the broker only once it is on disk.", .help_zh = "落盘后才向服务器确认。" },
  { "location", &type_location, PLACE (location), .section = &location_section, .help = "Where it stands.",
    .help_zh = "安装位置。" },
  { "metrics", &type_maps, PLACE (metrics), .section = &metric_section, .is_required = TRUE, .minimum = 1, .maximum = 100,
    .help = "What it measures.", .help_zh = "所测指标。" },
  { 0 }
};

static void check_metric_names (Reader *reader, const Sensor *sensor)
{
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < sensor->metrics->len; i++) {
    const Metric *metric = sensor->metrics->pdata[i];
    const YamlNode *node = yaml_map_get (g_hash_table_lookup (reader->nodes, metric), "name");
    if (metric->name != NULL && !g_hash_table_add (names, metric->name))
      reader_refuse (reader, node, "metric %s stands twice in sensor %s, expected once", metric->name,
                     sensor->id != NULL ? sensor->id : "?");
  }
}

static void check_paths (Reader *reader, const YamlNode *map, const Sensor *sensor)
{
  gboolean is_value = g_strcmp0 (sensor->format, "value") == 0;
  if (is_value && sensor->metrics->len > 1)
    reader_refuse (reader, yaml_map_get (map, "metrics"), "metrics: format value carries one number, expected one metric");
  if (is_value && sensor->time_path != NULL)
    reader_refuse (reader, yaml_map_get (map, "time_path"), "time_path has no use with format value, expected none");
  for (guint i = 0; i < sensor->metrics->len; i++) {
    const Metric *metric = sensor->metrics->pdata[i];
    const YamlNode *node = g_hash_table_lookup (reader->nodes, metric);
    if (is_value && metric->path != NULL)
      reader_refuse (reader, yaml_map_get (node, "path"), "path has no use with format value, expected none");
    if (!is_value && yaml_map_get (node, "path") == NULL)
      reader_refuse (reader, node, "path is missing, expected one with format json, such as $.level_cm");
  }
}

static void check_sensor (Reader *reader, const YamlNode *map, gpointer item)
{
  Sensor *sensor = item;
  if (sensor->metrics == NULL)
    return;
  check_metric_names (reader, sensor);
  check_paths (reader, map, sensor);
}

const Section sensor_section = { "sensor", sensor_keys, sizeof (Sensor), (GDestroyNotify) sensor_free,
                                 .check = check_sensor };
