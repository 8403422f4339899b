/* The index that is lost, broken, or behind the files. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipelines/live/fragment.h"
#include "pipelines/record/archive_private.h"
#include "pipelines/record/clip.h"
#include "pipelines/record/segment_name.h"
#include "pipelines/record/segment_reader.h"
#include "pipelines/record/segment_samples.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/record/recorded.h"

enum { WATCHDOG_US = 30 * G_USEC_PER_SEC };

static void record (const char *folder)
{
  Archive *archive = recorded_archive (folder, 2 * G_USEC_PER_SEC, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 4, 0, NULL);
  archive_pause (track, "unreachable");
  recorded_write (track, 4, 8, 10 * G_USEC_PER_SEC, NULL);
  recorded_archive_free (archive, track);
}

static void wait_until_whole (Archive *archive, const char *folder)
{
  gint64 until = g_get_monotonic_time () + WATCHDOG_US;
  gint64 is_rebuilding = TRUE;
  while (is_rebuilding && g_get_monotonic_time () < until) {
    archive_flush (archive);
    g_autoptr (RecordingsIndex) index = recordings_index_open (folder, DATABASE_READER, NULL);
    is_rebuilding = recordings_index_mark (index, "rebuilding");
  }
  assert_int_equal (is_rebuilding, FALSE);
}

static void remove_index (const char *folder)
{
  static const char *const names[] = { "recordings.db", "recordings.db-wal", "recordings.db-shm" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = g_build_filename (folder, names[i], NULL);
    (void) unlink (path);
  }
}

static void assert_same_rows (const GPtrArray *before, const GPtrArray *after)
{
  assert_int_equal (after->len, before->len);
  for (guint i = 0; i < before->len; i++) {
    const SegmentRow *one = before->pdata[i], *other = after->pdata[i];
    assert_string_equal (one->file, other->file);
    assert_int_equal (one->bytes, other->bytes);
    assert_in_range (ABS (one->from_us - other->from_us), 0, 1000);
    assert_in_range (ABS (one->to_us - other->to_us), 0, 2000);
  }
}

static void check_rebuilt_gap (const char *folder, json_t *before)
{
  json_t *after = recorded_list (folder, recorded_start_us - HOUR_US, recorded_start_us + HOUR_US);
  assert_int_equal (recorded_count (after, "spans"), recorded_count (before, "spans"));
  assert_int_equal (recorded_count (after, "gaps"), 1);
  assert_in_range (ABS (recorded_at (after, "gaps", 0, 0) - recorded_at (before, "gaps", 0, 0)), 0, 2000);
  assert_in_range (ABS (recorded_at (after, "gaps", 0, 1) - recorded_at (before, "gaps", 0, 1)), 0, 2000);
  assert_string_equal (
    json_string_value (json_array_get (json_array_get (json_object_get (after, "gaps"), 0), 2)), "index_rebuilt");
  json_decref (after);
}

static void an_index_that_is_lost_is_built_from_the_files (void **state)
{
  record (*state);
  g_autoptr (GPtrArray) before = recorded_rows (*state);
  json_t *list = recorded_list (*state, recorded_start_us - HOUR_US, recorded_start_us + HOUR_US);
  assert_int_equal (before->len, 4);
  remove_index (*state);
  g_autofree char *torn = g_build_filename (*state, ((SegmentRow *) before->pdata[3])->file, NULL);
  int fd = open (torn, O_WRONLY | O_APPEND);
  assert_int_equal (write (fd, "\0\0\2\0moof", 8), 8);
  close (fd);

  Told told = { 0 };
  Archive *archive = recorded_archive (*state, 2 * G_USEC_PER_SEC, &told);
  wait_until_whole (archive, *state);
  g_autoptr (GPtrArray) after = recorded_rows (*state);
  assert_same_rows (before, after);
  check_rebuilt_gap (*state, list);
  struct stat status;
  assert_int_equal (stat (torn, &status), 0);
  assert_int_equal (status.st_size, ((SegmentRow *) before->pdata[3])->bytes); /* without its torn tail */
  archive_free (archive);
  json_decref (list);
}

static guint kept_aside (const char *folder)
{
  guint count = 0;
  g_autoptr (GDir) names = g_dir_open (folder, 0, NULL);
  const char *name;
  while ((name = g_dir_read_name (names)) != NULL)
    count += g_str_has_prefix (name, "recordings.db.corrupt-") && g_str_has_suffix (name, "Z");
  return count;
}

