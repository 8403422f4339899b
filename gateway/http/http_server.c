#include "gateway/http/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/core/log.h"
#include "gateway/core/queue.h"
#include "gateway/http/http_connections.h"
#include "gateway/http/http_head.h"
#include "gateway/http/http_private.h"

static const gint64 head_deadline_us = 10 * G_TIME_SPAN_SECOND;
static const gint64 head_deadline_crowded_us = 2 * G_TIME_SPAN_SECOND;
static const gint64 body_deadline_us = 30 * G_TIME_SPAN_SECOND;
static const gint64 next_request_deadline_us = 75 * G_TIME_SPAN_SECOND; /* idle time and the next head */
static const gint64 pulse_us = G_TIME_SPAN_SECOND;
static const gint64 tick_us = 15 * G_TIME_SPAN_SECOND;
enum { IDLE_TIMEOUT_S = 60, CONNECTION_MEMORY_BYTES = 32 * 1024 };

struct HttpServer {
  HttpHandlers handlers;
  struct MHD_Daemon *daemon;
  HttpConnections *connections;
  HttpStreams *streams;
  HttpPipes *pipes;
  Queue *work;
  GThread *workers[HTTP_WORKERS], *pulse;
  GMutex mutex; /* over what follows */
  GCond pulsed;
  gboolean is_stopping, is_woken;
};

/* What libmicrohttpd carries for us from the first line to the end. */
typedef struct {
  HttpServer *server;
  HttpRequest request;
  HttpConnection *connection;
  HttpResponse *response; /* set by the worker before it resumes */
  gboolean is_head_read, is_dispatched, is_too_large;
  guint64 body_bytes;
} Exchange;

/* --- work: an exchange to handle, or a socket that was taken over --- */

typedef struct {
  Exchange *exchange;
  int socket_fd;
  GBytes *extra;
  HttpTaken taken;
  gpointer taken_data;
  GDestroyNotify free_taken;
} Work;

static void work_free (gpointer data)
{
  Work *work = data;
  if (work->socket_fd >= 0)
    close (work->socket_fd);
  if (work->free_taken != NULL)
    work->free_taken (work->taken_data);
  g_clear_pointer (&work->extra, g_bytes_unref);
  g_free (work);
}

static void handle_exchange (HttpServer *server, Exchange *exchange)
{
  HttpRequest *request = &exchange->request;
  exchange->response = server->handlers.handle (request, server->handlers.data);
  MHD_resume_connection (request->connection); /* the exchange is the server's again */
}

static gpointer worker_thread (gpointer data)
{
  HttpServer *server = data;
  for (Work *work; (work = queue_pop (server->work, -1)) != NULL; work_free (work)) {
    gsize size;
    if (work->exchange != NULL) {
      handle_exchange (server, work->exchange);
      continue;
    }
    const void *extra = g_bytes_get_data (work->extra, &size);
    work->taken (g_steal_fd (&work->socket_fd), extra, size, work->taken_data);
  }
  return NULL;
}

/* --- the pulse: deadlines, events for streams, comment lines --- */

static gpointer pulse_thread (gpointer data)
{
  HttpServer *server = data;
  gint64 next_tick = g_get_monotonic_time () + tick_us;
  g_mutex_lock (&server->mutex);
  while (!server->is_stopping) {
    gint64 end = g_get_monotonic_time () + pulse_us;
    while (!server->is_woken && !server->is_stopping && g_cond_wait_until (&server->pulsed, &server->mutex, end))
      ;
    gboolean is_woken = server->is_woken;
    server->is_woken = FALSE;
    g_mutex_unlock (&server->mutex);

    gint64 now = g_get_monotonic_time ();
    gboolean is_tick = now >= next_tick;
    if (is_tick)
      next_tick = now + tick_us;
    if (is_woken || is_tick)
      http_streams_wake (server->streams, is_tick);
    http_connections_enforce (server->connections, now);
    g_mutex_lock (&server->mutex);
  }
  g_mutex_unlock (&server->mutex);
  return NULL;
}

void http_server_wake (HttpServer *server)
{
  g_mutex_lock (&server->mutex);
  server->is_woken = TRUE;
  g_cond_signal (&server->pulsed);
  g_mutex_unlock (&server->mutex);
}

static gboolean is_stopping (HttpServer *server)
{
  g_mutex_lock (&server->mutex);
  gboolean is = server->is_stopping;
  g_mutex_unlock (&server->mutex);
  return is;
}

/* --- libmicrohttpd's callbacks, on its thread --- */

