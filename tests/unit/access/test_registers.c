#include <string.h>

#include "gateway/access/digest.h"
#include "gateway/access/control.h"
#include "gateway/access/view.h"
#include "tests/support/test.h"
#include "tests/unit/access/access_fixture.h"

/* --- audit --- */

static void note (AccessFixture *fixture, const char *action, const char *detail)
{
  Actor actor = { .name = (char *) "li", .role = ROLE_OPERATOR };
  AuditEntry entry = { &actor, "192.0.2.9", action, "thing", NULL, detail };
  access_audit (fixture->access, &entry);
}

static gint64 first_broken (AccessFixture *fixture, const char *anchor, char **head)
{
  AuditReport report;
  g_autoptr (GError) error = NULL;
  gboolean is_whole = audit_verify (store_reader (fixture->store, NULL), anchor, &report, &error);
  assert_int_equal (is_whole, error == NULL);
  assert_int_equal (is_whole, report.broken == 0);
  if (head != NULL)
    *head = g_strdup (report.head);
  gint64 broken = report.broken;
  audit_report_clear (&report);
  return broken;
}

static void alter (AccessFixture *fixture, const char *sql)
{
  assert_true (store_run (fixture->store, (StoreJob) database_script, (gpointer) sql, NULL));
}

static void a_changed_removed_or_cut_audit_entry_is_found (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *head = NULL;
  for (int i = 0; i < 5; i++)
    note (fixture, "account.add", "said");
  assert_int_equal (first_broken (fixture, NULL, &head), 0);
  assert_int_equal (first_broken (fixture, head, NULL), 0);

  alter (fixture, "UPDATE audit SET actor = 'wang' WHERE number = 3");
  assert_int_equal (first_broken (fixture, NULL, NULL), 3);
  alter (fixture, "UPDATE audit SET actor = 'li', detail = 'else' WHERE number = 3");
  assert_int_equal (first_broken (fixture, NULL, NULL), 3);
  alter (fixture, "UPDATE audit SET detail = '' WHERE number = 3");
  assert_int_equal (first_broken (fixture, NULL, NULL), 3);
  alter (fixture, "UPDATE audit SET detail = 'said' WHERE number = 3");
  assert_int_equal (first_broken (fixture, NULL, NULL), 0);
  alter (fixture, "DELETE FROM audit WHERE number = 5");
  assert_int_equal (first_broken (fixture, NULL, NULL), 0);
  assert_int_equal (first_broken (fixture, head, NULL), 5);
  alter (fixture, "DELETE FROM audit WHERE number = 2");
  assert_int_equal (first_broken (fixture, NULL, NULL), 2);
}

static gboolean erase_second (Database *database, gpointer data, GError **error)
{
  (void) data;
  return audit_erase (database, G_TIME_SPAN_DAY, NULL, 2, "asked for by the person", error);
}

static void a_detail_that_was_erased_by_an_entry_still_verifies_and_is_gone (void **state)
{
  AccessFixture *fixture = *state;
  for (int i = 0; i < 3; i++)
    note (fixture, "account.add", "said");
  assert_true (store_run (fixture->store, erase_second, NULL, NULL));
  assert_false (store_run (fixture->store, erase_second, NULL, NULL));
  assert_int_equal (first_broken (fixture, NULL, NULL), 0);
  assert_int_equal (database_integer (store_reader (fixture->store, NULL), 0,
                                      "SELECT count(*) FROM audit WHERE detail = 'said'", ""), 2);
  alter (fixture, "UPDATE audit SET detail = '' WHERE number = 3"); /* that entry names another */
  assert_int_equal (first_broken (fixture, NULL, NULL), 3);
}

static void a_log_written_anew_does_not_fit_its_anchor (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *head = NULL;
  note (fixture, "login", NULL);
  first_broken (fixture, NULL, &head);
  alter (fixture, "DELETE FROM audit");
  note (fixture, "logout", NULL);
  assert_int_equal (first_broken (fixture, head, NULL), 1);
}

/* --- digest --- */

