#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "gateway/core/clock.h"
#include "pipelines/live/websocket.h"
#include "pipelines/playback/browser_playback.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/playback/recordings.h"

#define SECOND G_TIME_SPAN_SECOND

enum { WATCHDOG_MS = 20000 };

typedef struct {
  Loop *loop;
  FeedPool *pool;
  BrowserPlayback *playback; /* loop */
  BrowserPlaybackSettings settings;
  int fds[2]; /* the browser's, the server's */
  GByteArray *input;
  GByteArray *film;  /* init segment and fragments since the last type */
  guint types;       /* texts with a type */
  json_t *said;      /* the newest text */
  char *end_reason;  /* under the mutex */
  GMutex mutex;
  GCond changed;
} Browser;

static void on_ended (BrowserPlayback *playback, const char *reason, gpointer data)
{
  Browser *browser = data;
  browser->playback = NULL;
  g_mutex_lock (&browser->mutex);
  browser->end_reason = g_strdup (reason);
  g_cond_signal (&browser->changed);
  g_mutex_unlock (&browser->mutex);
  browser_playback_free (playback, WEBSOCKET_CLOSE_NORMAL);
}

static void open_on_loop (gpointer data)
{
  Browser *browser = data;
  browser->playback = browser_playback_new (browser->loop, &browser->settings, browser->fds[1], NULL, 0, on_ended, browser, NULL);
}

static void close_on_loop (gpointer data)
{
  Browser *browser = data;
  browser_playback_free (browser->playback, WEBSOCKET_CLOSE_GOING_AWAY);
}

static Browser *browser_open (const char *folder, gint64 from_us, gint64 to_us, double speed)
{
  Browser *browser = g_new0 (Browser, 1);
  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, browser->fds), 0);
  browser->loop = loop_new (NULL);
  browser->pool = feed_pool_new (NULL);
  browser->input = g_byte_array_new ();
  browser->film = g_byte_array_new ();
  browser->settings = (BrowserPlaybackSettings){ browser->pool, folder, "viewer", "bridge", "main", from_us, to_us, speed };
  loop_call (browser->loop, open_on_loop, browser);
  assert_non_null (browser->playback);
  return browser;
}

static void nothing (gpointer data)
{
  (void) data;
}

static void browser_close (Browser *browser)
{
  loop_call (browser->loop, close_on_loop, browser);
  feed_pool_free (browser->pool);
  loop_call (browser->loop, nothing, NULL);
  loop_free (browser->loop);
  close (browser->fds[0]);
  g_byte_array_unref (browser->input);
  g_byte_array_unref (browser->film);
  json_decref (browser->said);
  g_free (browser->end_reason);
  g_free (browser);
}

static void command (Browser *browser, const char *text)
{
  guint8 frame[256] = { 0x81, (guint8) (0x80 | strlen (text)) }; /* masked with zeros */
  assert_true (strlen (text) < 126);
  memcpy (frame + 6, text, strlen (text));
  assert_int_equal (write (browser->fds[0], frame, 6 + strlen (text)), 6 + strlen (text));
}

/* The size of the whole frame in front; 0: more must come. */
static gsize frame_size (const Browser *browser, gsize *header)
{
  const guint8 *bytes = browser->input->data;
  guint64 length = browser->input->len > 1 ? bytes[1] & 127 : 0;
  guint width = length == 126 ? 2 : length == 127 ? 8 : 0;
  *header = 2 + width;
  if (browser->input->len < *header)
    return 0;
  if (width > 0)
    length = 0;
  for (guint i = 0; i < width; i++)
    length = length << 8 | bytes[2 + i];
  return browser->input->len >= *header + length ? *header + length : 0;
}

/* The next message is in `said` (text: TRUE) or in `film`. */
static gboolean next_message (Browser *browser)
{
  gsize header, size;
  guint8 chunk[65536];
  while ((size = frame_size (browser, &header)) == 0) {
    struct pollfd polled = { browser->fds[0], POLLIN, 0 };
    assert_int_equal (poll (&polled, 1, WATCHDOG_MS), 1);
    gssize got = read (browser->fds[0], chunk, sizeof chunk);
    assert_true (got > 0);
    g_byte_array_append (browser->input, chunk, (guint) got);
  }
  gboolean is_text = (browser->input->data[0] & 15) == WEBSOCKET_TEXT;
  if (is_text) {
    json_decref (browser->said);
    browser->said = json_loadb ((const char *) browser->input->data + header, size - header, 0, NULL);
    assert_non_null (browser->said);
    if (json_object_get (browser->said, "mime") != NULL) {
      browser->types++;
      g_byte_array_set_size (browser->film, 0);
    }
  } else {
    g_byte_array_append (browser->film, browser->input->data + header, (guint) (size - header));
  }
  g_byte_array_remove_range (browser->input, 0, (guint) size);
  return is_text;
}

static gboolean is_something_coming (const Browser *browser)
{
  gsize header;
  struct pollfd polled = { browser->fds[0], POLLIN, 0 };
  return frame_size (browser, &header) > 0 || poll (&polled, 1, 300) == 1;
}

