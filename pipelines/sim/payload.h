/* payload.h: what a simulated sensor puts on the wire for one reading.
 *
 * thread: any. */
#pragma once

#include <glib.h>

#include "pipelines/sim/site_script.h"

/* In the sensor's format:
 * - value: the bare value;
 * - json: from the template, in which the texts "{value}" and "{n}" stand for numbers, "{time}" for RFC 3339 text and
 *   "{time_ms}" for milliseconds since 1970;
 * - senml: RFC 8428 as JSON, one record "ID:value" in the sensor's unit with its time;
 * - csv: a line of the time in RFC 3339 and the value;
 * - binary: the value times 10^decimals as 32 bits with sign, highest byte first; what doesn't fit is the nearest that does.
 * `sequence` is entered when the sensor is sequenced, but for value: as "n" (json, senml), as a third field (csv), as 32 more
 * bits (binary). Free with g_bytes_unref. */
GBytes *payload_make (const SensorScript *sensor, double value, guint64 sequence, gint64 wall_us);
