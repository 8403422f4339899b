/* What a sensor measures and how it lies in its messages. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/keys_metrics.h"
#include "config/reader.h"
#include "config/types.h"
#include "config/units.h"

#define SECOND ((double) G_TIME_SPAN_SECOND)
#define PLACE(field) G_STRUCT_OFFSET (Metric, field)

enum { VALUES_MAX = 100 };

static void named_value_clear (gpointer named)
{
  g_free (((NamedValue *) named)->name);
}

static gboolean read_named (Reader *reader, const Key *key, const YamlNode *name, const YamlNode *value, GArray *values)
{
  NamedValue named = { NULL, 0 };
  if (value->kind == YAML_SCALAR && value->is_plain && strcmp (value->text, "true") == 0)
    named.value = 1;
  else if (!(value->kind == YAML_SCALAR && value->is_plain && strcmp (value->text, "false") == 0)
           && !read_number (reader, key, value, &named.value))
    return FALSE;
  named.name = g_strdup (name->text);
  g_array_append_val (values, named);
  return TRUE;
}

static gboolean read_values (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  if (node->kind != YAML_MAP || node->children->len == 0)
    return reader_mismatch (reader, key, node);
  if (node->children->len / 2 > VALUES_MAX)
    return reader_refuse (reader, node, "%s: expected at most %d, found %u", key->name, VALUES_MAX, node->children->len / 2);
  GArray *values = g_array_new (FALSE, FALSE, sizeof (NamedValue));
  g_array_set_clear_func (values, named_value_clear);
  *(GArray **) field = values;
  gboolean is_good = TRUE;
  for (guint i = 0; i + 1 < node->children->len; i += 2)
    is_good = read_named (reader, key, node->children->pdata[i], node->children->pdata[i + 1], values) && is_good;
  return is_good;
}

static json_t *show_values (const Key *key, gconstpointer field)
{
  (void) key;
  const GArray *values = *(GArray *const *) field;
  if (values == NULL)
    return NULL;
  json_t *map = json_object ();
  for (guint i = 0; i < values->len; i++)
    json_object_set_new (map, g_array_index (values, NamedValue, i).name,
                         json_real (g_array_index (values, NamedValue, i).value));
  return map;
}

static json_t *schema_values (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:{s:[s, s]}}", "type", "object", "additionalProperties", "type", "number", "boolean");
}

static const ValueType type_values = { "a map such as {open: 1, closed: 0}", read_values, show_values, schema_values };

static const Choice kinds[] = { { "number", VALUE_NUMBER }, { "boolean", VALUE_BOOLEAN }, { "text", VALUE_TEXT }, { 0 } };

static const Choice encodings[] = {
  { "u8", BINARY_U8 },     { "i8", BINARY_I8 },     { "u16", BINARY_U16 },     { "i16", BINARY_I16 },     { "u24", BINARY_U24 },
  { "i24", BINARY_I24 },   { "u32", BINARY_U32 },   { "i32", BINARY_I32 },     { "u64", BINARY_U64 },     { "i64", BINARY_I64 },
  { "f32", BINARY_F32 },   { "f64", BINARY_F64 },   { "bcd8", BINARY_BCD8 },   { "bcd16", BINARY_BCD16 }, { "bcd32", BINARY_BCD32 },
  { 0 }
};

static const Choice orders[] = {
  { "big", BINARY_BIG }, { "little", BINARY_LITTLE }, { "word_swapped", BINARY_WORD_SWAPPED }, { 0 }
};

static const Key metric_keys[] = {
  { "name", &type_id, PLACE (name), .is_required = TRUE, .example = "water_level",
    .help = "What is measured; rules refer to it.", .help_zh = "指标名称, 供规则引用。" },
  { "path", &type_text, PLACE (path), .example = "$.level_cm",
    .help = "What finds it in a message: a JSONPath for json, a name or a column for other formats (docs/sensors.md).",
    .help_zh = "在报文中的位置: json 用路径, 其他格式用名称或列 (见 docs/sensors.md)。" },
  { "kind", &type_choice, PLACE (kind), .choices = kinds, .fallback = "number",
    .help = "What its values are.", .help_zh = "取值类型: 数值、真假或文本。" },
  { "values", &type_values, PLACE (values), .example = "{open: 1, closed: 0}",
    .help = "What the device's words mean.", .help_zh = "设备用语对应的值。" },
  { "unit", &type_text, PLACE (unit), .example = "m", .help = "The unit in which it is stored, as a UCUM code.",
    .help_zh = "存储所用单位 (UCUM)。" },
  { "raw_unit", &type_text, PLACE (raw_unit), .example = "cm",
    .help = "The unit in which it is sent, converted to unit; the same when not given.",
    .help_zh = "报文所用单位, 自动换算为 unit; 不写则相同。" },
  { "scale", &type_number, PLACE (scale), .fallback = "1", .help = "value = raw * scale + offset",
    .help_zh = "换算系数: 值 = 原值 × scale + offset。" },
  { "offset", &type_number, PLACE (offset), .fallback = "0", .help = "See scale.", .help_zh = "换算偏移。" },
  { "minimum", &type_number, PLACE (minimum), .example = "-2",
    .help = "Below it the quality is bad; such readings are stored and no rule judges them.",
    .help_zh = "低于此值视为质量差 (仍入库, 不参与规则)。" },
  { "maximum", &type_number, PLACE (maximum), .example = "20", .help = "Above it the quality is bad.",
    .help_zh = "高于此值视为质量差。" },
  { "deadband", &type_number, PLACE (deadband), .fallback = "0",
    .help = "A change that is no larger is dropped and counted; one reading in ten minutes is kept.",
    .help_zh = "变化不超过此值则丢弃并计数, 每十分钟至少保留一条。" },
  { "at_most_every", &type_duration, PLACE (at_most_every_us), .minimum = 0.001 * SECOND, .maximum = 86400 * SECOND,
    .example = "10s", .help = "Readings that come sooner after the last are dropped and counted; as they come when not given.",
    .help_zh = "间隔小于此值的读数丢弃并计数, 不写则全收。" },
  { "retain", &type_duration, PLACE (retain_us), .minimum = 86400 * SECOND, .maximum = 3660 * 86400.0 * SECOND, .example = "365d",
    .help = "Its observations are kept for this long, in whole days; 30d when not given.",
    .help_zh = "数据保留时间, 按整天计; 不写为 30d。" },
  { "byte", &type_whole, PLACE (field.byte), .minimum = -65535, .maximum = 65535,
    .help = "Of format binary: where it starts, from 0; below 0 from the end.",
    .help_zh = "binary 格式: 起始字节, 从 0 起; 负数从末尾数。" },
  { "encoding", &type_choice, PLACE (field.encoding), .choices = encodings,
    .help = "Of format binary: unsigned, signed, floating point or BCD, with its bits; u8 when not given.",
    .help_zh = "binary 格式: 编码及位数, 默认 u8。" },
  { "order", &type_choice, PLACE (field.order), .choices = orders,
    .help = "Of format binary: which byte comes first, big when not given; word_swapped: 16-bit words, lowest first.",
    .help_zh = "binary 格式: 字节序, 默认 big。" },
  { "bit", &type_whole, PLACE (field.bit), .maximum = 63,
    .help = "Of format binary: the lowest bit of a part of the number.", .help_zh = "binary 格式: 起始位。" },
  { "bits", &type_whole, PLACE (field.bits), .minimum = 1, .maximum = 64,
    .help = "How many bits; 1 when only bit is given.", .help_zh = "位数; 只写 bit 时为 1。" },
  { 0 }
};

static void prepare_metric (gpointer item)
{
  Metric *metric = item;
  metric->minimum = metric->maximum = NAN;
  metric->units = config_units;
}

/* FALSE when it is unknown, which is then said. */
static gboolean unit_is_known (Reader *reader, const YamlNode *map, const char *key, const char *code)
{
  if (code == NULL || unit_find (config_units, code) != NULL)
    return TRUE;
  const char *suggestion = unit_suggestion (code);
  return suggestion != NULL
           ? reader_refuse (reader, yaml_map_get (map, key), "%s: there is no unit %s; did you mean %s?", key, code, suggestion)
           : reader_refuse (reader, yaml_map_get (map, key), "%s: there is no unit %s, expected a UCUM code such as m or Cel",
                            key, code);
}

