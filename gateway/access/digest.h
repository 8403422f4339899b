/* digest.h: the server's half of HTTP Digest (RFC 7616, RFC 2617) for RTSP, from stored HA1 values.
 *
 * thread: any; pure functions. */
#pragma once

#include <glib.h>

#define DIGEST_REALM "gridgate"

typedef enum { DIGEST_MD5, DIGEST_SHA256 } DigestAlgorithm;

/* Borrowed; an absent field is NULL. */
typedef struct {
  const char *method, *username, *realm, *nonce, *uri, *response, *algorithm, *qop, *nc, *cnonce;
} DigestAnswer;

/* H(name:realm:secret); free with g_free. */
char *digest_ha1 (DigestAlgorithm algorithm, const char *name, const char *secret);

/* FALSE for an algorithm other than MD5, SHA-256 and none (which means MD5, RFC 7616 3.3). */
gboolean digest_algorithm_parse (const char *text, DigestAlgorithm *algorithm);

/* Whether the answer fits `ha1`; qop is "auth" or none. That the nonce is fresh is for whoever gave it. */
gboolean digest_answer_fits (const DigestAnswer *answer, DigestAlgorithm algorithm, const char *ha1);
