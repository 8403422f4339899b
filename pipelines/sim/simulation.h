/* simulation.h: everything that one SITE.yaml simulates, and the commands that it obeys.
 *
 * thread: the main thread. */
#pragma once

#include "pipelines/sim/site_script.h"

typedef struct Simulation Simulation;

/* Starts all of it and says "ready" once every camera listens. `loop` is quit by the command "quit"; `script` outlives
 * the simulation. */
Simulation *simulation_new (SiteScript *script, GMainLoop *loop, GError **error);

/* One command ("camera bridge stall 5s"); see docs/gridgate-sim.md for all of them. `reply` is what there is to say
 * beyond "ok", NULL when nothing; free with g_free. */
gboolean simulation_command (Simulation *simulation, const char *command, char **reply, GError **error);

void simulation_free (Simulation *simulation);
