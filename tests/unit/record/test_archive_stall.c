#include <unistd.h>

#include "pipelines/record/archive.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/record/recorded.h"

enum { WATCHDOG_S = 60, MIB = 1024 * 1024 };

/* A disk that hangs: the archive's thread waits in a task until it is let go. */
typedef struct {
  GMutex mutex;
  GCond changed;
  gboolean hangs, is_let_go;
  gint calls;
} Disk;

static void hang (gpointer data)
{
  Disk *disk = data;
  g_mutex_lock (&disk->mutex);
  disk->hangs = TRUE;
  g_cond_broadcast (&disk->changed);
  while (!disk->is_let_go)
    g_cond_wait (&disk->changed, &disk->mutex);
  g_mutex_unlock (&disk->mutex);
}

static void hang_disk (Archive *archive, Disk *disk)
{
  archive_call (archive, hang, disk);
  g_mutex_lock (&disk->mutex);
  while (!disk->hangs)
    g_cond_wait (&disk->changed, &disk->mutex);
  g_mutex_unlock (&disk->mutex);
}

static void let_go (Disk *disk)
{
  g_mutex_lock (&disk->mutex);
  disk->is_let_go = TRUE;
  g_cond_broadcast (&disk->changed);
  g_mutex_unlock (&disk->mutex);
}

static void count_call (gpointer data)
{
  ((Disk *) data)->calls++;
}

static GPtrArray *second_of (guint second)
{
  GPtrArray *batch = g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref);
  guint keys = 0;
  for (guint i = 0; i < recorded_units->len; i++) {
    AccessUnit *unit = recorded_units->pdata[i];
    keys += access_unit_is_video (unit) && unit->is_key;
    if (keys == second + 1)
      g_ptr_array_add (batch, access_unit_ref (unit));
  }
  return batch;
}

/* A loop that had to wait here would stop all of its cameras. */
static void whatever_waits_for_the_disk_controls_are_taken_at_once_and_none_is_lost (void **state)
{
  ArchiveSettings settings = recorded_settings (60 * G_USEC_PER_SEC);
  Archive *archive = archive_new (*state, &settings, clock_system (), NULL, NULL, NULL);
  Disk disk = { 0 };
  hang_disk (archive, &disk);
  alarm (WATCHDOG_S);
  for (gint i = 0; i < 2 * ARCHIVE_QUEUE_ITEMS; i++)
    archive_call (archive, count_call, &disk);
  alarm (0);
  let_go (&disk);
  archive_flush (archive);
  assert_int_equal (disk.calls, 2 * ARCHIVE_QUEUE_ITEMS);
  archive_free (archive);
}

static void a_disk_that_stalls_for_longer_than_memory_lasts_costs_a_gap_with_its_reason (void **state)
{
  ArchiveSettings settings = recorded_settings (60 * G_USEC_PER_SEC);
  settings.queue_bytes = 1; /* one batch always fits */
  Told told = { 0 };
  Clock *clock = clock_fake_new (g_get_real_time ());
  Archive *archive = archive_new (*state, &settings, clock, told_note, &told, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  Disk disk = { 0 };
  recorded_write (track, 0, 1, 0, NULL);
  archive_flush (archive);
  hang_disk (archive, &disk);
  assert_true (archive_write (track, second_of (1), FALSE, NULL));
  g_autoptr (GPtrArray) refused = second_of (2);
  assert_false (archive_write (track, refused, FALSE, NULL));
  let_go (&disk);
  archive_flush (archive);
  assert_true (archive_write (track, second_of (4), TRUE, "slow_disk"));
  archive_flush (archive);
  json_t *result = recorded_list (*state, recorded_start_us - HOUR_US, recorded_start_us + HOUR_US);
  assert_int_equal (recorded_count (result, "spans"), 2);
  assert_int_equal (recorded_count (result, "gaps"), 1);
  assert_in_range (recorded_at (result, "gaps", 0, 1) - recorded_at (result, "gaps", 0, 0), 1800000, 2200000);
  assert_string_equal (json_string_value (json_array_get (json_array_get (json_object_get (result, "gaps"), 0), 2)),
                       "slow_disk");
  json_decref (result);
  clock_fake_advance (clock, HOUR_US); /* it is told now and then */
  archive_flush (archive);
  assert_int_equal (told.gaps, 1);
  archive_track_free (track, NULL);
  archive_free (archive);
  clock_fake_free (clock);
}

static void what_may_wait_is_an_eighth_of_the_memory_within_bounds (void **state)
{
  (void) state;
  assert_int_equal (archive_queue_bytes (G_GUINT64_CONSTANT (2048) * MIB), 256 * MIB); /* 200 cameras of 2 Mb/s for 5 s */
  assert_int_equal (archive_queue_bytes (G_GUINT64_CONSTANT (65536) * MIB), 512 * MIB);
  assert_int_equal (archive_queue_bytes (G_GUINT64_CONSTANT (400) * MIB), 64 * MIB);
  assert_int_equal (archive_queue_bytes (G_GUINT64_CONSTANT (128) * MIB), 32 * MIB);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown (test, folder_setup, folder_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    IN_FOLDER (whatever_waits_for_the_disk_controls_are_taken_at_once_and_none_is_lost),
    IN_FOLDER (a_disk_that_stalls_for_longer_than_memory_lasts_costs_a_gap_with_its_reason),
    cmocka_unit_test (what_may_wait_is_an_eighth_of_the_memory_within_bounds),
  };
  return cmocka_run_group_tests (tests, recorded_set_up, recorded_tear_down);
}
