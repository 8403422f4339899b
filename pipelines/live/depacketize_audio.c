/* RFC 3640 in its AAC-hbr mode, and RFC 3551 4.5.14 for G.711. */
#include <stdlib.h>
#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/live/depacketizer_private.h"

enum { AAC_FRAMES_MAX = 32, AAC_FRAME_BYTES_MAX = 8192, G711_BYTES_MAX = 8192 };

static guint number_of (const char *fmtp, const char *name, guint otherwise)
{
  g_autofree char *text = fmtp_value (fmtp, name);
  guint64 number;
  return text != NULL && g_ascii_string_to_unsigned (text, 10, 0, 32, &number, NULL) ? (guint) number : otherwise;
}

static gsize bytes_from_hex (const char *hex, guint8 *bytes, gsize room)
{
  gsize size = 0;
  while (size < room && g_ascii_isxdigit (hex[2 * size]) && g_ascii_isxdigit (hex[2 * size + 1])) {
    bytes[size] = (guint8) (g_ascii_xdigit_value (hex[2 * size]) << 4 | g_ascii_xdigit_value (hex[2 * size + 1]));
    size++;
  }
  return size;
}

gboolean depacketize_aac_configure (Depacketizer *depacketizer, const Track *track, GError **error)
{
  guint8 config[64];
  g_autofree char *mode = fmtp_value (track->format, "mode");
  g_autofree char *hex = fmtp_value (track->format, "config");

  if (mode != NULL && g_ascii_strcasecmp (mode, "AAC-hbr") != 0)
    return error_set (error, ERROR_GIVE_UP, "AAC in mode %s can't be unpacked, only AAC-hbr", mode);
  gsize size = hex != NULL ? bytes_from_hex (hex, config, sizeof config) : 0;
  depacketizer->size_bits = number_of (track->format, "sizelength", 13);
  depacketizer->index_bits = number_of (track->format, "indexlength", 3);
  depacketizer->delta_bits = number_of (track->format, "indexdeltalength", 3);
  depacketizer->format = media_format_new_aac (track->clock_rate, config, size);
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

static void hand_on_frame (Depacketizer *depacketizer, const guint8 *bytes, gsize size, gint64 time)
{
  AccessUnit *unit = access_unit_new (depacketizer->format, size);
  memcpy (unit->bytes, bytes, size);
  unit->is_key = TRUE;
  unit->pts = unit->dts = time;
  unit->duration = frame_ticks (depacketizer->format);
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
    hand_on_frame (depacketizer, assembly->data, whole, depacketizer->time);
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
    hand_on_frame (depacketizer, payload + data, sizes[i],
                   depacketizer->time + (gint64) i * frame_ticks (depacketizer->format));
    data += sizes[i];
  }
}

/* G.711 goes on as it is: the assembler encodes it. Its format is a stand-in that says what the bytes are. */
void depacketize_g711 (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker)
{
  (void) has_marker;
  depacketizer->is_broken = FALSE;
  if (size > G711_BYTES_MAX) {
    depacketizer->counts.broken++;
    return;
  }
  if (depacketizer->format == NULL) {
    depacketizer->format = media_format_new_aac (depacketizer->clock_rate, (const guint8[]){ 0x15, 0x88 }, 2);
    depacketizer->format->codec = depacketizer->codec;
  }
  AccessUnit *unit = access_unit_new (depacketizer->format, size);
  memcpy (unit->bytes, payload, size);
  unit->is_key = TRUE;
  unit->pts = unit->dts = depacketizer->time;
  unit->duration = (guint32) size;
  unit->wall_us = depacketizer->wall_us;
  depacketizer->counts.units++;
  depacketizer->output (unit, depacketizer->data);
}
