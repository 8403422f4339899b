/* webhook_signature.h: Standard Webhooks signatures (github.com/standard-webhooks/standard-webhooks, spec).
 *
 * thread: any. */
#pragma once

#include <glib.h>

/* The key of a secret: "whsec_" and base64, or any other text as it is. NULL: "whsec_" with what is no base64. */
GBytes *webhook_key_of (const char *secret);

/* "v1,BASE64" of HMAC-SHA256 over "id.timestamp.body"; free with g_free. `timestamp_s` is Unix seconds. */
char *webhook_signature (GBytes *key, const char *id, gint64 timestamp_s, const char *body);
