#include "config/keys_brokers.h"
#include "config/keys_recording.h"
#include "config/reader.h"

#include <string.h>

#define SECOND ((double) G_TIME_SPAN_SECOND)
#define PLACE(field) G_STRUCT_OFFSET (Camera, field)

static const Choice camera_schemes[] = { { "rtsp", 554 }, { 0 } };
static const Choice transports[] = { { "tcp", TRANSPORT_TCP }, { "udp", TRANSPORT_UDP, .is_later = TRUE }, { 0 } };

static const Key location_keys[] = {
  { "lon", &type_number, G_STRUCT_OFFSET (Location, lon), .is_required = TRUE, .minimum = -180, .maximum = 180,
    .example = "105.201", .help = "Longitude, WGS-84 degrees.", .help_zh = "经度 (WGS-84)。" },
  { "lat", &type_number, G_STRUCT_OFFSET (Location, lat), .is_required = TRUE, .minimum = -90, .maximum = 90,
    .example = "35.211", .help = "Latitude, WGS-84 degrees.", .help_zh = "纬度 (WGS-84)。" },
  { 0 }
};

static void check_location (Reader *reader, const YamlNode *map, gpointer item)
{
  (void) reader, (void) map;
  ((Location *) item)->is_set = TRUE;
}

const Section location_section = { "location", location_keys, sizeof (Location), .check = check_location };

static json_t *show_location (const Key *key, gconstpointer field)
{
  return ((const Location *) field)->is_set ? section_show (key->section, field) : NULL;
}

static gboolean read_location (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  return type_map.read (reader, key, node, field);
}

static json_t *schema_location (const Key *key)
{
  return section_schema (key->section);
}

const ValueType type_location = { "a map with lon and lat", read_location, show_location, schema_location };

static const Key stream_keys[] = {
  { "url", &type_url, G_STRUCT_OFFSET (StreamSource, url), .choices = camera_schemes, .is_required = TRUE,
    .example = "rtsp://192.168.10.21:554/stream2", .help = "rtsp:// address of this stream.",
    .help_zh = "该码流的 RTSP 地址。" },
  { "username", &type_text, G_STRUCT_OFFSET (StreamSource, username),
    .help = "As the main stream's when not given.", .help_zh = "不写则同主码流。" },
  { "password_file", &type_secret_file, G_STRUCT_OFFSET (StreamSource, password_file),
    .help = "As the main stream's when not given.", .help_zh = "不写则同主码流。" },
  { 0 }
};

static void check_stream (Reader *reader, const YamlNode *map, gpointer item)
{
  (void) item;
  check_credentials (reader, map);
}

static const Section stream_section = { "stream", stream_keys, sizeof (StreamSource), .check = check_stream };

static const Key streams_keys[] = {
  { "sub", &type_map_pointer, PLACE (sub), .section = &stream_section,
    .help = "The camera's small stream, for walls of many pictures and thin links.",
    .help_zh = "子码流, 用于多画面和窄带链路。" },
  { 0 }
};

static const Section streams_section = { "streams", streams_keys, 0 };

static gboolean read_gb_id (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  if (strlen (text) != 20 || strspn (text, "0123456789") != 20)
    return reader_mismatch (reader, key, node);
  return type_text.read (reader, key, node, field);
}

static json_t *schema_gb_id (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:s}", "type", "string", "pattern", "^[0-9]{20}$");
}

/* GB/T 28181-2022 annex E */
static const ValueType type_gb_id = { "a code of 20 digits", read_gb_id, show_text, schema_gb_id };

static const Key camera_keys[] = {
  { "id", &type_id, PLACE (id), .is_required = TRUE, .example = "bridge",
    .help = "The name in paths and rules.", .help_zh = "编号, 用于地址和规则。" },
  { "name", &type_text, PLACE (name), .example = "石庙桥", .help = "What people call it; the id when not given.",
    .help_zh = "显示名称, 不写则同编号。" },
  { "grid", &type_reference, PLACE (grid), .kind = SITE_GRIDS, .example = "\"621121104201001\"",
    .help = "The grid it stands in; the township when not given.", .help_zh = "所属网格, 不写则为本乡镇。" },
  { "owner", &type_id, PLACE (owner), .example = "police",
    .help = "The agency it belongs to, when not the township's own.", .help_zh = "所属部门, 乡镇自有则不写。" },
  { "gb_id", &type_gb_id, PLACE (gb_id), .example = "\"62112110401320000001\"",
    .help = "Its GB/T 28181 code, where it has one.", .help_zh = "国标 28181 编码, 如有。" },
  { "url", &type_url, PLACE (url), .choices = camera_schemes, .is_required = TRUE,
    .example = "rtsp://192.168.10.21:554/stream1",
    .help = "rtsp:// address of the main stream, without user name and password.",
    .help_zh = "主码流 RTSP 地址, 不含用户名和密码。" },
  { "username", &type_text, PLACE (username), .example = "viewer", .help = "User name at the camera.",
    .help_zh = "摄像机用户名。" },
  { "password_file", &type_secret_file, PLACE (password_file), .example = "/etc/gridgate/bridge.password",
    .help = "The file whose first line is the password.", .help_zh = "密码文件, 首行为密码。" },
  { "transport", &type_choice, PLACE (transport), .choices = transports, .fallback = "tcp",
    .help = "How RTP travels; tcp.", .help_zh = "传输方式: tcp。" },
  { "on_demand", &type_boolean, PLACE (on_demand), .fallback = "false",
    .help = "Connect only while somebody watches, or while it records or evidence is needed.",
    .help_zh = "仅在有人观看、录像或需要证据时连接。" },
  { "down_after", &type_duration, PLACE (down_after_us), .minimum = 5 * SECOND, .maximum = 86400 * SECOND,
    .fallback = "60s", .help = "Without pictures for this long, the alert camera_down opens.",
    .help_zh = "无画面超过此时间即发出 camera_down 告警。" },
  { "location", &type_location, PLACE (location), .section = &location_section, .help = "Where it stands.",
    .help_zh = "安装位置。" },
  { "streams", &type_map, 0, .section = &streams_section, .help = "Further streams of the camera.",
    .help_zh = "其他码流。" },
  { "recording", &type_map, PLACE (recording), .section = &camera_recording_section, .help = "Where it differs from the site's.",
    .help_zh = "与全站不同的录像设置。" },
  { 0 }
};

static void check_camera (Reader *reader, const YamlNode *map, gpointer item)
{
  (void) item;
  check_credentials (reader, map);
}

const Section camera_section = { "camera", camera_keys, sizeof (Camera), (GDestroyNotify) camera_free,
                                 .check = check_camera };
