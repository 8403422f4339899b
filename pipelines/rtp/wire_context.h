/* wire_context.h: whom a TLS connection trusts, or as whom it presents itself.
 *
 * thread: any; shared by reference. Making one reads files. */
#pragma once

#include <glib.h>

enum { WIRE_FINGERPRINT_BYTES = 32 };

typedef struct WireContext WireContext;

/* SHA-256 as 64 hex digits, with or without colons, in either case. */
gboolean wire_fingerprint_read (const char *text, guint8 fingerprint[WIRE_FINGERPRINT_BYTES]);

/* A client that trusts the certificate of this SHA-256 fingerprint and no other, whoever made it out, to whatever name and
 * for whatever time; or, when that is NULL, those made out to the host's name by an authority in `ca_file` (PEM; NULL: by
 * one that the system trusts). */
WireContext *wire_context_new_client (const char *ca_file, const char *fingerprint, GError **error);

/* A server with this certificate (PEM, its chain behind it) and its key. */
WireContext *wire_context_new_server (const char *cert_file, const char *key_file, GError **error);

WireContext *wire_context_ref (WireContext *context);
void wire_context_unref (WireContext *context); /* NULL is taken */
