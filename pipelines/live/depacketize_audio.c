/* AAC in the two modes of RFC 3640, Opus (RFC 7587), and sound of fixed-size samples (RFC 3551 4.5). */
#include <stdlib.h>
#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/live/coded_sound.h"
#include "pipelines/live/depacketizer_private.h"

enum { AAC_FRAMES_MAX = 32, AAC_FRAME_BYTES_MAX = 8192, SAMPLES_BYTES_MAX = 16384, OPUS_FRAMES_MAX = 48 };

static guint number_of (const char *fmtp, const char *name, guint otherwise)
{
  g_autofree char *text = fmtp_value (fmtp, name);
  guint64 number;
  return text != NULL && g_ascii_string_to_unsigned (text, 10, 0, 32, &number, NULL) ? (guint) number : otherwise;
}

gsize depacketizer_bytes_from_hex (const char *hex, guint8 *bytes, gsize room)
{
  gsize size = 0;
  while (size < room && g_ascii_isxdigit (hex[2 * size]) && g_ascii_isxdigit (hex[2 * size + 1])) {
    bytes[size] = (guint8) (g_ascii_xdigit_value (hex[2 * size]) << 4 | g_ascii_xdigit_value (hex[2 * size + 1]));
    size++;
  }
  return size;
}

/* The RTP clock counts samples, of the doubled rate where SBR doubles it; some cameras count 90 kHz, which is no rate of sound:
 * then the samples do. */
void depacketizer_set_aac (Depacketizer *depacketizer, const guint8 *config, gsize size)
{
  guint32 clock_rate = depacketizer->clock_rate;
  MediaFormat *format = media_format_new_aac (clock_rate, config, size);
  if (format != NULL && clock_rate != format->sample_rate && clock_rate != 2 * format->sample_rate)
    format->time_scale = format->sample_rate;
  depacketizer->format = format;
}

gboolean depacketize_aac_configure (Depacketizer *depacketizer, const Track *track, GError **error)
{
  guint8 config[64];
  g_autofree char *mode = fmtp_value (track->format, "mode");
  g_autofree char *hex = fmtp_value (track->format, "config");

  gboolean is_lbr = mode != NULL && g_ascii_strcasecmp (mode, "AAC-lbr") == 0;
  if (mode != NULL && !is_lbr && g_ascii_strcasecmp (mode, "AAC-hbr") != 0)
    return error_set (error, ERROR_GIVE_UP, "AAC in mode %s can't be unpacked, only AAC-hbr and AAC-lbr", mode);
  gsize size = hex != NULL ? depacketizer_bytes_from_hex (hex, config, sizeof config) : 0;
  depacketizer->size_bits = number_of (track->format, "sizelength", is_lbr ? 6 : 13);
  depacketizer->index_bits = number_of (track->format, "indexlength", is_lbr ? 2 : 3);
  depacketizer->delta_bits = number_of (track->format, "indexdeltalength", is_lbr ? 2 : 3);
  depacketizer_set_aac (depacketizer, config, size);
  if (depacketizer->format == NULL || depacketizer->size_bits == 0 || depacketizer->size_bits > 16
      || depacketizer->index_bits > 16 || depacketizer->delta_bits > 16)
    return error_set (error, ERROR_GIVE_UP, "the AAC configuration in the SDP is absent or wrong");
  return TRUE;
}

static guint read_bits (const guint8 *bytes, gsize *at, guint count)
{
  guint value = 0;
  for (guint i = 0; i < count; i++, (*at)++)
    value = value << 1 | (bytes[*at / 8] >> (7 - *at % 8) & 1);
  return value;
}

/* Samples of one AAC frame, in ticks: 1024 at the coded rate (960 and 512 are not what cameras send). */
static guint32 frame_ticks (const MediaFormat *format)
{
  return (guint32) ((guint64) 1024 * format->time_scale / format->sample_rate);
}

void depacketizer_hand_on_aac (Depacketizer *depacketizer, const guint8 *bytes, gsize size, guint index)
{
  AccessUnit *unit = access_unit_new (depacketizer->format, size);
  memcpy (unit->bytes, bytes, size);
  unit->is_key = TRUE;
  unit->duration = frame_ticks (depacketizer->format);
  unit->pts = unit->dts = depacketizer->time * depacketizer->format->time_scale / depacketizer->clock_rate
                          + (gint64) index * unit->duration;
  unit->wall_us = depacketizer->wall_us;
  depacketizer->counts.units++;
  depacketizer->output (unit, depacketizer->data);
}

