#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "pipelines/rtp/receiver.h"
#include "tests/support/test.h"

typedef struct {
  StreamTap tap; /* first */
  Loop *loop;    /* its thread is not used */
  Stream *stream;
  Receiver *receiver;
  TrackList tracks;
  int fds[2];
  GString *units;  /* for each: K, or u; then its packets; then . when it ends an access unit */
  GString *order;  /* of the video packets: sequence numbers */
  GString *events; /* F: first packet, K: first key frame, P: parameter sets, M: message */
  guint16 sequence;
  guint32 last_bytes;
  GPtrArray *kept; /* blocks, as a slow viewer keeps them; NULL: none */
} Bench;

static void on_started (StreamTap *tap, const TrackList *tracks)
{
  (void) tap, (void) tracks;
}

static void on_unit (StreamTap *tap, const Unit *unit)
{
  Bench *bench = (Bench *) tap;
  g_string_append_printf (bench->units, "%c%u%s", unit->is_random_access ? 'K' : 'u', unit->packets,
                          unit->ends_access_unit ? "." : "");
  bench->last_bytes = unit->size;
  if (bench->kept != NULL)
    g_ptr_array_add (bench->kept, block_ref (unit->block));
  const guint8 *frame = unit->block->bytes + unit->offset, *end = frame + unit->size;
  guint packets = 0;
  for (; frame < end; packets++) {
    assert_int_equal (frame[0], '$');
    assert_in_range (frame[1], 0, 3);
    if (frame[1] == 0)
      g_string_append_printf (bench->order, "%d ", frame[6] << 8 | frame[7]);
    frame += 4 + (frame[2] << 8 | frame[3]);
  }
  assert_ptr_equal (frame, end);
  assert_int_equal (packets, unit->packets);
}

static void on_ended (StreamTap *tap, const char *reason)
{
  (void) tap, (void) reason;
}

static gssize on_message (const guint8 *bytes, gsize size, gpointer data)
{
  const guint8 *end = memmem (bytes, size, "\r\n\r\n", 4);
  if (end == NULL)
    return 0;
  g_string_append_c (((Bench *) data)->events, 'M');
  return end + 4 - bytes;
}

static void on_first_packet (gpointer data)
{
  Bench *bench = data;
  g_string_append_c (bench->events, 'F');
  TrackList *tracks = track_list_copy (&bench->tracks);
  stream_begin (bench->stream, tracks);
}

static void on_first_key_frame (gpointer data)
{
  g_string_append_c (((Bench *) data)->events, 'K');
}

static void on_parameter_sets (gpointer data)
{
  g_string_append_c (((Bench *) data)->events, 'P');
}

static int setup (void **state)
{
  static const ReceiverEvents events = { on_message, on_first_packet, on_first_key_frame, on_parameter_sets };
  Bench *bench = *state = g_new0 (Bench, 1);
  bench->tap = (StreamTap){ on_started, on_unit, on_ended };
  bench->loop = loop_new (NULL);
  bench->stream = stream_new (bench->loop, "bridge", "main");
  bench->receiver = receiver_new (bench->stream, &events, bench);
  bench->tracks.count = 2;
  bench->tracks.tracks[0] = (Track){ MEDIUM_VIDEO, CODEC_H264, 96, 90000, 1, (char *) "H264", (char *) "", (char *) "" };
  bench->tracks.tracks[1] = (Track){ MEDIUM_AUDIO, CODEC_PCMA, 8, 8000, 1, (char *) "PCMA", (char *) "", (char *) "" };
  receiver_set_tracks (bench->receiver, &bench->tracks);
  for (guint8 i = 0; i < 4; i++)
    receiver_map (bench->receiver, i, i);
  bench->units = g_string_new (NULL);
  bench->order = g_string_new (NULL);
  bench->events = g_string_new (NULL);
  stream_add_tap (bench->stream, &bench->tap);
  return socketpair (AF_UNIX, SOCK_STREAM, 0, bench->fds);
}

static int teardown (void **state)
{
  Bench *bench = *state;
  receiver_free (bench->receiver);
  stream_free (bench->stream);
  assert_int_equal (block_pool_used (loop_blocks (bench->loop)), 0);
  loop_free (bench->loop);
  close (bench->fds[0]);
  close (bench->fds[1]);
  g_string_free (bench->units, TRUE);
  g_string_free (bench->order, TRUE);
  g_string_free (bench->events, TRUE);
  g_free (bench);
  return 0;
}

