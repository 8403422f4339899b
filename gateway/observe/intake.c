#include "gateway/observe/intake.h"

struct Intake {
  GMutex mutex;
  GCond changed; /* something was taken or released */
  GQueue waiting; /* of Pending */
  guint capacity;
  gsize bytes, capacity_bytes;
};

static gboolean wants_durable (const RawMessage *message, const GPtrArray *inputs)
{
  for (guint i = 0; message->qos > 0 && i < inputs->len; i++)
    if (((const SensorInput *) inputs->pdata[i])->sensor->durable)
      return TRUE;
  return FALSE;
}

Pending *pending_new (RawMessage *message, Routes *routes)
{
  Pending *pending = g_new0 (Pending, 1);
  pending->references = 1;
  pending->message = raw_message_ref (message);
  pending->routes = routes_ref (routes);
  pending->inputs = routes_find (routes, message->broker, message->topic);
  pending->is_durable = wants_durable (message, pending->inputs);
  return pending;
}

void pending_unref (Pending *pending)
{
  if (pending == NULL || !g_atomic_int_dec_and_test (&pending->references))
    return;
  g_ptr_array_unref (pending->inputs);
  routes_unref (pending->routes);
  raw_message_unref (pending->message);
  g_free (pending);
}

Intake *intake_new (guint capacity, gsize capacity_bytes)
{
  Intake *intake = g_new0 (Intake, 1);
  g_mutex_init (&intake->mutex);
  g_cond_init (&intake->changed);
  g_queue_init (&intake->waiting);
  intake->capacity = capacity;
  intake->capacity_bytes = capacity_bytes;
  return intake;
}

static gboolean has_room (const Intake *intake, gsize bytes)
{
  return intake->waiting.length == 0
         || (intake->waiting.length < intake->capacity && intake->bytes + bytes <= intake->capacity_bytes);
}

gboolean intake_put (Intake *intake, Pending *pending, gint64 wait_us)
{
  gsize bytes = raw_message_bytes (pending->message);
  gint64 until = g_get_monotonic_time () + wait_us;
  g_mutex_lock (&intake->mutex);
  while (!has_room (intake, bytes) && wait_us > 0 && g_cond_wait_until (&intake->changed, &intake->mutex, until))
    ;
  gboolean taken = has_room (intake, bytes);
  if (taken) {
    g_atomic_int_inc (&pending->references);
    g_queue_push_tail (&intake->waiting, pending);
    intake->bytes += bytes;
  }
  g_mutex_unlock (&intake->mutex);
  return taken;
}

Pending *intake_take (Intake *intake)
{
  g_mutex_lock (&intake->mutex);
  Pending *pending = g_queue_pop_head (&intake->waiting);
  if (pending != NULL) {
    intake->bytes -= raw_message_bytes (pending->message);
    g_cond_broadcast (&intake->changed);
  }
  g_mutex_unlock (&intake->mutex);
  return pending;
}

void intake_release (Intake *intake, Pending *pending)
{
  g_mutex_lock (&intake->mutex);
  pending->is_released = TRUE;
  g_cond_broadcast (&intake->changed);
  g_mutex_unlock (&intake->mutex);
}

gboolean intake_wait (Intake *intake, Pending *pending, gint64 wait_us)
{
  gint64 until = g_get_monotonic_time () + wait_us;
  g_mutex_lock (&intake->mutex);
  while (!pending->is_released && g_cond_wait_until (&intake->changed, &intake->mutex, until))
    ;
  gboolean is_released = pending->is_released;
  g_mutex_unlock (&intake->mutex);
  return is_released;
}

guint intake_length (Intake *intake)
{
  g_mutex_lock (&intake->mutex);
  guint length = intake->waiting.length;
  g_mutex_unlock (&intake->mutex);
  return length;
}

void intake_free (Intake *intake)
{
  if (intake == NULL)
    return;
  g_queue_clear_full (&intake->waiting, (GDestroyNotify) pending_unref);
  g_cond_clear (&intake->changed);
  g_mutex_clear (&intake->mutex);
  g_free (intake);
}
