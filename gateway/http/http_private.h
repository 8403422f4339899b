/* http_private.h: what server, response, stream, pipe and producer share; for those five files only. */
#pragma once

#include <microhttpd.h>

#include "gateway/http/http_response.h"
#include "gateway/http/http_server.h"

struct HttpResponse {
  int status;
  struct MHD_Response *mhd; /* NULL for websocket and stream, which the server completes */
  gboolean is_stream, is_pipe;
  int pipe_fd; /* until the server has it; -1: there is none */
  guint64 pipe_bytes;
  HttpProducer *producer; /* who fills the pipe; NULL: another process */
  HttpStreamSource stream;
  HttpTaken taken;
  gpointer taken_data;
  GDestroyNotify free_taken;
  char *accept; /* Sec-WebSocket-Accept */
  gpointer handover; /* what the upgrade will take; freed here when it never comes */
  GDestroyNotify free_handover;
  GPtrArray *headers; /* name, value, name, value … for answers without `mhd` */
};

/* The stream's answer; it suspends and resumes its connection itself. Streams are known to the server until they end. */
struct MHD_Response *http_stream_start (HttpServer *server, struct MHD_Connection *connection, HttpStreamSource *source);

typedef struct HttpStreams HttpStreams;
HttpStreams *http_streams_new (void);
HttpStreams *http_server_streams (HttpServer *server);

/* Lets all streams look for something to send; `is_tick`: they send a comment at least, and end when not valid. */
void http_streams_wake (HttpStreams *streams, gboolean is_tick);
void http_streams_end (HttpStreams *streams); /* they end at once, and none begins any more */
guint http_streams_count (HttpStreams *streams);
void http_streams_free (HttpStreams *streams);

/* Pipes to connections. One thread waits for all of them to have something. */
typedef struct HttpPipes HttpPipes;
HttpPipes *http_pipes_new (void);
HttpPipes *http_server_pipes (HttpServer *server);

/* The answer that reads from the response's pipe, which it takes with its producer; it suspends and resumes its connection
 * itself. */
struct MHD_Response *http_pipe_start (HttpServer *server, struct MHD_Connection *connection, HttpResponse *response);
void http_pipes_end (HttpPipes *pipes); /* they break off at once, and none begins any more */
void http_pipes_free (HttpPipes *pipes); /* after the connections */

/* A thread that writes; `*read_fd` is the other end, which does not block. NULL when too many are under way. Takes `data`. */
HttpProducer *http_producer_start (HttpProduce produce, gpointer data, GDestroyNotify free_data, int *read_fd);
gboolean http_producer_is_whole (HttpProducer *producer); /* after the end of what it wrote: whether that was all */
void http_producer_end (HttpProducer *producer);          /* after `read_fd` was closed; waits for the thread. NULL is taken */