/* A frame larger than a packet comes in pieces, each with the header of the whole frame (RFC 3640 3.2.3). */
static void take_piece (Depacketizer *depacketizer, const guint8 *bytes, gsize size, gsize whole, gboolean has_marker)
{
  GByteArray *assembly = depacketizer->assembly;
  if (assembly->len == 0)
    depacketizer->expected = whole;
  if (whole != depacketizer->expected || assembly->len + size > whole) {
    depacketizer->counts.broken++;
    g_byte_array_set_size (assembly, 0);
    return;
  }
  g_byte_array_append (assembly, bytes, size);
  if (assembly->len == whole)
    depacketizer_hand_on_aac (depacketizer, assembly->data, whole, 0);
  else if (!has_marker)
    return;
  else
    depacketizer->counts.broken++;
  g_byte_array_set_size (assembly, 0);
}

static void drop_pieces_if_broken (Depacketizer *depacketizer)
{
  if (depacketizer->is_broken && depacketizer->assembly->len > 0) {
    g_byte_array_set_size (depacketizer->assembly, 0);
    depacketizer->counts.broken++;
  }
  depacketizer->is_broken = FALSE;
}

void depacketize_aac (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker)
{
  gsize sizes[AAC_FRAMES_MAX], at = 0;
  guint count = 0;

  drop_pieces_if_broken (depacketizer);
  gsize header_bits = size >= 2 ? (gsize) payload[0] << 8 | payload[1] : 0;
  gsize data = 2 + (header_bits + 7) / 8;
  if (header_bits == 0 || data >= size) {
    depacketizer->counts.broken++;
    return;
  }
  while (count < AAC_FRAMES_MAX) {
    guint index_bits = count == 0 ? depacketizer->index_bits : depacketizer->delta_bits;
    if (at + depacketizer->size_bits + index_bits > header_bits)
      break;
    sizes[count++] = read_bits (payload + 2, &at, depacketizer->size_bits);
    read_bits (payload + 2, &at, index_bits);
  }

  if (count == 1 && sizes[0] > size - data && sizes[0] <= AAC_FRAME_BYTES_MAX) {
    take_piece (depacketizer, payload + data, size - data, sizes[0], has_marker);
    return;
  }
  if (count == 1 && depacketizer->assembly->len > 0) { /* the last piece may be a small one */
    take_piece (depacketizer, payload + data, size - data, sizes[0], has_marker);
    return;
  }
  for (guint i = 0; i < count; i++) {
    if (sizes[i] == 0 || sizes[i] > size - data) {
      depacketizer->counts.broken++;
      return;
    }
    depacketizer_hand_on_aac (depacketizer, payload + data, sizes[i], i);
    data += sizes[i];
  }
}

static void hand_on_sound (Depacketizer *depacketizer, const guint8 *bytes, gsize size, guint32 duration)
{
  AccessUnit *unit = access_unit_new (depacketizer->format, size);
  memcpy (unit->bytes, bytes, size);
  unit->is_key = TRUE;
  unit->pts = unit->dts = depacketizer->time;
  unit->duration = duration;
  unit->wall_us = depacketizer->wall_us;
  depacketizer->counts.units++;
  depacketizer->output (unit, depacketizer->data);
}

/* Its format is a stand-in that says what the bytes are: the assembler encodes them. */
gboolean depacketize_samples_configure (Depacketizer *depacketizer, const Track *track, GError **error)
{
  depacketizer->sound = coded_sound_find (track->encoding);
  depacketizer->channels = MAX (track->channels, 1);
  depacketizer->format = media_format_new_aac (track->clock_rate, (const guint8[]){ 0x15, 0x88 }, 2);
  depacketizer->format->codec = track->codec;
  return depacketizer->sound != NULL || error_set (error, ERROR_GIVE_UP, "sound as %s is not known", track->encoding);
}

void depacketize_samples (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker)
{
  (void) has_marker;
  depacketizer->is_broken = FALSE;
  if (size > SAMPLES_BYTES_MAX) {
    depacketizer->counts.broken++;
    return;
  }
  hand_on_sound (depacketizer, payload, size, coded_sound_ticks (depacketizer->sound, depacketizer->channels, size));
}

/* RFC 6716 3.1 and 3.2: what a packet lasts, in samples of 48 kHz; 0 when it lies. */
static guint32 opus_ticks (const guint8 *packet, gsize size)
{
  static const guint32 silk[] = { 480, 960, 1920, 2880 }, celt[] = { 120, 240, 480, 960 };
  guint configuration = packet[0] >> 3, code = packet[0] & 3;
  guint32 frame = configuration < 12   ? silk[configuration & 3]
                  : configuration < 16 ? silk[configuration & 1]
                                       : celt[configuration & 3];
  guint count = code == 0 ? 1 : code < 3 ? 2 : size > 1 ? packet[1] & 63 : 0;
  return count > OPUS_FRAMES_MAX || count * frame > 5760 ? 0 : count * frame;
}

void depacketize_opus (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker)
{
  (void) has_marker;
  depacketizer->is_broken = FALSE;
  guint32 duration = size <= SAMPLES_BYTES_MAX ? opus_ticks (payload, size) : 0;
  if (duration == 0)
    depacketizer->counts.broken++;
  else
    hand_on_sound (depacketizer, payload, size, duration);
}
