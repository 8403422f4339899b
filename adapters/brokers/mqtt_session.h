/* mqtt_session.h: one connection to a broker over the network, from CONNECT until it is lost or closed.
 *
 * One turn: orders, what is to be written, one read, every message of it handed over, all acknowledgements in one write.
 *
 * QoS 1 is acknowledged by PUBACK and QoS 2 by PUBREC once the receiver allows it, that is when the message is on disk; PUBREL
 * gets its PUBCOMP at once. So nothing about QoS 2 has to be kept: a broker that has not read the PUBREC sends the PUBLISH
 * again with the same number and marked, which the receiver knows from its own record (observation_files.h), and one that
 * has read it sends PUBREL alone. A broker that sends it again under another number or without the mark can't be told from one
 * with news: a kill between the commit and the acknowledgement may then store up to a window twice, unless the sensor's
 * `duplicate_window` or the device's number of the message catches it.
 *
 * While few messages come, but closely, the thread rests four milliseconds after a read, so that the next brings many: at 5,000
 * messages a second twenty, for which a read, a write and a wake cost as much as for one. It does not when the broker might run
 * into its window meanwhile, or for a while after a rest that brought nothing.
 *
 * thread: the connection's. */
#pragma once

#include "adapters/brokers/mqtt_broker_private.h"
#include "adapters/brokers/mqtt_socket.h"

typedef struct MqttSession MqttSession;

/* Takes `socket`. */
MqttSession *mqtt_session_new (BrokerConnection *connection, MqttSocket *socket, int protocol);

/* Says who we are and waits for the answer, at most ten seconds. FALSE: there was none that could be read (mqtt_session_problem). */
gboolean mqtt_session_log_in (MqttSession *session, const char *password, MqttConnack *connack);

/* After an answer of 0. Until the connection is lost (mqtt_session_problem) or must be closed. */
void mqtt_session_run (MqttSession *session);

/* Says good-bye and waits until the broker has gone, at most a second: then it has read every acknowledgement. */
void mqtt_session_leave (MqttSession *session);

const char *mqtt_session_problem (const MqttSession *session);

void mqtt_session_free (MqttSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MqttSession, mqtt_session_free)
