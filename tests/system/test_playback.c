/* What was recorded, out again: as a file over HTTP, with its entries in the viewing register. Real cameras' streams (GStreamer's
 * server over files of ffmpeg's), a real gateway, ffprobe and ffmpeg on the other side. */
#include <arpa/inet.h>
#include <stdlib.h>
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
  gint64 from_us, to_us; /* ten seconds that the first two cameras were recorded in */
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

/* The pictures of h264.mp4 with other sound. */
static void make_other (Township *township, const char *name, const char *audio)
{
  g_autofree char *path = g_build_filename (township->folder, name, NULL), *from = g_build_filename (township->folder, "h264.mp4", NULL);
  assert_int_equal (process_run (township->folder, 60, NULL,
                                 (const char *[]){ "ffmpeg", "-v", "error", "-i", from, "-c:v", "copy", "-c:a", audio, "-ac", "1",
                                                   path, NULL }),
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

/* `mounts`: NAME=FILE:CODECS, files in the township's folder. */
static Process *start_server (Township *township, int port_number, const char *const *mounts, guint count)
{
  g_autofree char *program = built_program ("tests/support/rtsp_file_server");
  g_autofree char *port = g_strdup_printf ("%d", port_number);
  g_autoptr (GPtrArray) arguments = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (arguments, g_strdup (program));
  g_ptr_array_add (arguments, g_strdup (port));
  for (guint i = 0; i < count; i++) {
    const char *file = strchr (mounts[i], '=') + 1;
    g_ptr_array_add (arguments, g_strdup_printf ("%.*s%s/%s", (int) (file - mounts[i]), mounts[i], township->folder, file));
  }
  g_ptr_array_add (arguments, NULL);
  Process *server = process_start (township->folder, (const char *const *) arguments->pdata);
  g_free (process_wait_for (server, "ready", 20));
  return server;
}

static int recorded_setup (void **state)
{
  Recorded *recorded = *state = g_new0 (Recorded, 1);
  Township *township = recorded->township = township_new ("recordings.yaml", NULL);
  make_file (township, "h264.mp4", "libx264", "aac");
  make_file (township, "h265.mkv", "libx265", "pcm_alaw");
  make_other (township, "opus.mkv", "libopus");
  make_other (township, "pcma.mkv", "pcm_alaw");
  static const char *const mounts[] = { "h264=h264.mp4:h264+aac", "opus=opus.mkv:h264+opus", "g711=pcma.mkv:h264+pcma",
                                        "g726=pcma.mkv:h264+g726" };
  recorded->server = start_server (township, township->camera_ports[0], (const char *const[]){ "h265=h265.mkv:h265+pcma" }, 1);
  township->simulator = start_server (township, township->camera_ports[1], mounts, G_N_ELEMENTS (mounts)); /* ends with the township */
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

static void a_token_for_playback_opens_it_and_one_for_live_does_not (void **state)
{
  Recorded *recorded = *state;
  g_autofree char *live = township_token (recorded->township, "h264", "live"), *playback = township_token (recorded->township, "h264", "playback");
  g_autoptr (HttpClient) stranger = http_client_new (recorded->township->base_url);
  for (int i = 0; i < 3; i++) {
    g_autofree char *more = i == 0 ? g_strdup ("&reason=x") : g_strdup_printf ("&reason=x&token=%s", i == 1 ? live : playback);
    g_autofree char *path = export_path (recorded, "h264", recorded->from_us, recorded->to_us, more);
    g_autoptr (HttpAnswer) answer = http_client_call (stranger, "GET", path, NULL);
    assert_int_equal (answer->status, i == 0 ? 401 : i == 1 ? 403 : 200);
  }
}

/* ---- RTSP ---- */

static char *playback_url (Recorded *recorded, const char *camera, gint64 to_us)
{
  Township *township = recorded->township;
  g_autofree char *from = time_to_rfc3339 (recorded->from_us), *to = time_to_rfc3339 (to_us);
  return g_strdup_printf ("rtsp://%s:%s@127.0.0.1:%d/playback/%s?from=%s&to=%s&reason=case%%208", township->token_id, township->token_secret,
                          township->rtsp_port, camera, from, to);
}

static void ffmpeg_plays_back (Recorded *recorded, const char *camera, const char *codec)
{
  Township *township = recorded->township;
  g_autofree char *url = playback_url (recorded, camera, recorded->from_us + 5 * SECOND);
  char *said = NULL;
  int status = process_run (township->folder, 60, &said,
                            (const char *[]){ "ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-count_frames", "-show_entries",
                                              "stream=codec_name,nb_read_frames", "-of", "csv=p=0", url, NULL });
  if (status != 0)
    fail_msg ("ffprobe: %s", said);
  g_auto (GStrv) lines = g_strsplit (said, "\n", -1);
  assert_true (g_strv_length (lines) >= 2);
  g_auto (GStrv) video = g_strsplit (lines[0], ",", -1), audio = g_strsplit (lines[1], ",", -1);
  assert_string_equal (video[0], codec);
  assert_string_equal (audio[0], "aac");
  assert_in_range (g_ascii_strtoll (video[1], NULL, 10), 120, 180); /* five seconds, from the key picture before */
  assert_in_range (g_ascii_strtoll (audio[1], NULL, 10), 30, 80);
  g_free (said);
}

static void ffmpeg_plays_recordings_over_rtsp_to_their_end (void **state)
{
  ffmpeg_plays_back (*state, "h264", "h264");
  ffmpeg_plays_back (*state, "h265", "hevc");
}

static void rtspsrc_plays_recordings_to_their_end (void **state)
{
  Recorded *recorded = *state;
  Township *township = recorded->township;
  g_autofree char *from = time_to_rfc3339 (recorded->from_us), *to = time_to_rfc3339 (recorded->from_us + 4 * SECOND);
  g_autofree char *location = g_strdup_printf ("location=rtsp://127.0.0.1:%d/playback/h264?from=%s&to=%s", township->rtsp_port, from, to);
  g_autofree char *user = g_strdup_printf ("user-id=%s", township->token_id);
  g_autofree char *password = g_strdup_printf ("user-pw=%s", township->token_secret);
  char *said = NULL;
  int status = process_run (
    township->folder, 60, &said,
    (const char *[]){ "gst-launch-1.0", "-q", "rtspsrc", location, user, password, "protocols=tcp", "latency=0", "!",
                      "application/x-rtp,media=video", "!", "rtph264depay", "!", "decodebin", "!", "identity", "eos-after=80", "!",
                      "fakesink", "sync=false", NULL });
  if (status != 0 || strstr (said, "ERROR") != NULL)
    fail_msg ("rtspsrc: %s", said);
  g_free (said);
}

/* ---- by hand ---- */

typedef struct {
  int fd;
  guint sequence, keys, byes;
  GByteArray *input;
} Dialog;

/* Whether the compound of RTCP packets holds a BYE (RFC 3550 6.1). */
static gboolean has_bye (const guint8 *bytes, gsize size)
{
  for (gsize at = 0; at + 4 <= size; at += 4 + 4 * ((gsize) bytes[at + 2] << 8 | bytes[at + 3]))
    if (bytes[at + 1] == 203)
      return TRUE;
  return FALSE;
}

/* Takes interleaved packets out of the front: counts BYEs, and packets with a marker on channel 0. FALSE: more must come. */
static gboolean take_packets (Dialog *dialog)
{
  while (dialog->input->len >= 4 && dialog->input->data[0] == '$') {
    const guint8 *frame = dialog->input->data;
    guint size = 4 + (guint) (frame[2] << 8 | frame[3]);
    if (dialog->input->len < size)
      return FALSE;
    dialog->keys += frame[1] == 0 && (frame[5] & 0x80) != 0;
    dialog->byes += frame[1] == 1 && has_bye (frame + 4, size - 4);
    g_byte_array_remove_range (dialog->input, 0, size);
  }
  return TRUE;
}

static void read_more (Dialog *dialog)
{
  guint8 bytes[16384];
  gssize size = recv (dialog->fd, bytes, sizeof bytes, 0);
  assert_true (size > 0);
  g_byte_array_append (dialog->input, bytes, (guint) size);
}

/* The answer's head; g_free. */
static char *converse (Dialog *dialog, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *start = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_autofree char *request = g_strdup_printf ("%sCSeq: %u\r\n\r\n", start, ++dialog->sequence);
  assert_int_equal (send (dialog->fd, request, strlen (request), MSG_NOSIGNAL), strlen (request));
  for (;; read_more (dialog)) {
    if (!take_packets (dialog))
      continue;
    const char *text = (const char *) dialog->input->data;
    const char *end = dialog->input->len > 0 ? g_strstr_len (text, dialog->input->len, "\r\n\r\n") : NULL;
    if (end == NULL)
      continue;
    char *head = g_strndup (text, (gsize) (end + 4 - text));
    const char *length = strstr (head, "Content-Length: ");
    gsize whole = strlen (head) + (length != NULL ? (gsize) atoi (length + 16) : 0);
    while (dialog->input->len < whole)
      read_more (dialog);
    g_byte_array_remove_range (dialog->input, 0, (guint) whole);
    return head;
  }
}

static void must_say (char *head, const char *what)
{
  if (strstr (head, what) == NULL)
    fail_msg ("%s is not in: %s", what, head);
  g_free (head);
}

static char *clock_text (gint64 wall_us)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (wall_us / G_USEC_PER_SEC);
  return g_date_time_format (time, "%Y%m%dT%H%M%SZ");
}

static void a_client_pauses_seeks_and_winds_on_to_the_end (void **state)
{
  Recorded *recorded = *state;
  Township *township = recorded->township;
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((guint16) township->rtsp_port),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct timeval watchdog = { .tv_sec = 30 };
  Dialog dialog = { .fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .input = g_byte_array_new () };
  g_autofree char *token = township_token (township, "h264", "playback"), *seek = clock_text (recorded->from_us + 3 * SECOND);
  g_autofree char *from = time_to_rfc3339 (recorded->from_us), *to = time_to_rfc3339 (recorded->to_us);
  g_autofree char *base = g_strdup_printf ("rtsp://127.0.0.1:%d/playback/h264", township->rtsp_port);
  setsockopt (dialog.fd, SOL_SOCKET, SO_RCVTIMEO, &watchdog, sizeof watchdog);
  assert_int_equal (connect (dialog.fd, (struct sockaddr *) &address, sizeof address), 0);
  must_say (converse (&dialog, "DESCRIBE %s?from=%s&to=%s&token=%s RTSP/1.0\r\n", base, from, to, token), "200 OK");
  char *setup = converse (&dialog, "SETUP %s/trackID=0 RTSP/1.0\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", base);
  g_autofree char *session = g_strndup (strstr (setup, "Session: ") + 9, strcspn (strstr (setup, "Session: ") + 9, ";\r"));
  must_say (setup, "interleaved=0-1");
  char *play = converse (&dialog, "PLAY %s RTSP/1.0\r\nSession: %s\r\nRange: npt=0-\r\n", base, session);
  assert_non_null (strstr (play, "RTP-Info: url=rtsp://"));
  must_say (play, "Range: clock=");
  must_say (converse (&dialog, "PAUSE %s RTSP/1.0\r\nSession: %s\r\n", base, session), "200 OK");
  must_say (converse (&dialog, "PLAY %s RTSP/1.0\r\nSession: %s\r\nRange: clock=%s-\r\n", base, session, seek), "200 OK");
  must_say (converse (&dialog, "PLAY %s RTSP/1.0\r\nSession: %s\r\nRange: nonsense\r\n", base, session), "457");
  dialog.keys = 0;
  must_say (converse (&dialog, "PLAY %s RTSP/1.0\r\nSession: %s\r\nRange: npt=0-\r\nScale: 16\r\n", base, session), "Scale: 16");
  while (dialog.byes == 0) {
    read_more (&dialog);
    take_packets (&dialog);
  }
  assert_in_range (dialog.keys, 4, 30); /* key pictures of ten seconds, one each two; and what was under way before */
  must_say (converse (&dialog, "TEARDOWN %s RTSP/1.0\r\nSession: %s\r\n", base, session), "200 OK");
  close (dialog.fd);
  g_byte_array_unref (dialog.input);
}

static json_t *find_view (const json_t *answer, const char *reason, const char *camera)
{
  size_t index;
  json_t *view;
  json_array_foreach (json_object_get (answer, "items"), index, view)
    if (g_strcmp0 (json_string_value (json_object_get (view, "reason")), reason) == 0
        && strcmp (json_string_value (json_object_get (view, "camera")), camera) == 0)
      return view;
  return NULL;
}

static gboolean has_ended_look (const json_t *answer)
{
  json_t *view = find_view (answer, "case 8", "h265");
  return view != NULL && !json_is_null (json_object_get (view, "to"));
}

static void rtsp_playback_stands_in_the_register_with_what_was_watched (void **state)
{
  Recorded *recorded = *state;
  json_t *views = township_wait_for (recorded->township, "/api/v1/views?limit=100", has_ended_look, 20);
  json_t *view = find_view (views, "case 8", "h265"), *spans = json_object_get (view, "watched");
  g_autofree char *from = time_to_rfc3339 (recorded->from_us), *to = time_to_rfc3339 (recorded->from_us + 5 * SECOND);
  g_autofree char *times = g_strconcat (from, "/", to, NULL);
  gint64 first_us, last_us;
  assert_string_equal (json_string_value (json_object_get (view, "kind")), "playback");
  assert_string_equal (json_string_value (json_object_get (view, "subject")), times);
  assert_int_equal (json_array_size (spans), 1);
  assert_true (time_from_rfc3339 (json_string_value (json_object_get (json_array_get (spans, 0), "from")), &first_us));
  assert_true (time_from_rfc3339 (json_string_value (json_object_get (json_array_get (spans, 0), "to")), &last_us));
  assert_in_range (recorded->from_us - first_us, 0, 2 * SECOND + SECOND / 2); /* from the key picture before */
  assert_in_range (last_us - recorded->from_us, 5 * SECOND - SECOND / 10, 5 * SECOND + SECOND / 10);
  json_decref (views);
}

static void where_nothing_is_recorded_rtsp_says_404 (void **state)
{
  Recorded *recorded = *state;
  Township *township = recorded->township;
  g_autofree char *url = g_strdup_printf ("rtsp://%s:%s@127.0.0.1:%d/playback/h264?from=2020-01-01T00:00:00Z&to=2020-01-01T00:01:00Z",
                                          township->token_id, township->token_secret, township->rtsp_port);
  char *said = NULL;
  assert_int_not_equal (process_run (township->folder, 30, &said, (const char *[]){ "ffprobe", "-v", "error", "-rtsp_transport", "tcp",
                                                                                    url, NULL }), 0);
  assert_non_null (strstr (said, "404"));
  g_free (said);
}

static void run_in_browser (const Township *township, const char *name, const char *one, const char *other)
{
  if (g_getenv ("GRIDGATE_NODE") == NULL) {
    print_message ("this build has no console\n");
    skip ();
  }
  g_autofree char *script = g_build_filename (g_getenv ("GRIDGATE_SOURCE_ROOT"), "tests/browser", name, NULL);
  g_autofree char *url = g_strconcat ("GRIDGATE_URL=", township->base_url, "/", NULL);
  g_autoptr (Process) browser
    = process_start_with (township->folder, (const char *[]){ g_getenv ("GRIDGATE_NODE"), script, NULL },
                          (const char *[]){ url, "GRIDGATE_NAME=admin", "GRIDGATE_PASSWORD=admin-password-1", one, other, NULL });
  int status = process_wait (browser, 120);
  g_autofree char *told = process_output (browser);
  if (status != 0)
    fail_msg ("%s ended with %d:\n%s", name, status, told);
}

static void an_operator_plays_seeks_and_exports_in_the_browser (void **state)
{
  Recorded *recorded = *state;
  g_autofree char *from = g_strdup_printf ("GRIDGATE_RECORDED_FROM=%" G_GINT64_FORMAT, recorded->from_us / 1000);
  run_in_browser (recorded->township, "playback.mjs", "GRIDGATE_CAMERA=h264", from);
}

static void opus_g711_and_g726_are_heard_in_the_browser_live_and_recorded (void **state)
{
  run_in_browser (((Recorded *) *state)->township, "sounds.mjs", "GRIDGATE_CAMERAS=opus,g711,g726", NULL);
}

static gboolean are_all_closed (const json_t *answer)
{
  size_t index;
  json_t *view;
  guint exports = 0;
  json_array_foreach (json_object_get (answer, "items"), index, view) {
    const char *kind = json_string_value (json_object_get (view, "kind"));
    if (strcmp (kind, "export") != 0 && strcmp (kind, "playback") != 0)
      continue;
    exports++;
    if (json_is_null (json_object_get (view, "to")))
      return FALSE;
  }
  return exports > 0;
}

static void every_look_is_closed_in_the_register (void **state)
{
  json_decref (township_wait_for (((Recorded *) *state)->township, "/api/v1/views?limit=100", are_all_closed, 20));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (an_export_is_one_file_that_plays_and_stands_in_the_register),
    cmocka_unit_test (an_export_without_a_reason_or_a_recording_is_refused),
    cmocka_unit_test (a_token_for_playback_opens_it_and_one_for_live_does_not),
    cmocka_unit_test (ffmpeg_plays_recordings_over_rtsp_to_their_end),
    cmocka_unit_test (rtspsrc_plays_recordings_to_their_end),
    cmocka_unit_test (a_client_pauses_seeks_and_winds_on_to_the_end),
    cmocka_unit_test (rtsp_playback_stands_in_the_register_with_what_was_watched),
    cmocka_unit_test (where_nothing_is_recorded_rtsp_says_404),
    cmocka_unit_test (an_operator_plays_seeks_and_exports_in_the_browser),
    cmocka_unit_test (opus_g711_and_g726_are_heard_in_the_browser_live_and_recorded),
    cmocka_unit_test (every_look_is_closed_in_the_register),
  };
  return cmocka_run_group_tests (tests, recorded_setup, recorded_teardown);
}
