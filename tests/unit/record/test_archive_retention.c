/* What goes, what stays, and what is told of it; a file is a second long. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipelines/record/deletions.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/record/recorded.h"

typedef struct {
  Told told;
  Clock *clock;
  ArchiveSettings settings;
  Archive *archive;
  ArchiveTrack *track, *other;
} Fixture;

static void fixture_open (Fixture *fixture, const char *folder)
{
  *fixture = (Fixture){ .told.is_recording = TRUE, .clock = clock_fake_new (recorded_start_us + 60 * G_USEC_PER_SEC),
                        .settings = { G_USEC_PER_SEC, { .retain_us = DAY_US, .keep_at_least_us = 0 } } };
  fixture->settings.cameras = g_ptr_array_new_with_free_func ((GDestroyNotify) archive_camera_free);
  fixture->settings.holds = g_ptr_array_new_with_free_func ((GDestroyNotify) retention_hold_free);
  fixture->archive = archive_new (folder, &fixture->settings, fixture->clock, told_note, &fixture->told, NULL);
  fixture->track = archive_track_new (fixture->archive, "bridge", "main");
  fixture->other = archive_track_new (fixture->archive, "gate", "main");
  recorded_write (fixture->track, 0, 8, 0, NULL);
  recorded_write (fixture->other, 0, 8, 0, NULL);
  archive_pause (fixture->track, NULL);
  archive_pause (fixture->other, NULL);
  archive_flush (fixture->archive);
}

static void fixture_close (Fixture *fixture)
{
  archive_track_free (fixture->track, NULL);
  archive_track_free (fixture->other, NULL);
  archive_free (fixture->archive);
  clock_fake_free (fixture->clock);
  g_ptr_array_unref (fixture->settings.cameras);
  g_ptr_array_unref (fixture->settings.holds);
}

/* Both lists are the archive's once they are given to it. */
static void set_camera (Fixture *fixture, gint64 retain_us, gint64 keep_at_least_us, gint64 max_bytes)
{
  ArchiveCamera *camera = g_new (ArchiveCamera, 1);
  *camera = (ArchiveCamera){ g_strdup ("bridge"), retain_us, keep_at_least_us, max_bytes };
  g_ptr_array_unref (fixture->settings.cameras);
  fixture->settings.cameras = g_ptr_array_new_with_free_func ((GDestroyNotify) archive_camera_free);
  g_ptr_array_add (fixture->settings.cameras, camera);
  archive_set (fixture->archive, &fixture->settings);
}

static void set_hold (Fixture *fixture, gint64 from_us, gint64 to_us, gint64 until_us)
{
  g_ptr_array_unref (fixture->settings.holds);
  fixture->settings.holds = g_ptr_array_new_with_free_func ((GDestroyNotify) retention_hold_free);
  g_ptr_array_add (fixture->settings.holds, retention_hold_new ("bridge", from_us, to_us, until_us));
  archive_set (fixture->archive, &fixture->settings);
}

static guint rows_of (const char *folder, const char *camera)
{
  g_autoptr (RecordingsIndex) index = recordings_index_open (folder, DATABASE_READER, NULL);
  g_autoptr (GPtrArray) rows = recordings_index_find (index, camera, "main", 0, G_MAXINT64 / 2, 1000, NULL);
  return rows->len;
}

static json_t *deletions (const char *folder)
{
  g_autoptr (RecordingsIndex) index = recordings_index_open (folder, DATABASE_READER, NULL);
  json_t *list = deletions_list (index, "bridge", 0, G_MAXINT64 / 2, 0, NULL);
  assert_non_null (list);
  return list;
}

static const char *text_at (json_t *list, const char *name, guint entry, guint field)
{
  return json_string_value (json_array_get (json_array_get (json_object_get (list, name), entry), field));
}

