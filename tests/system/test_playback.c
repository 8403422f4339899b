/* What was recorded, out again: as a file over HTTP, with its entries in the viewing register. Real cameras' streams (GStreamer's
 * server over files of ffmpeg's), a real gateway, ffprobe and ffmpeg on the other side. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/core/clock.h"
#include "tests/support/test.h"
#include "tests/support/township.h"

#define SECOND G_TIME_SPAN_SECOND

enum { RECORDED_S = 14, WAIT_S = 90 };

typedef struct {
  Township *township;
  Process *server;
  gint64 from_us, to_us; /* ten seconds that both cameras were recorded in */
} Recorded;

static void make_file (Township *township, const char *name, const char *encoder, const char *audio)
{
  g_autofree char *path = g_build_filename (township->folder, name, NULL);
  assert_int_equal (
    process_run (township->folder, 120, NULL,
                 (const char *[]){ "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-f", "lavfi", "-i",
                                   "sine=f=440:r=8000", "-t", "120", "-c:v", encoder, "-preset", "ultrafast", "-g", "50", "-bf",
                                   "0", "-b:v", "300k", "-x265-params", "log-level=none", "-c:a", audio, "-ac", "1", path, NULL }),
    0);
}

/* When the camera's newest span began, 0 unless it is long enough. */
static gint64 span_start (const json_t *answer)
{
  json_t *spans = json_object_get (answer, "spans");
  json_t *span = json_array_get (spans, json_array_size (spans) - 1);
  gint64 from_us, to_us;
  if (span == NULL || !time_from_rfc3339 (json_string_value (json_object_get (span, "from")), &from_us)
      || !time_from_rfc3339 (json_string_value (json_object_get (span, "to")), &to_us))
    return 0;
  return to_us - from_us >= RECORDED_S * SECOND ? from_us : 0;
}

static gboolean is_long (const json_t *answer)
{
  return span_start (answer) != 0;
}

static gint64 wait_for_recording (Township *township, const char *camera)
{
  g_autofree char *path = g_strdup_printf ("/api/v1/cameras/%s/recordings", camera);
  json_t *answer = township_wait_for (township, path, is_long, WAIT_S);
  gint64 from_us = span_start (answer);
  json_decref (answer);
  return from_us;
}

static int recorded_setup (void **state)
{
  Recorded *recorded = *state = g_new0 (Recorded, 1);
  Township *township = recorded->township = township_new ("recordings.yaml", NULL);
  make_file (township, "h264.mp4", "libx264", "aac");
  make_file (township, "h265.mkv", "libx265", "pcm_alaw");
  g_autofree char *program = built_program ("tests/support/rtsp_file_server");
  for (int i = 0; i < 2; i++) {
    g_autofree char *port = g_strdup_printf ("%d", township->camera_ports[i]);
    g_autofree char *mount = g_strdup_printf (i == 0 ? "h265=%s/h265.mkv:h265+pcma" : "h264=%s/h264.mp4:h264+aac",
                                              township->folder);
    Process *server = process_start (township->folder, (const char *[]){ program, port, mount, NULL });
    g_free (process_wait_for (server, "ready", 20));
    if (i == 0)
      recorded->server = server;
    else
      township->simulator = server; /* ends with the township */
  }
  gint64 one_us = wait_for_recording (township, "h264"), other_us = wait_for_recording (township, "h265");
  recorded->from_us = MAX (one_us, other_us) + 2 * SECOND;
  recorded->to_us = recorded->from_us + 10 * SECOND;
  return 0;
}

static int recorded_teardown (void **state)
{
  Recorded *recorded = *state;
  township_free (recorded->township);
  process_free (recorded->server);
  g_free (recorded);
  return 0;
}

static char *export_path (const Recorded *recorded, const char *camera, gint64 from_us, gint64 to_us, const char *more)
{
  g_autofree char *from = time_to_rfc3339 (from_us), *to = time_to_rfc3339 (to_us);
  (void) recorded;
  return g_strdup_printf ("/api/v1/cameras/%s/recordings.mp4?from=%s&to=%s%s", camera, from, to, more);
}

static void check_film (Recorded *recorded, const char *camera, const char *codec)
{
  Township *township = recorded->township;
  g_autofree char *path = export_path (recorded, camera, recorded->from_us, recorded->to_us, "&reason=case%207");
  g_autoptr (HttpAnswer) answer = http_client_call (township->http, "GET", path, NULL);
  assert_int_equal (answer->status, 200);
  assert_string_equal (answer->content_type, "video/mp4");
  g_autofree char *file = g_build_filename (township->folder, "export.mp4", NULL);
  assert_true (g_file_set_contents (file, answer->body, (gssize) answer->size, NULL));
  char *said;
  assert_int_equal (process_run (township->folder, 30, &said,
                                 (const char *[]){ "ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", file, "-f", "null", "-",
                                                   NULL }),
                    0);
  assert_string_equal (said, "");
  g_free (said);
  assert_int_equal (process_run (township->folder, 30, &said,
                                 (const char *[]){ "ffprobe", "-v", "error", "-count_packets", "-show_entries",
                                                   "stream=codec_name,nb_read_packets", "-of", "csv=p=0", file, NULL }),
                    0);
  g_auto (GStrv) lines = g_strsplit (said, "\n", -1);
  g_auto (GStrv) video = g_strsplit (lines[0], ",", -1);
  assert_string_equal (video[0], codec);
  assert_in_range (g_ascii_strtoll (video[1], NULL, 10), 245, 310); /* ten seconds, from the key picture before */
  assert_true (g_str_has_prefix (lines[1], "aac,"));
  g_free (said);
}

