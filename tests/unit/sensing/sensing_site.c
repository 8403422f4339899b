#include "tests/unit/sensing/sensing_site.h"

Site *test_site_new (void)
{
  Site *site = site_new ();
  site->gateway.id = g_strdup ("test");
  site->gateway.division = g_strdup ("6211");
  Grid *grid = g_new0 (Grid, 1);
  grid->id = g_strdup ("621101");
  grid->name = g_strdup ("石庙村");
  grid->parent = g_strdup ("6211");
  g_ptr_array_add (site->grids, grid);
  return site;
}

Sensor *test_site_add_sensor (Site *site, const char *id)
{
  Sensor *sensor = g_new0 (Sensor, 1);
  sensor->id = g_strdup (id);
  sensor->name = g_strdup (id);
  sensor->grid = g_strdup ("621101");
  sensor->broker = g_strdup ("village");
  sensor->topic = g_strconcat ("village/", id, NULL);
  sensor->format = g_strdup ("json");
  sensor->durable = TRUE;
  sensor->metrics = g_ptr_array_new_with_free_func ((GDestroyNotify) metric_free);
  Metric *metric = g_new0 (Metric, 1);
  metric->name = g_strdup ("water_level");
  metric->path = g_strdup ("$.level");
  metric->unit = g_strdup ("m");
  metric->scale = 1;
  g_ptr_array_add (sensor->metrics, metric);
  g_ptr_array_add (site->sensors, sensor);
  return sensor;
}

Rule *test_site_add_rule (Site *site, const char *id, double threshold, double clear, gint64 hold_us)
{
  Rule *rule = g_new0 (Rule, 1);
  rule->id = g_strdup (id);
  rule->name = g_strdup (id);
  rule->category = g_strdup ("flood");
  rule->severity = SEVERITY_SEVERE;
  rule->match_metric = g_strdup ("water_level");
  comparison_init (&rule->when.comparison);
  if (threshold >= clear)
    rule->when.comparison.above = threshold;
  else
    rule->when.comparison.below = threshold;
  rule->when.comparison.clear = (Range){ TRUE, clear, clear };
  rule->when.hold_us = hold_us;
  g_ptr_array_add (site->rules, rule);
  return rule;
}

Camera *test_site_add_camera (Site *site, const char *id, gint64 down_after_us)
{
  Camera *camera = g_new0 (Camera, 1);
  camera->id = g_strdup (id);
  camera->name = g_strdup (id);
  camera->grid = g_strdup ("621101");
  camera->down_after_us = down_after_us;
  g_ptr_array_add (site->cameras, camera);
  return camera;
}

Broker *test_site_add_broker (Site *site, const char *id, const char *url)
{
  Broker *broker = g_new0 (Broker, 1);
  broker->id = g_strdup (id);
  broker->url = g_strdup (url);
  broker->protocol = 4;
  broker->qos = 1;
  g_ptr_array_add (site->brokers, broker);
  return broker;
}
