/* broker_port_double.h: a broker that is the test itself: it hands messages over and sees what is asked of it.
 *
 * thread: the test's; what is marked atomic is written by the store's. */
#pragma once

#include "gateway/model/broker_port.h"

typedef struct {
  BrokerHandlers handlers;
  BrokerAnswer answer; /* to the last message */
  guint64 last_receipt;
  gint acknowledged, resumed; /* atomic: the last receipt, how often */
  char *subscribed; /* filters, joined */
  char *published;  /* the topic of the last request */
  void (*before_acknowledgement) (void); /* may be NULL */
} TestBroker;

extern TestBroker test_broker;

/* Of a broker "village" of a gateway "test". */
extern const BrokerPort test_broker_port;