static void a_camera_has_its_own_bytes_and_stops_alone (void **state)
{
  Fixture fixture;
  fixture_open (&fixture, *state);
  gint64 all = fixture.told.camera_bytes;
  set_camera (&fixture, -1, -1, all / 2);
  archive_flush (fixture.archive);
  assert_in_range (rows_of (*state, "bridge"), 2, 5);
  assert_int_equal (rows_of (*state, "gate"), 8);
  guint left = rows_of (*state, "bridge");

  json_t *gone = deletions (*state);
  assert_int_equal (recorded_count (gone, "deletions"), 1); /* what follows each other is one entry */
  assert_string_equal (text_at (gone, "deletions", 0, 1), "camera_bytes");
  assert_int_equal (recorded_at (gone, "deletions", 0, 4), 8 - left);
  json_decref (gone);
  json_t *list = recorded_list (*state, recorded_start_us - HOUR_US, recorded_start_us + HOUR_US);
  assert_int_equal (recorded_count (list, "gaps"), 1);
  assert_string_equal (text_at (list, "gaps", 0, 2), "deleted_camera_bytes");
  assert_int_equal (recorded_at (list, "gaps", 0, 1), recorded_at (list, "spans", 0, 0));
  json_decref (list);

  set_camera (&fixture, -1, HOUR_US, all / 8);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), left);
  assert_false (fixture.told.is_camera_recording);
  assert_string_equal (fixture.told.camera_reason, "keep_at_least");
  assert_true (fixture.told.is_recording);
  assert_in_range (fixture.told.deleted_bytes[RETENTION_CAMERA_BYTES], all / 4, all);
  recorded_write (fixture.track, 0, 2, HOUR_US / 2, NULL);
  recorded_write (fixture.other, 0, 2, HOUR_US / 2, NULL);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), left);
  assert_int_equal (rows_of (*state, "gate"), 10);

  set_camera (&fixture, -1, -1, 0);
  archive_flush (fixture.archive);
  assert_true (fixture.told.is_camera_recording);
  recorded_write (fixture.track, 0, 2, HOUR_US / 2, NULL);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), left + 2);
  fixture_close (&fixture);
}

static void a_camera_has_its_own_time (void **state)
{
  Fixture fixture;
  fixture_open (&fixture, *state);
  set_camera (&fixture, 2 * HOUR_US, 0, 0);
  clock_fake_advance (fixture.clock, 3 * HOUR_US);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), 0);
  assert_int_equal (rows_of (*state, "gate"), 8);
  json_t *gone = deletions (*state);
  assert_string_equal (text_at (gone, "deletions", 0, 1), "age");
  assert_int_equal (recorded_at (gone, "deletions", 0, 4), 8);
  json_decref (gone);
  fixture_close (&fixture);
}

static void what_is_held_stays_whatever_the_limits_say (void **state)
{
  Fixture fixture;
  fixture_open (&fixture, *state);
  gint64 from_us = recorded_start_us + 2500000, to_us = recorded_start_us + 4500000;
  set_hold (&fixture, from_us, to_us, 0);
  clock_fake_advance (fixture.clock, 2 * DAY_US);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "gate"), 0);
  g_autoptr (GPtrArray) held = recorded_rows (*state);
  assert_int_equal (held->len, 3); /* the seconds that touch it */
  assert_true (((SegmentRow *) held->pdata[0])->from_us <= from_us && ((SegmentRow *) held->pdata[2])->to_us >= to_us);
  json_t *gone = deletions (*state);
  assert_int_equal (recorded_count (gone, "deletions"), 2); /* before it and after it */
  json_decref (gone);

  fixture.settings.limits.max_bytes = 1;
  archive_set (fixture.archive, &fixture.settings);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), 3);
  assert_false (fixture.told.is_recording);
  assert_string_equal (fixture.told.reason, "legal_hold");

  fixture.settings.limits.max_bytes = 0;
  set_hold (&fixture, from_us, to_us, recorded_start_us + 3 * DAY_US); /* it ends in a day */
  archive_flush (fixture.archive);
  assert_true (fixture.told.is_recording);
  assert_int_equal (rows_of (*state, "bridge"), 3);
  clock_fake_advance (fixture.clock, DAY_US);
  archive_flush (fixture.archive);
  clock_fake_advance (fixture.clock, 61 * G_USEC_PER_SEC);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), 0);
  fixture_close (&fixture);
}

