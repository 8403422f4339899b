/* delivery_port.h: the contract between what decides who is told (gateway/share) and what carries it there (adapters).
 *
 * A port carries events to one receiver: the center, or an agency by its topic or its webhook. It keeps nothing: whatever
 * it was given and did not report as delivered is still in the outbox and is given again. A port never waits in these
 * functions, and its callbacks may come from any thread.
 *
 * Order of life: open once; deliver, state, reply; close refuses new work; stop ends the transport and waits for its
 * callbacks; free releases. */
#pragma once

#include <glib.h>

/* Given to a port at most at a time; more wait in the outbox. */
enum { DELIVERY_IN_FLIGHT_MAX = 20 };

typedef enum {
  DELIVERY_DONE,     /* the receiver has it */
  DELIVERY_SENT,     /* on its way; the receiver's own acknowledgement (DONE) comes later, or it is sent again */
  DELIVERY_RETURNED, /* not tried or cut off: the connection went; not an attempt */
  DELIVERY_RETRY,    /* tried and failed for now */
  DELIVERY_REFUSED,  /* failed for good: it will never be taken */
} DeliveryOutcome;

typedef struct {
  gpointer data;
  /* The port can carry events now, or no longer can. When it says no, it has returned all that it held. */
  void (*ready) (gpointer data, gboolean is_ready);
  /* `event` is the CloudEvent's id. `retry_after_us`: the receiver's wish with RETRY, or 0. `detail` for people, or NULL. */
  void (*completed) (gpointer data, const char *event, DeliveryOutcome outcome, gint64 retry_after_us,
                     const char *detail);
  /* What a center asks for; its JSON, not yet looked at. */
  void (*command) (gpointer data, const char *json, gsize size);
} DeliverySink;

typedef struct {
  gboolean (*open) (gpointer self, const DeliverySink *sink, GError **error);
  /* `kind`: "incidents" or "alerts". FALSE: closed or full, the event was not taken. */
  gboolean (*deliver) (gpointer self, const char *kind, const char *event, const char *payload);
  /* A retained state under `topic` ("cameras/bridge"); NULL empties it. NULL where the receiver has no states. */
  void (*state) (gpointer self, const char *topic, const char *payload);
  /* The answer to a command. NULL where the receiver has no commands. */
  void (*reply) (gpointer self, const char *payload);
  void (*close) (gpointer self);
  void (*stop) (gpointer self);
  void (*free) (gpointer self);
} DeliveryOperations;

typedef struct {
  const DeliveryOperations *operations;
  gpointer self;
} DeliveryPort;
