#include "gateway/access/digest.h"

#include <sodium.h>
#include <string.h>

static char *hash (DigestAlgorithm algorithm, const char *text)
{
  return g_compute_checksum_for_string (algorithm == DIGEST_MD5 ? G_CHECKSUM_MD5 : G_CHECKSUM_SHA256, text, -1);
}

char *digest_ha1 (DigestAlgorithm algorithm, const char *name, const char *secret)
{
  g_autofree char *text = g_strdup_printf ("%s:" DIGEST_REALM ":%s", name, secret);
  return hash (algorithm, text);
}

gboolean digest_algorithm_parse (const char *text, DigestAlgorithm *algorithm)
{
  *algorithm = text != NULL && g_ascii_strcasecmp (text, "SHA-256") == 0 ? DIGEST_SHA256 : DIGEST_MD5;
  return text == NULL || text[0] == '\0' || *algorithm == DIGEST_SHA256 || g_ascii_strcasecmp (text, "MD5") == 0;
}

gboolean digest_answer_fits (const DigestAnswer *answer, DigestAlgorithm algorithm, const char *ha1)
{
  gboolean has_qop = answer->qop != NULL && answer->qop[0] != '\0';
  if (answer->method == NULL || answer->uri == NULL || answer->nonce == NULL || answer->response == NULL
      || g_strcmp0 (answer->realm, DIGEST_REALM) != 0)
    return FALSE;
  if (has_qop && (g_ascii_strcasecmp (answer->qop, "auth") != 0 || answer->nc == NULL || answer->cnonce == NULL))
    return FALSE;

  g_autofree char *a2 = g_strdup_printf ("%s:%s", answer->method, answer->uri);
  g_autofree char *ha2 = hash (algorithm, a2);
  g_autofree char *whole = has_qop ? g_strdup_printf ("%s:%s:%s:%s:%s:%s", ha1, answer->nonce, answer->nc,
                                                      answer->cnonce, answer->qop, ha2)
                                   : g_strdup_printf ("%s:%s:%s", ha1, answer->nonce, ha2);
  g_autofree char *expected = hash (algorithm, whole);
  g_autofree char *given = g_ascii_strdown (answer->response, -1);
  gsize size = strlen (expected);
  return strlen (given) == size && sodium_memcmp (given, expected, size) == 0;
}
