/* observe_private.h: what observe.c (life, site), observe_brokers.c, observe_views.c, batch.c, store_message.c and discovery.c (the store's thread) share. */
#pragma once

#include "gateway/observe/account.h"
#include "gateway/observe/broker_losses.h"
#include "gateway/observe/discovered.h"
#include "gateway/observe/intake.h"
#include "gateway/observe/last_values.h"
#include "gateway/observe/message_steps.h"
#include "gateway/observe/observation_keeper.h"
#include "gateway/observe/observe.h"

enum { INTAKE_MESSAGES = 10000, BATCH_MESSAGES = 500 };
#define INTAKE_BYTES (64 * 1024 * 1024)

/* A batch job comes soon anyway: for what is not durable, or for all. */
typedef enum { GATHERING_NOTHING, GATHERING_REST, GATHERING_ALL } Gathering;

typedef struct {
  const char *broker, *sensor; /* borrowed from the batch; sensor "" for the broker itself */
  OutcomeKind kind;
  const char *reason;
} Outcome;

struct Observe {
  Store *store;
  EventBus *events;
  Clock *clock;
  DecoderFind find_decoder;
  const BrokerPort *port;
  ObservationSink sink;
  ObserveBrokerChanged changed;
  gpointer changed_data;

  Intake *intake;
  AccountBook *accounts;
  ObservationKeeper *keeper;
  LastValues *last_values;
  BrokerLosses *losses;
  gint is_scheduled; /* atomic: a batch job waits in the store */
  gint gathering;    /* atomic: of Gathering */
  gint has_durable;  /* atomic: something durable was taken in since the store was last asked for a batch */

  GMutex mutex;        /* over routes and brokers */
  Routes *routes;      /* NULL before the first site */
  GHashTable *brokers; /* id → BrokerSlot (observe_brokers.c) */

  /* The store's thread alone, from here on. */
  ObservationFiles *files;
  GHashTable *deliveries; /* broker → Deliveries */
  GHashTable *requested;  /* topic → when a device was told something there (gint64, monotonic) */
  GPtrArray *batch;       /* of Pending: taken, not yet on disk */
  gboolean is_batch_durable; /* the last one held something durable */
  GPtrArray *touched;     /* of SensorInput: whose filters this batch has changed */
  GArray *outcomes;       /* of Outcome, of the open transaction */
  GPtrArray *fresh;       /* of Observation: on disk, events not yet published */
  Decoded *decoded;
  Discovered *discovered; /* of the routes' configured site; NULL before the first site */
  Discovered *adopting;   /* whose site the main thread goes over to, may be the same: nothing is discovered meanwhile; NULL: none */
  GPtrArray *stale_rows;  /* of char *, "broker\ntopic": to be deleted with that */
  guint discovered_saved; /* how many of the first of `discovered` are on disk */
  GHashTable *warned;     /* set of "template\nreason": of which people have been told */
  gboolean are_rules_behind; /* they don't know all sensors that are stored: nothing passes them */
  gint has_discovered;    /* atomic: the main thread's site lacks some, or has some that are forgotten */
  gint64 applied;         /* number of the last observation that rules have seen */
  gint64 applied_written; /* the same as the main database has it */
  gint64 counted;         /* … that the accounts have, once they were written; 0 until then */
  gint64 hashes_written_us; /* monotonic */
  gint64 accounts_saved_us; /* monotonic */
  gint64 retry_at_us;     /* monotonic: before it a batch that couldn't be stored isn't tried again */
  gint64 counted_again;   /* number of the last observation that was counted after the start */
  GHashTable *announced;  /* "sensor\nmetric" → gint64 monotonic: when watchers were last told */
  gint64 announced_second;
  guint announced_in_second;
};

/* thread: any. A new reference; NULL before the first site. */
Routes *observe_routes (Observe *observe);

/* Empty, for `brokers`. */
GHashTable *observe_brokers_table (void);

/* thread: main. Connections and subscriptions follow the site. */
void observe_set_brokers (Observe *observe, const Site *site, Routes *routes);

/* thread: main. Waits until nothing comes from them any more. */
void observe_close_brokers (Observe *observe);

/* thread: any. Adds the connection's state to `object`; nothing when there is none. */
void observe_describe_connection (Observe *observe, const char *broker, json_t *object);

/* thread: any. Makes sure that a batch job will run. */
void observe_schedule (Observe *observe);

/* The job. Data is the Observe. */
gboolean observe_run_batch (Database *database, gpointer data, GError **error);

/* thread: store, inside a job. All messages of the batch, in one transaction of the observations' files; how they ended stands in
 * `outcomes`. On an error nothing is stored. */
gboolean observe_store_batch (Observe *observe, GError **error);

/* thread: store. Ends what the batch has done to filters and hashes: takes it back unless it is stored. */
void observe_settle_filters (Observe *observe, gboolean is_stored);

/* thread: store, inside a job. Messages of the batch that are of unknown sensors make them known; `*is_waiting` when the batch can't
 * be stored yet: it stays, and the job will run again. */
gboolean observe_discover (Observe *observe, Database *database, gboolean *is_waiting, GError **error);

/* thread: store, inside a job. The routes are those of `site` from here on, and so are the rules. */
gboolean observe_adopt (Observe *observe, Database *database, Site *site, GError **error);

/* thread: store, inside a job. The rules see what they have not seen yet. How far they are is written when they wrote anything, or
 * `is_time`. */
gboolean observe_apply (Observe *observe, Database *database, gboolean is_time, GError **error);

/* thread: store, inside a job. Writes what was counted, and up to which observation. */
gboolean observe_save_accounts (Observe *observe, Database *database, GError **error);

/* thread: store, inside the first job. Counts what was stored after the accounts were written last. */
gboolean observe_count_again (Observe *observe, Database *database, GError **error);

/* Shows what was counted and found once the open transaction is on disk. */
void observe_publish_after_commit (Observe *observe);

/* thread: any. The messages of the broker up to this one are on disk. */
void observe_acknowledge (Observe *observe, const char *broker, guint64 receipt);

/* thread: any. The intake has room again. */
void observe_resume (Observe *observe);

/* thread: any. Ends a subscription that nobody wants. */
void observe_forget_topic (Observe *observe, const char *broker, const char *topic);

/* What a format wants to tell a device: at most once in ten seconds a topic, and not kept when the broker is away. thread:
 * the store's. */
void observe_request (Observe *observe, const char *broker, const char *topic, GBytes *payload);
