#include <string.h>

#include "tests/support/certificate.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/media/camera_bench.h"

/* ---- where it leads ---- */

static void a_redirect_is_followed (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 1, .redirects_to = "/other?x=1", .redirects = 1, .username = "viewer",
                                 .password = "secret" }, "viewer", "secret");
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  g_autofree char *url = scripted_camera_last (bench->camera, "DESCRIBE");
  g_autofree char *expected = g_strdup_printf ("rtsp://127.0.0.1:%u/other?x=1", scripted_camera_port (bench->camera));
  assert_string_equal (url, expected);
}

static void redirects_in_a_circle_are_refused (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .redirects_to = "/other", .redirects = 100 }, NULL, NULL);
  assert_failed (bench, "backing_off protocol", "in a circle");
  assert_int_equal (scripted_camera_requests (bench->camera, "DESCRIBE"), 2);
}

static void a_redirect_to_what_is_no_rtsp_is_refused (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .redirects_to = "http://127.0.0.1/", .redirects = 100 }, NULL, NULL);
  assert_failed (bench, "backing_off protocol", "no rtsp:// address");
}

static void a_login_does_not_follow_a_redirect_to_another_host (void **state)
{
  CameraBench *bench = *state;
  ScriptedCamera *other = scripted_camera_new (&(CameraScript){ .username = "viewer", .password = "secret" });
  g_autofree char *location = g_strdup_printf ("rtsp://localhost:%u/stream1", scripted_camera_port (other));
  camera_bench_start (bench, &(CameraScript){ .redirects_to = location, .redirects = 1 }, "viewer", "secret");
  assert_failed (bench, "failed unauthorized", "it is sent to 127.0.0.1 only");
  assert_int_equal (scripted_camera_requests (other, "DESCRIBE"), 1);
  scripted_camera_free (other);
}

/* ---- what cameras do differently ---- */

static void a_login_that_signs_whole_messages_is_refused_with_words (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .challenge = "Digest realm=\"c\", nonce=\"n\", qop=\"auth-int\"" }, "viewer", "secret");
  assert_failed (bench, "backing_off protocol", "auth-int");
}

static void odd_lines_and_numbers_are_understood (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 1, .has_odd_lines = TRUE, .sequence = "99" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
}

static void a_description_that_is_longer_than_it_says_does_no_harm (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 1, .body_is_longer_by = 21 }, NULL, NULL); /* its last line */
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
}

/* Ten seconds later, for nothing tells that no more will come. */
static void a_description_that_is_shorter_than_it_says_is_taken (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 1, .body_is_longer_by = -40 }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_int_equal (scripted_camera_requests (bench->camera, "DESCRIBE"), 1);
}

static void tracks_on_the_same_channels_are_told_apart_as_they_were_asked (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 1, .transport = "RTP/AVP/TCP;unicast;interleaved=0-1",
                                              .sdp = "v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
                                                     "a=control:trackID=0\r\nm=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\n" },
                      NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_int_equal (stream_counters (bench->stream)->malformed_packets, 0);
}

static void channels_without_their_transport_are_understood (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 1, .transport = "RTP/AVP;unicast;interleaved=0-1" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
}

static void a_session_is_kept_alive_as_the_camera_says (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 2, .session_timeout = 2, .offers = "OPTIONS, SET_PARAMETER" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "stalled stalled");
  assert_in_range (scripted_camera_requests (bench->camera, "SET_PARAMETER"), 1, 4);
  assert_int_equal (scripted_camera_requests (bench->camera, "OPTIONS"), 1);
}

