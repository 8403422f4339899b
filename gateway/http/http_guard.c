#include "gateway/http/http_guard.h"

#include <gio/gio.h>
#include <sodium.h>
#include <string.h>

static gboolean is_trusted_proxy (const Site *site, const char *address)
{
  g_autoptr (GInetAddress) parsed = g_inet_address_new_from_string (address);
  for (char **one = site->http.trusted_proxies; parsed != NULL && one != NULL && *one != NULL; one++) {
    g_autoptr (GInetAddressMask) mask = g_inet_address_mask_new_from_string (*one, NULL);
    if (mask != NULL && g_inet_address_mask_matches (mask, parsed))
      return TRUE;
  }
  return FALSE;
}

/* The last address of X-Forwarded-For that is no proxy of ours: what stands before it, a client may have made up. */
static char *address_of_client (const HttpRequest *request)
{
  const char *forwarded = http_request_header (request, "X-Forwarded-For");
  g_autofree char *address = g_strdup (request->peer);
  if (forwarded == NULL)
    return g_steal_pointer (&address);
  g_auto (GStrv) hops = g_strsplit (forwarded, ",", 32);
  for (guint i = g_strv_length (hops); i-- > 0 && is_trusted_proxy (request->site, address);) {
    g_autoptr (GInetAddress) hop = g_inet_address_new_from_string (g_strstrip (hops[i]));
    if (hop == NULL)
      break;
    g_free (address);
    address = g_inet_address_to_string (hop);
  }
  return g_steal_pointer (&address);
}

static void identify_caller (HttpRequest *request, Access *access)
{
  const char *authorization = http_request_header (request, "Authorization");
  const char *cookie = http_request_cookie (request, SESSION_COOKIE);
  const char *token = http_request_query (request, "token");
  gboolean is_known = FALSE;
  if (authorization != NULL) /* whoever sends one means it: a wrong one isn't made good by a cookie */
    is_known = g_ascii_strncasecmp (authorization, "Bearer ", 7) == 0
               && access_caller_of_token (access, authorization + 7, &request->caller);
  else if (token != NULL && request->route->takes_play_token)
    is_known = access_caller_of_play_token (access, token, &request->caller);
  else if (cookie != NULL)
    is_known = access_caller_of_session (access, cookie, &request->caller);
  if (!is_known)
    caller_clear (&request->caller);
}

void http_guard_identify (HttpRequest *request, Access *access)
{
  const char *scheme = http_request_header (request, "X-Forwarded-Proto");
  request->address = address_of_client (request);
  request->is_secure
    = scheme != NULL && g_ascii_strcasecmp (scheme, "https") == 0 && is_trusted_proxy (request->site, request->peer);
  if (request->route->roles != 0 || http_request_cookie (request, SESSION_COOKIE) != NULL)
    identify_caller (request, access);
}

gboolean http_guard_origin_is_allowed (const HttpRequest *request)
{
  const char *origin = http_request_header (request, "Origin");
  const char *host = http_request_header (request, "Host");
  const char *fetch_site = http_request_header (request, "Sec-Fetch-Site");
  if (origin == NULL) /* not a browser, or one that says in other words where the request is from */
    return fetch_site == NULL || g_str_equal (fetch_site, "same-origin") || g_str_equal (fetch_site, "none");
  if (request->site->http.allowed_origins != NULL
      && g_strv_contains ((const char *const *) request->site->http.allowed_origins, origin))
    return TRUE;
  const char *scheme_end = strstr (origin, "://");
  return host != NULL && scheme_end != NULL && g_ascii_strcasecmp (scheme_end + 3, host) == 0
         && (g_str_has_prefix (origin, "http://") || g_str_has_prefix (origin, "https://"));
}

static gboolean is_csrf_right (const HttpRequest *request)
{
  const char *given = http_request_header (request, "X-CSRF-Token");
  const char *csrf = request->caller.csrf;
  return given != NULL && strlen (given) == strlen (csrf) && sodium_memcmp (given, csrf, strlen (csrf)) == 0;
}

HttpResponse *http_guard_refuse (const HttpRequest *request)
{
  const HttpRoute *route = request->route;
  gboolean is_unsafe = !g_str_equal (request->method, "GET");
  if (is_unsafe && !http_guard_origin_is_allowed (request))
    return http_response_problem (403, "foreign-origin", "this page is not the gateway's own: add its origin to "
                                                         "http.allowed_origins if it should be");
  if (route->roles == 0)
    return NULL;
  if (request->caller.kind == CALLER_NOBODY) {
    HttpResponse *response = http_response_problem (401, "unauthorized", "log in, or send Authorization: Bearer SECRET");
    http_response_header (response, "WWW-Authenticate", "Bearer realm=\"gridgate\"");
    return response;
  }
  if (!role_is_in (request->caller.actor.role, route->roles))
    return http_response_problem (403, "forbidden", "the role %s may not do this", role_name (request->caller.actor.role));
  if (is_unsafe && request->caller.kind == CALLER_SESSION && !is_csrf_right (request))
    return http_response_problem (403, "csrf", "the header X-CSRF-Token must be what POST /session returned");
  return NULL;
}
