#include "config/keys_brokers.h"
#include "config/keys_recording.h"
#include "config/reader.h"

#include <string.h>

#define SECOND ((double) G_TIME_SPAN_SECOND)
#define PLACE(field) G_STRUCT_OFFSET (Camera, field)

static const Choice camera_schemes[] = { { "rtsp", 554 }, { "rtsps", 322 }, { 0 } };
static const Choice transports[] = { { "tcp", TRANSPORT_TCP }, { "udp", TRANSPORT_UDP }, { 0 } };

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

static gboolean read_fingerprint (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  guint digits = 0;
  if (text == NULL)
    return FALSE;
  for (const char *c = text; *c != '\0'; c++)
    if (g_ascii_isxdigit (*c))
      digits++;
    else if (*c != ':' || digits == 0 || digits % 2 != 0 || c[-1] == ':')
      return reader_mismatch (reader, key, node);
  return digits == 64 && g_ascii_isxdigit (text[strlen (text) - 1]) ? type_text.read (reader, key, node, field)
                                                                     : reader_mismatch (reader, key, node);
}

static json_t *schema_fingerprint (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:s}", "type", "string", "pattern", "^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$");
}

static const ValueType type_fingerprint = { "a SHA-256 fingerprint of 64 hex digits", read_fingerprint, show_text,
                                            schema_fingerprint };

static const Key stream_keys[] = {
  { "url", &type_url, G_STRUCT_OFFSET (StreamSource, url), .choices = camera_schemes, .is_required = TRUE,
    .example = "rtsp://192.168.10.21:554/stream2", .help = "rtsp:// or rtsps:// address of this stream.",
    .help_zh = "该码流的 RTSP 地址。" },
  { "username", &type_text, G_STRUCT_OFFSET (StreamSource, username),
    .help = "As the main stream's when not given.", .help_zh = "不写则同主码流。" },
  { "password_file", &type_secret_file, G_STRUCT_OFFSET (StreamSource, password_file),
    .help = "As the main stream's when not given.", .help_zh = "不写则同主码流。" },
  { "ca_file", &type_file, G_STRUCT_OFFSET (StreamSource, ca_file),
    .help = "As the main stream's when neither this nor fingerprint is given.", .help_zh = "与 fingerprint 均不写则同主码流。" },
  { "fingerprint", &type_fingerprint, G_STRUCT_OFFSET (StreamSource, fingerprint),
    .help = "As the main stream's when neither this nor ca_file is given.", .help_zh = "与 ca_file 均不写则同主码流。" },
  { 0 }
};

/* A pinned certificate is trusted whoever has signed it, and who has no TLS has no use for either. */
static void check_trust (Reader *reader, const YamlNode *map, gboolean is_encrypted)
{
  const YamlNode *authority = yaml_map_get (map, "ca_file"), *fingerprint = yaml_map_get (map, "fingerprint");
  if (authority != NULL && fingerprint != NULL)
    reader_refuse (reader, fingerprint, "fingerprint stands beside ca_file, expected one of them: a pinned certificate is "
                   "trusted whoever has signed it");
  else if (!is_encrypted && (authority != NULL || fingerprint != NULL))
    reader_refuse (reader, authority != NULL ? authority : fingerprint, "%s has no use with rtsp://, expected a rtsps:// url",
                   authority != NULL ? "ca_file" : "fingerprint");
}

static gboolean is_rtsps (const char *url)
{
  return url == NULL || g_ascii_strncasecmp (url, "rtsps:", 6) == 0;
}

static void check_stream (Reader *reader, const YamlNode *map, gpointer item)
{
  check_credentials (reader, map);
  check_trust (reader, map, is_rtsps (((const StreamSource *) item)->url));
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
    .help = "rtsp:// or rtsps:// address of the main stream, without user name and password.",
    .help_zh = "主码流地址 (rtsp 或加密的 rtsps), 不含用户名和密码。" },
  { "username", &type_text, PLACE (username), .example = "viewer", .help = "User name at the camera.",
    .help_zh = "摄像机用户名。" },
  { "password_file", &type_secret_file, PLACE (password_file), .example = "/etc/gridgate/bridge.password",
    .help = "The file whose first line is the password.", .help_zh = "密码文件, 首行为密码。" },
  { "ca_file", &type_file, PLACE (ca_file),
    .help = "For rtsps: who must have signed the camera's certificate (PEM); whom the system trusts when not given.",
    .help_zh = "rtsps 所信任的 CA 证书 (PEM); 不写则用系统的。" },
  { "fingerprint", &type_fingerprint, PLACE (fingerprint),
    .help = "For rtsps, instead of ca_file: the SHA-256 fingerprint of the one certificate to trust.",
    .help_zh = "rtsps 只信任此 SHA-256 指纹的证书, 与 ca_file 二选一。" },
  { "transport", &type_choice, PLACE (transport), .choices = transports, .fallback = "tcp",
    .help = "How RTP travels: tcp, within the RTSP connection; or udp, where what is lost is lost.",
    .help_zh = "传输方式: tcp (随 RTSP 连接) 或 udp (丢包不重传)。" },

  { "on_demand", &type_boolean, PLACE (on_demand), .fallback = "false",
    .help = "Connect only while somebody watches, or while it records or evidence is needed.",
    .help_zh = "仅在有人观看、录像或需要证据时连接。" },
  { "linger", &type_duration, PLACE (linger_us), .minimum = 0, .maximum = 3600 * SECOND, .fallback = "10s",
    .help = "How long a stream that is pulled on demand stays connected when nobody wants it any more.",
    .help_zh = "按需连接的码流在无人使用后保持连接的时间。" },
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
  const Camera *camera = item;
  check_credentials (reader, map);
  gboolean is_encrypted = is_rtsps (camera->url) || (camera->sub != NULL && is_rtsps (camera->sub->url));
  check_trust (reader, map, is_encrypted);
  if (camera->transport == TRANSPORT_UDP && is_encrypted && camera->url != NULL)
    reader_refuse (reader, yaml_map_get (map, "transport"), "transport udp stands with a rtsps:// url, expected tcp: by UDP "
                   "the pictures would travel unencrypted");
}


const Section camera_section = { "camera", camera_keys, sizeof (Camera), (GDestroyNotify) camera_free,
                                 .check = check_camera };
