/* scripted_broker.h: a broker that the test plays itself, packet by packet, to do what no real one does.
 *
 * thread: the test's. Every wait has a deadline, after which the test fails. */
#pragma once

#include "adapters/brokers/mqtt_packet.h"

typedef struct ScriptedBroker ScriptedBroker;

ScriptedBroker *scripted_broker_new (void);

const char *scripted_broker_url (const ScriptedBroker *broker);

/* Waits for the next client, and ends the connection before. */
void scripted_broker_accept (ScriptedBroker *broker);

/* Ends the connection; what the client has sent and nobody read is lost. */
void scripted_broker_hang_up (ScriptedBroker *broker);

void scripted_broker_send (ScriptedBroker *broker, const void *bytes, gsize size);
void scripted_broker_send_hex (ScriptedBroker *broker, const char *hex); /* spaces are left out */

/* MQTT 3.1.1, or of 5 without properties: what a broker sends. `flags`: QoS << 1, 8 again, 1 retained. */
void scripted_broker_publish (ScriptedBroker *broker, int protocol, guint8 flags, guint16 packet_id, const char *topic,
                              const char *payload);

/* The next packet of the client, which must be of this type; its body, terminated, until the next call. */
const guint8 *scripted_broker_expect (ScriptedBroker *broker, MqttType type, gsize *size);

/* The next packet must be this acknowledgement. */
void scripted_broker_expect_ack (ScriptedBroker *broker, MqttType type, guint16 packet_id);

/* Accepts, reads CONNECT, and answers with these bytes. */
void scripted_broker_answer (ScriptedBroker *broker, const char *hex);

/* … and answers that all is well. */
void scripted_broker_welcome (ScriptedBroker *broker, int protocol, gboolean session_present);

/* Until the client has ended the connection; what it still sends is passed over. */
void scripted_broker_wait_for_end (ScriptedBroker *broker);

void scripted_broker_free (ScriptedBroker *broker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ScriptedBroker, scripted_broker_free)