static void a_camera_that_refuses_what_it_offers_is_kept_alive_by_options (void **state)
{
  CameraBench *bench = *state;
  camera_bench_start (bench, &(CameraScript){ .frames = 2, .session_timeout = 2, .offers = "OPTIONS, GET_PARAMETER",
                                 .refuses = "GET_PARAMETER" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "stalled stalled");
  assert_int_equal (scripted_camera_requests (bench->camera, "GET_PARAMETER"), 1);
  assert_in_range (scripted_camera_requests (bench->camera, "OPTIONS"), 2, 6);
}

/* ---- TLS ---- */

typedef struct {
  char *folder, *fingerprint, *authority, *cert_file, *key_file;
} Certificates;

static void certificates_make (Certificates *certificates, const char *host)
{
  certificates->folder = folder_make_temporary ();
  g_free (certificate_make (certificates->folder, "authority", &(CertificateForm){ 0 }));
  certificates->fingerprint
    = certificate_make (certificates->folder, "camera", &(CertificateForm){ .host = host, .issuer = "authority" });
  certificates->authority = certificate_path (certificates->folder, "authority", "pem");
  certificates->cert_file = certificate_path (certificates->folder, "camera", "pem");
  certificates->key_file = certificate_path (certificates->folder, "camera", "key");
}

static void certificates_drop (Certificates *certificates)
{
  folder_drop (certificates->folder);
  g_free (certificates->fingerprint);
  g_free (certificates->authority);
  g_free (certificates->cert_file);
  g_free (certificates->key_file);
}

static void a_camera_is_reached_in_tls_by_authority_or_fingerprint (void **state)
{
  Certificates certificates;
  certificates_make (&certificates, "127.0.0.1");
  for (guint i = 0; i < 2; i++) {
    CameraBench *bench = *state;
    bench->settings.ca_file = g_strdup (i == 0 ? certificates.authority : NULL);
    bench->settings.fingerprint = g_strdup (i == 1 ? certificates.fingerprint : NULL);
    camera_bench_start (bench, &(CameraScript){ .frames = 2, .cert_file = certificates.cert_file, .key_file = certificates.key_file },
           NULL, NULL);
    assert_next (bench->states, "connecting ");
    assert_next (bench->states, "live ");
    camera_bench_teardown (state);
    camera_bench_setup (state);
  }
  certificates_drop (&certificates);
}

static void a_camera_that_cannot_be_trusted_waits_for_a_person (void **state)
{
  CameraBench *bench = *state;
  Certificates certificates;
  certificates_make (&certificates, "other.example");
  bench->settings.ca_file = g_strdup (certificates.authority);
  camera_bench_start (bench, &(CameraScript){ .cert_file = certificates.cert_file, .key_file = certificates.key_file }, NULL, NULL);
  assert_failed (bench, "failed tls", "not made out to 127.0.0.1");
  assert_int_equal (scripted_camera_requests (bench->camera, "OPTIONS"), 0);
  certificates_drop (&certificates);
}

static void an_encrypted_camera_does_not_lead_to_a_plain_one (void **state)
{
  CameraBench *bench = *state;
  Certificates certificates;
  certificates_make (&certificates, "127.0.0.1");
  bench->settings.fingerprint = g_strdup (certificates.fingerprint);
  camera_bench_start (bench, &(CameraScript){ .cert_file = certificates.cert_file, .key_file = certificates.key_file,
                                 .redirects_to = "rtsp://127.0.0.1/x", .redirects = 1 }, NULL, NULL);
  assert_failed (bench, "backing_off protocol", "not encrypted");
  certificates_drop (&certificates);
}

/* ---- UDP ---- */

static void packets_come_by_udp_and_are_reported_back (void **state)
{
  CameraBench *bench = *state;
  bench->settings.is_udp = TRUE;
  camera_bench_start (bench, &(CameraScript){ .frames = 3, .serves_udp = TRUE, .says_goodbye = TRUE }, NULL, NULL);
  loop_call (bench->loop, camera_bench_add_tap, bench);
  assert_next (bench->units, "K0");
  assert_next (bench->units, "u0");
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "live ");
  assert_next (bench->states, "backing_off closed"); /* it said goodbye */
  g_autofree char *detail = detail_of (bench);
  assert_non_null (strstr (detail, "BYE"));
  assert_int_equal (stream_counters (bench->stream)->lost_packets, 0);
  assert_int_equal (stream_counters (bench->stream)->malformed_packets, 0);
  assert_next (bench->states, "connecting "); /* the camera has counted when the connection was over */
  assert_true (scripted_camera_reports (bench->camera) > 0);
}

