/* A camera of which it is known when each picture was captured, from its packets to files, clips and pictures. */
#include <string.h>

#include "pipelines/live/assembler.h"
#include "pipelines/live/fragment.h"
#include "pipelines/record/archive.h"
#include "pipelines/record/clip.h"
#include "pipelines/record/recorder.h"
#include "pipelines/record/recordings_index.h"
#include "pipelines/record/segment_reader.h"
#include "pipelines/rtp/big_endian.h"
#include "pipelines/rtp/camera_times.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/record/sample_stream.h"

enum { ENCODING_US = 300000, RIGHT_US = 100000, REPORTS_US = 2000000, SECONDS = 10 };
static const gint64 hours_ahead_us = G_GINT64_CONSTANT (8) * 3600 * G_USEC_PER_SEC; /* local time, sent as UTC */

static SampleStream *sample; /* a key picture each second, with B-frames and sound */
static gint64 start_us;      /* when its first picture was captured */

typedef struct {
  gboolean sends_reports;
  Loop *loop;
  Stream *stream;
  CameraTimes times;
  Archive *archive;
  AssemblerSink sink;
  GRand *random;
  gint64 arrival_us, next_report_us;
  guint32 last_timestamps[2];
  gint64 last_captured_us[2];
  guint pictures, sounds;
  gint64 worst_apart_us, sound_apart_us, picture_apart_us; /* of sound and picture, from the timeline to the capture */
} Bench;

/* The report is of the moment `now_us`, whatever was captured last. */
static void send_report (Bench *bench, guint track, gint64 now_us)
{
  const Track *track_of = &sample->tracks->tracks[track];
  gint64 passed_us = now_us - bench->last_captured_us[track];
  SenderReport report = { ntp_from_wall_us (now_us + hours_ahead_us),
                          bench->last_timestamps[track] + (guint32) (passed_us * track_of->clock_rate / G_USEC_PER_SEC), 1,
                          track_of->clock_rate };
  guint8 bytes[SENDER_REPORT_BYTES];
  gint64 arrival_us = now_us + g_rand_int_range (bench->random, 2000, 90000);
  sender_report_write (&report, report.timestamp, bytes);
  assert_true (camera_times_rtcp (&bench->times, track, bytes, sizeof bytes, arrival_us, arrival_us));
}

static void send_packet (Bench *bench, const SamplePacket *packet)
{
  gsize size;
  const guint8 *bytes = g_bytes_get_data (packet->bytes, &size);
  Block *block = block_new (loop_blocks (bench->loop));
  memcpy (block->bytes, (guint8[]){ '$', (guint8) (2 * packet->track), (guint8) (size >> 8), (guint8) size }, 4);
  memcpy (block->bytes + 4, bytes, size);
  gint64 late_us = (packet->track == 0 ? ENCODING_US : 40000) + g_rand_int_range (bench->random, 0, 120000);
  bench->arrival_us = MAX (bench->arrival_us, packet->wall_us + late_us);
  if (packet->wall_us > bench->last_captured_us[packet->track]) {
    bench->last_captured_us[packet->track] = packet->wall_us;
    bench->last_timestamps[packet->track] = read_32 (bytes + 4);
  }
  camera_times_packet (&bench->times, packet->track, block->bytes + 4, bench->arrival_us, bench->arrival_us);
  Unit unit = { .block = block, .size = 4 + (guint32) size, .packets = 1, .is_random_access = packet->is_key,
                .ends_access_unit = packet->has_marker && packet->track == 0, .wall_us = bench->arrival_us };
  stream_publish (bench->stream, &unit);
  block_unref (block);
}

static void look_at_unit (AssemblerSink *sink, AccessUnit *unit)
{
  Bench *bench = (Bench *) ((char *) sink - G_STRUCT_OFFSET (Bench, sink));
  gboolean is_picture = access_unit_is_video (unit);
  gint64 apart_us = unit->wall_us - access_unit_pts_us (unit);
  *(is_picture ? &bench->picture_apart_us : &bench->sound_apart_us) = apart_us;
  bench->pictures += is_picture;
  bench->sounds += !is_picture;
  if (bench->pictures > 5 * 25 && bench->sounds > 0)
    bench->worst_apart_us = MAX (bench->worst_apart_us, ABS (bench->picture_apart_us - bench->sound_apart_us));
}

static void ignore_end (AssemblerSink *sink, const char *reason)
{
  (void) sink, (void) reason;
}

/* thread: the loop's. */
static void film (gpointer data)
{
  Bench *bench = data;
  bench->stream = bench->times.stream = stream_new (bench->loop, "bridge", "main");
  bench->sink = (AssemblerSink){ .unit = look_at_unit, .ended = ignore_end };
  Assembler *assembler = assembler_new (bench->stream);
  Recorder *recorder = recorder_new (assembler, bench->archive);
  camera_times_set_tracks (&bench->times, sample->tracks);
  recorder_set (recorder, RECORDING_CONTINUOUS, 0, FALSE);
  assembler_add_sink (assembler, &bench->sink);
  stream_begin (bench->stream, track_list_copy (sample->tracks));
  bench->next_report_us = start_us + REPORTS_US;
  for (guint i = 0; i < sample->packets->len; i++) {
    const SamplePacket *packet = sample->packets->pdata[i];
    if (bench->sends_reports && packet->wall_us >= bench->next_report_us) {
      send_report (bench, 0, packet->wall_us);
      send_report (bench, 1, packet->wall_us);
      bench->next_report_us += REPORTS_US;
    }
    send_packet (bench, packet);
  }
  assembler_remove_sink (assembler, &bench->sink);
  recorder_free (recorder, NULL);
  assembler_free (assembler);
  stream_free (bench->stream);
}

