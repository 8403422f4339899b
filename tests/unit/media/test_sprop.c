#include "pipelines/rtp/sprop.h"

#include "tests/support/test.h"

static const guint8 sps[] = { 0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00 }, other_sps[] = { 0x67, 0x64, 0x00, 0x28, 0xac };
static const guint8 pps[] = { 0x68, 0xcb, 0x83 };
static const guint8 h265_vps[] = { 0x40, 0x01, 0x0c }, h265_sps[] = { 0x42, 0x01, 0x01, 0x02 }, h265_pps[] = { 0x44, 0x01, 0xc1 };

static void assert_format (const Sprop *sets, const char *format, const char *expected)
{
  g_autofree char *text = sprop_format (sets, format);
  assert_string_equal (text, expected);
}

static void sets_that_come_in_band_alone_are_described (void **state)
{
  (void) state;
  Sprop sets;
  sprop_init (&sets, &(Track){ .codec = CODEC_H264, .format = (char *) "" });
  assert_true (sprop_see (&sets, sps, sizeof sps));
  assert_false (sprop_is_whole (&sets));
  assert_format (&sets, "packetization-mode=1", "packetization-mode=1");
  assert_true (sprop_see (&sets, pps, sizeof pps));
  assert_true (sprop_is_whole (&sets));
  assert_format (&sets, "", "profile-level-id=42C01E;sprop-parameter-sets=Z0LAHtkA,aMuD");
  assert_format (&sets, "packetization-mode=1", "packetization-mode=1;profile-level-id=42C01E;sprop-parameter-sets=Z0LAHtkA,aMuD");
}

static void sets_that_change_take_the_place_of_those_in_the_cameras_description (void **state)
{
  (void) state;
  static const char format[] = "profile-level-id=42C01E; packetization-mode=1; sprop-parameter-sets=Z0LAHtkA,aMuD";
  Sprop sets;
  sprop_init (&sets, &(Track){ .codec = CODEC_H264, .format = (char *) format });
  assert_true (sprop_is_whole (&sets));
  assert_false (sprop_see (&sets, sps, sizeof sps));
  assert_true (sprop_see (&sets, other_sps, sizeof other_sps));
  assert_format (&sets, format, "packetization-mode=1;profile-level-id=640028;sprop-parameter-sets=Z2QAKKw=,aMuD");
}

static void h265_has_three_of_them (void **state)
{
  (void) state;
  Sprop sets;
  sprop_init (&sets, &(Track){ .codec = CODEC_H265, .format = (char *) "" });
  assert_true (sprop_see (&sets, h265_sps, sizeof h265_sps));
  assert_true (sprop_see (&sets, h265_pps, sizeof h265_pps));
  assert_false (sprop_is_whole (&sets));
  assert_true (sprop_see (&sets, h265_vps, sizeof h265_vps));
  assert_format (&sets, "sprop-max-don-diff=0", "sprop-max-don-diff=0;sprop-vps=QAEM;sprop-sps=QgEBAg==;sprop-pps=RAHB");
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (sets_that_come_in_band_alone_are_described),
    cmocka_unit_test (sets_that_change_take_the_place_of_those_in_the_cameras_description),
    cmocka_unit_test (h265_has_three_of_them),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
