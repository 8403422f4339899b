/* play.c: may this RTSP client play? The answer to media's PLAY_ASK. */
#include <string.h>

#include "gateway/access/access_private.h"
#include "gateway/access/digest.h"
#include "gateway/access/view.h"
#include "gateway/access/view_expected.h"
#include "gateway/core/log.h"

enum { PLAY_OK = 200, PLAY_UNAUTHORIZED = 401, PLAY_FORBIDDEN = 403, PLAY_NOT_FOUND = 404 };

static gboolean caller_of_digest (Access *access, const LinkMessage *request, Caller *caller)
{
  DigestAnswer answer = {
    .method = link_message_string (request, "method"),       .username = link_message_string (request, "username"),
    .realm = link_message_string (request, "realm"),         .nonce = link_message_string (request, "nonce"),
    .uri = link_message_string (request, "uri"),             .response = link_message_string (request, "response"),
    .algorithm = link_message_string (request, "algorithm"), .qop = link_message_string (request, "qop"),
    .nc = link_message_string (request, "nc"),               .cnonce = link_message_string (request, "cnonce"),
  };
  DigestAlgorithm algorithm;
  Database *reader = store_reader (access->store, NULL);
  g_autoptr (Statement) row = NULL;
  if (reader == NULL || !digest_algorithm_parse (answer.algorithm, &algorithm))
    return FALSE;
  row = database_query (reader, NULL,
                        "SELECT name, role, agency, grid, NULL, id, expires_at, ha1_md5, ha1_sha256 FROM tokens WHERE id = ?"
                        " AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)",
                        "si", answer.username, access_now_us (access));
  if (!statement_step (row, NULL)
      || !digest_answer_fits (&answer, algorithm, statement_text (row, algorithm == DIGEST_MD5 ? 7 : 8)))
    return FALSE;
  actor_from_row (&caller->actor, row, 0);
  caller->kind = CALLER_TOKEN;
  caller->id = g_strdup (statement_text (row, 5));
  caller->expires_us = statement_integer (row, 6);
  return TRUE;
}

static const char *purpose_of (const LinkMessage *request)
{
  return g_strcmp0 (link_message_string (request, "purpose"), "playback") == 0 ? "playback" : "live";
}

static gboolean token_is_for (const Caller *caller, const char *purpose, const char *camera)
{
  if (caller->kind != CALLER_PLAY)
    return TRUE;
  return g_str_equal (caller->purpose, purpose)
         && (caller->cameras == NULL || g_strv_contains ((const char *const *) caller->cameras, camera));
}

static gint64 earlier (gint64 one_us, gint64 other_us)
{
  if (one_us == 0 || other_us == 0)
    return one_us + other_us; /* 0: never */
  return MIN (one_us, other_us);
}

static gboolean may_play (Access *access, const Site *site, const Caller *caller, const char *purpose, const Camera *camera,
                          gint64 *until_us)
{
  if (!token_is_for (caller, purpose, camera->id))
    return FALSE;
  if (g_str_equal (purpose, "live"))
    return permit_live (site, &caller->actor, camera, access_now_us (access), until_us);
  return permit_playback (site, &caller->actor, camera);
}

static int decide (Access *access, const LinkMessage *request, const Caller *caller, gint64 *until_us)
{
  g_autoptr (Site) site = access_site (access);
  const char *id = link_message_string (request, "camera");
  const Camera *camera = site_camera (site, id);
  gboolean is_sub = g_str_equal (link_message_string (request, "stream"), "sub");
  if (camera == NULL || (is_sub && camera->sub == NULL))
    return PLAY_NOT_FOUND;
  if (!may_play (access, site, caller, purpose_of (request), camera, until_us))
    return PLAY_FORBIDDEN;
  /* a play token opens the stream within ten minutes, and what is open stays open; a program's token ends it */
  if (caller->kind == CALLER_TOKEN)
    *until_us = earlier (*until_us, caller->expires_us);
  return PLAY_OK;
}

/* Without a reason the register says how it came, as it does of live views. */
static char *reason_of (const LinkMessage *request)
{
  const char *reason = link_message_string (request, "reason");
  return g_strdup (reason != NULL ? reason : "rtsp");
}

static void expect_view (Access *access, const LinkMessage *request, const Caller *caller)
{
  ExpectedView *view = g_new0 (ExpectedView, 1);
  view->id = g_strdup (link_message_string (request, "viewer"));
  view->camera = g_strdup (link_message_string (request, "camera"));
  view->stream = g_strdup (link_message_string (request, "stream"));
  view->address = g_strdup (link_message_string (request, "address"));
  view->kind = purpose_of (request);
  view->reason = reason_of (request);
  if (link_message_integer (request, "from") > 0)
    view->subject = view_recorded_time (link_message_integer (request, "from"), MAX (link_message_integer (request, "to"), 0));
  view->credential = access_credential (caller);
  view->actor = (Actor){ g_strdup (caller->actor.name), caller->actor.role, g_strdup (caller->actor.agency),
                         g_strdup (caller->actor.grid), g_strdup (caller->actor.unit) };
  expected_view_put (access, view);
}

static int refuse_waiting (Access *access, const char *address, const char *camera)
{
  access_note_refusal (access, NULL, address, camera, "too many failures: it has to wait");
  return PLAY_UNAUTHORIZED;
}

int access_play (const LinkMessage *request, gint64 *until_us, gpointer data)
{
  Access *access = data;
  const char *address = link_message_string (request, "address");
  const char *token = link_message_string (request, "token");
  Caller caller = { 0 };
  *until_us = 0;
  if (token == NULL && link_message_string (request, "username") == NULL)
    return PLAY_UNAUTHORIZED; /* not a failure: the challenge comes first */
  if (lockout_wait_us (access->by_address, address) > 0)
    return refuse_waiting (access, address, link_message_string (request, "camera"));

  gboolean is_known = token != NULL ? access_caller_of_play_token (access, token, &caller)
                                    : caller_of_digest (access, request, &caller);
  int status = is_known ? decide (access, request, &caller, until_us) : PLAY_UNAUTHORIZED;
  if (!is_known) {
    lockout_note_failure (access->by_address, address);
    log_limited (LOG_LEVEL_NOTICE, "rtsp: %s was refused: no such token, or a wrong secret", address);
    access_note_refusal (access, NULL, address, link_message_string (request, "camera"), "no such token, or a wrong secret");
  }
  if (status == PLAY_FORBIDDEN)
    access_note_refusal (access, &caller.actor, address, link_message_string (request, "camera"), "no right to this camera");
  if (status == PLAY_OK)
    expect_view (access, request, &caller);
  caller_clear (&caller);
  return status;
}
