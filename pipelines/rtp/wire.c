#include "pipelines/rtp/wire.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "gateway/core/error.h"
#include "pipelines/rtp/wire_private.h"

static gboolean start (Wire *wire, WireContext *context, GError **error)
{
  char problem[128];
  SSL *ssl = SSL_new (context->ssl);
  if (ssl == NULL || SSL_set_fd (ssl, wire->fd) != 1) {
    SSL_free (ssl);
    return error_set (error, ERROR_RETRY, "cannot start TLS: %s", wire_ssl_problem (problem, sizeof problem));
  }
  wire->tls = g_new0 (WireTls, 1);
  wire->tls->ssl = ssl;
  wire->tls->context = wire_context_ref (context);
  SSL_set_app_data (ssl, wire->tls);
  return TRUE;
}

/* A name is also sent along (RFC 6066 3), an address isn't. */
static gboolean expect_host (SSL *ssl, const char *host)
{
  if (g_hostname_is_ip_address (host))
    return X509_VERIFY_PARAM_set1_ip_asc (SSL_get0_param (ssl), host) == 1;
  SSL_set_hostflags (ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set1_host (ssl, host) == 1 && SSL_set_tlsext_host_name (ssl, host) == 1;
}

gboolean wire_start_client (Wire *wire, WireContext *context, const char *host, GError **error)
{
  if (!start (wire, context, error))
    return FALSE;
  wire->tls->host = g_strdup (host);
  SSL_set_connect_state (wire->tls->ssl);
  if (expect_host (wire->tls->ssl, host))
    return TRUE;
  ERR_clear_error ();
  return error_set (error, ERROR_RECONFIGURE, "%s can't be the name in a certificate", host);
}

gboolean wire_start_server (Wire *wire, WireContext *context, GError **error)
{
  if (!start (wire, context, error))
    return FALSE;
  SSL_set_accept_state (wire->tls->ssl);
  return TRUE;
}

/* ---- what went wrong ---- */

static char *fingerprint_text (const guint8 fingerprint[WIRE_FINGERPRINT_BYTES])
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < WIRE_FINGERPRINT_BYTES; i++)
    g_string_append_printf (text, "%s%02X", i > 0 ? ":" : "", fingerprint[i]);
  return g_string_free (text, FALSE);
}

static gboolean refuse_certificate (const WireTls *tls, long result, GError **error)
{
  g_autofree char *seen = NULL;
  switch (result) {
  case X509_V_ERR_APPLICATION_VERIFICATION:
    seen = fingerprint_text (tls->seen_fingerprint);
    return error_set (error, ERROR_RECONFIGURE, "the certificate has the fingerprint %s, not the one that is set: if it "
                      "was replaced, set fingerprint to this one", seen);
  case X509_V_ERR_CERT_HAS_EXPIRED:
    return error_set (error, ERROR_RECONFIGURE, "the certificate has expired: renew it, or pin it by its fingerprint");
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return error_set (error, ERROR_RECONFIGURE, "the certificate is not valid yet: check the clocks of both sides");
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH:
    return error_set (error, ERROR_RECONFIGURE, "the certificate is not made out to %s: use the name that stands in it, or "
                      "pin it by its fingerprint", tls->host);
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    return error_set (error, ERROR_RECONFIGURE, "nobody that is trusted has signed the certificate: set ca_file to its "
                      "authority, or pin it by its fingerprint");
  default:
    return error_set (error, ERROR_RECONFIGURE, "the certificate is refused: %s", X509_verify_cert_error_string (result));
  }
}

static gboolean is_no_tls (int reason)
{
  return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST
         || reason == SSL_R_PACKET_LENGTH_TOO_LONG;
}

static gboolean is_too_old (int reason)
{
  return reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_VERSION_TOO_LOW
         || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION;
}

static gboolean is_mistrust (int reason)
{
  return reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA || reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE
         || reason == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED || reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN;
}

