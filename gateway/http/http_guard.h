/* http_guard.h: who is calling, and may they: address behind proxies, login, CSRF, origin, role.
 *
 * thread: a worker's. */
#pragma once

#include "gateway/http/http_route.h"

/* Fills the request's address, is_secure and caller. */
void http_guard_identify (HttpRequest *request, Access *access);

/* NULL when the request may go on to its handler, else the answer: 401, 403. */
HttpResponse *http_guard_refuse (const HttpRequest *request);

/* Whether the browser page that sends this is ours or an allowed one. */
gboolean http_guard_origin_is_allowed (const HttpRequest *request);

#define SESSION_COOKIE "gridgate_session"
