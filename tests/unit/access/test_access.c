#include <string.h>

#include "gateway/access/password.h"

#include "tests/support/test.h"
#include "tests/unit/access/access_fixture.h"

static LoginResult log_in (AccessFixture *fixture, const char *name, const char *password, char **cookie)
{
  g_autofree char *csrf = NULL;
  g_autoptr (GError) error = NULL;
  gint64 wait_us;
  g_clear_pointer (cookie, g_free);
  return access_log_in (fixture->access, name, password, "192.0.2.9", cookie, &csrf, &wait_us, &error);
}

static gboolean is_known (AccessFixture *fixture, const char *cookie)
{
  Caller caller = { 0 };
  gboolean is = access_caller_of_session (fixture->access, cookie, &caller);
  caller_clear (&caller);
  return is;
}

static void a_right_password_opens_a_session_and_a_wrong_one_does_not (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *cookie = NULL;
  access_fixture_add (fixture, "li", ROLE_OPERATOR, NULL, "village");
  assert_int_equal (log_in (fixture, "li", "river stone 8", &cookie), LOGIN_WRONG);
  assert_int_equal (log_in (fixture, "nobody", FIXTURE_PASSWORD, &cookie), LOGIN_WRONG);
  assert_int_equal (log_in (fixture, "li", FIXTURE_PASSWORD, &cookie), LOGIN_OK);

  Caller caller = { 0 };
  assert_true (access_caller_of_session (fixture->access, cookie, &caller));
  assert_string_equal (caller.actor.name, "li");
  assert_int_equal (caller.actor.role, ROLE_OPERATOR);
  assert_string_equal (caller.actor.grid, "village");
  access_log_out (fixture->access, &caller, "192.0.2.9");
  assert_false (is_known (fixture, cookie));
  caller_clear (&caller);
}

static void five_failures_make_the_next_login_wait_longer_each_time (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *cookie = NULL;
  access_fixture_add (fixture, "li", ROLE_OPERATOR, NULL, NULL);
  for (int i = 0; i < 6; i++)
    assert_int_equal (log_in (fixture, "li", "river stone 8", &cookie), LOGIN_WRONG);
  assert_int_equal (log_in (fixture, "li", FIXTURE_PASSWORD, &cookie), LOGIN_WAIT);
  clock_fake_advance (fixture->clock, 31 * G_TIME_SPAN_SECOND);
  assert_int_equal (log_in (fixture, "li", "river stone 8", &cookie), LOGIN_WRONG);
  clock_fake_advance (fixture->clock, 31 * G_TIME_SPAN_SECOND);
  assert_int_equal (log_in (fixture, "li", FIXTURE_PASSWORD, &cookie), LOGIN_WAIT);
  clock_fake_advance (fixture->clock, 30 * G_TIME_SPAN_SECOND);
  assert_int_equal (log_in (fixture, "li", FIXTURE_PASSWORD, &cookie), LOGIN_OK);
}

static void a_session_ends_when_idle_and_after_half_a_day_at_the_latest (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *cookie = NULL;
  access_fixture_add (fixture, "li", ROLE_OPERATOR, NULL, NULL);
  assert_int_equal (log_in (fixture, "li", FIXTURE_PASSWORD, &cookie), LOGIN_OK);
  clock_fake_advance (fixture->clock, (SESSION_IDLE_S + 1) * G_TIME_SPAN_SECOND);
  assert_false (is_known (fixture, cookie));

  assert_int_equal (log_in (fixture, "li", FIXTURE_PASSWORD, &cookie), LOGIN_OK);
  for (int s = 0; s < SESSION_LONGEST_S; s += 1200) {
    assert_true (is_known (fixture, cookie));
    store_run (fixture->store, (StoreJob) database_script, (gpointer) "SELECT 1", NULL); /* what was seen is noted now */
    clock_fake_advance (fixture->clock, 1200 * G_TIME_SPAN_SECOND);
  }
  clock_fake_advance (fixture->clock, G_TIME_SPAN_SECOND);
  assert_false (is_known (fixture, cookie));
}

typedef gboolean (*Change) (Database *database, GError **error);

