#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/incident/evidence.h"
#include "tests/support/test.h"
#include "tests/unit/incident/book_fixture.h"

/* The other side of the port, as the test wants it. */
typedef struct {
  GMutex mutex;
  GCond changed;
  guint clips, pictures; /* asked for */
  char *clip;            /* the last clip's id */
  gboolean is_away, gives_up;
} Media;

static gboolean write_file (int fd, const char *text)
{
  gssize size = (gssize) strlen (text);
  return write (fd, text, (gsize) size) == size;
}

static gboolean clip (gpointer self, const char *id, const char *camera, gint64 from_us, gint64 to_us, int file_fd,
                      GError **error)
{
  Media *media = self;
  assert_string_equal (camera, "bridge");
  assert_int_equal (to_us - from_us, 30 * G_TIME_SPAN_SECOND);
  g_mutex_lock (&media->mutex);
  gboolean is_away = media->is_away;
  media->clips++;
  g_free (media->clip);
  media->clip = g_strdup (id);
  g_cond_broadcast (&media->changed);
  g_mutex_unlock (&media->mutex);
  gboolean written = write_file (file_fd, "clip");
  close (file_fd);
  assert_true (written);
  return !is_away || error_set (error, ERROR_RETRY, "gridgate-media is away");
}

static gboolean picture (gpointer self, const char *camera, gint64 at_us, int file_fd, gint64 *taken_at_us,
                         GError **error)
{
  Media *media = self;
  assert_string_equal (camera, "bridge");
  g_mutex_lock (&media->mutex);
  gboolean gives_up = media->gives_up;
  media->pictures++;
  g_cond_broadcast (&media->changed);
  g_mutex_unlock (&media->mutex);
  *taken_at_us = at_us - 1000;
  if (gives_up)
    return error_set (error, ERROR_GIVE_UP, "the codec can't be decoded");
  return write_file (file_fd, "picture");
}

static void wait_for (Media *media, const guint *counter, guint count)
{
  gint64 until_us = g_get_monotonic_time () + 10 * G_TIME_SPAN_SECOND;
  g_mutex_lock (&media->mutex);
  while (*counter < count)
    if (!g_cond_wait_until (&media->changed, &media->mutex, until_us))
      g_error ("asked %u times, expected %u", *counter, count);
  g_mutex_unlock (&media->mutex);
}

/* Waits on the event bus until the incident's evidence of `kind` is in `state`; its JSON is the caller's. */
static json_t *wait_for_state (BookFixture *fixture, const char *id, gboolean is_clip, const char *state)
{
  gint64 until_us = g_get_monotonic_time () + 10 * G_TIME_SPAN_SECOND;
  while (g_get_monotonic_time () < until_us) {
    json_t *incident = look_at (fixture, id), *item;
    size_t index;
    json_array_foreach (json_object_get (incident, "evidence"), index, item)
      if ((strcmp (text_of (item, "kind"), "clip") == 0) == is_clip && strcmp (text_of (item, "state"), state) == 0) {
        json_incref (item);
        json_decref (incident);
        return item;
      }
    json_decref (incident);
    g_thread_yield ();
  }
  g_error ("evidence did not become %s", state);
}

static void a_clip_and_a_picture_come_and_are_bound_to_the_incident (void **state)
{
  BookFixture *fixture = *state;
  Media media = { 0 };
  EvidencePort port = { &media, clip, picture };
  Evidence *evidence = evidence_new (fixture->store, fixture->book, &port);
  evidence_start (evidence);
  g_autoptr (Alert) alert = raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE);
  wait_for (&media, &media.clips, 1);
  json_decref (wait_for_state (fixture, alert->incident, FALSE, "done"));
  evidence_clip_done (evidence, media.clip, alert->opened_at_us, alert->opened_at_us + 7, 4, NULL, NULL);
  json_t *item = wait_for_state (fixture, alert->incident, TRUE, "done");
  g_autofree char *sha256 = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "clip", -1);
  assert_string_equal (text_of (item, "sha256"), sha256);
  assert_int_equal (json_integer_value (json_object_get (item, "bytes")), 4);
  g_autofree char *url = g_strconcat ("/api/v1/evidence/", text_of (item, "id"), NULL);
  assert_string_equal (text_of (item, "url"), url);
  g_autoptr (EvidenceRow) row = evidence_row_load (store_reader (fixture->store, NULL), text_of (item, "id"), NULL);
  g_autofree char *path = evidence_path (fixture->folder, row), *content = NULL;
  assert_true (g_file_get_contents (path, &content, NULL, NULL));
  assert_string_equal (content, "clip");
  json_t *incident = look_at (fixture, alert->incident);
  assert_int_equal (json_integer_value (json_object_get (incident, "revision")), 3);
  json_decref (incident);
  json_decref (item);
  evidence_free (evidence);
  g_free (media.clip);
}

