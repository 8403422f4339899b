/* daemon.h: `gridgate run`: from a configuration file to a running gateway and back to nothing.
 *
 * thread: main. */
#pragma once

#include <glib.h>

typedef struct {
  const char *config_path;
  gboolean has_external_workers; /* a service manager looks after media and vision */
} DaemonOptions;

/* Returns when SIGTERM or SIGINT came and all has ended: 0, 1 when it could not run, 78 (EX_CONFIG) for a bad
 * configuration. */
int daemon_run (const DaemonOptions *options);
