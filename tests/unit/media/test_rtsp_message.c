#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/rtsp/rtsp_message.h"
#include "pipelines/rtsp/rtsp_path.h"
#include "tests/support/test.h"

static RtspParse parse (const char *text, GstRTSPMessage **message, gsize *used, GError **error)
{
  return rtsp_message_parse ((const guint8 *) text, strlen (text), RTSP_BODY_MAX, message, used, error);
}

static void a_response_with_a_body_is_read (void **state)
{
  (void) state;
  g_autoptr (GstRTSPMessage) message = NULL;
  gsize used;
  guint8 *body;
  guint size;
  const char *text = "RTSP/1.0 200 OK\r\nCSeq: 3\r\nX-Own: a:b\r\nContent-Length: 4\r\n\r\nv=0\nREST";
  assert_int_equal (parse (text, &message, &used, NULL), RTSP_WHOLE);
  assert_int_equal (used, strlen (text) - 4);
  assert_int_equal (message->type_data.response.code, 200);
  assert_string_equal (rtsp_message_header (message, GST_RTSP_HDR_CSEQ), "3");
  gst_rtsp_message_get_body (message, &body, &size);
  assert_int_equal (size, 4);
  assert_memory_equal (body, "v=0\n", 4);
}

static void a_message_is_not_read_before_its_last_byte (void **state)
{
  (void) state;
  const char *text = "DESCRIBE rtsp://camera/1 RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 2\r\n\r\nab";
  for (gsize size = 1; size < strlen (text); size++) {
    GstRTSPMessage *message;
    gsize used;
    assert_int_equal (rtsp_message_parse ((const guint8 *) text, size, 16, &message, &used, NULL), RTSP_MORE);
    assert_null (message);
  }
}

static void bare_line_feeds_are_taken (void **state)
{
  (void) state;
  g_autoptr (GstRTSPMessage) message = NULL;
  gsize used;
  assert_int_equal (parse ("RTSP/1.0 401 Unauthorized\nCSeq: 1\n\n", &message, &used, NULL), RTSP_WHOLE);
  assert_int_equal (message->type_data.response.code, 401);
}

static void line_ends_between_messages_are_passed_over (void **state)
{
  (void) state;
  GstRTSPMessage *message;
  gsize used;
  assert_int_equal (parse ("\r\n$\001", &message, &used, NULL), RTSP_WHOLE);
  assert_null (message);
  assert_int_equal (used, 2);
}

static void lies_are_refused (void **state)
{
  (void) state;
  const char *const texts[] = {
    "HELLO\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\n\r\n",
    "RTSP/1.0 2x0 OK\r\n\r\n",
    "RTSP/1.0 20\r\n\r\n",
    "RTSP/1.0 200 OK\r\nNo colon\r\n\r\n",
    "RTSP/1.0 200 OK\r\nBad name: 1\r\n\r\n",
    "RTSP/1.0 200 OK\r\nCSeq: 1\x01\r\n\r\n",
    "RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
    "RTSP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    "RTSP/1.0 200 OK\r\nContent-Length: 4x\r\n\r\n",
  };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GError) error = NULL;
    GstRTSPMessage *message;
    gsize used;
    assert_int_equal (parse (texts[i], &message, &used, &error), RTSP_BROKEN);
    assert_true (error_is (error, ERROR_REFUSE));
  }
}

static void heads_without_end_are_bounded (void **state)
{
  (void) state;
  g_autoptr (GError) error = NULL;
  GstRTSPMessage *message;
  gsize used;
  GString *text = g_string_new ("OPTIONS * RTSP/1.0\r\n");
  while (text->len < RTSP_HEAD_MAX)
    g_string_append (text, "X: y\r\n");
  assert_int_equal (parse (text->str, &message, &used, &error), RTSP_BROKEN);
  g_string_assign (text, "OPTIONS * RTSP/1.0\r\n");
  for (guint i = 0; i <= RTSP_HEADERS_MAX; i++)
    g_string_append (text, "X: y\r\n");
  g_string_append (text, "\r\n");
  g_clear_error (&error);
  assert_int_equal (parse (text->str, &message, &used, &error), RTSP_BROKEN);
  g_string_free (text, TRUE);
}

static void what_is_written_can_be_read (void **state)
{
  (void) state;
  g_autoptr (GstRTSPMessage) written = NULL, read = NULL;
  gsize used;
  gst_rtsp_message_new_request (&written, GST_RTSP_PLAY, "rtsp://h/live/a");
  gst_rtsp_message_add_header (written, GST_RTSP_HDR_CSEQ, "7");
  gst_rtsp_message_set_body (written, (const guint8 *) "xyz", 3);
  GString *text = rtsp_message_serialise (written);
  assert_int_equal (parse (text->str, &read, &used, NULL), RTSP_WHOLE);
  assert_int_equal (used, text->len);
  assert_int_equal (read->type_data.request.method, GST_RTSP_PLAY);
  assert_string_equal (read->type_data.request.uri, "rtsp://h/live/a");
  g_string_free (text, TRUE);
}

static void assert_path (const char *uri, const char *camera, const char *stream, int track, const char *token, const char *base)
{
  g_auto (RtspPath) path = { 0 };
  assert_true (rtsp_path_parse (uri, &path));
  assert_string_equal (path.camera, camera);
  assert_string_equal (path.stream, stream);
  assert_int_equal (path.track, track);
  assert_string_equal (path.base, base);
  if (token != NULL)
    assert_string_equal (path.token, token);
  else
    assert_null (path.token);
}

static void paths_name_camera_stream_track_and_token (void **state)
{
  (void) state;
  assert_path ("rtsp://h:8554/live/bridge", "bridge", "main", -1, NULL, "rtsp://h:8554/live/bridge");
  assert_path ("rtsp://h/live/bridge/", "bridge", "main", -1, NULL, "rtsp://h/live/bridge");
  assert_path ("rtsp://h/live/bridge/sub?token=a%2Fb", "bridge", "sub", -1, "a/b", "rtsp://h/live/bridge/sub");
  assert_path ("rtsp://h/live/bridge/trackID=1", "bridge", "main", 1, NULL, "rtsp://h/live/bridge");
  assert_path ("rtsp://h/live/bridge?token=ab/trackID=1", "bridge", "main", 1, "ab", "rtsp://h/live/bridge");
  assert_path ("/live/sub/sub/trackID=0", "sub", "sub", 0, NULL, "/live/sub/sub");
}

static void other_paths_name_nothing (void **state)
{
  (void) state;
  const char *const uris[] = { "", "*", "rtsp://h", "rtsp://h/", "rtsp://h/live", "rtsp://h/live/", "rtsp://h/live/..",
                               "rtsp://h/live/a/b", "rtsp://h/live/a/sub/c", "rtsp://h/live/a/trackID=x", "rtsp://h/other/a",
                               "rtsp://h/live/a%2f" };
  for (guint i = 0; i < G_N_ELEMENTS (uris); i++) {
    g_auto (RtspPath) path = { 0 };
    assert_false (rtsp_path_parse (uris[i], &path));
  }
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_response_with_a_body_is_read),
    cmocka_unit_test (a_message_is_not_read_before_its_last_byte),
    cmocka_unit_test (bare_line_feeds_are_taken),
    cmocka_unit_test (line_ends_between_messages_are_passed_over),
    cmocka_unit_test (lies_are_refused),
    cmocka_unit_test (heads_without_end_are_bounded),
    cmocka_unit_test (what_is_written_can_be_read),
    cmocka_unit_test (paths_name_camera_stream_track_and_token),
    cmocka_unit_test (other_paths_name_nothing),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
