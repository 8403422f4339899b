/* http_metrics.h: the gateway's figures in Prometheus' text format.
 *
 * thread: a worker's. */
#pragma once

#include "gateway/http/http_context.h"

/* Free with g_free. */
char *http_metrics (const HttpContext *context, const Site *site);
