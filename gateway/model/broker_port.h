/* broker_port.h: the contract of a connection to a broker that sensors publish to.
 *
 * The connection is kept up by the adapter: persistent session, back-off, subscriptions anew whenever it is up again.
 * Nothing waits in it: a message is handed over, and acknowledged once the receiver has said so, in the order in which
 * messages came (MQTT 5 4.6). The broker keeps what is not acknowledged and delivers it again over the next connection,
 * marked as such; over that the receiver's former word counts no more.
 *
 * At most BROKER_WINDOW messages are taken in that are not acknowledged. A receiver that can't store (disk full) says
 * nothing, or that it has no room: then the connection stays, with its pings, but is not read from, so that the broker
 * queues what comes, by its own limits, and nothing is delivered again and again.
 *
 * thread: the functions are called on the main thread and don't wait for the network; the handlers say theirs. */
#pragma once

#include "gateway/model/raw_message.h"
#include "gateway/model/site.h"

/* Messages that may be on their way, unacknowledged: MQTT 5's Receive Maximum. At 15,000 a second the broker is busy with it for
 * 34 ms, more than a slow disk's commit takes. */
enum { BROKER_WINDOW = 512 };

typedef struct BrokerConnection BrokerConnection;

typedef enum {
  BROKER_CONNECTING,
  BROKER_CONNECTED,
  BROKER_BACKING_OFF, /* unreachable or lost: tried again */
  BROKER_REFUSED,     /* it answers and says no: a person must change something; tried again at leisure */
  BROKER_CLOSED,
} BrokerState;

/* `reason` is static: unreachable, lost, bad_credentials, not_authorized, bad_client_id, bad_protocol, tls,
 * password_file, subscription_refused, unavailable; NULL when all is well. */
typedef struct {
  BrokerState state;
  const char *reason;
  char detail[200];
  gint64 since_us; /* wall time of the last change of state */
  guint64 connects; /* how often it was reached */
  gboolean session_present; /* the broker had kept our session */
} BrokerStatus;

typedef enum {
  BROKER_TAKEN,   /* the broker may forget it, once it may forget those before */
  BROKER_HELD,    /* taken, but to be acknowledged only when `acknowledge` says so */
  BROKER_NO_ROOM, /* not taken: it comes again after `resume`, and nothing else until then */
} BrokerAnswer;

typedef struct {
  gpointer self;
  /* thread: the adapter's. Borrowed. Must not wait. */
  BrokerAnswer (*received) (gpointer self, RawMessage *message);
  /* thread: the adapter's. All that came at once has been handed over; again about each second while messages are held.
   * `is_urgent`: the broker may wait for acknowledgements before it sends more. May be NULL. Must not wait. */
  void (*received_all) (gpointer self, gboolean is_urgent);
  /* thread: the adapter's. Must not wait. */
  void (*changed) (gpointer self, const char *broker, const BrokerStatus *status);
  gboolean ends_session; /* the broker keeps nothing for this client while it is away */
} BrokerHandlers;

typedef struct {
  /* `settings` is copied. Connects on its own from now on. */
  BrokerConnection *(*open) (const Broker *settings, const char *client_id, const BrokerHandlers *handlers);

  /* The filters from now on, NULL-terminated and free of overlaps; what is gone is unsubscribed. Copied. */
  void (*subscribe) (BrokerConnection *connection, const char *const *filters);

  /* thread: any, also a handler's. Ends a subscription that an earlier configuration left in the session. */
  void (*forget) (BrokerConnection *connection, const char *filter);

  /* thread: any, also a handler's. QoS 0; not kept for later when there is no connection. Both are copied. */
  void (*publish) (BrokerConnection *connection, const char *topic, GBytes *payload);

  /* thread: any, also a handler's. All messages up to that with this receipt (raw_message.h) may be acknowledged. Receipts of a
   * connection that was opened before this one are taken, and nothing follows. */
  void (*acknowledge) (BrokerConnection *connection, guint64 receipt);

  /* thread: any, also a handler's. There may be room again. */
  void (*resume) (BrokerConnection *connection);

  /* thread: any. */
  void (*status) (BrokerConnection *connection, BrokerStatus *status);

  /* Ends the connection and frees it; the session stays at the broker. Waits for a handler that runs, and at most a second for
   * the broker to read what is acknowledged. */
  void (*close) (BrokerConnection *connection);
} BrokerPort;

const char *broker_state_name (BrokerState state); /* "connecting" "connected" "backing_off" "refused" "closed" */
