#include "config/reader.h"
#include "config/types.h"

#define PLACE(field) G_STRUCT_OFFSET (Grant, field)

static const Choice severities[] = {
  { "minor", SEVERITY_MINOR }, { "moderate", SEVERITY_MODERATE }, { "severe", SEVERITY_SEVERE },
  { "extreme", SEVERITY_EXTREME }, { 0 }
};

static const char *const every_category[] = { "*", NULL };

static const Key grant_keys[] = {
  { "categories", &type_ids, PLACE (categories), .special = every_category, .is_required = TRUE, .minimum = 1,
    .maximum = 100, .example = "[flood]", .help = "Categories of incidents; \"*\" for all.",
    .help_zh = "事件类别; \"*\" 表示全部。" },
  { "grids", &type_references, PLACE (grids), .kind = SITE_GRIDS, .minimum = 1, .maximum = 1000,
    .example = "[\"621121104\"]", .help = "Grids, with all below; the whole township when not given.",
    .help_zh = "网格, 含下级; 不写则为全乡镇。" },
  { "min_severity", &type_choice, PLACE (min_severity), .choices = severities, .fallback = "minor",
    .help = "Nothing below this severity.", .help_zh = "最低等级。" },
  { "live", &type_boolean, PLACE (live), .fallback = "false", .help = "May watch the cameras of these grids live.",
    .help_zh = "可否观看这些网格的实时视频。" },
  { "evidence", &type_boolean, PLACE (evidence), .fallback = "false", .help = "May see clips and pictures of incidents.",
    .help_zh = "可否查看事件的录像片段和图片。" },
  { "until", &type_time, PLACE (until_us), .example = "2027-12-31T00:00:00Z", .help = "Ends then; never when not given.",
    .help_zh = "授权截止时间, 不写则长期有效。" },
  { 0 }
};

static const Section grant_section = { "grant", grant_keys, sizeof (Grant), (GDestroyNotify) grant_free };

#undef PLACE
#define PLACE(field) G_STRUCT_OFFSET (Delivery, field)

static const Choice webhook_schemes[] = { { "https", 443 }, { "http", 80 }, { 0 } };

static const Key delivery_keys[] = {
  { "mqtt", &type_reference, PLACE (mqtt_center), .kind = SITE_CENTERS, .example = "center",
    .help = "On its own topics of this center's broker.", .help_zh = "经该中心的 MQTT 服务器上其专有主题送达。" },
  { "webhook", &type_url, PLACE (webhook_url), .choices = webhook_schemes,
    .help = "Or by HTTP POST to this URL, signed as Standard Webhooks does.", .help_zh = "或以签名的 HTTP POST 送达此地址。" },
  { "secret_file", &type_secret_file, PLACE (secret_file), .help = "For webhook: the file with the signing secret.",
    .help_zh = "webhook 签名密钥文件。" },
  { 0 }
};

static void check_delivery (Reader *reader, const YamlNode *map, gpointer item)
{
  (void) item;
  gboolean has_mqtt = yaml_map_get (map, "mqtt") != NULL;
  const YamlNode *webhook = yaml_map_get (map, "webhook"), *secret = yaml_map_get (map, "secret_file");
  if (has_mqtt == (webhook != NULL))
    reader_refuse (reader, map, "expected either mqtt or webhook for each way of delivery");
  else if (webhook != NULL && secret == NULL)
    reader_refuse (reader, map, "secret_file is missing, expected the file with the secret that signs the webhook");
  else if (webhook == NULL && secret != NULL)
    reader_refuse (reader, secret, "secret_file has no use with mqtt, expected none");
}

static const Section delivery_section = { "delivery", delivery_keys, sizeof (Delivery), (GDestroyNotify) delivery_free,
                                          .check = check_delivery };

#undef PLACE
#define PLACE(field) G_STRUCT_OFFSET (Agency, field)

static const Key agency_keys[] = {
  { "id", &type_id, PLACE (id), .is_required = TRUE, .example = "water", .help = "The name in topics and accounts.",
    .help_zh = "编号, 用于主题和账号。" },
  { "name", &type_text, PLACE (name), .example = "水务局", .help = "What people call it; the id when not given.",
    .help_zh = "显示名称, 不写则同编号。" },
  { "grants", &type_maps, PLACE (grants), .section = &grant_section, .maximum = 100,
    .help = "What it may see; nothing when not given.", .help_zh = "授权范围, 不写则无。" },
  { "deliver", &type_maps, PLACE (deliveries), .section = &delivery_section, .maximum = 16,
    .help = "How incidents and alerts reach it.", .help_zh = "事件和告警的送达方式。" },
  { 0 }
};

static void prepare_agency (gpointer item)
{
  Agency *agency = item;
  agency->grants = g_ptr_array_new_with_free_func ((GDestroyNotify) grant_free);
  agency->deliveries = g_ptr_array_new_with_free_func ((GDestroyNotify) delivery_free);
}

const Section agency_section = { "agency", agency_keys, sizeof (Agency), (GDestroyNotify) agency_free,
                                 .prepare = prepare_agency };
