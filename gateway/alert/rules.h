/* rules.h: the rules of a site over its readings: the one engine for live alerts, for replays and for previews.
 *
 * It knows neither database nor network nor clock: whoever drives it says what time it is, takes what opens, changes and
 * clears, and keeps the states that it is given to keep. Readings are looked up by sensor and metric; judging one allocates
 * nothing unless something begins or ends.
 *
 * thread: one at a time. */
#pragma once

#include "gateway/alert/rate_window.h"
#include "gateway/alert/watch.h"
#include "gateway/model/site.h"

typedef struct Rules Rules;

/* The rule clock never steps: holds, windows and silence run on it. Schedules and what alerts show are by the wall clock. */
typedef struct {
  gint64 rule, wall;
} RuleTime;

/* What a rule remembers of one metric of one sensor. */
typedef struct Feed {
  struct Feed *next; /* of those that the same readings concern (rules_private.h) */
  Watch *watch;
  const char *sensor; /* borrowed from the site */
  guint8 term;        /* whose, of a rule with terms */
  guint8 has_last, is_unkept; /* booleans: there are ten feeds a sensor */
  guint64 last;      /* of changed: the value before (reading_word) */
  gint64 last_at_us; /* and its phenomenon time */
  gint64 heard; /* of silent: rule clock */
  RateWindow *window; /* of rise and fall */
  struct RulesLate *late; /* while late data is gone through */
} Feed;

/* FALSE with an error ends what was called and is what it returns. */
typedef struct {
  gpointer self;
  /* Gives the watch its alert (watch_set_alert). */
  gboolean (*opened) (gpointer self, Watch *watch, gint64 at_us, GError **error);
  /* The alert's severity is another. */
  gboolean (*changed) (gpointer self, Watch *watch, gint64 at_us, GError **error);
  gboolean (*cleared) (gpointer self, Watch *watch, gint64 at_us, GError **error);
  /* To be written now, in the transaction of what caused it. May be NULL. */
  gboolean (*keep) (gpointer self, const Watch *watch, GError **error);
  gboolean (*remember) (gpointer self, const Feed *feed, GError **error);
} RulesPort;

/* `only` (may be NULL): these Rules alone, none of the site's and none of the gateway's own. Keeps a reference to the site. */
Rules *rules_new (Site *site, const GPtrArray *only, const RulesPort *port, RuleTime now);

/* `site` has the same rules, and further sensors behind those of before: site_with_discovered has made it of the same
 * configured one. What is remembered goes on. */
void rules_grow (Rules *rules, Site *site, RuleTime now);

/* In the order in which they were stored. */
gboolean rules_observe (Rules *rules, RuleTime now, const Observation *observation, GError **error);

/* What a reading leaves behind besides alerts and machines: windows, silence. For readings that were judged already. */
void rules_recall (Rules *rules, RuleTime now, const Observation *observation);

/* What is due by the clock. Also notes schedules: call it at least every ten seconds while there are some. */
gboolean rules_pass (Rules *rules, RuleTime now, GError **error);

/* Rule clock of the next thing due; G_MAXINT64: nothing is. */
gint64 rules_next (const Rules *rules);
gboolean rules_have_schedules (const Rules *rules);
gboolean rules_have_unkept (const Rules *rules); /* rules_flush has something to give out */
gboolean rules_hold (const Rules *rules); /* a hold may be running: the rule clock wants keeping */

/* What no reading says, but the gateway itself knows. */
gboolean rules_tell (Rules *rules, RuleTime now, Watch *watch, gboolean is_so, GError **error);

/* NULL: there is none. */
Watch *rules_watch (const Rules *rules, const char *rule, SubjectKind kind, const char *id);
/* Of the gateway's own making; made when there is none yet. Strings are copied. */
Watch *rules_own_watch (Rules *rules, const char *rule, const char *category, Severity severity, gint64 hold_us,
                        SubjectKind kind, const char *id, const char *grid);
Feed *rules_feed (const Rules *rules, const char *rule, const char *sensor, guint term);

/* The late watch of a rule and sensor; made when there is none. NULL: no such rule over such a sensor. */
Watch *rules_late_watch (Rules *rules, const char *rule, const char *sensor);

/* Calls `each` for every watch, but late ones. */
void rules_each (const Rules *rules, void (*each) (Watch *watch, gpointer data), gpointer data);

/* States have been put into watches from outside, after rules_forget or rules_new. Holds that count it are `downtime_us`
 * further. */
void rules_loaded (Rules *rules, gint64 now, gint64 downtime_us);

/* Every machine to its beginning; windows and silence stay. */
void rules_forget (Rules *rules);

/* Gives out what was left to be written later. */
gboolean rules_flush (Rules *rules, GError **error);

/* NULL is taken. */
void rules_free (Rules *rules);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Rules, rules_free)
