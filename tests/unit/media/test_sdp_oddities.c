/* What cameras send as a session description, as reported to MediaMTX, gortsplib, go2rtc, retina and others (addresses and
 * names shortened), and what must come out. */
#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/rtp/sprop.h"
#include "pipelines/rtsp/sdp.h"
#include "tests/support/test.h"

static const char *folder;

/* `expected`: for each track "ENCODING/CLOCK TYPE CONTROL", with "+sets" when the parameter sets are whole. */
typedef struct {
  const char *file, *expected;
} Oddity;

#define C "rtsp://c:8554/s1/"

static const Oddity oddities[] = {
  { "no_session", "H264/90000 96 " C "trackID=0" },
  { "geovision_no_time", "H264/90000 105 rtsp://c:8554/media/video1/video +sets" },
  { "h3c_no_addresses", "H264/90000 105 rtsp://c:8554/media/video1/video +sets" },
  { "tplink_application_format", "H265/90000 96 " C "track1 +sets, PCMA/8000 8 " C "track2" },
  { "mercury_application_format", "H264/90000 96 " C "track1 +sets, PCMA/8000 8 " C "track2" },
  { "hikvision_other_fmtp_number", "H264/90000 96 " C "trackID=video, MPEG4-GENERIC/16000 104 " C "trackID=audio" },
  { "dahua_backchannel", "H264/90000 96 " C "trackID=0 +sets, PCMA/8000 8 " C "trackID=1" },
  { "reolink_backchannel_no_last_line_end", "H264/90000 96 " C "track1 +sets, MPEG4-GENERIC/16000 97 " C "track2" },
  { "control_twice", "H264/90000 96 " C "track0 +sets, MPEG4-GENERIC/8000 97 " C "track1" },
  { "rtpmap_of_another_number", "H264/90000 96 " C "track0, PCMA/8000 8 " C "track1" },
  { "sendonly_as_the_camera_sees_it", "H264/90000 99 " C "trackID=1 +sets, mpeg4-generic/8000 127 " C "trackID=2" },
  { "macrovideo_no_origin", "H264/90000 96 " C "track1 +sets" },
  { "vstarcam_no_session_control", "H264/90000 96 " C "track0 +sets, PCMA/8000 8 " C "track1" },
  { "tuya_negative_port", "H264/90000 96 " C "streamid=0" },
  { "two_types_in_one_medium", "H264/90000 96 " C "trackID=1 +sets" },
  { "origin_without_space", "H264/90000 96 " C "streamid=0 +sets, MPEG4-GENERIC/48000 97 " C "streamid=1" },
  { "sony_lines_out_of_order", "H264/90000 105 " C "trackID=1 +sets" },
  { "vlc_no_control_and_types_that_clash", "mpeg4-generic/22050 96 " C ", H264/90000 96 " C " +sets" },
  { "absolute_controls_elsewhere", "H264/90000 96 rtsp://c:8554/onvif2/audio/trackID=0 +sets, "
                                   "PCMU/8000 0 rtsp://c:8554/onvif2/audio/trackID=1" },
  { "transport_stream", "the session description has no video or audio over RTP" },
  { "several_clock_ranges", "H264/90000 96 rtsp://c:8554/streams/video +sets" },
  { "origin_in_brackets", "H264/90000 97 " C "track1 +sets" },
  { "negative_session_id", "H264/90000 96 " C "trackID=1" },
  { "hikvision_empty_sets", "H264/90000 96 " C "trackID=1" },
  { "h265_fmtp_of_another_number", "H265/90000 96 " C "trackID=1 +sets, PCMA/8000 8 " C "trackID=2" },
  { "hevc_without_clock", "H265/90000 98 " C "track1" },
  { "no_rtpmap_but_sets", "H264/90000 96 " C "track1 +sets" },
  { "broken_sets", "H264/90000 96 " C " +sets" },
  { "byte_order_mark_and_zeros", "H264/90000 96 " C "track1" },
  { "tcp_in_the_protocol", "H264/90000 96 " C "track1, PCMU/8000 0 " C "track2" },
};

static char *describe (const TrackList *tracks)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < tracks->count; i++) {
    const Track *track = &tracks->tracks[i];
    Sprop sprop = { 0 };
    sprop_init (&sprop, track);
    g_string_append_printf (text, "%s%s/%u %u %s%s", i > 0 ? ", " : "", track->encoding, track->clock_rate,
                            track->payload_type, track->control,
                            track->medium == MEDIUM_VIDEO && sprop_is_whole (&sprop) ? " +sets" : "");
  }
  return g_string_free (text, FALSE);
}

static void what_cameras_misspell_is_understood (void **state)
{
  (void) state;
  for (guint i = 0; i < G_N_ELEMENTS (oddities); i++) {
    g_autofree char *path = g_strdup_printf ("%s/%s.sdp", folder, oddities[i].file), *text = NULL;
    g_autoptr (GError) error = NULL;
    gsize size;
    if (!g_file_get_contents (path, &text, &size, NULL))
      fail_msg ("%s cannot be read", path);
    g_autoptr (TrackList) tracks = sdp_read (text, size, C, &error);
    g_autofree char *found = tracks != NULL ? describe (tracks) : g_strdup (error->message);
    if (strcmp (found, oddities[i].expected) != 0)
      fail_msg ("%s: found \"%s\", expected \"%s\"", oddities[i].file, found, oddities[i].expected);
  }
}

static void every_file_has_its_row (void **state)
{
  (void) state;
  g_autoptr (GDir) files = g_dir_open (folder, 0, NULL);
  guint count = 0;
  assert_non_null (files);
  while (g_dir_read_name (files) != NULL)
    count++;
  assert_int_equal (count, G_N_ELEMENTS (oddities));
}

/* What comes out is served on: it must be readable for whoever comes next, to the same tracks. */
static void what_is_served_reads_the_same (void **state)
{
  (void) state;
  for (guint i = 0; i < G_N_ELEMENTS (oddities); i++) {
    g_autofree char *path = g_strdup_printf ("%s/%s.sdp", folder, oddities[i].file), *text = NULL;
    gsize size;
    g_file_get_contents (path, &text, &size, NULL);
    g_autoptr (TrackList) tracks = sdp_read (text, size, C, NULL);
    if (tracks == NULL)
      continue;
    g_autoptr (TrackList) again = sdp_read (tracks->sdp, strlen (tracks->sdp), C, NULL);
    assert_non_null (again);
    assert_true (track_list_fits (tracks, again));
  }
}

int main (int count, char **arguments)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (what_cameras_misspell_is_understood),
    cmocka_unit_test (every_file_has_its_row),
    cmocka_unit_test (what_is_served_reads_the_same),
  };
  folder = count > 1 ? arguments[1] : ".";
  return cmocka_run_group_tests (tests, NULL, NULL);
}
