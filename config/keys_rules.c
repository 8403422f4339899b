#include "config/keys_rule_when.h"
#include "config/reader.h"
#include "config/types.h"

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
  { "topic", &type_topic, PLACE (match_topic), .example = "village/shimiao/+/level",
    .help = "Of sensors whose topic is like this: + is any level, # all that follow.",
    .help_zh = "限于主题与此相符的传感器: + 为任意一层, # 为其后各层。" },
  { 0 }
};

static const Section match_section = { "match", match_keys, 0 };

/* Mon to Sun, each once. */

static const char *const days_of_week[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL };

static gboolean accept_day (Reader *reader, const Key *key, const YamlNode *node)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  return g_strv_contains (days_of_week, text)
         || reader_refuse (reader, node, "%s: expected mon, tue, wed, thu, fri, sat or sun, found \"%.60s\"", key->name,
                           text);
}

static gboolean read_days (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  return read_texts (reader, key, node, field, accept_day);
}

static json_t *schema_days (const Key *key)
{
  json_t *names = json_array ();
  (void) key;
  for (guint i = 0; days_of_week[i] != NULL; i++)
    json_array_append_new (names, json_string (days_of_week[i]));
  return json_pack ("{s:s, s:{s:o}}", "type", "array", "items", "enum", names);
}

static const ValueType type_days = { "a list of days such as [mon, tue, wed, thu, fri]", read_days, show_texts, schema_days };

/* "06-01/09-30". 29 February stands in no other year than a leap year. */

static gboolean day_of_year_is_right (const char *text)
{
  static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
  for (guint i = 0; i < 5; i++)
    if (i == 2 ? text[i] != '-' : !g_ascii_isdigit (text[i]))
      return FALSE;
  int month = (text[0] - '0') * 10 + text[1] - '0', day = (text[3] - '0') * 10 + text[4] - '0';
  return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}

static gboolean read_season (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  if (strlen (text) != 11 || text[5] != '/' || !day_of_year_is_right (text) || !day_of_year_is_right (text + 6))
    return reader_mismatch (reader, key, node);
  return type_text.read (reader, key, node, field);
}

static json_t *schema_season (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:s}", "type", "string", "pattern", "^[01][0-9]-[0-3][0-9]/[01][0-9]-[0-3][0-9]$");
}

static const ValueType type_season = { "a season such as \"06-01/09-30\"", read_season, show_text, schema_season };

static const Key active_keys[] = {
  { "hours", &type_hours, G_STRUCT_OFFSET (ActiveTimes, hours), .example = "\"06:00-22:00\"",
    .help = "Only at this time of the day, in time_zone; may pass midnight.", .help_zh = "每日时段 (按 time_zone), 可跨零点。" },
  { "days", &type_days, G_STRUCT_OFFSET (ActiveTimes, days), .minimum = 1, .maximum = 7,
    .example = "[mon, tue, wed, thu, fri]", .help = "Only on these days; hours that pass midnight belong to the day of their start.",
    .help_zh = "星期; 跨零点的时段属于开始的那天。" },
  { "season", &type_season, G_STRUCT_OFFSET (ActiveTimes, season), .example = "\"06-01/09-30\"",
    .help = "Only from one day of the year to another, both included; may pass New Year.",
    .help_zh = "季节 (月-日/月-日, 含两端), 可跨年。" },
  { 0 }
};

static const Section active_section = { "active", active_keys, sizeof (ActiveTimes) };

static const Key unless_keys[] = {
  { "alert", &type_id, G_STRUCT_OFFSET (Unless, alert), .is_required = TRUE, .example = "camera_down",
    .help = "The rule, of this site or built in, whose open alert in the same grid or one above keeps this one quiet.",
    .help_zh = "同一网格或上级网格中此规则的告警未解除时, 不发出本告警。" },
  { "recovery", &type_duration, G_STRUCT_OFFSET (Unless, recovery_us), .minimum = 0, .maximum = 86400 * SECOND,
    .fallback = "2m", .help = "It stays quiet this long after that one has cleared.", .help_zh = "对方解除后继续保持的时间。" },
  { 0 }
};

static const Section unless_section = { "unless", unless_keys, sizeof (Unless) };

static json_t *show_unless (const Key *key, gconstpointer field)
{
  return ((const Unless *) field)->alert != NULL ? section_show (key->section, field) : NULL;
}