static void check_units (Reader *reader, const YamlNode *map, const Metric *metric)
{
  double unity = 1;
  gboolean are_known = unit_is_known (reader, map, "unit", metric->unit);
  are_known = unit_is_known (reader, map, "raw_unit", metric->raw_unit) && are_known;
  if (metric->raw_unit != NULL && metric->unit == NULL)
    reader_refuse (reader, yaml_map_get (map, "raw_unit"), "raw_unit: what to convert it to is missing, expected unit beside it");
  else if (are_known && metric->raw_unit != NULL && !unit_convert (config_units, metric->raw_unit, metric->unit, &unity))
    reader_refuse (reader, yaml_map_get (map, "raw_unit"), "raw_unit: %s can't be converted to %s, expected a unit of %s",
                   metric->raw_unit, metric->unit, unit_find (config_units, metric->unit)->dimension);
}

static void check_range (Reader *reader, const YamlNode *map, Metric *metric)
{
  metric->has_minimum = !isnan (metric->minimum);
  metric->has_maximum = !isnan (metric->maximum);
  if (metric->has_minimum && metric->has_maximum && metric->minimum >= metric->maximum)
    reader_refuse (reader, yaml_map_get (map, "maximum"), "maximum: %g is not above minimum %g, expected a larger number",
                   metric->maximum, metric->minimum);
  if (metric->deadband < 0)
    reader_refuse (reader, yaml_map_get (map, "deadband"), "deadband: expected 0 or more");
  if (metric->scale == 0)
    reader_refuse (reader, yaml_map_get (map, "scale"), "scale: 0 makes every value the same, expected another number");
}

