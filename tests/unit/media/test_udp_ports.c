#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/rtp/viewer_report.h"
#include "pipelines/rtsp/rtsp_transport.h"
#include "pipelines/rtsp/udp_ports.h"
#include "tests/support/test.h"

static const guint8 report[] = { 0x81, 201, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
                                 0x81, 202, 0, 2, 1, 2, 3, 4, 0, 0, 0, 0 };
static const guint8 goodbye[] = { 0x80, 201, 0, 1, 1, 2, 3, 4, 0x81, 203, 0, 1, 1, 2, 3, 4 };

/* ---- reports ---- */

static void reports_are_read_within_their_bounds (void **state)
{
  (void) state;
  assert_int_equal (viewer_report_read (report, sizeof report), VIEWER_REPORT_ALIVE);
  assert_int_equal (viewer_report_read (goodbye, sizeof goodbye), VIEWER_REPORT_GOODBYE);
  assert_int_equal (viewer_report_read (report, 0), VIEWER_REPORT_BROKEN);
  for (gsize size = 1; size < sizeof report; size++)
    if (size != 32) /* there the second packet begins */
      assert_int_equal (viewer_report_read (report, size), VIEWER_REPORT_BROKEN);
  guint8 lies[sizeof report];
  memcpy (lies, report, sizeof lies);
  lies[0] = 0x82; /* two blocks in the room of one */
  assert_int_equal (viewer_report_read (lies, sizeof lies), VIEWER_REPORT_BROKEN);
  lies[0] = 0x41;
  assert_int_equal (viewer_report_read (lies, sizeof lies), VIEWER_REPORT_BROKEN);
}

/* ---- transports ---- */

#define ANY (RTSP_TAKES_TCP | RTSP_TAKES_UDP)

static void assert_chosen (const char *header, RtspTakes takes, gboolean is_udp, int first, int second)
{
  RtspTransport chosen;
  assert_true (rtsp_transport_choose (header, takes, &chosen));
  assert_int_equal (chosen.is_udp, is_udp);
  assert_int_equal (chosen.first, first);
  assert_int_equal (chosen.second, second);
}

static void the_first_offer_that_we_speak_is_taken (void **state)
{
  (void) state;
  assert_chosen ("RTP/AVP;unicast;client_port=5000-5001", ANY, TRUE, 5000, 5001);
  assert_chosen ("RTP/AVP/UDP;unicast;client_port=5000", ANY, TRUE, 5000, 5001);
  assert_chosen ("RTP/AVP/UDP; unicast; client_port=5000-5001;mode=\"PLAY\"", ANY, TRUE, 5000, 5001);
  assert_chosen ("RTP/AVP;multicast, RTP/AVP/TCP;unicast;interleaved=4-5", ANY, FALSE, 4, 5);
  assert_chosen ("RTP/AVP/TCP;unicast", ANY, FALSE, -1, -1);
  assert_chosen ("RTP/AVP;unicast;client_port=5000-5001,RTP/AVP/TCP;interleaved=0-1", RTSP_TAKES_TCP, FALSE, 0, 1);
}

static void what_we_do_not_speak_is_refused (void **state)
{
  static const char *const refused[] = { NULL, "", "RTP/AVP;multicast", "RTP/AVP;multicast;client_port=5000-5001",
                                         "RTP/SAVP;unicast;client_port=5000-5001", "RTP/AVP;unicast",
                                         "RTP/AVP;unicast;client_port=0-1", "RTP/AVP;unicast;client_port=70000-70001",
                                         "RTP/AVP;unicast;client_port=65535", "RAW/RAW/UDP;unicast;client_port=5000-5001",
                                         "RTP/AVP/TCP;unicast;interleaved=300-301",
                                         "RTP/AVP;unicast;client_port=5000-5001;mode=record" };
  RtspTransport chosen;
  (void) state;
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    if (rtsp_transport_choose (refused[i], ANY, &chosen))
      fail_msg ("%s is taken", refused[i]);
  assert_false (rtsp_transport_choose ("RTP/AVP/TCP;unicast;interleaved=0-1", RTSP_TAKES_UDP, &chosen));
}

/* ---- the ports ---- */

typedef struct {
  Loop *loop;
  int listener, client;
  struct sockaddr_storage address; /* the client's */
  guint16 port;                    /* to open; 0: any */
  UdpPorts *ports;
  GError *error;
} Bench;

static int bound_socket (int type, struct sockaddr_storage *address)
{
  struct sockaddr_in loopback = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof *address;
  int fd = socket (AF_INET, type, 0);
  assert_int_equal (bind (fd, (struct sockaddr *) &loopback, sizeof loopback), 0);
  assert_int_equal (getsockname (fd, (struct sockaddr *) address, &size), 0);
  return fd;
}

static void open_ports (gpointer data)
{
  Bench *bench = data;
  bench->ports = udp_ports_open (bench->loop, bench->listener, bench->port, &bench->error);
}

static void stop_ports (gpointer data)
{
  udp_ports_stop (data);
}