static void an_export_is_one_file_that_plays_and_stands_in_the_register (void **state)
{
  Recorded *recorded = *state;
  check_film (recorded, "h264", "h264");
  check_film (recorded, "h265", "hevc");
  json_t *views = http_client_get (recorded->township->http, "/api/v1/views?limit=10");
  json_t *view = json_array_get (json_object_get (views, "items"), 0);
  assert_string_equal (json_string_value (json_object_get (view, "kind")), "export");
  assert_string_equal (json_string_value (json_object_get (view, "camera")), "h265");
  assert_string_equal (json_string_value (json_object_get (view, "who")), "admin");
  assert_string_equal (json_string_value (json_object_get (view, "reason")), "case 7");
  g_autofree char *from = time_to_rfc3339 (recorded->from_us), *to = time_to_rfc3339 (recorded->to_us);
  g_autofree char *times = g_strconcat (from, "/", to, NULL);
  assert_string_equal (json_string_value (json_object_get (view, "subject")), times);
  json_decref (views);
}

static long status_of (Recorded *recorded, const char *path, const char *type)
{
  g_autoptr (HttpAnswer) answer = http_client_call (recorded->township->http, "GET", path, NULL);
  const char *got = json_string_value (json_object_get (answer->json, "type"));
  if (type != NULL && (got == NULL || !g_str_has_suffix (got, type)))
    fail_msg ("%s: %s instead of %s", path, got, type);
  return answer->status;
}

static void an_export_without_a_reason_or_a_recording_is_refused (void **state)
{
  Recorded *recorded = *state;
  g_autofree char *none = export_path (recorded, "h264", recorded->from_us, recorded->to_us, "");
  g_autofree char *blank = export_path (recorded, "h264", recorded->from_us, recorded->to_us, "&reason=%20");
  g_autofree char *past
    = export_path (recorded, "h264", recorded->from_us - 3600 * SECOND, recorded->from_us - 3590 * SECOND, "&reason=x");
  g_autofree char *turned = export_path (recorded, "h264", recorded->to_us, recorded->from_us, "&reason=x");
  g_autofree char *other = export_path (recorded, "nobody", recorded->from_us, recorded->to_us, "&reason=x");
  assert_int_equal (status_of (recorded, none, "reason-needed"), 400);
  assert_int_equal (status_of (recorded, blank, "reason-needed"), 400);
  assert_int_equal (status_of (recorded, past, "not-recorded"), 404);
  assert_int_equal (status_of (recorded, turned, "invalid"), 400);
  assert_int_equal (status_of (recorded, other, "unknown-camera"), 404);
  assert_int_equal (status_of (recorded, "/api/v1/cameras/h264/recordings.mp4?reason=x", "invalid"), 400);
}

static char *play_token (Township *township, const char *purpose)
{
  json_t *body = json_pack ("{s:[s], s:s}", "cameras", "h264", "for", purpose);
  g_autoptr (HttpAnswer) answer = http_client_call (township->http, "POST", "/api/v1/tokens", body);
  json_decref (body);
  return g_strdup (json_string_value (json_object_get (answer->json, "token")));
}

static void a_token_for_playback_opens_it_and_one_for_live_does_not (void **state)
{
  Recorded *recorded = *state;
  g_autofree char *live = play_token (recorded->township, "live"), *playback = play_token (recorded->township, "playback");
  g_autoptr (HttpClient) stranger = http_client_new (recorded->township->base_url);
  for (int i = 0; i < 3; i++) {
    g_autofree char *more = i == 0 ? g_strdup ("&reason=x") : g_strdup_printf ("&reason=x&token=%s", i == 1 ? live : playback);
    g_autofree char *path = export_path (recorded, "h264", recorded->from_us, recorded->to_us, more);
    g_autoptr (HttpAnswer) answer = http_client_call (stranger, "GET", path, NULL);
    assert_int_equal (answer->status, i == 0 ? 401 : i == 1 ? 403 : 200);
  }
}

static gboolean are_all_closed (const json_t *answer)
{
  size_t index;
  json_t *view;
  guint exports = 0;
  json_array_foreach (json_object_get (answer, "items"), index, view) {
    if (strcmp (json_string_value (json_object_get (view, "kind")), "export") != 0)
      continue;
    exports++;
    if (json_is_null (json_object_get (view, "to")))
      return FALSE;
  }
  return exports > 0;
}

static void every_export_is_closed_in_the_register (void **state)
{
  json_decref (township_wait_for (((Recorded *) *state)->township, "/api/v1/views?limit=100", are_all_closed, 20));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (an_export_is_one_file_that_plays_and_stands_in_the_register),
    cmocka_unit_test (an_export_without_a_reason_or_a_recording_is_refused),
    cmocka_unit_test (a_token_for_playback_opens_it_and_one_for_live_does_not),
    cmocka_unit_test (every_export_is_closed_in_the_register),
  };
  return cmocka_run_group_tests (tests, recorded_setup, recorded_teardown);
}
