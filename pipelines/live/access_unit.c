#include "pipelines/live/access_unit.h"

#include <string.h>

static const guint sample_rates[] = { 96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025,
                                      8000,  7350 };

MediaFormat *media_format_new_video (Codec codec, guint32 time_scale, GBytes *header, char *codec_string, int width,
                                     int height, guint reorder)
{
  MediaFormat *format = g_new0 (MediaFormat, 1);
  *format = (MediaFormat){ .references = 1, .medium = MEDIUM_VIDEO, .codec = codec, .time_scale = time_scale,
                           .header = header, .codec_string = codec_string, .width = width, .height = height,
                           .reorder = reorder };
  return format;
}

/* ISO/IEC 14496-3 1.6.2.1: five bits of object type, four of rate index, four of channels. Escapes (object type 31, a rate
 * written out) are not what cameras send. */
MediaFormat *media_format_new_aac (guint32 time_scale, const guint8 *config, gsize size)
{
  if (size < 2 || size > 64 || time_scale == 0)
    return NULL;
  guint object_type = config[0] >> 3;
  guint rate_index = (config[0] & 7) << 1 | config[1] >> 7;
  guint channels = config[1] >> 3 & 15;
  if (object_type == 0 || object_type == 31 || rate_index >= G_N_ELEMENTS (sample_rates) || channels == 0 || channels > 7)
    return NULL;

  MediaFormat *format = g_new0 (MediaFormat, 1);
  *format = (MediaFormat){ .references = 1, .medium = MEDIUM_AUDIO, .codec = CODEC_AAC, .time_scale = time_scale,
                           .header = g_bytes_new (config, size),
                           .codec_string = g_strdup_printf ("mp4a.40.%u", object_type),
                           .sample_rate = sample_rates[rate_index], .channels = channels };
  return format;
}

MediaFormat *media_format_new_opus (void)
{
  static const guint8 header[] = { 'O', 'p', 'u', 's', 'H', 'e', 'a', 'd', 1, 2, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0 };
  MediaFormat *format = g_new0 (MediaFormat, 1);
  *format = (MediaFormat){ .references = 1, .medium = MEDIUM_AUDIO, .codec = CODEC_OPUS, .time_scale = OPUS_HZ,
                           .header = g_bytes_new_static (header, sizeof header), .codec_string = g_strdup ("opus"),
                           .sample_rate = OPUS_HZ, .channels = 2 };
  return format;
}

MediaFormat *media_format_ref (MediaFormat *format)
{
  g_atomic_int_inc (&format->references);
  return format;
}

void media_format_unref (MediaFormat *format)
{
  if (format == NULL || !g_atomic_int_dec_and_test (&format->references))
    return;
  g_bytes_unref (format->header);
  g_free (format->codec_string);
  g_free (format);
}

char *media_format_mime (const MediaFormat *video, const MediaFormat *audio)
{
  return g_strdup_printf ("video/mp4; codecs=\"%s%s%s\"", video != NULL ? video->codec_string : "",
                          video != NULL && audio != NULL ? "," : "", audio != NULL ? audio->codec_string : "");
}

AccessUnit *access_unit_new (MediaFormat *format, gsize size)
{
  AccessUnit *unit = g_malloc (sizeof (AccessUnit) + size);
  *unit = (AccessUnit){ .references = 1, .format = media_format_ref (format), .size = size };
  return unit;
}

AccessUnit *access_unit_ref (AccessUnit *unit)
{
  g_atomic_int_inc (&unit->references);
  return unit;
}

void access_unit_unref (AccessUnit *unit)
{
  if (unit == NULL || !g_atomic_int_dec_and_test (&unit->references))
    return;
  media_format_unref (unit->format);
  g_free (unit);
}

GBytes *annex_b_from_sample (const MediaFormat *format, const guint8 *bytes, gsize size)
{
  gsize header_size, at = 0;
  const guint8 *header = g_bytes_get_data (format->header, &header_size);
  guint8 *out = g_malloc (header_size + size);

  memcpy (out, header, header_size);
  memcpy (out + header_size, bytes, size);
  while (at < size) {
    if (size - at < 4)
      break;
    guint8 *prefix = out + header_size + at;
    gsize length = (gsize) prefix[0] << 24 | prefix[1] << 16 | prefix[2] << 8 | prefix[3];
    if (length > size - at - 4)
      break;
    memcpy (prefix, "\0\0\0\1", 4);
    at += 4 + length;
  }
  if (at != size) {
    g_free (out);
    return NULL;
  }
  return g_bytes_new_take (out, header_size + size);
}

GBytes *access_unit_to_annex_b (const AccessUnit *unit)
{
  return annex_b_from_sample (unit->format, unit->bytes, unit->size);
}
