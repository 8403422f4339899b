/* store_message.c: the store's thread's part: the messages of a batch become observations on disk, or are refused, and how each ended is
 * noted. */
#include "gateway/core/log.h"
#include "gateway/observe/message_steps.h"
#include "gateway/observe/observe_private.h"

/* A message on its way to the disk. */
typedef struct {
  Observe *observe;
  const Pending *pending;
  guint marks; /* of what is stored next */
} Storing;

static void note (Observe *observe, const Pending *pending, const char *sensor, OutcomeKind kind, const char *reason)
{
  Outcome outcome = { pending->message->broker, sensor, kind, reason };
  g_array_append_val (observe->outcomes, outcome);
}

static void note_for_all (Observe *observe, const Pending *pending, OutcomeKind kind, const char *reason)
{
  note (observe, pending, "", kind, reason);
  for (guint i = 0; i < pending->inputs->len; i++)
    note (observe, pending, ((const SensorInput *) pending->inputs->pdata[i])->sensor->id, kind, reason);
}

static Deliveries *deliveries_of (Observe *observe, const char *broker)
{
  Deliveries *deliveries = g_hash_table_lookup (observe->deliveries, broker);
  if (deliveries == NULL) {
    deliveries = g_new0 (Deliveries, 1);
    observation_files_deliveries (observe->files, broker, deliveries);
    g_hash_table_insert (observe->deliveries, g_strdup (broker), deliveries);
  }
  return deliveries;
}

/* Sent again, with the packet's number and the contents of one that is stored: its acknowledgement was lost. */
static gboolean is_delivered (const Deliveries *deliveries, const RawMessage *message, guint64 hash)
{
  for (guint i = 0; i < DELIVERIES_KEPT; i++)
    if (deliveries->packet_id[i] == message->packet_id && deliveries->hash[i] == hash)
      return TRUE;
  return FALSE;
}

static void add_delivery (Deliveries *deliveries, const RawMessage *message, guint64 hash)
{
  deliveries->packet_id[deliveries->next] = message->packet_id;
  deliveries->hash[deliveries->next] = hash;
  deliveries->next = (deliveries->next + 1) % DELIVERIES_KEPT;
}

static gboolean reject (Observe *observe, const Pending *pending, const char *sensor, const char *reason,
                        const char *detail, GError **error)
{
  log_limited (LOG_LEVEL_WARNING, "sensor %s: %s, topic %s: %s", sensor != NULL ? sensor : "(none)", reason,
               pending->message->topic, detail != NULL ? detail : "nobody has configured it");
  return observation_files_reject (observe->files, pending->message, sensor, reason, detail, error);
}

/* Keeps the filter and the last hash as they were before this batch, which may have to be done again. */
static void keep_filter (gpointer self, SensorInput *input)
{
  Observe *observe = ((Storing *) self)->observe;
  if (input->filter_before != NULL)
    return;
  input->filter_before = g_new0 (Filter, 1);
  filter_init (input->filter_before, input->sensor);
  filter_copy (&input->filter, input->filter_before, input->sensor);
  input->had_last_hash = input->has_last_hash;
  input->last_hash_before = input->last_hash;
  input->was_hash_unwritten = input->is_hash_unwritten;
  g_ptr_array_add (observe->touched, input);
}

static void take_back (SensorInput *input)
{
  filter_copy (input->filter_before, &input->filter, input->sensor);
  input->has_last_hash = input->had_last_hash;
  input->last_hash = input->last_hash_before;
  input->is_hash_unwritten = input->was_hash_unwritten;
}

void observe_settle_filters (Observe *observe, gboolean is_stored)
{
  for (guint i = 0; i < observe->touched->len; i++) {
    SensorInput *input = observe->touched->pdata[i];
    if (!is_stored)
      take_back (input);
    filter_clear (input->filter_before);
    g_clear_pointer (&input->filter_before, g_free);
  }
  g_ptr_array_set_size (observe->touched, 0);
}

static gboolean note_decoded (gpointer self, const SensorInput *input, const Decoded *decoded, GError **error)
{
  const Storing *storing = self;
  if (decoded->request != NULL)
    observe_request (storing->observe, storing->pending->message->broker, decoded->request_topic, decoded->request);
  return decoded->reason == NULL
         || reject (storing->observe, storing->pending, input->sensor->id, decoded->reason, decoded->detail, error);
}

