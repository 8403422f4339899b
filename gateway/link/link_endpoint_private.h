/* link_endpoint_private.h: what link_call.c needs of an endpoint.
 *
 * thread: any. */
#pragma once

#include "gateway/link/link_endpoint.h"

/* Calls `function` from the endpoint's context, after whatever runs there now; then frees `data` with g_free. */
void link_endpoint_invoke (LinkEndpoint *endpoint, GSourceFunc function, gpointer data);
