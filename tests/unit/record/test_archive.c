#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipelines/live/fragment.h"
#include "pipelines/record/archive.h"
#include "pipelines/record/clip.h"
#include "pipelines/record/recordings_index.h"
#include "pipelines/record/segment_name.h"
#include "pipelines/record/segment_reader.h"
#include "pipelines/record/segment_walk.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/record/recorded.h"

static void files_are_cut_at_key_frames_and_play (void **state)
{
  Archive *archive = recorded_archive (*state, 2 * G_USEC_PER_SEC, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 8, 0, NULL);
  archive_flush (archive);
  g_autoptr (GPtrArray) found = recorded_rows (*state);
  assert_int_equal (found->len, 4);
  guint pictures = 0;
  for (guint i = 0; i < found->len; i++) {
    const SegmentRow *row = found->pdata[i];
    g_autofree char *path = g_build_filename (*state, row->file, NULL);
    assert_plays (path);
    FileFacts facts = file_facts (path);
    assert_in_range (facts.first_us, 0, 130000); /* its own zero, but for pictures that are reordered */
    assert_true (facts.audio > 80);
    pictures += facts.video;
    file_facts_clear (&facts);
  }
  assert_int_equal (pictures, 200);
  json_t *result = recorded_list (*state, recorded_start_us - HOUR_US, recorded_start_us + HOUR_US);
  assert_int_equal (recorded_count (result, "spans"), 1);
  assert_int_equal (recorded_count (result, "gaps"), 0);
  assert_in_range (recorded_at (result, "spans", 0, 1) - recorded_at (result, "spans", 0, 0), 7900000, 8100000);
  json_decref (result);
  recorded_archive_free (archive, track);
}

static void a_camera_that_was_away_leaves_a_gap_with_its_reason (void **state)
{
  Archive *archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 4, 0, NULL);
  archive_pause (track, "unreachable");
  archive_flush (archive);
  json_t *result = recorded_list (*state, recorded_start_us - HOUR_US, recorded_start_us + HOUR_US);
  assert_int_equal (recorded_count (result, "gaps"), 1); /* it lasts until now */
  assert_int_equal (recorded_at (result, "gaps", 0, 1), recorded_start_us + HOUR_US);
  json_decref (result);

  recorded_write (track, 4, 8, 10 * G_USEC_PER_SEC, NULL);
  archive_flush (archive);
  result = recorded_list (*state, recorded_start_us - HOUR_US, recorded_start_us + HOUR_US);
  assert_int_equal (recorded_count (result, "spans"), 2);
  assert_int_equal (recorded_count (result, "gaps"), 1);
  assert_in_range (recorded_at (result, "gaps", 0, 1) - recorded_at (result, "gaps", 0, 0), 9800000, 10200000);
  assert_string_equal (json_string_value (json_array_get (json_array_get (json_object_get (result, "gaps"), 0), 2)),
                       "unreachable");
  json_decref (result);
  recorded_archive_free (archive, track);
}

/* The child is the process that is killed. */
static void record_and_die (const char *folder)
{
  Archive *archive = recorded_archive (folder, 60 * G_USEC_PER_SEC, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 3, 0, NULL);
  archive_flush (archive);
  kill (getpid (), SIGKILL);
}

static void after_sigkill_the_torn_tail_goes_and_the_gap_has_its_reason (void **state)
{
  pid_t child = fork ();
  int status;
  if (child == 0)
    record_and_die (*state);
  waitpid (child, &status, 0);
  assert_true (WIFSIGNALED (status));
  g_autoptr (GPtrArray) before = recorded_rows (*state);
  const SegmentRow *torn = before->pdata[0];
  g_autofree char *path = g_build_filename (*state, torn->file, NULL);
  g_autofree char *whole = NULL;
  gsize size;
  assert_true (g_file_get_contents (path, &whole, &size, NULL));
  int fd = open (path, O_WRONLY | O_APPEND); /* half of a fragment, as a kill in the middle of a write leaves it */
  assert_int_equal (write (fd, whole + size / 3, size / 4), size / 4);
  (void) !write (fd, "\0\0\2\0moof", 8);
  close (fd);

  Archive *archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, NULL);
  assert_in_range (archive_predecessor_end_us (archive), recorded_start_us + 2900000, recorded_start_us + 3200000);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 5, 8, 0, NULL);
  archive_flush (archive);
  assert_plays (path);
  FileFacts facts = file_facts (path);
  assert_int_equal (facts.video, 75);
  file_facts_clear (&facts);
  json_t *result = recorded_list (*state, recorded_start_us - HOUR_US, recorded_start_us + HOUR_US);
  assert_int_equal (recorded_count (result, "spans"), 2);
  assert_int_equal (recorded_count (result, "gaps"), 1);
  assert_in_range (recorded_at (result, "gaps", 0, 1) - recorded_at (result, "gaps", 0, 0), 1800000, 2200000);
  assert_string_equal (json_string_value (json_array_get (json_array_get (json_object_get (result, "gaps"), 0), 2)),
                       "media_restart");
  json_decref (result);
  recorded_archive_free (archive, track);
}

