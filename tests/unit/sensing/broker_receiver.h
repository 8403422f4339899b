/* broker_receiver.h: what a broker's connection hands over and tells, for a test to wait for.
 *
 * thread: the test's; the handlers any. */
#pragma once

#include "gateway/model/broker_port.h"

typedef struct {
  GMutex mutex; /* over what follows */
  GCond changed;
  GPtrArray *messages; /* of RawMessage */
  BrokerStatus status;
  guint changes, refused;
  BrokerAnswer answer; /* to whatever comes next */
} BrokerReceiver;

BrokerReceiver *broker_receiver_new (void);

/* To be given to open: of a broker "village". */
BrokerHandlers broker_receiver_handlers (BrokerReceiver *receiver);

void broker_receiver_answer (BrokerReceiver *receiver, BrokerAnswer answer);

/* Waits until so many more messages have come; borrowed. Fails the test after a minute, as does the next. */
RawMessage *broker_receiver_wait (BrokerReceiver *receiver, guint index);

void broker_receiver_wait_for_state (BrokerReceiver *receiver, BrokerState state, const char *reason);

/* What was told last. */
BrokerStatus broker_receiver_status (BrokerReceiver *receiver);

/* Until a message was refused for want of room. */
void broker_receiver_wait_for_refusal (BrokerReceiver *receiver);

/* Whether the payload of a message is `text`. */
void broker_receiver_expect (BrokerReceiver *receiver, guint index, const char *text);

void broker_receiver_free (BrokerReceiver *receiver);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BrokerReceiver, broker_receiver_free)