static void an_index_that_is_broken_is_kept_and_built_anew_while_recording_goes_on (void **state)
{
  record (*state);
  g_autoptr (GPtrArray) before = recorded_rows (*state);
  remove_index (*state);
  g_autofree char *path = g_build_filename (*state, "recordings.db", NULL);
  g_autofree char *garbage = g_strnfill (8192, 'x');
  assert_true (g_file_set_contents (path, garbage, 8192, NULL));

  Archive *archive = recorded_archive (*state, 2 * G_USEC_PER_SEC, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 2, 60 * G_USEC_PER_SEC, NULL);
  wait_until_whole (archive, *state);
  assert_int_equal (kept_aside (*state), 1);
  g_autoptr (GPtrArray) after = recorded_rows (*state);
  assert_int_equal (after->len, before->len + 1);
  json_t *list = recorded_list (*state, recorded_start_us - HOUR_US, recorded_start_us + HOUR_US);
  assert_int_equal (recorded_count (list, "gaps"), 2); /* the second: until recording began again */
  assert_in_range (recorded_at (list, "gaps", 1, 1), recorded_start_us + 59 * G_USEC_PER_SEC,
                   recorded_start_us + 61 * G_USEC_PER_SEC);
  json_decref (list);
  recorded_archive_free (archive, track);
}

static void an_index_that_breaks_while_it_is_used_is_built_anew (void **state)
{
  Archive *archive = recorded_archive (*state, 2 * G_USEC_PER_SEC, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 4, 0, NULL);
  archive_flush (archive);
  g_autofree char *path = g_build_filename (*state, "recordings.db", NULL);
  Database *database = database_open (path, DATABASE_WRITER, NULL);
  assert_true (database_script (database, "DROP TABLE segments;", NULL));
  database_close (database);
  recorded_write (track, 4, 8, 0, NULL);
  gint64 until = g_get_monotonic_time () + WATCHDOG_US;
  while (kept_aside (*state) == 0 && g_get_monotonic_time () < until)
    g_thread_yield ();
  wait_until_whole (archive, *state);
  assert_int_equal (kept_aside (*state), 1);
  recorded_archive_free (archive, track);
  g_autoptr (GPtrArray) rows = recorded_rows (*state);
  assert_int_equal (rows->len, 4);
  json_t *list = recorded_list (*state, recorded_start_us - HOUR_US, recorded_start_us + HOUR_US);
  assert_int_equal (recorded_count (list, "spans"), 1);
  json_decref (list);
}

/* Eight fragments in one file; free with g_free. */
static char *record_one_file (const char *folder)
{
  Archive *archive = recorded_archive (folder, 60 * G_USEC_PER_SEC, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 8, 0, NULL);
  recorded_archive_free (archive, track);
  g_autoptr (GPtrArray) rows = recorded_rows (folder);
  assert_int_equal (rows->len, 1);
  return g_build_filename (folder, ((SegmentRow *) rows->pdata[0])->file, NULL);
}

/* Overwrites the head of the box `type` that is the `number`th of its kind. */
static void damage_box (const char *path, const char *type, guint number)
{
  g_autofree char *bytes = NULL;
  gsize size;
  assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  const char *at = bytes;
  for (guint i = 0; i < number; i++) {
    at = memmem (at + 1, size - (gsize) (at + 1 - bytes), type, 4);
    assert_non_null (at);
  }
  int fd = open (path, O_WRONLY);
  assert_int_equal (pwrite (fd, "damaged!", 8, at - 4 - bytes), 8);
  close (fd);
}

static guint fragments_played (const char *path, gint64 bytes)
{
  guint count = 0;
  g_autofree char *all = NULL;
  gsize size;
  assert_true (g_file_get_contents (path, &all, &size, NULL));
  assert_int_equal (size, bytes);
  g_autoptr (GBytes) file = g_bytes_new (all, size);
  g_autoptr (SegmentSamples) samples = segment_samples_new (recorded_read_memory, file, bytes);
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (SegmentSample));
  while (segment_samples_next (samples, found))
    count++;
  return count;
}

/* The third fragment is lost, nothing else. */
static void assert_only_the_damage_is_lost (const char *folder, const SegmentRow *before, const char *path)
{
  g_autoptr (GPtrArray) rows = recorded_rows (folder);
  assert_int_equal (rows->len, 1);
  const SegmentRow *row = rows->pdata[0];
  assert_int_equal (row->bytes, before->bytes);
  assert_in_range (ABS (row->to_us - before->to_us), 0, 2000);
  assert_int_equal (fragments_played (path, row->bytes), 7);
}

