/* What viewers play over: UDP, and TCP in TLS. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "pipelines/rtsp/rtsp_connection.h"
#include "tests/support/certificate.h"
#include "tests/support/folder.h"
#include "tests/unit/media/rtsp_bench.h"

/* ---- UDP ---- */

/* The next datagram is an RTP packet of this NAL type, from `port`. */
static void assert_next_datagram (const UdpClient *client, guint16 port, guint8 nal)
{
  guint8 packet[2048];
  struct sockaddr_in from;
  socklen_t from_size = sizeof from;
  assert_in_range (recvfrom (client->fd, packet, sizeof packet, 0, (struct sockaddr *) &from, &from_size), 13, sizeof packet);
  assert_int_equal (packet[0], 0x80);
  assert_int_equal (packet[12], nal);
  assert_int_equal (ntohs (from.sin_port), port);
}

static void set_up_udp (Client *client, const UdpClient *rtp, const UdpClient *rtcp, const char *more)
{
  g_autofree char *transport = g_strdup_printf ("Transport: RTP/AVP;unicast;client_port=%u-%u%s\r\n", rtp->port, rtcp->port, more);
  request (client, "DESCRIBE", "/live/bridge", "");
  assert_answer (client, 200, NULL);
  request (client, "SETUP", "/live/bridge/trackID=0", transport);
}

/* A viewer that plays holds them, as this does. */
static void the_ports_stay_when_only_the_listener_moves (void **state)
{
  Bench *bench = *state;
  assert_true (rtsp_server_open_udp (bench->server, 0, NULL));
  UdpPorts *ports = rtsp_server_udp_ports (bench->server);
  assert_true (rtsp_server_listen (bench->server, "127.0.0.1:0", NULL));
  assert_true (rtsp_server_open_udp (bench->server, udp_ports_number (ports), NULL));
  UdpPorts *now = rtsp_server_udp_ports (bench->server);
  assert_ptr_equal (now, ports);
  udp_ports_unref (now);
  udp_ports_unref (ports);
  ports = rtsp_server_udp_ports (bench->server);
  assert_true (rtsp_server_listen (bench->server, "127.0.0.2:0", NULL));
  assert_true (rtsp_server_open_udp (bench->server, udp_ports_number (ports), NULL)); /* of another host */
  now = rtsp_server_udp_ports (bench->server);
  assert_ptr_not_equal (now, ports);
  udp_ports_unref (now);
  udp_ports_unref (ports);
}

