/* The media process's own table and threads, with the link's other end beside it; the camera is a stream that is fed. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/media_control.h"
#include "pipelines/record/recordings_index.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/record/sample_stream.h"

enum { WATCHDOG_US = 20 * G_USEC_PER_SEC };

typedef struct {
  char *folder;
  Media *media;
  LinkEndpoint *link;
  GPtrArray *events; /* of LinkMessage */
  LinkMessage *reply;
  char *error;
  gboolean is_answered;
  int camera; /* listens, and never answers: the source keeps its hands off the stream that is fed here */
  char *url;
} Fixture;

static SampleStream *sample;
static gint64 start_us;

static void on_event (LinkEndpoint *endpoint, LinkMessage *message, gpointer data)
{
  (void) endpoint;
  g_ptr_array_add (((Fixture *) data)->events, message);
}

static void on_changed (LinkEndpoint *endpoint, gboolean is_connected, gpointer data)
{
  (void) endpoint, (void) is_connected, (void) data;
}

static gboolean wake (gpointer data)
{
  (void) data;
  return G_SOURCE_CONTINUE;
}

/* Turns the main context until `is_there` says so. */
#define WAIT_FOR(condition)                                                                                            \
  do {                                                                                                                 \
    gint64 until_ = g_get_monotonic_time () + WATCHDOG_US;                                                             \
    while (!(condition) && g_get_monotonic_time () < until_)                                                           \
      g_main_context_iteration (NULL, TRUE);                                                                           \
    assert_true (condition);                                                                                           \
  } while (0)

static LinkMessage *event_of (Fixture *fixture, LinkKind kind)
{
  for (guint i = 0; i < fixture->events->len; i++)
    if (((LinkMessage *) fixture->events->pdata[i])->kind == kind)
      return fixture->events->pdata[i];
  return NULL;
}

static void on_reply (LinkMessage *reply, const GError *error, gpointer data)
{
  Fixture *fixture = data;
  fixture->is_answered = TRUE;
  g_clear_pointer (&fixture->error, g_free);
  g_clear_pointer (&fixture->reply, link_message_free);
  g_autoptr (GError) failure = NULL;
  if (error != NULL) {
    fixture->error = g_strdup (error->message);
  } else if (link_message_failed (reply, &failure)) {
    fixture->error = g_strdup (failure->message);
  } else {
    fixture->reply = link_message_reply (reply, json_incref (reply->body));
    int fd = link_message_steal_fd (reply, 0);
    if (fd >= 0)
      link_message_add_fd (fixture->reply, fd);
  }
}

static const char *ask (Fixture *fixture, LinkKind kind, json_t *body, int fd)
{
  LinkMessage *message = link_message_new (kind, body);
  if (fd >= 0)
    link_message_add_fd (message, fd);
  fixture->is_answered = FALSE;
  link_endpoint_request (fixture->link, message, 0, on_reply, fixture);
  WAIT_FOR (fixture->is_answered);
  return fixture->error;
}

static void begin_site (Fixture *fixture, const char *data_dir, gint64 retain_us)
{
  assert_null (ask (fixture, LINK_SITE_BEGIN,
                    json_pack ("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "gateway", "g", "rtsp_listen",
                               "127.0.0.1:0", "data_dir", data_dir, "segment", (json_int_t) 2000000, "retain",
                               (json_int_t) retain_us, "keep_at_least", (json_int_t) 0, "max_bytes", (json_int_t) 0,
                               "min_free_bytes", (json_int_t) 0, "min_free_percent", (json_int_t) 0),
                    -1));
}

static void put_stream (Fixture *fixture, const char *stream, const char *record, gint64 pre_roll_us, gboolean is_on_demand)
{
  assert_null (ask (fixture, LINK_CAMERA_PUT,
                    json_pack ("{s:s, s:s, s:s, s:s, s:b, s:I, s:s, s:I}", "camera", "bridge", "stream", stream, "url",
                               fixture->url, "transport", "tcp", "on_demand", is_on_demand, "linger",
                               (json_int_t) 10 * G_USEC_PER_SEC, "record", record,
                               "pre_roll", (json_int_t) pre_roll_us),
                    -1));
}

