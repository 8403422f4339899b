/* The whole file: what stands at its left edge. */
#include "config/types.h"

#define PLACE(field) G_STRUCT_OFFSET (Site, field)

/* The loader has read the pattern already; here it is only checked that this is a list of texts. */
static gboolean read_include (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  (void) field;
  GStrv patterns = NULL;
  gboolean is_good = type_texts.read (reader, key, node, &patterns);
  g_strfreev (patterns);
  return is_good;
}

static json_t *show_nothing (const Key *key, gconstpointer field)
{
  (void) key, (void) field;
  return NULL;
}

static const ValueType type_include = { "a list of file patterns", read_include, show_nothing, schema_texts };

static const Key site_keys[] = {
  { "include", &type_include, 0, .maximum = 100, .example = "[site.d/*.yaml]",
    .help = "Further files, whose lists are added to these.", .help_zh = "要并入的其他文件, 其中的列表与本文件合并。" },
  { "gateway", &type_map, PLACE (gateway), .section = &gateway_section, .is_required = TRUE, .help = "The gateway itself.",
    .help_zh = "网关自身。" },
  { "http", &type_map, PLACE (http), .section = &http_section, .help = "Console and API.", .help_zh = "控制台和接口。" },
  { "rtsp", &type_map, PLACE (rtsp), .section = &rtsp_section, .help = "RTSP for those who watch.", .help_zh = "对外 RTSP。" },
  { "recording", &type_map, PLACE (recording), .section = &recording_section, .help = "Recordings of all cameras.",
    .help_zh = "录像 (全站)。" },
  { "alerts", &type_map, PLACE (alerts), .section = &alerts_section, .help = "Alerts as a whole.", .help_zh = "告警 (全站)。" },
  { "brokers", &type_maps, PLACE (brokers), .section = &broker_section, .kind = SITE_BROKERS, .maximum = 64,
    .help = "MQTT brokers that sensors publish to.", .help_zh = "传感器所接入的 MQTT 服务器。" },
  { "grids", &type_maps, PLACE (grids), .section = &grid_section, .kind = SITE_GRIDS, .maximum = 10000,
    .help = "The tree of villages and grids below the township.", .help_zh = "乡镇以下的村和网格。" },
  { "duties", &type_maps, PLACE (duties), .section = &duty_section, .maximum = 10000,
    .help = "Who answers for what.", .help_zh = "定人、定岗、定责。" },
  { "cameras", &type_maps, PLACE (cameras), .section = &camera_section, .kind = SITE_CAMERAS, .maximum = 2000,
    .help = "Cameras.", .help_zh = "摄像机。" },
  { "sensors", &type_maps, PLACE (sensors), .section = &sensor_section, .kind = SITE_SENSORS, .maximum = 20000,
    .help = "Sensors.", .help_zh = "传感器。" },
  { "rules", &type_maps, PLACE (rules), .section = &rule_section, .kind = SITE_RULES, .maximum = 2000,
    .help = "When a reading becomes an alert.", .help_zh = "告警规则。" },
  { "agencies", &type_maps, PLACE (agencies), .section = &agency_section, .kind = SITE_AGENCIES, .maximum = 200,
    .help = "Who else gets incidents, and which.", .help_zh = "共享事件的部门及其权限。" },
  { "centers", &type_maps, PLACE (centers), .section = &center_section, .kind = SITE_CENTERS, .maximum = 16,
    .help = "Command centers that get everything.", .help_zh = "上级指挥中心。" },
  { 0 }
};

const Section site_section = { "site", site_keys, sizeof (Site) };

const Section *section_of_kind (SiteKind kind)
{
  static const Section *const sections[SITE_KINDS] = { &broker_section, &grid_section,   &camera_section, &sensor_section,
                                                       &rule_section,   &agency_section, &center_section };
  return sections[kind];
}
