/* The bytes of one rule, as somebody sends it to try it: read, checked, and what is accepted judges some readings. */
#include <string.h>

#include "config/loader.h"
#include "gateway/alert/rules.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/fuzz_yaml.h"

static const char site_text[]
  = "gateway: {id: g, division: \"6211\", data_dir: /d}\n"
    "brokers: [{id: village, url: \"mqtt://127.0.0.1\"}]\n"
    "grids: [{id: \"621101\", parent: \"6211\"}]\n"
    "sensors:\n"
    "  - {id: level-1, grid: \"621101\", broker: village, topic: a, metrics: [{name: water_level, path: $.l}, {name: rain, path: $.r}]}\n"
    "  - {id: door-1, grid: \"621101\", broker: village, topic: b, metrics: [{name: open, path: $.o, kind: text}]}\n"
    "rules:\n"
    "  - {id: uplink, category: network, match: {sensors: [level-1]}, when: {silent: 2m}}\n";

static gboolean named (gpointer self, Watch *watch, gint64 at_us, GError **error)
{
  (void) self, (void) at_us, (void) error;
  watch_set_alert (watch, "alert");
  return TRUE;
}

/* An alert is never opened twice, nor cleared without having been opened. */
static gboolean opened (gpointer self, Watch *watch, gint64 at_us, GError **error)
{
  g_assert (!watch_has_alert (watch));
  return named (self, watch, at_us, error);
}

static gboolean changed (gpointer self, Watch *watch, gint64 at_us, GError **error)
{
  (void) self, (void) at_us, (void) error;
  g_assert (watch_has_alert (watch));
  return TRUE;
}

static void judge (Rules *rules, gint64 at_us, const char *sensor, const char *metric, double value, const char *text)
{
  g_autoptr (Observation) observation = observation_new (sensor, metric);
  observation->phenomenon_time_us = observation->receive_time_us = 1777622400000000 + at_us;
  observation->value = value;
  if (text != NULL)
    observation_set_text (observation, text);
  RuleTime now = { at_us, 1777622400000000 + at_us };
  g_assert (rules_observe (rules, now, observation, NULL));
  g_assert (rules_pass (rules, now, NULL));
}

static void try_rule (Site *site, Rule *rule)
{
  const RulesPort port = { NULL, opened, changed, changed, NULL, NULL };
  g_autoptr (GPtrArray) only = g_ptr_array_new ();
  g_ptr_array_add (only, rule);
  g_autoptr (Rules) rules = rules_new (site, only, &port, (RuleTime){ 0, 1777622400000000 });
  for (int i = 1; i < 20; i++) {
    judge (rules, i * 7 * G_TIME_SPAN_SECOND, "level-1", "water_level", i % 7, NULL);
    judge (rules, i * 7 * G_TIME_SPAN_SECOND, "level-1", "rain", 30 - i, NULL);
    judge (rules, i * 7 * G_TIME_SPAN_SECOND, "door-1", "open", 0, i % 3 > 0 ? "open" : "closed");
  }
  g_assert (rules_pass (rules, (RuleTime){ G_TIME_SPAN_DAY, 1777622400000000 + G_TIME_SPAN_DAY }, NULL));
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  static Site *site;
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  if (site == NULL)
    site = site_load_text ("/nonexistent/site.yaml", site_text, strlen (site_text), errors);
  g_assert (site != NULL);
  Rule *rule = rule_load_text (site, (const char *) bytes, size, errors);
  g_assert ((rule == NULL) == (errors->len > 0));
  if (rule != NULL)
    try_rule (site, rule);
  rule_free (rule);
  return 0;
}
