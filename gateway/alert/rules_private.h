/* rules_private.h: what rules.c (states and time), rules_build.c (the index), rules_keep.c (rows that are written later) and
 * rules_read.c (readings) share. */
#pragma once

#include "gateway/alert/due_heap.h"
#include "gateway/alert/rules.h"

/* Late data that stops coming is over after this. */
#define LATE_IDLE_US (10 * G_TIME_SPAN_MINUTE)

/* A machine of its own for data that came late: its clock is the readings' own time. */
typedef struct RulesLate {
  Watch *watch;
  Feed *feed;
  RateWindow *window;
  guint8 has_last;
  guint64 last;
} RulesLate;

/* In the order of the rules; borrowed. */
typedef struct {
  Feed *first, *last;
} FeedList;

typedef struct {
  const char *metric; /* borrowed from the site */
  FeedList feeds;
} Series;

typedef struct {
  Series *series;
  guint series_count;
  FeedList silent; /* those that any reading of the sensor concerns */
} SensorFeeds;

/* A rule that others wait for. */
typedef struct {
  GPtrArray *watches;  /* borrowed */
  gint64 recovery_us; /* the longest */
} Awaited;

struct Rules {
  RulesPort port;
  Site *site;
  GTimeZone *zone;
  GPtrArray *plans;    /* of RulePlan, owned */
  GHashTable *own_plans; /* all that makes one → RulePlan, borrowed */
  GHashTable *watches; /* set of Watch, owned, by rule, kind and id */
  GHashTable *late;    /* Watch → RulesLate, owned */
  GPtrArray *feeds;    /* of Feed, owned */
  GHashTable *sensors; /* id → SensorFeeds */
  GHashTable *awaited; /* rule id → Awaited */
  GHashTable *quiet;   /* set of Watch that would open if nothing kept them quiet */
  GHashTable *unkept;  /* set of Watch whose row may be written later */
  GPtrArray *unkept_feeds; /* of Feed */
  DueHeap *heap;
  gboolean has_own; /* the gateway's own rules are among them */
  gboolean has_schedules, may_speak; /* may_speak: what kept others quiet is over */
  int holds;           /* watches that hold or clear */
  gint64 minute;       /* of the wall clock, when schedules were last looked at */
};

guint watch_hash (gconstpointer watch);
gboolean watch_equal (gconstpointer left, gconstpointer right);

/* Makes plans, watches, feeds and the index. */
void rules_build (Rules *rules, const GPtrArray *only, RuleTime now);
void rules_add_watch (Rules *rules, Watch *watch);

/* Notes when the watch is due next. */
void rules_arm (Rules *rules, Watch *watch, gint64 now);

/* Brings alert, row and heap to what the machines say. `at_us`: what the alert shows. */
gboolean rules_settle (Rules *rules, Watch *watch, RuleTime now, gint64 at_us, gboolean is_changed, GError **error);

/* The late watch of a feed is over; its alert clears with the last reading. */
gboolean rules_end_late (Rules *rules, RulesLate *late, RuleTime now, GError **error);
RulesLate *rules_begin_late (Rules *rules, Feed *feed);

/* Whether the feed's memory has to be kept at all. */
gboolean feed_has_memory (const Feed *feed);
void rules_keep_feed_later (Rules *rules, Feed *feed);

SensorFeeds *rules_sensor (const Rules *rules, const char *sensor);
const Series *sensor_series (const SensorFeeds *sensor, const char *metric); /* NULL: no rule reads it */

/* Looks whether rules have become active or inactive. */
gboolean rules_look_at_schedules (Rules *rules, RuleTime now, GError **error);
gboolean rules_let_speak (Rules *rules, RuleTime now, GError **error);
