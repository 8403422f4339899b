#include "gateway/observe/observation_json.h"

#include "gateway/core/clock.h"
#include "gateway/core/ids.h"

/* Sixteen bits of the gateway's name and its number make what a ULID has beside its time: no column is spent on it. */
static char *id_of (const char *gateway, const Observation *observation)
{
  guint16 name = (guint16) g_str_hash (gateway);
  guint8 rest[10] = { (guint8) (name >> 8), (guint8) name };
  for (int i = 0; i < 8; i++)
    rest[2 + i] = (guint8) ((guint64) observation->number >> (56 - 8 * i));
  return ulid_of (observation->receive_time_us, rest);
}

json_t *observation_value_to_json (const Observation *observation)
{
  switch (observation->kind) {
  case VALUE_TEXT:
    return json_string (observation->text);
  case VALUE_BOOLEAN:
    return json_boolean (observation->value != 0);
  default:
    return json_real (observation->value);
  }
}

json_t *observation_to_json (const char *gateway, const Observation *observation)
{
  g_autofree char *id = id_of (gateway, observation);
  g_autofree char *phenomenon_time = time_to_rfc3339 (observation->phenomenon_time_us);
  g_autofree char *receive_time = time_to_rfc3339 (observation->receive_time_us);
  return json_pack ("{s:s, s:s, s:s, s:o, s:s?, s:s, s:s, s:s, s:b}", "id", id, "sensor", observation->sensor, "metric",
                    observation->metric, "value", observation_value_to_json (observation), "unit", observation->unit,
                    "phenomenon_time", phenomenon_time, "receive_time", receive_time, "quality", quality_name (observation->quality),
                    "historical", observation->is_historical);
}
