/* cbor.h: a bounded reader of CBOR (RFC 8949) into the JSON that means the same.
 *
 * Byte strings become base64url text (RFC 8949 6.1), decimal fractions and bigfloats numbers, other tags what they tag.
 * Numbers that label a map's members become their decimal text. What JSON has no word for (undefined, NaN) is null.
 *
 * thread: any. */
#pragma once

#include <glib.h>
#include <jansson.h>

/* The one item that `bytes` are; free with json_decref. NULL when they are no CBOR, are cut short or are nested too deep:
 * then `*at` is the byte that was not understood. */
json_t *cbor_to_json (const guint8 *bytes, gsize size, gsize *at);