static void a_viewer_over_udp_gets_packets_from_the_ports_it_was_told (void **state)
{
  Bench *bench = *state;
  UdpClient rtp = udp_client_open (), rtcp = udp_client_open ();
  Client client;
  assert_true (rtsp_server_open_udp (bench->server, 0, NULL));
  client_open (&client, bench);
  set_up_udp (&client, &rtp, &rtcp, ";destination=192.0.2.1"); /* nobody is flooded that doesn't ask himself */
  g_autofree char *answer = next_answer (&client);
  const char *server_port = strstr (answer, ";source=127.0.0.1;server_port=");
  assert_non_null (server_port);
  assert_non_null (strstr (answer, ";ssrc="));
  assert_null (strstr (answer, "destination"));
  guint16 port = (guint16) atoi (server_port + strlen (";source=127.0.0.1;server_port="));
  assert_int_equal (port % 2, 0);
  request (&client, "PLAY", "/live/bridge", "");
  assert_answer (&client, 200, "RTP-Info: url=");
  assert_next_datagram (&rtp, port, 0x67);
  assert_next_datagram (&rtp, port, 0x68);
  assert_next_datagram (&rtp, port, 0x65);
  assert_next_datagram (&rtp, port, 0x41);
  request (&client, "TEARDOWN", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  assert_int_equal (bench->ended, 1);
  close (client.fd);
  close (rtp.fd);
  close (rtcp.fd);
}

static void a_viewer_over_udp_ends_with_its_connection (void **state)
{
  Bench *bench = *state;
  UdpClient rtp = udp_client_open (), rtcp = udp_client_open ();
  Client client;
  assert_true (rtsp_server_open_udp (bench->server, 0, NULL));
  client_open (&client, bench);
  set_up_udp (&client, &rtp, &rtcp, "");
  assert_answer (&client, 200, "server_port=");
  request (&client, "PLAY", "/live/bridge", "");
  assert_answer (&client, 200, NULL);
  assert_true (rtsp_server_open_udp (bench->server, 0, NULL)); /* it goes on with the old ports */
  close (client.fd);
  gint64 start_us = g_get_monotonic_time ();
  while (g_atomic_int_get (&bench->ended) == 0 && g_get_monotonic_time () - start_us < 20 * G_USEC_PER_SEC)
    loop_call (bench->loops[1], rtsp_bench_turn, NULL);
  assert_int_equal (bench->ended, 1);
  close (rtp.fd);
  close (rtcp.fd);
}

static void tracks_of_one_session_go_one_way (void **state)
{
  Bench *bench = *state;
  UdpClient rtp = udp_client_open (), rtcp = udp_client_open ();
  Client client;
  client_open (&client, bench);
  set_up_udp (&client, &rtp, &rtcp, "");
  assert_answer (&client, 461, NULL); /* the ports are not open */
  assert_true (rtsp_server_open_udp (bench->server, 0, NULL));
  set_up_udp (&client, &rtp, &rtcp, "");
  assert_answer (&client, 200, NULL);
  request (&client, "SETUP", "/live/bridge/trackID=0", TRANSPORT);
  assert_answer (&client, 461, NULL);
  close (client.fd);
  close (rtp.fd);
  close (rtcp.fd);
}

/* ---- RTSPS ---- */

typedef struct {
  char *folder;
  SSL_CTX *trust;
} Secure;

static WireContext *make_certificate (const Secure *secure, const char *label)
{
  g_free (certificate_make (secure->folder, label, &(CertificateForm){ .host = "127.0.0.1" }));
  g_autofree char *cert_file = certificate_path (secure->folder, label, "pem");
  g_autofree char *key_file = certificate_path (secure->folder, label, "key");
  WireContext *context = wire_context_new_server (cert_file, key_file, NULL);
  assert_non_null (context);
  return context;
}

static void secure_open (Secure *secure, Bench *bench)
{
  signal (SIGPIPE, SIG_IGN);
  *secure = (Secure){ folder_make_temporary (), SSL_CTX_new (TLS_client_method ()) };
  WireContext *context = make_certificate (secure, "old");
  assert_true (rtsp_server_listen_tls (bench->server, "127.0.0.1:0", context, NULL));
  wire_context_unref (context);
}

static void secure_close (Secure *secure)
{
  SSL_CTX_free (secure->trust);
  folder_drop (secure->folder);
}

/* Whether the server shows the certificate LABEL.pem, and talks TLS of at most `version`. */
static gboolean client_secure (Client *client, Bench *bench, const Secure *secure, const char *label, int version)
{
  g_autofree char *cert_file = certificate_path (secure->folder, label, "pem");
  client_connect (client, rtsp_server_tls_port (bench->server));
  client->tls = SSL_new (secure->trust);
  X509_STORE *store = X509_STORE_new ();
  assert_int_equal (X509_STORE_load_file (store, cert_file), 1);
  SSL_set0_verify_cert_store (client->tls, store);
  SSL_set_verify (client->tls, SSL_VERIFY_PEER, NULL);
  SSL_set_max_proto_version (client->tls, version);
  SSL_set_fd (client->tls, client->fd);
  return SSL_connect (client->tls) == 1;
}

static void client_close (Client *client)
{
  SSL_free (client->tls);
  close (client->fd);
}

typedef struct {
  GMutex mutex;
  GCond changed;
  gboolean is_open;
} Gate;

static void wait_at_gate (gpointer data)
{
  Gate *gate = data;
  g_mutex_lock (&gate->mutex);
  while (!gate->is_open)
    g_cond_wait (&gate->changed, &gate->mutex);
  g_mutex_unlock (&gate->mutex);
}

static void open_gate (Gate *gate)
{
  g_mutex_lock (&gate->mutex);
  gate->is_open = TRUE;
  g_cond_broadcast (&gate->changed);
  g_mutex_unlock (&gate->mutex);
}

/* Handshakes cost a millisecond each, and cameras live on the loop that they come in at. */
static void a_flood_of_handshakes_is_put_off_and_all_are_made (void **state)
{
  enum { FLOOD = 100 };
  Bench *bench = *state;
  Secure secure;
  Client clients[FLOOD];
  Gate gate = { 0 };
  guint open = 0;
  secure_open (&secure, bench);
  loop_post (bench->loops[0], wait_at_gate, &gate);
  for (guint i = 0; i < FLOOD; i++) {
    client_connect (&clients[i], rtsp_server_tls_port (bench->server));
    assert_int_equal (fcntl (clients[i].fd, F_SETFL, O_NONBLOCK), 0);
    clients[i].tls = SSL_new (secure.trust);
    SSL_set_fd (clients[i].tls, clients[i].fd);
    assert_int_equal (SSL_connect (clients[i].tls), -1); /* its first word is said */
  }
  open_gate (&gate);
  for (gint64 until_us = g_get_monotonic_time () + 60 * G_USEC_PER_SEC; open < FLOOD; g_thread_yield ()) {
    assert_true (g_get_monotonic_time () < until_us);
    open = 0;
    for (guint i = 0; i < FLOOD; i++)
      open += SSL_connect (clients[i].tls) == 1;
  }
  assert_true (g_atomic_int_get (&rtsp_server_shared (bench->server)->put_off) > 0);
  for (guint i = 0; i < FLOOD; i++)
    client_close (&clients[i]);
  secure_close (&secure);
}

static void a_viewer_over_tls_plays_and_is_refused_udp (void **state)
{
  Bench *bench = *state;
  Secure secure;
  Client client;
  secure_open (&secure, bench);
  assert_true (rtsp_server_open_udp (bench->server, 0, NULL));
  assert_true (client_secure (&client, bench, &secure, "old", TLS1_3_VERSION));
  say (&client, "DESCRIBE rtsps://127.0.0.1/live/bridge?token=abc RTSP/1.0\r\nCSeq: 1\r\n\r\n");
  assert_answer (&client, 200, "Content-Base: rtsps://127.0.0.1/live/bridge/");
  assert_asked (bench, "DESCRIBE bridge main abc -");
  request (&client, "SETUP", "/live/bridge/trackID=0", "Transport: RTP/AVP;unicast;client_port=5000-5001\r\n");
  assert_answer (&client, 461, NULL);
  client.sequence = 1;
  play (&client);
  assert_next_packet (&client, 0, 0x67);
  assert_next_packet (&client, 0, 0x68);
  assert_next_packet (&client, 0, 0x65);
  client_close (&client);
  secure_close (&secure);
}

static void a_renewed_certificate_is_shown_and_present_viewers_stay (void **state)
{
  Bench *bench = *state;
  Secure secure;
  Client client, later;
  secure_open (&secure, bench);
  assert_true (client_secure (&client, bench, &secure, "old", TLS1_2_VERSION));
  WireContext *renewed = make_certificate (&secure, "new");
  rtsp_server_present (bench->server, renewed);
  wire_context_unref (renewed);
  assert_false (client_secure (&later, bench, &secure, "old", TLS1_2_VERSION));
  client_close (&later);
  assert_true (client_secure (&later, bench, &secure, "new", TLS1_2_VERSION));
  play (&later);
  play (&client);
  client_close (&later);
  client_close (&client);
  rtsp_server_end_tls (bench->server);
  assert_int_equal (rtsp_server_tls_port (bench->server), 0);
  secure_close (&secure);
}

static void what_is_no_tls_or_too_old_is_closed (void **state)
{
  Bench *bench = *state;
  Secure secure;
  Client client;
  secure_open (&secure, bench);
  assert_false (client_secure (&client, bench, &secure, "old", TLS1_1_VERSION));
  client_close (&client);
  client_connect (&client, rtsp_server_tls_port (bench->server));
  say (&client, "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
  while (receive (&client)) /* perhaps an alert */
    client.filled = 0;
  client_close (&client);
  secure_close (&secure);
}

static void no_more_viewers_are_taken_than_set (void **state)
{
  Bench *bench = *state;
  Client client, other;
  rtsp_server_set_viewers_max (bench->server, 1);
  client_open (&client, bench);
  play (&client);
  client_open (&other, bench);
  request (&other, "SETUP", "/live/bridge/trackID=0", TRANSPORT);
  assert_answer (&other, 453, NULL);
  rtsp_server_set_viewers_max (bench->server, 2);
  request (&other, "SETUP", "/live/bridge/trackID=0", TRANSPORT);
  assert_answer (&other, 200, NULL);
  close (client.fd);
  close (other.fd);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (the_ports_stay_when_only_the_listener_moves, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_viewer_over_udp_gets_packets_from_the_ports_it_was_told, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_viewer_over_udp_ends_with_its_connection, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (tracks_of_one_session_go_one_way, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_flood_of_handshakes_is_put_off_and_all_are_made, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_viewer_over_tls_plays_and_is_refused_udp, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (a_renewed_certificate_is_shown_and_present_viewers_stay, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (what_is_no_tls_or_too_old_is_closed, rtsp_bench_setup, rtsp_bench_teardown),
    cmocka_unit_test_setup_teardown (no_more_viewers_are_taken_than_set, rtsp_bench_setup, rtsp_bench_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
