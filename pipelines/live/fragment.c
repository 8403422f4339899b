#include "pipelines/live/fragment.h"

#include <string.h>

#include "pipelines/live/init_segment.h"

/* sample_flags (8.8.3.1): a key depends on no other sample; any other does and is no sync sample */
enum { FLAGS_KEY = 0x02000000, FLAGS_OTHER = 0x01010000 };
enum { TFHD_DEFAULT_BASE_IS_MOOF = 0x020000, TRUN_ALL_FIELDS = 0x000f01, TFDT_TRUN_VERSION_1 = 0x01000000 };

gint64 access_unit_dts_us (const AccessUnit *unit)
{
  return unit->dts * G_USEC_PER_SEC / unit->format->time_scale;
}

gint64 access_unit_duration_us (const AccessUnit *unit)
{
  return (gint64) unit->duration * G_USEC_PER_SEC / unit->format->time_scale;
}

gint64 access_unit_pts_us (const AccessUnit *unit)
{
  return unit->pts * G_USEC_PER_SEC / unit->format->time_scale;
}

gint64 access_unit_dts_wall_us (const AccessUnit *unit)
{
  return unit->wall_us - (access_unit_pts_us (unit) - access_unit_dts_us (unit));
}

static void put_32 (GByteArray *out, guint32 value)
{
  guint32 big_endian = GUINT32_TO_BE (value);
  g_byte_array_append (out, (const guint8 *) &big_endian, 4);
}

static void put_64 (GByteArray *out, guint64 value)
{
  put_32 (out, (guint32) (value >> 32));
  put_32 (out, (guint32) value);
}

static void set_32 (GByteArray *out, gsize at, gsize value)
{
  guint32 big_endian = GUINT32_TO_BE ((guint32) value);
  memcpy (out->data + at, &big_endian, 4);
}

static gsize open_box (GByteArray *out, const char *type)
{
  gsize at = out->len;
  put_32 (out, 0);
  g_byte_array_append (out, (const guint8 *) type, 4);
  return at;
}

static void close_box (GByteArray *out, gsize at)
{
  set_32 (out, at, out->len - at);
}

static const AccessUnit *next_of_medium (const GPtrArray *units, guint *at, Medium medium)
{
  while (*at < units->len) {
    const AccessUnit *unit = units->pdata[(*at)++];
    if (unit->format->medium == medium)
      return unit;
  }
  return NULL;
}

static void put_samples (GByteArray *out, const GPtrArray *units, Medium medium)
{
  guint at = 0;
  const AccessUnit *unit = next_of_medium (units, &at, medium);
  while (unit != NULL) {
    const AccessUnit *next = next_of_medium (units, &at, medium);
    put_32 (out, next != NULL ? (guint32) CLAMP (next->dts - unit->dts, 0, G_MAXINT32) : unit->duration);
    put_32 (out, (guint32) unit->size);
    put_32 (out, unit->is_key ? FLAGS_KEY : FLAGS_OTHER);
    put_32 (out, (guint32) (gint32) (unit->pts - unit->dts));
    unit = next;
  }
}

/* Returns where the data offset of the trun stands, 0 when the medium has no samples here. */
static gsize put_track (GByteArray *out, const GPtrArray *units, Medium medium, gint64 zero_us, gsize *bytes)
{
  guint count = 0, at = 0;
  const AccessUnit *unit, *first = NULL;
  *bytes = 0;
  while ((unit = next_of_medium (units, &at, medium)) != NULL) {
    first = first != NULL ? first : unit;
    *bytes += unit->size;
    count++;
  }
  if (first == NULL)
    return 0;

  gint64 zero = zero_us * first->format->time_scale / G_USEC_PER_SEC;
  gsize traf = open_box (out, "traf");
  gsize box = open_box (out, "tfhd");
  put_32 (out, TFHD_DEFAULT_BASE_IS_MOOF);
  put_32 (out, medium == MEDIUM_VIDEO ? VIDEO_TRACK_ID : AUDIO_TRACK_ID);
  close_box (out, box);
  box = open_box (out, "tfdt");
  put_32 (out, TFDT_TRUN_VERSION_1);
  put_64 (out, (guint64) MAX (first->dts - zero, 0));
  close_box (out, box);
  box = open_box (out, "trun");
  put_32 (out, TFDT_TRUN_VERSION_1 | TRUN_ALL_FIELDS);
  put_32 (out, count);
  gsize data_offset = out->len;
  put_32 (out, 0);
  put_samples (out, units, medium);
  close_box (out, box);
  close_box (out, traf);
  return data_offset;
}

static void put_payload (GByteArray *out, const GPtrArray *units, Medium medium)
{
  guint at = 0;
  const AccessUnit *unit;
  while ((unit = next_of_medium (units, &at, medium)) != NULL)
    g_byte_array_append (out, unit->bytes, (guint) unit->size);
}

void fragment_append_head (GByteArray *out, guint32 sequence, const GPtrArray *units, gint64 zero_us)
{
  gsize video_bytes, audio_bytes;
  gsize moof = open_box (out, "moof");
  gsize box = open_box (out, "mfhd");
  put_32 (out, 0);
  put_32 (out, sequence);
  close_box (out, box);
  gsize video_offset = put_track (out, units, MEDIUM_VIDEO, zero_us, &video_bytes);
  gsize audio_offset = put_track (out, units, MEDIUM_AUDIO, zero_us, &audio_bytes);
  close_box (out, moof);
  gsize data = out->len - moof + 8;
  if (video_offset != 0)
    set_32 (out, video_offset, data);
  if (audio_offset != 0)
    set_32 (out, audio_offset, data + video_bytes);
  box = open_box (out, "mdat");
  set_32 (out, box, 8 + video_bytes + audio_bytes);
}

void fragment_append (GByteArray *out, guint32 sequence, const GPtrArray *units, gint64 zero_us)
{
  fragment_append_head (out, sequence, units, zero_us);
  put_payload (out, units, MEDIUM_VIDEO);
  put_payload (out, units, MEDIUM_AUDIO);
}
