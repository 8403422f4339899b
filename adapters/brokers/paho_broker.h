/* paho_broker.h: sensors' brokers over MQTT 3.1.1 and 5, by Eclipse Paho's C client (async, 1.3.12).
 *
 * Paho runs callbacks on one thread for all its clients, with a lock over the whole library held, and acknowledges QoS 1
 * when the callback returns. So a callback of ours takes no lock of ours that is ever held over a call into the library,
 * and every call into the library is made by the connection's own thread, which alone may have to wait for that lock. */
#pragma once

#include "gateway/model/broker_port.h"

extern const BrokerPort paho_broker_port;
