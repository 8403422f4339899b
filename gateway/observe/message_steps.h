/* message_steps.h: the steps from a message to a sensor's observations, the same for what is stored (store_message.c) and for replays
 * (interpret.c): repeated payloads, decoding, repeated messages, the device's clock, units and quality, deadband.
 *
 * thread: the one that owns the input. */
#pragma once

#include "gateway/model/decoder.h"
#include "gateway/observe/routes.h"

/* How a message ended for a sensor. */
typedef enum { OUTCOME_STORED, OUTCOME_REJECTED, OUTCOME_DROPPED } OutcomeKind;

/* Who takes what the steps come to. FALSE with an error ends them. */
typedef struct {
  gpointer self;
  gboolean (*decoded) (gpointer self, const SensorInput *input, const Decoded *decoded, GError **error);
  void (*will_filter) (gpointer self, SensorInput *input); /* before its filter changes; NULL: nobody wants to know */
  gboolean (*observed) (gpointer self, Observation *observation, GError **error); /* takes the observation over, in any case */
} MessageSteps;

/* `hash` is the message's (raw_message_hash); `decoded` is overwritten. `*reason` is NULL when anything was observed, else why
 * nothing was (static). */
gboolean message_steps_take (const MessageSteps *steps, SensorInput *input, const RawMessage *message, guint64 hash,
                             Decoded *decoded, OutcomeKind *kind, const char **reason, GError **error);
