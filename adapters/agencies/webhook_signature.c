#include "adapters/agencies/webhook_signature.h"

#include <string.h>

#define PREFIX "whsec_"

GBytes *webhook_key_of (const char *secret)
{
  if (!g_str_has_prefix (secret, PREFIX))
    return g_bytes_new (secret, strlen (secret));
  gsize size;
  guchar *key = g_base64_decode (secret + strlen (PREFIX), &size);
  if (size > 0)
    return g_bytes_new_take (key, size);
  g_free (key);
  return NULL;
}

char *webhook_signature (GBytes *key, const char *id, gint64 timestamp_s, const char *body)
{
  gsize key_size, digest_size = 32;
  guint8 digest[32];
  const guchar *key_bytes = g_bytes_get_data (key, &key_size);
  g_autofree char *head = g_strdup_printf ("%s.%" G_GINT64_FORMAT ".", id, timestamp_s);
  GHmac *hmac = g_hmac_new (G_CHECKSUM_SHA256, key_bytes, key_size);
  g_hmac_update (hmac, (const guchar *) head, (gssize) strlen (head));
  g_hmac_update (hmac, (const guchar *) body, (gssize) strlen (body));
  g_hmac_get_digest (hmac, digest, &digest_size);
  g_hmac_unref (hmac);
  g_autofree char *text = g_base64_encode (digest, digest_size);
  return g_strconcat ("v1,", text, NULL);
}
