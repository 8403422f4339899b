/* The gateway itself and its listeners: gateway, http, rtsp. */
#include "config/reader.h"
#include "config/types.h"

#include <arpa/inet.h>
#include <string.h>

#define PLACE(field) G_STRUCT_OFFSET (GatewaySettings, field)

static const Key gateway_keys[] = {
  { "id", &type_id, PLACE (id), .is_required = TRUE, .example = "yigang-1",
    .help = "The name of this gateway, everywhere: in topics, events and records. It stays as it is.",
    .help_zh = "本网关的编号, 用于主题、事件和记录; 启用后不要改动。" },
  { "division", &type_id, PLACE (division), .is_required = TRUE, .example = "\"621121104\"",
    .help = "The division code of the township: the root of the grid tree.",
    .help_zh = "乡镇的行政区划代码, 是网格树的根。" },
  { "name", &type_text, PLACE (name), .example = "义岗镇",
    .help = "What people call the place; the id when it is not given.", .help_zh = "显示名称, 不写则同编号。" },
  { "data_dir", &type_folder, PLACE (data_dir), .fallback = "/var/lib/gridgate",
    .help = "Where databases, recordings and evidence are kept.", .help_zh = "数据库、录像和证据的存放目录。" },
  { "runtime_dir", &type_folder, PLACE (runtime_dir), .example = "/run/gridgate",
    .help = "Where the processes meet; by default /run/gridgate, or run below data_dir when that is not below /var/lib.",
    .help_zh = "各进程通信套接字的目录; 默认 /run/gridgate, 若 data_dir 不在 /var/lib 之下则为其中的 run。" },
  { "time_zone", &type_text, PLACE (time_zone), .fallback = "Asia/Shanghai",
    .help = "The time zone of what people read, and of hours in duties.", .help_zh = "显示时间和值班时段所用的时区。" },
  { 0 }
};

static void check_gateway (Reader *reader, const YamlNode *map, gpointer item)
{
  const GatewaySettings *gateway = item;
  g_autoptr (GTimeZone) zone = g_time_zone_new_identifier (gateway->time_zone);
  const YamlNode *node = yaml_map_get (map, "time_zone");
  if (zone == NULL && node != NULL)
    reader_refuse (reader, node, "time_zone: \"%.60s\" is no time zone of this machine, expected a name such as "
                   "Asia/Shanghai", gateway->time_zone);
}

const Section gateway_section = { "gateway", gateway_keys, sizeof (GatewaySettings), .check = check_gateway };

#undef PLACE
#define PLACE(field) G_STRUCT_OFFSET (HttpSettings, field)

static gboolean accept_network (Reader *reader, const Key *key, const YamlNode *node)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  const char *slash = strchr (text, '/');
  g_autofree char *host = slash != NULL ? g_strndup (text, slash - text) : g_strdup (text);
  struct in6_addr address;
  gboolean is_ipv4 = inet_pton (AF_INET, host, &address) == 1;
  guint64 bits = 0;
  if ((is_ipv4 || inet_pton (AF_INET6, host, &address) == 1)
      && (slash == NULL || g_ascii_string_to_unsigned (slash + 1, 10, 0, is_ipv4 ? 32 : 128, &bits, NULL)))
    return TRUE;
  return reader_refuse (reader, node, "%s: expected an address or network such as 127.0.0.1 or 10.0.0.0/8, found "
                        "\"%.60s\"", key->name, text);
}

static gboolean read_networks (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  return read_texts (reader, key, node, field, accept_network);
}

static const ValueType type_networks = { "a list of addresses and networks", read_networks, show_texts, schema_texts };

/* RFC 6454: scheme, host and port, nothing behind. */
static gboolean accept_origin (Reader *reader, const Key *key, const YamlNode *node)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  const char *host = g_str_has_prefix (text, "https://") ? text + 8 : g_str_has_prefix (text, "http://") ? text + 7 : "";
  if (host[0] != '\0' && strcspn (host, "/?#@ *") == strlen (host))
    return TRUE;
  return reader_refuse (reader, node, "%s: expected an origin such as https://center.example, found \"%.60s\"",
                        key->name, text);
}

