/* keys_metrics.h: what a sensor measures, and whether that suits its format.
 *
 * thread: any. */
#pragma once

#include "config/key.h"

extern const Section metric_section;

/* The formats' names, for the key `format`. */
extern const Choice sensor_formats[];

/* Refuses what the sensor's format can't do, each at its place. */
void check_format (Reader *reader, const YamlNode *map, Sensor *sensor);