static gboolean read_unless (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  g_hash_table_insert (reader->nodes, field, (gpointer) node); /* the rule that it names is looked for at the end */
  return type_map.read (reader, key, node, field);
}

static json_t *schema_unless (const Key *key)
{
  return section_schema (key->section);
}

static const ValueType type_unless = { "a map", read_unless, show_unless, schema_unless };

static const Key alerts_keys[] = {
  { "storm", &type_whole, G_STRUCT_OFFSET (AlertSettings, storm), .minimum = 2, .maximum = 1000, .fallback = "30",
    .help = "More alerts than this in one minute in one grid become one incident, alert_storm, that they join.",
    .help_zh = "同一网格一分钟内超过此数的告警合并为一个 alert_storm 事件。" },
  { "devices_unless", &type_unless, G_STRUCT_OFFSET (AlertSettings, unless), .section = &unless_section,
    .help = "Keeps the built-in sensor_silent and camera_down quiet while another alert is open, such as that a village is cut off.",
    .help_zh = "某告警 (如村级上行中断) 未解除时, 不发出内置的 sensor_silent 和 camera_down。" },
  { 0 }
};

const Section alerts_section = { "alerts", alerts_keys, sizeof (AlertSettings) };

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
  { "when", &type_map, PLACE (when), .section = &when_section, .is_required = TRUE, .help = "When it starts and clears.",
    .help_zh = "触发和解除条件。" },
  { "active", &type_map, PLACE (active), .section = &active_section,
    .help = "When it may start; always when not given. What is open then still clears.", .help_zh = "生效时间, 不写则始终生效。" },
  { "unless", &type_unless, PLACE (unless), .section = &unless_section,
    .help = "Opens no alert while another one is open.", .help_zh = "另一告警未解除时不发出。" },
  { "evidence", &type_evidence, 0, .section = &evidence_section, .help = "What the cameras keep of it.", .help_zh = "视频证据。" },
  { "assign", &type_map, 0, .section = &assign_section, .help = "Who gets the incident.", .help_zh = "事件派给谁。" },
  { "deadline", &type_duration, PLACE (deadline_us), .minimum = 60 * SECOND, .maximum = 366 * 86400 * SECOND, .example = "2h",
    .help = "The incident is to be closed within this.", .help_zh = "办结时限。" },
  { 0 }
};

static void check_severity (Reader *reader, const YamlNode *map, Rule *rule)
{
  if (rule->when.steps == NULL || rule->when.steps->len == 0)
    return;
  if (yaml_map_get (map, "severity") != NULL)
    reader_refuse (reader, yaml_map_get (map, "severity"), "severity stands beside steps, which have their own, expected none");
  const RuleStep *last = rule->when.steps->pdata[rule->when.steps->len - 1];
  rule->severity = last->severity;
}

static void check_match_of_terms (Reader *reader, const YamlNode *map, const Rule *rule)
{
  const YamlNode *match = yaml_map_get (map, "match");
  gboolean has_terms = rule->when.all != NULL || rule->when.any != NULL;
  gboolean is_silent = comparison_condition (&rule->when.comparison) == CONDITION_SILENT;
  if (match == NULL || match->kind != YAML_MAP)
    return;
  if (has_terms && yaml_map_get (match, "metric") != NULL)
    reader_refuse (reader, yaml_map_get (match, "metric"), "metric has no use with %s, whose items have their own, expected none",
                   rule->when.all != NULL ? "all" : "any");
  else if (!has_terms && yaml_map_get (match, "metric") == NULL && yaml_map_get (match, "sensors") == NULL
           && (!is_silent || yaml_map_get (match, "topic") == NULL))
    reader_refuse (reader, match, "match names nothing to watch, expected metric or sensors");
}

static void check_rule (Reader *reader, const YamlNode *map, gpointer item)
{
  Rule *rule = item;
  if (rule->id != NULL && rule_is_built_in (rule->id))
    reader_refuse (reader, yaml_map_get (map, "id"), "id: %s is a built-in rule, expected another id", rule->id);
  check_severity (reader, map, rule);
  check_match_of_terms (reader, map, rule);
}

const Section rule_section = { "rule", rule_keys, sizeof (Rule), (GDestroyNotify) rule_free, .check = check_rule };
