#include "pipelines/live/depacketizer.h"

#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/live/depacketizer_private.h"

enum { LATE_PACKETS_MAX = 3000 }; /* a sequence number this little behind is late or doubled, not a restart */

static gboolean configure (Depacketizer *depacketizer, const Track *track, GError **error)
{
  gboolean is_latm;
  switch (track->codec) {
  case CODEC_H264:
  case CODEC_H265:
    depacketizer->sets = parameter_sets_new (track->codec, track->clock_rate, track->format);
    depacketizer->take = track->codec == CODEC_H264 ? depacketize_h264 : depacketize_h265;
    return TRUE;
  case CODEC_AAC:
    is_latm = g_ascii_strcasecmp (track->encoding != NULL ? track->encoding : "", "MP4A-LATM") == 0;
    depacketizer->take = is_latm ? depacketize_latm : depacketize_aac;
    return is_latm ? depacketize_latm_configure (depacketizer, track, error)
                   : depacketize_aac_configure (depacketizer, track, error);
  case CODEC_OPUS:
    depacketizer->take = depacketize_opus;
    depacketizer->format = media_format_new_opus ();
    return track->clock_rate == OPUS_HZ || error_set (error, ERROR_GIVE_UP, "Opus counts at 48000 Hz (RFC 7587), not %u", track->clock_rate);
  case CODEC_PCMA:
  case CODEC_PCMU:
  case CODEC_G726:
  case CODEC_PCM:
    depacketizer->take = depacketize_samples;
    return depacketize_samples_configure (depacketizer, track, error);
  default:
    return error_set (error, ERROR_GIVE_UP, "%s can't be recorded or watched in a browser",
                      track->encoding != NULL ? track->encoding : "this codec");
  }
}

Depacketizer *depacketizer_new (const Track *track, DepacketizerOutput output, gpointer data, GError **error)
{
  if (track->clock_rate == 0 || track->clock_rate > 1000000) {
    error_set (error, ERROR_GIVE_UP, "a clock of %u Hz is none", track->clock_rate);
    return NULL;
  }
  g_autoptr (Depacketizer) depacketizer = g_new0 (Depacketizer, 1);
  depacketizer->codec = track->codec;
  depacketizer->payload_type = track->payload_type;
  depacketizer->clock_rate = track->clock_rate;
  depacketizer->output = output;
  depacketizer->data = data;
  depacketizer->assembly = g_byte_array_new ();
  depacketizer->nal_start = G_MAXSIZE;
  return configure (depacketizer, track, error) ? g_steal_pointer (&depacketizer) : NULL;
}

void depacketizer_free (Depacketizer *depacketizer)
{
  if (depacketizer == NULL)
    return;
  g_byte_array_unref (depacketizer->assembly);
  media_format_unref (depacketizer->format);
  parameter_sets_free (depacketizer->sets);
  g_free (depacketizer);
}

MediaFormat *depacketizer_format (Depacketizer *depacketizer)
{
  return depacketizer->sets != NULL ? parameter_sets_format (depacketizer->sets) : depacketizer->format;
}

DepacketizerCounts depacketizer_counts (const Depacketizer *depacketizer)
{
  return depacketizer->counts;
}

void depacketizer_break_unit (Depacketizer *depacketizer)
{
  depacketizer->is_broken = TRUE;
  depacketizer->nal_start = G_MAXSIZE;
}

static gboolean has_room (Depacketizer *depacketizer, gsize size)
{
  if (depacketizer->assembly->len + size + 4 <= ACCESS_UNIT_BYTES_MAX)
    return TRUE;
  depacketizer_break_unit (depacketizer);
  return FALSE;
}

/* H.264 5 is an IDR picture, 6 an SEI, whose payload 6 is a recovery point, 7 and 8 SPS and PPS; H.265 16 to 21 are its
 * random access pictures. A camera that sends no IDR after its first says by parameter sets and a recovery point where one
 * can begin, as access_point.c sees it too. */
static void look_at_nal (Depacketizer *depacketizer, const guint8 *nal, gsize size)
{
  gboolean is_h264 = depacketizer->codec == CODEC_H264;
  guint type = is_h264 ? nal[0] & 31 : nal[0] >> 1 & 63;
  if (is_h264 ? type == 5 : type >= 16 && type <= 21)
    depacketizer->is_key = TRUE;
  depacketizer->has_parameter_set |= is_h264 && (type == 7 || type == 8);
  depacketizer->has_recovery_point |= is_h264 && type == 6 && size > 1 && nal[1] == 6;
}

void depacketizer_open_nal (Depacketizer *depacketizer, const guint8 *header, gsize header_size)
{
  if (depacketizer->is_broken || !has_room (depacketizer, header_size))
    return;
  depacketizer->nal_start = depacketizer->assembly->len;
  g_byte_array_append (depacketizer->assembly, (const guint8 *) "\0\0\0\0", 4);
  g_byte_array_append (depacketizer->assembly, header, header_size);
}

void depacketizer_extend_nal (Depacketizer *depacketizer, const guint8 *bytes, gsize size)
{
  if (depacketizer->nal_start == G_MAXSIZE)
    depacketizer_break_unit (depacketizer); /* its start was lost */
  else if (has_room (depacketizer, size))
    g_byte_array_append (depacketizer->assembly, bytes, size);
}