static gboolean store_observation (gpointer self, Observation *observation, GError **error)
{
  Storing *storing = self;
  g_autoptr (Observation) owned = observation;
  if (!observation_files_add (storing->observe->files, observation, storing->marks, error))
    return FALSE;
  storing->marks = 0;
  g_ptr_array_add (storing->observe->fresh, g_steal_pointer (&owned));
  return TRUE;
}

static gboolean store_for_all (Observe *observe, const Pending *pending, guint64 hash, GError **error)
{
  Storing storing = { observe, pending, FIRST_OF_MESSAGE };
  const MessageSteps steps = { &storing, note_decoded, keep_filter, store_observation };
  OutcomeKind kind, whole = OUTCOME_DROPPED;
  const char *reason, *first_reason = NULL;
  for (guint i = 0; i < pending->inputs->len; i++) {
    SensorInput *input = pending->inputs->pdata[i];
    storing.marks = (storing.marks & FIRST_OF_MESSAGE) | FIRST_OF_SENSOR;
    if (!message_steps_take (&steps, input, pending->message, hash, observe->decoded, &kind, &reason, error))
      return FALSE;
    note (observe, pending, input->sensor->id, kind, reason);
    if (kind == OUTCOME_STORED || (whole != OUTCOME_STORED && first_reason == NULL))
      whole = kind;
    first_reason = first_reason != NULL ? first_reason : reason;
  }
  note (observe, pending, "", whole, whole == OUTCOME_STORED ? NULL : first_reason);
  return TRUE;
}

static gboolean store_message (Observe *observe, const Pending *pending, GError **error)
{
  const RawMessage *message = pending->message;
  guint64 hash = raw_message_hash (message);
  if (message->qos > 0) {
    Deliveries *deliveries = deliveries_of (observe, message->broker);
    if (message->is_redelivery && is_delivered (deliveries, message, hash)) {
      note_for_all (observe, pending, OUTCOME_DROPPED, REASON_DUPLICATE);
      return TRUE;
    }
    add_delivery (deliveries, message, hash);
  }
  if (pending->inputs->len == 0 && pending->refusal != NULL) {
    note (observe, pending, "", OUTCOME_REJECTED, pending->refusal);
    return reject (observe, pending, NULL, pending->refusal, "a template takes its topic, but makes no sensor of it", error);
  }
  if (pending->inputs->len == 0) {
    note (observe, pending, "", OUTCOME_REJECTED, REASON_UNKNOWN_TOPIC);
    observe_forget_topic (observe, message->broker, message->topic);
    return reject (observe, pending, NULL, REASON_UNKNOWN_TOPIC, NULL, error);
  }
  if (message->payload_size > RAW_PAYLOAD_MAX) {
    const SensorInput *input = pending->inputs->pdata[0];
    g_autofree char *detail = g_strdup_printf ("%" G_GSIZE_FORMAT " bytes, at most %d are taken", message->payload_size,
                                               RAW_PAYLOAD_MAX);
    note_for_all (observe, pending, OUTCOME_REJECTED, REASON_TOO_LARGE);
    return reject (observe, pending, input->sensor->id, REASON_TOO_LARGE, detail, error);
  }
  return store_for_all (observe, pending, hash, error);
}

static gboolean keep_deliveries (Observe *observe, GError **error)
{
  GHashTableIter iter;
  gpointer broker, deliveries;
  g_hash_table_iter_init (&iter, observe->deliveries);
  while (g_hash_table_iter_next (&iter, &broker, &deliveries))
    if (!observation_files_keep_deliveries (observe->files, broker, deliveries, error))
      return FALSE;
  return TRUE;
}

gboolean observe_store_batch (Observe *observe, GError **error)
{
  if (!observation_files_begin (observe->files, clock_wall_us (observe->clock), error))
    return FALSE;
  for (guint i = 0; i < observe->batch->len; i++)
    if (!store_message (observe, observe->batch->pdata[i], error))
      return FALSE;
  return keep_deliveries (observe, error) && observation_files_commit (observe->files, error);
}
