#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "pipelines/rtp/outlet.h"
#include "tests/support/certificate.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

enum { TURNS_MAX = 1000, BYTES = 1000 * 1000 };

/* A client's wire, a server's, and what they told. */
typedef struct {
  char *folder;
  int fds[2];
  Wire client, server;
  WireContext *trust, *presents;
  WireState client_state, server_state;
  GError *client_error, *server_error;
} Bench;

static int setup (void **state)
{
  Bench *bench = *state = g_new0 (Bench, 1);
  int small = 16 * 1024;
  bench->folder = folder_make_temporary ();
  signal (SIGPIPE, SIG_IGN);
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, bench->fds) != 0)
    return -1;
  for (int i = 0; i < 2; i++)
    setsockopt (bench->fds[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  wire_init (&bench->client, bench->fds[0]);
  wire_init (&bench->server, bench->fds[1]);
  g_free (certificate_make (bench->folder, "authority", &(CertificateForm){ 0 }));
  g_free (certificate_make (bench->folder, "stranger", &(CertificateForm){ 0 }));
  return 0;
}

static int teardown (void **state)
{
  Bench *bench = *state;
  wire_finish (&bench->client);
  wire_finish (&bench->server);
  wire_context_unref (bench->trust);
  wire_context_unref (bench->presents);
  g_clear_error (&bench->client_error);
  g_clear_error (&bench->server_error);
  close (bench->fds[0]);
  close (bench->fds[1]);
  folder_drop (bench->folder);
  g_free (bench);
  return 0;
}

static void present (Bench *bench, const CertificateForm *form, char **fingerprint)
{
  g_autofree char *made = certificate_make (bench->folder, "camera", form);
  g_autofree char *cert_file = certificate_path (bench->folder, "camera", "pem");
  g_autofree char *key_file = certificate_path (bench->folder, "camera", "key");
  bench->presents = wire_context_new_server (cert_file, key_file, NULL);
  assert_non_null (bench->presents);
  assert_true (wire_start_server (&bench->server, bench->presents, NULL));
  if (fingerprint != NULL)
    *fingerprint = g_steal_pointer (&made);
}

static void trust (Bench *bench, const char *authority, const char *fingerprint, const char *host)
{
  g_autofree char *ca_file = authority != NULL ? certificate_path (bench->folder, authority, "pem") : NULL;
  bench->trust = wire_context_new_client (ca_file, fingerprint, NULL);
  assert_non_null (bench->trust);
  assert_true (wire_start_client (&bench->client, bench->trust, host, NULL));
}

static gboolean waits (WireState state)
{
  return state == WIRE_WAITS_TO_READ || state == WIRE_WAITS_TO_WRITE;
}

static void shake_hands (Bench *bench)
{
  bench->client_state = bench->server_state = WIRE_WAITS_TO_READ;
  for (int i = 0; i < TURNS_MAX && (waits (bench->client_state) || waits (bench->server_state)); i++) {
    if (waits (bench->client_state))
      bench->client_state = wire_handshake (&bench->client, &bench->client_error);
    if (waits (bench->server_state))
      bench->server_state = wire_handshake (&bench->server, &bench->server_error);
    if (bench->client_state == WIRE_BROKEN && waits (bench->server_state))
      shutdown (bench->fds[0], SHUT_WR);
  }
}

static void open_both (Bench *bench)
{
  present (bench, &(CertificateForm){ .host = "camera.example", .issuer = "authority" }, NULL);
  trust (bench, "authority", NULL, "camera.example");
  shake_hands (bench);
  assert_int_equal (bench->client_state, WIRE_OPEN);
  assert_int_equal (bench->server_state, WIRE_OPEN);
}

static void assert_refused (Bench *bench, const char *words)
{
  shake_hands (bench);
  assert_int_equal (bench->client_state, WIRE_BROKEN);
  assert_true (error_is (bench->client_error, ERROR_RECONFIGURE));
  assert_non_null (strstr (bench->client_error->message, words));
}

/* All of `bytes` through, with as little room as sockets have. */
static void pass (Wire *from, Wire *to, const guint8 *bytes, gsize size)
{
  g_autofree guint8 *got = g_malloc (size + WIRE_READ_MIN);
  gsize sent = 0, received = 0;
  while (received < size) {
    gssize part = sent < size ? wire_send (from, bytes + sent, size - sent) : 0;
    assert_true (part >= 0 || errno == EAGAIN);
    sent += (gsize) MAX (part, 0);
    part = wire_read (to, got + received, size + WIRE_READ_MIN - received);
    assert_true (part > 0 || errno == EAGAIN);
    received += (gsize) MAX (part, 0);
  }
  assert_memory_equal (got, bytes, size);
}

static void bytes_pass_both_ways (void **state)
{
  Bench *bench = *state;
  g_autofree guint8 *bytes = g_malloc (BYTES);
  for (guint i = 0; i < BYTES; i++)
    bytes[i] = (guint8) (i * 7 + i / 251);
  pass (&bench->client, &bench->server, bytes, BYTES); /* plain */
  open_both (bench);
  pass (&bench->client, &bench->server, bytes, BYTES);
  pass (&bench->server, &bench->client, bytes, BYTES);
}

static void parts_arrive_in_order (void **state)
{
  Bench *bench = *state;
  open_both (bench);
  g_autofree char *long_part = g_strnfill (20000, 'b'), *got = g_malloc (65536);
  struct iovec parts[] = { { (char *) "a", 1 }, { long_part, 20000 }, { (char *) "c", 1 } };
  gsize sent = 0, received = 0;
  while (received < 20002) {
    struct iovec left[3];
    guint count = 0;
    gsize skip = sent;
    for (guint i = 0; i < 3; skip -= MIN (skip, parts[i].iov_len), i++)
      if (skip < parts[i].iov_len)
        left[count++] = (struct iovec){ (char *) parts[i].iov_base + skip, parts[i].iov_len - skip };
    gssize part = count > 0 ? wire_send_parts (&bench->server, left, count) : 0;
    sent += (gsize) MAX (part, 0);
    part = wire_read (&bench->client, got + received, 65536 - received);
    received += (gsize) MAX (part, 0);
  }
  assert_int_equal (got[0], 'a');
  assert_memory_equal (got + 1, long_part, 20000);
  assert_int_equal (got[20001], 'c');
}

static void what_is_wrong_with_a_certificate_is_told_apart (void **state)
{
  static const struct {
    CertificateForm form;
    const char *authority, *words;
  } cases[] = {
    { { .host = "camera.example", .issuer = "authority", .is_expired = TRUE }, "authority", "has expired" },
    { { .host = "camera.example", .issuer = "authority", .is_not_yet_valid = TRUE }, "authority", "not valid yet" },
    { { .host = "other.example", .issuer = "authority" }, "authority", "not made out to camera.example" },
    { { .host = "camera.example", .issuer = "authority" }, "stranger", "nobody that is trusted has signed" },
    { { .host = "camera.example" }, "authority", "nobody that is trusted has signed" },
    { { .host = "camera.example", .issuer = "authority" }, NULL, "nobody that is trusted has signed" }, /* the system's */
  };
  (void) state;
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    void *own;
    assert_int_equal (setup (&own), 0);
    present (own, &cases[i].form, NULL);
    trust (own, cases[i].authority, NULL, "camera.example");
    assert_refused (own, cases[i].words);
    assert_true (((Bench *) own)->server_state == WIRE_BROKEN || ((Bench *) own)->server_state == WIRE_OPEN);
    teardown (&own);
  }
}

