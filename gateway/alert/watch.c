#include "gateway/alert/watch.h"

#include <string.h>

static const char *const kind_names[] = { "sensor", "camera", "gateway", "grid", "late" };

guint watch_times (const RulePlan *plan)
{
  return plan->terms > 0 ? plan->terms : plan->count > 1 ? plan->count : 0;
}

Watch *watch_new (RulePlan *plan, SubjectKind kind, const char *id, const char *grid)
{
  Watch *watch = g_malloc0 (sizeof *watch + plan->steps * sizeof *watch->step);
  watch->plan = plan;
  watch->kind = kind;
  watch->id = id;
  watch->grid = grid;
  watch->due = G_MAXINT64;
  if (watch_times (plan) > 0)
    watch->times = g_new0 (gint64, watch_times (plan));
  return watch;
}

const WatchCase *watch_case (const Watch *watch)
{
  static const WatchCase nothing;
  return watch->last_case != NULL ? watch->last_case : &nothing;
}

WatchCase *watch_case_begin (Watch *watch)
{
  if (watch->last_case == NULL)
    watch->last_case = g_new0 (WatchCase, 1);
  return watch->last_case;
}

void watch_set_alert (Watch *watch, const char *id)
{
  WatchCase *last_case = watch_case_begin (watch);
  g_strlcpy (last_case->alert, id, sizeof last_case->alert);
}

char *watch_subject (const Watch *watch)
{
  return g_strconcat (kind_names[watch->kind], ":", watch->id, NULL);
}

gboolean watch_subject_parse (const char *subject, SubjectKind *kind, const char **id)
{
  const char *colon = strchr (subject, ':');
  for (guint i = 0; colon != NULL && i < G_N_ELEMENTS (kind_names); i++) {
    gsize length = (gsize) (colon - subject);
    if (strlen (kind_names[i]) != length || strncmp (kind_names[i], subject, length) != 0)
      continue;
    *kind = (SubjectKind) i;
    *id = colon + 1;
    return TRUE;
  }
  return FALSE;
}

/* One step's machine */

static void enter (WatchStep *step, StepPhase phase, gint64 due)
{
  step->phase = (guint8) phase;
  step->due = due;
}

static void step_off (Watch *watch, WatchStep *step)
{
  enter (step, STEP_OFF, 0);
  if (watch->plan->count > 1) /* what was counted has had its alert */
    memset (watch->times, 0, watch_times (watch->plan) * sizeof *watch->times);
}

static void step_see (Watch *watch, WatchStep *step, Truth truth, gint64 now)
{
  const RulePlan *plan = watch->plan;
  switch ((StepPhase) step->phase) {
  case STEP_OFF:
    if (truth == TRUTH_TRUE)
      enter (step, plan->hold_us > 0 ? STEP_HOLDING : STEP_ON, plan->hold_us > 0 ? now + plan->hold_us : 0);
    break;
  case STEP_HOLDING:
    if (truth != TRUTH_TRUE)
      enter (step, STEP_OFF, 0);
    break;
  case STEP_ON:
    if (truth == TRUTH_FALSE && plan->clear_hold_us > 0)
      enter (step, STEP_CLEARING, now + plan->clear_hold_us);
    else if (truth == TRUTH_FALSE)
      step_off (watch, step);
    break;
  case STEP_CLEARING:
    if (truth != TRUTH_FALSE)
      enter (step, STEP_ON, 0);
    break;
  }
}

gboolean watch_see (Watch *watch, guint index, Truth truth, gint64 now)
{
  WatchStep *step = &watch->step[index];
  WatchStep before = *step;
  gboolean is_kept_from_starting = truth == TRUTH_TRUE && watch->kind != SUBJECT_LATE && !watch->plan->is_active;
  step->truth = (guint8) truth;
  step_see (watch, step, is_kept_from_starting ? TRUTH_BETWEEN : truth, now);
  return step->phase != before.phase || step->due != before.due
         || (watch->plan->has_schedule && step->truth != before.truth);
}

gboolean watch_pass (Watch *watch, gint64 now)
{
  gboolean is_changed = FALSE;
  for (guint i = 0; i < watch->plan->steps; i++) {
    WatchStep *step = &watch->step[i];
    if (step->due > now || (step->phase != STEP_HOLDING && step->phase != STEP_CLEARING))
      continue;
    if (step->phase == STEP_HOLDING)
      enter (step, STEP_ON, 0);
    else
      step_off (watch, step);
    is_changed = TRUE;
  }
  return is_changed;
}

gboolean watch_turn (Watch *watch, gboolean is_active, gint64 now)
{
  gboolean is_changed = FALSE;
  for (guint i = 0; i < watch->plan->steps; i++) {
    WatchStep *step = &watch->step[i];
    StepPhase before = (StepPhase) step->phase;
    if (is_active && step->truth == TRUTH_TRUE)
      step_see (watch, step, TRUTH_TRUE, now);
    else if (!is_active && step->phase == STEP_HOLDING)
      enter (step, STEP_OFF, 0);
    is_changed |= step->phase != before;
  }
  return is_changed;
}

