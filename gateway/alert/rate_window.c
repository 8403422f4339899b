#include "gateway/alert/rate_window.h"

#include <math.h>

void rate_window_init (RateWindow *window)
{
  window->slice = 0;
  for (guint i = 0; i < RATE_SLICES; i++)
    window->least[i] = INFINITY;
}

static void move_to (RateWindow *window, gint64 slice)
{
  gint64 steps = MIN (slice - window->slice, RATE_SLICES);
  for (gint64 i = 0; i < steps; i++)
    window->least[(slice - i) % RATE_SLICES] = INFINITY;
  window->slice = MAX (slice, window->slice);
}

double rate_window_take (RateWindow *window, gint64 window_us, gint64 now, double value)
{
  double least = value;
  move_to (window, MAX (now, 0) / MAX (window_us / RATE_SLICES, 1));
  double *newest = &window->least[window->slice % RATE_SLICES];
  *newest = fmin (*newest, value);
  for (guint i = 0; i < RATE_SLICES; i++)
    least = fmin (least, window->least[i]);
  return value - least;
}
