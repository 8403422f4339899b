#include <string.h>

#include "pipelines/rtsp/credentials.h"
#include "pipelines/rtsp/digest.h"
#include "tests/support/test.h"

/* RFC 7616 3.9.1 */
static const DigestInput rfc_7616 = {
  .username = "Mufasa", .realm = "http-auth@example.org", .password = "Circle of Life",
  .nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", .uri = "/dir/index.html", .method = "GET",
  .qop = "auth", .nc = "00000001", .cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
};

static void the_vectors_of_rfc_7616_hold (void **state)
{
  (void) state;
  DigestInput input = rfc_7616;
  input.algorithm = DIGEST_MD5;
  g_autofree char *md5 = digest_response (&input);
  assert_string_equal (md5, "8ca523f5e9506fed4657c9700eebdbec");
  input.algorithm = DIGEST_SHA256;
  g_autofree char *sha256 = digest_response (&input);
  assert_string_equal (sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

/* RFC 2617 3.5 without qop is RFC 2069's form; computed with the same inputs. */
static void the_form_without_qop_is_that_of_rfc_2069 (void **state)
{
  (void) state;
  DigestInput input = { .algorithm = DIGEST_MD5, .username = "Mufasa", .realm = "testrealm@host.com",
                        .password = "Circle Of Life", .nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                        .uri = "/dir/index.html", .method = "GET" };
  g_autofree char *response = digest_response (&input);
  assert_string_equal (response, "670fd8c2df070c60b045671b8b24ff02");
}

static GstRTSPMessage *unauthorized (const char *first, const char *second)
{
  GstRTSPMessage *response = NULL;
  gst_rtsp_message_new_response (&response, GST_RTSP_STS_UNAUTHORIZED, "Unauthorized", NULL);
  gst_rtsp_message_add_header (response, GST_RTSP_HDR_WWW_AUTHENTICATE, first);
  if (second != NULL)
    gst_rtsp_message_add_header (response, GST_RTSP_HDR_WWW_AUTHENTICATE, second);
  return response;
}

static void the_strongest_challenge_is_answered (void **state)
{
  (void) state;
  g_autoptr (GstRTSPMessage) response = unauthorized ("Basic realm=\"x\"", "Digest realm=\"a, b\", nonce=\"n\"");
  DigestChallenge *challenge = digest_challenge_read (response, NULL);
  assert_non_null (challenge);
  assert_false (challenge->is_basic);
  assert_int_equal (challenge->algorithm, DIGEST_MD5);
  assert_string_equal (challenge->realm, "a, b");
  digest_challenge_free (challenge);

  g_autoptr (GstRTSPMessage) both = unauthorized ("Digest realm=\"a\", nonce=\"n\", algorithm=SHA-256, qop=\"auth,auth-int\"",
                                                  "Digest realm=\"a\", nonce=\"n\", algorithm=MD5");
  challenge = digest_challenge_read (both, NULL);
  assert_int_equal (challenge->algorithm, DIGEST_SHA256);
  assert_true (challenge->has_qop);
  digest_challenge_free (challenge);
}

static void unknown_challenges_are_not_answered (void **state)
{
  (void) state;
  g_autoptr (GstRTSPMessage) response = unauthorized ("Bearer realm=\"x\"", "Digest realm=\"a\", nonce=\"n\", algorithm=SHA-512-256");
  assert_null (digest_challenge_read (response, NULL));
}

/* What our client says, our server reads, and both compute the same. */
static void assert_round_trip (const char *challenge_text, DigestAlgorithm algorithm)
{
  g_autoptr (GstRTSPMessage) response = unauthorized (challenge_text, NULL), request = NULL;
  DigestChallenge *challenge = digest_challenge_read (response, NULL);
  gst_rtsp_message_new_request (&request, GST_RTSP_DESCRIBE, "rtsp://h/live/a");
  gst_rtsp_message_take_header (request, GST_RTSP_HDR_AUTHORIZATION,
                                digest_challenge_answer (challenge, "tok", "secret", "DESCRIBE", "rtsp://h/live/a"));
  DigestAnswer answer;
  assert_true (digest_answer_read (request, &answer));
  DigestInput input = { algorithm, answer.username, answer.realm, "secret", answer.nonce, answer.uri, "DESCRIBE",
                        answer.qop, answer.nc, answer.cnonce };
  g_autofree char *expected = digest_response (&input);
  assert_string_equal (answer.response, expected);
  digest_answer_clear (&answer);
  digest_challenge_free (challenge);
}

static void an_answer_is_what_the_server_expects (void **state)
{
  (void) state;
  assert_round_trip ("Digest realm=\"gridgate\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"", DIGEST_SHA256);
  assert_round_trip ("Digest realm=\"gridgate\", nonce=\"n\", algorithm=MD5", DIGEST_MD5);
  assert_round_trip ("Digest realm=\"gridgate\", nonce=\"n\", qop=\"auth\", opaque=\"o\"", DIGEST_MD5);
}

static void our_challenges_are_sha_256_first_and_md5_last (void **state)
{
  (void) state;
  g_autoptr (GstRTSPMessage) response = NULL;
  char *first = NULL, *last = NULL;
  gst_rtsp_message_new_response (&response, GST_RTSP_STS_UNAUTHORIZED, "Unauthorized", NULL);
  digest_add_challenges (response, "abc", TRUE);
  gst_rtsp_message_get_header (response, GST_RTSP_HDR_WWW_AUTHENTICATE, &first, 0);
  gst_rtsp_message_get_header (response, GST_RTSP_HDR_WWW_AUTHENTICATE, &last, 1);
  assert_non_null (strstr (first, "SHA-256"));
  assert_non_null (strstr (last, "MD5"));
  assert_non_null (strstr (last, "stale=true"));
}

static void answers_that_lack_something_are_not_read (void **state)
{
  (void) state;
  const char *const texts[] = { "Digest username=\"a\"", "Basic YTpi", "", "Digest",
                                "Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"u\", response=\"x\", qop=auth" };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GstRTSPMessage) request = NULL;
    DigestAnswer answer;
    gst_rtsp_message_new_request (&request, GST_RTSP_DESCRIBE, "rtsp://h/live/a");
    gst_rtsp_message_add_header (request, GST_RTSP_HDR_AUTHORIZATION, texts[i]);
    assert_false (digest_answer_read (request, &answer));
  }
}

static void what_is_not_of_the_grammar_never_reaches_gstreamer (void **state)
{
  static const char *const good[] = {
    "Digest realm=\"a, b\", nonce=\"\\\"q\", algorithm=SHA-256,qop=\"auth,auth-int\" , stale=FALSE,", "Basic realm=\"x\"",
    "Basic dXNlcjpwYXNz==", "Digest realm=\"x\", nonce=\"y\", opaque=, Basic realm=\"z\"", "Digest realm=\"\" nonce=\"n\"",
  };
  static const char *const bad[] = {
    "Digest r= nonce=\"q\", a=b", "Digest usernamee\"r\"t= ,alm=\"gridgate\"", "Digest realm=\"c\", nonce= n\", a=b",
    "Digest r= x\"y\"z", "Digest realm=\"never ends", "Digest realm=\"x\\", "Digest realm=\"x\"y", "Digest =\"x\"", "\"", "Digest a\tb=c",
  };
  (void) state;
  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    if (!credentials_are_well_formed (good[i]))
      fail_msg ("refuses %s", good[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    if (credentials_are_well_formed (bad[i]))
      fail_msg ("takes %s", bad[i]);
    g_autoptr (GstRTSPMessage) response = unauthorized (bad[i], "Digest realm=\"r\", nonce=\"n\"");
    DigestChallenge *challenge = digest_challenge_read (response, NULL);
    assert_non_null (challenge);
    assert_string_equal (challenge->realm, "r");
    digest_challenge_free (challenge);
  }
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (the_vectors_of_rfc_7616_hold),
    cmocka_unit_test (the_form_without_qop_is_that_of_rfc_2069),
    cmocka_unit_test (the_strongest_challenge_is_answered),
    cmocka_unit_test (unknown_challenges_are_not_answered),
    cmocka_unit_test (an_answer_is_what_the_server_expects),
    cmocka_unit_test (our_challenges_are_sha_256_first_and_md5_last),
    cmocka_unit_test (answers_that_lack_something_are_not_read),
    cmocka_unit_test (what_is_not_of_the_grammar_never_reaches_gstreamer),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