gboolean watch_count (Watch *watch, gint64 now)
{
  guint count = watch->plan->count;
  watch->times[watch->times_next] = MAX (now, 1);
  watch->times_next = (watch->times_next + 1) % count;
  gint64 oldest = watch->times[watch->times_next];
  return oldest != 0 && now - oldest < watch->plan->within_us;
}

void watch_term (Watch *watch, guint index, gint64 now)
{
  watch->times[index] = MAX (now, 1);
}

Truth watch_terms (const Watch *watch, gint64 now, gint64 *until)
{
  const RulePlan *plan = watch->plan;
  gint64 earliest = G_MAXINT64, latest = 0;
  for (guint i = 0; i < plan->terms; i++) {
    gint64 end = watch->times[i] != 0 ? watch->times[i] + plan->within_us : 0;
    earliest = MIN (earliest, end);
    latest = MAX (latest, end);
  }
  *until = plan->needs_all ? earliest : latest;
  return *until > now ? TRUTH_TRUE : TRUTH_FALSE;
}

guint watch_level (const Watch *watch)
{
  for (guint i = watch->plan->steps; i > 0; i--)
    if (watch->step[i - 1].phase == STEP_ON || watch->step[i - 1].phase == STEP_CLEARING)
      return i;
  return 0;
}

gint64 watch_next_due (const Watch *watch)
{
  gint64 due = G_MAXINT64;
  for (guint i = 0; i < watch->plan->steps; i++)
    if (watch->step[i].phase == STEP_HOLDING || watch->step[i].phase == STEP_CLEARING)
      due = MIN (due, watch->step[i].due);
  return due;
}

gboolean watch_is_plain (const Watch *watch)
{
  const RulePlan *plan = watch->plan;
  for (guint i = 0; i < plan->steps; i++)
    if (watch->step[i].phase != STEP_OFF || (plan->has_schedule && watch->step[i].truth == TRUTH_TRUE))
      return FALSE;
  for (guint i = 0; i < watch_times (plan); i++)
    if (watch->times[i] != 0)
      return FALSE;
  return !watch_has_alert (watch) && watch_case (watch)->ended == 0;
}

void watch_reset_steps (Watch *watch)
{
  memset (watch->step, 0, watch->plan->steps * sizeof *watch->step);
  if (watch->times != NULL)
    memset (watch->times, 0, watch_times (watch->plan) * sizeof *watch->times);
}

void watch_reset (Watch *watch)
{
  watch_reset_steps (watch);
  watch->times_next = 0;
  g_clear_pointer (&watch->last_case, g_free);
}

/* A row's bytes are 64-bit words, least byte first: version, flags, ended, ring; two a step; the times. */

enum { PACK_VERSION = 1, PACK_HEAD = 4 };

static guint pack_words (const RulePlan *plan)
{
  return PACK_HEAD + 2 * plan->steps + watch_times (plan);
}

GBytes *watch_pack (const Watch *watch)
{
  const RulePlan *plan = watch->plan;
  const WatchCase *last_case = watch_case (watch);
  guint words = pack_words (plan), at = PACK_HEAD;
  gint64 *word = g_new0 (gint64, words);
  word[0] = GINT64_TO_LE (PACK_VERSION);
  word[1] = GINT64_TO_LE (last_case->is_silenced | (gint64) last_case->severity << 8);
  word[2] = GINT64_TO_LE (last_case->ended);
  word[3] = GINT64_TO_LE (watch->times_next);
  for (guint i = 0; i < plan->steps; i++) {
    word[at++] = GINT64_TO_LE (watch->step[i].phase | watch->step[i].truth << 8);
    word[at++] = GINT64_TO_LE (watch->step[i].due);
  }
  for (guint i = 0; i < watch_times (plan); i++)
    word[at++] = GINT64_TO_LE (watch->times[i]);
  return g_bytes_new_take (word, words * sizeof *word);
}

gboolean watch_unpack (Watch *watch, const void *bytes, gsize size)
{
  const RulePlan *plan = watch->plan;
  guint words = pack_words (plan), at = PACK_HEAD;
  g_autofree gint64 *word = g_memdup2 (bytes, size);
  if (word == NULL || size != words * sizeof *word || GINT64_FROM_LE (word[0]) != PACK_VERSION)
    return FALSE;
  for (guint i = 0; i < words; i++)
    word[i] = GINT64_FROM_LE (word[i]);
  WatchCase *last_case = watch_case_begin (watch);
  last_case->is_silenced = word[1] & 1;
  last_case->severity = (Severity) (word[1] >> 8 & 0xff);
  last_case->ended = word[2];
  watch->times_next = watch->plan->count > 1 ? (guint) word[3] % watch->plan->count : 0;
  for (guint i = 0; i < plan->steps; i++) {
    watch->step[i].phase = word[at] & 3;
    watch->step[i].truth = (guint8) MIN (word[at] >> 8 & 3, TRUTH_TRUE);
    watch->step[i].due = word[at + 1];
    at += 2;
  }
  for (guint i = 0; i < watch_times (plan); i++)
    watch->times[i] = word[at++];
  return TRUE;
}

void watch_free (Watch *watch)
{
  if (watch == NULL)
    return;
  g_free (watch->times);
  g_free (watch->last_case);
  g_free (watch->own_id);
  g_free (watch);
}