/* Waits for a text with `member`. */
static json_t *until_said (Browser *browser, const char *member)
{
  while (!next_message (browser) || json_object_get (browser->said, member) == NULL)
    ;
  return json_object_get (browser->said, member);
}

static gint64 time_of (json_t *value)
{
  gint64 at_us;
  assert_true (time_from_rfc3339 (json_string_value (value), &at_us));
  return at_us;
}

static FileFacts film_facts (const char *folder, const Browser *browser)
{
  g_autofree char *path = g_build_filename (folder, "film.mp4", NULL);
  assert_true (g_file_set_contents (path, (const char *) browser->film->data, browser->film->len, NULL));
  return file_facts (path);
}

static void it_sends_what_was_recorded_from_the_key_picture_on (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 3 * SECOND);
  Browser *browser = browser_open (*state, recordings_start_us + 2 * SECOND + SECOND / 2, 0, 4);
  assert_true (g_str_has_prefix (json_string_value (until_said (browser, "mime")), "video/mp4; codecs=\"avc1."));
  assert_non_null (strstr (json_string_value (json_object_get (browser->said, "mime")), "mp4a.40.2"));
  json_t *at = until_said (browser, "at");
  assert_int_equal (time_of (at), recordings_start_us + 2 * SECOND);
  assert_true (json_real_value (json_object_get (browser->said, "media")) == 0);
  until_said (browser, "end");
  g_autofree char *path = g_build_filename (*state, "film.mp4", NULL);
  FileFacts facts = film_facts (*state, browser);
  assert_plays (path);
  assert_int_equal (facts.video, 150);
  assert_true (facts.audio > 60);
  for (guint i = 1; i < facts.video_pts_us->len; i++)
    assert_in_range (g_array_index (facts.video_pts_us, gint64, i) - g_array_index (facts.video_pts_us, gint64, i - 1), 39900,
                     40100);
  file_facts_clear (&facts);
  browser_close (browser);
}

static void it_ends_where_it_was_told_to (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 60 * SECOND);
  Browser *browser = browser_open (*state, recordings_start_us, recordings_start_us + 3 * SECOND, 4);
  until_said (browser, "end");
  FileFacts facts = film_facts (*state, browser);
  assert_in_range (facts.video, 74, 76);
  file_facts_clear (&facts);
  browser_close (browser);
}

static void what_is_missing_is_told_and_takes_no_media_time (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 60 * SECOND);
  recordings_add (*state, recordings_units, recordings_start_us + 100 * SECOND, 60 * SECOND);
  Browser *browser = browser_open (*state, recordings_start_us + 6 * SECOND, 0, 4);
  json_t *gap = until_said (browser, "gap");
  assert_in_range (time_of (json_object_get (gap, "from")), recordings_start_us + 7900000, recordings_start_us + 8100000);
  assert_int_equal (time_of (json_object_get (gap, "to")), recordings_start_us + 100 * SECOND);
  assert_string_equal (json_string_value (json_object_get (gap, "reason")), "stalled");
  assert_int_equal (time_of (until_said (browser, "at")), recordings_start_us + 100 * SECOND);
  assert_in_range (json_real_value (json_object_get (browser->said, "media")) * 1000, 1950, 2050);
  browser_close (browser);
}

static void a_seek_goes_on_behind_with_a_new_beginning (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 2 * SECOND);
  Browser *browser = browser_open (*state, recordings_start_us + 5 * SECOND, 0, 1);
  until_said (browser, "at");
  command (browser, "{\"action\":\"seek\",\"at\":\"2026-05-01T08:00:01.700Z\"}");
  while (browser->types < 2)
    next_message (browser);
  json_t *at = until_said (browser, "at");
  double media = json_real_value (json_object_get (browser->said, "media"));
  assert_int_equal (time_of (at), recordings_start_us + SECOND);
  assert_true (media > 0);
  command (browser, "{\"action\":\"speed\",\"value\":4}");
  until_said (browser, "end");
  FileFacts facts = film_facts (*state, browser);
  assert_int_equal (facts.video, 175);
  assert_in_range (facts.first_us / 1000, (gint64) (media * 1000), (gint64) (media * 1000) + 130);
  file_facts_clear (&facts);
  /* from the end, too */
  command (browser, "{\"action\":\"seek\",\"at\":\"2026-05-01T08:00:06Z\"}");
  assert_int_equal (time_of (until_said (browser, "at")), recordings_start_us + 6 * SECOND);
  until_said (browser, "end");
  browser_close (browser);
}

