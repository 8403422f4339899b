/* curve.h: what a simulated sensor measures as time passes.
 *
 * thread: any for reading; a NoiseSource belongs to its sensor. */
#pragma once

#include <glib.h>

typedef enum { CURVE_CONSTANT, CURVE_RAMP, CURVE_SINE, CURVE_POINTS } CurveKind;

typedef struct {
  gint64 at_us;
  double value;
} CurvePoint;

typedef struct {
  CurveKind kind;
  double value;        /* constant: the value; sine: the mean */
  double from, to;     /* ramp */
  gint64 over_us;      /* ramp: how long it takes; sine: one period */
  double amplitude;    /* sine */
  GArray *points;      /* of CurvePoint, by rising time */
  gboolean is_stepped; /* points: hold each value until the next, else straight lines between them */
  gboolean repeats;    /* ramp and points begin again at their end; else the last value stays */
} Curve;

Curve *curve_new (void);

/* The value `since_us` after the start. */
double curve_value (const Curve *curve, gint64 since_us);

void curve_free (Curve *curve);

/* A number in [-1, 1] that depends on `seed` and `index` only, so that a run can be repeated. */
double noise_value (guint64 seed, guint64 index);
