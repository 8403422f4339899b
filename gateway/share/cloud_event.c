#include "gateway/share/cloud_event.h"

#include "gateway/core/clock.h"

char *cloud_event_text (const char *id, const char *gateway, const char *type, const char *subject, gint64 time_us,
                        const json_t *data)
{
  g_autofree char *source = g_strconcat ("/gridgate/", gateway, NULL);
  g_autofree char *time = time_to_rfc3339 (time_us);
  json_t *event = json_pack ("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "specversion", "1.0", "id", id, "source", source,
                             "type", type, "subject", subject, "time", time, "datacontenttype", "application/json",
                             "data", data);
  char *text = json_dumps (event, JSON_COMPACT | JSON_REAL_PRECISION (15));
  char *kept = g_strdup (text);
  free (text);
  json_decref (event);
  return kept;
}
