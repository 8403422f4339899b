#include "config/reader.h"
#include "config/types.h"

#include <math.h>
#include <string.h>

#define SECOND ((double) G_TIME_SPAN_SECOND)
#define PLACE(field) G_STRUCT_OFFSET (Rule, field)

static const Choice severities[] = {
  { "minor", SEVERITY_MINOR }, { "moderate", SEVERITY_MODERATE }, { "severe", SEVERITY_SEVERE },
  { "extreme", SEVERITY_EXTREME }, { 0 }
};

static const Key match_keys[] = {
  { "metric", &type_id, PLACE (match_metric), .example = "water_level", .help = "Readings of this metric.",
    .help_zh = "匹配该指标的读数。" },
  { "grid", &type_reference, PLACE (match_grid), .kind = SITE_GRIDS, .example = "\"621121104\"",
    .help = "Of sensors in this grid and below.", .help_zh = "限于该网格及下级的传感器。" },
  { "sensors", &type_references, PLACE (match_sensors), .kind = SITE_SENSORS, .minimum = 1, .maximum = 1000,
    .help = "Of these sensors.", .help_zh = "限于这些传感器。" },
  { 0 }
};

static void check_match (Reader *reader, const YamlNode *map, gpointer item)
{
  (void) item;
  if (yaml_map_get (map, "metric") == NULL && yaml_map_get (map, "sensors") == NULL)
    reader_refuse (reader, map, "match names nothing to watch, expected metric or sensors");
}

static const Section match_section = { "match", match_keys, 0, .check = check_match };

/* `above` and `below` fill the same two fields of the rule. */
static gboolean read_threshold (Reader *reader, const Key *key, const YamlNode *node, Rule *rule, Condition condition)
{
  rule->condition = condition;
  return read_number (reader, key, node, &rule->threshold);
}

static json_t *show_threshold (const Rule *rule, Condition condition)
{
  return rule->condition == condition ? json_real (rule->threshold) : NULL;
}

static gboolean read_above (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  return read_threshold (reader, key, node, field, CONDITION_ABOVE);
}

static json_t *show_above (const Key *key, gconstpointer field)
{
  (void) key;
  return show_threshold (field, CONDITION_ABOVE);
}

static gboolean read_below (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  return read_threshold (reader, key, node, field, CONDITION_BELOW);
}

static json_t *show_below (const Key *key, gconstpointer field)
{
  (void) key;
  return show_threshold (field, CONDITION_BELOW);
}

static json_t *schema_threshold (const Key *key)
{
  (void) key;
  return json_pack ("{s:s}", "type", "number");
}

static const ValueType type_above = { "a number", read_above, show_above, schema_threshold };
static const ValueType type_below = { "a number", read_below, show_below, schema_threshold };

static const Key when_keys[] = {
  { "above", &type_above, 0, .example = "3.2", .help = "Starts when a value is above this.", .help_zh = "读数高于此值时触发。" },
  { "below", &type_below, 0, .help = "Or: starts when a value is below this.", .help_zh = "或: 读数低于此值时触发。" },
  { "clear", &type_number, PLACE (clear), .example = "3.0",
    .help = "Clears once a value is back beyond this; at the threshold itself when not given.",
    .help_zh = "回落 (回升) 过此值时解除, 不写则同阈值。" },
  { "for", &type_duration, PLACE (hold_us), .minimum = 0, .maximum = 7 * 86400 * SECOND, .fallback = "0s",
    .help = "It must last this long.", .help_zh = "须持续的时间。" },
  { 0 }
};

static void check_when (Reader *reader, const YamlNode *map, gpointer item)
{
  Rule *rule = item;
  const YamlNode *above = yaml_map_get (map, "above"), *below = yaml_map_get (map, "below");
  const YamlNode *clear = yaml_map_get (map, "clear");
  if (above != NULL && below != NULL)
    reader_refuse (reader, below, "above and below stand together, expected one of them");
  else if (above == NULL && below == NULL)
    reader_refuse (reader, map, "no threshold, expected above or below");
  else if (isnan (rule->threshold) || (clear != NULL && isnan (rule->clear)))
    return;
  else if (clear == NULL)
    rule->clear = rule->threshold;
  else if (above != NULL && rule->clear > rule->threshold)
    reader_refuse (reader, clear, "clear: %g is above the threshold, expected at most %g", rule->clear, rule->threshold);
  else if (below != NULL && rule->clear < rule->threshold)
    reader_refuse (reader, clear, "clear: %g is below the threshold, expected at least %g", rule->clear, rule->threshold);
}

