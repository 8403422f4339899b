#include "pipelines/rtsp/digest_nonce.h"

#include <string.h>

#include "gateway/core/ids.h"

enum { COUNT_DIGITS = 8 }; /* RFC 7616 3.4: nc-value = 8LHEX */

void digest_nonce_renew (DigestNonce *nonce, gint64 now_us)
{
  g_autofree char *text = random_hex (DIGEST_NONCE_DIGITS / 2);
  *nonce = (DigestNonce){ .made_us = now_us };
  g_strlcpy (nonce->text, text, sizeof nonce->text);
}

static gboolean read_count (const char *text, guint32 *count)
{
  guint64 number;
  if (strlen (text) != COUNT_DIGITS || !g_ascii_string_to_unsigned (text, 16, 1, G_MAXUINT32, &number, NULL))
    return FALSE;
  *count = (guint32) number;
  return TRUE;
}

gboolean digest_nonce_takes (DigestNonce *nonce, const DigestAnswer *answer, gint64 now_us)
{
  guint32 count;
  if (strcmp (answer->nonce, nonce->text) != 0 || now_us - nonce->made_us >= DIGEST_NONCE_LIFE_US)
    return FALSE;
  if (answer->qop == NULL)
    return TRUE;
  if (!read_count (answer->nc, &count) || count <= nonce->counted)
    return FALSE;
  nonce->counted = count;
  return TRUE;
}