static void an_address_is_checked_as_an_address (void **state)
{
  Bench *bench = *state;
  present (bench, &(CertificateForm){ .host = "192.168.10.21", .issuer = "authority" }, NULL);
  trust (bench, "authority", NULL, "192.168.10.21");
  shake_hands (bench);
  assert_int_equal (bench->client_state, WIRE_OPEN);
}

static void a_pinned_certificate_is_trusted_whatever_stands_in_it (void **state)
{
  Bench *bench = *state;
  g_autofree char *fingerprint = NULL;
  present (bench, &(CertificateForm){ .host = "other.example", .is_expired = TRUE }, &fingerprint);
  trust (bench, NULL, fingerprint, "192.168.10.21");
  shake_hands (bench);
  assert_int_equal (bench->client_state, WIRE_OPEN);
}

static void another_fingerprint_is_refused_and_shown (void **state)
{
  Bench *bench = *state;
  g_autofree char *fingerprint = NULL;
  guint8 seen[WIRE_FINGERPRINT_BYTES], shown[WIRE_FINGERPRINT_BYTES];
  present (bench, &(CertificateForm){ .host = "camera.example", .issuer = "authority" }, &fingerprint);
  g_autofree char *other = certificate_make (bench->folder, "other", &(CertificateForm){ .host = "camera.example" });
  trust (bench, NULL, other, "camera.example");
  assert_refused (bench, "set fingerprint to this one");
  char *begin = strstr (bench->client_error->message, "fingerprint ") + strlen ("fingerprint ");
  g_autofree char *text = g_strndup (begin, 95);
  assert_true (wire_fingerprint_read (fingerprint, seen));
  assert_true (wire_fingerprint_read (text, shown)); /* as it is shown it can be set */
  assert_memory_equal (seen, shown, sizeof seen);
}

