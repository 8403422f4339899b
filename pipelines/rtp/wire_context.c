#include <openssl/err.h>
#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/rtp/wire_private.h"

gboolean wire_fingerprint_read (const char *text, guint8 fingerprint[WIRE_FINGERPRINT_BYTES])
{
  for (guint i = 0; i < WIRE_FINGERPRINT_BYTES; i++) {
    if (i > 0 && *text == ':')
      text++;
    if (!g_ascii_isxdigit (text[0]) || !g_ascii_isxdigit (text[1]))
      return FALSE;
    fingerprint[i] = (guint8) (g_ascii_xdigit_value (text[0]) << 4 | g_ascii_xdigit_value (text[1]));
    text += 2;
  }
  return *text == '\0';
}

const char *wire_ssl_problem (char *text, gsize size)
{
  unsigned long code = ERR_get_error ();
  const char *reason = ERR_reason_error_string (code);
  g_strlcpy (text, reason != NULL ? reason : code != 0 ? g_strerror (ERR_GET_REASON (code)) : "no reason given", size);
  ERR_clear_error ();
  return text;
}

/* Instead of X509_verify_cert: one certificate is right, whatever stands in it. */
static int verify_pinned (X509_STORE_CTX *store, void *data)
{
  const WireContext *context = data;
  SSL *ssl = X509_STORE_CTX_get_ex_data (store, SSL_get_ex_data_X509_STORE_CTX_idx ());
  WireTls *tls = SSL_get_app_data (ssl);
  unsigned size = 0;
  if (X509_digest (X509_STORE_CTX_get0_cert (store), EVP_sha256 (), tls->seen_fingerprint, &size) == 1
      && memcmp (tls->seen_fingerprint, context->fingerprint, WIRE_FINGERPRINT_BYTES) == 0)
    return 1;
  X509_STORE_CTX_set_error (store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

static WireContext *context_new (const SSL_METHOD *method)
{
  WireContext *context = g_new0 (WireContext, 1);
  g_atomic_ref_count_init (&context->references);
  context->ssl = SSL_CTX_new (method);
  SSL_CTX_set_min_proto_version (context->ssl, TLS1_2_VERSION);
  SSL_CTX_set_options (context->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode (context->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                                      | SSL_MODE_RELEASE_BUFFERS); /* 34 KiB of an idle connection */
  return context;
}

static gboolean trust (WireContext *context, const char *ca_file, const char *fingerprint, GError **error)
{
  char problem[128];
  SSL_CTX_set_verify (context->ssl, SSL_VERIFY_PEER, NULL);
  if (fingerprint != NULL) {
    context->is_pinned = TRUE;
    SSL_CTX_set_cert_verify_callback (context->ssl, verify_pinned, context);
    return wire_fingerprint_read (fingerprint, context->fingerprint)
           || error_set (error, ERROR_RECONFIGURE, "%.80s is no SHA-256 fingerprint of 64 hex digits", fingerprint);
  }
  if (ca_file != NULL)
    return SSL_CTX_load_verify_file (context->ssl, ca_file) == 1
           || error_set (error, ERROR_RECONFIGURE, "cannot read a certificate (PEM) from ca_file %s: %s", ca_file,
                         wire_ssl_problem (problem, sizeof problem));
  return SSL_CTX_set_default_verify_dir (context->ssl) == 1 /* reads what it needs, not all 140 of them */
         || error_set (error, ERROR_RECONFIGURE, "cannot use the system's certificates: %s",
                       wire_ssl_problem (problem, sizeof problem));
}

WireContext *wire_context_new_client (const char *ca_file, const char *fingerprint, GError **error)
{
  WireContext *context = context_new (TLS_client_method ());
  if (trust (context, ca_file, fingerprint, error))
    return context;
  wire_context_unref (context);
  return NULL;
}

static gboolean present (WireContext *context, const char *cert_file, const char *key_file, GError **error)
{
  char problem[128];
  if (SSL_CTX_use_certificate_chain_file (context->ssl, cert_file) != 1)
    return error_set (error, ERROR_RECONFIGURE, "cannot read a certificate (PEM) from cert_file %s: %s", cert_file,
                      wire_ssl_problem (problem, sizeof problem));
  if (SSL_CTX_use_PrivateKey_file (context->ssl, key_file, SSL_FILETYPE_PEM) != 1)
    return error_set (error, ERROR_RECONFIGURE, "key_file %s has no key (PEM) of the certificate in %s: %s", key_file,
                      cert_file, wire_ssl_problem (problem, sizeof problem));
  return TRUE;
}

WireContext *wire_context_new_server (const char *cert_file, const char *key_file, GError **error)
{
  WireContext *context = context_new (TLS_server_method ());
  if (present (context, cert_file, key_file, error))
    return context;
  wire_context_unref (context);
  return NULL;
}

WireContext *wire_context_ref (WireContext *context)
{
  g_atomic_ref_count_inc (&context->references);
  return context;
}

void wire_context_unref (WireContext *context)
{
  if (context == NULL || !g_atomic_ref_count_dec (&context->references))
    return;
  SSL_CTX_free (context->ssl);
  g_free (context);
}