static void on_connection (void *data, struct MHD_Connection *connection, void **socket_context,
                           enum MHD_ConnectionNotificationCode code)
{
  HttpServer *server = data;
  if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
    http_connections_remove (server->connections, *socket_context);
    return;
  }
  const union MHD_ConnectionInfo *info = MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  gboolean is_crowded = http_connections_count (server->connections) >= HTTP_CONNECTIONS;
  *socket_context = http_connections_add (server->connections, info->connect_fd,
                                          g_get_monotonic_time ()
                                            + (is_crowded ? head_deadline_crowded_us : head_deadline_us));
}

static void *on_target (void *data, const char *target, struct MHD_Connection *connection)
{
  Exchange *exchange = g_new0 (Exchange, 1);
  exchange->server = data;
  exchange->request.connection = connection;
  exchange->request.target = g_strdup (target);
  exchange->request.body = g_byte_array_new ();
  return exchange;
}

static void on_completed (void *data, struct MHD_Connection *connection, void **context,
                          enum MHD_RequestTerminationCode code)
{
  HttpServer *server = data;
  Exchange *exchange = *context;
  (void) connection, (void) code;
  if (exchange == NULL)
    return;
  HttpRequest *request = &exchange->request;
  http_connections_set_deadline (server->connections, exchange->connection,
                                 g_get_monotonic_time () + next_request_deadline_us);
  http_response_free (exchange->response);
  http_path_clear (&request->path);
  caller_clear (&request->caller);
  site_unref (request->site);
  g_byte_array_unref (request->body);
  g_free (request->target);
  g_free (request->method);
  g_free (request->version);
  g_free (request->peer);
  g_free (request->address);
  g_free (exchange);
  *context = NULL;
}

/* Targets are decoded by us, segment by segment. */
static size_t leave_escaped (void *data, struct MHD_Connection *connection, char *text)
{
  (void) data, (void) connection;
  return strlen (text);
}

static enum MHD_Result add_header (void *data, enum MHD_ValueKind kind, const char *name, const char *value)
{
  (void) kind;
  http_head_add (data, name, value);
  return MHD_YES;
}