static void fingerprints_are_read_strictly (void **state)
{
  (void) state;
  guint8 bytes[WIRE_FINGERPRINT_BYTES];
  g_autofree char *plain = g_strnfill (64, 'a'), *short_one = g_strnfill (62, 'a'), *long_one = g_strnfill (66, 'a');
  assert_true (wire_fingerprint_read (plain, bytes));
  assert_int_equal (bytes[31], 0xaa);
  assert_false (wire_fingerprint_read (short_one, bytes));
  assert_false (wire_fingerprint_read (long_one, bytes));
  assert_false (wire_fingerprint_read ("", bytes));
  plain[10] = 'g';
  assert_false (wire_fingerprint_read (plain, bytes));
}

static void a_peer_without_tls_is_told (void **state)
{
  Bench *bench = *state;
  const char answer[] = "RTSP/1.0 400 Bad Request\r\n\r\n";
  trust (bench, "authority", NULL, "camera.example");
  assert_int_equal (wire_handshake (&bench->client, &bench->client_error), WIRE_WAITS_TO_READ);
  assert_int_equal (write (bench->fds[1], answer, strlen (answer)), strlen (answer));
  assert_int_equal (wire_handshake (&bench->client, &bench->client_error), WIRE_BROKEN);
  assert_true (error_is (bench->client_error, ERROR_RECONFIGURE));
  assert_non_null (strstr (bench->client_error->message, "doesn't speak TLS"));
}

static void a_peer_that_only_speaks_an_old_version_is_told (void **state)
{
  Bench *bench = *state;
  present (bench, &(CertificateForm){ .host = "camera.example", .issuer = "authority" }, NULL);
  trust (bench, "authority", NULL, "camera.example");
  SSL_CTX *old = SSL_CTX_new (TLS_server_method ());
  g_autofree char *cert_file = certificate_path (bench->folder, "camera", "pem");
  g_autofree char *key_file = certificate_path (bench->folder, "camera", "key");
  SSL_CTX_set_security_level (old, 0);
  SSL_CTX_set_min_proto_version (old, TLS1_VERSION);
  SSL_CTX_set_max_proto_version (old, TLS1_1_VERSION);
  SSL_CTX_use_certificate_file (old, cert_file, SSL_FILETYPE_PEM);
  SSL_CTX_use_PrivateKey_file (old, key_file, SSL_FILETYPE_PEM);
  SSL *server = SSL_new (old);
  SSL_set_fd (server, bench->fds[1]);
  assert_int_equal (wire_handshake (&bench->client, &bench->client_error), WIRE_WAITS_TO_READ);
  assert_int_equal (SSL_accept (server), -1);
  assert_int_equal (wire_handshake (&bench->client, &bench->client_error), WIRE_BROKEN);
  assert_non_null (strstr (bench->client_error->message, "older than 1.2"));
  SSL_free (server);
  SSL_CTX_free (old);
}

static void a_peer_that_closes_in_the_handshake_may_be_tried_again (void **state)
{
  Bench *bench = *state;
  trust (bench, "authority", NULL, "camera.example");
  assert_int_equal (wire_handshake (&bench->client, NULL), WIRE_WAITS_TO_READ);
  shutdown (bench->fds[1], SHUT_RDWR);
  assert_int_equal (wire_handshake (&bench->client, &bench->client_error), WIRE_BROKEN);
  assert_true (error_is (bench->client_error, ERROR_RETRY));
}

static void nothing_stays_inside_where_epoll_does_not_see_it (void **state)
{
  Bench *bench = *state;
  open_both (bench);
  g_autofree guint8 *bytes = g_malloc0 (1000), *room = g_malloc (8 * WIRE_READ_MIN);
  for (guint i = 0; i < 3; i++)
    assert_int_equal (wire_send (&bench->server, bytes, 1000), 1000);
  assert_int_equal (wire_read (&bench->client, room, WIRE_READ_MIN), 1000); /* one more record might not fit */
  assert_int_equal (wire_read (&bench->client, room, 8 * WIRE_READ_MIN), 2000);
  struct pollfd readable = { bench->fds[0], POLLIN, 0 };
  assert_int_equal (poll (&readable, 1, 0), 0);
  assert_int_equal (wire_read (&bench->client, room, 8 * WIRE_READ_MIN), -1);
  assert_int_equal (errno, EAGAIN);
}

static void an_end_in_order_is_an_end (void **state)
{
  Bench *bench = *state;
  g_autofree guint8 *room = g_malloc (WIRE_READ_MIN);
  open_both (bench);
  assert_int_equal (wire_send (&bench->server, "bye", 3), 3);
  wire_finish (&bench->server);
  assert_int_equal (wire_read (&bench->client, room, WIRE_READ_MIN), 3);
  assert_int_equal (wire_read (&bench->client, room, WIRE_READ_MIN), 0);
}

