#include <string.h>

#include "pipelines/rtsp/digest_nonce.h"
#include "tests/support/test.h"

static gboolean takes (DigestNonce *nonce, const char *text, const char *nc, gint64 now_us)
{
  DigestAnswer answer = { .nonce = text, .qop = nc != NULL ? "auth" : NULL, .nc = nc };
  return digest_nonce_takes (nonce, &answer, now_us);
}

static void an_answer_to_another_nonce_is_stale (void **state)
{
  (void) state;
  DigestNonce one, other;
  digest_nonce_renew (&one, 0);
  digest_nonce_renew (&other, 0);
  assert_string_not_equal (one.text, other.text);
  assert_int_equal (strlen (one.text), DIGEST_NONCE_DIGITS);
  assert_true (takes (&one, one.text, NULL, 1));
  assert_false (takes (&one, other.text, NULL, 1));
}

static void an_answer_that_comes_too_late_is_stale (void **state)
{
  (void) state;
  DigestNonce nonce;
  digest_nonce_renew (&nonce, 7);
  assert_true (takes (&nonce, nonce.text, NULL, 6 + DIGEST_NONCE_LIFE_US));
  assert_false (takes (&nonce, nonce.text, NULL, 7 + DIGEST_NONCE_LIFE_US));
}

static void an_answer_with_qop_is_taken_once_and_counts_up (void **state)
{
  (void) state;
  DigestNonce nonce;
  digest_nonce_renew (&nonce, 0);
  assert_true (takes (&nonce, nonce.text, "00000001", 1));
  assert_false (takes (&nonce, nonce.text, "00000001", 1));
  assert_true (takes (&nonce, nonce.text, "0000000a", 1)); /* some were lost on the way: no harm */
  assert_false (takes (&nonce, nonce.text, "00000002", 1));
  digest_nonce_renew (&nonce, 1);
  assert_true (takes (&nonce, nonce.text, "00000001", 2));
}

static void a_count_that_is_none_is_not_taken (void **state)
{
  (void) state;
  static const char *const wrong[] = { "", "1", "00000000", "0000000g", "-0000001", "000000001" };
  DigestNonce nonce;
  digest_nonce_renew (&nonce, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    assert_false (takes (&nonce, nonce.text, wrong[i], 1));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (an_answer_to_another_nonce_is_stale),
    cmocka_unit_test (an_answer_that_comes_too_late_is_stale),
    cmocka_unit_test (an_answer_with_qop_is_taken_once_and_counts_up),
    cmocka_unit_test (a_count_that_is_none_is_not_taken),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
