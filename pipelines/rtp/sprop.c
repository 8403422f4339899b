#define GST_USE_UNSTABLE_API /* gstreamer-codecparsers has been so for ten years */
#include "pipelines/rtp/sprop.h"

#include <gst/codecparsers/gsth264parser.h>
#include <gst/codecparsers/gsth265parser.h>
#include <string.h>

/* Of RFC 6184 8.1 and RFC 7798 7.1. */
static const char *const h265_names[SPROP_COUNT] = { "sprop-vps", "sprop-sps", "sprop-pps" };
static const char h264_name[] = "sprop-parameter-sets", h264_profile[] = "profile-level-id";

enum { SET_MIN = 3, SPS_MIN = 4 };

static int kind_of (Codec codec, const guint8 *nal)
{
  if (codec == CODEC_H264) {
    guint type = nal[0] & 0x1f;
    return type == GST_H264_NAL_SPS ? SPROP_SPS : type == GST_H264_NAL_PPS ? SPROP_PPS : -1;
  }
  guint type = nal[0] >> 1 & 0x3f;
  return type >= GST_H265_NAL_VPS && type <= GST_H265_NAL_PPS ? (int) type - GST_H265_NAL_VPS : -1;
}

gboolean sprop_see (Sprop *sets, const guint8 *nal, gsize size)
{
  int kind = size >= SET_MIN && size <= SPROP_SET_MAX ? kind_of (sets->codec, nal) : -1;
  if (kind < 0 || (kind == SPROP_SPS && size < SPS_MIN) || (sets->sizes[kind] == size && memcmp (sets->sets[kind], nal, size) == 0))
    return FALSE;
  memcpy (sets->sets[kind], nal, size);
  sets->sizes[kind] = (guint16) size;
  return TRUE;
}

/* "base64[,base64…]" */
static void see_encoded (Sprop *sets, const char *list)
{
  g_auto (GStrv) parts = g_strsplit (list, ",", 8);
  for (char **part = parts; *part != NULL; part++) {
    gsize size = 0;
    g_autofree guint8 *nal = **part != '\0' ? g_base64_decode (*part, &size) : NULL;
    if (size > 0)
      sprop_see (sets, nal, size);
  }
}

static gboolean is_named (const char *parameter, const char *name, gsize length)
{
  return strlen (name) == length && g_ascii_strncasecmp (parameter, name, length) == 0;
}

/* Whether the "name=value" carries parameter sets. */
static gboolean carries_sets (const char *parameter, gsize name_length)
{
  gboolean carries = is_named (parameter, h264_name, name_length);
  for (guint i = 0; i < SPROP_COUNT; i++)
    carries |= is_named (parameter, h265_names[i], name_length);
  return carries;
}

void sprop_init (Sprop *sets, const Track *track)
{
  memset (sets->sizes, 0, sizeof sets->sizes);
  sets->codec = track->codec;
  if (track->codec != CODEC_H264 && track->codec != CODEC_H265)
    return;
  g_auto (GStrv) parameters = g_strsplit (track->format, ";", 32);
  for (char **parameter = parameters; *parameter != NULL; parameter++) {
    char *text = g_strstrip (*parameter);
    char *equals = strchr (text, '=');
    if (equals != NULL && carries_sets (text, (gsize) (equals - text)))
      see_encoded (sets, equals + 1);
  }
}

gboolean sprop_is_whole (const Sprop *sets)
{
  return sets->sizes[SPROP_SPS] > 0 && sets->sizes[SPROP_PPS] > 0
         && (sets->codec != CODEC_H265 || sets->sizes[SPROP_VPS] > 0);
}

static gboolean h264_size (const guint8 *nal, gsize size, int *width, int *height)
{
  GstH264NalUnit unit = { .data = (guint8 *) nal, .size = (guint) size, .header_bytes = 1, .type = GST_H264_NAL_SPS,
                          .valid = TRUE };
  GstH264SPS sps;
  if (gst_h264_parse_sps (&unit, &sps) != GST_H264_PARSER_OK)
    return FALSE;
  *width = sps.frame_cropping_flag ? sps.crop_rect_width : sps.width;
  *height = sps.frame_cropping_flag ? sps.crop_rect_height : sps.height;
  gst_h264_sps_clear (&sps);
  return TRUE;
}

static gboolean h265_size (const guint8 *nal, gsize size, int *width, int *height)
{
  GstH265NalUnit unit = { .data = (guint8 *) nal, .size = (guint) size, .header_bytes = 2, .type = GST_H265_NAL_SPS,
                          .valid = TRUE };
  GstH265SPS sps;
  GstH265Parser *parser = gst_h265_parser_new ();
  gboolean is_read = gst_h265_parse_sps (parser, &unit, &sps, FALSE) == GST_H265_PARSER_OK;
  gst_h265_parser_free (parser);
  if (!is_read)
    return FALSE;
  *width = sps.conformance_window_flag ? sps.crop_rect_width : sps.width;
  *height = sps.conformance_window_flag ? sps.crop_rect_height : sps.height;
  return TRUE;
}

gboolean sprop_picture_size (const Sprop *sets, int *width, int *height)
{
  const guint8 *sps = sets->sets[SPROP_SPS];
  gsize size = sets->sizes[SPROP_SPS];
  if (size == 0)
    return FALSE;
  gboolean is_read = sets->codec == CODEC_H264 ? h264_size (sps, size, width, height)
                                               : h265_size (sps, size, width, height);
  return is_read && *width > 0 && *height > 0;
}

static void append_set (GString *format, const Sprop *sets, SpropKind kind, const char *before)
{
  g_autofree char *text = g_base64_encode (sets->sets[kind], sets->sizes[kind]);
  g_string_append_printf (format, "%s%s", before, text);
}

static void append_sets (GString *format, const Sprop *sets)
{
  const char *separator = format->len > 0 ? ";" : "";
  if (sets->codec == CODEC_H264) {
    const guint8 *profile = sets->sets[SPROP_SPS] + 1; /* and constraints and level: an SPS has them in front */
    g_string_append_printf (format, "%s%s=%02X%02X%02X;%s=", separator, h264_profile, profile[0], profile[1], profile[2], h264_name);
    append_set (format, sets, SPROP_SPS, "");
    append_set (format, sets, SPROP_PPS, ",");
    return;
  }
  for (guint kind = 0; kind < SPROP_COUNT; kind++) {
    g_string_append_printf (format, "%s%s=", separator, h265_names[kind]);
    append_set (format, sets, kind, "");
    separator = ";";
  }
}

/* What the sets themselves say. */
static gboolean is_said_anew (const Sprop *sets, const char *parameter, gsize name_length)
{
  return sets->codec == CODEC_H264 && is_named (parameter, h264_profile, name_length);
}

char *sprop_format (const Sprop *sets, const char *format)
{
  if (!sprop_is_whole (sets))
    return g_strdup (format);
  GString *whole = g_string_new (NULL);
  g_auto (GStrv) parameters = g_strsplit (format, ";", 32);
  for (char **parameter = parameters; *parameter != NULL; parameter++) {
    char *text = g_strstrip (*parameter);
    gsize length = strcspn (text, "=");
    if (*text != '\0' && !carries_sets (text, length) && !is_said_anew (sets, text, length))
      g_string_append_printf (whole, "%s%s", whole->len > 0 ? ";" : "", text);
  }
  append_sets (whole, sets);
  return g_string_free (whole, FALSE);
}
