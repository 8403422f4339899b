/* A camera's RTP on its way to access units, decoding times, init segment and fragments. The first byte chooses the codec;
 * then, with two bytes of length each, the fmtp line and RTP packets. */
#include <string.h>

#include "pipelines/live/decode_order.h"
#include "pipelines/live/depacketizer.h"
#include "pipelines/live/fragment.h"
#include "pipelines/live/init_segment.h"
#include "tests/fuzz/fuzz_target.h"

typedef struct {
  GPtrArray *units;
  MediaFormat *described;
  DecodeOrder order;
} Taken;

static void take (AccessUnit *unit, gpointer data)
{
  Taken *taken = data;
  if (access_unit_is_video (unit)) {
    g_autoptr (GBytes) annex_b = access_unit_to_annex_b (unit);
    g_assert (annex_b != NULL);
    unit->dts = decode_order_next (&taken->order, unit->pts);
  }
  if (unit->format != taken->described && (unit->format->codec == CODEC_AAC || access_unit_is_video (unit))) {
    media_format_unref (taken->described);
    taken->described = media_format_ref (unit->format);
    GBytes *init = access_unit_is_video (unit) ? init_segment_new (unit->format, NULL, NULL) : NULL;
    g_bytes_unref (init);
  }
  if (taken->units->len < FRAGMENT_UNITS_MAX)
    g_ptr_array_add (taken->units, unit);
  else
    access_unit_unref (unit);
}

/* The next piece; its size is what is left when the length lies. */
static const uint8_t *next_piece (const uint8_t **bytes, size_t *size, size_t *length)
{
  if (*size < 2)
    return NULL;
  *length = MIN ((size_t) (*bytes)[0] << 8 | (*bytes)[1], *size - 2);
  const uint8_t *piece = *bytes + 2;
  *bytes += 2 + *length;
  *size -= 2 + *length;
  return piece;
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  static const struct {
    Codec codec;
    const char *encoding;
  } kinds[] = { { CODEC_H264, "H264" },      { CODEC_H265, "H265" },      { CODEC_AAC, "MPEG4-GENERIC" }, { CODEC_PCMA, "PCMA" },
                { CODEC_AAC, "MP4A-LATM" }, { CODEC_OPUS, "opus" },      { CODEC_G726, "G726-24" } };
  guint kind = size > 0 ? bytes[0] % G_N_ELEMENTS (kinds) : 0;
  Codec codec = kinds[kind].codec;
  gboolean is_video = codec == CODEC_H264 || codec == CODEC_H265;
  size_t length;

  if (size == 0)
    return 0;
  av_log_set_level (AV_LOG_QUIET);
  bytes++;
  size--;
  const uint8_t *piece = next_piece (&bytes, &size, &length);
  g_autofree char *format = piece != NULL ? g_strndup ((const char *) piece, length) : g_strdup ("");
  Track track = { .medium = is_video ? MEDIUM_VIDEO : MEDIUM_AUDIO, .codec = codec, .payload_type = 96,
                  .clock_rate = is_video ? 90000 : codec == CODEC_OPUS ? 48000 : 8000, .format = format,
                  .encoding = (char *) kinds[kind].encoding };
  Taken taken = { .units = g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref) };
  decode_order_start (&taken.order, 0, 3600);
  Depacketizer *depacketizer = depacketizer_new (&track, take, &taken, NULL);
  while (depacketizer != NULL && (piece = next_piece (&bytes, &size, &length)) != NULL) {
    g_autofree uint8_t *packet = g_malloc (length + (length == 0)); /* of its exact size, for AddressSanitizer */
    memcpy (packet, piece, length);
    depacketizer_push (depacketizer, packet, length, 0);
  }
  if (depacketizer != NULL)
    depacketizer_flush (depacketizer);
  g_autoptr (GByteArray) fragment = g_byte_array_new ();
  fragment_append (fragment, 1, taken.units, 0);
  g_ptr_array_unref (taken.units);
  media_format_unref (taken.described);
  depacketizer_free (depacketizer);
  return 0;
}
