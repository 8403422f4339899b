/* dispatcher.h: moves events from the outbox to the ports, and settles what the ports report.
 *
 * Reads only committed rows, on the store's thread after a commit, and hands each port as many as it may hold: alerts and
 * incidents in turn, so that a backlog of one never starves the other. A receiver that fails is left alone for a while
 * (1 s doubling to 5 min, with jitter); one whose connection goes gets its events again once it is back.
 *
 * thread: the store's, unless it says otherwise. */
#pragma once

#include "gateway/model/delivery_port.h"
#include "gateway/store/store.h"

typedef struct Dispatcher Dispatcher;

/* A center asks for something; `json` is not yet looked at. Inside a job. The answer is for the center, NULL: none. */
typedef gboolean (*DispatcherCommand) (gpointer data, Database *database, const char *center, const char *json,
                                       gsize size, char **reply, GError **error);

/* Called on the store's thread when a port was attached, for what it must be told besides events. */
typedef void (*DispatcherAttached) (gpointer data, const char *receiver, const DeliveryPort *port);

/* thread: any, all three. */
Dispatcher *dispatcher_new (Store *store, DispatcherCommand command, DispatcherAttached attached, gpointer data);
gboolean dispatcher_attach (Dispatcher *dispatcher, const char *receiver, DeliveryPort port, GError **error);
void dispatcher_detach (Dispatcher *dispatcher, const char *receiver); /* not the store's; waits */

/* Inside a job that changed the outbox: the ports are filled after its commit. */
void dispatcher_wake (Dispatcher *dispatcher);

/* Hands a retained state to every port that has states. */
void dispatcher_state (Dispatcher *dispatcher, const char *topic, const char *payload);

void dispatcher_free (Dispatcher *dispatcher);
