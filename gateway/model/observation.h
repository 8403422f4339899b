/* observation.h: one normalised record of one metric of one sensor.
 *
 * Immutable and reference-counted once it is published to the rules and to readers; the normaliser alone fills it.
 *
 * thread: any, once published. */
#pragma once

#include <glib.h>

typedef enum { QUALITY_GOOD, QUALITY_UNCERTAIN, QUALITY_BAD } Quality;

typedef struct {
  gint references;
  gint64 number; /* order of storing, gapless in one gateway; 0 before it is stored */
  char *sensor, *metric;
  double value;
  char *unit; /* UCUM code or NULL */
  gint64 phenomenon_time_us, receive_time_us;
  Quality quality;
  gint64 sequence;      /* the device's own number, -1 when it has none */
  gboolean is_historical; /* late or retained: sets state, never fires as if live */
} Observation;

Observation *observation_new (const char *sensor, const char *metric);
Observation *observation_ref (Observation *observation);
void observation_unref (Observation *observation);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Observation, observation_unref)

const char *quality_name (Quality quality); /* "good" "uncertain" "bad" */
