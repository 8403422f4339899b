#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "pipelines/playback/export_plan.h"
#include "pipelines/record/recordings_index.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/playback/recordings.h"

#define SECOND G_TIME_SPAN_SECOND

static ExportPlan *make_plan (const char *folder, gint64 from_us, gint64 to_us, GError **error)
{
  return export_plan_new (folder, "bridge", "main", from_us, to_us, EXPORT_INDEX_BYTES_MAX, NULL, error);
}

typedef struct {
  ExportPlan *plan;
  ExportClient client;
  gboolean is_good;
  GError *error;
} Writer;

static gpointer write_plan (gpointer data)
{
  Writer *writer = data;
  writer->is_good = export_plan_write (writer->plan, &writer->client, &writer->error);
  close (writer->client.pipe_fd);
  return NULL;
}

/* The writer's end of it is `writer`'s. Returns the reader's. */
static int open_pipe (Writer *writer)
{
  int pipe_fds[2];
  assert_int_equal (pipe2 (pipe_fds, O_CLOEXEC), 0);
  assert_int_equal (fcntl (pipe_fds[1], F_SETFL, O_NONBLOCK), 0);
  writer->client.pipe_fd = pipe_fds[1];
  writer->client.cancel_fd = eventfd (0, EFD_CLOEXEC);
  return pipe_fds[0];
}

/* Through a pipe, as the gateway does; returns the file's path. */
static char *export_to_file (const char *folder, ExportPlan *plan)
{
  char *path = g_build_filename (folder, "export.mp4", NULL);
  int file_fd = open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  Writer writer = { .plan = plan };
  int pipe_fd = open_pipe (&writer);
  guint8 bytes[4096];
  gssize size;
  GThread *thread = g_thread_new ("writer", write_plan, &writer);
  while ((size = read (pipe_fd, bytes, sizeof bytes)) > 0)
    assert_int_equal (write (file_fd, bytes, (gsize) size), size);
  g_thread_join (thread);
  assert_true (writer.is_good);
  assert_int_equal (lseek (file_fd, 0, SEEK_END), export_plan_bytes (plan));
  assert_int_equal (export_plan_sent_bytes (plan), export_plan_bytes (plan));
  close (pipe_fd);
  close (file_fd);
  close (writer.client.cancel_fd);
  return path;
}

static const ExportSpan *span (const ExportPlan *plan, guint index)
{
  assert_true (index < export_plan_spans (plan)->len);
  return &g_array_index (export_plan_spans (plan), ExportSpan, index);
}

static void an_export_holds_what_was_recorded_with_its_index_in_front (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 3 * SECOND);
  g_autoptr (ExportPlan) plan = make_plan (*state, recordings_start_us, recordings_start_us + 20 * SECOND, NULL);
  assert_non_null (plan);
  g_autofree char *path = export_to_file (*state, plan);
  assert_plays (path);
  FileFacts facts = file_facts (path);
  assert_int_equal (facts.video, 200);
  assert_int_equal (facts.keys, 8);
  assert_in_range (facts.audio, 8 * 16000 / 1024 - 3, 8 * 48000 / 1024 + 3);
  assert_in_range (facts.duration_us, 7950000, 8150000);
  for (guint i = 1; i < facts.video_pts_us->len; i++) /* joined exactly where one file ends */
    assert_in_range (g_array_index (facts.video_pts_us, gint64, i) - g_array_index (facts.video_pts_us, gint64, i - 1), 39900,
                     40100);
  file_facts_clear (&facts);
  g_autofree char *bytes = NULL;
  gsize size;
  assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  const char *moov = memmem (bytes, size, "moov", 4);
  assert_non_null (moov);
  assert_true (moov - bytes < 64);
  assert_int_equal (export_plan_spans (plan)->len, 1);
  assert_int_equal (span (plan, 0)->from_us, recordings_start_us);
  assert_in_range (span (plan, 0)->to_us, recordings_start_us + 7950000, recordings_start_us + 8050000);
}

