#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/core/file.h"
#include "pipelines/live/fragment.h"
#include "pipelines/live/live_hub.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/record/sample_stream.h"

typedef struct {
  Loop *loop;
  Stream *stream;
  SampleStream *sample;
  Assembler *assembler;
  LiveHub *hub;
  guint from, to; /* what feed sends */
  int sockets[2]; /* ours, the viewer's */
  gint started, ended;
  char reason[32];
} Fixture;

static void on_started (LiveHub *hub, const char *viewer, gint64 at_us, gpointer data)
{
  (void) hub;
  assert_string_equal (viewer, "v1");
  assert_in_range (at_us, 1, g_get_real_time ());
  ((Fixture *) data)->started++;
}

static void on_ended (LiveHub *hub, const char *viewer, guint64 sent_bytes, const char *reason, gpointer data)
{
  Fixture *fixture = data;
  (void) hub;
  (void) viewer;
  (void) sent_bytes;
  fixture->ended++;
  g_strlcpy (fixture->reason, reason, sizeof fixture->reason);
}

static void on_described (LiveHub *hub, gpointer data)
{
  (void) data;
  assert_non_null (live_hub_mime (hub));
}

static void make_on_loop (gpointer data)
{
  Fixture *fixture = data;
  LiveEvents events = { on_started, on_ended, on_described, fixture };
  fixture->stream = stream_new (fixture->loop, "bridge", "main");
  fixture->assembler = assembler_new (fixture->stream);
  fixture->hub = live_hub_new (fixture->assembler, &events);
  stream_begin (fixture->stream, track_list_copy (fixture->sample->tracks));
}

static void free_on_loop (gpointer data)
{
  Fixture *fixture = data;
  live_hub_free (fixture->hub);
  assembler_free (fixture->assembler);
  stream_free (fixture->stream);
}

static void feed_on_loop (gpointer data)
{
  Fixture *fixture = data;
  sample_stream_feed (fixture->sample, fixture->stream, fixture->from, fixture->to);
}

static void feed (Fixture *fixture, guint from, guint to)
{
  fixture->from = from;
  fixture->to = to;
  loop_call (fixture->loop, feed_on_loop, fixture);
}

typedef struct {
  LiveHub *hub;
  int sockets[LIVE_PROMPT_VIEWERS];
} Crowd;

static void join_on_loop (gpointer data)
{
  Fixture *fixture = data;
  assert_true (live_hub_add_viewer (fixture->hub, "v1", fixture->sockets[1], NULL, 0, NULL));
}

static void join (Fixture *fixture)
{
  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fixture->sockets), 0);
  int room = 8 * 1024 * 1024;
  setsockopt (fixture->sockets[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  loop_call (fixture->loop, join_on_loop, fixture);
}

static void join_crowd_on_loop (gpointer data)
{
  Crowd *crowd = data;
  for (guint i = 0; i < LIVE_PROMPT_VIEWERS; i++) {
    int sockets[2];
    assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets), 0);
    crowd->sockets[i] = sockets[0];
    assert_true (live_hub_add_viewer (crowd->hub, "v1", sockets[1], NULL, 0, NULL));
  }
}

static void reconnect_on_loop (gpointer data)
{
  Fixture *fixture = data;
  stream_end (fixture->stream, "unreachable");
  stream_begin (fixture->stream, track_list_copy (fixture->sample->tracks));
}

static Fixture *fixture_new (const char *encoder, SampleAudio audio, guint seconds)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  fixture->sample = sample_stream_make (encoder, audio, seconds, g_get_real_time ());
  fixture->loop = loop_new (NULL);
  loop_call (fixture->loop, make_on_loop, fixture);
  return fixture;
}

static void fixture_free (Fixture *fixture)
{
  loop_call (fixture->loop, free_on_loop, fixture);
  loop_free (fixture->loop);
  sample_stream_free (fixture->sample);
  if (fixture->sockets[0] > 0)
    close (fixture->sockets[0]);
  g_free (fixture);
}

typedef struct {
  GPtrArray *texts;
  GByteArray *media; /* all binary messages */
  guint binaries;
  gboolean is_closed;
} Received;

