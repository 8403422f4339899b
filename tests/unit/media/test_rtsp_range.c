#include "pipelines/rtsp/rtsp_path.h"
#include "pipelines/rtsp/rtsp_range.h"
#include "tests/support/test.h"

static const gint64 zero_us = G_GINT64_CONSTANT (1777622400000000); /* 2026-05-01T08:00:00Z */

static void ranges_are_read_in_both_units (void **state)
{
  static const struct {
    const char *header;
    gint64 from_us, to_us; /* behind zero; -1: not said */
  } good[] = {
    { NULL, -1, -1 },
    { "clock=20260501T080001Z-", 1000000, -1 },
    { "clock=20260501T080000.25Z-20260501T080010Z", 250000, 10000000 },
    { "npt=0-", 0, -1 },
    { "npt=12.5-20", 12500000, 20000000 },
    { "npt=0:01:02.5-", 62500000, -1 },
    { "npt=now-", -1, -1 },
    { "npt=1.000-;time=19970123T143720Z", 1000000, -1 },
  };
  static const char *const bad[] = { "", "npt=", "smpte=0:10:20-", "clock=2026-05-01T08:00:00Z-", "clock=20261301T080000Z-", "npt=-1-",
                                     "npt=1e300-", "npt=1:2-", "clock=20260501T080000-", "npt=abc-" };
  RtspRange range;
  (void) state;
  for (gsize i = 0; i < G_N_ELEMENTS (good); i++) {
    assert_true (rtsp_range_parse (good[i].header, zero_us, &range));
    assert_int_equal (range.from_us, good[i].from_us < 0 ? -1 : zero_us + good[i].from_us);
    assert_int_equal (range.to_us, good[i].to_us < 0 ? -1 : zero_us + good[i].to_us);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    if (rtsp_range_parse (bad[i], zero_us, &range))
      fail_msg ("\"%s\" was taken for a range", bad[i]);
}

static void a_scale_is_what_we_can_do (void **state)
{
  (void) state;
  assert_true (rtsp_scale_parse (NULL) == 1 && rtsp_scale_parse ("1.0") == 1 && rtsp_scale_parse ("-4") == 1);
  assert_true (rtsp_scale_parse ("4") == 4 && rtsp_scale_parse ("100") == RTSP_SCALE_MAX && rtsp_scale_parse ("nan") == 1);
}

static void a_path_of_recordings_names_their_time (void **state)
{
  (void) state;
  g_auto (RtspPath) path = { 0 };
  assert_true (rtsp_path_parse ("rtsp://h:8554/playback/bridge/sub?from=2026-05-01T08%3A00%3A00Z&to=2026-05-01T10:00:10%2B02:00&token=t/trackID=1",
                                &path));
  assert_true (path.is_playback);
  assert_string_equal (path.camera, "bridge");
  assert_string_equal (path.stream, "sub");
  assert_string_equal (path.token, "t");
  assert_int_equal (path.track, 1);
  assert_int_equal (path.from_us, zero_us);
  assert_int_equal (path.to_us, zero_us + 10 * G_USEC_PER_SEC);
  rtsp_path_clear (&path);
  assert_true (rtsp_path_parse ("rtsp://h/playback/bridge/trackID=0", &path));
  assert_int_equal (path.from_us, -1);
  rtsp_path_clear (&path);
  assert_false (rtsp_path_parse ("rtsp://h/playback/bridge?from=yesterday", &path));
  assert_false (rtsp_path_parse ("rtsp://h/record/bridge", &path));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (ranges_are_read_in_both_units),
    cmocka_unit_test (a_scale_is_what_we_can_do),
    cmocka_unit_test (a_path_of_recordings_names_their_time),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
