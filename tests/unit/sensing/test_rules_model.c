/* The engine of rules against the obvious model, on random rules and random histories: RULES_SEED and RULES_CASES in the
 * environment say which; a difference prints its seed. */
#include <stdlib.h>
#include <string.h>

#include "gateway/alert/rules.h"
#include "tests/support/test.h"
#include "tests/unit/sensing/rule_model.h"
#include "tests/unit/sensing/sensing_site.h"

enum { CASES = 2000, SECONDS = 420, START_MINUTE = 600 };

/* 2026-05-01T10:00:00Z, minute START_MINUTE of its day */
static const gint64 start_wall_us = 1777629600000000, start_rule_us = 5000000000;

/* The engine with what it gave to keep, so that it can be killed and started again. */
typedef struct {
  Site *site;
  GPtrArray *only;
  Rules *rules;
  GString *stories[2];
  GHashTable *rows;     /* "rule subject" → GBytes of the state, with the alert's severity in it */
  GHashTable *open;     /* the keys whose alerts are open */
  GHashTable *memories; /* "rule sensor term" → Feed, as it was remembered */
  GHashTable *windows;  /* the same key → RateWindow */
  GArray *since_flush;  /* of ModelReading */
  RuleTime now;
} Engine;

static char *key_of (const Watch *watch)
{
  g_autofree char *subject = watch_subject (watch);
  return g_strconcat (watch->plan->rule->id, " ", subject, NULL);
}

static int second_of (RuleTime now)
{
  return (int) ((now.rule - start_rule_us) / G_USEC_PER_SEC);
}

static void tell (Engine *engine, const Watch *watch, const char *what)
{
  if (strcmp (watch->plan->rule->id, "rule") != 0)
    return;
  gboolean is_grid = watch->kind == SUBJECT_GRID;
  g_string_append_printf (engine->stories[!is_grid && watch->id[0] == 'b'], "%d %s %s %d\n", second_of (engine->now),
                          is_grid ? "grid" : watch->id, what, (int) watch_case (watch)->severity);
}

