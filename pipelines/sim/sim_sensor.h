/* sim_sensor.h: one simulated sensor: reads its curve at its interval and publishes until the broker has acknowledged.
 *
 * thread: the main thread. */
#pragma once

#include <glib.h>

#include "pipelines/sim/site_script.h"

typedef struct SimSensor SimSensor;

/* Time runs from now. `script` and `broker` outlive it. */
SimSensor *sim_sensor_new (const SensorScript *script, const BrokerScript *broker, GError **error);

/* From now on this value instead of the curve's, published at once. */
void sim_sensor_set (SimSensor *sensor, double value);

/* Back to the curve, which has gone on meanwhile; or, with `restart`, begins again. */
void sim_sensor_follow_curve (SimSensor *sensor, gboolean restart);

void sim_sensor_pause (SimSensor *sensor, gboolean is_paused);

void sim_sensor_set_interval (SimSensor *sensor, gint64 interval_us);

/* Publishes `count` readings at once. */
void sim_sensor_burst (SimSensor *sensor, guint count);

/* Publishes `payload` as it stands. */
void sim_sensor_send (SimSensor *sensor, const char *payload);

/* Messages made, and those that the broker has acknowledged. */
void sim_sensor_counts (const SimSensor *sensor, guint64 *made, guint64 *acknowledged, guint64 *dropped);

void sim_sensor_free (SimSensor *sensor);