/* Reads what is there: the loop has sent all that the socket took. */
static Received receive (Fixture *fixture)
{
  Received received = { g_ptr_array_new_with_free_func (g_free), g_byte_array_new (), 0, FALSE };
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  guint8 chunk[65536];
  gssize size;
  while ((size = recv (fixture->sockets[0], chunk, sizeof chunk, MSG_DONTWAIT)) > 0)
    g_byte_array_append (bytes, chunk, (guint) size);
  for (gsize at = 0; at + 2 <= bytes->len;) {
    const guint8 *head = bytes->data + at;
    gsize length = head[1] & 127, width = length < 126 ? 0 : length == 126 ? 2 : 8;
    assert_false (head[1] & 0x80);
    for (gsize i = 0, value = 0; i < width; i++)
      length = value = value << 8 | head[2 + i];
    assert_true (at + 2 + width + length <= bytes->len);
    const guint8 *payload = head + 2 + width;
    if ((head[0] & 15) == 1) {
      g_ptr_array_add (received.texts, g_strndup ((const char *) payload, length));
    } else if ((head[0] & 15) == 2) {
      gboolean is_init = memcmp (payload + 4, "ftyp", 4) == 0;
      if (!is_init || received.media->len == 0) /* libavformat takes one moov only */
        g_byte_array_append (received.media, payload, (guint) length);
      received.binaries++;
    } else if ((head[0] & 15) == 8) {
      received.is_closed = TRUE;
    }
    at += 2 + width + length;
  }
  return received;
}

static void received_clear (Received *received)
{
  g_ptr_array_unref (received->texts);
  g_byte_array_unref (received->media);
}

static FileFacts facts_of (const Received *received)
{
  char *folder = folder_make_temporary ();
  g_autofree char *path = g_build_filename (folder, "live.mp4", NULL);
  assert_true (g_file_set_contents (path, (const char *) received->media->data, received->media->len, NULL));
  assert_plays (path);
  FileFacts facts = file_facts (path);
  folder_drop (folder);
  return facts;
}

static void tell_on_loop (gpointer data)
{
  Fixture *fixture = data;
  live_hub_each_viewer (fixture->hub, on_started, fixture);
}

static void a_viewer_gets_type_and_init_and_the_kept_group_at_once (void **state)
{
  (void) state;
  Fixture *fixture = fixture_new ("libx264 -profile:v high -level 4.0 -bf 2 -g 25", SAMPLE_AAC, 3);
  feed (fixture, 0, 40); /* the second group has begun at picture 25 */
  join (fixture);
  Received received = receive (fixture);
  assert_int_equal (received.texts->len, 1);
  assert_string_equal (received.texts->pdata[0], "{\"mime\":\"video/mp4; codecs=\\\"avc1.640028,mp4a.40.2\\\"\"}");
  FileFacts facts = facts_of (&received);
  assert_int_equal (facts.keys, 1);
  assert_in_range (facts.video, 13, 15); /* 25 to 39, but for what the next fragment still waits for */
  loop_call (fixture->loop, tell_on_loop, fixture); /* whoever asks later is told of the same viewer */
  assert_int_equal (fixture->started, 2);
  file_facts_clear (&facts);
  received_clear (&received);
  fixture_free (fixture);
}

static void b_frames_keep_their_order_and_times (void **state)
{
  (void) state;
  Fixture *fixture = fixture_new ("libx264 -bf 3 -g 25", SAMPLE_AAC, 4);
  join (fixture);
  feed (fixture, 0, 100);
  Received received = receive (fixture);
  FileFacts facts = facts_of (&received);
  assert_in_range (facts.video, 98, 100);
  assert_true (facts.audio > 150);
  for (guint i = 1; i + 4 < facts.video; i++) /* the last pictures wait for the next fragment */
    assert_int_equal (g_array_index (facts.video_pts_us, gint64, i) - g_array_index (facts.video_pts_us, gint64, i - 1), 40000);
  assert_in_range (received.binaries, 98, 110); /* a picture each, and sound before the first of a group */
  file_facts_clear (&facts);
  received_clear (&received);
  fixture_free (fixture);
}

static void g711_is_heard_as_aac (void **state)
{
  (void) state;
  Fixture *fixture = fixture_new ("libx264 -profile:v main -g 25", SAMPLE_PCMA, 3);
  join (fixture);
  feed (fixture, 0, 75);
  Received received = receive (fixture);
  assert_non_null (strstr (received.texts->pdata[0], "mp4a.40.2"));
  FileFacts facts = facts_of (&received);
  assert_in_range (facts.audio, 18, 24); /* 128 ms each */
  file_facts_clear (&facts);
  received_clear (&received);
  fixture_free (fixture);
}

