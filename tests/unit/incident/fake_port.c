#include "tests/unit/incident/fake_port.h"

struct FakePort {
  GMutex mutex;
  GCond changed;
  DeliverySink sink;
  gboolean is_held;
  GPtrArray *deliveries; /* of FakeDelivery */
};

static void delivery_free (gpointer data)
{
  FakeDelivery *delivery = data;
  g_free (delivery->kind);
  g_free (delivery->event);
  g_free (delivery->payload);
  g_free (delivery);
}

static gboolean port_open (gpointer self, const DeliverySink *sink, GError **error)
{
  (void) error;
  ((FakePort *) self)->sink = *sink;
  return TRUE;
}

static gboolean port_deliver (gpointer self, const char *kind, const char *event, const char *payload)
{
  FakePort *port = self;
  FakeDelivery *delivery = g_new0 (FakeDelivery, 1);
  delivery->kind = g_strdup (kind);
  delivery->event = g_strdup (event);
  delivery->payload = g_strdup (payload);
  g_mutex_lock (&port->mutex);
  gboolean is_held = port->is_held;
  g_ptr_array_add (port->deliveries, delivery);
  g_cond_broadcast (&port->changed);
  g_mutex_unlock (&port->mutex);
  if (!is_held)
    port->sink.completed (port->sink.data, event, DELIVERY_DONE, 0, NULL);
  return TRUE;
}

static void port_nothing (gpointer self)
{
  (void) self;
}

FakePort *fake_port_new (void)
{
  FakePort *port = g_new0 (FakePort, 1);
  g_mutex_init (&port->mutex);
  g_cond_init (&port->changed);
  port->deliveries = g_ptr_array_new_with_free_func (delivery_free);
  return port;
}

DeliveryPort fake_port_port (FakePort *port)
{
  static const DeliveryOperations operations
    = { port_open, port_deliver, NULL, NULL, port_nothing, port_nothing, port_nothing };
  return (DeliveryPort) { &operations, port };
}

void fake_port_set_ready (FakePort *port, gboolean is_ready)
{
  port->sink.ready (port->sink.data, is_ready);
}

void fake_port_hold (FakePort *port, gboolean is_held)
{
  g_mutex_lock (&port->mutex);
  port->is_held = is_held;
  g_mutex_unlock (&port->mutex);
}

void fake_port_wait (FakePort *port, guint count)
{
  gint64 until_us = g_get_monotonic_time () + 10 * G_TIME_SPAN_SECOND;
  g_mutex_lock (&port->mutex);
  while (port->deliveries->len < count)
    if (!g_cond_wait_until (&port->changed, &port->mutex, until_us))
      g_error ("%u deliveries came, %u were expected", port->deliveries->len, count);
  g_mutex_unlock (&port->mutex);
}

guint fake_port_count (FakePort *port)
{
  g_mutex_lock (&port->mutex);
  guint count = port->deliveries->len;
  g_mutex_unlock (&port->mutex);
  return count;
}

const FakeDelivery *fake_port_at (FakePort *port, guint index)
{
  g_mutex_lock (&port->mutex);
  const FakeDelivery *delivery = port->deliveries->pdata[index];
  g_mutex_unlock (&port->mutex);
  return delivery;
}

void fake_port_complete (FakePort *port, const char *event, DeliveryOutcome outcome)
{
  port->sink.completed (port->sink.data, event, outcome, 0, NULL);
}

void fake_port_free (FakePort *port)
{
  g_ptr_array_unref (port->deliveries);
  g_cond_clear (&port->changed);
  g_mutex_clear (&port->mutex);
  g_free (port);
}