/* Hands `bytes` to the receiver as one read. */
static gboolean feed (Bench *bench, const void *bytes, gsize size)
{
  g_autoptr (GError) error = NULL;
  assert_int_equal (write (bench->fds[1], bytes, size), size);
  Wire wire = { .fd = bench->fds[0] };
  return receiver_read (bench->receiver, &wire, &error);
}

static gsize packet (Bench *bench, guint8 *frame, guint8 channel, gboolean marker, guint32 timestamp, const char *payload,
                     gsize payload_size)
{
  gsize size = 12 + payload_size;
  guint16 sequence = bench->sequence++;
  const guint8 header[] = { '$', channel, (guint8) (size >> 8), (guint8) size, 0x80,
                            (guint8) ((marker ? 0x80 : 0) | (channel == 2 ? 8 : 96)), (guint8) (sequence >> 8), (guint8) sequence,
                            (guint8) (timestamp >> 24), (guint8) (timestamp >> 16), (guint8) (timestamp >> 8), (guint8) timestamp,
                            1, 2, 3, 4 };
  memcpy (frame, header, sizeof header);
  memcpy (frame + sizeof header, payload, payload_size);
  return sizeof header + payload_size;
}

/* `script`: s SPS, p PPS, i IDR slice, n other slice, a audio; upper case with the marker; a digit steps the time;
 * | ends a read. */
static void play (Bench *bench, const char *script)
{
  static guint8 bytes[256 * 1024];
  static guint32 timestamp = 1000;
  gsize size = 0;
  for (const char *c = script; *c; c++) {
    gboolean marker = g_ascii_isupper (*c);
    switch (g_ascii_tolower (*c)) {
    case 's':
      size += packet (bench, bytes + size, 0, marker, timestamp, "\x67\x42\x00\x1f", 4);
      break;
    case 'p':
      size += packet (bench, bytes + size, 0, marker, timestamp, "\x68\xce\x3c\x80", 4);
      break;
    case 'i':
      size += packet (bench, bytes + size, 0, marker, timestamp, "\x65\x88\x84", 3);
      break;
    case 'n':
      size += packet (bench, bytes + size, 0, marker, timestamp, "\x41\x9a\x02", 3);
      break;
    case 'a':
      size += packet (bench, bytes + size, 2, marker, timestamp, "audio", 5);
      break;
    case '|':
      assert_true (feed (bench, bytes, size));
      size = 0;
      break;
    default:
      timestamp += 3600u * (guint32) (*c - '0');
    }
  }
  if (size > 0)
    assert_true (feed (bench, bytes, size));
}

/* ---- memory ---- */

enum { BIG = 40000, BUDGET_BLOCKS = 4 };

/* Big pictures, a read each. */
static void play_big (Bench *bench, guint count)
{
  static guint8 bytes[BIG + 64];
  static char slice[BIG] = "\x41\x9a\x02";
  static guint32 timestamp = 1000000;
  for (guint i = 0; i < count; i++) {
    timestamp += 3600;
    assert_true (feed (bench, bytes, packet (bench, bytes, 0, TRUE, timestamp, slice, sizeof slice)));
  }
}

static void when_memory_is_spent_the_group_goes_and_then_packets_until_there_is_room (void **state)
{
  Bench *bench = *state;
  const StreamCounters *counters = stream_counters (bench->stream);
  const BlockPool *pool = loop_blocks (bench->loop);
  block_budget_set (BUDGET_BLOCKS * sizeof (Block));
  play (bench, "spI1");
  play_big (bench, 30);
  assert_int_equal (counters->spared_packets, 0); /* the group made room */
  assert_in_range (block_pool_used (pool), 1, BUDGET_BLOCKS);

  bench->kept = g_ptr_array_new_with_free_func ((GDestroyNotify) block_unref);
  play (bench, "spI1");
  play_big (bench, 30);
  assert_true (counters->spared_packets > 10);
  assert_in_range (block_pool_used (pool), BUDGET_BLOCKS, BUDGET_BLOCKS + 1);
  assert_int_equal (group_count (stream_group (bench->stream)), 0);

  guint64 spared = counters->spared_packets;
  g_clear_pointer (&bench->kept, g_ptr_array_unref);
  play (bench, "N1");
  assert_int_equal (counters->spared_packets, spared + 1); /* not in the middle of a group */
  g_string_truncate (bench->units, 0);
  play (bench, "spI1N1");
  assert_string_equal (bench->units->str, "K3.u1.");
  assert_int_equal (counters->spared_packets, spared + 1);
  block_budget_set (0);
}

