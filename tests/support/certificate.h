/* certificate.h: certificates for tests: made on the spot, good and bad ones. */
#pragma once

#include <glib.h>

typedef struct {
  const char *host;     /* name or address it is made out to; NULL: an authority */
  const char *issuer;   /* label of an authority that was made in the same folder; NULL: it signs itself */
  gboolean is_expired, is_not_yet_valid;
} CertificateForm;

/* Writes FOLDER/LABEL.pem and FOLDER/LABEL.key; returns the SHA-256 fingerprint in hex (g_free). */
char *certificate_make (const char *folder, const char *label, const CertificateForm *form);

/* "FOLDER/LABEL.pem" and so on; g_free. */
char *certificate_path (const char *folder, const char *label, const char *ending);