static gboolean read_origins (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  return read_texts (reader, key, node, field, accept_origin);
}

static const ValueType type_origins = { "a list of origins", read_origins, show_texts, schema_texts };

static const Key http_keys[] = {
  { "listen", &type_listen, PLACE (listen), .fallback = "127.0.0.1:8080",
    .help = "Address and port of console and API. Put a TLS proxy in front before other machines may reach it.",
    .help_zh = "控制台和接口的监听地址; 对外开放前请在前面放置 TLS 反向代理。" },
  { "trusted_proxies", &type_networks, PLACE (trusted_proxies), .example = "[127.0.0.1]", .maximum = 32,
    .help = "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    .help_zh = "可信的反向代理, 其转发头会被采信。" },
  { "allowed_origins", &type_origins, PLACE (allowed_origins), .example = "[\"https://center.example\"]", .maximum = 32,
    .help = "Other web pages that may call the API from a browser.", .help_zh = "允许从浏览器调用接口的其他网页来源。" },
  { 0 }
};

const Section http_section = { "http", http_keys, sizeof (HttpSettings) };

static const Key rtsp_keys[] = {
  { "listen", &type_listen, G_STRUCT_OFFSET (RtspSettings, listen), .fallback = "127.0.0.1:8554",
    .help = "Address and port where token holders play cameras over RTSP.",
    .help_zh = "持令牌者通过 RTSP 观看的监听地址。" },
  { "udp_port", &type_whole, G_STRUCT_OFFSET (RtspSettings, udp_port), .minimum = 0, .maximum = 65534, .fallback = "0",
    .help = "What is played over UDP leaves from this port (RTP, an even number) and the one above (RTCP); 0 is any two. Name one "
            "where a firewall stands between.",
    .help_zh = "UDP 播放的发送端口: 此端口发 RTP (须为偶数), 加一为 RTCP; 0 为任意。经过防火墙时请指定。" },
  { "max_viewers", &type_whole, G_STRUCT_OFFSET (RtspSettings, max_viewers), .minimum = 1, .maximum = 10000, .fallback = "1000",
    .help = "Viewers at a time, over RTSP and in browsers together; whoever comes then is refused.",
    .help_zh = "同时观看的上限 (RTSP 与浏览器合计), 超出者被拒绝。" },
  { "tls_listen", &type_listen, G_STRUCT_OFFSET (RtspSettings, tls_listen), .example = "0.0.0.0:8322",
    .help = "The same over RTSPS (TLS 1.2 or 1.3; video over TCP alone).", .help_zh = "RTSPS 监听地址 (TLS 1.2/1.3, 视频只走 TCP)。" },
  { "cert_file", &type_file, G_STRUCT_OFFSET (RtspSettings, cert_file), .example = "/etc/gridgate/rtsp.pem",
    .help = "For tls_listen: our certificate with its chain behind it (PEM). A reload takes a renewed one.",
    .help_zh = "RTSPS 证书及其证书链 (PEM), 更换后重载即生效。" },
  { "key_file", &type_file, G_STRUCT_OFFSET (RtspSettings, key_file), .example = "/etc/gridgate/rtsp.key",
    .help = "The key of cert_file (PEM).", .help_zh = "证书的私钥 (PEM)。" },
  { 0 }
};

static void check_rtsp (Reader *reader, const YamlNode *map, gpointer item)
{
  static const char *const names[] = { "tls_listen", "cert_file", "key_file" };
  const RtspSettings *rtsp = item;
  const YamlNode *given = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (names) && given == NULL; i++)
    given = yaml_map_get (map, names[i]);
  for (guint i = 0; i < G_N_ELEMENTS (names) && given != NULL; i++)
    if (yaml_map_get (map, names[i]) == NULL)
      reader_refuse (reader, given, "tls_listen, cert_file and key_file belong together, expected %s as well", names[i]);
  if (rtsp->udp_port % 2 != 0)
    reader_refuse (reader, yaml_map_get (map, "udp_port"), "udp_port is %d, expected an even number: the port above is for RTCP",
                   rtsp->udp_port);
}

const Section rtsp_section = { "rtsp", rtsp_keys, sizeof (RtspSettings), .check = check_rtsp };