static Bench film_to (const char *folder, gboolean sends_reports)
{
  ArchiveSettings settings = { .segment_us = 4 * G_USEC_PER_SEC,
                               .limits = { .retain_us = G_MAXINT64 / 4, .keep_at_least_us = G_MAXINT64 / 4 } };
  Bench bench = { .sends_reports = sends_reports, .loop = loop_new (NULL), .random = g_rand_new_with_seed (5) };
  bench.archive = archive_new (folder, &settings, clock_system (), NULL, NULL, NULL);
  assert_non_null (bench.archive);
  loop_call (bench.loop, film, &bench);
  archive_free (bench.archive);
  loop_free (bench.loop);
  g_rand_free (bench.random);
  return bench;
}

static GPtrArray *rows_in (const char *folder)
{
  g_autoptr (RecordingsIndex) index = recordings_index_open (folder, DATABASE_READER, NULL);
  GPtrArray *rows = recordings_index_find (index, "bridge", "main", 0, G_MAXINT64 / 2, 100, NULL);
  assert_true (rows->len >= 2);
  return rows;
}

static void assert_near (gint64 us, gint64 truth_us)
{
  if (ABS (us - truth_us) > RIGHT_US)
    fail_msg ("%" G_GINT64_FORMAT " us off", us - truth_us);
}

static void files_say_when_their_pictures_were_captured (void **state)
{
  (void) state;
  g_autofree char *folder = folder_make_temporary ();
  film_to (folder, TRUE);
  g_autoptr (GPtrArray) rows = rows_in (folder);
  const SegmentRow *first = rows->pdata[0], *last = rows->pdata[rows->len - 1];
  assert_near (first->from_us, start_us);
  assert_near (last->to_us, start_us + SECONDS * G_USEC_PER_SEC);
  for (guint i = 1; i < rows->len; i++) {
    const SegmentRow *row = rows->pdata[i];
    gint64 second = (row->from_us - start_us + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC;
    assert_near (row->from_us, start_us + second * G_USEC_PER_SEC);
  }
  folder_drop (g_steal_pointer (&folder));
}

static void a_picture_of_a_moment_was_captured_then (void **state)
{
  (void) state;
  g_autofree char *folder = folder_make_temporary ();
  film_to (folder, TRUE);
  g_autoptr (GPtrArray) rows = rows_in (folder);
  for (guint i = 0; i < rows->len; i++) {
    const SegmentRow *row = rows->pdata[i];
    const char *codec;
    gint64 wanted_us = (row->from_us + row->to_us) / 2, taken_at_us = 0;
    g_autoptr (GBytes) picture = segment_reader_key_near (folder, row, wanted_us, &codec, &taken_at_us, NULL);
    assert_non_null (picture);
    gint64 second = (taken_at_us - start_us + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC;
    assert_near (taken_at_us, start_us + second * G_USEC_PER_SEC); /* a key picture was captured each second */
  }
  folder_drop (g_steal_pointer (&folder));
}

static void sound_lies_to_the_picture_as_it_was_captured (void **state)
{
  (void) state;
  g_autofree char *folder = folder_make_temporary ();
  Bench bench = film_to (folder, TRUE);
  assert_in_range (bench.worst_apart_us, 0, RIGHT_US);
  assert_true (bench.sounds > 0);
  folder_drop (g_steal_pointer (&folder));
}

static void without_reports_the_time_is_that_of_arrival (void **state)
{
  (void) state;
  g_autofree char *folder = folder_make_temporary ();
  film_to (folder, FALSE);
  g_autoptr (GPtrArray) rows = rows_in (folder);
  const SegmentRow *first = rows->pdata[0];
  assert_in_range (first->from_us - start_us, ENCODING_US - 80000, ENCODING_US + 200000);
  folder_drop (g_steal_pointer (&folder));
}

static int make_sample (void **state)
{
  (void) state;
  start_us = G_GINT64_CONSTANT (1777000000) * G_USEC_PER_SEC;
  sample = sample_stream_make ("libx264 -bf 2 -g 25 -x264-params scenecut=0", SAMPLE_AAC, SECONDS, start_us);
  return 0;
}

static int free_sample (void **state)
{
  (void) state;
  sample_stream_free (sample);
  return 0;
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (files_say_when_their_pictures_were_captured),
    cmocka_unit_test (a_picture_of_a_moment_was_captured_then),
    cmocka_unit_test (sound_lies_to_the_picture_as_it_was_captured),
    cmocka_unit_test (without_reports_the_time_is_that_of_arrival),
  };
  return cmocka_run_group_tests (tests, make_sample, free_sample);
}