/* A link is refused as it is opened, whoever runs the test; a full table of files or a bad cable come and go like it. */
static void a_file_that_can_not_be_opened_is_kept_and_repaired_later (void **state)
{
  pid_t child = fork ();
  if (child == 0)
    record_and_die (*state);
  waitpid (child, NULL, 0);
  g_autoptr (GPtrArray) before = recorded_rows (*state);
  const SegmentRow *torn = before->pdata[0];
  g_autofree char *path = g_build_filename (*state, torn->file, NULL);
  g_autofree char *away = g_build_filename (*state, "away.mp4", NULL);
  assert_int_equal (rename (path, away), 0);
  assert_int_equal (symlink (away, path), 0);

  Archive *archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, NULL);
  assert_non_null (archive);
  archive_free (archive);
  g_autoptr (GPtrArray) kept = recorded_rows (*state);
  assert_int_equal (kept->len, 1);
  assert_true (g_file_test (path, G_FILE_TEST_IS_SYMLINK));

  assert_int_equal (rename (away, path), 0);
  archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, NULL);
  archive_free (archive);
  g_autoptr (RecordingsIndex) index = recordings_index_open (*state, DATABASE_READER, NULL);
  g_autoptr (GPtrArray) open_rows = recordings_index_open_rows (index, NULL);
  assert_int_equal (open_rows->len, 0);
  g_autoptr (GPtrArray) after = recorded_rows (*state);
  assert_int_equal (after->len, 1);
  assert_plays (path);
}

/* The first report moves a file by up to five seconds; the process was killed before the row was there. */
static void a_file_that_was_moved_to_before_what_is_known_is_found (void **state)
{
  ArchiveSettings settings = recorded_settings (60 * G_USEC_PER_SEC);
  Archive *archive = archive_new (*state, &settings, clock_system (), NULL, NULL, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 8, 0, NULL);
  archive_track_free (track, NULL);
  archive_free (archive);
  g_autoptr (GPtrArray) known = recorded_rows (*state);
  const SegmentRow *row = known->pdata[0];
  g_autofree char *moved = segment_name_new ("bridge", "main", row->to_us - 4 * G_USEC_PER_SEC, 0);
  g_autofree char *from = g_build_filename (*state, row->file, NULL), *to = g_build_filename (*state, moved, NULL), *bytes = NULL;
  gsize size;
  assert_true (g_file_get_contents (from, &bytes, &size, NULL) && g_file_set_contents (to, bytes, (gssize) size, NULL));
  archive = archive_new (*state, &settings, clock_system (), NULL, NULL, NULL);
  g_autoptr (GPtrArray) found = recorded_rows (*state);
  assert_int_equal (known->len, 1);
  assert_int_equal (found->len, 2);
  archive_free (archive);
}

static void a_file_that_is_gone_leaves_the_index (void **state)
{
  pid_t child = fork ();
  if (child == 0)
    record_and_die (*state);
  waitpid (child, NULL, 0);
  g_autoptr (GPtrArray) before = recorded_rows (*state);
  g_autofree char *path = g_build_filename (*state, ((SegmentRow *) before->pdata[0])->file, NULL);
  assert_int_equal (unlink (path), 0);
  Archive *archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, NULL);
  archive_free (archive);
  g_autoptr (GPtrArray) after = recorded_rows (*state);
  assert_int_equal (after->len, 0);
}

static void cut_at_any_byte_every_whole_fragment_is_found (void **state)
{
  Archive *archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 3, 0, NULL);
  archive_flush (archive);
  recorded_archive_free (archive, track);
  g_autoptr (GPtrArray) found = recorded_rows (*state);
  g_autofree char *path = g_build_filename (*state, ((SegmentRow *) found->pdata[0])->file, NULL);
  g_autofree char *bytes = NULL;
  gsize size;
  assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  g_autoptr (GBytes) file = g_bytes_new (bytes, size);
  guint last = 0;
  for (gsize cut = 0; cut <= size; cut += cut + 200 < size ? 97 : 1) {
    SegmentFacts facts = segment_walk (recorded_read_memory, file, (gint64) cut);
    assert_true (facts.good_bytes <= (gint64) cut);
    assert_true (facts.fragments >= last);
    assert_int_equal (facts.duration_us / 100000, facts.fragments * 10);
    last = facts.fragments;
  }
  assert_int_equal (last, 3);
}

