/* broker_losses.h: what brokers say that they have dropped themselves: mosquitto counts it in $SYS and nowhere else.
 *
 * The count is that of the whole broker, for all its clients, since it was started; others than the gateway may have been
 * slow. So it stands beside the account and is no part of it. Growth is warned about.
 *
 * thread: any. */
#pragma once

#include <jansson.h>

#include "gateway/model/raw_message.h"

#define BROKER_LOSSES_TOPIC "$SYS/broker/publish/messages/dropped"

typedef struct BrokerLosses BrokerLosses;

BrokerLosses *broker_losses_new (void);

/* FALSE when the message is no such count. */
gboolean broker_losses_take (BrokerLosses *losses, const RawMessage *message);

/* Adds "broker_dropped": null when the broker doesn't tell, and "broker_dropped_at", when it last grew. */
void broker_losses_describe (BrokerLosses *losses, const char *broker, json_t *object);

/* `filters` (free with g_strfreev) and that of the count. Takes `filters`. */
GStrv broker_losses_add_filter (GStrv filters);

void broker_losses_free (BrokerLosses *losses);