static void put_camera (Fixture *fixture, const char *record, gint64 pre_roll_us, gboolean is_on_demand)
{
  put_stream (fixture, "main", record, pre_roll_us, is_on_demand);
}

static void put_site_in (Fixture *fixture, const char *data_dir, const char *record, gint64 pre_roll_us,
                         gboolean is_on_demand)
{
  begin_site (fixture, data_dir, 86400 * (gint64) G_USEC_PER_SEC);
  put_camera (fixture, record, pre_roll_us, is_on_demand);
  assert_null (ask (fixture, LINK_SITE_END, NULL, -1));
}

static void put_site (Fixture *fixture, const char *record, gint64 pre_roll_us)
{
  put_site_in (fixture, fixture->folder, record, pre_roll_us, FALSE);
}

typedef struct {
  MediaStream *stream;
  guint from, to;
} Part;

static void feed_on_loop (gpointer data)
{
  Part *part = data;
  Stream *stream = part->stream->stream;
  if (stream_tracks (stream) == NULL)
    stream_begin (stream, track_list_copy (sample->tracks));
  sample_stream_feed (sample, stream, part->from, part->to);
}

/* Pictures [from, to), 25 a second. */
static void feed_part (Fixture *fixture, guint from, guint to)
{
  Part part = { media_find_stream (fixture->media, "bridge", "main"), from, to };
  loop_call (part.stream->loop, feed_on_loop, &part);
}

static void feed (Fixture *fixture)
{
  feed_part (fixture, 0, G_MAXUINT);
}

static void listen_as_camera (Fixture *fixture)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  fixture->camera = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal (bind (fixture->camera, (struct sockaddr *) &address, size), 0);
  assert_int_equal (listen (fixture->camera, 5), 0);
  getsockname (fixture->camera, (struct sockaddr *) &address, &size);
  fixture->url = g_strdup_printf ("rtsp://127.0.0.1:%u/x", ntohs (address.sin_port));
}

static int set_up (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  g_autoptr (GError) error = NULL;
  fixture->folder = folder_make_temporary ();
  listen_as_camera (fixture);
  fixture->events = g_ptr_array_new_with_free_func ((GDestroyNotify) link_message_free);
  fixture->media = media_new (fixture->folder, &error);
  if (fixture->media == NULL)
    fail_msg ("%s", error->message);
  g_autofree char *path = g_build_filename (fixture->folder, "media.sock", NULL);
  fixture->link = link_endpoint_connect (path, on_event, on_changed, fixture);
  g_timeout_add (20, wake, NULL); /* so that a watchdog sees its time */
  WAIT_FOR (link_endpoint_is_connected (fixture->link));
  *state = fixture;
  return 0;
}

static int tear_down (void **state)
{
  Fixture *fixture = *state;
  link_endpoint_free (fixture->link);
  media_free (fixture->media);
  g_ptr_array_unref (fixture->events);
  link_message_free (fixture->reply);
  g_free (fixture->error);
  g_free (fixture->url);
  close (fixture->camera);
  folder_drop (fixture->folder);
  g_free (fixture);
  return 0;
}

