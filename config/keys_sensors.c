#include "config/devices_file.h"
#include "config/keys_metrics.h"
#include "config/reader.h"
#include "config/types.h"
#include "gateway/core/topic_template.h"

#include <string.h>

#define SECOND ((double) G_TIME_SPAN_SECOND)
#define PLACE(field) G_STRUCT_OFFSET (Sensor, field)

enum { GRID_MAP_MAX = 1000 };

/* An id in which named levels of the topic may stand; check_template looks whether they may. */
static gboolean read_sensor_id (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  gboolean has_names = node->kind == YAML_SCALAR && topic_template_is (node->text);
  return (has_names ? &type_text : &type_id)->read (reader, key, node, field);
}

static const ValueType type_sensor_id = { "an id (letters, digits, '.', '_' or '-', at most 64, a letter or digit first)",
                                          read_sensor_id, show_text, schema_text };

/* What a text may become, and the id that it then stands for. */
static gboolean read_grid_map (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  if (node->kind != YAML_MAP || node->children->len == 0)
    return reader_mismatch (reader, key, node);
  if (node->children->len / 2 > GRID_MAP_MAX)
    return reader_refuse (reader, node, "%s: expected at most %d, found %u", key->name, GRID_MAP_MAX, node->children->len / 2);
  GHashTable *map = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  *(GHashTable **) field = map;
  gboolean is_good = TRUE;
  for (guint i = 0; i + 1 < node->children->len; i += 2) {
    char *grid = NULL;
    is_good = type_reference.read (reader, key, node->children->pdata[i + 1], &grid) && is_good;
    if (grid != NULL)
      g_hash_table_insert (map, g_strdup (((const YamlNode *) node->children->pdata[i])->text), grid);
  }
  return is_good;
}

static json_t *show_grid_map (const Key *key, gconstpointer field)
{
  (void) key;
  GHashTableIter iter;
  gpointer from, grid;
  GHashTable *map = *(GHashTable *const *) field;
  if (map == NULL)
    return NULL;
  json_t *shown = json_object ();
  g_hash_table_iter_init (&iter, map);
  while (g_hash_table_iter_next (&iter, &from, &grid))
    json_object_set_new (shown, from, json_string (grid));
  return shown;
}

static json_t *schema_grid_map (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:{s:s}}", "type", "object", "additionalProperties", "type", "string");
}

static const ValueType type_grid_map = { "a map such as {shimiao: \"621121104201\"}", read_grid_map, show_grid_map,
                                         schema_grid_map };

static const Choice payload_formats[] = { { "binary", 0 }, { "cayenne_lpp", 0 }, { 0 } };

static const Choice clocks[] = {
  { "auto", CLOCK_TRUST_AUTO }, { "device", CLOCK_TRUST_DEVICE }, { "gateway", CLOCK_TRUST_GATEWAY }, { 0 }
};

/* The reader has made an entry of each device by now. */
static gboolean read_devices_file (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  (void) reader, (void) key, (void) node, (void) field;
  return TRUE;
}

static json_t *show_nothing (const Key *key, gconstpointer field)
{
  (void) key, (void) field;
  return NULL;
}

static const ValueType type_devices_file = { "the path of a CSV file", read_devices_file, show_nothing, schema_text };