static void what_nobody_watches_may_wait (void **state)
{
  Bench *bench = *state;
  play (bench, "spI1N");
  assert_true (receiver_may_wait (bench->receiver)); /* its tap keeps it and shows it to nobody */
  stream_add_watcher (bench->stream);
  assert_false (receiver_may_wait (bench->receiver));
  stream_remove_watcher (bench->stream);
  assert_true (receiver_may_wait (bench->receiver));
}

static void a_unit_is_an_access_unit_with_its_parameter_sets (void **state)
{
  Bench *bench = *state;
  play (bench, "spiI1nN1N");
  assert_string_equal (bench->units->str, "K4.u2.u1.");
  assert_string_equal (bench->events->str, "FPPK");
}

static void parameter_sets_with_markers_of_their_own_stay_with_the_picture (void **state)
{
  Bench *bench = *state;
  play (bench, "S|P|1I|1N");
  assert_string_equal (bench->units->str, "K3.u1.");
}

static void a_changed_timestamp_ends_a_unit_without_marker (void **state)
{
  Bench *bench = *state;
  play (bench, "spi1n1n");
  assert_string_equal (bench->units->str, "K3.u1.");
}

static void slices_with_a_marker_each_are_one_access_point (void **state)
{
  Bench *bench = *state;
  play (bench, "spIII1N");
  assert_string_equal (bench->units->str, "K3.u1.u1.u1.");
}

static void a_key_frame_without_parameter_sets_is_an_access_point (void **state)
{
  Bench *bench = *state;
  play (bench, "I1N1I");
  assert_string_equal (bench->units->str, "K1.u1.K1.");
}

static void audio_goes_out_at_once_unless_a_picture_is_under_way (void **state)
{
  Bench *bench = *state;
  play (bench, "spI|a|1n|a|N");
  assert_string_equal (bench->units->str, "K3.u1u3.");
}

static void reads_may_end_anywhere (void **state)
{
  Bench *bench = *state;
  guint8 frame[64];
  gsize size = packet (bench, frame, 0, TRUE, 90000, "\x65\x88\x84", 3);
  for (gsize i = 0; i < size; i++)
    assert_true (feed (bench, frame + i, 1));
  assert_string_equal (bench->units->str, "K1.");
}

static void rtp_that_lies_is_counted_and_cut_out (void **state)
{
  Bench *bench = *state;
  guint8 frame[64];
  StreamCounters *counters = stream_counters (bench->stream);
  play (bench, "spI");
  gsize size = packet (bench, frame, 0, TRUE, 1, "\x65\x88\x84", 3);
  guint8 good = frame[4];
  const guint8 lies[] = { 0x40, 0x8f, 0x90, 0xa0 }; /* version 1, 15 CSRCs, a header extension and padding beyond the end */
  for (guint i = 0; i < sizeof lies; i++) {
    frame[4] = lies[i];
    frame[size - 1] = lies[i] == 0xa0 ? 200 : 0x84;
    assert_true (feed (bench, frame, size));
  }
  assert_int_equal (counters->malformed_packets, 4);
  frame[4] = good;
  frame[5] = 33; /* another payload type */
  assert_true (feed (bench, frame, size));
  assert_true (feed (bench, "$\0\0\4\x80\x60\0\1", 8)); /* shorter than a header */
  frame[5] = 0x60;
  frame[1] = 77; /* a channel that was not set up */
  assert_true (feed (bench, frame, size));
  assert_int_equal (counters->malformed_packets, 7);
  bench->sequence = 3;
  play (bench, "1N");
  assert_string_equal (bench->units->str, "K3.u1.");
}

static void messages_may_come_between_packets (void **state)
{
  Bench *bench = *state;
  play (bench, "spI");
  assert_true (feed (bench, "RTSP/1.0 200 OK\r\nCSeq", 22));
  assert_true (feed (bench, ": 5\r\n\r\n", 7));
  play (bench, "1N");
  assert_string_equal (bench->units->str, "K3.u1.");
  assert_string_equal (bench->events->str, "FPPKM");
}

static void garbage_is_skipped_to_the_next_packet_and_bounded (void **state)
{
  Bench *bench = *state;
  play (bench, "spI");
  assert_true (feed (bench, "garbage $ that is no packet", 27));
  play (bench, "1N");
  assert_string_equal (bench->units->str, "K3.u1.");
  g_autofree char *much = g_strnfill (16 * 1024, 'x');
  gboolean goes_on = TRUE;
  for (guint i = 0; i < 5 && goes_on; i++)
    goes_on = feed (bench, much, 16 * 1024);
  assert_false (goes_on);
}