/* The examples of RFC 7616 3.9.1. Their realm is another: it stands in HA1, which is given. */
static void digest_answers_of_rfc_7616_fit (void **state)
{
  static const struct {
    DigestAlgorithm algorithm;
    GChecksumType checksum;
    const char *response;
  } cases[] = {
    { DIGEST_MD5, G_CHECKSUM_MD5, "8ca523f5e9506fed4657c9700eebdbec" },
    { DIGEST_SHA256, G_CHECKSUM_SHA256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1" },
  };
  (void) state;
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *ha1
      = g_compute_checksum_for_string (cases[i].checksum, "Mufasa:http-auth@example.org:Circle of Life", -1);
    DigestAnswer answer = { "GET", "Mufasa", "gridgate", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                            "/dir/index.html", cases[i].response, NULL, "auth", "00000001",
                            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ" };
    assert_true (digest_answer_fits (&answer, cases[i].algorithm, ha1));
    answer.qop = "auth-int";
    assert_false (digest_answer_fits (&answer, cases[i].algorithm, ha1));
    answer.qop = NULL;
    assert_false (digest_answer_fits (&answer, cases[i].algorithm, ha1));
    answer.qop = "auth";
    answer.realm = "other";
    assert_false (digest_answer_fits (&answer, cases[i].algorithm, ha1));
  }
}

/* RFC 2617 3.5, without qop as RTSP cameras' clients often answer (RFC 2069). */
static void a_digest_answer_without_qop_fits (void **state)
{
  (void) state;
  g_autofree char *ha1 = digest_ha1 (DIGEST_MD5, "viewer", "secret");
  assert_string_equal (ha1, "bb566a86bbe211fb66ca32e72cf77a0f");
  DigestAnswer answer = { "DESCRIBE", "viewer", "gridgate", "abc", "rtsp://h/live/bridge", "59988140d4f103eaa3e016ba02c1e284" };
  assert_true (digest_answer_fits (&answer, DIGEST_MD5, ha1));
  answer.uri = "rtsp://h/live/peak";
  assert_false (digest_answer_fits (&answer, DIGEST_MD5, ha1));
}

/* --- may this RTSP client play? --- */

static int ask (AccessFixture *fixture, const char *camera, json_t *more)
{
  json_t *body = json_pack ("{s:s, s:s, s:s, s:s, s:s}", "viewer", "V1", "camera", camera, "stream", "main", "address",
                            "192.0.2.7", "method", "DESCRIBE");
  json_object_update (body, more);
  json_decref (more);
  g_autoptr (LinkMessage) request = link_message_new (LINK_PLAY_ASK, body);
  gint64 until_us;
  return access_play (request, &until_us, fixture->access);
}

static json_t *digest_of (const char *id, const char *secret)
{
  g_autofree char *ha1 = digest_ha1 (DIGEST_SHA256, id, secret);
  g_autofree char *ha2 = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "DESCRIBE:rtsp://h/live/bridge", -1);
  g_autofree char *whole = g_strdup_printf ("%s:abc:%s", ha1, ha2);
  g_autofree char *response = g_compute_checksum_for_string (G_CHECKSUM_SHA256, whole, -1);
  return json_pack ("{s:s, s:s, s:s, s:s, s:s, s:s}", "username", id, "realm", "gridgate", "nonce", "abc", "uri",
                    "rtsp://h/live/bridge", "response", response, "algorithm", "SHA-256");
}

static void a_token_plays_what_its_grants_say (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *id = NULL, *secret = NULL, *fire_id = NULL, *fire_secret = NULL;
  access_fixture_add_token (fixture, "water", ROLE_AGENCY, "water", NULL, &id, &secret);
  access_fixture_add_token (fixture, "fire", ROLE_AGENCY, "fire", NULL, &fire_id, &fire_secret);
  assert_int_equal (ask (fixture, "bridge", json_object ()), 401);
  assert_int_equal (ask (fixture, "bridge", digest_of (id, "wrong")), 401);
  assert_int_equal (ask (fixture, "bridge", digest_of (id, secret)), 200);
  assert_int_equal (ask (fixture, "peak", digest_of (id, secret)), 403);
  assert_int_equal (ask (fixture, "absent", digest_of (id, secret)), 404);
  assert_int_equal (ask (fixture, "bridge", digest_of (fire_id, fire_secret)), 403);
  clock_fake_advance (fixture->clock, 2 * G_TIME_SPAN_DAY); /* the grant has ended */
  assert_int_equal (ask (fixture, "bridge", digest_of (id, secret)), 403);
}

