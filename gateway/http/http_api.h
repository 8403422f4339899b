/* http_api.h: the HTTP API and the console: routes, logins and the server under them.
 *
 * Made, set and freed on the main thread. */
#pragma once

#include "gateway/http/http_context.h"

typedef struct HttpApi HttpApi;

/* Listens at the site's http.listen. `context` is copied. */
HttpApi *http_api_new (const HttpContext *context, GError **error);

/* After a reload: listens elsewhere when http.listen has changed. On failure the former address stays. */
gboolean http_api_set_site (HttpApi *api, const Site *site, GError **error);

guint http_api_port (HttpApi *api);

/* NULL is taken. */
void http_api_free (HttpApi *api);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HttpApi, http_api_free)
