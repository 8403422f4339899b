/* sensing_child.c: the sensor path alone, as a process that a test can kill: sensing_child DATA_DIR BROKER_URL PROTOCOL QOS.
 *
 * One durable sensor "counter" of format value on topic village/counter, with rules whose states
 * each message changes: above and below 0, three times above, changed, risen. */
#include <stdio.h>
#include <stdlib.h>

#include "adapters/brokers/mqtt_broker.h"
#include "adapters/decoders/decoders.h"
#include "gateway/alert/alert_engine.h"
#include "gateway/core/log.h"
#include "gateway/observe/observe.h"
#include "tests/unit/sensing/sensing_site.h"

static gboolean observed (gpointer self, Database *database, const Observation *observation, GError **error)
{
  return alert_engine_observe (self, database, observation, error);
}

static Site *counter_site (const char *url, int protocol, int qos)
{
  Site *site = test_site_new ();
  Broker *broker = test_site_add_broker (site, "village", url);
  broker->protocol = protocol;
  broker->qos = qos;
  Sensor *sensor = test_site_add_sensor (site, "counter");
  g_free (sensor->format);
  sensor->format = g_strdup ("value");
  test_site_add_rule (site, "flips", 0, 0, 0);
  Rule *thirds = test_site_add_rule (site, "thirds", 0, 0, 0);
  thirds->when.count = 3;
  thirds->when.comparison.within_us = G_TIME_SPAN_HOUR;
  Rule *changes = test_site_add_rule (site, "changes", 0, 0, 0);
  comparison_init (&changes->when.comparison);
  changes->when.comparison.changed = TRUE;
  Rule *climbs = test_site_add_rule (site, "climbs", 0, 0, 0);
  comparison_init (&climbs->when.comparison);
  climbs->when.comparison.rise = 0.5;
  climbs->when.comparison.within_us = G_TIME_SPAN_HOUR;
  site_publish (site);
  return site;
}

int main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  log_open ("sensing_child");
  if (argc != 5)
    return 1;
  Site *site = counter_site (argv[2], atoi (argv[3]), atoi (argv[4]));
  Store *store = store_open (argv[1], clock_system (), &error);
  AlertEngine *engine = store != NULL ? alert_engine_new (store, NULL, NULL, &error) : NULL;
  ObservationSink sink = { engine, observed };
  Observe *observe = engine != NULL
                       ? observe_new (store, NULL, decoder_find, &mqtt_broker_port, &sink, &error) : NULL;
  if (observe == NULL || !alert_engine_set_site (engine, site, &error) || !observe_set_site (observe, site, &error)) {
    log_error ("%s", error->message);
    return 1;
  }
  getchar (); /* until the test kills it or closes its input */
  observe_stop (observe);
  store_close (store);
  observe_free (observe);
  alert_engine_free (engine);
  site_unref (site);
  return 0;
}
