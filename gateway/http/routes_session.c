/* routes_session.c: logging in and out, the set-up link, tokens for streams. */
#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/http/http_guard.h"
#include "gateway/http/http_route.h"

static const char *text_of (json_t *body, const char *field)
{
  return json_string_value (json_object_get (body, field));
}

static void set_cookie (HttpResponse *response, const HttpRequest *request, const char *value, const char *more)
{
  g_autofree char *cookie = g_strdup_printf (SESSION_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict%s%s", value,
                                             request->is_secure ? "; Secure" : "", more);
  http_response_header (response, "Set-Cookie", cookie);
}

static HttpResponse *answer_wait (gint64 wait_us)
{
  gint64 seconds = wait_us / G_TIME_SPAN_SECOND + 1;
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT, seconds);
  HttpResponse *response = http_response_problem (
    429, "locked-out", "too many failed logins: the next one is possible in %" G_GINT64_FORMAT " s", seconds);
  http_response_header (response, "Retry-After", text);
  return response;
}

static HttpResponse *log_in (HttpRequest *request, const HttpContext *context, const char *name, const char *password)
{
  g_autofree char *cookie = NULL, *csrf = NULL;
  g_autoptr (GError) error = NULL;
  gint64 wait_us;
  HttpResponse *response;
  switch (access_log_in (context->access, name, password, request->address, &cookie, &csrf, &wait_us, &error)) {
  case LOGIN_OK:
    response = http_response_json (200, json_pack ("{s:s}", "csrf", csrf));
    set_cookie (response, request, cookie, "");
    return response;
  case LOGIN_WRONG:
    return http_response_problem (401, "wrong-login", "the name or the password is wrong, or the account is locked");
  case LOGIN_WAIT:
    return answer_wait (wait_us);
  default:
    return http_response_error (error);
  }
}

static HttpResponse *post_session (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  json_t *body = http_request_json (request, &error);
  if (body == NULL)
    return http_response_error (error);
  const char *name = text_of (body, "name"), *password = text_of (body, "password");
  HttpResponse *response;
  if (name == NULL || password == NULL)
    response = http_response_problem (400, "invalid", "name and password are needed");
  else if (json_object_get (body, "totp") != NULL)
    response = http_response_problem (501, "not-in-this-version", "totp is not in this version");
  else
    response = log_in (request, context, name, password);
  json_decref (body);
  return response;
}

static HttpResponse *get_session (HttpRequest *request, const HttpContext *context)
{
  const Caller *caller = &request->caller;
  (void) context;
  return http_response_json (200, json_pack ("{s:s, s:s, s:s?, s:s?, s:s?, s:s?}", "name", caller->actor.name, "role",
                                             role_name (caller->actor.role), "agency", caller->actor.agency, "grid",
                                             caller->actor.grid, "unit", caller->actor.unit, "csrf", caller->csrf));
}

static HttpResponse *delete_session (HttpRequest *request, const HttpContext *context)
{
  access_log_out (context->access, &request->caller, request->address);
  HttpResponse *response = http_response_empty (204);
  set_cookie (response, request, "", "; Max-Age=0");
  return response;
}

static HttpResponse *post_setup (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  json_t *body = http_request_json (request, &error);
  if (body == NULL)
    return http_response_error (error);
  const char *token = text_of (body, "token"), *name = text_of (body, "name"), *password = text_of (body, "password");
  HttpResponse *response;
  if (token == NULL || name == NULL || password == NULL)
    response = http_response_problem (400, "invalid", "token, name and password are needed");
  else if (access_set_up (context->access, token, name, password, request->address, &error))
    response = http_response_json (201, json_pack ("{s:s}", "name", name));
  else
    response = http_response_error (error);
  json_decref (body);
  return response;
}

/* Why the caller gets no token for these cameras, or NULL; `names` are theirs. */
static HttpResponse *collect_cameras (const HttpRequest *request, json_t *cameras, gboolean is_live, GPtrArray *names)
{
  gsize index;
  json_t *one;
  const Actor *actor = &request->caller.actor;
  if (json_array_size (cameras) == 0 || json_array_size (cameras) > 256)
    return http_response_problem (400, "invalid", "cameras must be \"all\" or a list of 1 to 256 camera ids");
  json_array_foreach (cameras, index, one) {
    const char *id = json_string_value (one);
    const Camera *camera = id != NULL ? site_camera (request->site, id) : NULL;
    gint64 now_us = request->now_us;
    if (camera == NULL || !permit_camera (request->site, actor, camera, now_us))
      return http_response_problem (404, "unknown-camera", "there is no camera %s", id != NULL ? id : "of that name");
    if (is_live ? !permit_live (request->site, actor, camera, now_us, NULL) : !permit_playback (request->site, actor, camera))
      return http_response_problem (403, "forbidden", "camera %s: you have no right to watch it", id);
    g_ptr_array_add (names, (gpointer) camera->id);
  }
  g_ptr_array_add (names, NULL);
  return NULL;
}

static HttpResponse *make_token (const HttpRequest *request, const HttpContext *context, json_t *body)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autofree char *token = NULL;
  json_t *cameras = json_object_get (body, "cameras");
  const char *purpose = text_of (body, "for");
  gboolean is_all = g_strcmp0 (json_string_value (cameras), "all") == 0;
  gboolean is_live = g_strcmp0 (purpose, "live") == 0;
  gint64 expires_us;
  if (!is_live && g_strcmp0 (purpose, "playback") != 0)
    return http_response_problem (400, "invalid", "for must be \"live\" or \"playback\"");
  if (!is_live && !role_is_in (request->caller.actor.role, ROLES_OPERATE))
    return http_response_problem (403, "forbidden", "the role %s may not play back",
                                  role_name (request->caller.actor.role));
  HttpResponse *refusal = is_all ? NULL : collect_cameras (request, cameras, is_live, names);
  if (refusal != NULL)
    return refusal;
  if (!access_play_token (context->access, &request->caller, is_all ? NULL : (const char *const *) names->pdata, purpose,
                          &token, &expires_us, &error))
    return http_response_error (error);
  g_autofree char *expires = time_to_rfc3339 (expires_us);
  return http_response_json (201, json_pack ("{s:s, s:s}", "token", token, "expires", expires));
}

static HttpResponse *post_tokens (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  json_t *body = http_request_json (request, &error);
  if (body == NULL)
    return http_response_error (error);
  HttpResponse *response = make_token (request, context, body);
  json_decref (body);
  return response;
}

const HttpRoute session_routes[] = {
  { "POST", "/api/v1/session", 0, post_session, "log in", NULL, "{\"name\":\"zhang\",\"password\":\"…\"}",
    "application/json", 200 },
  { "GET", "/api/v1/session", ROLES_ALL, get_session, "who is logged in", NULL, NULL, "application/json", 200 },
  { "DELETE", "/api/v1/session", ROLES_ALL, delete_session, "log out", NULL, NULL, NULL, 204 },
  { "POST", "/api/v1/setup", 0, post_setup, "make the first administrator, with the one-time set-up link's token", NULL,
    "{\"token\":\"…\",\"name\":\"admin\",\"password\":\"…\"}", "application/json", 201 },
  { "POST", "/api/v1/tokens", ROLES_LIVE, post_tokens, "a token of ten minutes for ?token=", NULL,
    "{\"cameras\":[\"bridge\"],\"for\":\"live\"}", "application/json", 201 },
  { NULL },
};
