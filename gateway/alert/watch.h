/* watch.h: one rule over one subject, with the state it is in.
 *
 * A watch and its row in rule_states say the same: what changes a watch writes the row in the same job. Idle watches have
 * no row.
 *
 * thread: the store's. */
#pragma once

#include "gateway/model/site.h"
#include "gateway/store/database.h"

typedef enum { PHASE_IDLE, PHASE_HOLDING, PHASE_OPEN } Phase;

/* Whether what the rule looks for is so; between: it neither starts nor clears (the band of hysteresis). */
typedef enum { TRUTH_FALSE, TRUTH_BETWEEN, TRUTH_TRUE } Truth;

typedef struct {
  char *rule;
  char *subject; /* "sensor:ID" "camera:ID" "gateway:ID" */
  char *grid, *category;
  Severity severity;
  gint64 hold_us;
  const Rule *site_rule; /* borrowed from the engine's site; NULL for built-in ones */
  char definition[17];   /* hash of what the rule means: a state outlives a reload only with the same meaning */

  Phase phase;
  gint64 hold_ends; /* rule clock, while holding */
  gint64 last_at_us; /* phenomenon time of the last live reading, while not idle */
  gboolean has_value;
  double value;
  char *unit;
  char *alert; /* while open */
} Watch;

/* `subject_kind` is "sensor", "camera" or "gateway". */
Watch *watch_new (const char *rule, const char *subject_kind, const char *subject_id, const char *grid,
                  const char *category, Severity severity, gint64 hold_us);

/* The same for a rule of the site. */
Watch *watch_new_for_rule (const Rule *rule, const Sensor *sensor);

/* The table's key; free with g_free. */
char *watch_key (const char *rule, const char *subject);

/* What follows "sensor:" and so on; NULL when the subject is of another kind. */
const char *watch_subject_id (const Watch *watch, const char *subject_kind);

/* What a reading says about the watch's rule. */
Truth watch_judge (const Watch *watch, double value);

/* Back to idle, in memory only. */
void watch_reset (Watch *watch);

/* Takes state from a row of "SELECT definition, phase, hold_ends, last_at, value, unit, alert, rule, subject". */
void watch_read (Watch *watch, Statement *row);

/* Writes the row, or removes it when idle. */
gboolean watch_write (const Watch *watch, Database *database, GError **error);

void watch_free (Watch *watch);