static void what_is_being_read_stays_until_it_is_read_and_not_for_ever (void **state)
{
  Fixture fixture;
  fixture_open (&fixture, *state);
  RecordingPins *pins = fixture.settings.pins = recording_pins_new (fixture.clock);
  RecordingPin *pin = recording_pin_new (pins, "bridge");
  recording_pin_move (pin, recorded_start_us + 2500000, recorded_start_us + 4500000);
  set_camera (&fixture, 55 * G_USEC_PER_SEC, 0, 0);
  clock_fake_advance (fixture.clock, 10 * G_USEC_PER_SEC);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), 3); /* the seconds that touch it */
  assert_int_equal (rows_of (*state, "gate"), 8);
  recording_pin_move (pin, recorded_start_us + 3500000, recorded_start_us + 4500000);
  clock_fake_advance (fixture.clock, RECORDING_PIN_LEASE_US - G_USEC_PER_SEC);
  archive_flush (fixture.archive); /* what was stepped over is looked at anew each minute */
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), 2);
  clock_fake_advance (fixture.clock, 61 * G_USEC_PER_SEC); /* it hangs */
  archive_flush (fixture.archive);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), 0);

  gint64 longest_us = 0;
  for (; longest_us < RECORDING_PIN_LONGEST_US; longest_us += RECORDING_PIN_LEASE_US / 2) { /* it never ends */
    recording_pin_move (pin, 0, G_USEC_PER_SEC);
    clock_fake_advance (fixture.clock, RECORDING_PIN_LEASE_US / 2);
  }
  recording_pin_move (pin, 0, G_USEC_PER_SEC);
  assert_int_equal (recording_pins_keep (pins, "bridge", 0, 1), -1);
  recording_pin_free (pin);
  fixture_close (&fixture);
  recording_pins_free (pins);
}

static void what_is_being_read_gives_way_where_recording_would_stop (void **state)
{
  Fixture fixture;
  fixture_open (&fixture, *state);
  RecordingPins *pins = fixture.settings.pins = recording_pins_new (fixture.clock);
  RecordingPin *pin = recording_pin_new (pins, "bridge");
  recording_pin_move (pin, recorded_start_us, recorded_start_us + 60 * G_USEC_PER_SEC);
  fixture.settings.limits.max_bytes = fixture.told.camera_bytes;
  archive_set (fixture.archive, &fixture.settings);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), 8); /* what nobody reads goes first */
  assert_int_equal (rows_of (*state, "gate"), 0);
  fixture.settings.limits.max_bytes = 1;
  archive_set (fixture.archive, &fixture.settings);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), 0);
  assert_true (fixture.told.is_recording);
  recording_pin_free (pin);
  fixture_close (&fixture);
  recording_pins_free (pins);
}

