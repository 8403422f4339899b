#include "gateway/model/broker_port.h"

const char *broker_state_name (BrokerState state)
{
  static const char *const names[] = { "connecting", "connected", "backing_off", "refused", "closed" };
  return names[state];
}