void depacketizer_close_nal (Depacketizer *depacketizer)
{
  if (depacketizer->nal_start == G_MAXSIZE)
    return;
  gsize start = depacketizer->nal_start;
  guint8 *prefix = depacketizer->assembly->data + start;
  gsize length = depacketizer->assembly->len - start - 4;
  depacketizer->nal_start = G_MAXSIZE;
  look_at_nal (depacketizer, prefix + 4, length);
  if (parameter_sets_take (depacketizer->sets, prefix + 4, length)) {
    g_byte_array_set_size (depacketizer->assembly, start);
    return;
  }
  guint32 big_endian = GUINT32_TO_BE ((guint32) length);
  memcpy (prefix, &big_endian, 4);
}

void depacketizer_add_nal (Depacketizer *depacketizer, const guint8 *nal, gsize size)
{
  depacketizer_open_nal (depacketizer, nal, size);
  depacketizer_close_nal (depacketizer);
}

void depacketizer_end_unit (Depacketizer *depacketizer)
{
  if (depacketizer->nal_start != G_MAXSIZE) /* a fragment without its end */
    depacketizer_break_unit (depacketizer);
  gsize size = depacketizer->assembly->len;
  if (depacketizer->is_broken) {
    depacketizer->counts.broken++;
  } else if (size > 0) {
    MediaFormat *format = depacketizer_format (depacketizer);
    if (format == NULL) {
      depacketizer->counts.waiting++;
    } else {
      AccessUnit *unit = access_unit_new (format, size);
      memcpy (unit->bytes, depacketizer->assembly->data, size);
      unit->is_key = depacketizer->is_key || (depacketizer->has_parameter_set && depacketizer->has_recovery_point);
      unit->pts = unit->dts = depacketizer->unit_time;
      unit->wall_us = depacketizer->unit_wall_us;
      depacketizer->counts.units++;
      depacketizer->output (unit, depacketizer->data);
    }
  }
  if (size > 0 || depacketizer->is_broken)
    depacketizer->has_parameter_set = depacketizer->has_recovery_point = FALSE;
  g_byte_array_set_size (depacketizer->assembly, 0);
  depacketizer->is_broken = depacketizer->is_key = FALSE;
}

void depacketizer_flush (Depacketizer *depacketizer)
{
  if (depacketizer->sets != NULL)
    depacketizer_end_unit (depacketizer);
}

/* RFC 3550 5.1. FALSE when the packet is no RTP of this track. */
static gboolean find_payload (const Depacketizer *depacketizer, const guint8 *packet, gsize size, gsize *start, gsize *end)
{
  if (size < 12 || packet[0] >> 6 != 2 || (packet[1] & 127) != depacketizer->payload_type)
    return FALSE;
  *start = 12 + 4 * (gsize) (packet[0] & 15);
  *end = size;
  if (packet[0] & 0x10) { /* extension */
    if (*start + 4 > size)
      return FALSE;
    *start += 4 + 4 * ((gsize) packet[*start + 2] << 8 | packet[*start + 3]);
  }
  if (packet[0] & 0x20) { /* padding */
    if (packet[size - 1] == 0 || packet[size - 1] > size)
      return FALSE;
    *end -= packet[size - 1];
  }
  return *start <= *end;
}

static gboolean is_late (const Depacketizer *depacketizer, guint16 sequence)
{
  return depacketizer->has_sequence && (guint16) (sequence - depacketizer->next_sequence) >= 65536 - LATE_PACKETS_MAX;
}

/* Ends the unit before when its time is over. A gap may have hit it or the one that begins here, and which can't be told:
 * both break. */
static void meet_packet (Depacketizer *depacketizer, guint16 sequence, guint32 timestamp)
{
  gboolean is_gap = depacketizer->has_sequence && sequence != depacketizer->next_sequence;
  gboolean is_new_time = depacketizer->has_sequence && timestamp != depacketizer->last_timestamp;
  gboolean is_assembling = depacketizer->assembly->len > 0 || depacketizer->is_broken;

  if (is_gap && is_assembling)
    depacketizer_break_unit (depacketizer);
  if (is_new_time && is_assembling && depacketizer->sets != NULL)
    depacketizer_end_unit (depacketizer);
  if (is_gap)
    depacketizer_break_unit (depacketizer);
  if (is_new_time)
    depacketizer->time += (gint32) (timestamp - depacketizer->last_timestamp);
  depacketizer->has_sequence = TRUE;
  depacketizer->next_sequence = (guint16) (sequence + 1);
  depacketizer->last_timestamp = timestamp;
}

void depacketizer_push (Depacketizer *depacketizer, const guint8 *packet, gsize size, gint64 wall_us)
{
  gsize start, end;
  if (!find_payload (depacketizer, packet, size, &start, &end)) {
    depacketizer->counts.malformed++;
    return;
  }
  guint16 sequence = (guint16) (packet[2] << 8 | packet[3]);
  if (is_late (depacketizer, sequence))
    return;
  meet_packet (depacketizer, sequence, (guint32) packet[4] << 24 | packet[5] << 16 | packet[6] << 8 | packet[7]);
  if (depacketizer->assembly->len == 0) {
    depacketizer->unit_time = depacketizer->time;
    depacketizer->unit_wall_us = wall_us;
  }
  depacketizer->wall_us = wall_us;
  if (end > start)
    depacketizer->take (depacketizer, packet + start, end - start, packet[1] >> 7);
}
