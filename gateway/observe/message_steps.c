#include "gateway/observe/message_steps.h"

#include "gateway/observe/account.h"

static void decode (SensorInput *input, const RawMessage *message, Decoded *decoded)
{
  gsize size;
  const guint8 *payload = g_bytes_get_data (message->payload, &size);
  decoded_reset (decoded);
  EncodedMessage encoded = { message->topic, payload != NULL ? payload : (const guint8 *) "", size,
                             message->receive_time_us, message->is_retained };
  input->decoder->decode (input->prepared, &encoded, decoded);
}

/* By the device's own number of the message, and by its contents where the sensor's `duplicate_window` says so. */
static gboolean is_repeated (const Decoded *decoded, SensorInput *input, const RawMessage *message, guint64 hash)
{
  gint64 window_us = input->sensor->duplicate_window_us, at = message->receive_time_us;
  if (decoded->identity != 0)
    return filter_is_repeated (&input->filter, decoded->identity, at, MAX (window_us, FILTER_IDENTITY_US));
  return window_us > 0 && filter_is_repeated (&input->filter, hash, at, window_us);
}

/* Gives out what is news of the readings. */
static gboolean observe_readings (const MessageSteps *steps, SensorInput *input, const RawMessage *message,
                                  const GArray *readings, const char **reason, GError **error)
{
  gboolean is_observed = FALSE;
  *reason = readings->len == 0 ? REASON_NO_READING : NULL;
  device_clock_watch (&input->clock, readings, message->receive_time_us);
  for (guint i = 0; i < readings->len; i++) {
    const Reading *reading = &g_array_index (readings, Reading, i);
    g_autoptr (Observation) observation = normalise (input->sensor, &input->clock, message, reading);
    const char *not_news = filter_reason (&input->filter, input->sensor, reading->metric, observation);
    if (not_news != NULL) {
      *reason = *reason != NULL ? *reason : not_news;
      continue;
    }
    if (!steps->observed (steps->self, g_steal_pointer (&observation), error))
      return FALSE;
    is_observed = TRUE;
  }
  if (is_observed)
    *reason = NULL;
  return TRUE;
}

gboolean message_steps_take (const MessageSteps *steps, SensorInput *input, const RawMessage *message, guint64 hash,
                             Decoded *decoded, OutcomeKind *kind, const char **reason, GError **error)
{
  *kind = OUTCOME_DROPPED;
  *reason = REASON_DUPLICATE;
  if (message->is_retained && input->has_last_hash && input->last_hash == hash)
    return TRUE;
  decode (input, message, decoded);
  if (!steps->decoded (steps->self, input, decoded, error))
    return FALSE;
  if (decoded->readings->len == 0 && decoded->reason != NULL) {
    *kind = OUTCOME_REJECTED;
    *reason = decoded->reason;
    return TRUE;
  }
  if (steps->will_filter != NULL)
    steps->will_filter (steps->self, input);
  if (is_repeated (decoded, input, message, hash))
    return TRUE;
  input->last_hash = hash;
  input->has_last_hash = input->is_hash_unwritten = TRUE;
  if (!observe_readings (steps, input, message, decoded->readings, reason, error))
    return FALSE;
  *kind = *reason == NULL ? OUTCOME_STORED : OUTCOME_DROPPED;
  return TRUE;
}