static void space_takes_the_oldest_but_never_what_must_be_kept (void **state)
{
  Told told = { 0 };
  Clock *clock = clock_fake_new (recorded_start_us + 60 * G_USEC_PER_SEC);
  ArchiveSettings settings = { G_USEC_PER_SEC, { .retain_us = DAY_US, .keep_at_least_us = 0 } };
  Archive *archive = archive_new (*state, &settings, clock, told_note, &told, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 8, 0, NULL);
  archive_flush (archive);
  g_autoptr (GPtrArray) all = recorded_rows (*state);
  assert_int_equal (all->len, 8);
  const SegmentRow *first = all->pdata[0], *last = all->pdata[7];
  settings.limits.max_bytes = 4 * first->bytes;
  archive_set (archive, &settings);
  archive_flush (archive);
  g_autoptr (GPtrArray) fewer = recorded_rows (*state);
  assert_in_range (fewer->len, 2, 5);
  assert_int_equal (((SegmentRow *) fewer->pdata[fewer->len - 1])->id, last->id);
  g_autofree char *gone = g_build_filename (*state, first->file, NULL);
  assert_false (g_file_test (gone, G_FILE_TEST_EXISTS));

  settings.limits.max_bytes = first->bytes;
  settings.limits.keep_at_least_us = HOUR_US;
  archive_set (archive, &settings);
  archive_flush (archive);
  g_autoptr (GPtrArray) same = recorded_rows (*state);
  assert_int_equal (same->len, fewer->len);
  assert_int_equal (told.changes, 1);
  assert_false (told.is_recording);
  assert_string_equal (told.reason, "keep_at_least");

  clock_fake_advance (clock, 2 * HOUR_US); /* old enough to go */
  archive_flush (archive);
  assert_true (told.is_recording);
  recorded_write (track, 0, 1, 3 * HOUR_US, NULL);
  archive_flush (archive);
  json_t *result = recorded_list (*state, recorded_start_us, recorded_start_us + 4 * HOUR_US);
  assert_int_equal (recorded_count (result, "gaps"), 2);
  json_t *gaps = json_object_get (result, "gaps");
  assert_string_equal (json_string_value (json_array_get (json_array_get (gaps, 0), 2)), "deleted_total_bytes");
  assert_string_equal (json_string_value (json_array_get (json_array_get (gaps, 1), 2)), "keep_at_least");
  json_decref (result);
  recorded_archive_free (archive, track);
  clock_fake_free (clock);
}

static gint64 bytes_of (const char *folder)
{
  g_autoptr (RecordingsIndex) index = recordings_index_open (folder, DATABASE_READER, NULL);
  return recordings_index_bytes (index);
}

static void run_on_index (const char *folder, const char *sql)
{
  g_autofree char *path = g_build_filename (folder, "recordings.db", NULL);
  g_autoptr (Database) database = database_open (path, DATABASE_WRITER, NULL);
  assert_true (database_script (database, sql, NULL));
}

/* SQLite undoes the whole transaction when the disk is full in its middle: the trigger does the same. */
static void rows_that_can_not_be_removed_go_on_counting (void **state)
{
  Told told = { 0 };
  Clock *clock = clock_fake_new (recorded_start_us + 60 * G_USEC_PER_SEC);
  ArchiveSettings settings = { G_USEC_PER_SEC, { .retain_us = DAY_US, .keep_at_least_us = 0 } };
  Archive *archive = archive_new (*state, &settings, clock, told_note, &told, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 8, 0, NULL);
  archive_pause (track, "unreachable");
  archive_flush (archive);
  gint64 all_bytes = bytes_of (*state);
  run_on_index (*state, "CREATE TRIGGER full BEFORE DELETE ON segments WHEN old.id = 2"
                        " BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END;");
  settings.limits.max_bytes = all_bytes / 2;
  archive_set (archive, &settings);
  for (guint i = 0; i < 5; i++) {
    clock_fake_advance (clock, 61 * G_USEC_PER_SEC);
    archive_flush (archive);
    assert_int_equal (told.bytes, all_bytes);
  }
  run_on_index (*state, "DROP TRIGGER full;");
  clock_fake_advance (clock, 61 * G_USEC_PER_SEC);
  archive_flush (archive);
  assert_int_equal (told.bytes, bytes_of (*state));
  assert_in_range (told.bytes, all_bytes / 4, all_bytes / 2);
  recorded_archive_free (archive, track);
  clock_fake_free (clock);
}

