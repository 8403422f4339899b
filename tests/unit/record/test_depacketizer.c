#include <string.h>

#include "pipelines/live/depacketizer.h"
#include "tests/support/test.h"
#include "tests/unit/record/sample_stream.h"

static void collect (AccessUnit *unit, gpointer data)
{
  g_ptr_array_add (data, unit);
}

static GPtrArray *unit_array (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref);
}

/* Packets of one track, without the `lost`th (-1: none). */
static GPtrArray *depacketize (const SampleStream *stream, guint track, int lost, DepacketizerCounts *counts)
{
  GPtrArray *units = unit_array ();
  g_autoptr (Depacketizer) depacketizer = depacketizer_new (&stream->tracks->tracks[track], collect, units, NULL);
  int at = 0;
  assert_non_null (depacketizer);
  for (guint i = 0; i < stream->packets->len; i++) {
    const SamplePacket *packet = stream->packets->pdata[i];
    gsize size;
    const guint8 *bytes = g_bytes_get_data (packet->bytes, &size);
    if (packet->track == track && at++ != lost)
      depacketizer_push (depacketizer, bytes, size, packet->wall_us);
  }
  *counts = depacketizer_counts (depacketizer);
  return units;
}

static void check_codec (const char *encoder, const char *codec_string)
{
  SampleStream *stream = sample_stream_make (encoder, SAMPLE_SILENT, 2, 1000000);
  DepacketizerCounts counts;
  g_autoptr (GPtrArray) units = depacketize (stream, 0, -1, &counts);

  assert_int_equal (units->len, stream->video_units);
  assert_int_equal (counts.broken + counts.malformed + counts.waiting, 0);
  const AccessUnit *first = units->pdata[0];
  assert_true (first->is_key);
  assert_int_equal (first->format->width, 320);
  assert_int_equal (first->format->height, 240);
  assert_string_equal (first->format->codec_string, codec_string);
  for (guint i = 0; i < units->len; i++) {
    const AccessUnit *unit = units->pdata[i];
    assert_ptr_equal (unit->format, first->format);
    assert_int_equal (unit->is_key, i % 25 == 0);
    assert_int_equal (unit->pts - first->pts,
                      g_array_index (stream->video_pts, gint64, i) - g_array_index (stream->video_pts, gint64, 0));
    g_autoptr (GBytes) annex_b = access_unit_to_annex_b (unit);
    assert_non_null (annex_b);
  }
  sample_stream_free (stream);
}

static void every_h264_picture_comes_out_whole_with_its_time (void **state)
{
  (void) state;
  check_codec ("libx264 -profile:v high -level 4.0 -bf 2 -g 25", "avc1.640028");
}

static void every_h265_picture_comes_out_whole_with_its_time (void **state)
{
  (void) state;
  check_codec ("libx265 -x265-params keyint=25:min-keyint=25:open-gop=0:log-level=none:level-idc=3.0", "hvc1.1.6.L90.90");
}

static void aac_frames_come_out_with_their_times (void **state)
{
  (void) state;
  SampleStream *stream = sample_stream_make ("libx264 -g 25", SAMPLE_AAC, 2, 1000000);
  DepacketizerCounts counts;
  g_autoptr (GPtrArray) units = depacketize (stream, 1, -1, &counts);
  assert_int_equal (units->len, stream->audio_units);
  const AccessUnit *first = units->pdata[0], *second = units->pdata[1];
  assert_int_equal (second->pts - first->pts, 1024);
  assert_int_equal (first->duration, 1024);
  assert_string_equal (first->format->codec_string, "mp4a.40.2");
  assert_int_equal (first->format->sample_rate, 48000);
  sample_stream_free (stream);
}

static void each_lost_packet_costs_only_units_that_it_touched (void **state)
{
  (void) state;
  SampleStream *stream = sample_stream_make ("libx264 -g 25", SAMPLE_SILENT, 1, 1000000);
  for (int lost = 1; lost < (int) stream->packets->len - 1; lost++) {
    DepacketizerCounts counts, whole_counts;
    g_autoptr (GPtrArray) whole = depacketize (stream, 0, -1, &whole_counts);
    g_autoptr (GPtrArray) units = depacketize (stream, 0, lost, &counts);
    assert_in_range (counts.broken + counts.waiting, 1, 2 + (lost < 4 ? 25 : 0));
    for (guint i = 0, at = 0; i < units->len; i++, at++) { /* what came is byte for byte what was sent */
      const AccessUnit *unit = units->pdata[i], *original = whole->pdata[at];
      while (original->pts != unit->pts)
        original = whole->pdata[++at];
      assert_int_equal (unit->size, original->size);
      assert_memory_equal (unit->bytes, original->bytes, unit->size);
    }
  }
  sample_stream_free (stream);
}

