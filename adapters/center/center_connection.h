/* center_connection.h: a center's broker: the center's own feed, the feeds of agencies that have theirs there, the gateway's
 * status with its will, retained states of cameras and sensors, acknowledgements and commands.
 *
 * One thread per center does all that talks to Paho. It connects by itself, again and again (1 s to 60 s), subscribes anew
 * each time, and keeps at most DELIVERY_IN_FLIGHT_MAX publications on the way over all its ports: Paho never gets a backlog.
 * States are kept here, the last of each, and are sent again after each connect; events are not kept.
 *
 * thread: any. The ports' functions only queue and signal, so the store's thread may call them. */
#pragma once

#include "gateway/core/clock.h"
#include "gateway/model/delivery_port.h"
#include "gateway/model/site.h"

typedef struct CenterConnection CenterConnection;

/* `center` is copied from. The thread starts when the center's port is opened. */
CenterConnection *center_connection_new (const Center *center, const char *gateway, Clock *clock);

/* The center's own feed; topics …/incidents, …/alerts. Opening it connects, stopping it says goodbye. Its free operation frees
 * the connection: after those of the agencies' ports. */
DeliveryPort center_connection_port (CenterConnection *connection);

/* The feed of one agency on the same broker: …/agencies/AGENCY/incidents and /alerts. */
DeliveryPort center_connection_agency_port (CenterConnection *connection, const char *agency);

gboolean center_connection_is_up (CenterConnection *connection);