static void it_begins_with_the_key_picture_at_or_before_and_ends_before_the_end (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 3 * SECOND);
  g_autoptr (ExportPlan) plan
    = make_plan (*state, recordings_start_us + 4 * SECOND + SECOND / 2, recordings_start_us + 6 * SECOND, NULL);
  assert_int_equal (span (plan, 0)->from_us, recordings_start_us + 4 * SECOND);
  assert_in_range (span (plan, 0)->to_us, recordings_start_us + 5900000, recordings_start_us + 6 * SECOND);
  g_autofree char *path = export_to_file (*state, plan);
  assert_plays (path);
  FileFacts facts = file_facts (path);
  assert_in_range (facts.video, 49, 51);
  assert_int_equal (facts.keys, 2);
  file_facts_clear (&facts);
}

static void what_is_missing_takes_no_time_and_is_told (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 3 * SECOND);
  recordings_add (*state, recordings_units, recordings_start_us + 60 * SECOND, 3 * SECOND);
  g_autoptr (ExportPlan) plan = make_plan (*state, recordings_start_us, recordings_start_us + 100 * SECOND, NULL);
  assert_int_equal (export_plan_spans (plan)->len, 2);
  assert_int_equal (span (plan, 1)->from_us, recordings_start_us + 60 * SECOND);
  g_autofree char *path = export_to_file (*state, plan);
  assert_plays (path);
  FileFacts facts = file_facts (path);
  assert_int_equal (facts.video, 400);
  assert_in_range (facts.duration_us, 15900000, 16300000);
  file_facts_clear (&facts);
}

/* The pictures' checksums, as decoded: of G_PTR_ARRAY strings. */
static GPtrArray *decoded (const char *path)
{
  const char *command[] = { "ffmpeg", "-nostdin", "-v", "quiet", "-i", path, "-map", "0:v", "-vsync", "passthrough", "-f",
                            "framemd5", "-", NULL };
  g_autofree char *said = NULL;
  int status = -1;
  g_spawn_sync (NULL, (char **) command, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &said, NULL, &status, NULL);
  assert_int_equal (status, 0);
  GPtrArray *sums = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) lines = g_strsplit (said, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    if (**line != '#' && **line != '\0')
      g_ptr_array_add (sums, g_strdup (strrchr (*line, ',') + 1));
  return sums;
}

static void new_parameter_sets_are_another_sample_entry (void **state)
{
  SampleStream *other = sample_stream_make ("libx264 -g 25 -profile:v baseline", SAMPLE_AAC, 4, recordings_start_us);
  g_autoptr (GPtrArray) other_units = sample_stream_units (other);
  recordings_add (*state, recordings_units, recordings_start_us, 60 * SECOND);
  recordings_add (*state, other_units, recordings_start_us + 9 * SECOND, 60 * SECOND);
  g_autoptr (ExportPlan) alone
    = make_plan (*state, recordings_start_us + 9 * SECOND, recordings_start_us + 100 * SECOND, NULL);
  g_autofree char *alone_path = export_to_file (*state, alone);
  g_autoptr (GPtrArray) wanted = decoded (alone_path);
  g_autoptr (ExportPlan) plan = make_plan (*state, recordings_start_us, recordings_start_us + 100 * SECOND, NULL);
  g_autofree char *path = export_to_file (*state, plan);
  g_autoptr (GPtrArray) sums = decoded (path);
  assert_int_equal (wanted->len, 100);
  assert_int_equal (sums->len, 300);
  for (guint i = 0; i < wanted->len; i++)
    assert_string_equal (sums->pdata[200 + i], wanted->pdata[i]);
  sample_stream_free (other);
}

static void h265_without_sound_is_exported_too (void **state)
{
  SampleStream *other = sample_stream_make ("libx265 -x265-params log-level=none:keyint=25:bframes=2", SAMPLE_SILENT, 4, recordings_start_us);
  g_autoptr (GPtrArray) other_units = sample_stream_units (other);
  recordings_add (*state, other_units, recordings_start_us, 2 * SECOND);
  g_autoptr (ExportPlan) plan = make_plan (*state, recordings_start_us, recordings_start_us + 100 * SECOND, NULL);
  g_autofree char *path = export_to_file (*state, plan);
  assert_plays (path);
  FileFacts facts = file_facts (path);
  assert_int_equal (facts.video, 100);
  assert_int_equal (facts.audio, 0);
  file_facts_clear (&facts);
  sample_stream_free (other);
}