static void a_play_token_opens_its_cameras_for_ten_minutes (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *token = NULL, *playback = NULL;
  Caller caller = { .kind = CALLER_SESSION, .actor = { .name = (char *) "li", .role = ROLE_OPERATOR } };
  const char *const cameras[] = { "bridge", NULL };
  gint64 expires_us;
  assert_true (access_play_token (fixture->access, &caller, cameras, "live", &token, &expires_us, NULL));
  assert_true (access_play_token (fixture->access, &caller, NULL, "playback", &playback, &expires_us, NULL));
  assert_int_equal (ask (fixture, "bridge", json_pack ("{s:s}", "token", token)), 200);
  assert_int_equal (ask (fixture, "peak", json_pack ("{s:s}", "token", token)), 403);
  assert_int_equal (ask (fixture, "bridge", json_pack ("{s:s}", "token", playback)), 403);
  assert_int_equal (ask (fixture, "bridge", json_pack ("{s:s}", "token", "guess")), 401);
  clock_fake_advance (fixture->clock, (PLAY_TOKEN_S + 1) * G_TIME_SPAN_SECOND);
  assert_int_equal (ask (fixture, "bridge", json_pack ("{s:s}", "token", token)), 401);
}

static void recordings_are_for_those_who_may_play_back (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *live = NULL, *playback = NULL, *viewer_token = NULL;
  Caller playing = { .kind = CALLER_SESSION, .actor = { .name = (char *) "li", .role = ROLE_OPERATOR } };
  Caller viewer = { .kind = CALLER_SESSION, .actor = { .name = (char *) "wu", .role = ROLE_VIEWER } };
  gint64 expires_us;
  assert_true (access_play_token (fixture->access, &playing, NULL, "live", &live, &expires_us, NULL));
  assert_true (access_play_token (fixture->access, &playing, NULL, "playback", &playback, &expires_us, NULL));
  assert_true (access_play_token (fixture->access, &viewer, NULL, "playback", &viewer_token, &expires_us, NULL));
  assert_int_equal (ask (fixture, "bridge", json_pack ("{s:s, s:s}", "token", playback, "purpose", "playback")), 200);
  assert_int_equal (ask (fixture, "bridge", json_pack ("{s:s, s:s}", "token", live, "purpose", "playback")), 403);
  assert_int_equal (ask (fixture, "bridge", json_pack ("{s:s, s:s}", "token", viewer_token, "purpose", "playback")), 403);
  assert_int_equal (ask (fixture, "bridge", json_pack ("{s:s, s:s}", "token", live, "purpose", "live")), 200);
  g_autofree char *id = NULL, *secret = NULL;
  access_fixture_add_token (fixture, "water", ROLE_AGENCY, "water", NULL, &id, &secret);
  json_t *digest = digest_of (id, secret);
  json_object_set_new (digest, "purpose", json_string ("playback"));
  assert_int_equal (ask (fixture, "bridge", digest), 403); /* a grant of live pictures is none of recorded ones */
}

/* --- the viewing register --- */

static void started (AccessFixture *fixture, const char *viewer)
{
  json_t *body = json_pack ("{s:s, s:s, s:s, s:s, s:I}", "viewer", viewer, "camera", "bridge", "stream", "main", "protocol",
                            "rtsp", "at", (json_int_t) access_now_us (fixture->access));
  g_autoptr (LinkMessage) message = link_message_new (LINK_VIEWER_STARTED, body);
  access_view_started (fixture->access, message);
}

static json_t *views (AccessFixture *fixture)
{
  alter (fixture, "SELECT 1"); /* what was submitted before is on disk now */
  json_t *list = view_list (store_reader (fixture->store, NULL), NULL, NULL, 0, 0, NULL, 10, NULL);
  json_t *items = json_incref (json_object_get (list, "items"));
  json_decref (list);
  return items;
}

