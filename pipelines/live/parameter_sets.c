#include "pipelines/live/parameter_sets.h"

#define GST_USE_UNSTABLE_API
#include <gst/codecparsers/gsth264parser.h>
#include <gst/codecparsers/gsth265parser.h>
#include <string.h>

struct ParameterSets {
  Codec codec;
  guint32 clock_rate;
  GPtrArray *sets[PARAMETER_KINDS]; /* of GBytes, in order of arrival; a new one with a known id takes the old one's place */
  gboolean is_changed;
  MediaFormat *format;
};

typedef struct {
  int width, height;
  guint reorder;
  gboolean says_reorder;
} Picture;

char *fmtp_value (const char *fmtp, const char *name)
{
  g_auto (GStrv) parts = g_strsplit (fmtp != NULL ? fmtp : "", ";", 64);
  gsize length = strlen (name);
  for (guint i = 0; parts[i] != NULL; i++) {
    char *part = g_strstrip (parts[i]);
    if (g_ascii_strncasecmp (part, name, length) == 0 && part[length] == '=')
      return g_strdup (part + length + 1);
  }
  return NULL;
}

static void take_base64_list (ParameterSets *sets, const char *fmtp, const char *name)
{
  g_autofree char *value = fmtp_value (fmtp, name);
  if (value == NULL || strlen (value) > 4 * PARAMETER_SET_BYTES_MAX)
    return;
  g_auto (GStrv) items = g_strsplit (value, ",", PARAMETER_SETS_MAX);
  for (guint i = 0; items[i] != NULL; i++) {
    gsize size;
    g_autofree guchar *nal = g_base64_decode (items[i], &size);
    if (nal != NULL && size > 0)
      parameter_sets_take (sets, nal, size);
  }
}

ParameterSets *parameter_sets_new (Codec codec, guint32 clock_rate, const char *fmtp)
{
  ParameterSets *sets = g_new0 (ParameterSets, 1);
  sets->codec = codec;
  sets->clock_rate = clock_rate;
  for (int kind = 0; kind < PARAMETER_KINDS; kind++)
    sets->sets[kind] = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  if (codec == CODEC_H264) {
    take_base64_list (sets, fmtp, "sprop-parameter-sets");
  } else {
    take_base64_list (sets, fmtp, "sprop-vps");
    take_base64_list (sets, fmtp, "sprop-sps");
    take_base64_list (sets, fmtp, "sprop-pps");
  }
  return sets;
}

/* ue(v) of H.264 9.1 from the first bits of `bytes`; ids are small, so a long code is a lie. */
static gboolean read_exp_golomb (const guint8 *bytes, gsize size, guint *value)
{
  guint zeros = 0;
  gsize bits = size * 8;
  while (zeros < bits && !(bytes[zeros / 8] >> (7 - zeros % 8) & 1))
    zeros++;
  if (zeros > 8 || 2 * zeros + 1 > bits)
    return FALSE;
  guint code = 0;
  for (guint i = zeros; i <= 2 * zeros; i++)
    code = code << 1 | (bytes[i / 8] >> (7 - i % 8) & 1);
  *value = code - 1;
  return TRUE;
}

/* Which set an id replaces. H.264 7.3.2.1, 7.3.2.2; of H.265's SPS (whose id stands behind the profile) one is kept. */
static gboolean parameter_id (Codec codec, ParameterKind kind, const guint8 *nal, gsize size, guint *id)
{
  gsize head = codec == CODEC_H264 ? 1 : 2;
  *id = 0;
  if (size <= head)
    return FALSE;
  if (kind == PARAMETER_PPS)
    return read_exp_golomb (nal + head, MIN (size - head, 4), id);
  if (kind == PARAMETER_SPS && codec == CODEC_H264)
    return size > 4 && read_exp_golomb (nal + 4, MIN (size - 4, 4), id);
  if (kind == PARAMETER_VPS)
    *id = nal[head] >> 4;
  return TRUE;
}

