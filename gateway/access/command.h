/* command.h: `gridgate user|token|audit …`: the words after the command are read here.
 *
 * While a gateway runs on the data folder, the work is sent to it over RUNTIME_DIR/control.sock; else the store is opened
 * directly, under the lock that `gridgate run` takes too: a database has one writer.
 *
 * thread: main. */
#pragma once

#include "gateway/model/site.h"

/* `arguments[0]` is "user", "token" or "audit". Returns the exit status: 0, 1, or 64 for wrong usage. */
int access_command (const Site *site, int count, char **arguments);