static void a_file_that_is_gone_or_broken_is_a_gap (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 2 * SECOND); /* four files of two seconds */
  g_autoptr (RecordingsIndex) index = recordings_index_open (*state, DATABASE_READER, NULL);
  g_autoptr (GPtrArray) rows = recordings_index_find (index, "bridge", "main", 0, G_MAXINT64 / 2, 10, NULL);
  assert_int_equal (rows->len, 4);
  g_autofree char *gone = g_build_filename (*state, ((const SegmentRow *) rows->pdata[1])->file, NULL);
  assert_int_equal (unlink (gone), 0);
  g_autofree char *broken = g_build_filename (*state, ((const SegmentRow *) rows->pdata[2])->file, NULL);
  assert_true (g_file_set_contents (broken, "no film", -1, NULL));
  g_autoptr (ExportPlan) plan = make_plan (*state, recordings_start_us, recordings_start_us + 100 * SECOND, NULL);
  assert_int_equal (export_plan_spans (plan)->len, 2);
  g_autofree char *path = export_to_file (*state, plan);
  assert_plays (path);
  FileFacts facts = file_facts (path);
  assert_int_equal (facts.video, 100);
  file_facts_clear (&facts);
}

/* As a bad block of a disk may make it: its head ends before the size of the picture. */
static void a_sample_entry_that_is_cut_short_makes_the_file_broken (void **state)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *bytes = NULL;
  gsize size;
  recordings_add (*state, recordings_units, recordings_start_us, 60 * SECOND);
  g_autoptr (RecordingsIndex) index = recordings_index_open (*state, DATABASE_READER, NULL);
  g_autoptr (GPtrArray) rows = recordings_index_find (index, "bridge", "main", 0, G_MAXINT64 / 2, 10, NULL);
  assert_int_equal (rows->len, 1);
  g_autofree char *path = g_build_filename (*state, ((const SegmentRow *) rows->pdata[0])->file, NULL);
  assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  char *entry = memmem (bytes, size, "avc1\0\0\0\0\0\0\0\1", 12);
  assert_non_null (entry);
  memcpy (entry - 4, "\0\0\0\20", 4);
  assert_true (g_file_set_contents (path, bytes, (gssize) size, NULL));
  assert_null (make_plan (*state, recordings_start_us, recordings_start_us + 10 * SECOND, &error));
  assert_true (error_is (error, ERROR_GIVE_UP));
}

static void where_nothing_is_recorded_it_says_so (void **state)
{
  g_autoptr (GError) error = NULL;
  recordings_add (*state, recordings_units, recordings_start_us, 3 * SECOND);
  assert_null (make_plan (*state, recordings_start_us + 60 * SECOND, recordings_start_us + 70 * SECOND, &error));
  assert_true (error_is (error, ERROR_GIVE_UP));
  g_clear_error (&error);
  assert_null (make_plan (*state, recordings_start_us - 60 * SECOND, recordings_start_us - 50 * SECOND, &error));
  assert_true (error_is (error, ERROR_GIVE_UP));
  g_clear_error (&error);
  assert_null (make_plan (*state, recordings_start_us, recordings_start_us + 25 * 3600 * SECOND, &error));
  assert_true (error_is (error, ERROR_REFUSE));
}

