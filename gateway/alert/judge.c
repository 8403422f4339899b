#include "gateway/alert/judge.h"

#include <math.h>
#include <string.h>

static void set_threshold (Judge *judge, const Comparison *comparison, double threshold)
{
  judge->high = threshold;
  judge->clear_high = comparison->clear.is_set ? comparison->clear.high : threshold;
}

static void set_range (Judge *judge, const Comparison *comparison, const Range *range)
{
  judge->low = range->low;
  judge->high = range->high;
  judge->clear_low = comparison->clear.is_set ? comparison->clear.low : range->low;
  judge->clear_high = comparison->clear.is_set ? comparison->clear.high : range->high;
}

void judge_init (Judge *judge, const Comparison *comparison, gint64 within_us)
{
  *judge = (Judge){ .condition = comparison_condition (comparison), .equals = &comparison->equals };
  judge->window_us = comparison->within_us != 0 ? comparison->within_us : within_us;
  if (judge->condition == CONDITION_OUTSIDE)
    set_range (judge, comparison, &comparison->outside);
  else if (judge->condition == CONDITION_INSIDE)
    set_range (judge, comparison, &comparison->inside);
  else if (judge->condition == CONDITION_SILENT)
    judge->window_us = comparison->silent_us;
  else
    set_threshold (judge, comparison,
                   judge->condition == CONDITION_ABOVE   ? comparison->above
                   : judge->condition == CONDITION_BELOW ? comparison->below
                   : judge->condition == CONDITION_RISE  ? comparison->rise
                                                         : comparison->fall);
}

gboolean judge_needs_window (const Judge *judge)
{
  return judge->condition == CONDITION_RISE || judge->condition == CONDITION_FALL;
}

static Truth truth_of (gboolean starts, gboolean clears)
{
  return starts ? TRUTH_TRUE : clears ? TRUTH_FALSE : TRUTH_BETWEEN;
}

Truth judge_amount (const Judge *judge, double amount)
{
  switch (judge->condition) {
  case CONDITION_BELOW:
    return truth_of (amount < judge->high, amount > judge->clear_high);
  case CONDITION_OUTSIDE:
    return truth_of (amount < judge->low || amount > judge->high,
                     amount > judge->clear_low && amount < judge->clear_high);
  case CONDITION_INSIDE:
    return truth_of (amount >= judge->low && amount <= judge->high,
                     amount < judge->clear_low || amount > judge->clear_high);
  default:
    return truth_of (amount > judge->high, amount < judge->clear_high);
  }
}

static gboolean is_equal (const RuleValue *wanted, const Observation *observation)
{
  switch (wanted->kind) {
  case RULE_VALUE_NUMBER:
    return observation->kind == VALUE_NUMBER && observation->value == wanted->number;
  case RULE_VALUE_BOOLEAN:
    return observation->kind == VALUE_BOOLEAN && observation->value == wanted->number;
  case RULE_VALUE_TEXT:
    return observation->kind == VALUE_TEXT && g_strcmp0 (observation->text, wanted->text) == 0;
  default:
    return FALSE;
  }
}

Truth judge_equal (const Judge *judge, const Observation *observation)
{
  return is_equal (judge->equals, observation) ? TRUTH_TRUE : TRUTH_FALSE;
}

/* FNV-1a. */
static guint64 hash_text (const char *text)
{
  guint64 hash = 0xcbf29ce484222325;
  for (; *text != '\0'; text++)
    hash = (hash ^ (guchar) *text) * 0x100000001b3;
  return hash;
}

guint64 reading_word (const Observation *observation)
{
  double value = observation->value + 0.0; /* no −0 */
  guint64 word;
  if (observation->kind == VALUE_TEXT)
    return hash_text (observation->text != NULL ? observation->text : "");
  memcpy (&word, &value, sizeof word);
  return word;
}
