/* keys_brokers.h: what everything that logs in somewhere has in common. */
#pragma once

#include "config/types.h"

/* A password without a user name is a mistake. */
void check_credentials (Reader *reader, const YamlNode *map);
