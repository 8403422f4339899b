/* rule_plan.h: a rule as it is judged by: its comparisons made ready, its schedule, what keeps it quiet.
 *
 * thread: one at a time, as its engine. Borrows the rule, unless it is one of the gateway's own. */
#pragma once

#include "gateway/alert/judge.h"
#include "gateway/alert/schedule.h"

enum { PLAN_STEPS_MAX = 4, PLAN_TERMS_MAX = 8 };

typedef struct {
  const Rule *rule;
  Rule *own; /* of the gateway itself; NULL for the site's */
  char definition[17]; /* hash of what its states mean: one outlives a reload only with the same meaning */

  guint steps, terms; /* a rule with terms has one step, which is that all or any of them are so */
  Judge step[PLAN_STEPS_MAX], term[PLAN_TERMS_MAX];
  Severity severity[PLAN_STEPS_MAX];
  gboolean needs_all;
  gint64 hold_us, clear_hold_us, within_us;
  guint count; /* at least 1 */
  gboolean counts_downtime;

  gboolean has_schedule, is_active; /* is_active: as of the last look */
  Schedule schedule;
  const Unless *unless;
} RulePlan;

RulePlan *rule_plan_new (const Rule *rule);

/* One of the gateway's own: silent for `silent_us`, or told from outside (`silent_us` 0) for `hold_us`. */
RulePlan *rule_plan_new_built_in (const char *id, const char *category, Severity severity, gint64 silent_us,
                                  gint64 hold_us, const Unless *unless);

/* Whether a reading is compared at all; else what is so is told from outside. */
gboolean rule_plan_reads (const RulePlan *plan);
gboolean rule_plan_is_silent (const RulePlan *plan);

void rule_plan_free (RulePlan *plan);
