/* The grid tree and who answers for what in it. */
#include "config/reader.h"
#include "config/types.h"

#include <string.h>

#define PLACE(field) G_STRUCT_OFFSET (Grid, field)

enum { AREA_POINTS_MAX = 10000 };

static gboolean read_point (Reader *reader, const Key *key, const YamlNode *node, GArray *area)
{
  static const Key longitude = { "area", &type_number, .minimum = -180, .maximum = 180 };
  static const Key latitude = { "area", &type_number, .minimum = -90, .maximum = 90 };
  Location point = { .is_set = TRUE };
  if (node->kind != YAML_LIST || node->children->len != 2)
    return reader_refuse (reader, node, "%s: expected a point as [lon, lat]", key->name);
  if (!read_number (reader, &longitude, node->children->pdata[0], &point.lon)
      || !read_number (reader, &latitude, node->children->pdata[1], &point.lat))
    return FALSE;
  g_array_append_val (area, point);
  return TRUE;
}

static gboolean read_area (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  if (node->kind != YAML_LIST)
    return reader_mismatch (reader, key, node);
  if (node->children->len < 3 || node->children->len > AREA_POINTS_MAX)
    return reader_refuse (reader, node, "%s: expected 3 to %d points, found %u", key->name, AREA_POINTS_MAX,
                          node->children->len);
  gboolean is_good = TRUE;
  for (guint i = 0; i < node->children->len; i++)
    is_good = read_point (reader, key, node->children->pdata[i], *(GArray **) field) && is_good;
  return is_good;
}

static json_t *show_area (const Key *key, gconstpointer field)
{
  (void) key;
  const GArray *area = *(GArray *const *) field;
  if (area == NULL || area->len == 0)
    return NULL;
  json_t *ring = json_array ();
  for (guint i = 0; i < area->len; i++) {
    const Location *point = &g_array_index (area, Location, i);
    json_array_append_new (ring, json_pack ("[f, f]", point->lon, point->lat));
  }
  return ring;
}

static json_t *schema_area (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:i, s:{s:s, s:i, s:i, s:{s:s}}}", "type", "array", "minItems", 3, "items", "type", "array",
                    "minItems", 2, "maxItems", 2, "items", "type", "number");
}

static const ValueType type_area = { "a list of points [lon, lat]", read_area, show_area, schema_area };

static const Key grid_keys[] = {
  { "id", &type_id, PLACE (id), .is_required = TRUE, .example = "\"621121104201001\"",
    .help = "Its code.", .help_zh = "网格编码。" },
  { "name", &type_text, PLACE (name), .example = "石庙村第一网格", .help = "What people call it; the id when not given.",
    .help_zh = "显示名称, 不写则同编码。" },
  { "parent", &type_reference, PLACE (parent), .kind = SITE_GRIDS, .example = "\"621121104\"",
    .help = "The village or grid it is part of; the township when not given.", .help_zh = "上级网格, 不写则为本乡镇。" },
  { "area", &type_area, PLACE (area), .example = "[[105.20, 35.21], [105.21, 35.21], [105.21, 35.22]]",
    .help = "Its outline, WGS-84.", .help_zh = "边界 (WGS-84)。" },
  { 0 }
};

static void prepare_grid (gpointer item)
{
  ((Grid *) item)->area = g_array_new (FALSE, FALSE, sizeof (Location));
}

const Section grid_section = { "grid", grid_keys, sizeof (Grid), (GDestroyNotify) grid_free, .prepare = prepare_grid };

#undef PLACE
#define PLACE(field) G_STRUCT_OFFSET (Duty, field)

static gboolean minutes_parse (const char *text, guint *minutes)
{
  if (!g_ascii_isdigit (text[0]) || !g_ascii_isdigit (text[1]) || text[2] != ':' || !g_ascii_isdigit (text[3])
      || !g_ascii_isdigit (text[4]))
    return FALSE;
  guint hour = (text[0] - '0') * 10 + text[1] - '0', minute = (text[3] - '0') * 10 + text[4] - '0';
  *minutes = hour * 60 + minute;
  return minute < 60 && *minutes <= 24 * 60;
}

static gboolean read_hours (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  guint from, to;
  if (text == NULL)
    return FALSE;
  if (strlen (text) != 11 || text[5] != '-' || !minutes_parse (text, &from) || !minutes_parse (text + 6, &to) || from == to)
    return reader_mismatch (reader, key, node);
  return type_text.read (reader, key, node, field);
}

static json_t *schema_hours (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:s}", "type", "string", "pattern", "^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$");
}

const ValueType type_hours = { "hours such as \"08:00-20:00\"", read_hours, show_text, schema_hours };

static const Key duty_keys[] = {
  { "grid", &type_reference, PLACE (grid), .kind = SITE_GRIDS, .is_required = TRUE, .example = "\"621121104201001\"",
    .help = "Where; with all grids below.", .help_zh = "负责的网格, 含下级。" },
  { "categories", &type_ids, PLACE (categories), .is_required = TRUE, .minimum = 1, .maximum = 100, .example = "[flood, fire]",
    .help = "For which categories of incidents.", .help_zh = "负责的事件类别。" },
  { "post", &type_text, PLACE (post), .example = "网格员", .help = "What the post is called.", .help_zh = "岗位名称。" },
  { "account", &type_id, PLACE (account), .example = "zhang", .help = "The account of the person.", .help_zh = "责任人的账号。" },
  { "agency", &type_reference, PLACE (agency), .kind = SITE_AGENCIES, .help = "Or the agency.", .help_zh = "或负责的部门。" },
  { "hours", &type_hours, PLACE (hours), .fallback = "00:00-24:00", .help = "Every day from and to, in time_zone.",
    .help_zh = "每日值班时段 (按 time_zone)。" },
  { 0 }
};

static void check_duty (Reader *reader, const YamlNode *map, gpointer item)
{
  (void) item;
  if (yaml_map_get (map, "account") == NULL && yaml_map_get (map, "agency") == NULL)
    reader_refuse (reader, map, "nobody has this duty, expected account or agency");
}

const Section duty_section = { "duty", duty_keys, sizeof (Duty), (GDestroyNotify) duty_free, .check = check_duty };