static void a_file_that_is_damaged_in_its_middle_keeps_what_is_behind (void **state)
{
  g_autofree char *path = record_one_file (*state);
  g_autoptr (GPtrArray) before = recorded_rows (*state);
  damage_box (path, "moof", 3);
  remove_index (*state);
  Archive *archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, NULL);
  wait_until_whole (archive, *state);
  archive_free (archive);
  assert_only_the_damage_is_lost (*state, before->pdata[0], path);

  g_autofree char *index = g_build_filename (*state, "recordings.db", NULL); /* as after a kill */
  Database *database = database_open (index, DATABASE_WRITER, NULL);
  assert_true (database_script (database, "UPDATE segments SET is_open = 1;", NULL));
  database_close (database);
  archive_free (recorded_archive (*state, 60 * G_USEC_PER_SEC, NULL));
  assert_only_the_damage_is_lost (*state, before->pdata[0], path);
}

static void pictures_and_clips_come_from_behind_the_damage_as_well (void **state)
{
  g_autofree char *path = record_one_file (*state), *clip = g_build_filename (*state, "clip.mp4", NULL);
  g_autoptr (GPtrArray) rows = recorded_rows (*state);
  const SegmentRow *row = rows->pdata[0];
  const char *codec = NULL;
  gint64 taken_us = 0;
  ClipResult result = { 0 };
  damage_box (path, "moof", 3);
  damage_box (path, "mdat", 5); /* its moof is whole, and says where nothing is */
  g_autoptr (GBytes) picture = segment_reader_key_near (*state, row, row->to_us - 500000, &codec, &taken_us, NULL);
  assert_non_null (picture);
  assert_in_range (taken_us, row->to_us - 1500000, row->to_us);
  int fd = open (clip, O_RDWR | O_CREAT, 0600);
  assert_true (clip_from_segments (fd, *state, rows, row->from_us, row->to_us, &result, NULL));
  assert_in_range (result.to_us, row->to_us - 200000, row->to_us);
  assert_in_range (result.from_us, row->from_us - 200000, row->from_us + 200000);
  close (fd);
}

static void a_file_without_a_whole_fragment_is_set_aside (void **state)
{
  g_autofree char *path = record_one_file (*state);
  g_autofree char *bytes = NULL, *kept = NULL, *folder = g_build_filename (*state, "recordings.broken", NULL);
  gsize size, kept_size;
  damage_box (path, "moov", 1);
  assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  remove_index (*state);
  Archive *archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, NULL);
  wait_until_whole (archive, *state);
  archive_free (archive);
  g_autoptr (GPtrArray) rows = recorded_rows (*state);
  assert_int_equal (rows->len, 0);
  g_autoptr (GDir) names = g_dir_open (folder, 0, NULL);
  assert_non_null (names);
  g_autofree char *aside = g_build_filename (folder, g_dir_read_name (names), NULL);
  assert_true (g_file_get_contents (aside, &kept, &kept_size, NULL));
  assert_int_equal (kept_size, size);
  assert_memory_equal (kept, bytes, size);
}

typedef struct {
  Archive *archive;
  FoundFile found;
} Late;

static void enter_late (gpointer data)
{
  Late *late = data;
  assert_true (archive_index_begin (late->archive) && archive_enter_file (late->archive, &late->found, NULL)
               && archive_index_commit (late->archive));
}

static void a_file_that_was_moved_since_it_was_looked_at_is_not_entered (void **state)
{
  Archive *archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, NULL);
  SegmentRow row = { 0, recorded_start_us, recorded_start_us + G_USEC_PER_SEC, 1000, (char *) "bridge", (char *) "main",
                     (char *) "recordings/bridge/main/20251125/203456-123.mp4" };
  Late late = { archive, { &row, (char *) "h264", 0, 1000 } };
  archive_call (archive, enter_late, &late);
  archive_flush (archive);
  archive_free (archive);
  g_autoptr (GPtrArray) rows = recorded_rows (*state);
  assert_int_equal (rows->len, 0);
}

/* The file is cut here, but its row is whole: as when it was looked at before the last seconds were written. */
static void a_file_that_grew_since_it_was_looked_at_is_followed_by_no_gap (void **state)
{
  g_autofree char *path = record_one_file (*state);
  g_autoptr (GPtrArray) rows = recorded_rows (*state);
  const SegmentRow *first = rows->pdata[0];
  SegmentRow next = { 0, first->to_us, first->to_us + G_USEC_PER_SEC, 1000, first->camera, first->stream,
                      (char *) "recordings/bridge/main/20251125/203456-123.mp4" };
  RecordingsIndex *index = recordings_index_open (*state, DATABASE_WRITER, NULL);
  assert_true (recordings_index_put (index, &next, "h264", FALSE, NULL)
               && recordings_index_set_mark (index, ARCHIVE_REBUILDING, TRUE, NULL));
  recordings_index_close (index);
  assert_int_equal (truncate (path, first->bytes / 2), 0);
  Archive *archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, NULL);
  wait_until_whole (archive, *state);
  archive_free (archive);
  json_t *list = recorded_list (*state, recorded_start_us - HOUR_US, recorded_start_us + HOUR_US);
  assert_int_equal (recorded_count (list, "spans"), 1);
  assert_int_equal (recorded_count (list, "gaps"), 0);
  json_decref (list);
}

