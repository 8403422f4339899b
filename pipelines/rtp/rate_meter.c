#include "pipelines/rtp/rate_meter.h"

#include <math.h>
#include <string.h>

enum {
  WINDOW_US = 1500 * 1000,
  WINDOW_STEPS = 5,
  AGREEING = 3,        /* windows that convict a rate which nothing else explains */
  AGREEING_NEAR = 8,   /* and one up to two and a half times off: a camera on a full link looks so for seconds */
  SPAN_US = 5 * G_USEC_PER_SEC,
  PARTS = 4,           /* of the whole measurement, which must agree */
  NOISE_US = 100 * 1000, /* of the least delays of two spans */
};
static const double gross = 4.0 / 3, near = 2.5, agreement = 0.12;
static const double least_slope = 750e-6;

/* What clocks count at, when they count at something else than the SDP says. */
static const double known_hz[] = { 1000, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 90000, 1000000 };

static double snapped (double hz, double tolerance)
{
  for (guint i = 0; i < G_N_ELEMENTS (known_hz); i++)
    if (fabs (hz / known_hz[i] - 1) < tolerance)
      return known_hz[i];
  return hz;
}

void rate_meter_init (RateMeter *meter, guint32 clock_rate)
{
  *meter = (RateMeter){ .counted_hz = clock_rate };
}

void rate_meter_restart (RateMeter *meter)
{
  meter->is_running = FALSE;
  rate_meter_jump (meter);
}

void rate_meter_jump (RateMeter *meter)
{
  meter->spans = 0;
  meter->span_us = 0;
}

static void open_window (RateMeter *meter, gint64 ticks, gint64 arrival_us)
{
  meter->window_us = arrival_us;
  meter->window_ticks = ticks;
  meter->largest_step = 0;
  meter->steps = 0;
}

/* The rate of a whole window; 0 when one step is most of it: a jump says nothing about the rate. */
static double window_rate (const RateMeter *meter, gint64 ticks, gint64 arrival_us)
{
  gint64 counted = ticks - meter->window_ticks;
  if (counted <= 0 || 2 * meter->largest_step > counted)
    return 0;
  return (double) counted * G_USEC_PER_SEC / (double) (arrival_us - meter->window_us);
}

static gboolean judge_window (RateMeter *meter, double hz)
{
  if (hz <= 0)
    return FALSE;
  double off = MAX (hz / meter->counted_hz, meter->counted_hz / hz);
  if (off < gross) {
    meter->agreeing = 0;
    return FALSE;
  }
  gboolean agrees = meter->agreeing > 0 && fabs (hz / meter->window_hz - 1) < agreement;
  meter->agreed_hz = agrees ? meter->agreed_hz + hz : hz;
  meter->agreeing = agrees ? meter->agreeing + 1 : 1;
  meter->window_hz = hz;
  if (meter->agreeing < (off < near ? AGREEING_NEAR : AGREEING))
    return FALSE;
  meter->counted_hz = snapped (meter->agreed_hz / meter->agreeing, 0.06);
  meter->agreeing = 0;
  rate_meter_jump (meter);
  return TRUE;
}

static gboolean step_coarse (RateMeter *meter, gint64 ticks, gint64 arrival_us)
{
  meter->steps++;
  meter->largest_step = MAX (meter->largest_step, ABS (ticks - meter->last_ticks));
  if (arrival_us - meter->window_us < WINDOW_US || meter->steps < WINDOW_STEPS)
    return FALSE;
  double hz = window_rate (meter, ticks, arrival_us);
  open_window (meter, ticks, arrival_us);
  return judge_window (meter, hz);
}

/* The least delay of one of PARTS equal parts of the spans: a link that is full now and then doesn't show in it. */
static double least_of_part (const RateMeter *meter, guint part)
{
  guint length = meter->spans / PARTS;
  double least = HUGE_VAL;
  for (guint i = 0; i < length; i++)
    least = MIN (least, meter->lags_us[part * length + i]);
  return least;
}

/* When the least delay rises steadily, the clock counts so much too slowly. */
static gboolean judge_spans (RateMeter *meter)
{
  double part_us = (double) (meter->spans / PARTS) * SPAN_US;
  double slope = (least_of_part (meter, PARTS - 1) - least_of_part (meter, 0)) / (part_us * (PARTS - 1));
  if (fabs (slope) < MAX (least_slope, NOISE_US / (part_us * (PARTS - 1))))
    return FALSE;
  for (guint i = 1; i < PARTS; i++)
    if (fabs ((least_of_part (meter, i) - least_of_part (meter, i - 1)) / part_us - slope) > 0.5 * fabs (slope))
      return FALSE;
  meter->counted_hz = snapped (meter->counted_hz * (1 - slope), 1e-4);
  rate_meter_jump (meter);
  return TRUE;
}

static void open_span (RateMeter *meter, gint64 ticks, gint64 arrival_us)
{
  if (meter->spans == 0 && meter->span_us == 0) {
    meter->origin_us = arrival_us;
    meter->span_ticks = ticks;
  }
  meter->span_us = arrival_us;
  meter->span_lag_us = HUGE_VAL;
}

static gboolean step_fine (RateMeter *meter, gint64 ticks, gint64 arrival_us)
{
  if (meter->span_us == 0)
    open_span (meter, ticks, arrival_us);
  double lag_us = (double) (arrival_us - meter->origin_us)
                  - (double) (ticks - meter->span_ticks) * G_USEC_PER_SEC / meter->counted_hz;
  meter->span_lag_us = MIN (meter->span_lag_us, lag_us);
  if (arrival_us - meter->span_us < SPAN_US)
    return FALSE;
  if (meter->spans == RATE_SPANS) {
    memmove (meter->lags_us, meter->lags_us + 1, sizeof meter->lags_us - sizeof meter->lags_us[0]);
    meter->spans--;
  }
  meter->lags_us[meter->spans++] = meter->span_lag_us;
  gboolean is_found = meter->spans >= PARTS && judge_spans (meter);
  open_span (meter, ticks, arrival_us);
  return is_found;
}

gboolean rate_meter_step (RateMeter *meter, gint64 ticks, gint64 arrival_us)
{
  if (!meter->is_running) {
    meter->is_running = TRUE;
    meter->last_ticks = ticks;
    open_window (meter, ticks, arrival_us);
    return FALSE;
  }
  gboolean is_found = step_coarse (meter, ticks, arrival_us) || step_fine (meter, ticks, arrival_us);
  meter->last_ticks = ticks;
  return is_found;
}
