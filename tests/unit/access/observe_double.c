/* The sensor path has tests of its own; here nothing has been observed. */
#include "gateway/core/error.h"
#include "gateway/observe/observation_read.h"
#include "gateway/observe/observe.h"

json_t *observe_accounting_json (Observe *observe)
{
  (void) observe;
  return NULL;
}

json_t *observe_sensor_json (Observe *observe, const char *sensor)
{
  (void) observe, (void) sensor;
  return NULL;
}

json_t *observe_query (const char *data_dir, const char *gateway, const ObservationQuery *query, GError **error)
{
  (void) data_dir, (void) gateway, (void) query, (void) error;
  return json_pack ("{s:[], s:n}", "items", "next");
}

guint observe_waiting (Observe *observe)
{
  (void) observe;
  return 0;
}

json_t *observe_rejected (const char *data_dir, const char *broker, const char *sensor, guint limit)
{
  (void) data_dir, (void) broker, (void) sensor, (void) limit;
  return json_pack ("{s:[], s:n}", "items", "next");
}

json_t *observation_buckets (const char *data_dir, const ObservationSpan *span, GError **error)
{
  (void) data_dir, (void) span, (void) error;
  return json_pack ("{s:[], s:n}", "items", "next");
}

/* Metrics say how it ends. */
gboolean observation_export (const char *data_dir, const ObservationSpan *span, ObservationWrite write, gpointer data,
                             GError **error)
{
  (void) data_dir, (void) error;
  if (g_strcmp0 (span->metric, "endless") == 0) {
    while (write ("0123456789abcdef\r\n", 18, data))
      continue;
    return TRUE;
  }
  write ("sensor,metric\r\n", 15, data);
  return g_strcmp0 (span->metric, "broken") != 0 || error_set (error, ERROR_RETRY, "the disk is gone");
}

gboolean observe_forget_sensor (Observe *observe, const char *sensor, GError **error)
{
  (void) observe, (void) sensor, (void) error;
  return TRUE;
}
