/* observe_views.c: what people are shown of brokers and sensors. */
#include <string.h>

#include "gateway/observe/observe_private.h"

static json_t *describe_broker (Observe *observe, const Site *site, const Broker *broker)
{
  json_t *object = json_pack ("{s:s}", "id", broker->id);
  json_t *sensors = json_array ();
  observe_describe_connection (observe, broker->id, object);
  account_describe (observe->accounts, broker->id, "", object);
  broker_losses_describe (observe->losses, broker->id, object);
  for (guint i = 0; i < site->sensors->len; i++) {
    const Sensor *sensor = site->sensors->pdata[i];
    if (strcmp (sensor->broker, broker->id) != 0)
      continue;
    json_t *one = json_pack ("{s:s}", "id", sensor->id);
    account_describe (observe->accounts, broker->id, sensor->id, one);
    json_array_append_new (sensors, one);
  }
  json_object_set_new (object, "sensors", sensors);
  json_object_set_new (object, "templates", templates_describe (site, broker->id));
  return object;
}

json_t *observe_accounting_json (Observe *observe)
{
  json_t *brokers = json_array ();
  g_autoptr (Routes) routes = observe_routes (observe);
  if (routes != NULL) {
    const Site *site = routes_site (routes);
    for (guint i = 0; i < site->brokers->len; i++)
      json_array_append_new (brokers, describe_broker (observe, site, site->brokers->pdata[i]));
  }
  return json_pack ("{s:o}", "brokers", brokers);
}

json_t *observe_sensor_json (Observe *observe, const char *sensor)
{
  g_autoptr (Routes) routes = observe_routes (observe);
  const SensorInput *input = routes != NULL ? routes_input (routes, sensor) : NULL;
  if (input == NULL)
    return NULL;
  json_t *object = last_values_describe (observe->last_values, input->sensor);
  json_object_set_new (object, "device_clock", device_clock_to_json (&input->clock, input->sensor->clock));
  return object;
}
