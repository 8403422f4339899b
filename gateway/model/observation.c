#include "gateway/model/observation.h"

#include <math.h>

Observation *observation_new (const char *sensor, const char *metric)
{
  Observation *observation = g_new0 (Observation, 1);
  observation->references = 1;
  observation->sensor = g_strdup (sensor);
  observation->metric = g_strdup (metric);
  observation->sequence = -1;
  return observation;
}

Observation *observation_ref (Observation *observation)
{
  g_atomic_int_inc (&observation->references);
  return observation;
}

void observation_unref (Observation *observation)
{
  if (observation == NULL || !g_atomic_int_dec_and_test (&observation->references))
    return;
  g_free (observation->sensor);
  g_free (observation->metric);
  g_free (observation->unit);
  g_free (observation->text);
  g_free (observation);
}

void observation_set_text (Observation *observation, const char *text)
{
  observation->kind = VALUE_TEXT;
  observation->value = NAN;
  g_free (observation->text);
  observation->text = g_strdup (text);
}

const char *quality_name (Quality quality)
{
  static const char *const names[] = { "good", "uncertain", "bad" };
  return names[quality];
}
