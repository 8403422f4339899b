/* bench_rules: evaluations of rules a second, and memory per sensor with ten rules each.
 *
 *   bench_rules [SENSORS [READINGS]]     1000 and 2,000,000 if not given */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/alert/rules.h"
#include "tests/bench/bench_goal.h"

enum { RULES = 10 };

static gboolean nothing (gpointer self, Watch *watch, gint64 at_us, GError **error)
{
  (void) self, (void) at_us, (void) error;
  watch_set_alert (watch, "A"); /* what is cleared is emptied by the engine */
  return TRUE;
}

static void add_sensor (Site *site, guint number)
{
  Sensor *sensor = g_new0 (Sensor, 1);
  Metric *metric = g_new0 (Metric, 1);
  sensor->id = g_strdup_printf ("sensor-%u", number);
  sensor->grid = g_strdup ("62");
  metric->name = g_strdup ("level");
  sensor->metrics = g_ptr_array_new_with_free_func ((GDestroyNotify) metric_free);
  g_ptr_array_add (sensor->metrics, metric);
  g_ptr_array_add (site->sensors, sensor);
}

/* Thresholds, a range, a count, a rise, silence: what a site would have of each. */
static void set_condition (RuleWhen *when, guint number)
{
  Comparison *comparison = &when->comparison;
  comparison_init (comparison);
  comparison->within_us = 600 * G_TIME_SPAN_SECOND;
  if (number < 5)
    comparison->above = 90 + number;
  else if (number == 5)
    comparison->below = 1;
  else if (number == 6)
    comparison->outside = (Range){ TRUE, 0, 95 };
  else if (number == 7)
    comparison->rise = 200;
  else if (number == 8)
    comparison->silent_us = 600 * G_TIME_SPAN_SECOND;
  else {
    comparison->above = 97;
    when->count = 3;
  }
}

static void add_rule (Site *site, guint number)
{
  Rule *rule = g_new0 (Rule, 1);
  rule->id = g_strdup_printf ("rule-%u", number);
  rule->category = g_strdup ("flood");
  rule->severity = SEVERITY_SEVERE;
  rule->match_metric = g_strdup ("level");
  set_condition (&rule->when, number);
  g_ptr_array_add (site->rules, rule);
}

static Site *site_of (guint sensors)
{
  Site *site = site_new ();
  site->gateway.id = g_strdup ("bench");
  site->gateway.division = g_strdup ("62");
  site->gateway.time_zone = g_strdup ("UTC");
  for (guint i = 0; i < sensors; i++)
    add_sensor (site, i);
  for (guint i = 0; i < RULES; i++)
    add_rule (site, i);
  site_publish (site);
  return site;
}

int main (int argc, char **argv)
{
  guint sensors = argc > 1 ? (guint) atoi (argv[1]) : 1000, readings = argc > 2 ? (guint) atoi (argv[2]) : 2000000;
  Site *site = site_of (sensors);
  const RulesPort port = { .opened = nothing, .changed = nothing, .cleared = nothing };
  size_t before = mallinfo2 ().uordblks;
  Rules *rules = rules_new (site, NULL, &port, (RuleTime){ 0, 0 });
  size_t bytes = mallinfo2 ().uordblks - before;
  GPtrArray *observations = g_ptr_array_new_with_free_func ((GDestroyNotify) observation_unref);
  for (guint i = 0; i < sensors; i++)
    g_ptr_array_add (observations, observation_new (((Sensor *) site->sensors->pdata[i])->id, "level"));
  gint64 start = g_get_monotonic_time ();
  for (guint i = 0; i < readings; i++) {
    Observation *observation = observations->pdata[i % sensors];
    observation->value = (double) (i * 2654435761u % 9000) / 100; /* under every threshold, as most readings are */
    RuleTime now = { (gint64) i * 1000, (gint64) i * 1000 };
    rules_observe (rules, now, observation, NULL);
  }
  double seconds = (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC;
  printf ("%u sensors × %d rules: %.0f readings/s, %.1f million evaluations/s, %.0f ns a reading; %.1f KiB a sensor\n",
          sensors, RULES, readings / seconds, readings / seconds * RULES / 1e6, seconds / readings * 1e9,
          (double) bytes / sensors / 1024);
  const BenchGoal memory = { .bench = "rules", .row = "memory of ten rules over a sensor", .unit = "KiB", .at_most = 8,
                             .figure = (double) bytes / sensors / 1024 };
  bench_goal_print (&memory, json_pack ("{s:f, s:f}", "readings_per_second", readings / seconds, "evaluations_per_second",
                                        readings / seconds * RULES));
  g_ptr_array_unref (observations);
  rules_free (rules);
  site_unref (site);
  return 0;
}
