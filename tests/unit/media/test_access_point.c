#include "pipelines/rtp/access_point.h"
#include "tests/support/test.h"

#define PEEK(codec, ...) access_point_peek (codec, (const guint8[]){ __VA_ARGS__ }, sizeof ((const guint8[]){ __VA_ARGS__ }), NULL, NULL)

static void h264_single_packets_are_told_apart (void **state)
{
  (void) state;
  assert_int_equal (PEEK (CODEC_H264, 0x65, 0x88, 0x84), PEEK_PICTURE | PEEK_RANDOM_ACCESS);
  assert_int_equal (PEEK (CODEC_H264, 0x41, 0x9a), PEEK_PICTURE);
  assert_int_equal (PEEK (CODEC_H264, 0x67, 0x42), PEEK_PARAMETER_SET);
  assert_int_equal (PEEK (CODEC_H264, 0x68, 0xce), PEEK_PARAMETER_SET);
  assert_int_equal (PEEK (CODEC_H264, 0x06, 0x06, 0x01), PEEK_RECOVERY_POINT);
  assert_int_equal (PEEK (CODEC_H264, 0x06, 0x05, 0x01), 0);
  assert_int_equal (PEEK (CODEC_H264, 0x09, 0x10), 0);
}

static void h264_aggregates_are_looked_into (void **state)
{
  (void) state;
  assert_int_equal (PEEK (CODEC_H264, 0x78, 0, 2, 0x67, 0x42, 0, 1, 0x68, 0, 2, 0x65, 0x88),
                    PEEK_PARAMETER_SET | PEEK_PICTURE | PEEK_RANDOM_ACCESS);
  assert_int_equal (PEEK (CODEC_H264, 0x79, 0, 0, 0, 2, 0x67, 0x42), PEEK_PARAMETER_SET);
}

static void only_the_first_fragment_starts_an_access_point (void **state)
{
  (void) state;
  assert_int_equal (PEEK (CODEC_H264, 0x7c, 0x85, 0x88), PEEK_PICTURE | PEEK_RANDOM_ACCESS);
  assert_int_equal (PEEK (CODEC_H264, 0x7c, 0x05, 0x88), PEEK_PICTURE);
  assert_int_equal (PEEK (CODEC_H264, 0x7c, 0x45, 0x88), PEEK_PICTURE);
  assert_int_equal (PEEK (CODEC_H264, 0x7c, 0x81, 0x88), PEEK_PICTURE);
  assert_int_equal (PEEK (CODEC_H265, 0x62, 0x01, 0x93, 0), PEEK_PICTURE | PEEK_RANDOM_ACCESS);
  assert_int_equal (PEEK (CODEC_H265, 0x62, 0x01, 0x13, 0), PEEK_PICTURE);
}

static void h265_packets_are_told_apart (void **state)
{
  (void) state;
  assert_int_equal (PEEK (CODEC_H265, 0x26, 0x01, 0xaf), PEEK_PICTURE | PEEK_RANDOM_ACCESS); /* IDR_W_RADL */
  assert_int_equal (PEEK (CODEC_H265, 0x2a, 0x01, 0xaf), PEEK_PICTURE | PEEK_RANDOM_ACCESS); /* CRA */
  assert_int_equal (PEEK (CODEC_H265, 0x02, 0x01, 0xd0), PEEK_PICTURE);
  assert_int_equal (PEEK (CODEC_H265, 0x40, 0x01, 0x0c), PEEK_PARAMETER_SET);
  assert_int_equal (PEEK (CODEC_H265, 0x60, 0x01, 0, 3, 0x42, 0x01, 0x01, 0, 3, 0x26, 0x01, 0xaf),
                    PEEK_PARAMETER_SET | PEEK_PICTURE | PEEK_RANDOM_ACCESS);
}

static void lengths_that_lie_are_told (void **state)
{
  (void) state;
  assert_int_equal (PEEK (CODEC_H264, 0x78, 0, 9, 0x67), PEEK_MALFORMED);
  assert_int_equal (PEEK (CODEC_H264, 0x78, 0xff, 0xff, 0x67, 0x42), PEEK_MALFORMED);
  assert_int_equal (PEEK (CODEC_H264, 0x78, 0, 0, 0x67, 0x42), PEEK_MALFORMED);
  assert_int_equal (PEEK (CODEC_H264, 0x7c, 0x85), PEEK_MALFORMED);
  assert_int_equal (PEEK (CODEC_H265, 0x40, 0x01), PEEK_MALFORMED);
  assert_int_equal (access_point_peek (CODEC_H264, NULL, 0, NULL, NULL), PEEK_MALFORMED);
  assert_int_equal (PEEK (CODEC_AAC, 0x65, 0x88), 0);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (h264_single_packets_are_told_apart),
    cmocka_unit_test (h264_aggregates_are_looked_into),
    cmocka_unit_test (only_the_first_fragment_starts_an_access_point),
    cmocka_unit_test (h265_packets_are_told_apart),
    cmocka_unit_test (lengths_that_lie_are_told),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