static gboolean tell_broken (const WireTls *tls, int kind, int saved_errno, GError **error)
{
  unsigned long code = ERR_peek_error ();
  long result = SSL_get_verify_result (tls->ssl);
  char problem[128];
  if (kind == SSL_ERROR_SYSCALL || kind == SSL_ERROR_ZERO_RETURN || code == 0) {
    ERR_clear_error ();
    return error_set (error, ERROR_RETRY, "the other side ended the TLS handshake: %s",
                      saved_errno != 0 ? g_strerror (saved_errno) : "it closed the connection");
  }
  if (ERR_GET_REASON (code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    ERR_clear_error ();
    return error_set (error, ERROR_RETRY, "the other side closed the connection in the TLS handshake");
  }
  wire_ssl_problem (problem, sizeof problem);
  if (ERR_GET_REASON (code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
    return refuse_certificate (tls, result, error);
  if (is_no_tls (ERR_GET_REASON (code)))
    return error_set (error, ERROR_RECONFIGURE, "the other side doesn't speak TLS at this port: check scheme and port");
  if (is_mistrust (ERR_GET_REASON (code)))
    return error_set (error, ERROR_RECONFIGURE, "the other side doesn't trust our certificate: %s", problem);
  if (is_too_old (ERR_GET_REASON (code)))
    return error_set (error, ERROR_RECONFIGURE, "the other side only speaks TLS older than 1.2: update its firmware");
  return error_set (error, ERROR_RECONFIGURE, "TLS failed: %s", problem);
}

WireState wire_handshake (Wire *wire, GError **error)
{
  if (wire->tls == NULL)
    return WIRE_OPEN;
  ERR_clear_error ();
  errno = 0;
  int result = SSL_do_handshake (wire->tls->ssl);
  if (result == 1)
    return WIRE_OPEN;
  int saved_errno = errno, kind = SSL_get_error (wire->tls->ssl, result);
  if (kind == SSL_ERROR_WANT_READ)
    return WIRE_WAITS_TO_READ;
  if (kind == SSL_ERROR_WANT_WRITE)
    return WIRE_WAITS_TO_WRITE;
  tell_broken (wire->tls, kind, saved_errno, error);
  return WIRE_BROKEN;
}

/* ---- bytes ---- */

/* Sets errno from what an SSL call returned: that it must wait, or that it is over. Always -1, but for an end in order. */
static gssize end (WireTls *tls, int result, gboolean reads)
{
  char problem[128];
  int saved_errno = errno, kind = SSL_get_error (tls->ssl, result);
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
    errno = EAGAIN;
    return -1;
  }
  if (kind == SSL_ERROR_ZERO_RETURN && reads)
    return 0;
  g_clear_pointer (&tls->problem, g_free);
  if (kind == SSL_ERROR_SSL) {
    tls->problem = g_strdup_printf ("TLS: %s", wire_ssl_problem (problem, sizeof problem));
    errno = EPROTO;
    return -1;
  }
  ERR_clear_error ();
  errno = saved_errno != 0 ? saved_errno : ECONNRESET;
  return -1;
}

gssize wire_tls_read (Wire *wire, void *bytes, gsize size)
{
  gsize filled = 0;
  while (size - filled >= WIRE_READ_MIN || filled == 0) {
    ERR_clear_error ();
    errno = 0;
    int got = SSL_read (wire->tls->ssl, (guint8 *) bytes + filled, (int) MIN (size - filled, G_MAXINT));
    if (got <= 0 && filled == 0)
      return end (wire->tls, got, TRUE);
    if (got <= 0) /* an end, too, is said again to the next read */
      break;
    filled += (gsize) got;
  }
  return (gssize) filled;
}

gssize wire_tls_send (Wire *wire, const void *bytes, gsize size)
{
  gsize sent = 0;
  while (sent < size) { /* a record of 16 KiB each time */
    ERR_clear_error ();
    errno = 0;
    int now = SSL_write (wire->tls->ssl, (const guint8 *) bytes + sent, (int) MIN (size - sent, G_MAXINT));
    if (now <= 0 && end (wire->tls, now, FALSE) < 0) {
      wire->tls->is_committed = errno == EAGAIN;
      return errno == EAGAIN && sent > 0 ? (gssize) sent : -1;
    }
    wire->tls->is_committed = FALSE;
    sent += (gsize) now;
  }
  return (gssize) sent;
}

gssize wire_tls_send_parts (Wire *wire, const struct iovec *parts, guint count)
{
  gsize sent = 0;
  for (guint i = 0; i < count; i++) {
    gssize now = wire_tls_send (wire, parts[i].iov_base, parts[i].iov_len);
    if (now < 0)
      return errno == EAGAIN && sent > 0 ? (gssize) sent : -1;
    sent += (gsize) now;
    if ((gsize) now < parts[i].iov_len)
      break;
  }
  return (gssize) sent;
}

gboolean wire_is_committed (const Wire *wire)
{
  return wire->tls != NULL && wire->tls->is_committed;
}

const char *wire_problem (const Wire *wire)
{
  return wire->tls != NULL && wire->tls->problem != NULL ? wire->tls->problem : g_strerror (errno);
}

void wire_finish (Wire *wire)
{
  WireTls *tls = g_steal_pointer (&wire->tls);
  if (tls == NULL)
    return;
  if (SSL_is_init_finished (tls->ssl) && !tls->is_committed)
    SSL_shutdown (tls->ssl);
  ERR_clear_error ();
  SSL_free (tls->ssl);
  wire_context_unref (tls->context);
  g_free (tls->host);
  g_free (tls->problem);
  g_free (tls);
}