/* libavformat doubles a video clock below 10 kHz, which is then not the fragments' any more: no file can hold it. */
static void a_camera_that_no_file_can_hold_stops_no_other (void **state)
{
  Told told = { 0 };
  Archive *archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, &told);
  ArchiveTrack *odd = archive_track_new (archive, "odd", "main"), *track = archive_track_new (archive, "bridge", "main");
  const AccessUnit *key = recorded_units->pdata[0];
  g_autoptr (MediaFormat) format = media_format_new_video (CODEC_H264, 8000, g_bytes_ref (key->format->header),
                                                           g_strdup (key->format->codec_string), 320, 240, 0);
  AccessUnit *copy = access_unit_new (format, key->size);
  memcpy (copy->bytes, key->bytes, key->size);
  copy->is_key = TRUE;
  copy->wall_us = key->wall_us;
  GPtrArray *batch = g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref);
  g_ptr_array_add (batch, copy);
  assert_true (archive_write (odd, batch, FALSE, NULL));
  recorded_write (track, 0, 8, 0, NULL);
  archive_flush (archive);
  assert_string_equal (told.reason, "");
  g_autoptr (GPtrArray) found = recorded_rows (*state);
  assert_int_equal (found->len, 1);
  archive_track_free (odd, NULL);
  recorded_archive_free (archive, track);
}

static void a_clock_that_jumps_forward_deletes_nothing_in_bulk (void **state)
{
  Clock *clock = clock_fake_new (recorded_start_us + 60 * G_USEC_PER_SEC);
  ArchiveSettings settings = { G_USEC_PER_SEC, { .retain_us = DAY_US } };
  Archive *archive = archive_new (*state, &settings, clock, NULL, NULL, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 8, 0, NULL);
  archive_flush (archive);
  clock_fake_step_wall (clock, 4000 * DAY_US);
  archive_flush (archive);
  clock_fake_advance (clock, 2 * HOUR_US);
  archive_flush (archive);
  g_autoptr (GPtrArray) all = recorded_rows (*state);
  assert_int_equal (all->len, 8);
  clock_fake_step_wall (clock, -4000 * DAY_US);
  clock_fake_advance (clock, 2 * DAY_US); /* a day old by the true clock */
  archive_flush (archive);
  g_autoptr (GPtrArray) left = recorded_rows (*state);
  assert_true (left->len <= 1); /* the file that is written */
  recorded_archive_free (archive, track);
  clock_fake_free (clock);
}

/* A time server's mistake, or a battery that is dead at the start: else nothing would ever be old enough to go, and the
 * disk would fill up with what must be kept. */
static void a_clock_that_was_behind_for_a_while_ages_on_from_where_it_was (void **state)
{
  Clock *clock = clock_fake_new (recorded_start_us + 60 * G_USEC_PER_SEC);
  ArchiveSettings settings = { G_USEC_PER_SEC, { .retain_us = DAY_US } };
  Archive *archive = archive_new (*state, &settings, clock, NULL, NULL, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 8, 0, NULL);
  archive_flush (archive);
  clock_fake_step_wall (clock, -4000 * DAY_US);
  archive_flush (archive);
  clock_fake_step_wall (clock, 4000 * DAY_US);
  clock_fake_advance (clock, 2 * DAY_US);
  archive_flush (archive);
  g_autoptr (GPtrArray) left = recorded_rows (*state);
  assert_true (left->len <= 1); /* the file that is written */
  recorded_archive_free (archive, track);
  clock_fake_free (clock);
}

