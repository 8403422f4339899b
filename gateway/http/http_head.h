/* http_head.h: what libmicrohttpd's parser lets pass and must not: request smuggling and confused readers.
 *
 * thread: any; pure functions. */
#pragma once

#include <glib.h>

/* Fed with each header of a request, then asked. */
typedef struct {
  guint hosts, content_lengths, transfer_encodings;
  guint64 content_length;
  const char *fault; /* NULL: none; static */
} HttpHead;

void http_head_add (HttpHead *head, const char *name, const char *value);

/* What is wrong with the request, for a 400; NULL: nothing. `version` is "HTTP/1.1" or "HTTP/1.0". */
const char *http_head_check (HttpHead *head, const char *version);

gboolean http_host_is_valid (const char *host);