static void an_rtsp_viewer_is_registered_with_who_it_is_and_closed_when_it_ends (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *id = NULL, *secret = NULL;
  access_fixture_add_token (fixture, "water", ROLE_AGENCY, "water", NULL, &id, &secret);
  assert_int_equal (ask (fixture, "bridge", digest_of (id, secret)), 200);
  started (fixture, "V1");
  json_t *open = views (fixture);
  assert_int_equal (json_array_size (open), 1);
  json_t *view = json_array_get (open, 0);
  assert_string_equal (json_string_value (json_object_get (view, "who")), "water");
  assert_string_equal (json_string_value (json_object_get (view, "address")), "192.0.2.7");
  assert_true (json_is_null (json_object_get (view, "to")));
  json_decref (open);

  clock_fake_advance (fixture->clock, G_TIME_SPAN_MINUTE);
  access_view_ended (fixture->access, "V1", access_now_us (fixture->access), "closed", NULL);
  json_t *closed = views (fixture);
  assert_true (json_is_string (json_object_get (json_array_get (closed, 0), "to")));
  json_decref (closed);
}

static void a_look_at_recordings_is_registered_with_its_time_its_reason_and_what_was_sent (void **state)
{
  AccessFixture *fixture = *state;
  g_autofree char *id = NULL, *secret = NULL;
  access_fixture_add_token (fixture, "desk", ROLE_OPERATOR, NULL, NULL, &id, &secret);
  json_t *body = digest_of (id, secret);
  json_t *asked = json_pack ("{s:s, s:I, s:I, s:s}", "purpose", "playback", "from", (json_int_t) 1777622400000000, "to",
                             (json_int_t) -1, "reason", "案件 7");
  json_object_update (body, asked);
  json_decref (asked);
  assert_int_equal (ask (fixture, "bridge", body), 200);
  started (fixture, "V1");
  access_view_ended (fixture->access, "V1", access_now_us (fixture->access), "closed",
                     "2026-05-01T08:00:00.000Z/2026-05-01T08:01:00.000Z, 2026-05-01T08:05:00.000Z/2026-05-01T08:06:00.000Z");
  json_t *list = views (fixture), *view = json_array_get (list, 0), *watched = json_object_get (view, "watched");
  assert_string_equal (json_string_value (json_object_get (view, "kind")), "playback");
  assert_string_equal (json_string_value (json_object_get (view, "subject")), "2026-05-01T08:00:00.000Z/..");
  assert_string_equal (json_string_value (json_object_get (view, "reason")), "案件 7");
  assert_int_equal (json_array_size (watched), 2);
  assert_string_equal (json_string_value (json_object_get (json_array_get (watched, 1), "from")), "2026-05-01T08:05:00.000Z");
  json_decref (list);
}

static void views_that_media_does_not_serve_any_more_are_closed_by_the_repair (void **state)
{
  AccessFixture *fixture = *state;
  const char *const present[] = { "V2", NULL };
  started (fixture, "V1");
  started (fixture, "V2");
  gint64 now_us = access_now_us (fixture->access);
  access_views_repair (fixture->access, present, now_us, now_us); /* both began at this time, and not before it */
  json_t *list = views (fixture);
  assert_true (json_is_null (json_object_get (json_array_get (list, 1), "to")));
  json_decref (list);
  access_views_repair (fixture->access, present, now_us + 1, now_us + 1);
  list = views (fixture);
  assert_true (json_is_null (json_object_get (json_array_get (list, 0), "to"))); /* V2, the newest first */
  assert_true (json_is_string (json_object_get (json_array_get (list, 1), "to")));
  json_decref (list);
  access_views_repair (fixture->access, NULL, now_us + 1, now_us + 1);
  list = views (fixture);
  assert_true (json_is_string (json_object_get (json_array_get (list, 0), "to")));
  json_decref (list);
}

/* --- rights that end --- */

static void note_end (const char *viewer, const char *reason, gpointer data)
{
  (void) reason;
  g_string_append (data, viewer);
}

static void watch (AccessFixture *fixture, const char *viewer, const Caller *caller)
{
  g_autofree char *credential = access_credential (caller);
  View view = { viewer, &caller->actor, "bridge", "main", "live", NULL, "192.0.2.7", NULL, credential };
  assert_true (access_view_open (fixture->access, &view, NULL));
}

