/* recording_pins.h: recordings that somebody is reading just now, which retention leaves alone for as long.
 *
 * Whoever reads keeps a stretch of a camera's time, and moves it on as he goes. It keeps for RECORDING_PIN_LEASE_US after it was
 * last moved, and for RECORDING_PIN_LONGEST_US in all: a reader that hangs keeps nothing for ever. It delays what age would delete;
 * where space is short and nothing else may go, it gives way: a reader never stops recording.
 *
 * thread: any. */
#pragma once

#include "gateway/core/clock.h"

#define RECORDING_PIN_LEASE_US ((gint64) 10 * 60 * G_USEC_PER_SEC)
#define RECORDING_PIN_LONGEST_US ((gint64) 6 * 3600 * G_USEC_PER_SEC)

typedef struct RecordingPins RecordingPins;
typedef struct RecordingPin RecordingPin; /* one reader's */

RecordingPins *recording_pins_new (const Clock *clock);

/* Keeps nothing until it is moved. */
RecordingPin *recording_pin_new (RecordingPins *pins, const char *camera);

/* Keeps [from, to], wall time, and nothing else from now on. */
void recording_pin_move (RecordingPin *pin, gint64 from_us, gint64 to_us);

void recording_pin_free (RecordingPin *pin); /* NULL is taken */

/* The end of a stretch that is kept and touches [from, to] of the camera; -1: none is. `pins` NULL: nothing is kept. */
gint64 recording_pins_keep (RecordingPins *pins, const char *camera, gint64 from_us, gint64 to_us);

/* Whether anybody reads. NULL is taken. */
gboolean recording_pins_any (RecordingPins *pins);

/* When all pins are freed. NULL is taken. */
void recording_pins_free (RecordingPins *pins);
