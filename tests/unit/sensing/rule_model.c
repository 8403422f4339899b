#include "tests/unit/sensing/rule_model.h"

#include <math.h>
#include <string.h>

enum { NEVER = -1000000, STEPS = 4, SLICES = 30 };

typedef enum { NO, BETWEEN, YES } Answer;

/* One step of one alert: since when it was without a break so (or over), and whether it counts as so. */
typedef struct {
  gboolean is_on;
  int so_since, over_since;
  Answer last;
} Machine;

typedef struct {
  char subject[8];
  int sensor; /* -1: the grid */
  Machine machine[STEPS];
  int off_since; /* how many readings there were when it last went off: what is counted counts from there */
  gboolean is_open;
  int severity;
  int last_heard;
  GString *story;
} Subject;

struct RuleModel {
  const Rule *rule, *cause;
  int start_minute;
  GArray *readings; /* of ModelReading */
  Subject subjects[2];
  int subject_count;
  gboolean is_cause_so;
  int cause_ended;
  gboolean was_active;
  GString *whole;
};

static int seconds (gint64 us)
{
  return (int) (us / G_USEC_PER_SEC);
}

/* Schedules: only hours, within one day. */
static gboolean is_active (const RuleModel *model, int second)
{
  const char *hours = model->rule->active.hours;
  if (hours == NULL)
    return TRUE;
  int minute = model->start_minute + second / 60;
  int from = (hours[0] - '0') * 600 + (hours[1] - '0') * 60 + (hours[3] - '0') * 10 + hours[4] - '0';
  int to = (hours[6] - '0') * 600 + (hours[7] - '0') * 60 + (hours[9] - '0') * 10 + hours[10] - '0';
  return minute >= from && minute < to;
}

static int metric_number (const char *name)
{
  return name != NULL && strcmp (name, "n") == 0;
}

/* How far reading `at` lies over (or under) all before it within the window, which is cut into thirtieths. */
static double difference (const RuleModel *model, const ModelReading *at, int within, int sign)
{
  double most = 0;
  int slice = within / SLICES;
  for (guint i = 0; i < model->readings->len; i++) {
    const ModelReading *one = &g_array_index (model->readings, ModelReading, i);
    if (one->sensor == at->sensor && one->metric == at->metric && one->second / slice > at->second / slice - SLICES)
      most = fmax (most, sign * (at->value - one->value));
  }
  return most;
}

/* The reading before the newest one of its sensor and metric; NULL: none. */
static const ModelReading *before (const RuleModel *model, const ModelReading *newest)
{
  const ModelReading *found = NULL;
  for (guint i = 0; i + 1 < model->readings->len; i++) {
    const ModelReading *one = &g_array_index (model->readings, ModelReading, i);
    if (one->sensor == newest->sensor && one->metric == newest->metric)
      found = one;
  }
  return found;
}

static Answer answer_of (gboolean is_so, gboolean is_over)
{
  return is_so ? YES : is_over ? NO : BETWEEN;
}

static Answer ask (const RuleModel *model, const Comparison *what, int within, const ModelReading *reading)
{
  double value = reading->value;
  gboolean has_clear = what->clear.is_set;
  switch (comparison_condition (what)) {
  case CONDITION_ABOVE:
    return answer_of (value > what->above, value < (has_clear ? what->clear.high : what->above));
  case CONDITION_BELOW:
    return answer_of (value < what->below, value > (has_clear ? what->clear.high : what->below));
  case CONDITION_OUTSIDE: {
    Range clear = has_clear ? what->clear : what->outside;
    return answer_of (value < what->outside.low || value > what->outside.high, value > clear.low && value < clear.high);
  }
  case CONDITION_INSIDE: {
    Range clear = has_clear ? what->clear : what->inside;
    return answer_of (value >= what->inside.low && value <= what->inside.high, value < clear.low || value > clear.high);
  }
  case CONDITION_EQUALS:
    return answer_of (value == what->equals.number, value != what->equals.number);
  case CONDITION_CHANGED: {
    const ModelReading *last = before (model, reading);
    return last != NULL && last->value != value ? YES : BETWEEN;
  }
  case CONDITION_RISE: {
    double rise = difference (model, reading, within, 1);
    return answer_of (rise > what->rise, rise < (has_clear ? what->clear.high : what->rise));
  }
  case CONDITION_FALL: {
    double fall = difference (model, reading, within, -1);
    return answer_of (fall > what->fall, fall < (has_clear ? what->clear.high : what->fall));
  }
  default:
    return BETWEEN;
  }
}

static guint step_count (const Rule *rule)
{
  return rule->when.steps != NULL ? rule->when.steps->len : 1;
}

static const Comparison *comparison_of (const Rule *rule, guint step)
{
  return rule->when.steps != NULL ? &((RuleStep *) rule->when.steps->pdata[step])->comparison : &rule->when.comparison;
}