static char *address_text (const struct sockaddr *address)
{
  char text[NI_MAXHOST];
  socklen_t size = address->sa_family == AF_INET6 ? sizeof (struct sockaddr_in6) : sizeof (struct sockaddr_in);
  return getnameinfo (address, size, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0 ? g_strdup (text) : g_strdup ("");
}

static enum MHD_Result send_response (Exchange *exchange, HttpResponse *response);

static enum MHD_Result send_and_free (Exchange *exchange, HttpResponse *response)
{
  exchange->is_dispatched = TRUE;
  exchange->response = response;
  return send_response (exchange, response);
}

static enum MHD_Result send_problem (Exchange *exchange, int status, const char *type, const char *detail)
{
  HttpResponse *response = http_response_problem (status, type, "%s", detail);
  http_response_header (response, "Connection", "close"); /* what follows can't be trusted to be a request */
  return send_and_free (exchange, response);
}

/* First call, the head: everything that needs no body to be refused or answered is done here. */
static enum MHD_Result on_head (Exchange *exchange, const char *method, const char *version)
{
  HttpServer *server = exchange->server;
  HttpRequest *request = &exchange->request;
  HttpHead head = { 0 };
  g_autoptr (GError) error = NULL;
  exchange->is_head_read = TRUE;
  exchange->connection
    = MHD_get_connection_info (request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
  http_connections_set_deadline (server->connections, exchange->connection, g_get_monotonic_time () + body_deadline_us);
  request->is_head = g_str_equal (method, "HEAD");
  request->method = g_strdup (request->is_head ? "GET" : method);
  request->version = g_strdup (version);
  request->peer
    = address_text (MHD_get_connection_info (request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);

  MHD_get_connection_values (request->connection, MHD_HEADER_KIND, add_header, &head);
  const char *fault = http_head_check (&head, version);
  if (fault != NULL)
    return send_problem (exchange, 400, "bad-request", fault);
  if (!http_path_parse (request->target, &request->path, &error))
    return send_problem (exchange, 400, "bad-request", error->message);
  if (head.content_length > HTTP_BODY_BYTES)
    return send_problem (exchange, 413, "too-large", "a body may have 1 MiB at most");
  HttpResponse *at_once = server->handlers.at_once (request, server->handlers.data);
  if (at_once != NULL)
    return send_and_free (exchange, at_once);
  if (is_stopping (server))
    return send_problem (exchange, 503, "unavailable", "the gateway is ending");
  if (http_connections_count (server->connections) > HTTP_CONNECTIONS)
    return send_problem (exchange, 503, "too-many-connections", "the gateway has too many connections: try again later");
  return MHD_YES;
}

static enum MHD_Result on_body (Exchange *exchange, const char *bytes, size_t *size)
{
  exchange->body_bytes += *size;
  if (exchange->body_bytes > HTTP_BODY_BYTES)
    exchange->is_too_large = TRUE;
  else
    g_byte_array_append (exchange->request.body, (const guint8 *) bytes, (guint) *size);
  *size = 0;
  if (exchange->body_bytes > 2 * HTTP_BODY_BYTES) /* it doesn't end: no answer is read before the body is sent */
    return MHD_NO;
  return MHD_YES;
}

/* The request is whole: a worker gets it while the connection rests. */
static enum MHD_Result dispatch (Exchange *exchange)
{
  HttpServer *server = exchange->server;
  exchange->is_dispatched = TRUE;
  http_connections_set_deadline (server->connections, exchange->connection, 0);
  if (exchange->is_too_large)
    return send_problem (exchange, 413, "too-large", "a body may have 1 MiB at most");
  Work *work = g_new0 (Work, 1);
  work->exchange = exchange;
  work->socket_fd = -1;
  MHD_suspend_connection (exchange->request.connection); /* before the worker can resume it */
  if (queue_push (server->work, work, 0))
    return MHD_YES;
  g_free (work);
  exchange->response = http_response_problem (503, "busy", "the gateway is busy: try again in a moment");
  http_response_header (exchange->response, "Retry-After", "2");
  MHD_resume_connection (exchange->request.connection);
  return MHD_YES;
}

static enum MHD_Result on_request (void *data, struct MHD_Connection *connection, const char *url, const char *method,
                                   const char *version, const char *bytes, size_t *size, void **context)
{
  Exchange *exchange = *context;
  (void) data, (void) connection, (void) url;
  if (!exchange->is_head_read)
    return on_head (exchange, method, version);
  if (*size > 0)
    return exchange->is_dispatched ? MHD_NO : on_body (exchange, bytes, size);
  if (!exchange->is_dispatched)
    return dispatch (exchange);
  return exchange->response != NULL ? send_response (exchange, exchange->response) : MHD_NO;
}

/* --- answers --- */

static void on_upgrade (void *data, struct MHD_Connection *connection, void *context, const char *extra, size_t extra_size,
                        MHD_socket socket_fd, struct MHD_UpgradeResponseHandle *handle)
{
  Exchange *exchange = context;
  HttpServer *server = exchange->server;
  Work *work = g_steal_pointer (&exchange->response->handover);
  (void) data, (void) connection;
  /* Without TLS, closing is closing libmicrohttpd's own descriptor, never shutdown(): ours lives on. */
  work->socket_fd = fcntl (socket_fd, F_DUPFD_CLOEXEC, 3);
  work->extra = g_bytes_new (extra, extra_size);
  MHD_upgrade_action (handle, MHD_UPGRADE_ACTION_CLOSE);
  if (work->socket_fd < 0 || !queue_push (server->work, work, 0))
    work_free (work);
}

static struct MHD_Response *websocket_answer (HttpResponse *response)
{
  Work *work = g_new0 (Work, 1);
  work->socket_fd = -1;
  work->taken = response->taken;
  work->taken_data = g_steal_pointer (&response->taken_data);
  work->free_taken = response->free_taken;
  response->free_taken = NULL;
  response->handover = work;
  response->free_handover = work_free;
  struct MHD_Response *answer = MHD_create_response_for_upgrade (on_upgrade, NULL);
  MHD_add_response_header (answer, "Upgrade", "websocket");
  MHD_add_response_header (answer, "Sec-WebSocket-Accept", response->accept);
  return answer;
}

static void complete (Exchange *exchange, HttpResponse *response)
{
  if (response->mhd != NULL)
    return;
  struct MHD_Connection *connection = exchange->request.connection;
  if (response->is_stream)
    response->mhd = http_stream_start (exchange->server, connection, &response->stream);
  else if (response->is_pipe)
    response->mhd = http_pipe_start (exchange->server, connection, response);
  else
    response->mhd = websocket_answer (response);
  for (guint i = 0; (response->is_stream || response->is_pipe) && i < response->headers->len; i += 2)
    MHD_add_response_header (response->mhd, response->headers->pdata[i], response->headers->pdata[i + 1]);
}

static enum MHD_Result send_response (Exchange *exchange, HttpResponse *response)
{
  complete (exchange, response);
  return MHD_queue_response (exchange->request.connection, (unsigned) response->status, response->mhd);
}

/* --- life --- */

static gboolean parse_listen (const char *listen, struct sockaddr_storage *address, GError **error)
{
  const char *colon = strrchr (listen, ':');
  gboolean has_brackets = listen[0] == '[' && colon != NULL && colon > listen + 1 && colon[-1] == ']';
  struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM };
  struct addrinfo *found = NULL;
  if (colon == NULL)
    return error_set (error, ERROR_RECONFIGURE, "http.listen: %s is no ADDRESS:PORT", listen);
  g_autofree char *host = has_brackets ? g_strndup (listen + 1, (gsize) (colon - listen - 2))
                                       : g_strndup (listen, (gsize) (colon - listen));
  if (getaddrinfo (host, colon + 1, &hints, &found) != 0)
    return error_set (error, ERROR_RECONFIGURE, "http.listen: %s is no ADDRESS:PORT", listen);
  memcpy (address, found->ai_addr, found->ai_addrlen);
  freeaddrinfo (found);
  return TRUE;
}

static void log_daemon (void *data, const char *format, va_list arguments)
{
  (void) data;
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  log_limited (LOG_LEVEL_DEBUG, "http: %s", g_strchomp (text));
}

static struct MHD_Daemon *start_daemon (HttpServer *server, const struct sockaddr_storage *address)
{
  unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG
                   | (address->ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
  return MHD_start_daemon (flags, 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, log_daemon, NULL,
                           MHD_OPTION_SOCK_ADDR, address, MHD_OPTION_CONNECTION_LIMIT,
                           (unsigned) (HTTP_CONNECTIONS + HTTP_RESERVE), MHD_OPTION_CONNECTION_TIMEOUT,
                           (unsigned) IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                           (size_t) CONNECTION_MEMORY_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                           MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
                           MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_URI_LOG_CALLBACK, on_target,
                           server, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_SIGPIPE_HANDLED_BY_APP,
                           1, MHD_OPTION_END);
}

HttpServer *http_server_new (const char *listen, const HttpHandlers *handlers, GError **error)
{
  struct sockaddr_storage address = { 0 };
  if (!parse_listen (listen, &address, error))
    return NULL;
  HttpServer *server = g_new0 (HttpServer, 1);
  g_mutex_init (&server->mutex);
  g_cond_init (&server->pulsed);
  server->handlers = *handlers;
  server->connections = http_connections_new ();
  server->streams = http_streams_new ();
  server->pipes = http_pipes_new ();
  server->work = queue_new (HTTP_QUEUE, 0, work_free);
  server->daemon = start_daemon (server, &address);
  if (server->daemon == NULL) {
    error_set_errno (error, errno, "http.listen: cannot listen at %s", listen);
    http_server_free (server);
    return NULL;
  }
  for (guint i = 0; i < HTTP_WORKERS; i++)
    server->workers[i] = g_thread_new ("http-worker", worker_thread, server);
  server->pulse = g_thread_new ("http-pulse", pulse_thread, server);
  return server;
}

guint http_server_port (HttpServer *server)
{
  return MHD_get_daemon_info (server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

HttpStreams *http_server_streams (HttpServer *server)
{
  return server->streams;
}

HttpPipes *http_server_pipes (HttpServer *server)
{
  return server->pipes;
}

guint http_server_connections (HttpServer *server)
{
  return http_connections_count (server->connections);
}

static void stop_threads (HttpServer *server)
{
  g_mutex_lock (&server->mutex);
  server->is_stopping = TRUE;
  g_cond_signal (&server->pulsed);
  g_mutex_unlock (&server->mutex);
  if (server->pulse != NULL)
    g_thread_join (server->pulse);
  queue_close (server->work); /* what waits is still handled: each must resume its connection */
  for (guint i = 0; i < HTTP_WORKERS; i++)
    if (server->workers[i] != NULL)
      g_thread_join (server->workers[i]);
  http_streams_end (server->streams);
  http_pipes_end (server->pipes);
}

void http_server_free (HttpServer *server)
{
  if (server == NULL)
    return;
  stop_threads (server);
  if (server->daemon != NULL)
    MHD_stop_daemon (server->daemon);
  queue_free (server->work);
  http_streams_free (server->streams);
  http_pipes_free (server->pipes);
  http_connections_free (server->connections);
  g_cond_clear (&server->pulsed);
  g_mutex_clear (&server->mutex);
  g_free (server);
}
