/* SIGKILL of each process while cameras run, and what must not be lost by it. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/core/clock.h"
#include "pipelines/record/recordings_index.h"
#include "tests/support/test.h"
#include "tests/support/township.h"

static const char recordings[] = "/api/v1/cameras/school/recordings?from=2020-01-01T00:00:00Z&to=2099-01-01T00:00:00Z";

static int township_setup (void **state)
{
  Township *township = *state = township_new ("flood.yaml", "flood-township.yaml");
  township_wait_camera (township, "school", "live", 20);
  township_wait_camera (township, "bridge", "live", 20);
  return 0;
}

static int township_teardown (void **state)
{
  township_free (*state);
  return 0;
}

/* Plays `seconds` of a camera to its end; FALSE when nothing came. */
static gboolean plays (Township *township, const char *camera, const char *frames, int seconds)
{
  g_autofree char *url = township_rtsp_url (township, camera);
  return process_run (township->folder, seconds, NULL,
                      (const char *[]){ "ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-analyzeduration", "100000", "-i", url,
                                        "-frames:v", frames, "-f", "null", "-", NULL })
         == 0;
}

static gboolean has_a_gap (const json_t *answer)
{
  return json_array_size (json_object_get (answer, "gaps")) > 0;
}

static gboolean has_items (const json_t *answer)
{
  return json_array_size (json_object_get (answer, "items")) > 0;
}

static gboolean media_is_another (gpointer data)
{
  Township *township = ((gpointer *) data)[0];
  pid_t pid = township_worker_pid (township, "gridgate-media");
  return pid != 0 && pid != GPOINTER_TO_INT (((gpointer *) data)[1]);
}

static void a_killed_media_comes_back_within_three_seconds_and_says_what_is_missing (void **state)
{
  Township *township = *state;
  pid_t pid = township_worker_pid (township, "gridgate-media");
  assert_true (pid > 0);
  assert_true (plays (township, "school", "20", 20));
  gint64 killed_at = g_get_monotonic_time ();
  kill (pid, SIGKILL);

  /* a reading that comes meanwhile raises its alert all the same */
  township_publish (township, "village/shimiao/smoke-1", "0.9");
  assert_true (wait_until (media_is_another, (gpointer[]){ township, GINT_TO_POINTER (pid) }, 3));
  gboolean played = FALSE;
  while (!played && g_get_monotonic_time () < killed_at + 10 * G_USEC_PER_SEC)
    played = plays (township, "school", "1", 10);
  assert_true (played);
  print_message ("plays again %.2f s after the kill\n", (double) (g_get_monotonic_time () - killed_at) / G_USEC_PER_SEC);
  assert_true (g_get_monotonic_time () - killed_at < 3 * G_USEC_PER_SEC);

  json_decref (township_wait_for (township, "/api/v1/alerts?state=open", has_items, 10));
  json_t *answer = township_wait_for (township, recordings, has_a_gap, 30);
  json_t *gap = json_array_get (json_object_get (answer, "gaps"), 0);
  assert_string_equal (json_string_value (json_object_get (gap, "reason")), "media_restart");
  json_decref (answer);
}

static gint64 file_size (const char *path)
{
  struct stat status;
  return stat (path, &status) == 0 ? status.st_size : 0;
}

typedef struct {
  const char *path;
  gint64 beyond;
} Growth;

static gboolean has_grown (gpointer data)
{
  const Growth *growth = data;
  return file_size (growth->path) > growth->beyond;
}

static gsize count_gaps (Township *township)
{
  json_t *answer = http_client_get (township->http, recordings);
  gsize gaps = json_array_size (json_object_get (answer, "gaps"));
  json_decref (answer);
  return gaps;
}

static void a_killed_gridgate_interrupts_neither_recording_nor_viewers_and_finds_the_others_again (void **state)
{
  Township *township = *state;
  township_wait_camera (township, "school", "live", 20);
  gsize gaps = count_gaps (township);
  pid_t media = township_worker_pid (township, "gridgate-media");
  pid_t vision = township_worker_pid (township, "gridgate-vision");

  g_autofree char *url = township_rtsp_url (township, "school");
  g_autofree char *file = g_build_filename (township->folder, "viewer.ts", NULL);
  Process *viewer = process_start (township->folder, (const char *[]){ "ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", url,
                                                                       "-c", "copy", "-t", "12", "-flush_packets", "1", "-y", file, NULL });
  assert_true (wait_until (has_grown, &(Growth){ file, 0 }, 10));
  process_end (township->gateway, SIGKILL, 5);
  assert_true (wait_until (has_grown, &(Growth){ file, file_size (file) + 5000 }, 10));
  township_start_gateway (township);
  assert_int_equal (process_wait (viewer, 30), 0);
  g_autofree char *said = process_output (viewer);
  assert_string_equal (said, "");
  process_free (viewer);

  township_wait_camera (township, "school", "live", 10);
  assert_int_equal (township_worker_pid (township, "gridgate-media"), media);
  assert_int_equal (township_worker_pid (township, "gridgate-vision"), vision);
  assert_int_equal (count_gaps (township), gaps);
}

