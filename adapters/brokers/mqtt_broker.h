/* mqtt_broker.h: sensors' brokers over MQTT 5 and 3.1.1, by a receiver of our own.
 *
 * General clients acknowledge message by message and read the header byte by byte: 13 µs of a processor for each message that is
 * only counted, and no word of when it is on disk. This one has a thread for each broker, reads all that has come at once and
 * acknowledges all that was committed at once. */
#pragma once

#include "gateway/model/broker_port.h"

extern const BrokerPort mqtt_broker_port;