static void a_clip_is_asked_for_again_when_media_comes_back (void **state)
{
  BookFixture *fixture = *state;
  Media media = { .is_away = TRUE };
  EvidencePort port = { &media, clip, picture };
  Evidence *evidence = evidence_new (fixture->store, fixture->book, &port);
  evidence_start (evidence);
  g_autoptr (Alert) alert = raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE);
  wait_for (&media, &media.clips, 1);
  evidence_free (evidence); /* gridgate ends, too */

  media.is_away = FALSE;
  evidence = evidence_new (fixture->store, fixture->book, &port);
  evidence_start (evidence);
  wait_for (&media, &media.clips, 2);
  evidence_port_back (evidence); /* media was away and forgot the clip */
  wait_for (&media, &media.clips, 3);
  evidence_clip_done (evidence, media.clip, 0, 0, 4, NULL, NULL);
  json_decref (wait_for_state (fixture, alert->incident, TRUE, "done"));
  evidence_free (evidence);
  g_free (media.clip);
}

static void a_clock_that_jumps_ahead_gives_up_no_evidence (void **state)
{
  BookFixture *fixture = *state;
  Media media = { .is_away = TRUE };
  EvidencePort port = { &media, clip, picture };
  Evidence *evidence = evidence_new (fixture->store, fixture->book, &port);
  evidence_start (evidence);
  g_autoptr (Alert) alert = raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE);
  wait_for (&media, &media.clips, 1);
  clock_fake_step_wall (fixture->clock, 3 * G_TIME_SPAN_HOUR);
  evidence_port_back (evidence);
  wait_for (&media, &media.clips, 2);
  evidence_port_back (evidence);
  wait_for (&media, &media.clips, 3);
  evidence_free (evidence);
  g_free (media.clip);
}

static void what_can_not_be_had_fails_with_its_reason (void **state)
{
  BookFixture *fixture = *state;
  Media media = { .gives_up = TRUE };
  EvidencePort port = { &media, clip, picture };
  Evidence *evidence = evidence_new (fixture->store, fixture->book, &port);
  evidence_start (evidence);
  g_autoptr (Alert) alert = raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE);
  json_t *item = wait_for_state (fixture, alert->incident, FALSE, "failed");
  assert_string_equal (text_of (item, "reason"), "the codec can't be decoded");
  assert_true (json_is_null (json_object_get (item, "url")));
  json_decref (item);

  wait_for (&media, &media.clips, 1);
  clock_fake_advance (fixture->clock, 2 * G_TIME_SPAN_HOUR);
  evidence_clip_done (evidence, media.clip, 0, 0, 0, NULL, "nothing was recorded then");
  item = wait_for_state (fixture, alert->incident, TRUE, "failed");
  assert_string_equal (text_of (item, "reason"), "nothing was recorded then");
  json_decref (item);
  evidence_free (evidence);
  g_free (media.clip);
}

#define book_test(name) cmocka_unit_test_setup_teardown (name, book_fixture_setup, book_fixture_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    book_test (a_clip_and_a_picture_come_and_are_bound_to_the_incident),
    book_test (a_clip_is_asked_for_again_when_media_comes_back),
    book_test (a_clock_that_jumps_ahead_gives_up_no_evidence),
    book_test (what_can_not_be_had_fails_with_its_reason),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
