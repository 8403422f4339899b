/* http_server.h: the HTTP server behind an interface of our own; libmicrohttpd inside.
 *
 * One epoll thread of libmicrohttpd reads and writes; handlers are blocking code on a few worker threads while their
 * connection is suspended. Limits: a head in 10 s, a body of 1 MiB in 30 s, HTTP_CONNECTIONS connections, and a few more
 * that only health checks get. Smuggling and other ambiguous heads are refused before a handler sees them.
 *
 * Made and freed on the main thread. */
#pragma once

#include "gateway/http/http_request.h"
#include "gateway/http/http_response.h"

enum { HTTP_CONNECTIONS = 512, HTTP_RESERVE = 32, HTTP_BODY_BYTES = 1024 * 1024, HTTP_WORKERS = 6, HTTP_QUEUE = 256,
       HTTP_STREAMS = 128 };

typedef struct HttpServer HttpServer;

typedef struct {
  /* thread: the server's; must not wait. An answer that needs no worker (health), or NULL. */
  HttpResponse *(*at_once) (HttpRequest *request, gpointer data);
  /* thread: a worker's. */
  HttpResponse *(*handle) (HttpRequest *request, gpointer data);
  gpointer data;
} HttpHandlers;

/* `listen` is "127.0.0.1:8080" or "[::1]:8080"; port 0 is any that is free. */
HttpServer *http_server_new (const char *listen, const HttpHandlers *handlers, GError **error);

guint http_server_port (HttpServer *server);

/* Streams look for something to send. thread: any; only signals. */
void http_server_wake (HttpServer *server);

/* For metrics. thread: any. */
guint http_server_connections (HttpServer *server);

/* Streams end, running handlers finish, connections close. NULL is taken. */
void http_server_free (HttpServer *server);
