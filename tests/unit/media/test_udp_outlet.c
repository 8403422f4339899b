#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "pipelines/rtp/udp_outlet.h"
#include "tests/support/test.h"

enum { PACKET = 1000, SHORT = 300 };

static const OutletLimits limits = { 20000, 8 * G_USEC_PER_SEC, 15 * G_USEC_PER_SEC, 30 * G_USEC_PER_SEC };

typedef struct {
  Loop *loop; /* its thread is not used */
  UdpSockets sockets;
  int clients[2]; /* RTP, RTCP */
  UdpOutlet outlet;
  guint8 next; /* the value of the bytes of the next packet */
} Bench;

/* What the kernel would say; 0: it is asked. */
static int refuses_segments, refuses_all;
static guint calls;

ssize_t sendmsg (int fd, const struct msghdr *message, int flags)
{
  calls++;
  int refusal = message->msg_iovlen > 1 && refuses_segments != 0 ? refuses_segments : refuses_all;
  if (refusal == 0)
    return syscall (SYS_sendmsg, fd, message, flags);
  errno = refusal;
  return -1;
}

static int open_socket (struct sockaddr_storage *address)
{
  struct sockaddr_in loopback = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct timeval watchdog = { .tv_sec = 20 };
  socklen_t size = sizeof *address;
  int fd = socket (AF_INET, SOCK_DGRAM, 0);
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &watchdog, sizeof watchdog);
  assert_int_equal (bind (fd, (struct sockaddr *) &loopback, sizeof loopback), 0);
  assert_int_equal (getsockname (fd, (struct sockaddr *) address, &size), 0);
  return fd;
}

static guint16 port_of (const struct sockaddr_storage *address)
{
  return ntohs (((const struct sockaddr_in *) (const void *) address)->sin_port);
}

static int setup (void **state)
{
  Bench *bench = *state = g_new0 (Bench, 1);
  struct sockaddr_storage ours, client;
  calls = 0;
  refuses_segments = refuses_all = 0;
  bench->loop = loop_new (NULL);
  bench->sockets.rtp_fd = open_socket (&ours);
  bench->sockets.rtcp_fd = open_socket (&ours);
  bench->sockets.has_segments = udp_sockets_probe (&bench->sockets);
  guint16 ports[2];
  for (guint i = 0; i < 2; i++) {
    bench->clients[i] = open_socket (&client);
    ports[i] = port_of (&client);
  }
  udp_outlet_init (&bench->outlet, &bench->sockets, bench->loop, &client, &ours, &limits);
  memcpy (bench->outlet.ports, ports, sizeof ports);
  return 0;
}

static int teardown (void **state)
{
  Bench *bench = *state;
  udp_outlet_finish (&bench->outlet);
  assert_int_equal (block_pool_used (loop_blocks (bench->loop)), 0);
  loop_free (bench->loop);
  close (bench->sockets.rtp_fd);
  close (bench->sockets.rtcp_fd);
  close (bench->clients[0]);
  close (bench->clients[1]);
  g_free (bench);
  return 0;
}

static void add_packet (Bench *bench, Unit *unit, guint8 channel, gsize size)
{
  guint8 *frame = unit->block->bytes + unit->size;
  const guint8 header[] = { '$', channel, (guint8) (size >> 8), (guint8) size };
  memcpy (frame, header, sizeof header);
  memset (frame + sizeof header, ++bench->next, size);
  unit->size += (guint32) (sizeof header + size);
  unit->packets++;
}

/* L: a long packet, s: a short one, r: a report; of another track x. */
static Unit make_unit (Bench *bench, const char *packets, gboolean is_key)
{
  Unit unit = { .block = block_new (loop_blocks (bench->loop)), .is_random_access = is_key };
  for (const char *c = packets; *c; c++)
    add_packet (bench, &unit, *c == 'r' ? 1 : *c == 'x' ? 2 : 0, *c == 's' ? SHORT : PACKET);
  return unit;
}

static void send_packets (Bench *bench, const char *packets, gboolean is_key)
{
  Unit unit = make_unit (bench, packets, is_key);
  udp_outlet_send (&bench->outlet, &unit);
  block_unref (unit.block);
}