static int clip_file (Fixture *fixture, char **path)
{
  *path = g_build_filename (fixture->folder, "clip.mp4", NULL);
  return open (*path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static json_t *clip_request (gint64 from_us, gint64 to_us)
{
  return json_pack ("{s:s, s:s, s:s, s:I, s:I}", "clip", "c1", "camera", "bridge", "stream", "main", "from",
                    (json_int_t) from_us, "to", (json_int_t) to_us);
}

static void check_clip (Fixture *fixture, gint64 from_us, gint64 to_us)
{
  g_autofree char *path = NULL;
  int fd = clip_file (fixture, &path);
  assert_null (ask (fixture, LINK_CLIP_CUT, clip_request (from_us, to_us), fd));
  WAIT_FOR (event_of (fixture, LINK_CLIP_DONE) != NULL);
  LinkMessage *done = event_of (fixture, LINK_CLIP_DONE);
  assert_true (link_message_boolean (done, "ok"));
  assert_true (link_message_integer (done, "from") <= from_us);
  assert_in_range (link_message_integer (done, "to"), to_us - 100000, to_us);
  assert_int_equal (strlen (link_message_string (done, "sha256")), 64);
  assert_plays (path);
  FileFacts facts = file_facts (path);
  assert_in_range (facts.video, 85, 115); /* 3.4 s and what comes before from the key frame on */
  file_facts_clear (&facts);
}

static void check_picture (Fixture *fixture, gint64 at_us)
{
  assert_null (ask (fixture, LINK_PICTURE_TAKE,
                    json_pack ("{s:s, s:s, s:I}", "camera", "bridge", "stream", "main", "at", (json_int_t) at_us), -1));
  assert_string_equal (link_message_string (fixture->reply, "codec"), "h264");
  int fd = link_message_steal_fd (fixture->reply, 0);
  guint8 head[5];
  assert_int_equal (pread (fd, head, 5, 0), 5);
  assert_memory_equal (head, "\0\0\0\1\x67", 5);
  assert_true (fcntl (fd, F_GET_SEALS) & F_SEAL_WRITE);
  close (fd);
  if (at_us != 0)
    assert_in_range (link_message_integer (fixture->reply, "taken_at"), at_us - 1000000, at_us + 1000000);
}

static void a_recorded_camera_gives_clips_pictures_and_its_list (void **state)
{
  Fixture *fixture = *state;
  put_site (fixture, "continuous", 0);
  feed (fixture);
  check_clip (fixture, start_us + 1600000, start_us + 5000000);
  check_picture (fixture, 0);
  check_picture (fixture, start_us + 3500000);
  assert_null (ask (fixture, LINK_RECORDINGS_LIST,
                    json_pack ("{s:s, s:I, s:I}", "camera", "bridge", "from", (json_int_t) (start_us - 1000000), "to",
                               (json_int_t) (start_us + 60000000)),
                    -1));
  json_t *span = json_array_get (link_message_json (fixture->reply, "spans"), 0);
  assert_in_range (json_integer_value (json_array_get (span, 1)) - json_integer_value (json_array_get (span, 0)), 7000000,
                   8200000);
  LinkMessage *recording = event_of (fixture, LINK_RECORDING_STATE);
  assert_non_null (recording);
  assert_string_equal (link_message_string (recording, "state"), "recording");
}

static void a_camera_that_is_not_recorded_gives_a_clip_from_memory (void **state)
{
  Fixture *fixture = *state;
  put_site (fixture, "off", 20 * G_USEC_PER_SEC);
  feed (fixture);
  check_clip (fixture, start_us + 1600000, start_us + 5000000);
  check_picture (fixture, start_us + 3500000);
}

static void an_event_camera_records_while_a_clip_is_made (void **state)
{
  Fixture *fixture = *state;
  put_site (fixture, "event", 20 * G_USEC_PER_SEC);
  feed (fixture);
  check_clip (fixture, start_us + 1600000, start_us + 5000000);
}

static gint64 list_entry (Fixture *fixture, const char *name, guint entry, guint field)
{
  return json_integer_value (json_array_get (json_array_get (link_message_json (fixture->reply, name), entry), field));
}

static guint list_stream (Fixture *fixture, const char *stream, const char *name)
{
  assert_null (ask (fixture, LINK_RECORDINGS_LIST,
                    json_pack ("{s:s, s:s, s:I, s:I}", "camera", "bridge", "stream", stream, "from",
                               (json_int_t) (start_us - 60000000), "to", (json_int_t) (start_us + 60000000)),
                    -1));
  return (guint) json_array_size (link_message_json (fixture->reply, name));
}

static guint list_recordings (Fixture *fixture, const char *name)
{
  return list_stream (fixture, "main", name);
}

static guint recorded_pictures (Fixture *fixture)
{
  guint pictures = 0;
  g_autoptr (RecordingsIndex) index = recordings_index_open (fixture->folder, DATABASE_READER, NULL);
  g_autoptr (GPtrArray) rows = recordings_index_find (index, "bridge", "main", 0, G_MAXINT64 / 2, 100, NULL);
  for (guint i = 0; i < rows->len; i++) {
    g_autofree char *path = g_build_filename (fixture->folder, ((SegmentRow *) rows->pdata[i])->file, NULL);
    assert_plays (path);
    FileFacts facts = file_facts (path);
    pictures += facts.video;
    file_facts_clear (&facts);
  }
  return pictures;
}

static void clip_of (Fixture *fixture, gint64 from_us, gint64 to_us)
{
  g_autofree char *path = NULL;
  g_ptr_array_set_size (fixture->events, 0);
  assert_null (ask (fixture, LINK_CLIP_CUT, clip_request (from_us, to_us), clip_file (fixture, &path)));
  WAIT_FOR (event_of (fixture, LINK_CLIP_DONE) != NULL);
  assert_true (link_message_boolean (event_of (fixture, LINK_CLIP_DONE), "ok"));
}

/* What an event records begins with the pre-roll; one that follows soon goes on where the last one ended. */
static void events_record_their_pre_roll_and_join (void **state)
{
  Fixture *fixture = *state;
  put_site (fixture, "event", 30 * G_USEC_PER_SEC);
  feed_part (fixture, 0, 100);
  assert_int_equal (list_recordings (fixture, "spans"), 0);
  clip_of (fixture, start_us + 1600000, start_us + 3000000);
  feed_part (fixture, 100, 150); /* nothing happens meanwhile */
  clip_of (fixture, start_us + 3000000, start_us + 5000000);
  feed_part (fixture, 150, G_MAXUINT);
  put_site (fixture, "off", 0);
  WAIT_FOR (list_recordings (fixture, "spans") == 1 && list_entry (fixture, "spans", 0, 1) > start_us + 5700000);
  assert_in_range (list_entry (fixture, "spans", 0, 0), start_us - 100000, start_us + 100000);
  assert_in_range (recorded_pictures (fixture), 145, 150); /* once each; the assembler holds the newest back */
}

static void a_pre_roll_that_is_not_there_is_a_gap (void **state)
{
  Fixture *fixture = *state;
  put_site_in (fixture, fixture->folder, "event", 30 * G_USEC_PER_SEC, TRUE);
  g_autofree char *path = NULL;
  gint64 from_us = g_get_real_time () - 30 * G_USEC_PER_SEC;
  assert_null (ask (fixture, LINK_CLIP_CUT, clip_request (from_us, g_get_real_time () + 1000000), clip_file (fixture, &path)));
  feed (fixture);
  WAIT_FOR (event_of (fixture, LINK_CLIP_DONE) != NULL);
  WAIT_FOR (list_recordings (fixture, "gaps") == 1 && list_entry (fixture, "gaps", 0, 1) < start_us + 1000000);
  assert_in_range (list_entry (fixture, "gaps", 0, 0), from_us, from_us + G_USEC_PER_SEC);
  assert_in_range (list_entry (fixture, "gaps", 0, 1), start_us - 100000, start_us + 100000);
  json_t *gap = json_array_get (link_message_json (fixture->reply, "gaps"), 0);
  assert_string_equal (json_string_value (json_array_get (gap, 2)), "on_demand");
}

static void a_sub_stream_is_recorded_as_such (void **state)
{
  Fixture *fixture = *state;
  g_autofree char *main_folder = g_build_filename (fixture->folder, "recordings", "bridge", "main", NULL);
  g_autofree char *sub_folder = g_build_filename (fixture->folder, "recordings", "bridge", "sub", NULL);
  begin_site (fixture, fixture->folder, 86400 * (gint64) G_USEC_PER_SEC);
  put_camera (fixture, "off", 0, FALSE);
  put_stream (fixture, "sub", "continuous", 0, TRUE);
  assert_null (ask (fixture, LINK_SITE_END, NULL, -1));
  Part part = { media_find_stream (fixture->media, "bridge", "sub"), 0, G_MAXUINT };
  loop_call (part.stream->loop, feed_on_loop, &part);
  feed (fixture);
  WAIT_FOR (list_stream (fixture, "sub", "spans") == 1 && list_entry (fixture, "spans", 0, 1) > start_us + 5700000);
  assert_int_equal (list_recordings (fixture, "spans"), 0);
  assert_true (g_file_test (sub_folder, G_FILE_TEST_IS_DIR));
  assert_false (g_file_test (main_folder, G_FILE_TEST_EXISTS));
}

static void what_is_held_is_left_by_retention (void **state)
{
  Fixture *fixture = *state;
  put_site (fixture, "continuous", 0);
  feed (fixture);
  put_site (fixture, "off", 0);
  WAIT_FOR (list_recordings (fixture, "spans") == 1 && list_entry (fixture, "spans", 0, 1) > start_us + 7500000);
  for (guint i = 0; i < 2; i++) { /* the second time without the hold */
    begin_site (fixture, fixture->folder, G_USEC_PER_SEC);
    put_camera (fixture, "off", 0, FALSE);
    if (i == 0)
      assert_null (ask (fixture, LINK_HOLD_PUT,
                        json_pack ("{s:s, s:I, s:I, s:i}", "camera", "bridge", "from", (json_int_t) (start_us + 2500000), "to",
                                   (json_int_t) (start_us + 3500000), "until", 0),
                        -1));
    assert_null (ask (fixture, LINK_SITE_END, NULL, -1));
    if (i == 0)
      WAIT_FOR (list_recordings (fixture, "spans") == 1 && list_entry (fixture, "spans", 0, 0) > start_us + 1000000
                && list_entry (fixture, "spans", 0, 1) < start_us + 5000000);
    else
      WAIT_FOR (list_recordings (fixture, "spans") == 0);
  }
  assert_null (ask (fixture, LINK_DELETIONS_LIST,
                    json_pack ("{s:s, s:i, s:I, s:i}", "camera", "bridge", "from", 0, "to", (json_int_t) G_MAXINT64, "after", 0),
                    -1));
  assert_true (json_array_size (link_message_json (fixture->reply, "deletions")) >= 2);
}

static void nothing_to_cut_is_said (void **state)
{
  Fixture *fixture = *state;
  g_autofree char *path = NULL;
  put_site (fixture, "continuous", 0);
  assert_null (ask (fixture, LINK_CLIP_CUT, clip_request (start_us, start_us + 1000000), clip_file (fixture, &path)));
  WAIT_FOR (event_of (fixture, LINK_CLIP_DONE) != NULL);
  assert_false (link_message_boolean (event_of (fixture, LINK_CLIP_DONE), "ok"));
  assert_non_null (ask (fixture, LINK_CLIP_CUT, clip_request (start_us, start_us), open (path, O_RDWR | O_CLOEXEC)));
  assert_non_null (ask (fixture, LINK_CLIP_CUT, clip_request (start_us, start_us + 1), -1));
  assert_non_null (ask (fixture, LINK_PICTURE_TAKE,
                        json_pack ("{s:s, s:s, s:I}", "camera", "bridge", "stream", "main", "at", (json_int_t) 1000), -1));
  assert_non_null (ask (fixture, LINK_PICTURE_TAKE, json_pack ("{s:s, s:s}", "camera", "bridge", "stream", "sub"), -1));
}

static void a_browser_is_served_told_of_and_ended (void **state)
{
  Fixture *fixture = *state;
  int sockets[2];
  put_site (fixture, "off", 0);
  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets), 0);
  assert_null (ask (fixture, LINK_VIEWER_SOCKET,
                    json_pack ("{s:s, s:s, s:s, s:s}", "viewer", "v1", "camera", "bridge", "stream", "main", "extra", ""),
                    sockets[1]));
  WAIT_FOR (event_of (fixture, LINK_VIEWER_STARTED) != NULL);
  feed (fixture);
  guint8 head[4];
  assert_int_equal (recv (sockets[0], head, 4, 0), 4);
  assert_int_equal (head[0], 0x81); /* the text message with the type */
  assert_null (ask (fixture, LINK_VIEWER_END, json_pack ("{s:s, s:s}", "viewer", "v1", "reason", "revoked"), -1));
  WAIT_FOR (event_of (fixture, LINK_VIEWER_ENDED) != NULL);
  LinkMessage *ended = event_of (fixture, LINK_VIEWER_ENDED);
  assert_string_equal (link_message_string (ended, "reason"), "revoked");
  assert_true (link_message_integer (ended, "sent_bytes") > 1000);
  close (sockets[0]);
}