static gboolean opened (gpointer self, Watch *watch, gint64 at_us, GError **error)
{
  (void) at_us, (void) error;
  watch_set_alert (watch, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  tell (self, watch, "opened");
  return TRUE;
}

static gboolean changed (gpointer self, Watch *watch, gint64 at_us, GError **error)
{
  (void) at_us, (void) error;
  tell (self, watch, "changed");
  return TRUE;
}

static gboolean cleared (gpointer self, Watch *watch, gint64 at_us, GError **error)
{
  (void) at_us, (void) error;
  tell (self, watch, "cleared");
  return TRUE;
}

static gboolean keep (gpointer self, const Watch *watch, GError **error)
{
  Engine *engine = self;
  char *key = key_of (watch);
  (void) error;
  if (watch_has_alert (watch))
    g_hash_table_add (engine->open, g_strdup (key));
  else
    g_hash_table_remove (engine->open, key);
  if (watch_is_plain (watch)) {
    g_hash_table_remove (engine->rows, key);
    g_free (key);
  } else
    g_hash_table_replace (engine->rows, key, watch_pack (watch));
  return TRUE;
}

static gboolean remember (gpointer self, const Feed *feed, GError **error)
{
  Engine *engine = self;
  char *key = g_strdup_printf ("%s %s %u", feed->watch->plan->rule->id, feed->sensor, feed->term);
  (void) error;
  if (feed->window != NULL)
    g_hash_table_replace (engine->windows, g_strdup (key), g_memdup2 (feed->window, sizeof *feed->window));
  g_hash_table_replace (engine->memories, key, g_memdup2 (feed, sizeof *feed));
  return TRUE;
}

static RulesPort port_of (Engine *engine)
{
  return (RulesPort){ engine, opened, changed, cleared, keep, remember };
}

static Observation *observation_of (const ModelReading *reading)
{
  const char *const sensors[] = { "a", "b" }, *const metrics[] = { "m", "n" };
  Observation *observation = observation_new (sensors[reading->sensor], metrics[reading->metric]);
  observation->value = reading->value;
  observation->phenomenon_time_us = observation->receive_time_us = start_wall_us + reading->second * G_USEC_PER_SEC;
  return observation;
}

static RuleTime time_of (int second)
{
  return (RuleTime){ start_rule_us + second * G_USEC_PER_SEC, start_wall_us + second * G_USEC_PER_SEC };
}

static void take_up (Watch *watch, gpointer data)
{
  Engine *engine = data;
  g_autofree char *key = key_of (watch);
  GBytes *row = g_hash_table_lookup (engine->rows, key);
  gsize size;
  if (row == NULL)
    return;
  gconstpointer bytes = g_bytes_get_data (row, &size);
  assert_true (watch_unpack (watch, bytes, size));
  if (g_hash_table_contains (engine->open, key))
    watch_set_alert (watch, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
}

static void take_up_memories (Engine *engine)
{
  GHashTableIter iter;
  gpointer key, memory;
  g_hash_table_iter_init (&iter, engine->memories);
  while (g_hash_table_iter_next (&iter, &key, &memory)) {
    g_auto (GStrv) words = g_strsplit (key, " ", 3);
    const Feed *kept = memory;
    Feed *feed = rules_feed (engine->rules, words[0], words[1], (guint) atoi (words[2]));
    feed->has_last = kept->has_last;
    feed->last = kept->last;
    feed->heard = kept->heard;
    if (feed->window != NULL)
      *feed->window = *(RateWindow *) g_hash_table_lookup (engine->windows, key);
  }
}

/* As after a kill: rows are there, windows as of the last flush, and the readings since then are gone through again. */
static void restart (Engine *engine)
{
  RulesPort port = port_of (engine);
  rules_free (engine->rules);
  engine->rules = rules_new (engine->site, engine->only, &port, engine->now);
  rules_each (engine->rules, take_up, engine);
  take_up_memories (engine);
  for (guint i = 0; i < engine->since_flush->len; i++) {
    const ModelReading *reading = &g_array_index (engine->since_flush, ModelReading, i);
    g_autoptr (Observation) observation = observation_of (reading);
    rules_recall (engine->rules, time_of (reading->second), observation);
  }
  rules_loaded (engine->rules, engine->now.rule, 0);
}

/* Random rules */

static int pick (GRand *random, int least, int most)
{
  return g_rand_int_range (random, least, most + 1);
}

static void random_comparison (GRand *random, Comparison *comparison, Condition condition)
{
  int threshold = pick (random, 2, 7), band = pick (random, 0, 2);
  gboolean has_clear = pick (random, 0, 1);
  comparison_init (comparison);
  switch (condition) {
  case CONDITION_ABOVE:
    comparison->above = threshold;
    comparison->clear = (Range){ has_clear, threshold - band, threshold - band };
    break;
  case CONDITION_BELOW:
    comparison->below = threshold;
    comparison->clear = (Range){ has_clear, threshold + band, threshold + band };
    break;
  case CONDITION_OUTSIDE:
    comparison->outside = (Range){ TRUE, 2, 7 };
    comparison->clear = (Range){ has_clear, 2 + band, 7 - band };
    break;
  case CONDITION_INSIDE:
    comparison->inside = (Range){ TRUE, 4, 6 };
    comparison->clear = (Range){ has_clear, 4 - band, 6 + band };
    break;
  case CONDITION_EQUALS:
    comparison->equals = (RuleValue){ RULE_VALUE_NUMBER, threshold, NULL };
    break;
  case CONDITION_CHANGED:
    comparison->changed = TRUE;
    break;
  case CONDITION_RISE:
    comparison->rise = threshold;
    comparison->clear = (Range){ has_clear, threshold - band, threshold - band };
    break;
  case CONDITION_FALL:
    comparison->fall = threshold;
    comparison->clear = (Range){ has_clear, threshold - band, threshold - band };
    break;
  default:
    comparison->silent_us = pick (random, 5, 60) * G_USEC_PER_SEC;
    break;
  }
}

static gint64 random_window (GRand *random)
{
  static const int windows[] = { 30, 60, 120 };
  return windows[pick (random, 0, 2)] * G_USEC_PER_SEC;
}

/* The same condition in each step, each a little further. */
static void random_steps (GRand *random, Rule *rule, Condition condition)
{
  int count = pick (random, 2, 4);
  rule->when.steps = g_ptr_array_new_with_free_func ((GDestroyNotify) rule_step_free);
  for (int i = 0; i < count; i++) {
    RuleStep *step = g_new0 (RuleStep, 1);
    step->severity = (Severity) (i + 1);
    random_comparison (random, &step->comparison, condition);
    step->comparison.above += i, step->comparison.below -= i, step->comparison.rise += i, step->comparison.fall += i;
    step->comparison.silent_us += condition == CONDITION_SILENT ? i * 20 * G_USEC_PER_SEC : 0;
    step->comparison.clear.is_set = FALSE;
    g_ptr_array_add (rule->when.steps, step);
  }
}

static void random_terms (GRand *random, Rule *rule)
{
  GPtrArray *terms = g_ptr_array_new_with_free_func ((GDestroyNotify) rule_term_free);
  int count = pick (random, 2, 3);
  for (int i = 0; i < count; i++) {
    RuleTerm *term = g_new0 (RuleTerm, 1);
    term->metric = g_strdup (pick (random, 0, 1) ? "m" : "n");
    if (pick (random, 0, 2) == 0)
      term->sensors = g_strsplit (pick (random, 0, 1) ? "a" : "b", ",", 0);
    random_comparison (random, &term->comparison, (Condition) pick (random, CONDITION_ABOVE, CONDITION_FALL));
    term->comparison.clear.is_set = FALSE;
    term->comparison.within_us = random_window (random);
    g_ptr_array_add (terms, term);
  }
  *(pick (random, 0, 1) ? &rule->when.all : &rule->when.any) = terms;
}

static gboolean has_steps (Condition condition)
{
  return condition != CONDITION_INSIDE && condition != CONDITION_EQUALS && condition != CONDITION_CHANGED
         && condition != CONDITION_OUTSIDE;
}

static void random_when (GRand *random, Rule *rule)
{
  RuleWhen *when = &rule->when;
  Condition condition = (Condition) pick (random, CONDITION_ABOVE, CONDITION_SILENT + 2);
  comparison_init (&when->comparison);
  if (condition > CONDITION_SILENT)
    random_terms (random, rule);
  else if (has_steps (condition) && pick (random, 0, 2) == 0)
    random_steps (random, rule, condition);
  else {
    random_comparison (random, &when->comparison, condition);
    if (condition <= CONDITION_CHANGED && pick (random, 0, 2) == 0)
      when->count = pick (random, 2, 4);
  }
  when->comparison.within_us = random_window (random);
  if (condition != CONDITION_CHANGED && condition != CONDITION_SILENT && pick (random, 0, 1))
    when->hold_us = pick (random, 1, 20) * G_USEC_PER_SEC;
  if (pick (random, 0, 1))
    when->clear_hold_us = pick (random, 1, 20) * G_USEC_PER_SEC;
}

static Rule *random_rule (GRand *random)
{
  Rule *rule = g_new0 (Rule, 1);
  rule->id = g_strdup ("rule");
  rule->category = g_strdup ("flood");
  rule->severity = SEVERITY_SEVERE;
  random_when (random, rule);
  if (rule->when.all == NULL && rule->when.any == NULL)
    rule->match_metric = g_strdup ("m");
  if (pick (random, 0, 3) == 0)
    rule->active.hours = g_strdup (pick (random, 0, 1) ? "10:02-10:05" : "09:00-10:03");
  return rule;
}

static Rule *random_cause (GRand *random, Rule *rule)
{
  if (pick (random, 0, 3) != 0)
    return NULL;
  Rule *cause = g_new0 (Rule, 1);
  cause->id = g_strdup ("cause");
  cause->category = g_strdup ("uplink");
  cause->severity = SEVERITY_MINOR;
  cause->match_metric = g_strdup ("n");
  cause->match_sensors = g_strsplit ("b", ",", 0);
  random_comparison (random, &cause->when.comparison, CONDITION_ABOVE);
  rule->unless.alert = g_strdup ("cause");
  rule->unless.recovery_us = pick (random, 0, 30) * G_USEC_PER_SEC;
  return cause;
}

static void add_sensor (Site *site, const char *id)
{
  Sensor *sensor = test_site_add_sensor (site, id);
  g_ptr_array_set_size (sensor->metrics, 0);
  for (int i = 0; i < 2; i++) {
    Metric *metric = g_new0 (Metric, 1);
    metric->name = g_strdup (i == 0 ? "m" : "n");
    g_ptr_array_add (sensor->metrics, metric);
  }
}

static Site *random_site (GRand *random, Rule **rule, Rule **cause)
{
  Site *site = test_site_new ();
  site->gateway.time_zone = g_strdup ("UTC");
  add_sensor (site, "a");
  add_sensor (site, "b");
  *rule = random_rule (random);
  *cause = random_cause (random, *rule);
  g_ptr_array_add (site->rules, *rule);
  if (*cause != NULL)
    g_ptr_array_add (site->rules, *cause);
  site_publish (site);
  return site;
}

static void engine_init (Engine *engine, Site *site)
{
  *engine = (Engine){ .site = site, .only = site->rules, .now = time_of (0) };
  engine->stories[0] = g_string_new (NULL);
  engine->stories[1] = g_string_new (NULL);
  engine->rows = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_bytes_unref);
  engine->open = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  engine->memories = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  engine->windows = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  engine->since_flush = g_array_new (FALSE, FALSE, sizeof (ModelReading));
  RulesPort port = port_of (engine);
  engine->rules = rules_new (site, engine->only, &port, engine->now);
  assert_true (rules_flush (engine->rules, NULL));
}

static void engine_clear (Engine *engine)
{
  rules_free (engine->rules);
  g_array_unref (engine->since_flush);
  g_hash_table_unref (engine->windows);
  g_hash_table_unref (engine->memories);
  g_hash_table_unref (engine->open);
  g_hash_table_unref (engine->rows);
  g_string_free (engine->stories[1], TRUE);
  g_string_free (engine->stories[0], TRUE);
}

/* What happens by the clock must have been announced by rules_next. */
static void pass (Engine *engine, int second)
{
  gsize before = engine->stories[0]->len + engine->stories[1]->len;
  gint64 next = rules_next (engine->rules);
  engine->now = time_of (second);
  assert_true (rules_pass (engine->rules, engine->now, NULL));
  if (engine->stories[0]->len + engine->stories[1]->len != before && second % 60 != 0)
    assert_true (next <= engine->now.rule);
}

static void read_one (Engine *engine, RuleModel *model, const ModelReading *reading)
{
  g_autoptr (Observation) observation = observation_of (reading);
  assert_true (rules_observe (engine->rules, engine->now, observation, NULL));
  g_array_append_val (engine->since_flush, *reading);
  rule_model_read (model, reading);
}

static void disturb (Engine *engine, GRand *random)
{
  if (pick (random, 0, 19) == 0) {
    assert_true (rules_flush (engine->rules, NULL));
    g_array_set_size (engine->since_flush, 0);
  }
  if (pick (random, 0, 39) == 0)
    restart (engine);
}

static void live_through (Engine *engine, RuleModel *model, GRand *random)
{
  int each = pick (random, 1, 6), highest = pick (random, 3, 9);
  for (int second = 1; second < SECONDS; second++) {
    pass (engine, second);
    rule_model_pass (model, second);
    for (int i = 0; i < 2; i++) {
      ModelReading reading = { second, pick (random, 0, 1), pick (random, 0, 1), pick (random, 0, highest) };
      if (pick (random, 0, each) == 0)
        read_one (engine, model, &reading);
    }
    disturb (engine, random);
  }
}

static char *describe (const Rule *rule)
{
  const RuleWhen *when = &rule->when;
  return g_strdup_printf ("%s steps %d all %d any %d for %d clear_for %d count %d within %d hours %s recovery %d",
                          condition_name (comparison_condition (&when->comparison)),
                          when->steps != NULL ? (int) when->steps->len : 0, when->all != NULL, when->any != NULL,
                          (int) (when->hold_us / G_USEC_PER_SEC), (int) (when->clear_hold_us / G_USEC_PER_SEC),
                          when->count, (int) (when->comparison.within_us / G_USEC_PER_SEC),
                          rule->active.hours != NULL ? rule->active.hours : "all",
                          rule->unless.alert != NULL ? (int) (rule->unless.recovery_us / G_USEC_PER_SEC) : -1);
}

static guint events;

static void run_case (guint32 seed)
{
  Rule *rule, *cause;
  Engine engine;
  GRand *random = g_rand_new_with_seed (seed);
  g_autoptr (Site) site = random_site (random, &rule, &cause);
  RuleModel *model = rule_model_new (rule, cause, START_MINUTE);
  engine_init (&engine, site);
  live_through (&engine, model, random);
  g_autofree char *story = g_strconcat (engine.stories[0]->str, engine.stories[1]->str, NULL);
  g_autofree char *about = describe (rule);
  if (strcmp (story, rule_model_story (model)) != 0)
    fail_msg ("RULES_SEED=%u: %s: the model says\n%s\nthe rules said\n%s", seed, about, rule_model_story (model), story);
  for (const char *at = story; *at != '\0'; at++)
    events += *at == '\n';
  engine_clear (&engine);
  rule_model_free (model);
  g_rand_free (random);
}

static guint from_environment (const char *name, guint otherwise)
{
  const char *text = g_getenv (name);
  return text != NULL ? (guint) g_ascii_strtoull (text, NULL, 10) : otherwise;
}

static void rules_say_what_the_model_says (void **state)
{
  (void) state;
  guint first = from_environment ("RULES_SEED", 1), cases = from_environment ("RULES_CASES", CASES);
  events = 0;
  for (guint i = 0; i < cases; i++)
    run_case (first + i);
  print_message ("%u histories from seed %u, %u events\n", cases, first, events);
  assert_true (events > cases); /* the rules do say something */
}

int main (void)
{
  const struct CMUnitTest tests[] = { cmocka_unit_test (rules_say_what_the_model_says) };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
