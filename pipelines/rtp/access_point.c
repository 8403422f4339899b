#include "pipelines/rtp/access_point.h"

enum { /* RFC 6184 table 1, H.264 table 7-1 */
  H264_IDR = 5, H264_SEI = 6, H264_SPS = 7, H264_PPS = 8,
  H264_STAP_A = 24, H264_STAP_B = 25, H264_FU_A = 28, H264_FU_B = 29,
};
enum { /* RFC 7798 4.4, H.265 table 7-1 */
  H265_BLA_W_LP = 16, H265_LAST_IRAP = 21, H265_LAST_VCL = 31, H265_VPS = 32, H265_PPS = 34,
  H265_AP = 48, H265_FU = 49,
};
enum { SEI_RECOVERY_POINT = 6 };

static guint h264_nal (guint type, const guint8 *nal, gsize size)
{
  if (type == H264_IDR)
    return PEEK_PICTURE | PEEK_RANDOM_ACCESS;
  if (type >= 1 && type < H264_IDR)
    return PEEK_PICTURE;
  if (type == H264_SPS || type == H264_PPS)
    return PEEK_PARAMETER_SET;
  return type == H264_SEI && size > 1 && nal[1] == SEI_RECOVERY_POINT ? PEEK_RECOVERY_POINT : 0;
}

static guint h265_nal (guint type)
{
  if (type >= H265_BLA_W_LP && type <= H265_LAST_IRAP)
    return PEEK_PICTURE | PEEK_RANDOM_ACCESS;
  if (type <= H265_LAST_VCL)
    return PEEK_PICTURE;
  return type <= H265_PPS ? PEEK_PARAMETER_SET : 0;
}

static guint nal_type (Codec codec, guint8 first)
{
  return codec == CODEC_H264 ? first & 0x1f : first >> 1 & 0x3f;
}

static guint whole_nal (Codec codec, const guint8 *nal, gsize size, PeekParameterSet parameter_set, gpointer data)
{
  guint type = nal_type (codec, nal[0]);
  guint flags = codec == CODEC_H264 ? h264_nal (type, nal, size) : h265_nal (type);
  if (flags & PEEK_PARAMETER_SET && parameter_set != NULL)
    parameter_set (nal, size, data);
  return flags;
}

/* NALs with 16-bit lengths in front, from `offset` on. */
static guint aggregate (Codec codec, const guint8 *payload, gsize size, gsize offset, PeekParameterSet parameter_set,
                        gpointer data)
{
  guint flags = 0;
  while (offset + 2 < size) {
    gsize length = (gsize) payload[offset] << 8 | payload[offset + 1];
    offset += 2;
    if (length == 0 || length > size - offset)
      return flags | PEEK_MALFORMED;
    flags |= whole_nal (codec, payload + offset, length, parameter_set, data);
    offset += length;
  }
  return offset == size ? flags : flags | PEEK_MALFORMED;
}

/* A fragment that isn't the first only says that a picture goes on. */
static guint fragment (guint flags, gboolean is_first)
{
  return is_first ? flags : flags & PEEK_PICTURE;
}

static guint peek_h264 (const guint8 *payload, gsize size, PeekParameterSet parameter_set, gpointer data)
{
  guint type = nal_type (CODEC_H264, payload[0]);
  switch (type) {
  case H264_STAP_A:
    return aggregate (CODEC_H264, payload, size, 1, parameter_set, data);
  case H264_STAP_B:
    return aggregate (CODEC_H264, payload, size, 3, parameter_set, data);
  case H264_FU_A:
  case H264_FU_B:
    if (size < 3)
      return PEEK_MALFORMED;
    return fragment (h264_nal (payload[1] & 0x1f, NULL, 0), payload[1] & 0x80);
  default:
    return whole_nal (CODEC_H264, payload, size, parameter_set, data);
  }
}

static guint peek_h265 (const guint8 *payload, gsize size, PeekParameterSet parameter_set, gpointer data)
{
  if (size < 3)
    return PEEK_MALFORMED;
  switch (nal_type (CODEC_H265, payload[0])) {
  case H265_AP:
    return aggregate (CODEC_H265, payload, size, 2, parameter_set, data);
  case H265_FU:
    return fragment (h265_nal (payload[2] & 0x3f), payload[2] & 0x80);
  default:
    return whole_nal (CODEC_H265, payload, size, parameter_set, data);
  }
}

guint access_point_peek (Codec codec, const guint8 *payload, gsize size, PeekParameterSet parameter_set, gpointer data)
{
  if (codec != CODEC_H264 && codec != CODEC_H265)
    return 0;
  if (size == 0)
    return PEEK_MALFORMED;
  return codec == CODEC_H264 ? peek_h264 (payload, size, parameter_set, data)
                             : peek_h265 (payload, size, parameter_set, data);
}