/* Keys that say something of numbers alone. */
static void check_kind (Reader *reader, const YamlNode *map, const Metric *metric)
{
  static const char *const of_numbers[] = { "unit", "raw_unit", "scale", "offset", "minimum", "maximum", "deadband" };
  for (guint i = 0; metric->kind != VALUE_NUMBER && i < G_N_ELEMENTS (of_numbers); i++)
    if (yaml_map_get (map, of_numbers[i]) != NULL)
      reader_refuse (reader, yaml_map_get (map, of_numbers[i]), "%s has no use with kind %s, expected none", of_numbers[i],
                     metric->kind == VALUE_TEXT ? "text" : "boolean");
  if (metric->kind == VALUE_TEXT && metric->values != NULL)
    reader_refuse (reader, yaml_map_get (map, "values"), "values make numbers of words, expected kind number or boolean");
  for (guint i = 0; metric->kind == VALUE_BOOLEAN && metric->values != NULL && i < metric->values->len; i++) {
    const NamedValue *named = &g_array_index (metric->values, NamedValue, i);
    if (named->value != 0 && named->value != 1)
      reader_refuse (reader, yaml_map_get (map, "values"), "values: %s: expected true or false with kind boolean", named->name);
  }
}

static void check_metric (Reader *reader, const YamlNode *map, gpointer item)
{
  Metric *metric = item;
  check_range (reader, map, metric);
  check_units (reader, map, metric);
  check_kind (reader, map, metric);
  if (yaml_map_get (map, "bit") != NULL && metric->field.bits == 0)
    metric->field.bits = 1;
}

const Section metric_section = { "metric", metric_keys, sizeof (Metric), (GDestroyNotify) metric_free,
                                 .prepare = prepare_metric, .check = check_metric };
