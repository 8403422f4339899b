/* observe.h: from broker messages to stored observations: the sensor path of the gateway.
 *
 * A broker's thread hands messages in. The store's thread decodes and normalises what waits as one batch, commits the
 * observations to the day's file, lets the durable ones be acknowledged (the others are as soon as they wait), passes the
 * observations through the rules and counts, in the transaction of the main database.
 * Observations beyond the number that this transaction carries pass the rules again after a start or a failed commit.
 *
 * Made, set and freed on the main thread. */
#pragma once

#include <jansson.h>

#include "gateway/core/event_bus.h"
#include "gateway/model/broker_port.h"
#include "gateway/model/decoder.h"
#include "gateway/model/observation.h"
#include "gateway/store/store.h"

typedef struct Observe Observe;

/* Where observations go: the rules. thread: the store's, inside the job that counts them. */
typedef struct {
  gpointer self;
  gboolean (*observed) (gpointer self, Database *database, const Observation *observation, GError **error);
} ObservationSink;

/* `events` may be NULL. Before the store's first job; the alert engine registers first, so that its memory is loaded
 * again before observations pass once more. */
Observe *observe_new (Store *store, EventBus *events, DecoderFind find_decoder, const BrokerPort *brokers,
                      const ObservationSink *sink, GError **error);

/* Waits for the store. Opens, changes and closes what differs. The first call passes what was left unapplied, so the
 * rules must know the site by then. */
gboolean observe_set_site (Observe *observe, Site *site, GError **error);

/* Before each observe_set_site, and before the rules are told: `site` (configured, or from here) with the sensors that its
 * templates have become; those that no template describes any more will be forgotten. Nothing is discovered from now on until
 * observe_set_site or observe_keep_site. Waits for the store; NULL with an error: nothing has changed. */
Site *observe_complete_site (Observe *observe, Site *site, GError **error);
void observe_keep_site (Observe *observe);

/* thread: any. Whether observe_complete_site would give another site than the last time. Until that is set, what is stored
 * passes no rules: soon is best. */
gboolean observe_has_discovered (Observe *observe);

/* thread: any but the store's; waits. A sensor that was discovered is forgotten with the next site; its next message makes it
 * known again. ERROR_RETRY: not now. */
gboolean observe_forget_sensor (Observe *observe, const char *sensor, GError **error);

/* Is told of every change of a broker's state. thread: the adapter's; must not wait. Set before the first site. */
typedef void (*ObserveBrokerChanged) (gpointer data, const char *broker, const BrokerStatus *status);
void observe_set_broker_changed (Observe *observe, ObserveBrokerChanged changed, gpointer data);

/* Retention takes `rows` observations that were stored on `day` (YYYY-MM-DD), now if this is TRUE, else they stay for a while. It may be
 * told of the same ones again when it could not take them. thread: one of its own, which may wait. Set before the first site. */
typedef gboolean (*ObservationsDeleted) (gpointer data, const char *day, gint64 rows, GError **error);
void observe_set_deleted (Observe *observe, ObservationsDeleted deleted, gpointer data);

/* thread: any. {"brokers":[{"id","state","reason","detail","since","session_present","sessions_lost","received","stored",
 * "rejected":{},"dropped":{},"pending","broker_dropped","broker_dropped_at","sensors":[{"id","received",…}],"templates":[{"id",
 * "topic","devices","max_devices","unknown_grid"}]}]}: the account as last written, with each batch or in a flood once a second, so
 * that it never goes back; `session_present` null until the broker is reached. */
json_t *observe_accounting_json (Observe *observe);

/* thread: any. A sensor's last values, when it was heard, and what is known of its clock (device_clock_to_json): {"id","heard_at",
 * "values":[{"metric","value","unit","phenomenon_time","receive_time","quality"}],"device_clock":{…}}; NULL when the site has no
 * such sensor. */
json_t *observe_sensor_json (Observe *observe, const char *sensor);

/* thread: any. FALSE when the site has no such broker. */
gboolean observe_broker_status (Observe *observe, const char *broker, BrokerStatus *status);

/* thread: any; reads files. Rejected payloads of late, newest first: {"items":[{"at","broker","topic","sensor","reason",
 * "detail","payload"|"payload_base64"}],"next":null}. `broker` and `sensor` may be NULL: any. What is kept: observation_files.h. */
json_t *observe_rejected (const char *data_dir, const char *broker, const char *sensor, guint limit);

/* thread: any; reads files. {"items":[observation…],"next":CURSOR|null} by phenomenon time. `sensor` and `metric` may be
 * NULL: all; `from_us` to `to_us` (excluded). */
typedef struct {
  const char *sensor, *metric;
  gint64 from_us, to_us;
  guint limit;
  const char *cursor;
} ObservationQuery;
json_t *observe_query (const char *data_dir, const char *gateway, const ObservationQuery *query, GError **error);

/* Number of messages that wait, for metrics. thread: any. */
guint observe_waiting (Observe *observe);

/* Ends the broker connections, before the store is closed. What is not acknowledged by then the brokers deliver again. */
void observe_stop (Observe *observe);

/* After observe_stop, and the store has been closed. NULL is taken. */
void observe_free (Observe *observe);
