#include "adapters/brokers/mqtt_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/core/error.h"

enum {
  CONNECT_SECONDS = 10,
  SILENCE_MS = 60000, /* what was sent and is not received by the other side ends the connection then */
  PROBLEM_BYTES = 160,
};

struct MqttSocket {
  GSocketConnection *connection;
  int fd;
  SSL_CTX *context; /* NULL without TLS */
  SSL *tls;
  char problem[PROBLEM_BYTES];
};

/* TLS */

static const char *tls_error (void)
{
  unsigned long code = ERR_peek_last_error ();
  const char *reason = code != 0 ? ERR_reason_error_string (code) : NULL;
  return reason != NULL ? reason : "the other side ended it";
}

static gboolean refuse_file (GError **error, const char *path)
{
  return error_set (error, ERROR_RECONFIGURE, "%s can't be used: %s", path, tls_error ());
}

static gboolean load_files (SSL_CTX *context, const Broker *settings, GError **error)
{
  if (settings->ca_file == NULL)
    SSL_CTX_set_default_verify_paths (context);
  else if (SSL_CTX_load_verify_locations (context, settings->ca_file, NULL) != 1)
    return refuse_file (error, settings->ca_file);
  if (settings->cert_file != NULL && SSL_CTX_use_certificate_chain_file (context, settings->cert_file) != 1)
    return refuse_file (error, settings->cert_file);
  if (settings->key_file != NULL && SSL_CTX_use_PrivateKey_file (context, settings->key_file, SSL_FILETYPE_PEM) != 1)
    return refuse_file (error, settings->key_file);
  return TRUE;
}

/* A certificate stands for an address in another field than for a name (RFC 6125 1.7.2), and a name alone is told to the
 * broker (RFC 6066 3). */
static gboolean expect_host (SSL *tls, const char *host)
{
  if (X509_VERIFY_PARAM_set1_ip_asc (SSL_get0_param (tls), host) == 1)
    return TRUE;
  return SSL_set1_host (tls, host) == 1 && SSL_set_tlsext_host_name (tls, host) == 1;
}

