/* mqtt_subscriptions.h: which filters the session of a broker holds, and what is asked of the broker to bring it to what is
 * wanted.
 *
 * It outlives connections: what was subscribed to over an earlier one and is wanted no more is unsubscribed over the next.
 *
 * thread: that of its connection. */
#pragma once

#include "adapters/brokers/mqtt_packet.h"

typedef struct MqttSubscriptions MqttSubscriptions;

/* `qos`: of all but what a broker says of itself ($SYS), which is asked for at 0: it is not to be kept for us. */
MqttSubscriptions *mqtt_subscriptions_new (const char *broker, int qos);

/* A new connection: nothing is asked, and everything will be asked for, for the session may be a new one. `packet_bytes_max`: what the
 * broker takes. */
void mqtt_subscriptions_start (MqttSubscriptions *subscriptions, int protocol, guint32 packet_bytes_max);

/* Writes the requests for what is new or was refused, then for what is gone: in this order, for a message that comes twice in
 * between is better than none. Requests that are under way go on. */
void mqtt_subscriptions_want (MqttSubscriptions *subscriptions, const char *const *wanted, GByteArray *output);

/* Unless it is wanted: a message of before a reload may have asked for it. */
void mqtt_subscriptions_forget (MqttSubscriptions *subscriptions, const char *const *filters, guint count, GByteArray *output);

/* FALSE: nobody asked. */
gboolean mqtt_subscriptions_answer (MqttSubscriptions *subscriptions, MqttType type, const MqttSuback *suback);

/* Monotonic, since when the oldest request waits; 0: none does. */
gint64 mqtt_subscriptions_waiting_since (const MqttSubscriptions *subscriptions);

/* Whether everything was answered since this was last asked. `*refused`: a filter that the broker doesn't grant, or NULL;
 * borrowed. */
gboolean mqtt_subscriptions_settled (MqttSubscriptions *subscriptions, const char **refused);

void mqtt_subscriptions_free (MqttSubscriptions *subscriptions);
