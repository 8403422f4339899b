#include "gateway/alert/rehearsal.h"

#include "gateway/alert/rules.h"

/* Schedules are looked at as often as the live engine does. */
#define LOOK_EVERY_US (10 * G_USEC_PER_SEC)

struct Rehearsal {
  const Rule *rule;
  GPtrArray *only;
  Rules *rules;
  RuleTime now;
  RehearsalTold told;
  gpointer data;
  GHashTable *open; /* Watch → Alert */
  guint64 alerts;   /* number of the last one, of which its id is made */
};

static void free_alert (gpointer data)
{
  alert_free (data);
}

static void tell (Rehearsal *rehearsal, const Watch *watch, const Alert *alert, const char *event)
{
  if (rehearsal->rule == NULL || watch->plan->rule == rehearsal->rule)
    rehearsal->told (rehearsal->data, alert, event);
}

static Alert *alert_of (Rehearsal *rehearsal, const Watch *watch, gint64 at_us)
{
  Alert *alert = g_new0 (Alert, 1);
  guint64 number = GUINT64_TO_BE (++rehearsal->alerts);
  guint8 rest[10] = { 0 };
  gboolean is_sensor = watch->kind == SUBJECT_SENSOR || watch->kind == SUBJECT_LATE;
  for (guint i = 0; i < sizeof number; i++)
    rest[i + 2] = ((const guint8 *) &number)[i];
  alert->id = ulid_of (at_us, rest); /* the same each time that the same capture is gone through */
  alert->opened_at_us = at_us;
  alert->rule = g_strdup (watch->plan->rule->id);
  alert->sensor = g_strdup (is_sensor ? watch->id : watch->kind == SUBJECT_GRID ? watch_case (watch)->sensor : NULL);
  alert->grid = g_strdup (watch->grid);
  alert->category = g_strdup (watch->plan->rule->category);
  alert->historical = watch->kind == SUBJECT_LATE;
  alert->unit = g_strdup (watch_case (watch)->unit);
  return alert;
}

static void take_state (Alert *alert, const Watch *watch)
{
  const WatchCase *last_case = watch_case (watch);
  alert->severity = last_case->severity;
  alert->peak = MAX (alert->peak, last_case->severity);
  alert->has_value = last_case->has_value;
  alert->value = last_case->value;
}

static gboolean opened (gpointer self, Watch *watch, gint64 at_us, GError **error)
{
  Rehearsal *rehearsal = self;
  Alert *alert = alert_of (rehearsal, watch, at_us);
  (void) error;
  take_state (alert, watch);
  watch_set_alert (watch, alert->id);
  g_hash_table_insert (rehearsal->open, watch, alert);
  tell (rehearsal, watch, alert, "opened");
  return TRUE;
}

static gboolean changed (gpointer self, Watch *watch, gint64 at_us, GError **error)
{
  Rehearsal *rehearsal = self;
  Alert *alert = g_hash_table_lookup (rehearsal->open, watch);
  (void) at_us, (void) error;
  take_state (alert, watch);
  tell (rehearsal, watch, alert, "changed");
  return TRUE;
}

static gboolean cleared (gpointer self, Watch *watch, gint64 at_us, GError **error)
{
  Rehearsal *rehearsal = self;
  Alert *alert = g_hash_table_lookup (rehearsal->open, watch);
  (void) error;
  alert->cleared_at_us = MAX (at_us, alert->opened_at_us);
  tell (rehearsal, watch, alert, "cleared");
  g_hash_table_remove (rehearsal->open, watch);
  return TRUE;
}

/* The rule, and the site's rules that it waits for, one after the other. */
static GPtrArray *with_what_it_waits_for (const Site *site, const Rule *rule)
{
  GPtrArray *only = g_ptr_array_new ();
  for (; rule != NULL && only->len <= site->rules->len; rule = site_rule (site, rule->unless.alert))
    g_ptr_array_add (only, (gpointer) rule);
  return only;
}

Rehearsal *rehearsal_new (Site *site, const Rule *rule, gint64 start_us, RehearsalTold told, gpointer data)
{
  Rehearsal *rehearsal = g_new0 (Rehearsal, 1);
  const RulesPort port = { .self = rehearsal, .opened = opened, .changed = changed, .cleared = cleared };
  rehearsal->rule = rule;
  rehearsal->only = rule != NULL ? with_what_it_waits_for (site, rule) : NULL;
  rehearsal->told = told;
  rehearsal->data = data;
  rehearsal->open = g_hash_table_new_full (NULL, NULL, NULL, free_alert);
  rehearsal->now = (RuleTime){ 0, start_us };
  rehearsal->rules = rules_new (site, rehearsal->only, &port, rehearsal->now);
  return rehearsal;
}

void rehearsal_grow (Rehearsal *rehearsal, Site *site)
{
  rules_grow (rehearsal->rules, site, rehearsal->now);
}

void rehearsal_pass (Rehearsal *rehearsal, gint64 wall_us)
{
  RuleTime *now = &rehearsal->now;
  gint64 left_us = MAX (wall_us - now->wall, 0);
  gint64 end = now->rule + left_us, wall_at_zero = wall_us - end;
  while (now->rule < end) {
    gint64 next = MIN (rules_next (rehearsal->rules), end);
    if (rules_have_schedules (rehearsal->rules))
      next = MIN (next, now->rule + LOOK_EVERY_US);
    now->rule = MAX (next, now->rule);
    now->wall = wall_at_zero + now->rule;
    rules_pass (rehearsal->rules, *now, NULL);
    if (next == end)
      break;
  }
  now->wall = wall_us;
}

void rehearsal_observe (Rehearsal *rehearsal, gint64 wall_us, const Observation *observation)
{
  rehearsal_pass (rehearsal, wall_us);
  rules_observe (rehearsal->rules, rehearsal->now, observation, NULL);
}

void rehearsal_free (Rehearsal *rehearsal)
{
  if (rehearsal == NULL)
    return;
  rules_free (rehearsal->rules);
  g_hash_table_unref (rehearsal->open);
  g_clear_pointer (&rehearsal->only, g_ptr_array_unref);
  g_free (rehearsal);
}
