/* alert_engine_private.h: what alert_engine.c (clock, site, conditions), alert_fate.c (what becomes of an alert) and
 * alert_rows.c (states as rows) share. */
#pragma once

#include "gateway/alert/alert_engine.h"
#include "gateway/alert/rules.h"
#include "gateway/alert/silence.h"
#include "gateway/alert/storm.h"

struct AlertEngine {
  Store *store;
  EventBus *events;
  AlertSink sink;
  Clock *clock;
  gint64 clock_base, clock_start; /* rule clock = base + monotonic − start */
  gint64 clock_written;
  gint64 armed; /* rule clock at which the timer is set; G_MAXINT64: it is not */
  gint64 downtime_us;   /* of before this start; 0 once it was counted */
  gint64 last_number;   /* of the last observation that was seen */
  gint64 flushed;       /* rule clock of the last flush */
  gboolean is_recalled; /* what was seen after the last flush before this start has been gone through again */
  Site *site;
  Rules *rules;  /* NULL before the first site */
  Storm *storm;
  GHashTable *storms; /* set of Watch: open ones of alert_storm */
  GHashTable *silenced; /* set of Watch whose alerts are silenced */
  SilenceSet *silences;
  Database *database; /* of the job that runs */
};

RuleTime engine_now (const AlertEngine *engine);

/* alert_fate.c: the port that the rules tell. */
gboolean engine_opened (gpointer self, Watch *watch, gint64 at_us, GError **error);
gboolean engine_changed (gpointer self, Watch *watch, gint64 at_us, GError **error);
gboolean engine_cleared (gpointer self, Watch *watch, gint64 at_us, GError **error);

/* Clears an alert that has no watch any more. */
gboolean engine_clear_alert (AlertEngine *engine, const char *id, gint64 at_us, const char *note, GError **error);

/* Storms and silences that are over. */
gboolean engine_look_at_storms (AlertEngine *engine, GError **error);
gboolean engine_look_at_silences (AlertEngine *engine, GError **error);
gint64 engine_next_storm_end (const AlertEngine *engine);

/* alert_rows.c */
gboolean engine_keep (gpointer self, const Watch *watch, GError **error);
gboolean engine_remember (gpointer self, const Feed *feed, GError **error);
gboolean engine_flush (AlertEngine *engine, GError **error);

/* All states and memories from their rows. `is_whole`: windows and silence too, and what no watch takes is retired. */
gboolean engine_load (AlertEngine *engine, gboolean is_whole, GError **error);