static void a_place_for_recordings_that_comes_later_is_used (void **state)
{
  Fixture *fixture = *state;
  g_autofree char *data_dir = g_build_filename (fixture->folder, "disk", NULL);
  assert_true (g_file_set_contents (data_dir, "no folder", -1, NULL));
  put_site_in (fixture, data_dir, "continuous", 0, FALSE);
  WAIT_FOR (event_of (fixture, LINK_RECORDING_STATE) != NULL);
  assert_string_equal (link_message_string (event_of (fixture, LINK_RECORDING_STATE), "state"), "stopped");
  assert_int_equal (unlink (data_dir), 0);
  put_site_in (fixture, data_dir, "continuous", 0, FALSE);
  feed (fixture);
  check_clip (fixture, start_us + 1600000, start_us + 5000000);
  g_autofree char *recordings = g_build_filename (data_dir, "recordings", "bridge", NULL);
  assert_true (g_file_test (recordings, G_FILE_TEST_IS_DIR));
}

/* What has come in and was not looked at yet when the process is told to end. */
static void what_comes_while_the_process_ends_is_not_heard (void **state)
{
  Fixture *fixture = *state;
  put_site (fixture, "continuous", 0);
  fixture->is_answered = FALSE;
  link_endpoint_request (fixture->link,
                         link_message_new (LINK_PICTURE_TAKE, json_pack ("{s:s, s:s}", "camera", "bridge", "stream", "main")),
                         0, on_reply, fixture);
  g_clear_pointer (&fixture->media, media_free);
  WAIT_FOR (fixture->is_answered);
  assert_non_null (fixture->error);
}

