/* The two ends of MQTT: brokers (sensors in) and centers (events out). */
#include "config/keys_brokers.h"

#include "config/reader.h"

#define PLACE(field) G_STRUCT_OFFSET (Broker, field)

static const Choice broker_schemes[] = { { "mqtt", 1883 }, { "mqtts", 8883 }, { 0 } };
static const Choice protocols[] = { { "3.1.1", 4 }, { "5", 5 }, { 0 } };
static const Choice broker_protocols[] = { { "auto", 0 }, { "3.1.1", 4 }, { "5", 5 }, { 0 } };
static const Choice acks[] = { { "broker", ACK_BROKER }, { "application", ACK_APPLICATION }, { 0 } };

static const Key broker_keys[] = {
  { "id", &type_id, PLACE (id), .is_required = TRUE, .example = "village",
    .help = "The name that sensors refer to.", .help_zh = "编号, 供传感器引用。" },
  { "url", &type_broker_url, PLACE (url), .choices = broker_schemes, .is_required = TRUE,
    .example = "mqtt://127.0.0.1:1883",
    .help = "mqtt:// or mqtts://, host and port (1883, 8883).", .help_zh = "地址, mqtt 或 mqtts, 默认端口 1883 和 8883。" },
  { "protocol", &type_choice, PLACE (protocol), .choices = broker_protocols, .fallback = "auto",
    .help = "MQTT version: \"3.1.1\" or \"5\"; auto tries 5 first, in which the gateway takes more messages at a time.",
    .help_zh = "MQTT 协议版本; auto 先试 5 (一次可收更多消息), 不行再用 3.1.1。" },
  { "client_id", &type_text, PLACE (client_id), .example = "gridgate-yigang-1-village",
    .help = "Must be the broker's only one of that name, and stay. gridgate-GATEWAY-ID when not given.",
    .help_zh = "客户端标识, 在该服务器上须唯一且不变; 默认 gridgate-网关-编号。" },
  { "qos", &type_whole, PLACE (qos), .minimum = 0, .maximum = 2, .fallback = "1",
    .help = "Quality of service of the subscriptions; below 1 nothing is delivered again after an outage.",
    .help_zh = "订阅的服务质量; 小于 1 时断线期间的消息不会补发。" },
  { "username", &type_text, PLACE (username), .example = "gateway", .help = "User name, if the broker asks for one.",
    .help_zh = "用户名, 如需要。" },
  { "password_file", &type_secret_file, PLACE (password_file), .example = "/etc/gridgate/village.password",
    .help = "The file whose first line is the password.", .help_zh = "密码文件, 首行为密码。" },
  { "ca_file", &type_file, PLACE (ca_file),
    .help = "For mqtts: the certificates to trust (PEM); the system's when not given.",
    .help_zh = "mqtts 所信任的 CA 证书 (PEM); 不写则用系统的。" },
  { "cert_file", &type_file, PLACE (cert_file), .help = "For mqtts: our own certificate (PEM).",
    .help_zh = "mqtts 客户端证书 (PEM)。" },
  { "key_file", &type_file, PLACE (key_file), .help = "For mqtts: the key of cert_file (PEM).",
    .help_zh = "客户端证书的私钥 (PEM)。" },
  { 0 }
};

void check_credentials (Reader *reader, const YamlNode *map)
{
  const YamlNode *password = yaml_map_get (map, "password_file");
  if (password != NULL && yaml_map_get (map, "username") == NULL)
    reader_refuse (reader, password, "password_file stands without username, expected both or none");
}

static void check_certificates (Reader *reader, const YamlNode *map, const char *url)
{
  static const char *const names[] = { "ca_file", "cert_file", "key_file" };
  gboolean is_encrypted = url == NULL || g_str_has_prefix (url, "mqtts:");
  for (guint i = 0; i < G_N_ELEMENTS (names) && !is_encrypted; i++)
    if (yaml_map_get (map, names[i]) != NULL)
      reader_refuse (reader, yaml_map_get (map, names[i]), "%s has no use with mqtt://, expected a mqtts:// url", names[i]);
  const YamlNode *certificate = yaml_map_get (map, "cert_file"), *key = yaml_map_get (map, "key_file");
  if ((certificate == NULL) != (key == NULL))
    reader_refuse (reader, certificate != NULL ? certificate : key, "cert_file and key_file belong together, expected both or none");
}

static void check_broker (Reader *reader, const YamlNode *map, gpointer item)
{
  check_credentials (reader, map);
  check_certificates (reader, map, ((const Broker *) item)->url);
}

const Section broker_section = { "broker", broker_keys, sizeof (Broker), (GDestroyNotify) broker_free,
                                 .check = check_broker };

#undef PLACE
#define PLACE(field) G_STRUCT_OFFSET (Center, field)

static const Key center_keys[] = {
  { "id", &type_id, PLACE (id), .is_required = TRUE, .example = "center", .help = "The name that agencies refer to.",
    .help_zh = "编号, 供部门引用。" },
  { "url", &type_broker_url, PLACE (url), .choices = broker_schemes, .is_required = TRUE,
    .example = "mqtt://127.0.0.1:1884", .help = "The center's broker: mqtts:// in earnest, mqtt:// for trials.",
    .help_zh = "指挥中心的 MQTT 服务器; 正式使用请用 mqtts。" },
  { "protocol", &type_choice, PLACE (protocol), .choices = protocols, .fallback = "3.1.1",
    .help = "MQTT version: \"3.1.1\" or \"5\".", .help_zh = "MQTT 协议版本。" },
  { "client_id", &type_text, PLACE (client_id), .example = "gridgate-yigang-1-center",
    .help = "Must be the broker's only one of that name, and stay. gridgate-GATEWAY-ID when not given.",
    .help_zh = "客户端标识, 在该服务器上须唯一且不变; 默认 gridgate-网关-编号。" },
  { "username", &type_text, PLACE (username), .example = "yigang-1", .help = "User name, if the broker asks for one.",
    .help_zh = "用户名, 如需要。" },
  { "password_file", &type_secret_file, PLACE (password_file), .example = "/etc/gridgate/center.password",
    .help = "The file whose first line is the password.", .help_zh = "密码文件, 首行为密码。" },
  { "ca_file", &type_file, PLACE (ca_file),
    .help = "For mqtts: the certificates to trust (PEM); the system's when not given.",
    .help_zh = "mqtts 所信任的 CA 证书 (PEM); 不写则用系统的。" },
  { "cert_file", &type_file, PLACE (cert_file), .help = "For mqtts: our own certificate (PEM).",
    .help_zh = "mqtts 客户端证书 (PEM)。" },
  { "key_file", &type_file, PLACE (key_file), .help = "For mqtts: the key of cert_file (PEM).",
    .help_zh = "客户端证书的私钥 (PEM)。" },
  { "ack", &type_choice, PLACE (ack), .choices = acks, .fallback = "broker",
    .help = "An event counts as delivered once the broker has it, or once the center itself acknowledges it.",
    .help_zh = "送达确认: 由服务器确认, 或由中心应用确认。" },
  { "observations" },
  { 0 }
};

static void check_center (Reader *reader, const YamlNode *map, gpointer item)
{
  check_credentials (reader, map);
  check_certificates (reader, map, ((const Center *) item)->url);
}

const Section center_section = { "center", center_keys, sizeof (Center), (GDestroyNotify) center_free,
                                 .check = check_center };
