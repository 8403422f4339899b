/* rate_meter.h: how fast a camera's RTP clock really counts, measured against arrival.
 *
 * Grossly wrong rates (a quarter off and more) are found in windows of 1.5 s that agree: three in succession, eight where a
 * full link could look alike. Small ones are found by the least delay of spans of 5 s, which network jitter hardly moves: the
 * error must come to 100 ms, which takes 15 s at 1 % and 200 s at 750 ppm. Less is never touched: ordinary clocks are within
 * 500 ppm.
 *
 * thread: the loop's. */
#pragma once

#include <glib.h>

enum { RATE_SPANS = 41 };

typedef struct {
  double counted_hz; /* what the camera is taken to count now */
  gboolean is_running;
  gint64 window_us, window_ticks, last_ticks, largest_step; /* the coarse window */
  guint steps, agreeing;
  double window_hz, agreed_hz;
  gint64 span_us, span_ticks;  /* where the fine measurement began, and the present span */
  gint64 origin_us;
  double span_lag_us;
  guint spans;
  double lags_us[RATE_SPANS];  /* least of each span */
} RateMeter;

/* Takes the camera to count at `clock_rate` Hz. */
void rate_meter_init (RateMeter *meter, guint32 clock_rate);

/* Begins anew; the rate that was found stays. */
void rate_meter_restart (RateMeter *meter);

/* The camera's clock jumped: small errors can't be told across it. */
void rate_meter_jump (RateMeter *meter);

/* A packet with a new timestamp: the camera's unwrapped ticks. TRUE when `counted_hz` has changed. */
gboolean rate_meter_step (RateMeter *meter, gint64 ticks, gint64 arrival_us);
