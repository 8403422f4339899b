#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/rtp/sprop.h"
#include "pipelines/rtsp/sdp.h"
#include "tests/support/test.h"

#define HEAD "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=Media\r\nt=0 0\r\n"
#define H264 "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:trackID=1\r\n"
#define SPROP "Z2QAKKzZQHgCJ+XARAAAAwAEAAADAMg8YMZY,aOvjyyLA" /* 1920x1080 */

static TrackList *read_text (const char *text, GError **error)
{
  return sdp_read (text, strlen (text), "rtsp://c/s1/", error);
}

static void video_and_audio_become_tracks (void **state)
{
  (void) state;
  g_autoptr (TrackList) tracks = read_text (HEAD H264 "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/2\r\n"
                                            "a=fmtp:97 mode=AAC-hbr;config=1410\r\na=control:trackID=2\r\n", NULL);
  assert_int_equal (tracks->count, 2);
  assert_int_equal (tracks->tracks[0].codec, CODEC_H264);
  assert_string_equal (tracks->tracks[0].control, "rtsp://c/s1/trackID=1");
  assert_int_equal (tracks->tracks[1].codec, CODEC_AAC);
  assert_int_equal (tracks->tracks[1].clock_rate, 16000);
  assert_int_equal (tracks->tracks[1].channels, 2);
  assert_non_null (strstr (tracks->sdp, "a=fmtp:97 mode=AAC-hbr;config=1410\r\na=control:trackID=1\r\n"));
}

static void static_payload_types_need_no_rtpmap (void **state)
{
  (void) state;
  g_autoptr (TrackList) tracks = read_text (HEAD H264 "m=audio 0 RTP/AVP 8\r\na=control:t2\r\n", NULL);
  assert_int_equal (tracks->tracks[1].codec, CODEC_PCMA);
  assert_int_equal (tracks->tracks[1].clock_rate, 8000);
  assert_non_null (strstr (tracks->sdp, "a=rtpmap:8 PCMA/8000\r\n"));
}

static void other_media_and_second_videos_are_left_out (void **state)
{
  (void) state;
  g_autoptr (TrackList) tracks = read_text (
    HEAD "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n" H264 H264
         "m=video 0 UDP 96\r\na=rtpmap:96 H264/90000\r\n", NULL);
  assert_int_equal (tracks->count, 1);
}

static void a_codec_that_we_do_not_carry_is_told (void **state)
{
  (void) state;
  g_autoptr (GError) error = NULL;
  assert_null (read_text (HEAD "m=video 0 RTP/AVP 26\r\na=control:1\r\n", &error));
  assert_true (error_is (error, ERROR_GIVE_UP));
  assert_non_null (strstr (error->message, "JPEG"));
}

static void what_is_no_description_is_refused (void **state)
{
  (void) state;
  const char *const texts[] = { "", "<html></html>", HEAD, HEAD "m=video 0 RTP/AVP\r\n", HEAD "m=video 0 RTP/AVP 96\r\n",
                                HEAD "m=video 0 RTP/AVP 300\r\na=rtpmap:300 H264/90000\r\n",
                                HEAD "m=video 0 RTP/SAVP 96\r\na=rtpmap:96 H264/90000\r\n",
                                HEAD "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 OPUS/0\r\n",
                                HEAD "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 OPUS/99999999999\r\n" };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GError) error = NULL;
    assert_null (read_text (texts[i], &error));
    assert_true (error_is (error, ERROR_REFUSE));
  }
  g_autoptr (GError) error = NULL;
  g_autofree char *large = g_strnfill (SDP_BYTES_MAX + 1, 'a');
  assert_null (read_text (large, &error));
  assert_null (sdp_read ("v=0\0m=", 7, "rtsp://c", NULL));
}

static void many_media_are_bounded (void **state)
{
  (void) state;
  GString *text = g_string_new (HEAD H264);
  for (guint i = 0; i < 500; i++)
    g_string_append (text, "m=audio 0 RTP/AVP 0\r\n");
  g_autoptr (TrackList) tracks = read_text (text->str, NULL);
  assert_int_equal (tracks->count, TRACKS_MAX);
  g_string_free (text, TRUE);
}

static void assert_joined (const char *base, const char *control, const char *expected)
{
  g_autofree char *joined = sdp_join_control (base, control);
  assert_string_equal (joined, expected);
}