static gboolean has_passed (gpointer data)
{
  return g_get_monotonic_time () >= *(gint64 *) data;
}

static gboolean has_more_gaps (gpointer data)
{
  return count_gaps (((gpointer *) data)[0]) > GPOINTER_TO_SIZE (((gpointer *) data)[1]);
}

/* Each file of the camera that the index says is finished: it plays, and the index knows its size. */
static void check_recorded_files (Township *township, const char *camera)
{
  g_autofree char *data_dir = g_build_filename (township->folder, "data", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (RecordingsIndex) index = recordings_index_open (data_dir, DATABASE_READER, &error);
  assert_null (error);
  g_autoptr (GPtrArray) rows = recordings_index_find (index, camera, "main", 0, G_MAXINT64 / 2, 1000, NULL);
  assert_true (rows->len > 1);
  for (guint i = 0; i + 1 < rows->len; i++) { /* the last one grows */
    const SegmentRow *row = rows->pdata[i];
    g_autofree char *path = g_build_filename (data_dir, row->file, NULL);
    assert_int_equal (file_size (path), row->bytes);
    assert_int_equal (process_run (township->folder, 20, NULL,
                                   (const char *[]){ "ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "null", "-", NULL }),
                      0);
  }
}

/* What was captured until a second before the kill is there: the gap begins no earlier. Two more are for a loaded machine. */
static void a_media_that_is_killed_at_any_moment_loses_at_most_the_last_second (void **state)
{
  Township *township = *state;
  g_autoptr (GRand) random = g_rand_new_with_seed (5);
  for (guint i = 0; i < 3; i++) {
    township_wait_camera (township, "school", "live", 20);
    gsize gaps = count_gaps (township);
    pid_t pid = township_worker_pid (township, "gridgate-media");
    gint64 moment = g_get_monotonic_time () + g_rand_int_range (random, 2000000, 5000000);
    assert_true (wait_until (has_passed, &moment, 20));
    gint64 killed_us = g_get_real_time ();
    kill (pid, SIGKILL);
    assert_true (wait_until (media_is_another, (gpointer[]){ township, GINT_TO_POINTER (pid) }, 10));
    township_wait_camera (township, "school", "live", 20);
    assert_true (wait_until (has_more_gaps, (gpointer[]){ township, GSIZE_TO_POINTER (gaps) }, 20));
    json_t *answer = http_client_get (township->http, recordings);
    json_t *list = json_object_get (answer, "gaps"), *gap = json_array_get (list, json_array_size (list) - 1);
    gint64 from_us = 0;
    assert_string_equal (json_string_value (json_object_get (gap, "reason")), "media_restart");
    assert_true (time_from_rfc3339 (json_string_value (json_object_get (gap, "from")), &from_us));
    print_message ("killed after %.2f s that are not recorded\n", (double) (killed_us - from_us) / G_USEC_PER_SEC);
    assert_true (killed_us - from_us > -G_USEC_PER_SEC && killed_us - from_us < 3 * G_USEC_PER_SEC);
    json_decref (answer);
  }
  check_recorded_files (township, "school");
}

static void ending_it_is_not_cut_short_by_a_second_signal (void **state)
{
  Township *township = *state;
  kill (process_pid (township->gateway), SIGINT);
  kill (process_pid (township->gateway), SIGTERM);
  g_free (process_wait_for (township->gateway, "ending in order", 10));
  kill (process_pid (township->gateway), SIGTERM);
  assert_int_equal (process_end (township->gateway, SIGINT, 20), 0);
  assert_int_equal (township_worker_pid (township, "gridgate-media"), 0);
  assert_int_equal (township_worker_pid (township, "gridgate-vision"), 0);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_killed_media_comes_back_within_three_seconds_and_says_what_is_missing),
    cmocka_unit_test (a_killed_gridgate_interrupts_neither_recording_nor_viewers_and_finds_the_others_again),
    cmocka_unit_test (a_media_that_is_killed_at_any_moment_loses_at_most_the_last_second),
    cmocka_unit_test (ending_it_is_not_cut_short_by_a_second_signal),
  };
  return cmocka_run_group_tests (tests, township_setup, township_teardown);
}