static void bytes_that_are_no_tls_break_it_with_words (void **state)
{
  Bench *bench = *state;
  g_autofree guint8 *room = g_malloc (WIRE_READ_MIN);
  open_both (bench);
  assert_int_equal (write (bench->fds[1], "no tls at all", 13), 13);
  assert_int_equal (wire_read (&bench->client, room, WIRE_READ_MIN), -1);
  assert_int_not_equal (errno, EAGAIN);
  assert_non_null (strstr (wire_problem (&bench->client), "TLS: "));
}

static void a_certificate_or_key_that_is_no_such_thing_is_told (void **state)
{
  Bench *bench = *state;
  g_autoptr (GError) no_certificate = NULL, other_key = NULL, no_authority = NULL;
  g_autofree char *cert_file = certificate_path (bench->folder, "authority", "pem");
  g_autofree char *key_file = certificate_path (bench->folder, "stranger", "key");
  assert_null (wire_context_new_server ("/nowhere.pem", key_file, &no_certificate));
  assert_non_null (strstr (no_certificate->message, "cert_file /nowhere.pem"));
  assert_null (wire_context_new_server (cert_file, key_file, &other_key));
  assert_non_null (strstr (other_key->message, "has no key"));
  assert_null (wire_context_new_client (key_file, NULL, &no_authority));
  assert_non_null (strstr (no_authority->message, "ca_file"));
}

static void on_waits (gpointer data)
{
  (void) data;
}

/* What is encrypted but unsent must go out before anything else, also when the unit that it is from is skipped. */
static void a_viewer_that_skips_gets_whole_units_only (void **state)
{
  enum { UNIT_BYTES = 10000 };
  static const OutletLimits limits = { 60000, 8 * G_USEC_PER_SEC, 15 * G_USEC_PER_SEC, 30 * G_USEC_PER_SEC };
  Bench *bench = *state;
  BlockPool *pool = block_pool_new ();
  g_autoptr (GByteArray) received = g_byte_array_new ();
  g_autofree guint8 *room = g_malloc (WIRE_READ_MIN);
  Outlet outlet;
  open_both (bench);
  outlet_init (&outlet, &bench->server, &limits, on_waits, NULL);
  for (guint8 i = 1; i <= 200; i++) {
    Unit unit = { .block = block_new (pool), .size = UNIT_BYTES - 20u * i, .packets = 1, .is_random_access = i % 10 == 0 };
    memset (unit.block->bytes, i, UNIT_BYTES);
    assert_true (outlet_send (&outlet, &unit, i));
    block_unref (unit.block);
    for (gboolean drains = i % 20 == 9; drains;) {
      gssize size = wire_read (&bench->client, room, WIRE_READ_MIN);
      if (size > 0)
        g_byte_array_append (received, room, (guint) size);
      drains = size > 0 || outlet_is_waiting (&outlet);
      assert_true (!outlet_is_waiting (&outlet) || outlet_flush (&outlet, i));
    }
  }
  assert_true (outlet.skip_count > 2);
  for (guint at = 0, end; at < received->len; at = end) {
    guint8 value = received->data[at];
    for (end = at; end < received->len && received->data[end] == value; end++)
      ;
    if (end < received->len)
      assert_int_equal (end - at, UNIT_BYTES - 20u * value);
  }
  outlet_finish (&outlet);
  block_pool_free (pool);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (bytes_pass_both_ways, setup, teardown),
    cmocka_unit_test_setup_teardown (parts_arrive_in_order, setup, teardown),
    cmocka_unit_test (what_is_wrong_with_a_certificate_is_told_apart),
    cmocka_unit_test_setup_teardown (an_address_is_checked_as_an_address, setup, teardown),
    cmocka_unit_test_setup_teardown (a_pinned_certificate_is_trusted_whatever_stands_in_it, setup, teardown),
    cmocka_unit_test_setup_teardown (another_fingerprint_is_refused_and_shown, setup, teardown),
    cmocka_unit_test (fingerprints_are_read_strictly),
    cmocka_unit_test_setup_teardown (a_peer_without_tls_is_told, setup, teardown),
    cmocka_unit_test_setup_teardown (a_peer_that_only_speaks_an_old_version_is_told, setup, teardown),
    cmocka_unit_test_setup_teardown (a_peer_that_closes_in_the_handshake_may_be_tried_again, setup, teardown),
    cmocka_unit_test_setup_teardown (nothing_stays_inside_where_epoll_does_not_see_it, setup, teardown),
    cmocka_unit_test_setup_teardown (an_end_in_order_is_an_end, setup, teardown),
    cmocka_unit_test_setup_teardown (bytes_that_are_no_tls_break_it_with_words, setup, teardown),
    cmocka_unit_test_setup_teardown (a_certificate_or_key_that_is_no_such_thing_is_told, setup, teardown),
    cmocka_unit_test_setup_teardown (a_viewer_that_skips_gets_whole_units_only, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