static void controls_are_joined_by_appending (void **state)
{
  (void) state;
  assert_joined ("rtsp://c/a", "trackID=1", "rtsp://c/a/trackID=1");
  assert_joined ("rtsp://c/a/", "trackID=1", "rtsp://c/a/trackID=1");
  assert_joined ("rtsp://c/a?x=1&y=2", "trackID=1", "rtsp://c/a?x=1&y=2/trackID=1");
  assert_joined ("rtsp://c/a", "*", "rtsp://c/a");
  assert_joined ("rtsp://c/a", NULL, "rtsp://c/a");
  assert_joined ("rtsp://c/a", "rtsp://c/other/1", "rtsp://c/other/1");
  assert_joined ("rtsp://c/a/", "/trackID=1", "rtsp://c/a/trackID=1");
  assert_joined ("rtsp://c/a", "?ctype=video", "rtsp://c/a?ctype=video");
  assert_joined ("rtsps://c:8322/a", "rtsp://192.168.1.9/other/1?x=2", "rtsps://c:8322/other/1?x=2"); /* behind a router */
  assert_joined ("rtsp://c/a", "rtsp://rtsp://192.168.1.9:554/other/1", "rtsp://c/other/1");
}

static void hostile_attributes_do_not_reach_what_we_serve (void **state)
{
  (void) state;
  g_autoptr (TrackList) tracks = read_text (HEAD "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
                                            "a=fmtp:96 a=\x01\x02\r\na=control:\x7f\x01\r\n", NULL);
  assert_string_equal (tracks->tracks[0].format, "");
  assert_string_equal (tracks->tracks[0].control, "rtsp://c/s1/");
}

static Track video_track (const char *format)
{
  return (Track){ .medium = MEDIUM_VIDEO, .codec = CODEC_H264, .clock_rate = 90000, .format = (char *) format };
}

static void the_picture_size_is_that_of_the_sps_as_cropped (void **state)
{
  (void) state;
  Sprop sprop;
  Track track = video_track ("packetization-mode=1; sprop-parameter-sets=" SPROP);
  int width, height;
  sprop_init (&sprop, &track);
  assert_true (sprop_is_whole (&sprop));
  assert_true (sprop_picture_size (&sprop, &width, &height));
  assert_int_equal (width, 1920);
  assert_int_equal (height, 1080);
}

static void parameter_sets_seen_in_band_are_served (void **state)
{
  (void) state;
  Sprop learned, sprop;
  Track with = video_track ("sprop-parameter-sets=" SPROP), without = video_track ("profile-level-id=640028;packetization-mode=1");
  sprop_init (&learned, &with);
  sprop_init (&sprop, &without);
  assert_false (sprop_is_whole (&sprop));
  assert_true (sprop_see (&sprop, learned.sets[SPROP_SPS], learned.sizes[SPROP_SPS]));
  assert_true (sprop_see (&sprop, learned.sets[SPROP_PPS], learned.sizes[SPROP_PPS]));
  assert_false (sprop_see (&sprop, learned.sets[SPROP_PPS], learned.sizes[SPROP_PPS]));
  g_autofree char *format = sprop_format (&sprop, without.format);
  assert_string_equal (format, "packetization-mode=1;profile-level-id=640028;sprop-parameter-sets=" SPROP);
}

static void damaged_parameter_sets_give_no_size (void **state)
{
  (void) state;
  Sprop sprop;
  int width, height;
  Track track = video_track ("sprop-parameter-sets=Z2Q=,aA==,,!!!!");
  sprop_init (&sprop, &track);
  assert_false (sprop_is_whole (&sprop));
  const guint8 nal[] = { 0x67, 0xff, 0xff, 0xff, 0xff };
  sprop_see (&sprop, nal, sizeof nal);
  assert_false (sprop_picture_size (&sprop, &width, &height));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (video_and_audio_become_tracks),
    cmocka_unit_test (static_payload_types_need_no_rtpmap),
    cmocka_unit_test (other_media_and_second_videos_are_left_out),
    cmocka_unit_test (a_codec_that_we_do_not_carry_is_told),
    cmocka_unit_test (what_is_no_description_is_refused),
    cmocka_unit_test (many_media_are_bounded),
    cmocka_unit_test (controls_are_joined_by_appending),
    cmocka_unit_test (hostile_attributes_do_not_reach_what_we_serve),
    cmocka_unit_test (the_picture_size_is_that_of_the_sps_as_cropped),
    cmocka_unit_test (parameter_sets_seen_in_band_are_served),
    cmocka_unit_test (damaged_parameter_sets_give_no_size),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