static const Section when_section = { "when", when_keys, 0, .check = check_when };

static const Key evidence_keys[] = {
  { "cameras", &type_references, PLACE (evidence_cameras), .kind = SITE_CAMERAS, .is_required = TRUE, .minimum = 1,
    .maximum = 16, .example = "[bridge]", .help = "A clip and a picture are kept of each.", .help_zh = "留存其录像片段和图片的摄像机。" },
  { "before", &type_duration, PLACE (evidence_before_us), .minimum = 0, .maximum = 600 * SECOND, .fallback = "10s",
    .help = "From this long before the alert opened.", .help_zh = "自告警之前多久。" },
  { "after", &type_duration, PLACE (evidence_after_us), .minimum = SECOND, .maximum = 1800 * SECOND, .fallback = "20s",
    .help = "To this long after.", .help_zh = "至告警之后多久。" },
  { 0 }
};

static const Section evidence_section = { "evidence", evidence_keys, 0 };

static gboolean read_evidence (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  return type_map.read (reader, key, node, field);
}

static json_t *show_evidence (const Key *key, gconstpointer field)
{
  return ((const Rule *) field)->evidence_cameras != NULL ? section_show (key->section, field) : NULL;
}

static json_t *schema_evidence (const Key *key)
{
  return section_schema (key->section);
}

static const ValueType type_evidence = { "a map", read_evidence, show_evidence, schema_evidence };

static const Key assign_keys[] = {
  { "agency", &type_reference, PLACE (assign_agency), .kind = SITE_AGENCIES, .is_required = TRUE, .example = "water",
    .help = "Who handles it.", .help_zh = "处置部门。" },
  { 0 }
};

static const Section assign_section = { "assign", assign_keys, 0 };

static const Key rule_keys[] = {
  { "id", &type_id, PLACE (id), .is_required = TRUE, .example = "flood", .help = "The name in alerts.",
    .help_zh = "编号, 用于告警。" },
  { "name", &type_text, PLACE (name), .example = "水位超警", .help = "What people read; the id when not given.",
    .help_zh = "显示名称, 不写则同编号。" },
  { "category", &type_id, PLACE (category), .is_required = TRUE, .example = "flood",
    .help = "What kind of matter it is; agencies are granted categories.", .help_zh = "事件类别, 部门授权以此为准。" },
  { "severity", &type_choice, PLACE (severity), .choices = severities, .fallback = "moderate",
    .help = "minor, moderate, severe or extreme.", .help_zh = "等级: 一般、较大、重大、特别重大。" },
  { "match", &type_map, 0, .section = &match_section, .is_required = TRUE, .help = "Which readings it watches.",
    .help_zh = "监视哪些读数。" },
  { "when", &type_map, 0, .section = &when_section, .is_required = TRUE, .help = "When it starts and clears.",
    .help_zh = "触发和解除条件。" },
  { "evidence", &type_evidence, 0, .section = &evidence_section, .help = "What the cameras keep of it.", .help_zh = "视频证据。" },
  { "assign", &type_map, 0, .section = &assign_section, .help = "Who gets the incident.", .help_zh = "事件派给谁。" },
  { "deadline", &type_duration, PLACE (deadline_us), .minimum = 60 * SECOND, .maximum = 366 * 86400 * SECOND, .example = "2h",
    .help = "The incident is to be closed within this.", .help_zh = "办结时限。" },
  { 0 }
};

static void prepare_rule (gpointer item)
{
  Rule *rule = item;
  rule->threshold = NAN;
  rule->clear = NAN;
}

static void check_rule (Reader *reader, const YamlNode *map, gpointer item)
{
  const Rule *rule = item;
  if (g_strcmp0 (rule->id, "sensor_silent") == 0 || g_strcmp0 (rule->id, "camera_down") == 0)
    reader_refuse (reader, yaml_map_get (map, "id"), "id: %s is a built-in rule, expected another id", rule->id);
}

const Section rule_section = { "rule", rule_keys, sizeof (Rule), (GDestroyNotify) rule_free, .prepare = prepare_rule,
                               .check = check_rule };
