/* password.h: people's passwords, kept as Argon2id hashes.
 *
 * thread: any. Hashing takes 64 MiB and a tenth of a second or so; one runs at a time, so that a flood of logins costs no
 * more memory than that. */
#pragma once

#include <glib.h>

enum { PASSWORD_LENGTH_MIN = 8, PASSWORD_LENGTH_MAX = 256 };

/* At least eight characters of two kinds (letters, digits, others), not the name itself (GB/T 22239-2019 8.1.4.1 a). */
gboolean password_is_acceptable (const char *name, const char *password, GError **error);

/* libsodium's string form, with its own salt and limits inside; free with g_free. NULL when there is no memory. */
char *password_hash (const char *password, GError **error);

/* `hash` NULL stands for a name that doesn't exist: it takes as long, and is FALSE. */
gboolean password_verify (const char *hash, const char *password);
