/* A disk that is really full: files and index on it. */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/small_disk.h"
#include "tests/support/test.h"
#include "tests/unit/record/recorded.h"

static void check_files (const char *folder)
{
  g_autoptr (GPtrArray) rows = recorded_rows (folder);
  for (guint i = 0; i < rows->len; i++) {
    const SegmentRow *row = rows->pdata[i];
    struct stat status;
    g_autofree char *path = g_build_filename (folder, row->file, NULL);
    assert_int_equal (stat (path, &status), 0);
    assert_int_equal (status.st_size, row->bytes);
    assert_plays (path);
  }
}

static void a_full_disk_stops_recording_and_room_lets_it_go_on (void **state)
{
  if (!small_disk_mount (*state, 40))
    skip ();
  Told told = { 0 };
  Archive *archive = recorded_archive (*state, 60 * G_USEC_PER_SEC, &told);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 3, 0, NULL);
  archive_flush (archive);

  g_autofree char *filler = small_disk_fill (*state, "filler");
  recorded_write (track, 3, 8, 0, NULL);
  for (guint i = 0; i < 3; i++)
    archive_flush (archive); /* the index can't be written either */
  assert_false (told.is_recording);
  assert_string_equal (told.reason, "disk_full");

  assert_int_equal (unlink (filler), 0);
  archive_flush (archive);
  assert_true (told.is_recording);
  recorded_write (track, 0, 4, 20 * G_USEC_PER_SEC, NULL);
  recorded_archive_free (archive, track);
  check_files (*state);
  json_t *list = recorded_list (*state, recorded_start_us - HOUR_US, recorded_start_us + HOUR_US);
  assert_int_equal (recorded_count (list, "spans"), 2);
  assert_int_equal (recorded_count (list, "gaps"), 1);
  json_t *gap = json_array_get (json_object_get (list, "gaps"), 0);
  assert_string_equal (json_string_value (json_array_get (gap, 2)), "disk_full");
  assert_in_range (recorded_at (list, "gaps", 0, 0) - recorded_start_us, 2500000, 8200000);
  assert_in_range (recorded_at (list, "gaps", 0, 1) - recorded_start_us, 19000000, 21000000);
  json_decref (list);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_full_disk_stops_recording_and_room_lets_it_go_on, small_disk_setup, small_disk_teardown),
  };
  return cmocka_run_group_tests (tests, recorded_set_up, recorded_tear_down);
}