static int empty_file (const char *folder, const char *name, char **path)
{
  *path = g_build_filename (folder, name, NULL);
  return open (*path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static void check_clip (const char *path, const ClipResult *result, gint64 from_us, gint64 to_us)
{
  g_autofree char *bytes = NULL;
  gsize size;
  assert_true (result->from_us <= from_us);
  assert_in_range (from_us - result->from_us, 0, 1200000);
  assert_in_range (result->to_us, to_us - 100000, to_us);
  assert_plays (path);
  FileFacts facts = file_facts (path);
  assert_in_range (facts.duration_us, result->to_us - result->from_us - 200000, result->to_us - result->from_us + 300000);
  assert_true (facts.audio > 0);
  assert_in_range (facts.video, (result->to_us - result->from_us) / 40000 - 3, (result->to_us - result->from_us) / 40000 + 3);
  file_facts_clear (&facts);
  assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  assert_int_equal (size, result->bytes);
  g_autofree char *sum = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (guchar *) bytes, size);
  assert_string_equal (sum, result->sha256);
  assert_non_null (memmem (bytes, 100, "moov", 4)); /* the index is in front */
}

static void a_clip_joins_files_from_the_key_frame_at_or_before_its_begin (void **state)
{
  Archive *archive = recorded_archive (*state, 2 * G_USEC_PER_SEC, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 8, 0, NULL);
  archive_flush (archive);
  ClipResult result;
  g_autofree char *path = NULL;
  int fd = empty_file (*state, "clip.mp4", &path);
  g_autoptr (GPtrArray) found = recorded_rows (*state);
  gint64 from_us = recorded_start_us + 1600000, to_us = recorded_start_us + 6300000;
  assert_true (clip_from_segments (fd, *state, found, from_us, to_us, &result, NULL));
  check_clip (path, &result, from_us, to_us);

  g_autoptr (GError) error = NULL;
  assert_false (clip_from_segments (fd, *state, found, recorded_start_us + HOUR_US, recorded_start_us + HOUR_US + 1, &result, &error)
                && result.bytes > 0 && result.to_us > recorded_start_us + HOUR_US);
  close (fd);
  recorded_archive_free (archive, track);
}

static void a_clip_from_memory_is_the_same (void **state)
{
  ClipResult result;
  g_autofree char *path = NULL;
  int fd = empty_file (*state, "clip.mp4", &path);
  gint64 from_us = recorded_start_us + 2500000, to_us = recorded_start_us + 5000000;
  assert_true (clip_from_units (fd, recorded_units, from_us, to_us, &result, NULL));
  check_clip (path, &result, from_us, to_us);
  g_autoptr (GPtrArray) nothing = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;
  assert_false (clip_from_units (fd, nothing, from_us, to_us, &result, &error));
  assert_non_null (error);
  close (fd);
}

static void a_recorded_picture_is_found_by_its_time (void **state)
{
  Archive *archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 8, 0, NULL);
  archive_flush (archive);
  g_autoptr (GPtrArray) found = recorded_rows (*state);
  const char *codec = NULL;
  gint64 taken_us = 0;
  g_autoptr (GBytes) picture = segment_reader_key_near (*state, found->pdata[0], recorded_start_us + 4100000, &codec, &taken_us, NULL);
  assert_non_null (picture);
  assert_string_equal (codec, "h264");
  assert_in_range (taken_us, recorded_start_us + 3800000, recorded_start_us + 4300000);
  const guint8 *bytes = g_bytes_get_data (picture, NULL);
  assert_memory_equal (bytes, "\0\0\0\1\x67", 5); /* parameter sets first */
  recorded_archive_free (archive, track);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown (test, folder_setup, folder_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    IN_FOLDER (files_are_cut_at_key_frames_and_play),
    IN_FOLDER (a_camera_that_was_away_leaves_a_gap_with_its_reason),
    IN_FOLDER (after_sigkill_the_torn_tail_goes_and_the_gap_has_its_reason),
    IN_FOLDER (a_file_that_can_not_be_opened_is_kept_and_repaired_later),
    IN_FOLDER (a_file_that_was_moved_to_before_what_is_known_is_found),
    IN_FOLDER (a_file_that_is_gone_leaves_the_index),
    IN_FOLDER (cut_at_any_byte_every_whole_fragment_is_found),
    IN_FOLDER (space_takes_the_oldest_but_never_what_must_be_kept),
    IN_FOLDER (rows_that_can_not_be_removed_go_on_counting),
    IN_FOLDER (a_camera_that_no_file_can_hold_stops_no_other),
    IN_FOLDER (a_clock_that_jumps_forward_deletes_nothing_in_bulk),
    IN_FOLDER (a_clock_that_was_behind_for_a_while_ages_on_from_where_it_was),
    IN_FOLDER (a_clip_joins_files_from_the_key_frame_at_or_before_its_begin),
    IN_FOLDER (a_clip_from_memory_is_the_same),
    IN_FOLDER (a_recorded_picture_is_found_by_its_time),
  };
  return cmocka_run_group_tests (tests, recorded_set_up, recorded_tear_down);
}
