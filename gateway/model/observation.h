/* observation.h: one normalised record of one metric of one sensor.
 *
 * Immutable and reference-counted once it is published to the rules and to readers; the normaliser alone fills it.
 *
 * thread: any, once published. */
#pragma once

#include "gateway/model/value.h"

typedef enum { QUALITY_GOOD, QUALITY_UNCERTAIN, QUALITY_BAD } Quality;

typedef struct {
  gint references;
  gint64 number; /* order of storing, gapless in one gateway; 0 before it is stored */
  char *sensor, *metric;
  ValueKind kind;
  double value; /* a boolean's is 1 or 0, a text's not a number: no comparison of numbers holds for it */
  char *text;   /* VALUE_TEXT's, UTF-8, at most VALUE_TEXT_MAX_BYTES; NULL otherwise */
  char *unit; /* UCUM code or NULL */
  gint64 phenomenon_time_us, receive_time_us;
  Quality quality;
  gint64 sequence;      /* the device's own number, -1 when it has none */
  gboolean is_historical; /* late or a state: never fires as if live */
  gboolean is_state;      /* says how things stand, not that anything happened: what a broker had retained, what a device
                             repeats at its birth. Raises no alert at all, not even a historical one */
} Observation;

Observation *observation_new (const char *sensor, const char *metric);
Observation *observation_ref (Observation *observation);
void observation_unref (Observation *observation);

/* Makes its value a text, of which it takes a copy. */
void observation_set_text (Observation *observation, const char *text);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Observation, observation_unref)

const char *quality_name (Quality quality); /* "good" "uncertain" "bad" */
