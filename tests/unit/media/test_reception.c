#include <string.h>

#include "pipelines/rtp/reception.h"
#include "tests/support/test.h"

enum { SECOND = G_USEC_PER_SEC };

static guint32 read_32 (const guint8 *bytes)
{
  return (guint32) bytes[0] << 24 | (guint32) bytes[1] << 16 | (guint32) bytes[2] << 8 | bytes[3];
}

static void take (Reception *reception, guint16 sequence, guint32 timestamp, gint64 arrival_us)
{
  const guint8 packet[12] = { 0x80, 96, (guint8) (sequence >> 8), (guint8) sequence, (guint8) (timestamp >> 24),
                              (guint8) (timestamp >> 16), (guint8) (timestamp >> 8), (guint8) timestamp, 0, 0, 0, 7 };
  reception_packet (reception, packet, arrival_us);
}

static void loss_and_the_highest_number_are_reported (void **state)
{
  (void) state;
  Reception reception;
  guint8 report[RECEPTION_REPORT_MAX];
  reception_init (&reception, 90000);
  for (guint i = 0; i < 10; i++)
    if (i != 3 && i != 6)
      take (&reception, (guint16) (65530 + i), i * 3600, SECOND + i * SECOND / 25);
  gsize size = reception_write (&reception, 0x11223344, "name", SECOND, report);
  assert_int_equal (report[1], 201);
  assert_int_equal (read_32 (report + 4), 0x11223344);
  assert_int_equal (read_32 (report + 8), 7);
  assert_int_equal (report[12], 2 * 256 / 10);                  /* fraction lost */
  assert_int_equal (read_32 (report + 12) & 0xffffff, 2);       /* in all */
  assert_int_equal (read_32 (report + 16), 0x10000 + 3);        /* one wrap, then 3 */
  assert_int_equal (read_32 (report + 20), 0);                  /* jitter */
  assert_int_equal (report[32 + 1], 202);                       /* SDES follows, and ends with the packet */
  assert_int_equal (32 + 4 * (1 + (report[34] << 8 | report[35])), size);
  take (&reception, 4, 10 * 3600, SECOND + 10 * SECOND / 25);
  reception_write (&reception, 1, "name", SECOND, report);
  assert_int_equal (report[12], 0); /* of the time since the last report */
  assert_int_equal (read_32 (report + 12) & 0xffffff, 2);
}

static void jitter_is_the_mean_deviation_of_arrival (void **state)
{
  (void) state;
  Reception reception;
  guint8 report[RECEPTION_REPORT_MAX];
  reception_init (&reception, 90000);
  for (guint i = 0; i < 400; i++) /* each other one is 10 ms late: 900 ticks of deviation each time */
    take (&reception, (guint16) i, i * 3600, SECOND + i * SECOND / 25 + (i % 2) * 10000);
  reception_write (&reception, 1, "name", SECOND, report);
  assert_in_range (read_32 (report + 20), 880, 900);
}

static void the_senders_last_report_is_told_back (void **state)
{
  (void) state;
  Reception reception;
  guint8 report[RECEPTION_REPORT_MAX];
  const guint8 sender[28] = { 0x80, 200, 0, 6, 0, 0, 0, 7, 0xaa, 0xbb, 0x12, 0x34, 0x56, 0x78, 0xcc, 0xdd };
  reception_init (&reception, 90000);
  take (&reception, 1, 0, SECOND);
  assert_false (reception_rtcp (&reception, sender, sizeof sender, 2 * SECOND));
  reception_write (&reception, 1, "name", 2 * SECOND + SECOND / 2, report);
  assert_int_equal (read_32 (report + 24), 0x12345678);
  assert_int_equal (read_32 (report + 28), 0x8000); /* half a second in 65536ths */
}

static void only_its_own_goodbye_counts (void **state)
{
  (void) state;
  Reception reception;
  const guint8 own[] = { 0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 203, 0, 1, 0, 0, 0, 7 };
  const guint8 other[] = { 0x81, 203, 0, 1, 0, 0, 0, 8 }, torn[] = { 0x81, 203, 0, 9, 0, 0, 0, 7 };
  reception_init (&reception, 90000);
  take (&reception, 1, 0, SECOND);
  assert_false (reception_rtcp (&reception, other, sizeof other, SECOND));
  assert_false (reception_rtcp (&reception, torn, sizeof torn, SECOND));
  assert_false (reception_rtcp (&reception, own, 3, SECOND));
  assert_true (reception_rtcp (&reception, own, sizeof own, SECOND));
}

static void before_anything_came_the_report_has_no_block (void **state)
{
  (void) state;
  Reception reception;
  guint8 report[RECEPTION_REPORT_MAX];
  reception_init (&reception, 90000);
  reception_write (&reception, 1, "name", SECOND, report);
  assert_int_equal (report[0], 0x80);
  assert_int_equal (report[3], 1);
  assert_int_equal (report[9], 202);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (loss_and_the_highest_number_are_reported),
    cmocka_unit_test (jitter_is_the_mean_deviation_of_arrival),
    cmocka_unit_test (the_senders_last_report_is_told_back),
    cmocka_unit_test (only_its_own_goodbye_counts),
    cmocka_unit_test (before_anything_came_the_report_has_no_block),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
