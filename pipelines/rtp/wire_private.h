/* wire_private.h: what wire.c and wire_context.c share. */
#pragma once

#include <openssl/ssl.h>

#include "pipelines/rtp/wire.h"

struct WireContext {
  gatomicrefcount references;
  SSL_CTX *ssl;
  gboolean is_pinned;
  guint8 fingerprint[WIRE_FINGERPRINT_BYTES];
};

struct WireTls {
  SSL *ssl;
  WireContext *context;
  char *host; /* NULL as a server */
  gboolean is_committed;
  guint8 seen_fingerprint[WIRE_FINGERPRINT_BYTES]; /* that wasn't the pinned one */
  char *problem;
};

/* What SSL's queue of errors says; empties it. */
const char *wire_ssl_problem (char *text, gsize size);
