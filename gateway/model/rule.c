#include "gateway/model/rule.h"

#include <math.h>

static const char *const severity_names[] = { NULL, "minor", "moderate", "severe", "extreme" };
static const char *const condition_names[] = { "", "above", "below", "outside", "inside", "equals", "changed", "rise",
                                               "fall", "silent" };

const char *severity_name (Severity severity)
{
  return severity >= SEVERITY_MINOR && severity <= SEVERITY_EXTREME ? severity_names[severity] : "unknown";
}

Severity severity_from_name (const char *name)
{
  for (Severity severity = SEVERITY_MINOR; severity <= SEVERITY_EXTREME; severity++)
    if (g_strcmp0 (name, severity_names[severity]) == 0)
      return severity;
  return 0;
}

Condition comparison_condition (const Comparison *comparison)
{
  const gboolean is_set[] = { FALSE,
                              !isnan (comparison->above),
                              !isnan (comparison->below),
                              comparison->outside.is_set,
                              comparison->inside.is_set,
                              comparison->equals.kind != RULE_VALUE_NONE,
                              comparison->changed,
                              !isnan (comparison->rise),
                              !isnan (comparison->fall),
                              comparison->silent_us > 0 };
  for (Condition condition = CONDITION_ABOVE; condition <= CONDITION_SILENT; condition++)
    if (is_set[condition])
      return condition;
  return CONDITION_NONE;
}

const char *condition_name (Condition condition)
{
  return condition_names[condition];
}

void comparison_init (Comparison *comparison)
{
  *comparison = (Comparison){ .above = NAN, .below = NAN, .rise = NAN, .fall = NAN };
}

gboolean rule_is_built_in (const char *id)
{
  static const char *const names[] = { "sensor_silent", "camera_down", "recording_stopped", "broker_down",
                                       "media_down",    "disk_full",   "alert_storm", NULL };
  return g_strv_contains (names, id);
}

void rule_step_free (RuleStep *step)
{
  if (step == NULL)
    return;
  g_free (step->comparison.equals.text);
  g_free (step);
}

void rule_term_free (RuleTerm *term)
{
  if (term == NULL)
    return;
  g_free (term->metric);
  g_strfreev (term->sensors);
  g_free (term->comparison.equals.text);
  g_free (term);
}

void rule_free (Rule *rule)
{
  if (rule == NULL)
    return;
  g_free (rule->id);
  g_free (rule->name);
  g_free (rule->category);
  g_free (rule->match_metric);
  g_free (rule->match_grid);
  g_free (rule->match_topic);
  g_strfreev (rule->match_sensors);
  g_free (rule->when.comparison.equals.text);
  g_clear_pointer (&rule->when.steps, g_ptr_array_unref);
  g_clear_pointer (&rule->when.all, g_ptr_array_unref);
  g_clear_pointer (&rule->when.any, g_ptr_array_unref);
  g_free (rule->active.hours);
  g_strfreev (rule->active.days);
  g_free (rule->active.season);
  g_free (rule->unless.alert);
  g_strfreev (rule->evidence_cameras);
  g_free (rule->assign_agency);
  g_free (rule);
}