static void replace_set (ParameterSets *sets, ParameterKind kind, const guint8 *nal, gsize size)
{
  GPtrArray *array = sets->sets[kind];
  guint id, other;

  if (size > PARAMETER_SET_BYTES_MAX || !parameter_id (sets->codec, kind, nal, size, &id))
    return;
  for (guint i = 0; i < array->len; i++) {
    gsize old_size;
    const guint8 *old = g_bytes_get_data (array->pdata[i], &old_size);
    if (!parameter_id (sets->codec, kind, old, old_size, &other) || other != id)
      continue;
    if (old_size == size && memcmp (old, nal, size) == 0)
      return;
    g_bytes_unref (array->pdata[i]);
    array->pdata[i] = g_bytes_new (nal, size);
    sets->is_changed = TRUE;
    return;
  }
  if (array->len >= PARAMETER_SETS_MAX)
    return;
  g_ptr_array_add (array, g_bytes_new (nal, size));
  sets->is_changed = TRUE;
}

gboolean parameter_sets_take (ParameterSets *sets, const guint8 *nal, gsize size)
{
  if (size == 0)
    return TRUE;
  if (sets->codec == CODEC_H264) {
    guint type = nal[0] & 31; /* table 7-1: 7 SPS, 8 PPS, 9 delimiter, 10 and 11 ends, 12 filler */
    if (type == 7 || type == 8)
      replace_set (sets, type == 7 ? PARAMETER_SPS : PARAMETER_PPS, nal, size);
    return type == 0 || (type >= 7 && type <= 12) || type > 23;
  }
  guint type = nal[0] >> 1 & 63; /* table 7-1: 32 VPS, 33 SPS, 34 PPS, 35 delimiter, 36 and 37 ends, 38 filler */
  if (type >= 32 && type <= 34)
    replace_set (sets, PARAMETER_VPS + (type - 32), nal, size);
  return (type >= 32 && type <= 38) || type > 47;
}

static gboolean picture_of_h264 (const guint8 *nal, gsize size, Picture *picture)
{
  g_autofree guint8 *bytes = g_malloc (size + 4);
  GstH264NalUnit unit;
  GstH264SPS sps;
  gboolean is_good = FALSE;

  memcpy (bytes, (guint8[]){ 0, 0, (guint8) (size >> 8), (guint8) size }, 4);
  memcpy (bytes + 4, nal, size);
  GstH264NalParser *parser = gst_h264_nal_parser_new ();
  if (gst_h264_parser_identify_nalu_avc (parser, bytes, 0, size + 4, 4, &unit) == GST_H264_PARSER_OK
      && gst_h264_parser_parse_sps (parser, &unit, &sps) == GST_H264_PARSER_OK) {
    gboolean is_cropped = sps.frame_cropping_flag;
    gboolean says = sps.vui_parameters_present_flag && sps.vui_parameters.bitstream_restriction_flag;
    *picture = (Picture){ is_cropped ? sps.crop_rect_width : sps.width, is_cropped ? sps.crop_rect_height : sps.height,
                          says ? MIN (sps.vui_parameters.num_reorder_frames, 16) : 0, says };
    is_good = TRUE;
    gst_h264_sps_clear (&sps);
  }
  gst_h264_nal_parser_free (parser);
  return is_good;
}

static gboolean picture_of_h265 (const guint8 *nal, gsize size, Picture *picture)
{
  g_autofree guint8 *bytes = g_malloc (size + 4);
  GstH265NalUnit unit;
  GstH265SPS sps;
  gboolean is_good = FALSE;

  memcpy (bytes, (guint8[]){ 0, 0, (guint8) (size >> 8), (guint8) size }, 4);
  memcpy (bytes + 4, nal, size);
  GstH265Parser *parser = gst_h265_parser_new ();
  if (gst_h265_parser_identify_nalu_hevc (parser, bytes, 0, size + 4, 4, &unit) == GST_H265_PARSER_OK
      && gst_h265_parser_parse_sps (parser, &unit, &sps, FALSE) == GST_H265_PARSER_OK) {
    gboolean is_cropped = sps.conformance_window_flag;
    *picture = (Picture){ is_cropped ? sps.crop_rect_width : sps.width, is_cropped ? sps.crop_rect_height : sps.height,
                          MIN (sps.max_num_reorder_pics[MIN (sps.max_sub_layers_minus1, 6)], 16), TRUE };
    is_good = TRUE;
  }
  gst_h265_parser_free (parser);
  return is_good;
}

