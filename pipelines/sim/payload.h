/* payload.h: what a simulated sensor puts on the wire for one reading.
 *
 * thread: any. */
#pragma once

#include <glib.h>

#include "pipelines/sim/site_script.h"

/* In the sensor's format: the bare value, or JSON from the template, in which the texts "{value}" and "{n}" stand for
 * numbers, "{time}" for RFC 3339 text and "{time_ms}" for milliseconds since 1970. `sequence` is entered as "n" when
 * the sensor is sequenced. Free with g_free. */
char *payload_make (const SensorScript *sensor, double value, guint64 sequence, gint64 wall_us);
