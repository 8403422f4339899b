#include "config/devices_file.h"
#include "config/keys_metrics.h"
#include "config/reader.h"
#include "config/types.h"

#include <string.h>

#define SECOND ((double) G_TIME_SPAN_SECOND)
#define PLACE(field) G_STRUCT_OFFSET (Sensor, field)

enum { TOPIC_BYTES_MAX = 1024 };

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
  { "id", &type_id, PLACE (id), .is_required = TRUE, .example = "level-1", .help = "The name in rules and records.",
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
    .help = "Its topic.", .help_zh = "主题。" },
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

static void check_sensor (Reader *reader, const YamlNode *map, gpointer item)
{
  Sensor *sensor = item;
  if (sensor->metrics == NULL)
    return;
  check_metric_names (reader, sensor);
  check_silence (reader, sensor);
  check_format (reader, map, sensor);
}

const Section sensor_section = { "sensor", sensor_keys, sizeof (Sensor), (GDestroyNotify) sensor_free,
                                 .check = check_sensor, .expand = devices_expand };
