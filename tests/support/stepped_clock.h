/* stepped_clock.h: a wall clock for the programs under test that a test can step while they run; monotonic time goes on.
 *
 * thread: the test's. */
#pragma once

#include <glib.h>

typedef struct SteppedClock SteppedClock;

/* Keeps a file in `folder`, which must outlive what was started with it. Shows the true time at first. */
SteppedClock *stepped_clock_new (const char *folder);

/* NAME=VALUE pairs for process_start_with; the clock's. */
const char *const *stepped_clock_environment (SteppedClock *clock);

/* From now on the programs' wall clock differs from ours by that much. */
void stepped_clock_set (SteppedClock *clock, gint64 offset_us);

/* What their wall clock shows, in microseconds. */
gint64 stepped_clock_now_us (const SteppedClock *clock);

void stepped_clock_free (SteppedClock *clock);