static int make_sample (void **state)
{
  (void) state;
  start_us = g_get_real_time () - 20 * G_USEC_PER_SEC;
  sample = sample_stream_make ("libx264 -bf 2 -g 25 -keyint_min 25 -sc_threshold 0", SAMPLE_AAC, 8, start_us);
  return 0;
}

static int drop_sample (void **state)
{
  (void) state;
  sample_stream_free (sample);
  return 0;
}

#define WITH_MEDIA(test) cmocka_unit_test_setup_teardown (test, set_up, tear_down)

int main (void)
{
  const struct CMUnitTest tests[] = {
    WITH_MEDIA (a_recorded_camera_gives_clips_pictures_and_its_list),
    WITH_MEDIA (a_camera_that_is_not_recorded_gives_a_clip_from_memory),
    WITH_MEDIA (an_event_camera_records_while_a_clip_is_made),
    WITH_MEDIA (events_record_their_pre_roll_and_join),
    WITH_MEDIA (a_pre_roll_that_is_not_there_is_a_gap),
    WITH_MEDIA (a_sub_stream_is_recorded_as_such),
    WITH_MEDIA (what_is_held_is_left_by_retention),
    WITH_MEDIA (nothing_to_cut_is_said),
    WITH_MEDIA (a_browser_is_served_told_of_and_ended),
    WITH_MEDIA (a_place_for_recordings_that_comes_later_is_used),
    WITH_MEDIA (what_comes_while_the_process_ends_is_not_heard),
  };
  return cmocka_run_group_tests (tests, make_sample, drop_sample);
}
