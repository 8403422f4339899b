/* A row never says more of a file than what is on disk; fdatasync and the index's commit are listened to by the linker. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/core/error.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/record/recorded.h"

int __real_fdatasync (int fd);
int __wrap_fdatasync (int fd);
gboolean __real_recordings_index_commit (RecordingsIndex *index, GError **error);
gboolean __wrap_recordings_index_commit (RecordingsIndex *index, GError **error);

gboolean __real_recordings_index_put (RecordingsIndex *index, SegmentRow *row, const char *tracks, gboolean is_open, GError **error);
gboolean __wrap_recordings_index_put (RecordingsIndex *index, SegmentRow *row, const char *tracks, gboolean is_open, GError **error);

static GMutex mutex;
static const char *folder;
static GHashTable *synced; /* inode → bytes that are on disk */
static gint fails_sync, fails_put, commits, violations; /* atomic */

int __wrap_fdatasync (int fd)
{
  struct stat status;
  if (g_atomic_int_get (&fails_sync)) {
    errno = EIO;
    return -1;
  }
  if (fstat (fd, &status) != 0 || __real_fdatasync (fd) != 0)
    return -1;
  g_mutex_lock (&mutex);
  g_hash_table_insert (synced, GSIZE_TO_POINTER (status.st_ino), GSIZE_TO_POINTER (status.st_size));
  g_mutex_unlock (&mutex);
  return 0;
}

gboolean __wrap_recordings_index_put (RecordingsIndex *index, SegmentRow *row, const char *tracks, gboolean is_open, GError **error)
{
  if (!g_atomic_int_get (&fails_put))
    return __real_recordings_index_put (index, row, tracks, is_open, error);
  error_set (error, ERROR_RETRY, "the disk is full");
  return FALSE;
}

static void check_row (const SegmentRow *row)
{
  struct stat status;
  g_autofree char *path = g_build_filename (folder, row->file, NULL);
  gint64 bytes = stat (path, &status) == 0 ? (gint64) GPOINTER_TO_SIZE (g_hash_table_lookup (synced, GSIZE_TO_POINTER (status.st_ino)))
                                           : 0;
  if (row->bytes > bytes)
    g_atomic_int_inc (&violations);
}

gboolean __wrap_recordings_index_commit (RecordingsIndex *index, GError **error)
{
  if (!__real_recordings_index_commit (index, error))
    return FALSE;
  g_autoptr (GPtrArray) rows = recordings_index_find (index, "bridge", "main", 0, G_MAXINT64 / 2, 1000, NULL);
  g_atomic_int_inc (&commits);
  g_mutex_lock (&mutex);
  for (guint i = 0; i < rows->len; i++)
    check_row (rows->pdata[i]);
  g_mutex_unlock (&mutex);
  return TRUE;
}

static void files_are_on_disk_before_their_rows_are (void **state)
{
  folder = *state;
  Archive *archive = recorded_archive (folder, 2 * G_USEC_PER_SEC, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  for (guint second = 0; second < 8; second++) {
    recorded_write (track, second, second + 1, 0, NULL);
    archive_flush (archive);
  }
  recorded_archive_free (archive, track);
  assert_in_range (g_atomic_int_get (&commits), 8, 200);
  assert_int_equal (g_atomic_int_get (&violations), 0);
  g_autoptr (GPtrArray) rows = recorded_rows (folder);
  assert_int_equal (rows->len, 4);
}

static void what_can_not_be_synced_is_not_claimed_and_stops_recording (void **state)
{
  folder = *state;
  Told told = { 0 };
  Clock *clock = clock_fake_new (recorded_start_us + 60 * G_USEC_PER_SEC);
  ArchiveSettings settings = recorded_settings (60 * G_USEC_PER_SEC);
  Archive *archive = archive_new (folder, &settings, clock, told_note, &told, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  recorded_write (track, 0, 2, 0, NULL);
  archive_flush (archive);
  g_atomic_int_set (&fails_sync, TRUE);
  recorded_write (track, 2, 4, 0, NULL);
  archive_flush (archive);
  assert_false (told.is_recording);
  assert_string_equal (told.reason, "write_error");
  g_atomic_int_set (&fails_sync, FALSE);
  clock_fake_advance (clock, 11 * G_USEC_PER_SEC);
  archive_flush (archive);
  assert_true (told.is_recording);
  recorded_write (track, 4, 8, 20 * G_USEC_PER_SEC, NULL);
  recorded_archive_free (archive, track);
  clock_fake_free (clock);
  assert_int_equal (g_atomic_int_get (&violations), 0);
  json_t *list = recorded_list (folder, recorded_start_us, recorded_start_us + HOUR_US);
  assert_int_equal (recorded_count (list, "spans"), 2);
  json_decref (list);
  g_autoptr (RecordingsIndex) index = recordings_index_open (folder, DATABASE_READER, NULL);
  g_autoptr (GPtrArray) open = recordings_index_open_rows (index, NULL);
  assert_int_equal (open->len, 1); /* the next start looks at what is there: a sync that succeeds later proves nothing */
}

static void a_row_that_could_not_be_entered_comes_later (void **state)
{
  folder = *state;
  Archive *archive = recorded_archive (folder, 2 * G_USEC_PER_SEC, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  g_atomic_int_set (&fails_put, TRUE);
  recorded_write (track, 0, 6, 0, NULL);
  archive_flush (archive);
  g_atomic_int_set (&fails_put, FALSE);
  archive_flush (archive);
  g_autoptr (GPtrArray) rows = recorded_rows (folder);
  assert_int_equal (rows->len, 3);
  recorded_archive_free (archive, track);
}

static int set_up (void **state)
{
  synced = g_hash_table_new (NULL, NULL);
  return recorded_set_up (state);
}

static int tear_down (void **state)
{
  g_hash_table_unref (synced);
  return recorded_tear_down (state);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown (test, folder_setup, folder_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    IN_FOLDER (files_are_on_disk_before_their_rows_are),
    IN_FOLDER (a_row_that_could_not_be_entered_comes_later),
    IN_FOLDER (what_can_not_be_synced_is_not_claimed_and_stops_recording),
  };
  return cmocka_run_group_tests (tests, set_up, tear_down);
}