/* The sound's clock, made `percent` of what it should be: hours of a real one's drift in seconds. */
static void bend_audio_clock (SampleStream *sample, guint percent)
{
  gint64 first = -1;
  for (guint i = 0; i < sample->packets->len; i++) {
    SamplePacket *packet = sample->packets->pdata[i];
    gsize size;
    guint8 *bytes = packet->track == 1 ? g_bytes_unref_to_data (packet->bytes, &size) : NULL;
    if (bytes == NULL)
      continue;
    gint64 time = (gint64) bytes[4] << 24 | bytes[5] << 16 | bytes[6] << 8 | bytes[7];
    first = first < 0 ? time : first;
    guint32 bent = (guint32) (first + (time - first) * percent / 100);
    for (guint at = 0; at < 4; at++)
      bytes[4 + at] = (guint8) (bent >> (24 - 8 * at));
    packet->bytes = g_bytes_new_take (bytes, size);
  }
}

static void check_sound_is_with_the_picture (guint percent)
{
  SampleStream *sample = sample_stream_make ("libx264 -bf 2 -g 25", SAMPLE_AAC, 10, g_get_real_time ());
  bend_audio_clock (sample, percent);
  g_autoptr (GPtrArray) units = sample_stream_units (sample);
  gint64 picture_us = 0, sound_us = -1;
  guint sounds = 0;
  for (guint i = 0; i < units->len; i++) {
    const AccessUnit *unit = units->pdata[i];
    gint64 dts_us = access_unit_dts_us (unit);
    if (access_unit_is_video (unit)) {
      picture_us = dts_us;
      continue;
    }
    assert_true (dts_us > sound_us);
    assert_in_range (dts_us - picture_us + 1100000, 0, 2200000); /* half a second, a second of it, and a group */
    sound_us = dts_us;
    sounds++;
  }
  assert_true (sounds > 250);
  sample_stream_free (sample);
}

static void sound_whose_clock_drifts_stays_with_the_picture (void **state)
{
  (void) state;
  check_sound_is_with_the_picture (75);
  check_sound_is_with_the_picture (125);
}

static void a_camera_that_comes_back_goes_on_in_the_same_timeline (void **state)
{
  (void) state;
  Fixture *fixture = fixture_new ("libx264 -g 25", SAMPLE_SILENT, 2);
  join (fixture);
  feed (fixture, 0, 50);
  loop_call (fixture->loop, reconnect_on_loop, fixture);
  feed (fixture, 0, 50);
  Received received = receive (fixture);
  assert_int_equal (received.texts->len, 2);
  FileFacts facts = facts_of (&received);
  assert_in_range (facts.video, 98, 100);
  assert_in_range (facts.last_us - facts.first_us, 3900000, 4200000);
  file_facts_clear (&facts);
  received_clear (&received);
  assert_int_equal (fixture->ended, 0);
  fixture_free (fixture);
}

static guint fragments_of (const Received *received)
{
  guint count = 0;
  for (guint at = 0; at + 4 <= received->media->len; at++)
    count += memcmp (received->media->data + at, "moof", 4) == 0;
  return count;
}

static void few_viewers_get_each_picture_at_once_and_many_a_tenth_of_a_second (void **state)
{
  (void) state;
  Fixture *fixture = fixture_new ("libx264 -g 25", SAMPLE_SILENT, 2);
  Crowd crowd = { .hub = fixture->hub };
  join (fixture);
  feed (fixture, 0, 25);
  Received received = receive (fixture);
  assert_in_range (fragments_of (&received), 24, 25);
  received_clear (&received);
  loop_call (fixture->loop, join_crowd_on_loop, &crowd);
  feed (fixture, 25, 50);
  received = receive (fixture);
  assert_in_range (fragments_of (&received), 8, 14);
  received_clear (&received);
  for (guint i = 0; i < LIVE_PROMPT_VIEWERS; i++)
    close (crowd.sockets[i]);
  fixture_free (fixture);
}

static void h265_is_named_so_that_the_page_can_say_why (void **state)
{
  (void) state;
  Fixture *fixture = fixture_new ("libx265 -x265-params keyint=25:log-level=none", SAMPLE_SILENT, 1);
  join (fixture);
  feed (fixture, 0, 25);
  Received received = receive (fixture);
  assert_non_null (strstr (received.texts->pdata[0], "hvc1.1.6."));
  FileFacts facts = facts_of (&received);
  assert_true (facts.video > 20);
  file_facts_clear (&facts);
  received_clear (&received);
  fixture_free (fixture);
}