static gboolean prepare_tls (MqttSocket *socket, const Broker *settings, const char *host, GError **error)
{
  ERR_clear_error ();
  socket->context = SSL_CTX_new (TLS_client_method ());
  if (!load_files (socket->context, settings, error))
    return FALSE;
  SSL_CTX_set_verify (socket->context, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_mode (socket->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  socket->tls = SSL_new (socket->context);
  if (SSL_set_fd (socket->tls, socket->fd) == 1 && expect_host (socket->tls, host))
    return TRUE;
  return error_set (error, ERROR_RECONFIGURE, "%s can't be proved by a certificate", host);
}

static gboolean refuse_tls (MqttSocket *socket, int code, GError **error)
{
  long verdict = SSL_get_verify_result (socket->tls);
  if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
    return error_set (error, ERROR_RECONFIGURE, "its certificate is not made out to this name");
  if (verdict != X509_V_OK)
    return error_set (error, ERROR_RECONFIGURE, "%s", X509_verify_cert_error_string (verdict));
  gboolean is_end = ERR_GET_REASON (ERR_peek_error ()) == SSL_R_UNEXPECTED_EOF_WHILE_READING; /* OpenSSL 3 */
  if (is_end || (code == SSL_ERROR_SYSCALL && ERR_peek_error () == 0))
    return error_set (error, ERROR_RETRY, "the other side went away before TLS stood");
  return error_set (error, ERROR_RECONFIGURE, "%s", tls_error ());
}

/* Until the socket is ready, the time is over or somebody ends it. */
static gboolean wait_for (const MqttSocket *socket, short events, gint64 until_us, GCancellable *cancellable, GError **error)
{
  GPollFD fds[2] = { { socket->fd, (gushort) events, 0 } };
  gboolean can_cancel = g_cancellable_make_pollfd (cancellable, &fds[1]);
  gint64 left_us = MAX (until_us - g_get_monotonic_time (), 0);
  int ready = g_poll (fds, can_cancel ? 2 : 1, (int) (left_us / 1000));
  if (can_cancel)
    g_cancellable_release_fd (cancellable);
  if (g_cancellable_is_cancelled (cancellable))
    return error_set (error, ERROR_RETRY, "it is being closed");
  return ready != 0 || error_set (error, ERROR_RETRY, "TLS took over %d s", CONNECT_SECONDS);
}

static gboolean shake_hands (MqttSocket *socket, GCancellable *cancellable, GError **error)
{
  gint64 until_us = g_get_monotonic_time () + CONNECT_SECONDS * G_USEC_PER_SEC;
  for (;;) {
    ERR_clear_error ();
    int result = SSL_connect (socket->tls);
    if (result == 1)
      return TRUE;
    int code = SSL_get_error (socket->tls, result);
    if (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE)
      return refuse_tls (socket, code, error);
    if (!wait_for (socket, code == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until_us, cancellable, error))
      return FALSE;
  }
}

/* Opening */

static GSocketConnection *connect_to (const char *host, guint16 port, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnectable) address = g_network_address_new (host, port);
  g_socket_client_set_timeout (client, CONNECT_SECONDS);
  g_socket_client_set_enable_proxy (client, FALSE);
  GSocketConnection *connection = g_socket_client_connect (client, address, cancellable, &problem);
  if (connection == NULL)
    error_set (error, ERROR_RETRY, "%s", problem->message);
  return connection;
}

static void prepare_socket (MqttSocket *socket)
{
  GSocket *inner = g_socket_connection_get_socket (socket->connection);
  int on = 1, silence_ms = SILENCE_MS;
  g_socket_set_blocking (inner, FALSE);
  socket->fd = g_socket_get_fd (inner);
  setsockopt (socket->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt (socket->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
}

MqttSocket *mqtt_socket_open (const Broker *settings, GCancellable *cancellable, GError **error)
{
  g_autoptr (GUri) url = g_uri_parse (settings->url, G_URI_FLAGS_NONE, NULL);
  if (url == NULL || g_uri_get_host (url) == NULL || g_uri_get_port (url) <= 0) {
    error_set (error, ERROR_RECONFIGURE, "%s is no URL with host and port", settings->url);
    return NULL;
  }
  GSocketConnection *connection = connect_to (g_uri_get_host (url), (guint16) g_uri_get_port (url), cancellable, error);
  if (connection == NULL)
    return NULL;
  g_autoptr (MqttSocket) socket = g_new0 (MqttSocket, 1);
  socket->connection = connection;
  prepare_socket (socket);
  if (g_str_equal (g_uri_get_scheme (url), "mqtts")
      && (!prepare_tls (socket, settings, g_uri_get_host (url), error) || !shake_hands (socket, cancellable, error)))
    return NULL;
  return g_steal_pointer (&socket);
}

int mqtt_socket_fd (const MqttSocket *socket)
{
  return socket->fd;
}

/* Reading and writing */

static MqttSocketState state_of_tls (MqttSocket *socket, int result)
{
  int code = SSL_get_error (socket->tls, result);
  if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
    return MQTT_SOCKET_LATER;
  if (code == SSL_ERROR_SSL)
    g_strlcpy (socket->problem, tls_error (), sizeof socket->problem);
  else if (code == SSL_ERROR_SYSCALL && errno != 0)
    g_strlcpy (socket->problem, g_strerror (errno), sizeof socket->problem);
  return MQTT_SOCKET_CLOSED;
}

static MqttSocketState state_of_errno (MqttSocket *socket)
{
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
    return MQTT_SOCKET_LATER;
  g_strlcpy (socket->problem, g_strerror (errno), sizeof socket->problem);
  return MQTT_SOCKET_CLOSED;
}

MqttSocketState mqtt_socket_read (MqttSocket *socket, guint8 *bytes, gsize size, gsize *done)
{
  *done = 0;
  if (socket->tls != NULL) {
    ERR_clear_error ();
    errno = 0;
    int result = SSL_read_ex (socket->tls, bytes, size, done);
    return result == 1 ? MQTT_SOCKET_OPEN : state_of_tls (socket, result);
  }
  gssize result = recv (socket->fd, bytes, size, 0);
  if (result < 0)
    return state_of_errno (socket);
  *done = (gsize) result;
  return result > 0 ? MQTT_SOCKET_OPEN : MQTT_SOCKET_CLOSED;
}

MqttSocketState mqtt_socket_write (MqttSocket *socket, const guint8 *bytes, gsize size, gsize *done)
{
  *done = 0;
  if (socket->tls != NULL) {
    ERR_clear_error ();
    errno = 0;
    int result = SSL_write_ex (socket->tls, bytes, size, done);
    return result == 1 ? MQTT_SOCKET_OPEN : state_of_tls (socket, result);
  }
  gssize result = send (socket->fd, bytes, size, MSG_NOSIGNAL);
  if (result < 0)
    return state_of_errno (socket);
  *done = (gsize) result;
  return MQTT_SOCKET_OPEN;
}

gboolean mqtt_socket_has_more (const MqttSocket *socket)
{
  return socket->tls != NULL && SSL_pending (socket->tls) > 0;
}

void mqtt_socket_finish (MqttSocket *socket)
{
  if (socket->tls != NULL) {
    ERR_clear_error ();
    SSL_shutdown (socket->tls);
  }
  shutdown (socket->fd, SHUT_WR);
}

const char *mqtt_socket_problem (const MqttSocket *socket)
{
  return socket->problem;
}

void mqtt_socket_free (MqttSocket *socket)
{
  if (socket == NULL)
    return;
  SSL_free (socket->tls);
  SSL_CTX_free (socket->context);
  g_clear_object (&socket->connection);
  g_free (socket);
}
