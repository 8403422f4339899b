/* sensor_states.h: what the centers' brokers retain of each sensor: its last values, and whether it is heard at all.
 *
 * A sensor is told when something new came of it or it fell silent, at each look and no oftener: so the wiring's look every
 * five seconds bounds what thin links carry, however fast sensors send.
 *
 * thread: any. The two functions are called without a lock held, on the thread that looks. */
#pragma once

#include <jansson.h>

#include "gateway/core/clock.h"
#include "gateway/model/site.h"

typedef struct SensorStates SensorStates;

typedef struct {
  gpointer data;
  json_t *(*describe) (gpointer data, const char *sensor);             /* NULL: it is gone; else the caller's */
  void (*tell) (gpointer data, const char *sensor, const char *json); /* to every center */
} SensorStatesPort;

SensorStates *sensor_states_new (const SensorStatesPort *port, Clock *clock);

/* Sensors that are new count as heard now. */
void sensor_states_set_site (SensorStates *states, const Site *site);

/* An observation of it came. */
void sensor_states_heard (SensorStates *states, const char *sensor);

/* Tells what has changed since the last look. */
void sensor_states_look (SensorStates *states);

void sensor_states_free (SensorStates *states);