/* The next datagram is a whole packet of these bytes. */
static void assert_received (Bench *bench, guint client, guint8 value, gsize size)
{
  guint8 packet[2 * PACKET];
  assert_int_equal (recv (bench->clients[client], packet, sizeof packet, 0), size);
  for (gsize i = 0; i < size; i++)
    assert_int_equal (packet[i], value);
}

static void assert_nothing_left (Bench *bench)
{
  guint8 byte;
  for (guint i = 0; i < 2; i++)
    assert_int_equal (recv (bench->clients[i], &byte, 1, MSG_DONTWAIT), -1);
}

static void assert_all_arrive (Bench *bench)
{
  send_packets (bench, "LLLsLrLxLs", TRUE);
  for (guint8 i = 1; i <= 3; i++)
    assert_received (bench, 0, i, PACKET);
  assert_received (bench, 0, 4, SHORT);
  assert_received (bench, 0, 5, PACKET);
  assert_received (bench, 1, 6, PACKET);
  assert_received (bench, 0, 7, PACKET);
  assert_received (bench, 0, 9, PACKET);
  assert_received (bench, 0, 10, SHORT);
  assert_nothing_left (bench);
}

static void packets_arrive_whole_in_order_and_without_their_headers (void **state)
{
  Bench *bench = *state;
  assert_all_arrive (bench);
  assert_int_equal (bench->outlet.sent_bytes, 7 * PACKET + 2 * SHORT);
}

static void packets_of_one_size_take_one_call (void **state)
{
  Bench *bench = *state;
  assert_true (bench->sockets.has_segments); /* every kernel that Debian 12 runs on */
  send_packets (bench, "LLLLLLLs", TRUE);
  assert_int_equal (calls, 1);
  for (guint8 i = 1; i <= 7; i++)
    assert_received (bench, 0, i, PACKET);
  assert_received (bench, 0, 8, SHORT);
}

static void what_the_kernel_cannot_cut_up_goes_one_by_one (void **state)
{
  Bench *bench = *state;
  refuses_segments = EINVAL; /* for these packets: over the path's size */
  assert_all_arrive (bench);
  assert_true (bench->sockets.has_segments);
  bench->next = 0;
  refuses_segments = EIO; /* for good: the interface has no checksums */
  assert_all_arrive (bench);
  assert_false (bench->sockets.has_segments);
  bench->next = 0;
  calls = 0;
  assert_all_arrive (bench);
  assert_int_equal (calls, 9);
}

static void a_full_socket_skips_to_the_next_key_frame_and_is_counted (void **state)
{
  Bench *bench = *state;
  refuses_all = EAGAIN;
  send_packets (bench, "LL", TRUE);
  assert_int_equal (bench->outlet.skip_count, 1);
  refuses_all = 0;
  send_packets (bench, "LL", FALSE);
  assert_nothing_left (bench);
  send_packets (bench, "L", TRUE);
  send_packets (bench, "L", FALSE);
  assert_received (bench, 0, 5, PACKET);
  assert_received (bench, 0, 6, PACKET);
  assert_int_equal (bench->outlet.skip_count, 1);
}

static void what_is_skipped_until_a_key_frame_are_neither_reports_nor_another_stretch (void **state)
{
  Bench *bench = *state;
  refuses_all = EAGAIN;
  send_packets (bench, "L", TRUE);
  refuses_all = 0;
  send_packets (bench, "r", FALSE);
  send_packets (bench, "rL", FALSE);
  assert_received (bench, 1, 2, PACKET);
  assert_nothing_left (bench);
  udp_outlet_forget (&bench->outlet);
  send_packets (bench, "L", FALSE);
  assert_received (bench, 0, 5, PACKET);
}

static void whoever_has_no_video_goes_on_at_once (void **state)
{
  Bench *bench = *state;
  bench->outlet.starts_anywhere = TRUE;
  refuses_all = EAGAIN;
  send_packets (bench, "L", FALSE);
  refuses_all = 0;
  send_packets (bench, "L", FALSE);
  assert_received (bench, 0, 2, PACKET);
}

