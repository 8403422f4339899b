#include <string.h>

#include "pipelines/live/depacketizer.h"
#include "pipelines/playback/packetizer.h"
#include "tests/support/test.h"
#include "tests/unit/record/sample_stream.h"

typedef struct {
  Depacketizer *depacketizer;
  GPtrArray *units;
  guint packets;
  gsize largest;
  Codec codec;
} Way;

static void take_unit (AccessUnit *unit, gpointer data)
{
  g_ptr_array_add (((Way *) data)->units, unit);
}

static void take_packet (const guint8 *packet, gsize size, gpointer data)
{
  Way *way = data;
  way->packets++;
  way->largest = MAX (way->largest, size);
  gboolean is_h264_piece = way->codec == CODEC_H264 && (packet[12] & 31) == 28;
  gboolean is_h265_piece = way->codec == CODEC_H265 && (packet[12] >> 1 & 63) == 49;
  if (is_h264_piece || is_h265_piece) /* never the first piece and the last (RFC 6184 5.8, RFC 7798 4.4.3) */
    assert_int_not_equal (packet[is_h264_piece ? 13 : 14] & 0xc0, 0xc0);
  depacketizer_push (way->depacketizer, packet, size, 1);
}

static void way_open (Way *way, const Track *track)
{
  *way = (Way){ .units = g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref) };
  way->codec = track->codec;
  way->depacketizer = depacketizer_new (track, take_unit, way, NULL);
  assert_non_null (way->depacketizer);
}

static void way_close (Way *way)
{
  depacketizer_free (way->depacketizer);
  g_ptr_array_unref (way->units);
}

/* All units of one medium there and back: every byte is the same. */
static void go_there_and_back (const SampleStream *sample, guint track_index)
{
  g_autoptr (GPtrArray) all = sample_stream_units (sample);
  const Track *track = &sample->tracks->tracks[track_index];
  Way way;
  Packetizer packetizer = { .payload_type = track->payload_type, .sequence = 65530, .ssrc = 7 };
  way_open (&way, track);
  g_autoptr (GPtrArray) sent = g_ptr_array_new ();
  for (guint i = 0; i < all->len; i++) {
    const AccessUnit *unit = all->pdata[i];
    if (access_unit_is_video (unit) != (track_index == 0))
      continue;
    assert_true (packetizer_push (&packetizer, unit, (guint32) (unit->pts + 1000), take_packet, &way));
    g_ptr_array_add (sent, all->pdata[i]);
  }
  depacketizer_flush (way.depacketizer);
  assert_int_equal (way.units->len, sent->len);
  assert_true (way.largest <= 12 + PACKET_PAYLOAD_MAX);
  for (guint i = 0; i < sent->len; i++) {
    const AccessUnit *one = sent->pdata[i], *other = way.units->pdata[i];
    assert_int_equal (one->size, other->size);
    assert_memory_equal (one->bytes, other->bytes, one->size);
    assert_int_equal (one->is_key, other->is_key);
  }
  assert_int_equal (depacketizer_counts (way.depacketizer).broken, 0);
  way_close (&way);
}

static void coded_pictures_and_sound_come_back_as_they_were (void **state)
{
  (void) state;
  SampleStream *h264 = sample_stream_make ("libx264 -bf 2 -g 25", SAMPLE_AAC, 3, 0);
  SampleStream *h265 = sample_stream_make ("libx265 -x265-params log-level=none:keyint=25", SAMPLE_SILENT, 3, 0);
  go_there_and_back (h264, 0);
  go_there_and_back (h264, 1);
  go_there_and_back (h265, 0);
  sample_stream_free (h264);
  sample_stream_free (h265);
}

/* A slice NAL unit of `size` bytes; not a parameter set, not a delimiter. */
static void put_nal (guint8 *to, Codec codec, gboolean is_key, gsize size, GRand *random)
{
  guint32 big_endian = GUINT32_TO_BE ((guint32) size);
  memcpy (to, &big_endian, 4);
  for (gsize i = 0; i < size; i++)
    to[4 + i] = (guint8) g_rand_int (random);
  if (codec == CODEC_H264) {
    to[4] = is_key ? 0x65 : 0x41;
  } else {
    to[4] = is_key ? 19 << 1 : 1 << 1;
    to[5] = 1;
  }
}

static void any_sizes (Codec codec, const char *encoder, guint32 seed)
{
  SampleStream *sample = sample_stream_make (encoder, SAMPLE_SILENT, 1, 0);
  g_autoptr (GPtrArray) units = sample_stream_units (sample);
  MediaFormat *format = ((const AccessUnit *) units->pdata[0])->format;
  const Track *track = &sample->tracks->tracks[0];
  GRand *random = g_rand_new_with_seed (seed);
  Packetizer packetizer = { .payload_type = track->payload_type };
  Way way;
  way_open (&way, track);
  for (guint i = 0; i < 300; i++) {
    gsize sizes[6], count = (gsize) g_rand_int_range (random, 1, 7), whole = 0, at = 0;
    for (gsize j = 0; j < count; j++) {
      /* the smallest, the largest, around a packet's end, and anything */
      static const gint32 ends[] = { 20, PACKET_PAYLOAD_MAX - 5, PACKET_PAYLOAD_MAX + 6, 3 * PACKET_PAYLOAD_MAX, 200000 };
      gint32 most = ends[g_rand_int_range (random, 0, G_N_ELEMENTS (ends))];
      sizes[j] = (gsize) g_rand_int_range (random, most > 1000 && most < 2000 ? PACKET_PAYLOAD_MAX - 12 : 3, MAX (most, PACKET_PAYLOAD_MAX - 4));
      whole += 4 + sizes[j];
    }
    g_autoptr (AccessUnit) unit = access_unit_new (format, whole);
    unit->is_key = i % 5 == 0;
    for (gsize j = 0; j < count; at += 4 + sizes[j], j++)
      put_nal (unit->bytes + at, codec, unit->is_key, sizes[j], random);
    assert_true (packetizer_push (&packetizer, unit, i * 3600, take_packet, &way));
    assert_int_equal (way.units->len, i + 1);
    const AccessUnit *back = way.units->pdata[i];
    assert_int_equal (back->size, unit->size);
    assert_memory_equal (back->bytes, unit->bytes, unit->size);
    assert_int_equal (back->is_key, unit->is_key);
  }
  assert_true (way.largest <= 12 + PACKET_PAYLOAD_MAX);
  way_close (&way);
  g_rand_free (random);
  sample_stream_free (sample);
}

static void nal_units_of_any_size_come_back_as_they_were (void **state)
{
  (void) state;
  any_sizes (CODEC_H264, "libx264 -g 25", 1);
  any_sizes (CODEC_H265, "libx265 -x265-params log-level=none:keyint=25", 2);
}

static void a_unit_whose_lengths_lie_is_refused (void **state)
{
  (void) state;
  SampleStream *sample = sample_stream_make ("libx264 -g 25", SAMPLE_SILENT, 1, 0);
  g_autoptr (GPtrArray) units = sample_stream_units (sample);
  Packetizer packetizer = { .payload_type = 96 };
  Way way;
  way_open (&way, &sample->tracks->tracks[0]);
  AccessUnit *unit = units->pdata[0];
  unit->bytes[1] = 0xff;
  assert_false (packetizer_push (&packetizer, unit, 0, take_packet, &way));
  way_close (&way);
  sample_stream_free (sample);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (coded_pictures_and_sound_come_back_as_they_were),
    cmocka_unit_test (nal_units_of_any_size_come_back_as_they_were),
    cmocka_unit_test (a_unit_whose_lengths_lie_is_refused),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
