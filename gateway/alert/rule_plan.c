#include "gateway/alert/rule_plan.h"

#include <string.h>

#include "gateway/core/ids.h"

static void describe_comparison (GString *text, const Comparison *comparison)
{
  const RuleValue *equals = &comparison->equals;
  g_string_append_printf (text, "%d %.17g %.17g %.17g %.17g [%.17g %.17g] [%.17g %.17g] %d %.17g %s %" G_GINT64_FORMAT
                          " %d %.17g %.17g %" G_GINT64_FORMAT "\n", (int) comparison_condition (comparison),
                          comparison->above, comparison->below, comparison->rise, comparison->fall,
                          comparison->outside.low, comparison->outside.high, comparison->inside.low,
                          comparison->inside.high, (int) equals->kind, equals->number,
                          equals->text != NULL ? equals->text : "", comparison->silent_us,
                          comparison->clear.is_set, comparison->clear.low, comparison->clear.high,
                          comparison->within_us);
}

static void describe_terms (GString *text, const GPtrArray *terms, const char *name)
{
  for (guint i = 0; terms != NULL && i < terms->len; i++) {
    const RuleTerm *term = terms->pdata[i];
    g_string_append_printf (text, "%s %s ", name, term->metric);
    describe_comparison (text, &term->comparison);
  }
}

/* Everything that a state depends on: not names, severities, places, schedules, nor what is done with the alert. */
static void define (RulePlan *plan)
{
  const RuleWhen *when = &plan->rule->when;
  g_autoptr (GString) text = g_string_new (plan->rule->match_metric);
  g_string_append_printf (text, "\n%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %d\n", when->hold_us, when->clear_hold_us,
                          when->count);
  describe_comparison (text, &when->comparison);
  for (guint i = 0; when->steps != NULL && i < when->steps->len; i++)
    describe_comparison (text, &((const RuleStep *) when->steps->pdata[i])->comparison);
  describe_terms (text, when->all, "all");
  describe_terms (text, when->any, "any");
  g_autofree char *hash = sha256_hex (text->str, text->len);
  g_strlcpy (plan->definition, hash, sizeof plan->definition);
}

static void take_terms (RulePlan *plan, const GPtrArray *terms)
{
  plan->terms = MIN (terms->len, PLAN_TERMS_MAX);
  for (guint i = 0; i < plan->terms; i++)
    judge_init (&plan->term[i], &((const RuleTerm *) terms->pdata[i])->comparison, 0);
}

static void take_steps (RulePlan *plan, const GPtrArray *steps)
{
  plan->steps = MIN (steps->len, PLAN_STEPS_MAX);
  for (guint i = 0; i < plan->steps; i++) {
    const RuleStep *step = steps->pdata[i];
    judge_init (&plan->step[i], &step->comparison, plan->within_us);
    plan->severity[i] = step->severity;
  }
}

RulePlan *rule_plan_new (const Rule *rule)
{
  const RuleWhen *when = &rule->when;
  RulePlan *plan = g_new0 (RulePlan, 1);
  plan->rule = rule;
  plan->hold_us = when->hold_us;
  plan->clear_hold_us = when->clear_hold_us;
  plan->within_us = when->comparison.within_us;
  plan->count = (guint) MAX (when->count, 1);
  plan->counts_downtime = when->counts_downtime;
  plan->has_schedule = schedule_init (&plan->schedule, &rule->active);
  plan->is_active = TRUE;
  plan->unless = rule->unless.alert != NULL ? &rule->unless : NULL;
  plan->steps = 1;
  plan->severity[0] = rule->severity;
  plan->needs_all = when->all != NULL;
  if (when->all != NULL || when->any != NULL)
    take_terms (plan, when->all != NULL ? when->all : when->any);
  else if (when->steps != NULL && when->steps->len > 0)
    take_steps (plan, when->steps);
  else
    judge_init (&plan->step[0], &when->comparison, 0);
  define (plan);
  return plan;
}

RulePlan *rule_plan_new_built_in (const char *id, const char *category, Severity severity, gint64 silent_us,
                                  gint64 hold_us, const Unless *unless)
{
  Rule *own = g_new0 (Rule, 1);
  own->id = g_strdup (id);
  own->category = g_strdup (category);
  own->severity = severity;
  comparison_init (&own->when.comparison);
  own->when.comparison.silent_us = silent_us;
  own->when.hold_us = hold_us;
  RulePlan *plan = rule_plan_new (own);
  plan->own = own;
  plan->definition[0] = '\0'; /* how long is a setting of the device: a hold that runs goes on */
  plan->unless = unless != NULL && unless->alert != NULL ? unless : NULL;
  return plan;
}

gboolean rule_plan_reads (const RulePlan *plan)
{
  return plan->terms > 0 || plan->step[0].condition != CONDITION_NONE;
}

gboolean rule_plan_is_silent (const RulePlan *plan)
{
  return plan->terms == 0 && plan->step[0].condition == CONDITION_SILENT;
}

void rule_plan_free (RulePlan *plan)
{
  if (plan == NULL)
    return;
  rule_free (plan->own);
  g_free (plan);
}