static void a_large_access_unit_is_several_units (void **state)
{
  Bench *bench = *state;
  g_autofree char *payload = g_malloc0 (1400);
  guint8 frame[1500];
  payload[0] = 0x7c;
  payload[1] = (char) 0x85;
  for (guint i = 0; i < 80; i++) {
    gsize size = packet (bench, frame, 0, i == 79, 90000, payload, 1400);
    assert_true (feed (bench, frame, size));
    payload[1] = 0x05;
  }
  assert_string_equal (bench->units->str, "K35u35u10.");
}

/* Blocks end in the middle of packets; what isn't whole moves on, and nothing is lost or doubled. */
static void packets_cross_blocks_unharmed (void **state)
{
  Bench *bench = *state;
  g_autofree char *payload = g_malloc0 (60000);
  g_autofree guint8 *frame = g_malloc (64 * 1024);
  payload[0] = 0x65;
  for (guint i = 0; i < 100; i++) {
    gsize size = packet (bench, frame, 0, TRUE, 90000 + i * 3600, payload, 1000 + i * 590);
    for (gsize sent = 0; sent < size; sent += 7000)
      assert_true (feed (bench, frame + sent, MIN (7000, size - sent)));
    assert_int_equal (bench->last_bytes, size);
  }
  assert_int_equal (stream_counters (bench->stream)->received_packets, 100);
  assert_int_equal (stream_counters (bench->stream)->lost_packets, 0);
}

/* A picture of five packets, of which the third comes after the fourth and the second comes twice. */
static void packets_out_of_order_are_put_in_order_and_doubled_ones_cut (void **state)
{
  Bench *bench = *state;
  const guint16 order[] = { 0, 1, 1, 3, 2, 4 };
  static const char nal[] = "\x41\x9a\x02";
  guint8 bytes[1024];
  gsize size = 0;
  play (bench, "spI1");
  guint16 first = bench->sequence;
  for (guint i = 0; i < G_N_ELEMENTS (order); i++) {
    bench->sequence = (guint16) (first + order[i]);
    size += packet (bench, bytes + size, 0, order[i] == 4, 777000, nal, 3 + order[i] % 2);
  }
  assert_true (feed (bench, bytes, size));
  assert_string_equal (bench->units->str, "K3.u2u3."); /* cut at the doubled one */
  assert_string_equal (bench->order->str, "0 1 2 3 4 5 6 7 ");
  const StreamCounters *counters = stream_counters (bench->stream);
  assert_int_equal (counters->repairs[REPAIR_DUPLICATED], 1);
  assert_int_equal (counters->repairs[REPAIR_REORDERED], 1);
  assert_int_equal (counters->lost_packets, 0);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (when_memory_is_spent_the_group_goes_and_then_packets_until_there_is_room, setup, teardown),
    cmocka_unit_test_setup_teardown (what_nobody_watches_may_wait, setup, teardown),
    cmocka_unit_test_setup_teardown (a_unit_is_an_access_unit_with_its_parameter_sets, setup, teardown),
    cmocka_unit_test_setup_teardown (parameter_sets_with_markers_of_their_own_stay_with_the_picture, setup, teardown),
    cmocka_unit_test_setup_teardown (a_changed_timestamp_ends_a_unit_without_marker, setup, teardown),
    cmocka_unit_test_setup_teardown (slices_with_a_marker_each_are_one_access_point, setup, teardown),
    cmocka_unit_test_setup_teardown (a_key_frame_without_parameter_sets_is_an_access_point, setup, teardown),
    cmocka_unit_test_setup_teardown (audio_goes_out_at_once_unless_a_picture_is_under_way, setup, teardown),
    cmocka_unit_test_setup_teardown (reads_may_end_anywhere, setup, teardown),
    cmocka_unit_test_setup_teardown (rtp_that_lies_is_counted_and_cut_out, setup, teardown),
    cmocka_unit_test_setup_teardown (messages_may_come_between_packets, setup, teardown),
    cmocka_unit_test_setup_teardown (garbage_is_skipped_to_the_next_packet_and_bounded, setup, teardown),
    cmocka_unit_test_setup_teardown (a_large_access_unit_is_several_units, setup, teardown),
    cmocka_unit_test_setup_teardown (packets_cross_blocks_unharmed, setup, teardown),
    cmocka_unit_test_setup_teardown (packets_out_of_order_are_put_in_order_and_doubled_ones_cut, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
