/* bench_incident.h: how long from a sensor's publish to the incident at the center's subscriber.
 *
 * Each reading opens an incident of its own: topic alarm/N is that of a sensor in the grid gN, and the value 350 is one that
 * a rule wants to know of.
 *
 * A benchmark that can't go on says why and ends the program. */
#pragma once

#include <glib.h>

/* Asks one after the other, 20 ms apart. Delays in ms; free with g_array_unref (of double). `gateway`: its id. */
GArray *bench_incident_delays (int village_port, int center_port, const char *gateway, guint readings);

/* The part of a site that this needs: `readings` grids ("grids:" stands already), and sensors ("sensors:" stands already). */
void bench_incident_grids (GString *site, guint readings);
void bench_incident_sensors (GString *site, guint readings);

/* What one commit takes on this disk, below `folder`: an alert needs two of them in turn, and two brokers. */
double bench_commit_ms (const char *folder);
