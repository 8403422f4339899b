/* rate_window.h: how far a value has risen within a window, in a fixed amount of memory.
 *
 * The window is cut into RATE_SLICES slices, of each of which the least value is kept: so it reaches back by its length, or
 * by up to a thirtieth less. What falls is watched as what rises with the other sign.
 *
 * thread: one at a time. */
#pragma once

#include <glib.h>

enum { RATE_SLICES = 30 };

typedef struct {
  gint64 slice; /* number of the newest one */
  double least[RATE_SLICES]; /* by number modulo RATE_SLICES; infinity: nothing was in it */
} RateWindow;

void rate_window_init (RateWindow *window);

/* Takes a value at `now` (the same clock each time; what is earlier than before counts as then). Returns by how much it is
 * over the least value within `window_us`, itself included. */
double rate_window_take (RateWindow *window, gint64 window_us, gint64 now, double value);
