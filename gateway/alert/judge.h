/* judge.h: what one reading says about one comparison of a rule.
 *
 * thread: any; a judge is immutable once made and borrows from its comparison. */
#pragma once

#include "gateway/model/observation.h"
#include "gateway/model/rule.h"

/* Whether what the rule looks for is so; between: it neither starts nor clears (the band of hysteresis). */
typedef enum { TRUTH_FALSE, TRUTH_BETWEEN, TRUTH_TRUE } Truth;

typedef struct {
  Condition condition;
  double low, high, clear_low, clear_high; /* of one threshold: `high` and `clear_high` */
  const RuleValue *equals;
  gint64 window_us; /* rise, fall: over how long; silent: how long */
} Judge;

/* `within_us`: the window, where the comparison has none of its own. */
void judge_init (Judge *judge, const Comparison *comparison, gint64 within_us);

/* Whether readings go through a window first (rate_window.h). */
gboolean judge_needs_window (const Judge *judge);

/* What `amount` says: of rise and fall the difference within the window, else the reading's number. Not for equals,
 * changed and silent. */
Truth judge_amount (const Judge *judge, double amount);

Truth judge_equal (const Judge *judge, const Observation *observation);

/* The reading's value as a word that is another for another value. */
guint64 reading_word (const Observation *observation);