/* The child is killed as soon as its first fragment is whole, most likely before the row is there. */
static void write_and_die (const char *folder)
{
  Archive *archive = recorded_archive (folder, 60 * G_USEC_PER_SEC, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  g_autofree char *name = segment_name_new ("bridge", "main", access_unit_dts_wall_us (recorded_units->pdata[0]), 0);
  g_autofree char *path = g_build_filename (folder, name, NULL);
  SegmentFacts facts = { 0 };
  alarm (WATCHDOG_US / G_USEC_PER_SEC);
  recorded_write (track, 0, 3, 0, NULL);
  while (!segment_walk_file (path, FALSE, &facts, NULL) || facts.fragments == 0)
    g_thread_yield ();
  kill (getpid (), SIGKILL);
}

static void a_file_without_a_row_is_found_after_a_kill (void **state)
{
  pid_t child = fork ();
  if (child == 0)
    write_and_die (*state);
  waitpid (child, NULL, 0);
  Archive *archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, NULL);
  assert_true (archive_predecessor_end_us (archive) > recorded_start_us + 500000);
  archive_free (archive);
  g_autoptr (GPtrArray) rows = recorded_rows (*state);
  assert_int_equal (rows->len, 1);
  g_autofree char *path = g_build_filename (*state, ((SegmentRow *) rows->pdata[0])->file, NULL);
  struct stat status;
  assert_int_equal (stat (path, &status), 0);
  assert_int_equal (status.st_size, ((SegmentRow *) rows->pdata[0])->bytes);
  assert_plays (path);
}

static void names_say_camera_stream_and_time (void **state)
{
  (void) state;
  SegmentName name;
  g_autofree char *one = segment_name_new ("a.b-C_9", "sub", 1764102896123456, 0);
  assert_string_equal (one, "recordings/a.b-C_9/sub/20251125/203456-123.mp4");
  assert_true (segment_name_parse (one, &name));
  assert_string_equal (name.camera, "a.b-C_9");
  assert_string_equal (name.stream, "sub");
  assert_int_equal (name.wall_us, 1764102896123000);
  g_autofree char *third = segment_name_new ("bridge", "main", 1764102896123456, 2);
  assert_true (segment_name_parse (third, &name));
  static const char *const foreign[] = {
    "recordings/bridge/main/20251125/203456-123.mp4.part", "recordings/bridge/main/20251325/203456-123.mp4",
    "recordings/bridge/main/20251125/253456-123.mp4",      "recordings/../main/20251125/203456-123.mp4",
    "recordings/bridge/third/20251125/203456-123.mp4",     "recordings/bridge/main/20251125/203456-12.mp4",
    "recordings/bridge/main/20251125/203456-123-.mp4",     "evidence/bridge/main/20251125/203456-123.mp4",
    "recordings/bridge/main/203456-123.mp4",               "",
  };
  for (guint i = 0; i < G_N_ELEMENTS (foreign); i++)
    assert_false (segment_name_parse (foreign[i], &name));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown (test, folder_setup, folder_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    IN_FOLDER (an_index_that_is_lost_is_built_from_the_files),
    IN_FOLDER (an_index_that_is_broken_is_kept_and_built_anew_while_recording_goes_on),
    IN_FOLDER (an_index_that_breaks_while_it_is_used_is_built_anew),
    IN_FOLDER (a_file_that_is_damaged_in_its_middle_keeps_what_is_behind),
    IN_FOLDER (pictures_and_clips_come_from_behind_the_damage_as_well),
    IN_FOLDER (a_file_without_a_whole_fragment_is_set_aside),
    IN_FOLDER (a_file_that_was_moved_since_it_was_looked_at_is_not_entered),
    IN_FOLDER (a_file_that_grew_since_it_was_looked_at_is_followed_by_no_gap),
    IN_FOLDER (a_file_without_a_row_is_found_after_a_kill),
    cmocka_unit_test (names_say_camera_stream_and_time),
  };
  return cmocka_run_group_tests (tests, recorded_set_up, recorded_tear_down);
}
