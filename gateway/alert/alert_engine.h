/* alert_engine.h: the rules at work: from observations and conditions to alerts, with their rows.
 *
 * rules.h judges; this drives it with the clock, writes its states in the transaction of what changed them, so that a kill
 * at any point leaves rules and alerts of one mind, and passes alerts on: to the sink, to nobody while a silence covers
 * them, to the incident of a storm. Holds, windows and silence run on the rule clock: time while gridgate runs, kept in the
 * database at least every half second while a hold runs; so a hold of which 8 of 10 s had run when the gateway was killed
 * goes on at 8, unless its rule counts the downtime.
 *
 * Made, set and freed on the main thread; what says "store" runs there, inside a job. */
#pragma once

#include "gateway/alert/alert_sink.h"
#include "gateway/core/event_bus.h"
#include "gateway/model/observation.h"
#include "gateway/store/store.h"

typedef struct AlertEngine AlertEngine;

/* Before the first job: registers itself for failed commits. `events` and `sink` (copied) may be NULL. */
AlertEngine *alert_engine_new (Store *store, EventBus *events, const AlertSink *sink, GError **error);

/* thread: any but the store's; waits. States of unchanged rules stay; alerts of rules, sensors and cameras that are gone are
 * cleared with a note. */
gboolean alert_engine_set_site (AlertEngine *engine, Site *site, GError **error);

/* thread: store. One observation, in the order of numbers. */
gboolean alert_engine_observe (AlertEngine *engine, Database *database, const Observation *observation, GError **error);

/* thread: store. Silences were added or ended in this transaction. */
gboolean alert_engine_silences_changed (AlertEngine *engine, Database *database, GError **error);

/* thread: any. The camera's state changed: after its down_after without a picture "camera_down" opens; it clears as soon
 * as the camera is up (live, or idle on demand). */
void alert_engine_camera_state (AlertEngine *engine, const char *camera, gboolean is_up);

/* thread: any. The camera's recording stopped though it should run, or runs again: "recording_stopped". */
void alert_engine_recording_state (AlertEngine *engine, const char *camera, gboolean is_stopped);

/* A condition of the gateway's own making, such as "disk_full" or "broker_down". */
typedef struct {
  const char *rule, *category;
  const char *subject; /* what it holds for; "" for the gateway */
  Severity severity;
  gint64 hold_us; /* how long it must hold first; 0: at once */
} AlertCondition;

/* thread: store. Calling it again with the same truth changes nothing. */
gboolean alert_engine_condition (AlertEngine *engine, Database *database, const AlertCondition *condition,
                                 gboolean is_true, GError **error);

/* thread: any. The same as a job of its own. */
void alert_engine_post_condition (AlertEngine *engine, const AlertCondition *condition, gboolean is_true);

/* After the store has ended its jobs or before any has been made. NULL is taken. */
void alert_engine_free (AlertEngine *engine);
