#include "tests/support/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "tests/support/test.h"

enum { DAY_S = 24 * 3600 };

char *certificate_path (const char *folder, const char *label, const char *ending)
{
  return g_strdup_printf ("%s/%s.%s", folder, label, ending);
}

static FILE *open_file (const char *folder, const char *label, const char *ending, const char *mode)
{
  g_autofree char *path = certificate_path (folder, label, ending);
  FILE *file = fopen (path, mode);
  assert_non_null (file);
  return file;
}

static void extend (X509 *certificate, int extension, const char *value)
{
  X509V3_CTX context;
  X509V3_set_ctx_nodb (&context);
  X509V3_set_ctx (&context, certificate, certificate, NULL, NULL, 0);
  X509_EXTENSION *one = X509V3_EXT_conf_nid (NULL, &context, extension, value);
  assert_non_null (one);
  X509_add_ext (certificate, one, -1);
  X509_EXTENSION_free (one);
}

static void fill (X509 *certificate, EVP_PKEY *key, const char *label, const CertificateForm *form)
{
  X509_set_version (certificate, X509_VERSION_3);
  ASN1_INTEGER_set (X509_get_serialNumber (certificate), g_random_int_range (1, G_MAXINT32));
  X509_gmtime_adj (X509_getm_notBefore (certificate), form->is_not_yet_valid ? DAY_S : -2 * DAY_S);
  X509_gmtime_adj (X509_getm_notAfter (certificate), form->is_expired ? -DAY_S : 2 * DAY_S);
  X509_set_pubkey (certificate, key);
  X509_NAME_add_entry_by_txt (X509_get_subject_name (certificate), "CN", MBSTRING_UTF8, (const guchar *) label, -1, -1, 0);
  extend (certificate, NID_basic_constraints, form->host == NULL ? "critical,CA:TRUE" : "CA:FALSE");
  if (form->host != NULL) {
    g_autofree char *name = g_strdup_printf ("%s:%s", g_hostname_is_ip_address (form->host) ? "IP" : "DNS", form->host);
    extend (certificate, NID_subject_alt_name, name);
  }
}

static void sign (X509 *certificate, EVP_PKEY *key, const char *folder, const char *issuer)
{
  if (issuer == NULL) {
    X509_set_issuer_name (certificate, X509_get_subject_name (certificate));
    assert_true (X509_sign (certificate, key, EVP_sha256 ()) > 0);
    return;
  }
  FILE *certificate_file = open_file (folder, issuer, "pem", "r"), *key_file = open_file (folder, issuer, "key", "r");
  X509 *authority = PEM_read_X509 (certificate_file, NULL, NULL, NULL);
  EVP_PKEY *authority_key = PEM_read_PrivateKey (key_file, NULL, NULL, NULL);
  X509_set_issuer_name (certificate, X509_get_subject_name (authority));
  assert_true (X509_sign (certificate, authority_key, EVP_sha256 ()) > 0);
  X509_free (authority);
  EVP_PKEY_free (authority_key);
  fclose (certificate_file);
  fclose (key_file);
}

char *certificate_make (const char *folder, const char *label, const CertificateForm *form)
{
  EVP_PKEY *key = EVP_EC_gen ("P-256");
  X509 *certificate = X509_new ();
  guint8 digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  fill (certificate, key, label, form);
  sign (certificate, key, folder, form->issuer);
  FILE *certificate_file = open_file (folder, label, "pem", "w"), *key_file = open_file (folder, label, "key", "w");
  assert_int_equal (PEM_write_X509 (certificate_file, certificate), 1);
  assert_int_equal (PEM_write_PrivateKey (key_file, key, NULL, NULL, 0, NULL, NULL), 1);
  fclose (certificate_file);
  fclose (key_file);
  assert_int_equal (X509_digest (certificate, EVP_sha256 (), digest, &size), 1);
  GString *fingerprint = g_string_new (NULL);
  for (unsigned i = 0; i < size; i++)
    g_string_append_printf (fingerprint, "%02x", digest[i]);
  X509_free (certificate);
  EVP_PKEY_free (key);
  return g_string_free (fingerprint, FALSE);
}