static int setup (void **state)
{
  Bench *bench = *state = g_new0 (Bench, 1);
  struct sockaddr_storage address;
  bench->loop = loop_new (NULL);
  bench->listener = bound_socket (SOCK_STREAM, &address);
  bench->client = bound_socket (SOCK_DGRAM, &bench->address);
  loop_call (bench->loop, open_ports, bench);
  return bench->ports != NULL ? 0 : -1;
}

static int teardown (void **state)
{
  Bench *bench = *state;
  loop_call (bench->loop, stop_ports, bench->ports);
  udp_ports_unref (bench->ports);
  loop_free (bench->loop);
  close (bench->listener);
  close (bench->client);
  g_free (bench);
  return 0;
}

static guint16 client_port (const Bench *bench)
{
  return ntohs (((const struct sockaddr_in *) (const void *) &bench->address)->sin_port);
}

static void say (Bench *bench, const guint8 *packet, gsize size)
{
  struct sockaddr_in rtcp = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
                              .sin_port = htons ((guint16) (udp_ports_number (bench->ports) + 1)) };
  assert_int_equal (sendto (bench->client, packet, size, 0, (struct sockaddr *) &rtcp, sizeof rtcp), size);
}

static void turn (gpointer data)
{
  (void) data;
}

/* Each call is a turn of the loop, which has read what was said before. */
static void wait_until_heard (Bench *bench, UdpPeer *peer)
{
  gint64 start_us = g_get_monotonic_time ();
  while (g_atomic_int_get (&peer->heard_s) == 0 && g_get_monotonic_time () - start_us < 20 * G_USEC_PER_SEC)
    loop_call (bench->loop, turn, NULL);
  assert_in_range (g_get_monotonic_time () / G_USEC_PER_SEC - peer->heard_s, 0, 20);
}

static void the_ports_are_a_pair_from_an_even_number_on (void **state)
{
  Bench *bench = *state;
  guint16 number = udp_ports_number (bench->ports);
  assert_int_equal (number % 2, 0);
  Bench same = { .loop = bench->loop, .listener = bench->listener, .port = number };
  loop_call (bench->loop, open_ports, &same);
  assert_null (same.ports);
  g_autofree char *expected = g_strdup_printf ("cannot open the UDP ports %u and %u", number, number + 1);
  assert_non_null (strstr (same.error->message, expected));
  g_clear_error (&same.error);
}

static void they_reach_who_has_an_address_of_their_kind (void **state)
{
  Bench *bench = *state;
  const struct sockaddr_storage other = { .ss_family = AF_INET6 };
  assert_true (udp_ports_reach (bench->ports, &bench->address));
  assert_false (udp_ports_reach (bench->ports, &other));
}

static void a_report_is_a_sign_of_life_of_the_viewer_at_its_address (void **state)
{
  Bench *bench = *state;
  UdpPeer viewer = { 0 }, other = { 0 };
  udp_ports_register (bench->ports, &viewer, &bench->address, client_port (bench));
  udp_ports_register (bench->ports, &other, &bench->address, (guint16) (client_port (bench) - 1));
  say (bench, report, sizeof report);
  wait_until_heard (bench, &viewer);
  assert_int_equal (other.heard_s, 0);
  udp_ports_forget (&viewer);
  udp_ports_forget (&other);
  udp_ports_forget (&other);
}

static void a_goodbye_and_what_is_broken_are_no_sign_of_life (void **state)
{
  Bench *bench = *state;
  UdpPeer viewer = { 0 }, marker = { 0 };
  struct sockaddr_storage address;
  udp_ports_register (bench->ports, &viewer, &bench->address, client_port (bench));
  say (bench, goodbye, sizeof goodbye);
  say (bench, report, 9);
  Bench later = *bench;
  later.client = bound_socket (SOCK_DGRAM, &address);
  later.address = address;
  udp_ports_register (bench->ports, &marker, &address, client_port (&later));
  say (&later, report, sizeof report);
  wait_until_heard (&later, &marker);
  assert_int_equal (viewer.heard_s, 0);
  udp_ports_forget (&viewer);
  udp_ports_forget (&marker);
  close (later.client);
}

static void the_newest_viewer_of_an_address_is_heard (void **state)
{
  Bench *bench = *state;
  UdpPeer old = { 0 }, new = { 0 };
  udp_ports_register (bench->ports, &old, &bench->address, client_port (bench));
  udp_ports_register (bench->ports, &new, &bench->address, client_port (bench));
  udp_ports_forget (&old);
  say (bench, report, sizeof report);
  wait_until_heard (bench, &new);
  udp_ports_forget (&new);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (reports_are_read_within_their_bounds),
    cmocka_unit_test (the_first_offer_that_we_speak_is_taken),
    cmocka_unit_test (what_we_do_not_speak_is_refused),
    cmocka_unit_test_setup_teardown (the_ports_are_a_pair_from_an_even_number_on, setup, teardown),
    cmocka_unit_test_setup_teardown (they_reach_who_has_an_address_of_their_kind, setup, teardown),
    cmocka_unit_test_setup_teardown (a_report_is_a_sign_of_life_of_the_viewer_at_its_address, setup, teardown),
    cmocka_unit_test_setup_teardown (a_goodbye_and_what_is_broken_are_no_sign_of_life, setup, teardown),
    cmocka_unit_test_setup_teardown (the_newest_viewer_of_an_address_is_heard, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
