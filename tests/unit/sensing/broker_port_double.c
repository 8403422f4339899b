#include "tests/unit/sensing/broker_port_double.h"

#include "tests/support/test.h"

TestBroker test_broker;

static BrokerConnection *double_open (const Broker *settings, const char *client_id, const BrokerHandlers *handlers)
{
  assert_string_equal (settings->id, "village");
  assert_string_equal (client_id, "gridgate-test-village");
  test_broker.handlers = *handlers;
  return (BrokerConnection *) &test_broker;
}

static void double_subscribe (BrokerConnection *connection, const char *const *filters)
{
  (void) connection;
  g_free (test_broker.subscribed);
  test_broker.subscribed = g_strjoinv (" ", (GStrv) filters);
}

static void double_forget (BrokerConnection *connection, const char *filter)
{
  (void) connection, (void) filter;
}

static void double_publish (BrokerConnection *connection, const char *topic, GBytes *payload)
{
  (void) connection, (void) payload;
  g_free (test_broker.published);
  test_broker.published = g_strdup (topic);
}

static void double_acknowledge (BrokerConnection *connection, guint64 receipt)
{
  (void) connection;
  if (test_broker.before_acknowledgement != NULL)
    test_broker.before_acknowledgement ();
  g_atomic_int_set (&test_broker.acknowledged, (gint) receipt);
}

static void double_resume (BrokerConnection *connection)
{
  (void) connection;
  g_atomic_int_inc (&test_broker.resumed);
}

static void double_status (BrokerConnection *connection, BrokerStatus *status)
{
  (void) connection;
  *status = (BrokerStatus){ .state = BROKER_CONNECTED, .since_us = 1777622400000000 }; /* 2026-05-01T08:00:00Z */
}

static void double_close (BrokerConnection *connection)
{
  (void) connection;
  g_clear_pointer (&test_broker.subscribed, g_free);
}

const BrokerPort test_broker_port = {
  double_open, double_subscribe, double_forget, double_publish, double_acknowledge, double_resume, double_status, double_close,
};