static int severity_of (const Rule *rule, guint step)
{
  return rule->when.steps != NULL ? (int) ((RuleStep *) rule->when.steps->pdata[step])->severity : (int) rule->severity;
}

static gboolean is_quiet (const RuleModel *model, int second)
{
  return model->cause != NULL
         && (model->is_cause_so || second - model->cause_ended < seconds (model->rule->unless.recovery_us));
}

/* From machines to the one alert. */
static void tell (RuleModel *model, Subject *subject, int second)
{
  int severity = 0;
  for (guint i = 0; i < step_count (model->rule); i++)
    if (subject->machine[i].is_on)
      severity = severity_of (model->rule, i);
  const char *what = NULL;
  if (severity > 0 && !subject->is_open && !is_quiet (model, second))
    what = "opened";
  else if (severity > 0 && subject->is_open && severity != subject->severity)
    what = "changed";
  else if (severity == 0 && subject->is_open)
    what = "cleared";
  if (what == NULL)
    return;
  subject->is_open = severity > 0;
  if (severity > 0)
    subject->severity = severity;
  g_string_append_printf (subject->story, "%d %s %s %d\n", second, subject->subject, what, subject->severity);
}

static void by_the_clock (const RuleModel *model, Subject *subject, Machine *machine, int second)
{
  const RuleWhen *when = &model->rule->when;
  if (!machine->is_on && machine->so_since != NEVER && second - machine->so_since >= seconds (when->hold_us))
    machine->is_on = TRUE;
  else if (machine->is_on && machine->over_since != NEVER && second - machine->over_since >= seconds (when->clear_hold_us)) {
    machine->is_on = FALSE;
    subject->off_since = (int) model->readings->len;
    machine->so_since = NEVER;
  }
}

static void hear (const RuleModel *model, Subject *subject, guint step, Answer answer, int second)
{
  Machine *machine = &subject->machine[step];
  machine->last = answer;
  if (answer == YES && !is_active (model, second))
    answer = BETWEEN;
  gboolean starts = answer == YES && !machine->is_on && machine->so_since == NEVER;
  gboolean ends = answer == NO && machine->is_on && machine->over_since == NEVER;
  if (starts)
    machine->so_since = second;
  else if (answer != YES && !machine->is_on)
    machine->so_since = NEVER;
  if (ends)
    machine->over_since = second;
  else if (answer != NO)
    machine->over_since = NEVER;
  if (starts || ends)
    by_the_clock (model, subject, machine, second);
  if (ends && !machine->is_on)
    machine->over_since = NEVER;
}

/* How many readings within the window were so, counted from where the last alert ended. */
static gboolean is_often_enough (const RuleModel *model, const Subject *subject, const ModelReading *newest)
{
  const RuleWhen *when = &model->rule->when;
  int found = 0;
  RuleModel past = *model;
  past.readings = g_array_new (FALSE, FALSE, sizeof (ModelReading));
  for (guint i = 0; i < model->readings->len; i++) {
    const ModelReading *one = &g_array_index (model->readings, ModelReading, i);
    g_array_append_val (past.readings, *one);
    if (one->sensor == newest->sensor && one->metric == newest->metric && (int) i >= subject->off_since
        && newest->second - one->second < seconds (when->comparison.within_us) && is_active (model, one->second)
        && ask (&past, &when->comparison, seconds (when->comparison.within_us), one) == YES)
      found++;
  }
  g_array_unref (past.readings);
  return found >= when->count && is_active (model, newest->second);
}

/* Whether all or any of the terms were so within the window. */
static Answer ask_terms (const RuleModel *model, int second)
{
  const RuleWhen *when = &model->rule->when;
  const GPtrArray *terms = when->all != NULL ? when->all : when->any;
  guint so = 0;
  RuleModel past = *model;
  for (guint t = 0; t < terms->len; t++) {
    const RuleTerm *term = terms->pdata[t];
    gboolean is_so = FALSE;
    past.readings = g_array_new (FALSE, FALSE, sizeof (ModelReading));
    for (guint i = 0; i < model->readings->len; i++) {
      const ModelReading *one = &g_array_index (model->readings, ModelReading, i);
      g_array_append_val (past.readings, *one);
      const char *const names[] = { "a", "b" };
      is_so |= one->metric == metric_number (term->metric)
               && (term->sensors == NULL || g_strv_contains ((const char *const *) term->sensors, names[one->sensor]))
               && second - one->second < seconds (when->comparison.within_us)
               && ask (&past, &term->comparison, seconds (term->comparison.within_us), one) == YES;
    }
    g_array_unref (past.readings);
    so += is_so;
  }
  return so >= (when->all != NULL ? terms->len : 1) ? YES : NO;
}

static gboolean has_terms (const Rule *rule)
{
  return rule->when.all != NULL || rule->when.any != NULL;
}

static gboolean is_silent (const Rule *rule)
{
  return !has_terms (rule) && comparison_condition (comparison_of (rule, 0)) == CONDITION_SILENT;
}