static void a_stalled_viewer_skips_to_a_key_frame_and_is_counted (void **state)
{
  (void) state;
  Fixture *fixture = fixture_new ("libx264 -qp 0 -g 25 -preset ultrafast", SAMPLE_SILENT, 12);
  join (fixture);
  int room = 65536;
  setsockopt (fixture->sockets[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  for (guint round = 0; round < 8 && live_hub_counts (fixture->hub).skips == 0; round++) {
    feed (fixture, 0, 300);
    loop_call (fixture->loop, reconnect_on_loop, fixture);
  }
  assert_true (live_hub_counts (fixture->hub).skips > 0);
  assert_int_equal (live_hub_counts (fixture->hub).viewers, 1);
  fixture_free (fixture);
}

/* Each picture is a key, so a key is what there was no room for. Nothing comes after it. */
static void a_viewer_skips_to_the_key_frame_that_was_too_much (void **state)
{
  (void) state;
  Fixture *fixture = fixture_new ("libx264 -qp 0 -g 1 -preset ultrafast", SAMPLE_SILENT, 8);
  join (fixture);
  int room = 65536;
  setsockopt (fixture->sockets[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  for (guint i = 0; i < 4000 && live_hub_counts (fixture->hub).skips == 0; i++) {
    feed (fixture, i % 200, i % 200 + 1);
    if (i % 200 == 199)
      loop_call (fixture->loop, reconnect_on_loop, fixture);
  }
  assert_int_equal (live_hub_counts (fixture->hub).skips, 1);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  const guint8 *init = NULL, *key = NULL;
  guint8 chunk[65536];
  while (key == NULL) {
    struct pollfd readable = { fixture->sockets[0], POLLIN, 0 };
    assert_int_equal (poll (&readable, 1, 10000), 1);
    gssize size = recv (fixture->sockets[0], chunk, sizeof chunk, MSG_DONTWAIT);
    assert_true (size > 0);
    g_byte_array_append (bytes, chunk, (guint) size);
    init = memmem (bytes->data, bytes->len, "ftyp", 4);
    init = init == NULL ? NULL : memmem (init + 4, bytes->len - (gsize) (init + 4 - bytes->data), "ftyp", 4);
    key = init == NULL ? NULL : memmem (init, bytes->len - (gsize) (init - bytes->data), "moof", 4);
  }
  assert_int_equal (live_hub_counts (fixture->hub).skips, 1);
  fixture_free (fixture);
}

typedef struct {
  Stream *stream;
  gboolean is_wanted, is_watched;
} Need;

static void look_on_loop (gpointer data)
{
  Need *need = data;
  need->is_wanted = stream_is_wanted (need->stream);
  need->is_watched = stream_is_watched (need->stream);
}

static Need need_of (Fixture *fixture)
{
  Need need = { .stream = fixture->stream };
  loop_call (fixture->loop, look_on_loop, &need);
  return need;
}

static void a_viewer_that_leaves_stops_the_work (void **state)
{
  (void) state;
  Fixture *fixture = fixture_new ("libx264 -g 25", SAMPLE_SILENT, 1);
  join (fixture);
  feed (fixture, 0, 10);
  Need need = need_of (fixture);
  assert_true (need.is_wanted && need.is_watched);
  close (fixture->sockets[0]);
  fixture->sockets[0] = 0;
  feed (fixture, 10, 20);
  feed (fixture, 20, 25);
  assert_int_equal (fixture->ended, 1);
  assert_string_equal (fixture->reason, "closed");
  need = need_of (fixture);
  assert_false (need.is_wanted || need.is_watched);
  fixture_free (fixture);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_viewer_gets_type_and_init_and_the_kept_group_at_once),
    cmocka_unit_test (b_frames_keep_their_order_and_times),
    cmocka_unit_test (g711_is_heard_as_aac),
    cmocka_unit_test (sound_whose_clock_drifts_stays_with_the_picture),
    cmocka_unit_test (a_camera_that_comes_back_goes_on_in_the_same_timeline),
    cmocka_unit_test (few_viewers_get_each_picture_at_once_and_many_a_tenth_of_a_second),
    cmocka_unit_test (h265_is_named_so_that_the_page_can_say_why),
    cmocka_unit_test (a_stalled_viewer_skips_to_a_key_frame_and_is_counted),
    cmocka_unit_test (a_viewer_skips_to_the_key_frame_that_was_too_much),
    cmocka_unit_test (a_viewer_that_leaves_stops_the_work),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
