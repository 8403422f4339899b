#include "config/check_when.h"

#include <math.h>
#include <string.h>

/* What a key says about keys beside it that it can't stand with. */
static void refuse_beside (Reader *reader, const YamlNode *map, const char *key, const char *other)
{
  if (yaml_map_get (map, key) != NULL)
    reader_refuse (reader, yaml_map_get (map, key), "%s has no use with %s, expected none", key, other);
}

/* The second condition that is written, if there are two. TRUE when there is at most one. */
static gboolean is_alone (Reader *reader, const YamlNode *map)
{
  const char *first = NULL;
  const char *const lists[] = { "steps", "all", "any" };
  for (Condition condition = CONDITION_ABOVE; condition <= CONDITION_SILENT + G_N_ELEMENTS (lists); condition++) {
    const char *name
      = condition <= CONDITION_SILENT ? condition_name (condition) : lists[condition - CONDITION_SILENT - 1];
    if (yaml_map_get (map, name) == NULL)
      continue;
    if (first != NULL)
      return reader_refuse (reader, yaml_map_get (map, name), "%s and %s stand together, expected one of them", first,
                            name);
    first = name;
  }
  return TRUE;
}

/* Whether something stands there that wasn't understood: it has been refused already. */
static gboolean has_condition_key (const YamlNode *map)
{
  for (Condition condition = CONDITION_ABOVE; condition <= CONDITION_SILENT; condition++)
    if (yaml_map_get (map, condition_name (condition)) != NULL)
      return TRUE;
  return FALSE;
}

static void check_amount (Reader *reader, const YamlNode *map, const char *key, double amount)
{
  if (amount <= 0)
    reader_refuse (reader, yaml_map_get (map, key), "%s: %g, expected a number over 0", key, amount);
}

static void check_clear_of_range (Reader *reader, const YamlNode *node, const Comparison *comparison, Condition condition)
{
  const Range *clear = &comparison->clear;
  const Range *range = condition == CONDITION_OUTSIDE ? &comparison->outside : &comparison->inside;
  gboolean is_within = clear->low >= range->low && clear->high <= range->high;
  gboolean is_around = clear->low <= range->low && clear->high >= range->high;
  if (node->kind != YAML_LIST)
    reader_refuse (reader, node, "clear: expected two numbers as [low, high] with %s", condition_name (condition));
  else if (condition == CONDITION_OUTSIDE && !is_within)
    reader_refuse (reader, node, "clear: [%g, %g] reaches beyond outside, expected a range within [%g, %g]", clear->low,
                   clear->high, range->low, range->high);
  else if (condition == CONDITION_INSIDE && !is_around)
    reader_refuse (reader, node, "clear: [%g, %g] does not hold all of inside, expected a range around [%g, %g]",
                   clear->low, clear->high, range->low, range->high);
}

static void check_clear_of_threshold (Reader *reader, const YamlNode *node, const Comparison *comparison,
                                      Condition condition)
{
  double clear = comparison->clear.low;
  double threshold = condition == CONDITION_ABOVE   ? comparison->above
                     : condition == CONDITION_BELOW ? comparison->below
                     : condition == CONDITION_RISE  ? comparison->rise
                                                    : comparison->fall;
  if (node->kind == YAML_LIST)
    reader_refuse (reader, node, "clear: expected one number with %s", condition_name (condition));
  else if (condition == CONDITION_BELOW && clear < threshold)
    reader_refuse (reader, node, "clear: %g is below the threshold, expected at least %g", clear, threshold);
  else if (condition != CONDITION_BELOW && clear > threshold)
    reader_refuse (reader, node, "clear: %g is above the threshold, expected at most %g", clear, threshold);
}

static void check_clear (Reader *reader, const YamlNode *map, const Comparison *comparison)
{
  const YamlNode *node = yaml_map_get (map, "clear");
  Condition condition = comparison_condition (comparison);
  if (node == NULL || !comparison->clear.is_set || condition == CONDITION_NONE)
    return;
  if (condition == CONDITION_OUTSIDE || condition == CONDITION_INSIDE)
    check_clear_of_range (reader, node, comparison, condition);
  else if (condition == CONDITION_EQUALS || condition == CONDITION_CHANGED || condition == CONDITION_SILENT)
    refuse_beside (reader, map, "clear", condition_name (condition));
  else
    check_clear_of_threshold (reader, node, comparison, condition);
}

/* What a comparison must be by itself. FALSE when it can't be judged further. */
static gboolean check_comparison (Reader *reader, const YamlNode *map, const Comparison *comparison)
{
  Condition condition = comparison_condition (comparison);
  if (condition == CONDITION_NONE && yaml_map_get (map, "changed") != NULL)
    reader_refuse (reader, yaml_map_get (map, "changed"), "changed: expected true, or another condition");
  else if (condition == CONDITION_NONE && !has_condition_key (map))
    reader_refuse (reader, map, "no condition, expected above, below, outside, inside, equals, changed, rise, fall or "
                                "silent");
  if (condition == CONDITION_RISE)
    check_amount (reader, map, "rise", comparison->rise);
  if (condition == CONDITION_FALL)
    check_amount (reader, map, "fall", comparison->fall);
  check_clear (reader, map, comparison);
  return condition != CONDITION_NONE;
}

static gboolean needs_window (Condition condition)
{
  return condition == CONDITION_RISE || condition == CONDITION_FALL;
}

