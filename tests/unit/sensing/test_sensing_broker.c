/* The sensor path with a real broker: a Sparkplug node that is asked for its births, and a thousand sensors at once. */
#include <string.h>

#include "adapters/brokers/mqtt_broker.h"
#include "adapters/decoders/decoders.h"
#include "gateway/observe/observe.h"
#include "tests/support/folder.h"
#include "tests/support/mosquitto.h"
#include "tests/support/test.h"
#include "tests/unit/sensing/sensing_site.h"

enum { WATCHDOG_SECONDS = 60, SENSORS = 1000 };

static const char *const retained[] = { "-q", "1", "-r", NULL };

/* What the node hears. */
typedef struct {
  GMutex mutex;
  GCond changed;
  GPtrArray *topics;
} Node;

static BrokerAnswer received (gpointer self, RawMessage *message)
{
  Node *node = self;
  g_mutex_lock (&node->mutex);
  g_ptr_array_add (node->topics, g_strdup (message->topic));
  g_cond_broadcast (&node->changed);
  g_mutex_unlock (&node->mutex);
  return BROKER_TAKEN;
}

static void changed (gpointer self, const char *broker, const BrokerStatus *status)
{
  (void) self, (void) broker, (void) status;
}

static void wait_for_topic (Node *node, const char *topic)
{
  gint64 until = g_get_monotonic_time () + WATCHDOG_SECONDS * G_USEC_PER_SEC;
  gboolean in_time = TRUE;
  g_mutex_lock (&node->mutex);
  while (in_time && !g_ptr_array_find_with_equal_func (node->topics, topic, g_str_equal, NULL))
    in_time = g_cond_wait_until (&node->changed, &node->mutex, until);
  g_mutex_unlock (&node->mutex);
  assert_true (in_time);
}

typedef struct {
  Store *store;
  Observe *observe;
  Site *site;
} Gateway;

static void gateway_start (Gateway *gateway, const char *folder, Site *site)
{
  gateway->site = site;
  site_publish (site);
  gateway->store = store_open (folder, clock_system (), NULL);
  assert_non_null (gateway->store);
  gateway->observe = observe_new (gateway->store, NULL, decoder_find, &mqtt_broker_port, NULL, NULL);
  assert_non_null (gateway->observe);
  assert_true (observe_set_site (gateway->observe, site, NULL));
}

static void gateway_stop (Gateway *gateway)
{
  observe_stop (gateway->observe);
  store_close (gateway->store);
  observe_free (gateway->observe);
  site_unref (gateway->site);
}

static void a_node_that_was_born_before_us_is_asked_for_its_births (void **state)
{
  g_autoptr (Mosquitto) mosquitto = mosquitto_start (*state, NULL);
  Node node = { .topics = g_ptr_array_new_with_free_func (g_free) };
  Broker settings = { .id = (char *) "village", .url = (char *) mosquitto_url (mosquitto), .protocol = 4, .qos = 1 };
  BrokerHandlers handlers = { &node, received, NULL, changed };
  const char *filters[] = { "spBv1.0/shimiao/NCMD/#", NULL };
  BrokerConnection *connection = mqtt_broker_port.open (&settings, "station", &handlers);
  mqtt_broker_port.subscribe (connection, filters);
  mosquitto_publish (mosquitto, "spBv1.0/shimiao/NCMD/ready", "subscribed", retained);
  wait_for_topic (&node, "spBv1.0/shimiao/NCMD/ready");

  Site *site = test_site_new ();
  Sensor *sensor = test_site_add_sensor (site, "station");
  g_free (sensor->format);
  g_free (sensor->topic);
  sensor->format = g_strdup ("sparkplug");
  sensor->topic = g_strdup ("spBv1.0/shimiao/+/station/#");
  test_site_add_broker (site, "village", mosquitto_url (mosquitto));
  mosquitto_publish (mosquitto, "spBv1.0/shimiao/NDATA/station", "\x18\x05", retained); /* seq 5, and no metrics */
  Gateway gateway;
  gateway_start (&gateway, *state, site);
  wait_for_topic (&node, "spBv1.0/shimiao/NCMD/station");
  gateway_stop (&gateway);
  mqtt_broker_port.close (connection);
  g_ptr_array_unref (node.topics);
}

static gint64 stored (Observe *observe)
{
  json_t *accounting = observe_accounting_json (observe);
  json_t *broker = json_array_get (json_object_get (accounting, "brokers"), 0);
  gint64 count = (gint64) json_integer_value (json_object_get (broker, "stored"));
  json_decref (accounting);
  return count;
}

static void a_thousand_sensors_are_subscribed_to_and_heard (void **state)
{
  g_autoptr (Mosquitto) mosquitto = mosquitto_start (*state, NULL);
  static const int heard[] = { 0, 499, SENSORS - 1 };
  Site *site = test_site_new ();
  for (int i = 0; i < SENSORS; i++) {
    g_autofree char *id = g_strdup_printf ("level-%d", i);
    test_site_add_sensor (site, id);
  }
  test_site_add_broker (site, "village", mosquitto_url (mosquitto));
  for (guint i = 0; i < G_N_ELEMENTS (heard); i++) {
    g_autofree char *topic = g_strdup_printf ("village/level-%d", heard[i]);
    mosquitto_publish (mosquitto, topic, "{\"level\":3.25}", retained);
  }
  Gateway gateway;
  gateway_start (&gateway, *state, site);
  gint64 until = g_get_monotonic_time () + WATCHDOG_SECONDS * G_USEC_PER_SEC;
  while (stored (gateway.observe) < (gint64) G_N_ELEMENTS (heard) && g_get_monotonic_time () < until)
    g_thread_yield ();
  assert_int_equal (stored (gateway.observe), G_N_ELEMENTS (heard));
  gateway_stop (&gateway);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_node_that_was_born_before_us_is_asked_for_its_births, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (a_thousand_sensors_are_subscribed_to_and_heard, folder_setup, folder_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
