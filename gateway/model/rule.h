/* rule.h: a configured rule, as it is written; gateway/alert makes of it what it judges by.
 *
 * Part of the site's snapshot (site.h), passive like it: strings are owned, durations are microseconds.
 *
 * thread: any, once published. */
#pragma once

#include <glib.h>

typedef enum { SEVERITY_MINOR = 1, SEVERITY_MODERATE, SEVERITY_SEVERE, SEVERITY_EXTREME } Severity;

/* "minor" … "extreme"; 0 for an unknown name. */
const char *severity_name (Severity severity);
Severity severity_from_name (const char *name);

typedef struct {
  gboolean is_set;
  double low, high;
} Range;

typedef enum { RULE_VALUE_NONE, RULE_VALUE_NUMBER, RULE_VALUE_TEXT, RULE_VALUE_BOOLEAN } RuleValueKind;

typedef struct {
  RuleValueKind kind;
  double number; /* of a boolean: 1 or 0 */
  char *text;
} RuleValue;

/* What a reading is compared with: exactly one of the conditions is set. NAN, 0 and is_set FALSE: not set. */
typedef struct {
  double above, below, rise, fall;
  Range outside, inside;
  RuleValue equals;
  gboolean changed;
  gint64 silent_us;
  Range clear;      /* one number stands in both ends; not set: at the threshold */
  gint64 within_us; /* the window of rise and fall, count, all and any */
} Comparison;

typedef struct {
  Severity severity;
  Comparison comparison;
} RuleStep;

typedef struct {
  char *metric;
  GStrv sensors; /* NULL: all that the rule matches */
  Comparison comparison;
} RuleTerm;

/* Either the comparison has a condition, or one of the lists is there (NULL: not). */
typedef struct {
  Comparison comparison;
  GPtrArray *steps;     /* of RuleStep, by rising severity */
  GPtrArray *all, *any; /* of RuleTerm */
  gint64 hold_us, clear_hold_us; /* `for`, `clear_for` */
  int count; /* 0: once is enough */
  gboolean counts_downtime;
} RuleWhen;

/* When a rule may start; in the gateway's time zone. NULL: always. */
typedef struct {
  char *hours;  /* "06:00-22:00"; over midnight when the end is before the start */
  GStrv days;   /* "mon" … "sun": the day on which the hours begin */
  char *season; /* "06-01/09-30", both included; over New Year when the end is before the start */
} ActiveTimes;

/* While an alert of rule `alert` is open in the grid or one above, and for a while after. */
typedef struct {
  char *alert; /* NULL: nothing */
  gint64 recovery_us;
} Unless;

typedef struct {
  char *id, *name, *category;
  Severity severity; /* with steps: the highest of them */
  char *match_metric, *match_grid; /* match_grid: this grid and all below it; NULL: any */
  char *match_topic;               /* of sensors whose topic this filter covers; NULL: any */
  GStrv match_sensors;             /* NULL: any */
  RuleWhen when;
  ActiveTimes active;
  Unless unless;
  GStrv evidence_cameras; /* NULL: none */
  gint64 evidence_before_us, evidence_after_us;
  char *assign_agency; /* NULL: nobody */
  gint64 deadline_us;  /* 0: none */
} Rule;

typedef enum {
  CONDITION_NONE,
  CONDITION_ABOVE,
  CONDITION_BELOW,
  CONDITION_OUTSIDE,
  CONDITION_INSIDE,
  CONDITION_EQUALS,
  CONDITION_CHANGED,
  CONDITION_RISE,
  CONDITION_FALL,
  CONDITION_SILENT,
} Condition;

/* The condition that is set; the first one, should there be several. */
Condition comparison_condition (const Comparison *comparison);

/* "above" …; also the name of its key. */
const char *condition_name (Condition condition);

/* Nothing is set. */
void comparison_init (Comparison *comparison);

/* The rules that the gateway brings with it. */
gboolean rule_is_built_in (const char *id);

/* NULL is taken. */
void rule_free (Rule *rule);
void rule_step_free (RuleStep *step);
void rule_term_free (RuleTerm *term);
