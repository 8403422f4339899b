/* sim_receiver.h: a simulated agency's webhook end: checks the Standard Webhooks signature and says what arrived.
 *
 * thread: the main thread; requests are handled on a thread of its own. */
#pragma once

#include <glib.h>

#include "pipelines/sim/site_script.h"

typedef struct SimReceiver SimReceiver;

typedef struct {
  guint64 accepted, repeated; /* repeated: of these, with an id that came before */
  guint64 refused;            /* wrong signature, no CloudEvent, … */
  guint64 failed;             /* as it was told to */
} ReceiverCounts;

/* Listens on 127.0.0.1. `script` outlives it. */
SimReceiver *sim_receiver_new (const ReceiverScript *script, GError **error);

int sim_receiver_port (const SimReceiver *receiver);

/* The next `count` requests get the HTTP `status`. */
void sim_receiver_fail (SimReceiver *receiver, guint count, int status);

ReceiverCounts sim_receiver_counts (SimReceiver *receiver);

void sim_receiver_free (SimReceiver *receiver);

/* "v1,BASE64" of HMAC-SHA256 over ID.TIMESTAMP.BODY (standardwebhooks.com). `secret` is "whsec_BASE64", or the bytes
 * themselves. Free with g_free. */
char *webhook_signature (const char *secret, const char *id, const char *timestamp, const void *body, gsize size);