static void many_seeks_at_once_end_at_the_last (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 2 * SECOND);
  Browser *browser = browser_open (*state, recordings_start_us, 0, 0.25);
  for (guint i = 0; i < 50; i++)
    command (browser, i % 2 == 0 ? "{\"action\":\"seek\",\"at\":\"2026-05-01T08:00:03Z\"}"
                                 : "{\"action\":\"seek\",\"at\":\"2026-05-01T08:00:07Z\"}");
  command (browser, "{\"action\":\"wrong\"}");
  until_said (browser, "problem"); /* all are heard */
  command (browser, "{\"action\":\"speed\",\"value\":4}");
  until_said (browser, "end");
  FileFacts facts = film_facts (*state, browser);
  assert_int_equal (facts.video, 25);
  file_facts_clear (&facts);
  browser_close (browser);
}

static void a_pause_holds_and_play_goes_on (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 60 * SECOND);
  Browser *browser = browser_open (*state, recordings_start_us, 0, 0.25); /* half a second ahead */
  until_said (browser, "at");
  command (browser, "{\"action\":\"pause\"}");
  while (is_something_coming (browser)) /* what was on its way */
    next_message (browser);
  FileFacts facts = film_facts (*state, browser);
  assert_in_range (facts.video, 1, 60);
  file_facts_clear (&facts);
  command (browser, "{\"action\":\"speed\",\"value\":4}");
  command (browser, "{\"action\":\"play\"}");
  until_said (browser, "end");
  facts = film_facts (*state, browser);
  assert_int_equal (facts.video, 200);
  file_facts_clear (&facts);
  browser_close (browser);
}

static void fast_forward_shows_key_pictures_alone (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 3 * SECOND);
  Browser *browser = browser_open (*state, recordings_start_us, 0, 16);
  assert_null (strstr (json_string_value (until_said (browser, "mime")), "mp4a"));
  until_said (browser, "end");
  FileFacts facts = film_facts (*state, browser);
  assert_int_equal (facts.video, 8);
  assert_int_equal (facts.keys, 8);
  assert_int_equal (facts.audio, 0);
  assert_in_range (facts.last_us - facts.first_us, 6900000, 7100000);
  file_facts_clear (&facts);
  browser_close (browser);
}

static void new_parameters_come_with_a_new_beginning (void **state)
{
  SampleStream *other = sample_stream_make ("libx264 -g 25 -profile:v baseline", SAMPLE_SILENT, 2, recordings_start_us);
  g_autoptr (GPtrArray) other_units = sample_stream_units (other);
  recordings_add (*state, recordings_units, recordings_start_us, 60 * SECOND);
  recordings_add (*state, other_units, recordings_start_us + 8 * SECOND, 60 * SECOND);
  Browser *browser = browser_open (*state, recordings_start_us + 7 * SECOND, 0, 4);
  until_said (browser, "end");
  assert_int_equal (browser->types, 2);
  FileFacts facts = film_facts (*state, browser);
  assert_int_equal (facts.video, 50);
  assert_int_equal (facts.audio, 0);
  file_facts_clear (&facts);
  browser_close (browser);
  sample_stream_free (other);
}

/* Many files' worth: more than the socket and the queue hold. */
static void a_client_that_does_not_read_only_waits (void **state)
{
  int small = 4096;
  for (guint i = 0; i < 6; i++)
    recordings_add (*state, recordings_units, recordings_start_us + i * 8 * SECOND, 60 * SECOND);
  Browser *browser = browser_open (*state, recordings_start_us, 0, 4);
  setsockopt (browser->fds[0], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  for (guint i = 0; i < 20; i++) /* commands are still heard */
    command (browser, "{\"action\":\"speed\",\"value\":4}");
  until_said (browser, "end");
  FileFacts facts = film_facts (*state, browser);
  assert_int_equal (facts.video, 6 * 200);
  file_facts_clear (&facts);
  browser_close (browser);
}

static void a_browser_that_goes_ends_it (void **state)
{
  recordings_add (*state, recordings_units, recordings_start_us, 60 * SECOND);
  Browser *browser = browser_open (*state, recordings_start_us, 0, 1);
  until_said (browser, "at");
  shutdown (browser->fds[0], SHUT_RDWR);
  gint64 end_us = g_get_monotonic_time () + WATCHDOG_MS * 1000;
  g_mutex_lock (&browser->mutex);
  while (browser->end_reason == NULL)
    assert_true (g_cond_wait_until (&browser->changed, &browser->mutex, end_us));
  g_mutex_unlock (&browser->mutex);
  assert_string_equal (browser->end_reason, "closed");
  browser_close (browser);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, folder_setup, folder_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (it_sends_what_was_recorded_from_the_key_picture_on),
    TEST (it_ends_where_it_was_told_to),
    TEST (what_is_missing_is_told_and_takes_no_media_time),
    TEST (a_seek_goes_on_behind_with_a_new_beginning),
    TEST (many_seeks_at_once_end_at_the_last),
    TEST (a_pause_holds_and_play_goes_on),
    TEST (fast_forward_shows_key_pictures_alone),
    TEST (new_parameters_come_with_a_new_beginning),
    TEST (a_client_that_does_not_read_only_waits),
    TEST (a_browser_that_goes_ends_it),
  };
  return cmocka_run_group_tests (tests, recordings_set_up, recordings_tear_down);
}
