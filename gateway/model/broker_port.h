/* broker_port.h: the contract of a connection to a broker that sensors publish to.
 *
 * The connection is kept up by the adapter: persistent session, back-off, subscriptions anew whenever it is up again.
 * What `received` has returned from, the adapter may acknowledge; nothing else.
 *
 * thread: the functions are called on the main thread and don't wait for the network; the handlers say theirs. */
#pragma once

#include "gateway/model/raw_message.h"
#include "gateway/model/site.h"

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

typedef struct {
  gpointer self;
  /* thread: the adapter's. Borrowed. Returns when the message may be acknowledged. It may take its time, but no other
   * connection of the same library goes on meanwhile. */
  void (*received) (gpointer self, RawMessage *message);
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

  /* thread: any. */
  void (*status) (BrokerConnection *connection, BrokerStatus *status);

  /* Ends the connection and frees it; the session stays at the broker. Waits for a handler that runs, at most
   * `wait_us`: FALSE when one still holds a message back. Then the connection is left as it is, unacknowledged, and
   * `handlers->self` must stay valid until the process ends, which is what should come next. */
  gboolean (*close) (BrokerConnection *connection, gint64 wait_us);
} BrokerPort;

const char *broker_state_name (BrokerState state); /* "connecting" "connected" "backing_off" "refused" "closed" */