static gboolean run_change (Database *database, gpointer data, GError **error)
{
  return (*(Change *) data) (database, error);
}

static gboolean lock_li (Database *database, GError **error)
{
  return account_set_locked (database, "li", TRUE, error);
}

static gboolean remove_li (Database *database, GError **error)
{
  return account_remove (database, "li", error);
}

static void a_locked_or_removed_account_has_no_session_any_more (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *cookie = NULL;
  const Change changes[] = { lock_li, remove_li };
  for (gsize i = 0; i < G_N_ELEMENTS (changes); i++) {
    Change change = changes[i];
    if (i == 0)
      access_fixture_add (fixture, "li", ROLE_OPERATOR, NULL, NULL);
    else
      store_run (fixture->store, (StoreJob) database_script, (gpointer) "UPDATE accounts SET is_locked = 0", NULL);
    assert_int_equal (log_in (fixture, "li", FIXTURE_PASSWORD, &cookie), LOGIN_OK);
    assert_true (store_run (fixture->store, run_change, &change, NULL));
    assert_false (is_known (fixture, cookie));
    assert_int_equal (log_in (fixture, "li", FIXTURE_PASSWORD, &cookie), LOGIN_WRONG);
  }
}

static void the_set_up_link_makes_one_administrator_and_is_used_up (void **state)
{
  AccessFixture *fixture = *state;
  g_autoptr (GError) error = NULL;
  g_autofree char *first = access_setup_link (fixture->access, "http://x");
  g_autofree char *link = access_setup_link (fixture->access, "http://x");
  const char *token = strchr (link, '=') + 1;
  assert_false (access_set_up (fixture->access, strchr (first, '=') + 1, "root", FIXTURE_PASSWORD, "a", &error));
  g_clear_error (&error);
  assert_false (access_set_up (fixture->access, token, "root", "short", "a", &error));
  g_clear_error (&error);
  assert_true (access_set_up (fixture->access, token, "root", FIXTURE_PASSWORD, "a", &error));
  assert_false (access_set_up (fixture->access, token, "other", FIXTURE_PASSWORD, "a", &error));
  assert_null (access_setup_link (fixture->access, "http://x"));
}

static void a_weak_password_is_refused (void **state)
{
  (void) state;
  assert_false (password_is_acceptable ("li", "short 1", NULL));
  assert_false (password_is_acceptable ("li", "onlyletters", NULL));
  assert_false (password_is_acceptable ("zhang-2027", "Zhang-2027", NULL));
  assert_false (password_is_acceptable ("li", "bad \xff bytes 1", NULL));
  assert_true (password_is_acceptable ("li", "石庙村的水位 3", NULL));
}

static void a_revoked_or_expired_token_opens_nothing (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *id = NULL, *secret = NULL;
  Caller caller = { 0 };
  access_fixture_add_token (fixture, "county", ROLE_OPERATOR, NULL, NULL, &id, &secret);
  assert_true (access_caller_of_token (fixture->access, secret, &caller));
  assert_string_equal (caller.actor.name, "county");
  assert_true (access_caller_is_valid (fixture->access, &caller));
  g_autofree char *revoke = g_strdup_printf ("UPDATE tokens SET revoked_at = 1 WHERE id = '%s'", id);
  store_run (fixture->store, (StoreJob) database_script, revoke, NULL);
  assert_false (access_caller_is_valid (fixture->access, &caller));
  caller_clear (&caller);
  assert_false (access_caller_of_token (fixture->access, secret, &caller));
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, access_fixture_setup, access_fixture_teardown)
  const struct CMUnitTest tests[] = {
    TEST (a_right_password_opens_a_session_and_a_wrong_one_does_not),
    TEST (five_failures_make_the_next_login_wait_longer_each_time),
    TEST (a_session_ends_when_idle_and_after_half_a_day_at_the_latest),
    TEST (a_locked_or_removed_account_has_no_session_any_more),
    TEST (the_set_up_link_makes_one_administrator_and_is_used_up),
    TEST (a_revoked_or_expired_token_opens_nothing),
    cmocka_unit_test (a_weak_password_is_refused),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
