#include "gateway/observe/intake.h"

#include "gateway/observe/discovered.h"

struct Intake {
  GMutex mutex;
  GQueue waiting; /* of Pending */
  guint capacity;
  gsize bytes, capacity_bytes;
  gboolean has_refused;
};

static gboolean wants_durable (const RawMessage *message, const Site *site, const GPtrArray *inputs)
{
  if (inputs->len == 0 && message->qos > 0) {
    const Sensor *template = site_template (site, message->broker, message->topic);
    return template != NULL && template->durable;
  }
  for (guint i = 0; message->qos > 0 && i < inputs->len; i++)
    if (((const SensorInput *) inputs->pdata[i])->sensor->durable)
      return TRUE;
  return FALSE;
}

Pending *pending_new (RawMessage *message, Routes *routes)
{
  Pending *pending = g_new0 (Pending, 1);
  pending->message = raw_message_ref (message);
  pending->routes = routes_ref (routes);
  pending->inputs = routes_find (routes, message->broker, message->topic);
  pending->is_durable = wants_durable (message, routes_site (routes), pending->inputs);
  return pending;
}

void pending_free (Pending *pending)
{
  if (pending == NULL)
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

gboolean intake_has_room (Intake *intake, const Pending *pending)
{
  g_mutex_lock (&intake->mutex);
  gboolean is_room = has_room (intake, raw_message_bytes (pending->message));
  intake->has_refused |= !is_room;
  g_mutex_unlock (&intake->mutex);
  return is_room;
}

gboolean intake_put (Intake *intake, Pending *pending)
{
  gsize bytes = raw_message_bytes (pending->message);
  g_mutex_lock (&intake->mutex);
  gboolean is_taken = pending->is_durable || has_room (intake, bytes);
  if (is_taken) {
    g_queue_push_tail (&intake->waiting, pending);
    intake->bytes += bytes;
  }
  g_mutex_unlock (&intake->mutex);
  return is_taken;
}

gboolean intake_take (Intake *intake, GPtrArray *batch, guint count)
{
  guint before = batch->len;
  g_mutex_lock (&intake->mutex);
  while (batch->len < count && intake->waiting.length > 0) {
    Pending *pending = g_queue_pop_head (&intake->waiting);
    intake->bytes -= raw_message_bytes (pending->message);
    g_ptr_array_add (batch, pending);
  }
  gboolean is_news = intake->has_refused && batch->len > before;
  intake->has_refused &= !is_news;
  g_mutex_unlock (&intake->mutex);
  return is_news;
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
  g_queue_clear_full (&intake->waiting, (GDestroyNotify) pending_free);
  g_mutex_clear (&intake->mutex);
  g_free (intake);
}