void check_step (Reader *reader, const YamlNode *map, gpointer item)
{
  const RuleStep *step = item;
  Condition condition = comparison_condition (&step->comparison);
  if (!is_alone (reader, map) || !check_comparison (reader, map, &step->comparison))
    return;
  if (condition == CONDITION_INSIDE || condition == CONDITION_EQUALS || condition == CONDITION_CHANGED)
    reader_refuse (reader, yaml_map_get (map, condition_name (condition)),
                   "%s has no steps, expected above, below, outside, rise, fall or silent", condition_name (condition));
}

static void check_window (Reader *reader, const YamlNode *map, const Comparison *comparison)
{
  Condition condition = comparison_condition (comparison);
  if (needs_window (condition) && yaml_map_get (map, "within") == NULL)
    reader_refuse (reader, yaml_map_get (map, condition_name (condition)), "%s stands without within, expected both",
                   condition_name (condition));
  else if (!needs_window (condition))
    refuse_beside (reader, map, "within", condition_name (condition));
}

void check_term (Reader *reader, const YamlNode *map, gpointer item)
{
  const RuleTerm *term = item;
  if (is_alone (reader, map) && check_comparison (reader, map, &term->comparison))
    check_window (reader, map, &term->comparison);
}

/* `second` asks for more than `first`. */
static gboolean is_beyond (const Comparison *first, const Comparison *second, Condition condition)
{
  switch (condition) {
  case CONDITION_ABOVE:
    return second->above > first->above;
  case CONDITION_BELOW:
    return second->below < first->below;
  case CONDITION_RISE:
    return second->rise > first->rise;
  case CONDITION_FALL:
    return second->fall > first->fall;
  case CONDITION_SILENT:
    return second->silent_us > first->silent_us;
  case CONDITION_OUTSIDE:
    return second->outside.low <= first->outside.low && second->outside.high >= first->outside.high
           && (second->outside.low < first->outside.low || second->outside.high > first->outside.high);
  default:
    return TRUE; /* refused by check_step */
  }
}

static void check_step_after (Reader *reader, const YamlNode *node, const RuleStep *before, const RuleStep *step)
{
  Condition condition = comparison_condition (&step->comparison);
  Condition first = comparison_condition (&before->comparison);
  if (condition == CONDITION_NONE || first == CONDITION_NONE || step->severity == 0 || before->severity == 0)
    return;
  const YamlNode *place = yaml_map_get (node, condition_name (condition));
  if (condition != first)
    reader_refuse (reader, place, "steps: %s follows %s, expected the same condition in each step",
                   condition_name (condition), condition_name (first));
  else if (step->severity <= before->severity)
    reader_refuse (reader, yaml_map_get (node, "severity"), "steps: %s follows %s, expected rising severities",
                   severity_name (step->severity), severity_name (before->severity));
  else if (!is_beyond (&before->comparison, &step->comparison, condition))
    reader_refuse (reader, place, "steps: the %s step begins no later than the %s one, expected a threshold beyond it",
                   severity_name (step->severity), severity_name (before->severity));
}

static void check_steps (Reader *reader, const YamlNode *map, const RuleWhen *when)
{
  if (when->steps->len == 0)
    return;
  for (guint i = 1; i < when->steps->len; i++)
    check_step_after (reader, g_hash_table_lookup (reader->nodes, when->steps->pdata[i]), when->steps->pdata[i - 1],
                      when->steps->pdata[i]);
  const RuleStep *step = when->steps->pdata[0];
  Condition condition = comparison_condition (&step->comparison);
  refuse_beside (reader, map, "clear", "steps");
  refuse_beside (reader, map, "count", "steps");
  if (condition == CONDITION_SILENT)
    refuse_beside (reader, map, "for", "silent");
  if (needs_window (condition) && yaml_map_get (map, "within") == NULL)
    reader_refuse (reader, map, "steps of %s stand without within, expected both", condition_name (condition));
  else if (!needs_window (condition))
    refuse_beside (reader, map, "within", "steps");
}

static void check_terms (Reader *reader, const YamlNode *map, const char *name)
{
  refuse_beside (reader, map, "clear", name);
  refuse_beside (reader, map, "count", name);
  if (yaml_map_get (map, "within") == NULL)
    reader_refuse (reader, yaml_map_get (map, name), "%s stands without within, expected both", name);
}

static void check_single (Reader *reader, const YamlNode *map, const RuleWhen *when)
{
  Condition condition = comparison_condition (&when->comparison);
  const char *name = condition_name (condition);
  if (condition == CONDITION_CHANGED || condition == CONDITION_SILENT)
    refuse_beside (reader, map, "for", name);
  if (condition == CONDITION_SILENT || needs_window (condition))
    refuse_beside (reader, map, "count", name);
  if (yaml_map_get (map, "count") == NULL)
    check_window (reader, map, &when->comparison);
  else if (!needs_window (condition) && condition != CONDITION_SILENT && yaml_map_get (map, "within") == NULL)
    reader_refuse (reader, yaml_map_get (map, "count"), "count stands without within, expected both");
}

void check_when (Reader *reader, const YamlNode *map, gpointer item)
{
  const RuleWhen *when = item;
  if (!is_alone (reader, map))
    return;
  if (when->steps != NULL)
    check_steps (reader, map, when);
  else if (when->all != NULL || when->any != NULL)
    check_terms (reader, map, when->all != NULL ? "all" : "any");
  else if (yaml_map_get (map, "steps") == NULL && yaml_map_get (map, "all") == NULL && yaml_map_get (map, "any") == NULL
           && check_comparison (reader, map, &when->comparison))
    check_single (reader, map, when);
}