static void deletions_are_summed_up_by_day_and_camera (void **state)
{
  Fixture fixture;
  fixture_open (&fixture, *state);
  set_camera (&fixture, 2 * HOUR_US, 0, 0);
  clock_fake_advance (fixture.clock, 3 * HOUR_US);
  archive_flush (fixture.archive);
  clock_fake_advance (fixture.clock, 2 * DAY_US);
  archive_flush (fixture.archive);
  g_autoptr (RecordingsIndex) index = recordings_index_open (*state, DATABASE_READER, NULL);
  gint64 today = (recorded_start_us + 3 * HOUR_US + 60 * G_USEC_PER_SEC) / DAY_US;
  json_t *day = deletions_day (index, 0, today + 1, "", NULL);
  assert_int_equal (json_integer_value (json_object_get (day, "day")), today);
  assert_int_equal (recorded_count (day, "cameras"), 1);
  assert_string_equal (text_at (day, "cameras", 0, 0), "bridge");
  assert_string_equal (text_at (day, "cameras", 0, 1), "age");
  assert_int_equal (recorded_at (day, "cameras", 0, 4), 8);
  json_decref (day);
  day = deletions_day (index, today + 1, today + 3, "", NULL);
  assert_int_equal (json_integer_value (json_object_get (day, "day")), today + 2);
  assert_string_equal (text_at (day, "cameras", 0, 0), "gate");
  json_decref (day);
  day = deletions_day (index, today + 2, today + 3, "gate", NULL);
  assert_int_equal (recorded_count (day, "cameras"), 0);
  json_decref (day);
  day = deletions_day (index, today + 3, today + 9, "", NULL);
  assert_int_equal (json_integer_value (json_object_get (day, "day")), 0);
  json_decref (day);
  fixture_close (&fixture);
}

/* What was recorded under the wrong clock is the newest then, and must not pass for today. */
static void a_clock_that_jumped_deletes_nothing_in_bulk_after_a_restart_either (void **state)
{
  Fixture fixture;
  fixture_open (&fixture, *state);
  clock_fake_step_wall (fixture.clock, 400 * DAY_US);
  recorded_write (fixture.track, 0, 2, 400 * DAY_US, NULL);
  archive_pause (fixture.track, NULL);
  archive_flush (fixture.archive);
  archive_track_free (g_steal_pointer (&fixture.track), NULL);
  archive_track_free (g_steal_pointer (&fixture.other), NULL);
  archive_free (fixture.archive);
  fixture.archive = archive_new (*state, &fixture.settings, fixture.clock, NULL, NULL, NULL);
  clock_fake_advance (fixture.clock, HOUR_US);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), 10);
  assert_int_equal (rows_of (*state, "gate"), 8);
  clock_fake_advance (fixture.clock, DAY_US); /* counts twice, and both days are over */
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), 2);
  fixture_close (&fixture);
}

static void a_file_that_can_not_be_deleted_keeps_no_other (void **state)
{
  Fixture fixture;
  fixture_open (&fixture, *state);
  g_autoptr (GPtrArray) rows = recorded_rows (*state);
  g_autofree char *path = g_build_filename (*state, ((SegmentRow *) rows->pdata[0])->file, NULL);
  assert_int_equal (unlink (path), 0);
  assert_int_equal (mkdir (path, 0700), 0); /* which unlink refuses */
  clock_fake_advance (fixture.clock, 2 * DAY_US);
  archive_flush (fixture.archive);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), 1);
  assert_int_equal (rows_of (*state, "gate"), 0);
  assert_int_equal (rmdir (path), 0);
  clock_fake_advance (fixture.clock, 61 * G_USEC_PER_SEC);
  archive_flush (fixture.archive);
  archive_flush (fixture.archive);
  assert_int_equal (rows_of (*state, "bridge"), 0);
  fixture_close (&fixture);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown (test, folder_setup, folder_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    IN_FOLDER (a_camera_has_its_own_bytes_and_stops_alone),
    IN_FOLDER (a_camera_has_its_own_time),
    IN_FOLDER (what_is_held_stays_whatever_the_limits_say),
    IN_FOLDER (what_is_being_read_stays_until_it_is_read_and_not_for_ever),
    IN_FOLDER (what_is_being_read_gives_way_where_recording_would_stop),
    IN_FOLDER (deletions_are_summed_up_by_day_and_camera),
    IN_FOLDER (a_file_that_can_not_be_deleted_keeps_no_other),
    IN_FOLDER (a_clock_that_jumped_deletes_nothing_in_bulk_after_a_restart_either),
  };
  return cmocka_run_group_tests (tests, recorded_set_up, recorded_tear_down);
}