static void a_way_that_is_closed_costs_nothing_but_the_packets (void **state)
{
  Bench *bench = *state;
  refuses_all = EPERM;
  send_packets (bench, "LLs", TRUE);
  assert_int_equal (bench->outlet.skip_count, 0);
  refuses_all = 0;
  send_packets (bench, "L", FALSE);
  assert_received (bench, 0, 4, PACKET);
}

/* ---- what it starts with ---- */

static void send_start (gpointer data)
{
  Bench *bench = data;
  udp_outlet_allow (&bench->outlet, 100 * PACKET);
  send_packets (bench, "LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL", TRUE);
  send_packets (bench, "LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL", FALSE);
  assert_int_equal (calls, 0);
}

static void send_next (gpointer data)
{
  send_packets (data, "L", FALSE);
}

/* On the loop's thread, whose timer sends it. */
static void what_it_starts_with_is_paced_and_keeps_its_place_before_what_follows (void **state)
{
  Bench *bench = *state;
  gint64 start_us = g_get_monotonic_time ();
  loop_call (bench->loop, send_start, bench);
  loop_call (bench->loop, send_next, bench);
  for (guint8 i = 1; i <= 101; i++)
    assert_received (bench, 0, i, PACKET);
  assert_true (g_get_monotonic_time () - start_us >= 3 * 5000); /* four pieces of 32 KiB, 5 ms apart */
  assert_int_equal (bench->outlet.skip_count, 0);
}

static void send_paced (gpointer data)
{
  Bench *bench = data;
  udp_outlet_pace (&bench->outlet, 200 * PACKET);
  send_packets (bench, "LLLLLLLLLLLLLLL", TRUE);
  assert_int_equal (calls, 0);
}

static void send_and_forget (gpointer data)
{
  Bench *bench = data;
  send_packets (bench, "LLLLLL", TRUE);
  udp_outlet_forget (&bench->outlet);
  send_packets (bench, "s", FALSE);
}

/* As on a link of 1.6 Mb/s, whose buffers a burst would overflow. */
static void a_stream_that_is_paced_goes_out_at_its_rate_and_may_be_forgotten (void **state)
{
  Bench *bench = *state;
  gint64 start_us = g_get_monotonic_time ();
  loop_call (bench->loop, send_paced, bench);
  for (guint8 i = 1; i <= 15; i++)
    assert_received (bench, 0, i, PACKET);
  assert_true (g_get_monotonic_time () - start_us >= 7 * 10000); /* two packets each ten milliseconds */
  loop_call (bench->loop, send_and_forget, bench);
  assert_received (bench, 0, 22, SHORT);
}

static void send_too_much (gpointer data)
{
  Bench *bench = data;
  udp_outlet_allow (&bench->outlet, 1);
  for (guint i = 0; i < 25; i++)
    send_packets (bench, "L", i == 0);
  assert_int_equal (bench->outlet.skip_count, 1);
  assert_true (bench->outlet.waiting_bytes <= limits.bytes + 1);
}

static void what_may_wait_is_bounded (void **state)
{
  Bench *bench = *state;
  loop_call (bench->loop, send_too_much, bench);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (packets_arrive_whole_in_order_and_without_their_headers, setup, teardown),
    cmocka_unit_test_setup_teardown (packets_of_one_size_take_one_call, setup, teardown),
    cmocka_unit_test_setup_teardown (what_the_kernel_cannot_cut_up_goes_one_by_one, setup, teardown),
    cmocka_unit_test_setup_teardown (what_is_skipped_until_a_key_frame_are_neither_reports_nor_another_stretch, setup, teardown),
    cmocka_unit_test_setup_teardown (a_full_socket_skips_to_the_next_key_frame_and_is_counted, setup, teardown),
    cmocka_unit_test_setup_teardown (whoever_has_no_video_goes_on_at_once, setup, teardown),
    cmocka_unit_test_setup_teardown (a_way_that_is_closed_costs_nothing_but_the_packets, setup, teardown),
    cmocka_unit_test_setup_teardown (what_it_starts_with_is_paced_and_keeps_its_place_before_what_follows, setup, teardown),
    cmocka_unit_test_setup_teardown (a_stream_that_is_paced_goes_out_at_its_rate_and_may_be_forgotten, setup, teardown),
    cmocka_unit_test_setup_teardown (what_may_wait_is_bounded, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
