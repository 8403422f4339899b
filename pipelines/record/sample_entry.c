/* What a sample entry of ours says: parameter sets of avcC (ISO/IEC 14496-15 5.3.3.1) and hvcC (8.3.3.1), the
 * AudioSpecificConfig of esds (ISO/IEC 14496-1 7.2.6). */
#include "pipelines/live/parameter_sets.h"
#include "pipelines/record/boxes.h"
#include "pipelines/record/segment_samples.h"

enum { VISUAL_ENTRY = 78, AUDIO_ENTRY = 28, AVCC_HEAD = 6, HVCC_HEAD = 23 };
enum { TAG_ES = 3, TAG_DECODER = 4, TAG_SPECIFIC = 5 };

/* `count` NAL units with two bytes of length each; FALSE at a lie. */
static gboolean take_nals (ParameterSets *sets, BoxSpan *span, guint count)
{
  for (guint i = 0; i < count; i++) {
    gsize size = span->size >= 2 ? box_get_16 (span->bytes) : 0;
    if (size == 0 || size > span->size - 2)
      return FALSE;
    parameter_sets_take (sets, span->bytes + 2, size);
    *span = (BoxSpan){ span->bytes + 2 + size, span->size - 2 - size };
  }
  return TRUE;
}

static gboolean take_avcc (ParameterSets *sets, BoxSpan avcc)
{
  if (avcc.size < AVCC_HEAD + 1 || (avcc.bytes[4] & 3) != 3) /* four bytes of length, as our samples have */
    return FALSE;
  BoxSpan rest = { avcc.bytes + AVCC_HEAD, avcc.size - AVCC_HEAD };
  if (!take_nals (sets, &rest, avcc.bytes[5] & 31) || rest.size < 1)
    return FALSE;
  guint pictures = rest.bytes[0];
  rest = (BoxSpan){ rest.bytes + 1, rest.size - 1 };
  return take_nals (sets, &rest, pictures);
}

static gboolean take_hvcc (ParameterSets *sets, BoxSpan hvcc)
{
  if (hvcc.size < HVCC_HEAD || (hvcc.bytes[21] & 3) != 3)
    return FALSE;
  BoxSpan rest = { hvcc.bytes + HVCC_HEAD, hvcc.size - HVCC_HEAD };
  for (guint i = 0; i < hvcc.bytes[22]; i++) {
    if (rest.size < 3)
      return FALSE;
    guint count = box_get_16 (rest.bytes + 1);
    rest = (BoxSpan){ rest.bytes + 3, rest.size - 3 };
    if (!take_nals (sets, &rest, count))
      return FALSE;
  }
  return TRUE;
}

static MediaFormat *video_format (BoxSpan body, Codec codec, guint32 time_scale)
{
  BoxSpan boxes, config;
  if (body.size < VISUAL_ENTRY)
    return NULL;
  boxes = (BoxSpan){ body.bytes + VISUAL_ENTRY, body.size - VISUAL_ENTRY };
  if (!box_find (boxes, codec == CODEC_H264 ? "avcC" : "hvcC", &config))
    return NULL;
  ParameterSets *sets = parameter_sets_new (codec, time_scale, NULL);
  gboolean is_good = codec == CODEC_H264 ? take_avcc (sets, config) : take_hvcc (sets, config);
  MediaFormat *format = is_good ? parameter_sets_format (sets) : NULL;
  if (format != NULL)
    media_format_ref (format);
  parameter_sets_free (sets);
  return format;
}

/* A descriptor with `tag` at the front of `span`, which becomes its body. Its size has up to four bytes of seven bits. */
static gboolean open_descriptor (BoxSpan *span, guint8 tag)
{
  gsize size = 0, at = 1;
  if (span->size < 2 || span->bytes[0] != tag)
    return FALSE;
  for (gboolean more = TRUE; more; at++) {
    if (at > 4 || at >= span->size)
      return FALSE;
    size = size << 7 | (span->bytes[at] & 127);
    more = span->bytes[at] & 128;
  }
  if (size > span->size - at)
    return FALSE;
  *span = (BoxSpan){ span->bytes + at, size };
  return TRUE;
}

static gboolean skip (BoxSpan *span, gsize size)
{
  if (span->size < size)
    return FALSE;
  *span = (BoxSpan){ span->bytes + size, span->size - size };
  return TRUE;
}

static MediaFormat *audio_format (BoxSpan body, guint32 time_scale)
{
  BoxSpan esds;
  if (!skip (&body, AUDIO_ENTRY) || !box_find (body, "esds", &esds) || !skip (&esds, 4) || !open_descriptor (&esds, TAG_ES)
      || !skip (&esds, 3) || !open_descriptor (&esds, TAG_DECODER) || !skip (&esds, 13)
      || !open_descriptor (&esds, TAG_SPECIFIC))
    return NULL;
  return media_format_new_aac (time_scale, esds.bytes, esds.size);
}

MediaFormat *sample_entry_format (GBytes *entry, guint32 time_scale)
{
  gsize size;
  const guint8 *bytes = g_bytes_get_data (entry, &size);
  BoxSpan span = { bytes, size }, body;
  char type[5];
  if (time_scale == 0 || !box_next (&span, type, &body))
    return NULL;
  if (strcmp (type, "avc1") == 0)
    return video_format (body, CODEC_H264, time_scale);
  if (strcmp (type, "hvc1") == 0)
    return video_format (body, CODEC_H265, time_scale);
  if (strcmp (type, "Opus") == 0)
    return time_scale == OPUS_HZ ? media_format_new_opus () : NULL;
  return strcmp (type, "mp4a") == 0 ? audio_format (body, time_scale) : NULL;
}
