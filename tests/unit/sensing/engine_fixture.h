/* engine_fixture.h: an alert engine on a store of its own, with a clock that stands still until it is moved. */
#pragma once

#include "gateway/alert/alert_book.h"
#include "gateway/alert/alert_engine.h"

#define SECOND G_TIME_SPAN_SECOND

typedef struct {
  char *folder;
  Clock *clock;
  Store *store;
  EventBus *bus;
  AlertEngine *engine;
  Site *site;
  int opened, cleared, changed, joined; /* what the sink was told of, committed or not */
  Severity last_severity;               /* of the last change */
  gboolean sink_fails;
} Fixture;

/* Takes the site, which is not yet published. */
Fixture *fixture_with (Site *site);

/* The same with what `folder`, which it takes, has already. */
Fixture *fixture_in (char *folder, Site *site);
void fixture_free (Fixture *fixture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

/* Two sensors, a camera, and the rule "flood" over them. */
Site *flood_site (double threshold, double clear, gint64 hold_us);

/* The running engine goes over to another site, which it takes. */
void change_site (Fixture *fixture, Site *site);

/* As after a kill: what was committed is there, the time since then has passed. */
void restart_after (Fixture *fixture, gint64 microseconds);

/* A job of the store; `fails`: it fails after the engine has seen the observation. */
typedef struct {
  AlertEngine *engine;
  Observation *observation;
  gboolean fails;
} FeedJob;
gboolean feed_job (Database *database, gpointer data, GError **error);

/* A reading of water_level, now. feed takes it. */
Observation *reading (Fixture *fixture, const char *sensor, double value);
gboolean feed (Fixture *fixture, Observation *observation);
void feed_value (Fixture *fixture, const char *sensor, double value);

/* Time passes at once, or as for a gateway whose timers run. */
void pass (Fixture *fixture, gint64 microseconds);
void pass_in_steps (Fixture *fixture, gint64 microseconds);

/* `state` may be NULL. */
json_t *alerts (Fixture *fixture, const char *state);
guint count_alerts (Fixture *fixture, const char *state);
