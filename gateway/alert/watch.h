/* watch.h: one rule over one subject, with the state it is in.
 *
 * Each step of the rule is a small machine of its own: off, holding (so, but not yet for long enough), on, clearing (over,
 * but not yet for long enough). The highest step that is on or clearing is the level; the alert's severity is that level's.
 * A watch knows nothing of rows and alerts' fates: rules.c asks it for its level and keeps both of one mind.
 *
 * `now` is the rule clock, or for a late watch the phenomenon time of its readings.
 *
 * thread: one at a time. */
#pragma once

#include "gateway/alert/rule_plan.h"
#include "gateway/core/ids.h"

typedef enum { STEP_OFF, STEP_HOLDING, STEP_ON, STEP_CLEARING } StepPhase;

/* A late watch goes through data that came late, beside the live one of the same rule and sensor. */
typedef enum { SUBJECT_SENSOR, SUBJECT_CAMERA, SUBJECT_GATEWAY, SUBJECT_GRID, SUBJECT_LATE } SubjectKind;

typedef struct {
  guint8 phase; /* StepPhase */
  guint8 truth; /* Truth as last seen, whether the rule was active or not */
  gint64 due;   /* while holding or clearing */
} WatchStep;

/* What was so last: the reading, and the alert that was made of it. */
typedef struct {
  const char *sensor;  /* whose reading it was; borrowed; NULL: nobody's */
  gint64 reading_at_us; /* phenomenon time of the last reading while not off */
  gboolean has_value;
  double value;
  const char *unit; /* interned */
  char alert[ULID_LENGTH + 1]; /* "" while there is none */
  Severity severity;           /* the alert's */
  gboolean is_silenced;        /* the alert is: nobody was told */
  gint64 ended; /* rule clock: when the alert cleared, where others wait for that; 0: long ago */
} WatchCase;

typedef struct Watch {
  RulePlan *plan;
  SubjectKind kind;
  gboolean is_holding;   /* rules.c: it is counted as such */
  const char *id;        /* of the subject; "" for the gateway; borrowed, or owned where `own_id` is set */
  char *own_id;
  const char *grid;      /* borrowed */

  gint64 *times;    /* of terms: when each was last so; of a count: when it was so, a ring. 0: never */
  guint times_next; /* of the ring */
  WatchCase *last_case; /* NULL until something was so: of ten watches a sensor most have seen nothing */

  gint64 due;      /* when it wants to be looked at; G_MAXINT64: never */
  guint heap_index; /* 0: not in the heap (due_heap.h) */

  WatchStep step[]; /* as many as its plan has: most have one, and there are ten watches a sensor */
} Watch;

Watch *watch_new (RulePlan *plan, SubjectKind kind, const char *id, const char *grid);

/* Of zeros while nothing was so; and one to write to. */
const WatchCase *watch_case (const Watch *watch);
WatchCase *watch_case_begin (Watch *watch);

static inline gboolean watch_has_alert (const Watch *watch)
{
  return watch->last_case != NULL && watch->last_case->alert[0] != '\0';
}

/* "": it has none. */
void watch_set_alert (Watch *watch, const char *id);

/* No step has seen anything, nothing was so. */
void watch_reset_steps (Watch *watch);

/* How many there are in `times`. */
guint watch_times (const RulePlan *plan);

/* "sensor:ID" "camera:ID" "gateway:ID" "grid:ID" "late:ID"; free with g_free. */
char *watch_subject (const Watch *watch);
gboolean watch_subject_parse (const char *subject, SubjectKind *kind, const char **id);

/* Step `index` is seen to be `truth` at `now`. TRUE when the state changed. */
gboolean watch_see (Watch *watch, guint index, Truth truth, gint64 now);

/* What ends by the clock ends. TRUE when the state changed. */
gboolean watch_pass (Watch *watch, gint64 now);

/* The rule has become active or inactive. TRUE when the state changed. */
gboolean watch_turn (Watch *watch, gboolean is_active, gint64 now);

/* A reading found what is counted so: whether it was so often enough now. */
gboolean watch_count (Watch *watch, gint64 now);

/* Term `index` was so just now. What it comes to: see watch_terms. */
void watch_term (Watch *watch, guint index, gint64 now);

/* Whether all or any terms were so within the window, and until when that lasts without a further reading. */
Truth watch_terms (const Watch *watch, gint64 now, gint64 *until);

/* Number of the highest step that is on, from 1; 0: none. */
guint watch_level (const Watch *watch);

/* Earliest end of a hold, G_MAXINT64 when none runs. */
gint64 watch_next_due (const Watch *watch);

/* Nothing is known of it that a new one wouldn't know. */
gboolean watch_is_plain (const Watch *watch);

/* Everything but its heap place. */
void watch_reset (Watch *watch);

/* The machines' state as bytes, and back; FALSE when they are not of such a plan. */
GBytes *watch_pack (const Watch *watch);
gboolean watch_unpack (Watch *watch, const void *bytes, gsize size);

/* NULL is taken. */
void watch_free (Watch *watch);