/* A rule that becomes active takes what was so last; one that ceases to be drops what doesn't hold yet. */
static void look_at_schedule (RuleModel *model, int second)
{
  gboolean now = is_active (model, second);
  if (now == model->was_active)
    return;
  model->was_active = now;
  for (int i = 0; i < model->subject_count; i++) {
    Subject *subject = &model->subjects[i];
    for (guint step = 0; step < step_count (model->rule); step++)
      if (now && subject->machine[step].last == YES)
        hear (model, subject, step, YES, second);
      else if (!now && !subject->machine[step].is_on)
        subject->machine[step].so_since = NEVER;
    tell (model, subject, second);
  }
}

void rule_model_pass (RuleModel *model, int second)
{
  look_at_schedule (model, second);
  for (int i = 0; i < model->subject_count; i++) {
    Subject *subject = &model->subjects[i];
    for (guint step = 0; step < step_count (model->rule); step++) {
      by_the_clock (model, subject, &subject->machine[step], second);
      if (!subject->machine[step].is_on)
        subject->machine[step].over_since = NEVER;
      if (is_silent (model->rule)
          && second - subject->last_heard >= seconds (comparison_of (model->rule, step)->silent_us)
          && subject->machine[step].last != YES)
        hear (model, subject, step, YES, second);
    }
    if (has_terms (model->rule) && ask_terms (model, second) == NO && subject->machine[0].last == YES)
      hear (model, subject, 0, NO, second);
    tell (model, subject, second);
  }
}

static void read_cause (RuleModel *model, const ModelReading *reading)
{
  if (model->cause == NULL || reading->sensor != 1 || reading->metric != 1)
    return;
  Answer answer = ask (model, &model->cause->when.comparison, 0, reading);
  if (model->is_cause_so && answer == NO)
    model->cause_ended = reading->second;
  if (answer != BETWEEN)
    model->is_cause_so = answer == YES;
}

static void read_subject (RuleModel *model, Subject *subject, const ModelReading *reading)
{
  const RuleWhen *when = &model->rule->when;
  int within = seconds (when->comparison.within_us);
  subject->last_heard = reading->second;
  for (guint step = 0; step < step_count (model->rule); step++) {
    const Comparison *what = comparison_of (model->rule, step);
    gboolean is_change = comparison_condition (what) == CONDITION_CHANGED;
    Answer answer = is_silent (model->rule) ? NO : ask (model, what, within, reading);
    if (answer == YES && when->count > 1 && !is_often_enough (model, subject, reading))
      answer = BETWEEN;
    if (!is_change || answer == YES)
      hear (model, subject, step, answer, reading->second);
    if (!is_change || answer != YES)
      continue;
    tell (model, subject, reading->second);
    hear (model, subject, step, NO, reading->second);
  }
}

void rule_model_read (RuleModel *model, const ModelReading *reading)
{
  g_array_append_val (model->readings, *reading);
  for (int i = 0; i < model->subject_count; i++) {
    Subject *subject = &model->subjects[i];
    if (has_terms (model->rule)) {
      Answer answer = ask_terms (model, reading->second);
      if (answer == YES || subject->machine[0].last == YES)
        hear (model, subject, 0, answer, reading->second);
    } else if (subject->sensor == reading->sensor && reading->metric == 0)
      read_subject (model, subject, reading);
    tell (model, subject, reading->second);
  }
  read_cause (model, reading);
  for (int i = 0; i < model->subject_count; i++)
    tell (model, &model->subjects[i], reading->second);
}

const char *rule_model_story (RuleModel *model)
{
  g_string_assign (model->whole, model->subjects[0].story->str);
  g_string_append (model->whole, model->subjects[1].story->str);
  return model->whole->str;
}

RuleModel *rule_model_new (const Rule *rule, const Rule *cause, int start_minute)
{
  RuleModel *model = g_new0 (RuleModel, 1);
  model->rule = rule;
  model->cause = cause;
  model->start_minute = start_minute;
  model->readings = g_array_new (FALSE, FALSE, sizeof (ModelReading));
  model->whole = g_string_new (NULL);
  model->subject_count = has_terms (rule) ? 1 : 2;
  model->cause_ended = NEVER;
  model->was_active = is_active (model, 0);
  for (int i = 0; i < 2; i++) {
    Subject *subject = &model->subjects[i];
    subject->story = g_string_new (NULL);
    subject->sensor = has_terms (rule) ? -1 : i;
    g_strlcpy (subject->subject, has_terms (rule) ? "grid" : i == 0 ? "a" : "b", sizeof subject->subject);
    for (int step = 0; step < STEPS; step++)
      subject->machine[step] = (Machine){ FALSE, NEVER, NEVER, NO };
  }
  return model;
}

void rule_model_free (RuleModel *model)
{
  g_string_free (model->subjects[0].story, TRUE);
  g_string_free (model->subjects[1].story, TRUE);
  g_string_free (model->whole, TRUE);
  g_array_unref (model->readings);
  g_free (model);
}