static void a_viewer_is_ended_when_its_grant_token_or_session_ends (void **state)
{
  AccessFixture *fixture = *state;
  g_autoptr (GString) ended = g_string_new (NULL);
  g_autofree char *id = NULL, *secret = NULL, *cookie = NULL, *csrf = NULL;
  Caller token = { 0 }, session = { 0 };
  gint64 wait_us;
  access_set_viewer_end (fixture->access, note_end, ended);
  access_fixture_add_token (fixture, "water", ROLE_AGENCY, "water", NULL, &id, &secret);
  access_fixture_add (fixture, "li", ROLE_OPERATOR, NULL, NULL);
  assert_int_equal (access_log_in (fixture->access, "li", FIXTURE_PASSWORD, "a", &cookie, &csrf, &wait_us, NULL), LOGIN_OK);
  assert_true (access_caller_of_token (fixture->access, secret, &token));
  assert_true (access_caller_of_session (fixture->access, cookie, &session));
  watch (fixture, "T", &token);
  watch (fixture, "S", &session);
  access_views_recheck (fixture->access);
  assert_string_equal (ended->str, "");

  access_log_out (fixture->access, &session, "a");
  assert_string_equal (ended->str, "S");
  access_view_ended (fixture->access, "S", access_now_us (fixture->access), "closed", NULL);
  json_decref (views (fixture));
  g_string_truncate (ended, 0);
  clock_fake_advance (fixture->clock, 2 * G_TIME_SPAN_DAY); /* the grant has ended */
  access_views_recheck (fixture->access);
  assert_string_equal (ended->str, "T");
  caller_clear (&token);
  caller_clear (&session);
}

static void revoking_a_token_ends_who_watches_with_it (void **state)
{
  AccessFixture *fixture = *state;
  g_autoptr (GString) ended = g_string_new (NULL);
  g_autofree char *id = NULL, *secret = NULL;
  access_set_viewer_end (fixture->access, note_end, ended);
  access_fixture_add_token (fixture, "county", ROLE_OPERATOR, NULL, NULL, &id, &secret);
  assert_int_equal (ask (fixture, "bridge", digest_of (id, secret)), 200);
  started (fixture, "V1");
  json_t *revoke = json_pack ("{s:s, s:s}", "command", "token.revoke", "id", id);
  json_decref (control_execute (fixture->access, revoke));
  json_decref (revoke);
  assert_string_equal (ended->str, "V1");
}

static gint64 refusals (AccessFixture *fixture)
{
  alter (fixture, "SELECT 1"); /* what was submitted before is on disk now */
  return database_integer (store_reader (fixture->store, NULL), -1,
                           "SELECT count(*) FROM audit WHERE action = 'rtsp.play' AND outcome = 'refused'", "");
}

static void a_refused_rtsp_client_is_in_the_audit_log_once_a_minute (void **state)
{
  AccessFixture *fixture = *state;
  for (int i = 0; i < 5; i++)
    assert_int_equal (ask (fixture, "bridge", json_pack ("{s:s}", "token", "guess")), 401);
  assert_int_equal (refusals (fixture), 1);
  assert_int_equal (ask (fixture, "bridge", json_object ()), 401); /* a challenge is no refusal */
  clock_fake_advance (fixture->clock, G_TIME_SPAN_MINUTE);
  ask (fixture, "bridge", json_pack ("{s:s}", "token", "guess"));
  assert_int_equal (refusals (fixture), 2);
  assert_int_equal (first_broken (fixture, NULL, NULL), 0);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, access_fixture_setup, access_fixture_teardown)
  const struct CMUnitTest tests[] = {
    TEST (a_changed_removed_or_cut_audit_entry_is_found),
    TEST (a_detail_that_was_erased_by_an_entry_still_verifies_and_is_gone),
    TEST (a_log_written_anew_does_not_fit_its_anchor),
    cmocka_unit_test (digest_answers_of_rfc_7616_fit),
    cmocka_unit_test (a_digest_answer_without_qop_fits),
    TEST (a_token_plays_what_its_grants_say),
    TEST (a_play_token_opens_its_cameras_for_ten_minutes),
    TEST (recordings_are_for_those_who_may_play_back),
    TEST (an_rtsp_viewer_is_registered_with_who_it_is_and_closed_when_it_ends),
    TEST (a_look_at_recordings_is_registered_with_its_time_its_reason_and_what_was_sent),
    TEST (views_that_media_does_not_serve_any_more_are_closed_by_the_repair),
    TEST (a_viewer_is_ended_when_its_grant_token_or_session_ends),
    TEST (revoking_a_token_ends_who_watches_with_it),
    TEST (a_refused_rtsp_client_is_in_the_audit_log_once_a_minute),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
