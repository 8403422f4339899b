/* http_client.h: a client of the gateway's HTTP API for tests: libcurl with a cookie, CSRF and JSON.
 *
 * thread: the test's. */
#pragma once

#include <glib.h>
#include <jansson.h>

typedef struct HttpClient HttpClient;

typedef struct {
  long status;
  json_t *json; /* NULL when the body is no JSON */
  char *body;
  gsize size;
  char *content_type;
} HttpAnswer;

/* `base` is "http://127.0.0.1:PORT". */
HttpClient *http_client_new (const char *base);

/* POST /api/v1/session; later unsafe calls carry its CSRF token. Returns the status. */
long http_client_login (HttpClient *client, const char *name, const char *password);

/* Later calls carry this bearer secret; NULL: none. */
void http_client_set_bearer (HttpClient *client, const char *secret);

/* `path` starts with "/"; `body` NULL for none (borrowed). The answer is the caller's. Status 0: no answer at all. */
HttpAnswer *http_client_call (HttpClient *client, const char *method, const char *path, json_t *body);

/* GET that must answer 200 with JSON; the caller owns the reference. */
json_t *http_client_get (HttpClient *client, const char *path);

void http_answer_free (HttpAnswer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HttpAnswer, http_answer_free)
void http_client_free (HttpClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HttpClient, http_client_free)
