/* RFC 6416 6: AAC in LATM (ISO/IEC 14496-3 1.7.3), with its configuration in the SDP. */
#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/live/depacketizer_private.h"

enum { CONFIG_BYTES_MAX = 64, LATM_BYTES_MAX = 64 * 1024, OBJECT_SBR = 5, OBJECT_PS = 29, SYNC_EXTENSION = 0x2b7 };

typedef struct {
  const guint8 *bytes;
  gsize bits, at;
} Bits;

static guint take_bits (Bits *bits, guint count)
{
  guint value = 0;
  for (; count > 0; count--, bits->at++)
    value = value << 1 | (bits->at < bits->bits ? bits->bytes[bits->at / 8] >> (7 - bits->at % 8) & 1u : 0);
  return value;
}

/* How many bits an AudioSpecificConfig has that begins here; 0 when it is none that cameras send. Some add that SBR may
 * come, behind a mark which begins as no frame length type does. */
static gsize specific_config_bits (Bits bits)
{
  gsize start = bits.at;
  guint object_type = take_bits (&bits, 5);
  gboolean has_rate = take_bits (&bits, 4) == 15;
  take_bits (&bits, 4);
  if (object_type == OBJECT_SBR || object_type == OBJECT_PS)
    has_rate |= take_bits (&bits, 4) == 15, take_bits (&bits, 5);
  take_bits (&bits, 3); /* GASpecificConfig */
  gsize end = bits.at;
  if (take_bits (&bits, 11) == SYNC_EXTENSION && take_bits (&bits, 5) == OBJECT_SBR)
    end = take_bits (&bits, 1) == 0 ? bits.at : bits.at + 4;
  return has_rate || object_type == 31 || end > bits.bits ? 0 : end - start;
}

/* One program, one layer, frames of any length: StreamMuxConfig, ISO/IEC 14496-3 table 1.42. */
static gboolean read_mux_config (Depacketizer *depacketizer, const guint8 *bytes, gsize size)
{
  Bits bits = { bytes, 8 * size, 0 };
  guint8 config[CONFIG_BYTES_MAX] = { 0 };
  guint version = take_bits (&bits, 1), is_same_framing = take_bits (&bits, 1);
  depacketizer->latm_frames = take_bits (&bits, 6) + 1;
  guint programs_and_layers = take_bits (&bits, 7);
  gsize count = specific_config_bits (bits);
  if (version != 0 || is_same_framing != 1 || programs_and_layers != 0 || count == 0)
    return FALSE;
  for (gsize i = 0; i < count; i++)
    config[i / 8] |= (guint8) (take_bits (&bits, 1) << (7 - i % 8));
  if (take_bits (&bits, 3) != 0)
    return FALSE;
  depacketizer_set_aac (depacketizer, config, (count + 7) / 8);
  return depacketizer->format != NULL;
}

gboolean depacketize_latm_configure (Depacketizer *depacketizer, const Track *track, GError **error)
{
  guint8 bytes[CONFIG_BYTES_MAX];
  g_autofree char *in_band = fmtp_value (track->format, "cpresent"), *hex = fmtp_value (track->format, "config");
  gsize size = hex != NULL ? depacketizer_bytes_from_hex (hex, bytes, sizeof bytes) : 0;
  if (in_band == NULL || strcmp (in_band, "0") != 0)
    return error_set (error, ERROR_GIVE_UP, "AAC in LATM with its configuration in the stream can't be unpacked");
  return read_mux_config (depacketizer, bytes, size)
         || error_set (error, ERROR_GIVE_UP, "the LATM configuration in the SDP is absent, wrong or of a kind that isn't known");
}

/* PayloadLengthInfo (table 1.44), then the frame. FALSE when the lengths lie. */
static gboolean hand_on_frames (Depacketizer *depacketizer, const guint8 *bytes, gsize size)
{
  for (guint i = 0; i < depacketizer->latm_frames; i++) {
    gsize length = 0, at = 0;
    while (at < size && bytes[at] == 255)
      length += bytes[at++];
    length += at < size ? bytes[at++] : 0;
    if (length == 0 || length > size - at)
      return FALSE;
    depacketizer_hand_on_aac (depacketizer, bytes + at, length, i);
    bytes += at + length;
    size -= at + length;
  }
  return TRUE;
}

/* An AudioMuxElement may be cut into packets; the marker ends it. */
void depacketize_latm (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker)
{
  GByteArray *assembly = depacketizer->assembly;
  if (!depacketizer->is_broken && assembly->len + size <= LATM_BYTES_MAX)
    g_byte_array_append (assembly, payload, (guint) size);
  else
    depacketizer->is_broken = TRUE;
  if (!has_marker)
    return;
  if (depacketizer->is_broken || !hand_on_frames (depacketizer, assembly->data, assembly->len))
    depacketizer->counts.broken++;
  g_byte_array_set_size (assembly, 0);
  depacketizer->is_broken = FALSE;
}