/* And whoever asks for as much as it says gets it, whole. */
static void what_is_too_long_is_refused_and_told_up_to_when_it_may_go (void **state)
{
  enum { INDEX_BYTES = 4000 };
  g_autoptr (GError) error = NULL;
  gint64 until_us;
  recordings_add (*state, recordings_units, recordings_start_us, 3 * SECOND);
  assert_null (export_plan_new (*state, "bridge", "main", recordings_start_us, recordings_start_us + 20 * SECOND, INDEX_BYTES, NULL, &error));
  assert_true (error_is (error, ERROR_REFUSE));
  const char *told = strstr (error->message, "up to ");
  assert_non_null (told);
  g_autofree char *text = g_strndup (told + 6, strcspn (told + 6, " "));
  assert_true (time_from_rfc3339 (text, &until_us));
  assert_in_range (until_us, recordings_start_us + SECOND, recordings_start_us + 7 * SECOND);
  g_autoptr (ExportPlan) plan = export_plan_new (*state, "bridge", "main", recordings_start_us, until_us, INDEX_BYTES, NULL, NULL);
  assert_non_null (plan);
  assert_in_range (span (plan, 0)->to_us, until_us - SECOND / 10, until_us);
  g_autofree char *path = export_to_file (*state, plan);
  assert_plays (path);
}

static void it_ends_when_the_reader_is_gone_or_it_is_cancelled (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 3 * SECOND);
  g_autoptr (ExportPlan) plan = make_plan (*state, recordings_start_us, recordings_start_us + 100 * SECOND, NULL);
  for (guint is_cancelled = 0; is_cancelled < 2; is_cancelled++) {
    guint8 bytes[1000];
    Writer writer = { .plan = plan, .is_good = TRUE };
    int pipe_fd = open_pipe (&writer);
    GThread *thread = g_thread_new ("writer", write_plan, &writer);
    assert_int_equal (read (pipe_fd, bytes, sizeof bytes), sizeof bytes);
    if (is_cancelled)
      assert_int_equal (eventfd_write (writer.client.cancel_fd, 1), 0);
    else
      close (pipe_fd);
    g_thread_join (thread);
    assert_false (writer.is_good);
    g_clear_error (&writer.error);
    if (is_cancelled)
      close (pipe_fd);
    close (writer.client.cancel_fd);
  }
}

/* The step tells the register whose fault it was. */
static void a_recording_that_became_shorter_is_no_fault_of_the_client (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 3 * SECOND);
  g_autoptr (RecordingsIndex) index = recordings_index_open (*state, DATABASE_READER, NULL);
  g_autoptr (GPtrArray) rows = recordings_index_find (index, "bridge", "main", 0, G_MAXINT64 / 2, 10, NULL);
  g_autoptr (ExportPlan) plan = make_plan (*state, recordings_start_us, recordings_start_us + 100 * SECOND, NULL);
  g_autofree char *path = g_build_filename (*state, ((const SegmentRow *) rows->pdata[1])->file, NULL);
  for (guint is_gone = 0; is_gone < 2; is_gone++) {
    guint8 bytes[4096];
    Writer writer = { .plan = plan, .is_good = TRUE };
    assert_int_equal (is_gone ? unlink (path) : truncate (path, 1000), 0);
    int pipe_fd = open_pipe (&writer);
    GThread *thread = g_thread_new ("writer", write_plan, &writer);
    while (read (pipe_fd, bytes, sizeof bytes) > 0)
      ;
    g_thread_join (thread);
    assert_false (writer.is_good);
    assert_true (error_is (writer.error, ERROR_RECONFIGURE));
    g_clear_error (&writer.error);
    close (pipe_fd);
    close (writer.client.cancel_fd);
  }
}

static void it_is_not_planned_for_a_client_that_is_gone (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 3 * SECOND);
  for (guint is_cancelled = 0; is_cancelled < 2; is_cancelled++) {
    g_autoptr (GError) error = NULL;
    Writer writer = { 0 };
    int pipe_fd = open_pipe (&writer);
    if (is_cancelled)
      assert_int_equal (eventfd_write (writer.client.cancel_fd, 1), 0);
    else
      close (pipe_fd);
    assert_null (export_plan_new (*state, "bridge", "main", recordings_start_us, recordings_start_us + 20 * SECOND,
                                  EXPORT_INDEX_BYTES_MAX, &writer.client, &error));
    assert_true (error_is (error, ERROR_RETRY));
    if (is_cancelled)
      close (pipe_fd);
    close (writer.client.pipe_fd);
    close (writer.client.cancel_fd);
  }
}

