#include "gateway/alert/alert_json.h"

#include "gateway/core/clock.h"

json_t *alert_to_json (const Alert *alert)
{
  g_autofree char *opened_at = time_to_rfc3339 (alert->opened_at_us);
  g_autofree char *cleared_at = alert->cleared_at_us != 0 ? time_to_rfc3339 (alert->cleared_at_us) : NULL;
  json_t *json = json_pack ("{s:s, s:s, s:s*, s:s*, s:s, s:s, s:s, s:s, s:s, s:s?, s:s*, s:s?, s:b, s:b}", "id", alert->id,
                            "rule", alert->rule, "sensor", alert->sensor, "camera", alert->camera, "grid", alert->grid,
                            "category", alert->category, "severity", severity_name (alert->severity), "state",
                            cleared_at != NULL ? "cleared" : "open", "opened_at", opened_at, "cleared_at", cleared_at,
                            "unit", alert->unit, "incident", alert->incident, "historical", alert->historical,
                            "silenced", alert->silenced);
  json_object_set_new (json, "value", alert->has_value ? json_real (alert->value) : json_null ());
  return json;
}
