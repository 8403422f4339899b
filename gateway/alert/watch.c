#include "gateway/alert/watch.h"

#include <string.h>

Watch *watch_new (const char *rule, const char *subject_kind, const char *subject_id, const char *grid,
                  const char *category, Severity severity, gint64 hold_us)
{
  Watch *watch = g_new0 (Watch, 1);
  watch->rule = g_strdup (rule);
  watch->subject = g_strconcat (subject_kind, ":", subject_id, NULL);
  watch->grid = g_strdup (grid);
  watch->category = g_strdup (category);
  watch->severity = severity;
  watch->hold_us = hold_us;
  return watch;
}

Watch *watch_new_for_rule (const Rule *rule, const Sensor *sensor)
{
  Watch *watch = watch_new (rule->id, "sensor", sensor->id, sensor->grid, rule->category, rule->severity, rule->hold_us);
  watch->site_rule = rule;
  g_autofree char *meaning = g_strdup_printf ("%d %.17g %.17g %" G_GINT64_FORMAT " %s", (int) rule->condition,
                                              rule->threshold, rule->clear, rule->hold_us,
                                              rule->match_metric != NULL ? rule->match_metric : "");
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, meaning, -1);
  g_strlcpy (watch->definition, hash, sizeof watch->definition);
  return watch;
}

char *watch_key (const char *rule, const char *subject)
{
  return g_strconcat (rule, "\n", subject, NULL);
}

const char *watch_subject_id (const Watch *watch, const char *subject_kind)
{
  gsize length = strlen (subject_kind);
  return strncmp (watch->subject, subject_kind, length) == 0 && watch->subject[length] == ':'
           ? watch->subject + length + 1
           : NULL;
}

Truth watch_judge (const Watch *watch, double value)
{
  const Rule *rule = watch->site_rule;
  if (rule->condition == CONDITION_ABOVE)
    return value > rule->threshold ? TRUTH_TRUE : value < rule->clear ? TRUTH_FALSE : TRUTH_BETWEEN;
  return value < rule->threshold ? TRUTH_TRUE : value > rule->clear ? TRUTH_FALSE : TRUTH_BETWEEN;
}

void watch_reset (Watch *watch)
{
  watch->phase = PHASE_IDLE;
  watch->hold_ends = watch->last_at_us = 0;
  watch->has_value = FALSE;
  g_clear_pointer (&watch->unit, g_free);
  g_clear_pointer (&watch->alert, g_free);
}

void watch_read (Watch *watch, Statement *row)
{
  watch_reset (watch);
  watch->phase = (Phase) statement_integer (row, 1);
  watch->hold_ends = statement_integer (row, 2);
  watch->last_at_us = statement_integer (row, 3);
  watch->has_value = !statement_is_null (row, 4);
  watch->value = statement_real (row, 4);
  watch->unit = g_strdup (statement_text (row, 5));
  watch->alert = g_strdup (statement_text (row, 6));
}

gboolean watch_write (const Watch *watch, Database *database, GError **error)
{
  if (watch->phase == PHASE_IDLE)
    return database_run (database, error, "DELETE FROM rule_states WHERE rule = ? AND subject = ?", "ss", watch->rule,
                         watch->subject);
  return database_run (database, error,
                       "INSERT OR REPLACE INTO rule_states"
                       " (rule, subject, definition, phase, hold_ends, last_at, value, unit, alert)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, CASE WHEN ?7 THEN ?8 END, ?9, ?10)",
                       "sssiiiidss", watch->rule, watch->subject, watch->definition, (gint64) watch->phase,
                       watch->hold_ends, watch->last_at_us, (gint64) watch->has_value, watch->value, watch->unit,
                       watch->alert);
}

void watch_free (Watch *watch)
{
  if (watch == NULL)
    return;
  watch_reset (watch);
  g_free (watch->category);
  g_free (watch->grid);
  g_free (watch->subject);
  g_free (watch->rule);
  g_free (watch);
}
