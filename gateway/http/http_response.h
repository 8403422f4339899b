/* http_response.h: what a handler answers.
 *
 * A handler makes one and returns it; the server sends and frees it. Security headers and no-store are set here once for
 * all answers of the API.
 *
 * thread: any; a response belongs to its holder. */
#pragma once

#include <jansson.h>

#include "gateway/core/error.h"

typedef struct HttpResponse HttpResponse;

/* Takes `body`. */
HttpResponse *http_response_json (int status, json_t *body);

/* RFC 9457. `type` is the end of urn:gridgate:problem:…; `detail` says what a person can do. */
HttpResponse *http_response_problem (int status, const char *type, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* The problem of `error`: refuse 400, retry 503, others 500 (and logged). */
HttpResponse *http_response_error (const GError *error);

/* Members beyond the usual ones of a problem; takes `value`. Only before anything else was added. */
HttpResponse *http_response_problem_with (int status, const char *type, const char *detail, const char *member,
                                          json_t *value);

HttpResponse *http_response_empty (int status);
HttpResponse *http_response_text (int status, const char *content_type, char *text); /* takes `text` (g_free) */
HttpResponse *http_response_constant (const char *content_type, const void *bytes, gsize size); /* lives for ever */

/* Takes `file_fd`, a plain file or memfd; answers `range` (a Range header or NULL) with 206 or 416. */
HttpResponse *http_response_file (int file_fd, const char *content_type, const char *range);

/* `size` bytes out of a pipe that another process fills; takes `pipe_fd`, its read end, which does not block. Nothing is kept
 * here but what the pipe holds; when the client goes the pipe is closed, and when the pipe ends early so does the connection,
 * without a good end. */
HttpResponse *http_response_pipe (int pipe_fd, guint64 size, const char *content_type);

/* What `produce` writes, on a thread of its own; takes `data`. It writes by http_producer_write, which waits for the client and
 * says FALSE when nobody reads any more; nothing is kept but what a socket's buffer holds. FALSE from `produce` ends the
 * connection without a good end. NULL when too many are under way. */
typedef struct HttpProducer HttpProducer;
typedef gboolean (*HttpProduce) (HttpProducer *producer, gpointer data);
HttpResponse *http_response_produced (const char *content_type, HttpProduce produce, gpointer data, GDestroyNotify free_data);
gboolean http_producer_write (HttpProducer *producer, const char *text, gsize size);

/* The connection becomes the taker's: 101, then `taken` on a worker thread with a descriptor that it owns and the bytes
 * that came with the request. `free_data` runs in every case, `taken` or not. */
typedef void (*HttpTaken) (int socket_fd, const void *extra, gsize extra_size, gpointer data);
HttpResponse *http_response_websocket (const char *key, HttpTaken taken, gpointer data, GDestroyNotify free_data);

/* A stream of server-sent events. thread: the server's for `next`, which must not wait: text to send now (g_free), NULL
 * when there is none yet. `is_valid` is asked every 15 s on a thread that may wait; FALSE ends the stream. */
typedef struct {
  char *(*next) (gpointer data);
  gboolean (*is_valid) (gpointer data);
  GDestroyNotify free_data;
  gpointer data;
} HttpStreamSource;
HttpResponse *http_response_stream (const HttpStreamSource *source);

/* Replaces what was set before under this name. */
void http_response_header (HttpResponse *response, const char *name, const char *value);

void http_response_free (HttpResponse *response);
