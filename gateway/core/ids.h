/* ids.h: identifiers: ULIDs for what the gateway makes, a checked shape for what the site names.
 *
 * thread: any. */
#pragma once

#include <glib.h>

enum { ULID_LENGTH = 26, SITE_ID_MAX = 64 };

/* A new ULID (github.com/ulid/spec) of the time `wall_us`; within one millisecond they still sort in the order of the
 * calls. Free with g_free. */
char *ulid_new (gint64 wall_us);

/* The ULID of that time whose other 80 bits are `rest`: for things that have a number already. Free with g_free. */
char *ulid_of (gint64 wall_us, const guint8 rest[10]);

gboolean ulid_is_valid (const char *text);

/* [A-Za-z0-9][A-Za-z0-9._-]{0,63} */
gboolean site_id_is_valid (const char *text);

/* Hex of SHA-256; free with g_free. */
char *sha256_hex (const void *bytes, gsize size);

/* `bytes` random bytes of the kernel as hex; free with g_free. For secrets, nonces and link-local names. */
char *random_hex (gsize bytes);