static void a_camera_that_names_no_host_of_its_own_is_reported_to_all_the_same (void **state)
{
  static const char *const sources[] = { "239.1.1.1", "0.0.0.0" };
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++) {
    CameraBench *bench = *state;
    bench->settings.is_udp = TRUE;
    camera_bench_start (bench, &(CameraScript){ .frames = 1, .serves_udp = TRUE, .source = sources[i], .says_goodbye = TRUE }, NULL,
                        NULL);
    assert_next (bench->states, "connecting ");
    assert_next (bench->states, "live ");
    assert_next (bench->states, "live ");
    assert_next (bench->states, "backing_off closed");
    assert_next (bench->states, "connecting "); /* the camera has counted */
    assert_true (scripted_camera_reports (bench->camera) > 0);
    camera_bench_teardown (state);
    camera_bench_setup (state);
  }
}

static void a_camera_that_sets_udp_up_without_saying_how_is_taken_at_its_word (void **state)
{
  CameraBench *bench = *state;
  bench->settings.is_udp = TRUE;
  camera_bench_start (bench, &(CameraScript){ .frames = 1, .serves_udp = TRUE, .source = "-" }, NULL, NULL);
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, "live ");
  assert_int_equal (stream_counters (bench->stream)->malformed_packets, 0);
}

static void a_camera_that_will_not_send_by_udp_is_taken_over_tcp (void **state)
{
  for (guint i = 0; i < 2; i++) {
    CameraBench *bench = *state;
    bench->settings.is_udp = TRUE;
    camera_bench_start (bench, &(CameraScript){ .frames = 2, .refuses_udp = i == 0, .closes_at_the_end = TRUE }, NULL, NULL);
    assert_next (bench->states, "connecting ");
    assert_next (bench->states, "live ");
    assert_next (bench->states, "live ");
    assert_next (bench->states, "backing_off closed");
    assert_int_equal (scripted_camera_requests (bench->camera, "SETUP"), 2);
    assert_int_equal (scripted_camera_requests (bench->camera, "TEARDOWN"), i == 0 ? 0 : 1); /* of the session that it won't use */
    assert_next (bench->states, "connecting ");
    assert_next (bench->states, "live ");
    assert_int_equal (scripted_camera_requests (bench->camera, "SETUP"), 3); /* it isn't asked in vain again */
    camera_bench_teardown (state);
    camera_bench_setup (state);
  }
}

static void silence_by_udp_is_told_as_what_it_is (void **state)
{
  CameraBench *bench = *state;
  bench->settings.is_udp = TRUE;
  camera_bench_start (bench, &(CameraScript){ .frames = 0, .serves_udp = TRUE }, NULL, NULL);
  assert_failed (bench, "backing_off stalled", "a firewall");
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_redirect_is_followed, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (redirects_in_a_circle_are_refused, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_redirect_to_what_is_no_rtsp_is_refused, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_login_does_not_follow_a_redirect_to_another_host, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_login_that_signs_whole_messages_is_refused_with_words, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (odd_lines_and_numbers_are_understood, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_description_that_is_longer_than_it_says_does_no_harm, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_description_that_is_shorter_than_it_says_is_taken, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (tracks_on_the_same_channels_are_told_apart_as_they_were_asked, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (channels_without_their_transport_are_understood, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_session_is_kept_alive_as_the_camera_says, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_camera_that_refuses_what_it_offers_is_kept_alive_by_options, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_camera_is_reached_in_tls_by_authority_or_fingerprint, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_camera_that_cannot_be_trusted_waits_for_a_person, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (an_encrypted_camera_does_not_lead_to_a_plain_one, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (packets_come_by_udp_and_are_reported_back, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_camera_that_names_no_host_of_its_own_is_reported_to_all_the_same, camera_bench_setup,
                                     camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_camera_that_sets_udp_up_without_saying_how_is_taken_at_its_word, camera_bench_setup,
                                     camera_bench_teardown),
    cmocka_unit_test_setup_teardown (a_camera_that_will_not_send_by_udp_is_taken_over_tcp, camera_bench_setup, camera_bench_teardown),
    cmocka_unit_test_setup_teardown (silence_by_udp_is_told_as_what_it_is, camera_bench_setup, camera_bench_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