static void packets_that_lie_or_are_cut_short_do_no_harm (void **state)
{
  (void) state;
  SampleStream *stream = sample_stream_make ("libx264 -g 25", SAMPLE_AAC, 1, 1000000);
  g_autoptr (GRand) random = g_rand_new_with_seed (7);
  for (guint track = 0; track < 2; track++) {
    g_autoptr (GPtrArray) units = unit_array ();
    g_autoptr (Depacketizer) depacketizer = depacketizer_new (&stream->tracks->tracks[track], collect, units, NULL);
    for (guint round = 0; round < 40; round++)
      for (guint i = 0; i < stream->packets->len; i++) {
        const SamplePacket *packet = stream->packets->pdata[i];
        gsize size;
        const guint8 *bytes = g_bytes_get_data (packet->bytes, &size);
        gsize kept = (gsize) g_rand_int_range (random, 0, (gint32) size + 1);
        g_autofree guint8 *copy = g_memdup2 (bytes, MAX (kept, 1)); /* exactly as long, so that ASan sees */
        for (guint change = 0; kept > 12 && change < 2; change++)
          copy[g_rand_int_range (random, 12, MIN ((gint32) kept, 20) + (kept > 12 ? 0 : 1))] ^= (guint8) g_rand_int (random);
        depacketizer_push (depacketizer, copy, kept, packet->wall_us);
      }
    assert_true (depacketizer_counts (depacketizer).malformed > 0);
    assert_true (depacketizer_counts (depacketizer).broken > 0);
  }
  sample_stream_free (stream);
}

static void an_aggregate_and_its_lying_twin (void **state)
{
  (void) state;
  Track track = { .medium = MEDIUM_VIDEO, .codec = CODEC_H264, .payload_type = 96, .clock_rate = 90000,
                  .format = (char *) "packetization-mode=1; sprop-parameter-sets=Z0LAHtkAoD2wEQAAAwABAAADADIPFi5I,aMuDyyA=" };
  g_autoptr (GPtrArray) units = unit_array ();
  g_autoptr (Depacketizer) depacketizer = depacketizer_new (&track, collect, units, NULL);
  guint8 whole[] = { 0x80, 0xe0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x18, 0, 2, 0x65, 1, 0, 3, 0x41, 2, 3 };
  guint8 lying[] = { 0x80, 0xe0, 0, 2, 0, 0, 9, 0, 0, 0, 0, 1, 0x18, 0, 2, 0x65, 1, 0, 9, 0x41, 2, 3 };
  assert_non_null (depacketizer_format (depacketizer)); /* from the SDP alone */
  depacketizer_push (depacketizer, whole, sizeof whole, 0);
  depacketizer_push (depacketizer, lying, sizeof lying, 0);
  assert_int_equal (units->len, 1);
  const AccessUnit *unit = units->pdata[0];
  assert_int_equal (unit->size, 4 + 2 + 4 + 3);
  assert_memory_equal (unit->bytes, "\0\0\0\2\x65\1\0\0\0\3\x41\2\3", unit->size);
  assert_int_equal (depacketizer_counts (depacketizer).broken, 1);
}

/* Some cameras send one IDR picture and never another. */
static void a_recovery_point_with_parameter_sets_is_a_key_picture (void **state)
{
  (void) state;
  Track track = { .medium = MEDIUM_VIDEO, .codec = CODEC_H264, .payload_type = 96, .clock_rate = 90000,
                  .format = (char *) "packetization-mode=1; sprop-parameter-sets=Z0LAHtkAoD2wEQAAAwABAAADADIPFi5I,aMuDyyA=" };
  g_autoptr (GPtrArray) units = unit_array ();
  g_autoptr (Depacketizer) depacketizer = depacketizer_new (&track, collect, units, NULL);
  static const char *const nals[] = { "\x68\xcb\x83\xcb\x20", "\x06\x06\x01\xc0\x80", "\x41\x9a\x02", "\x41\x9a\x03",
                                      "\x06\x06\x01\xc0\x80", "\x41\x9a\x04" };
  static const guint8 times[] = { 1, 1, 1, 2, 3, 3 };
  for (guint8 i = 0; i < G_N_ELEMENTS (nals); i++) {
    guint8 packet[32] = { 0x80, i == 2 || i == 3 || i == 5 ? 0xe0 : 0x60, 0, i, 0, 0, 0, times[i] };
    memcpy (packet + 12, nals[i], strlen (nals[i]));
    depacketizer_push (depacketizer, packet, 12 + strlen (nals[i]), 0);
  }
  assert_int_equal (units->len, 3);
  assert_true (((const AccessUnit *) units->pdata[0])->is_key);
  assert_false (((const AccessUnit *) units->pdata[1])->is_key);
  assert_false (((const AccessUnit *) units->pdata[2])->is_key); /* a point alone: who begins here has no parameter sets */
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (every_h264_picture_comes_out_whole_with_its_time),
    cmocka_unit_test (every_h265_picture_comes_out_whole_with_its_time),
    cmocka_unit_test (aac_frames_come_out_with_their_times),
    cmocka_unit_test (each_lost_packet_costs_only_units_that_it_touched),
    cmocka_unit_test (packets_that_lie_or_are_cut_short_do_no_harm),
    cmocka_unit_test (an_aggregate_and_its_lying_twin),
    cmocka_unit_test (a_recovery_point_with_parameter_sets_is_a_key_picture),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
