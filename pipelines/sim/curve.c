#include "pipelines/sim/curve.h"

#include <math.h>

Curve *curve_new (void)
{
  Curve *curve = g_new0 (Curve, 1);
  curve->points = g_array_new (FALSE, FALSE, sizeof (CurvePoint));
  return curve;
}

static double points_value (const Curve *curve, gint64 since_us)
{
  const CurvePoint *points = (const CurvePoint *) curve->points->data;
  guint count = curve->points->len;
  if (count == 0)
    return 0;
  gint64 end = points[count - 1].at_us;
  if (curve->repeats && end > 0)
    since_us %= end;
  if (since_us <= points[0].at_us)
    return points[0].value;
  for (guint i = 1; i < count; i++) {
    const CurvePoint *left = &points[i - 1], *right = &points[i];
    if (since_us >= right->at_us)
      continue;
    if (curve->is_stepped)
      return left->value;
    double share = (double) (since_us - left->at_us) / (double) (right->at_us - left->at_us);
    return left->value + share * (right->value - left->value);
  }
  return points[count - 1].value;
}

double curve_value (const Curve *curve, gint64 since_us)
{
  switch (curve->kind) {
  case CURVE_RAMP: {
    gint64 at = curve->repeats ? since_us % curve->over_us : MIN (since_us, curve->over_us);
    return curve->from + (curve->to - curve->from) * (double) at / (double) curve->over_us;
  }
  case CURVE_SINE:
    return curve->value + curve->amplitude * sin (2 * G_PI * (double) since_us / (double) curve->over_us);
  case CURVE_POINTS:
    return points_value (curve, since_us);
  case CURVE_CONSTANT:
    break;
  }
  return curve->value;
}

void curve_free (Curve *curve)
{
  if (curve == NULL)
    return;
  g_array_unref (curve->points);
  g_free (curve);
}

double noise_value (guint64 seed, guint64 index)
{
  /* splitmix64 (Steele, Lea, Flood 2014) of the pair */
  guint64 z = seed * G_GUINT64_CONSTANT (0xd1342543de82ef95) + index + G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  z ^= z >> 31;
  return (double) (z >> 11) / (double) (G_GUINT64_CONSTANT (1) << 52) - 1.0;
}
