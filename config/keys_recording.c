#include "config/keys_recording.h"

#include "config/reader.h"
#include "gateway/core/quantity.h"

#include <string.h>

#define PLACE(field) G_STRUCT_OFFSET (RecordingSettings, field)
#define SECOND ((double) G_TIME_SPAN_SECOND)
#define DAY ((double) G_TIME_SPAN_DAY)

#define PRE_ROLL_LEAST (10 * SECOND)
#define PRE_ROLL_MOST (60 * SECOND)

static const Choice recording_modes[] = {
  { "continuous", RECORDING_CONTINUOUS }, { "event", RECORDING_EVENT }, { "off", RECORDING_OFF }, { 0 }
};
static const Choice recorded_streams[] = { { "main", FALSE }, { "sub", TRUE }, { 0 } };

/* Fills min_free_percent or min_free_bytes of the RecordingSettings that `field` is. */
static gboolean read_min_free (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  RecordingSettings *recording = field;
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  guint64 percent = 0;
  gint64 bytes = 0;
  g_autofree char *number = g_strndup (text, g_str_has_suffix (text, "%") ? strlen (text) - 1 : 0);
  if (!g_ascii_string_to_unsigned (number, 10, 1, 90, &percent, NULL) && !size_parse (text, &bytes))
    return reader_mismatch (reader, key, node);
  recording->min_free_percent = (guint) percent;
  recording->min_free_bytes = bytes;
  return TRUE;
}

static json_t *show_min_free (const Key *key, gconstpointer field)
{
  (void) key;
  const RecordingSettings *recording = field;
  g_autofree char *text = recording->min_free_percent > 0 ? g_strdup_printf ("%u%%", recording->min_free_percent)
                                                          : size_format (recording->min_free_bytes);
  return json_string (text);
}

static json_t *schema_min_free (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:s}", "type", "string", "pattern", "^([0-9]+%|[0-9]+([KMGT]i?)?B)$");
}

static const ValueType type_min_free = { "a share of 1% to 90% or a size such as 20GB", read_min_free, show_min_free,
                                         schema_min_free };

static const Key recording_keys[] = {
  { "mode", &type_choice, PLACE (mode), .choices = recording_modes, .fallback = "continuous",
    .help = "continuous, event (around incidents only) or off; a camera may say otherwise.",
    .help_zh = "连续录像、仅事件前后录像或不录像; 各摄像机可单独设置。" },
  { "segment", &type_duration, PLACE (segment_us), .minimum = 10 * SECOND, .maximum = 3600 * SECOND, .fallback = "60s",
    .help = "How long one file is.", .help_zh = "单个录像文件的时长。" },
  { "pre_roll", &type_duration, PLACE (pre_roll_us), .minimum = PRE_ROLL_LEAST, .maximum = PRE_ROLL_MOST,
    .fallback = "10s", .help = "In mode event: how much from before an event is kept in memory and recorded with it.",
    .help_zh = "事件录像: 事件发生前保留在内存中并一并录下的时长。" },
  { "retain", &type_duration, PLACE (retain_us), .minimum = 3600 * SECOND, .maximum = 3650 * DAY, .fallback = "30d",
    .help = "Recordings are deleted after this; evidence of incidents is kept.",
    .help_zh = "录像的保存期限, 到期删除; 事件证据另存不删。" },
  { "keep_at_least", &type_duration, PLACE (keep_at_least_us), .minimum = 0, .maximum = 3650 * DAY, .example = "30d",
    .help = "Never deleted for space before this: recording stops and alerts instead. As retain when not given.",
    .help_zh = "空间不足时也不提前删除的期限, 届时停止录像并告警; 默认同 retain。" },
  { "max_bytes", &type_size, PLACE (max_bytes), .minimum = 1e8, .maximum = 1e18, .example = "500GB",
    .help = "Recordings take no more than this; no limit when not given.", .help_zh = "录像总容量上限, 不写则不限。" },
  { "min_free", &type_min_free, 0, .fallback = "5%",
    .help = "What recordings leave free on the disk.", .help_zh = "磁盘须保留的空闲空间。" },
  { 0 }
};

static void prepare_recording (gpointer item)
{
  RecordingSettings *recording = item;
  recording->keep_at_least_us = -1;
}

static void check_recording (Reader *reader, const YamlNode *map, gpointer item)
{
  const RecordingSettings *recording = item;
  if (recording->keep_at_least_us > recording->retain_us)
    reader_refuse (reader, yaml_map_get (map, "keep_at_least"),
                   "keep_at_least is longer than retain, expected at most as long");
}

#undef PLACE
#define PLACE(field) G_STRUCT_OFFSET (CameraRecording, field)

static const Key camera_recording_keys[] = {
  { "mode", &type_choice, PLACE (mode), .choices = recording_modes, .example = "event",
    .help = "continuous, event or off; as the site's when not given.", .help_zh = "录像方式, 不写则同全站设置。" },
  { "stream", &type_choice, PLACE (is_sub), .choices = recorded_streams, .fallback = "main",
    .help = "main or sub: which stream is recorded; evidence is cut from the same.",
    .help_zh = "录制主码流 (main) 或子码流 (sub), 证据亦取自该码流。" },
  { "pre_roll", &type_duration, PLACE (pre_roll_us), .minimum = PRE_ROLL_LEAST, .maximum = PRE_ROLL_MOST,
    .example = "20s", .help = "As the site's when not given.", .help_zh = "不写则同全站设置。" },
  { "retain", &type_duration, PLACE (retain_us), .minimum = 3600 * SECOND, .maximum = 3650 * DAY, .example = "90d",
    .help = "As the site's when not given.", .help_zh = "不写则同全站设置。" },
  { "keep_at_least", &type_duration, PLACE (keep_at_least_us), .minimum = 0, .maximum = 3650 * DAY, .example = "30d",
    .help = "As the site's when not given, but no longer than this camera's retain.",
    .help_zh = "不写则同全站设置, 但不超过本机 retain。" },
  { "max_bytes", &type_size, PLACE (max_bytes), .minimum = 1e8, .maximum = 1e18, .example = "50GB",
    .help = "This camera's recordings take no more than this; no limit of its own when not given.",
    .help_zh = "本摄像机录像容量上限, 不写则不单独限制。" },
  { 0 }
};

static void prepare_camera_recording (gpointer item)
{
  *(CameraRecording *) item = (CameraRecording){ .mode = (RecordingMode) -1, .pre_roll_us = -1, .retain_us = -1,
                                                 .keep_at_least_us = -1 }; /* the site's, filled in at the end */
}

const Section camera_recording_section = { "recording", camera_recording_keys, sizeof (CameraRecording),
                                           .prepare = prepare_camera_recording };

const Section recording_section = { "recording", recording_keys, sizeof (RecordingSettings),
                                    .prepare = prepare_recording, .check = check_recording };
