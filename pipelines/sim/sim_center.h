/* sim_center.h: a simulated command center: listens on its broker and says what arrives there.
 *
 * thread: the main thread. */
#pragma once

#include <glib.h>

#include "pipelines/sim/site_script.h"

typedef struct SimCenter SimCenter;

/* `script` and `broker` outlive it. */
SimCenter *sim_center_new (const CenterScript *script, const BrokerScript *broker, GError **error);

/* Whether events are answered on …/acks from now on. */
void sim_center_set_acknowledging (SimCenter *center, gboolean acknowledges);

/* Publishes `payload` as a command of the center to `gateway`. */
gboolean sim_center_send_command (SimCenter *center, const char *gateway, const char *payload, GError **error);

/* Incident and alert events received, and how many of them had an id that came before. */
void sim_center_counts (const SimCenter *center, guint64 *events, guint64 *repeated);

void sim_center_free (SimCenter *center);