static void note_move (gint64 from_us, gpointer data)
{
  g_array_append_val ((GArray *) data, from_us);
}

/* It takes the head and half of the recordings, and then nothing more: as a download that is stopped, not ended. */
static void a_client_that_takes_too_little_is_ended_and_what_it_may_have_is_known (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, SECOND);
  g_autoptr (ExportPlan) plan = make_plan (*state, recordings_start_us, recordings_start_us + 20 * SECOND, NULL);
  g_autoptr (GArray) moves = g_array_new (FALSE, FALSE, sizeof (gint64));
  guint8 bytes[1000];
  Writer writer = { .plan = plan, .is_good = TRUE,
                    .client = { .least_bytes_per_second = 1000, .window_us = SECOND / 5, .moved = note_move, .data = moves } };
  int pipe_fd = open_pipe (&writer);
  assert_true (fcntl (pipe_fd, F_SETPIPE_SZ, 4096) >= 4096);
  GThread *thread = g_thread_new ("writer", write_plan, &writer);
  for (gint64 taken = 0; taken < export_plan_bytes (plan) / 2;)
    taken += read (pipe_fd, bytes, sizeof bytes);
  g_thread_join (thread);
  assert_false (writer.is_good);
  assert_true (error_is (writer.error, ERROR_REFUSE));
  g_clear_error (&writer.error);
  assert_in_range (export_plan_sent_bytes (plan), export_plan_bytes (plan) / 2, export_plan_bytes (plan) * 3 / 4);
  assert_in_range (export_plan_reached_us (plan), recordings_start_us + 2 * SECOND, recordings_start_us + 7 * SECOND);
  assert_int_equal (g_array_index (moves, gint64, 0), recordings_start_us);
  for (guint i = 1; i < moves->len; i++)
    assert_true (g_array_index (moves, gint64, i) >= g_array_index (moves, gint64, i - 1));
  assert_in_range (export_plan_reached_us (plan) - g_array_index (moves, gint64, moves->len - 1), SECOND / 2, 2 * SECOND);
  close (pipe_fd);
  close (writer.client.cancel_fd);
}

static void a_client_that_is_at_it_for_too_long_is_ended (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, SECOND);
  g_autoptr (ExportPlan) plan = make_plan (*state, recordings_start_us, recordings_start_us + 20 * SECOND, NULL);
  Writer writer = { .plan = plan, .is_good = TRUE, .client = { .longest_us = SECOND / 5 } };
  int pipe_fd = open_pipe (&writer);
  write_plan (&writer);
  assert_true (error_is (writer.error, ERROR_REFUSE));
  g_clear_error (&writer.error);
  close (pipe_fd);
  close (writer.client.cancel_fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, folder_setup, folder_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (an_export_holds_what_was_recorded_with_its_index_in_front),
    TEST (it_begins_with_the_key_picture_at_or_before_and_ends_before_the_end),
    TEST (what_is_missing_takes_no_time_and_is_told),
    TEST (new_parameter_sets_are_another_sample_entry),
    TEST (h265_without_sound_is_exported_too),
    TEST (a_file_that_is_gone_or_broken_is_a_gap),
    TEST (a_sample_entry_that_is_cut_short_makes_the_file_broken),
    TEST (where_nothing_is_recorded_it_says_so),
    TEST (what_is_too_long_is_refused_and_told_up_to_when_it_may_go),
    TEST (it_ends_when_the_reader_is_gone_or_it_is_cancelled),
    TEST (a_recording_that_became_shorter_is_no_fault_of_the_client),
    TEST (it_is_not_planned_for_a_client_that_is_gone),
    TEST (a_client_that_takes_too_little_is_ended_and_what_it_may_have_is_known),
    TEST (a_client_that_is_at_it_for_too_long_is_ended),
  };
  return cmocka_run_group_tests (tests, recordings_set_up, recordings_tear_down);
}