/* RFC 6381 3.3. */
static char *codec_string_of_h264 (const guint8 *sps)
{
  return g_strdup_printf ("avc1.%02x%02x%02x", sps[1], sps[2], sps[3]);
}

/* The first bytes of a NAL unit without emulation prevention (H.265 7.4.1.1). FALSE when it is too short. */
static gboolean unescape_start (const guint8 *nal, gsize size, guint8 *plain, gsize plain_size)
{
  gsize zeros = 0, at = 0;
  for (gsize i = 0; i < size && at < plain_size; i++) {
    gboolean is_escape = zeros >= 2 && nal[i] == 3;
    if (!is_escape)
      plain[at++] = nal[i];
    zeros = nal[i] == 0 ? zeros + 1 : 0;
  }
  return at == plain_size;
}

/* ISO/IEC 14496-15 E.3: profile space and idc, compatibility flags in reverse bit order, tier and level, constraint bytes
 * without trailing zeros. Behind the two header bytes and one of the SPS stands profile_tier_level (H.265 7.3.3). */
static char *codec_string_of_h265 (const guint8 *sps, gsize size)
{
  guint8 plain[15];
  if (!unescape_start (sps, size, plain, sizeof plain))
    return NULL;
  const guint8 *profile = plain + 3;
  guint32 flags = (guint32) profile[1] << 24 | profile[2] << 16 | profile[3] << 8 | profile[4], reversed = 0;
  for (int bit = 0; bit < 32; bit++)
    reversed |= (flags >> bit & 1) << (31 - bit);
  int last = 10;
  while (last >= 5 && profile[last] == 0)
    last--;
  GString *text = g_string_new ("hvc1.");
  if (profile[0] >> 6 != 0)
    g_string_append_c (text, (char) ('A' + (profile[0] >> 6) - 1));
  g_string_append_printf (text, "%u.%x.%c%u", profile[0] & 31, reversed, profile[0] & 32 ? 'H' : 'L', profile[11]);
  for (int i = 5; i <= last; i++)
    g_string_append_printf (text, ".%X", profile[i]);
  return g_string_free (text, FALSE);
}

static GBytes *annex_b_header (const ParameterSets *sets)
{
  GByteArray *header = g_byte_array_new ();
  for (int kind = 0; kind < PARAMETER_KINDS; kind++)
    for (guint i = 0; i < sets->sets[kind]->len; i++) {
      gsize size;
      const guint8 *nal = g_bytes_get_data (sets->sets[kind]->pdata[i], &size);
      g_byte_array_append (header, (const guint8 *) "\0\0\0\1", 4);
      g_byte_array_append (header, nal, size);
    }
  return g_byte_array_free_to_bytes (header);
}

static MediaFormat *make_format (const ParameterSets *sets)
{
  Picture picture;
  gboolean is_h264 = sets->codec == CODEC_H264;
  if (sets->sets[PARAMETER_SPS]->len == 0 || sets->sets[PARAMETER_PPS]->len == 0
      || (!is_h264 && sets->sets[PARAMETER_VPS]->len == 0))
    return NULL;

  gsize size;
  const guint8 *sps = g_bytes_get_data (sets->sets[PARAMETER_SPS]->pdata[0], &size);
  if (!(is_h264 ? picture_of_h264 (sps, size, &picture) : picture_of_h265 (sps, size, &picture)))
    return NULL;
  if (picture.width < 16 || picture.height < 16 || picture.width > 16384 || picture.height > 16384)
    return NULL;
  char *codec_string = is_h264 ? codec_string_of_h264 (sps) : codec_string_of_h265 (sps, size);
  if (codec_string == NULL)
    return NULL;
  return media_format_new_video (sets->codec, sets->clock_rate, annex_b_header (sets), codec_string, picture.width,
                                 picture.height, picture.reorder);
}

MediaFormat *parameter_sets_format (ParameterSets *sets)
{
  if (sets->is_changed) {
    sets->is_changed = FALSE;
    g_clear_pointer (&sets->format, media_format_unref);
    sets->format = make_format (sets);
  }
  return sets->format;
}

void parameter_sets_free (ParameterSets *sets)
{
  if (sets == NULL)
    return;
  for (int kind = 0; kind < PARAMETER_KINDS; kind++)
    g_ptr_array_unref (sets->sets[kind]);
  media_format_unref (sets->format);
  g_free (sets);
}