static const Key sensor_keys[] = {
  { "id", &type_sensor_id, PLACE (id), .is_required = TRUE, .example = "level-1", .help = "The name in rules and records.",
    .help_zh = "编号, 用于规则和记录。" },
  { "name", &type_text, PLACE (name), .example = "石庙桥水位", .help = "What people call it; the id when not given.",
    .help_zh = "显示名称, 不写则同编号。" },
  { "grid", &type_reference, PLACE (grid), .kind = SITE_GRIDS, .example = "\"621121104201001\"",
    .help = "The grid it stands in; the township when not given.", .help_zh = "所属网格, 不写则为本乡镇。" },
  { DEVICES_FILE, &type_devices_file, 0,
    .help = "Makes the entry stand for many: a CSV file with a line for each device; {column} in the entry's texts is its cell, and"
            " a column may be called like a key (docs/sensors.md).",
    .help_zh = "以一项描述多个传感器: CSV 文件每行一个设备, 文本中的 {列名} 取该行的值, 列也可直接以配置项命名。" },
  { "broker", &type_reference, PLACE (broker), .kind = SITE_BROKERS, .is_required = TRUE, .example = "village",
    .help = "Where it publishes.", .help_zh = "所在的 MQTT 服务器。" },
  { "topic", &type_topic, PLACE (topic), .is_required = TRUE, .example = "village/shimiao/level-1",
    .help = "Its topic. With {named} levels the entry stands for every device that sends (docs/sensors.md).",
    .help_zh = "主题。含 {名称} 层级时, 此项描述所有来报的设备。" },
  { "max_devices", &type_whole, PLACE (max_devices), .minimum = 1, .maximum = 10000, .fallback = "1000",
    .help = "How many sensors an entry with named levels may become.", .help_zh = "含 {名称} 层级的一项最多发现的传感器数。" },
  { "grid_from", &type_text, PLACE (grid_from),
    .help = "Of an entry with named levels: what names the grid that a device stands in; grid where there is no such grid.",
    .help_zh = "含 {名称} 层级时: 由主题得出设备所属网格, 无此网格则用 grid。" },
  { "grid_map", &type_grid_map, PLACE (grid_map), .kind = SITE_GRIDS,
    .help = "Which grid it is, where what grid_from gives is no grid's id.", .help_zh = "grid_from 的取值对应的网格编号。" },
  { "format", &type_choice_text, PLACE (format), .choices = sensor_formats, .fallback = "json",
    .help = "What its messages are (docs/sensors.md).", .help_zh = "报文格式 (见 docs/sensors.md)。" },
  { "payload_format", &type_choice_text, PLACE (payload_format), .choices = payload_formats,
    .help = "What the raw payload of a chirpstack uplink is; its object is read when not given.",
    .help_zh = "chirpstack 原始载荷的格式, 不写则读取 object。" },
  { "length", &type_whole, PLACE (length), .minimum = 1, .maximum = 65536,
    .help = "How long a binary payload is, in bytes; any that holds the metrics when not given.",
    .help_zh = "binary 报文的字节数, 不写则不检查。" },
  { "separator", &type_text, PLACE (separator), .help = "Between the fields of csv; a comma when not given.",
    .help_zh = "csv 的分隔符, 默认逗号。" },
  { "header", &type_boolean, PLACE (has_header),
    .help = "The first line of csv names the columns.", .help_zh = "csv 首行为列名。" },
  { "decimal_comma", &type_boolean, PLACE (has_decimal_comma),
    .help = "Numbers of csv have a comma for a point.", .help_zh = "csv 数值以逗号为小数点。" },
  { "clock", &type_choice, PLACE (clock), .choices = clocks, .fallback = "auto",
    .help = "Whose time counts: the device's, the gateway's, or the device's while it is plausible.",
    .help_zh = "以谁的时间为准: 设备、网关或自动判断。" },
  { "time_path", &type_text, PLACE (time_path), .example = "$.time",
    .help = "Where a message carries its time (RFC 3339, or seconds or milliseconds since 1970).",
    .help_zh = "报文中时间的位置。" },
  { "sequence_path", &type_text, PLACE (sequence_path), .example = "$.seq",
    .help = "Where a json message carries the device's own number of it, or another text that tells it apart: the same again"
            " within five minutes, or duplicate_window when that is longer, is one message.",
    .help_zh = "json 报文中设备序号的位置: 五分钟 (或更长的 duplicate_window) 内序号相同的报文只计一次。" },
  { "duplicate_window", &type_duration, PLACE (duplicate_window_us), .minimum = SECOND, .maximum = 86400 * SECOND,
    .example = "30s", .help = "Equal messages within it are one; each counts when not given.",
    .help_zh = "此时间内内容相同的报文只计一次, 不写则每条都计。" },
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

/* A rate limit that lets less through than silent_after wants would make the sensor silent. */
static void check_silence (Reader *reader, const Sensor *sensor)
{
  for (guint i = 0; i < sensor->metrics->len; i++) {
    const Metric *metric = sensor->metrics->pdata[i];
    if (sensor->silent_after_us > 0 && metric->at_most_every_us >= sensor->silent_after_us)
      reader_refuse (reader, yaml_map_get (g_hash_table_lookup (reader->nodes, metric), "at_most_every"),
                     "at_most_every is not shorter than silent_after, expected less: else the sensor counts as silent");
  }
}

static void check_names (Reader *reader, const YamlNode *map, const Sensor *sensor, const char *key, const char *text)
{
  const YamlNode *node = yaml_map_get (map, key);
  g_autofree char *problem = text != NULL ? topic_template_text_problem (sensor->topic, text) : NULL;
  if (problem != NULL && node != NULL)
    reader_refuse (reader, node, "%s: %s, expected names of the topic's levels", key, problem);
}

/* Keys and names that mean nothing without named levels. */
static void check_single (Reader *reader, const YamlNode *map, const Sensor *sensor)
{
  static const char *const of_templates[] = { "grid_from", "grid_map" };
  for (guint i = 0; i < G_N_ELEMENTS (of_templates); i++)
    if (yaml_map_get (map, of_templates[i]) != NULL)
      reader_refuse (reader, yaml_map_get (map, of_templates[i]), "%s: the topic %s is of one device, expected a topic with named"
                     " levels such as {device}", of_templates[i], sensor->topic);
  check_names (reader, map, sensor, "id", sensor->id);
}

/* Of an entry that stands for every device whose topic is like its own. */
static void check_template (Reader *reader, const YamlNode *map, const Sensor *sensor)
{
  if (sensor->topic == NULL || sensor->id == NULL)
    return;
  if (!topic_template_is (sensor->topic)) {
    check_single (reader, map, sensor);
    return;
  }
  g_autofree char *problem = topic_template_problem (sensor->topic);
  if (problem != NULL) {
    reader_refuse (reader, yaml_map_get (map, "topic"), "topic: %s, expected levels like {village}", problem);
    return;
  }
  check_names (reader, map, sensor, "id", sensor->id);
  check_names (reader, map, sensor, "name", sensor->name);
  check_names (reader, map, sensor, "grid_from", sensor->grid_from);
  if (!topic_template_is (sensor->id))
    reader_refuse (reader, yaml_map_get (map, "id"), "id: all devices of %s would have the id %s, expected a name of a level"
                   " in it, such as {device}", sensor->topic, sensor->id);
  if (sensor->grid_map != NULL && sensor->grid_from == NULL)
    reader_refuse (reader, yaml_map_get (map, "grid_map"), "grid_map: what it is a map of is missing, expected grid_from beside it");
}

static void check_sensor (Reader *reader, const YamlNode *map, gpointer item)
{
  Sensor *sensor = item;
  check_template (reader, map, sensor);
  if (sensor->metrics == NULL)
    return;
  check_metric_names (reader, sensor);
  check_silence (reader, sensor);
  check_format (reader, map, sensor);
}

const Section sensor_section = { "sensor", sensor_keys, sizeof (Sensor), (GDestroyNotify) sensor_free,
                                 .check = check_sensor, .expand = devices_expand };
