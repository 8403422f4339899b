#include "gateway/alert/rule_preview.h"

#include <string.h>

#include "gateway/alert/alert_json.h"
#include "gateway/alert/rehearsal.h"
#include "gateway/core/clock.h"
#include "gateway/observe/observation_walk.h"

typedef struct {
  Rehearsal *rehearsal;
  const Site *site;
  const char *within;
  guint64 alerts, observations;
  gint64 from_us, last_us, now_us, deadline_us;
  GPtrArray *examples; /* of char *: ids, in the order of opening */
  GHashTable *shown;   /* id → json_t: the example as it is now */
} Preview;

/* A number that crosses a limit tells what the sensor reads. */
static gboolean is_within (const Preview *preview, const char *grid)
{
  return preview->within == NULL || site_grid_is_within (preview->site, grid, preview->within);
}

static void told (gpointer data, const Alert *alert, const char *event)
{
  Preview *preview = data;
  if (!is_within (preview, alert->grid))
    return;
  gboolean is_new = strcmp (event, "opened") == 0;
  preview->alerts += is_new;
  if (is_new && preview->examples->len < PREVIEW_EXAMPLES)
    g_ptr_array_add (preview->examples, g_strdup (alert->id));
  else if (!g_hash_table_contains (preview->shown, alert->id))
    return;
  g_hash_table_replace (preview->shown, g_strdup (alert->id), alert_to_json (alert));
}

static gboolean visit (Observation *observation, gpointer data, GError **error)
{
  Preview *preview = data;
  (void) error;
  if (observation->receive_time_us > preview->now_us)
    return TRUE;
  preview->observations++;
  preview->last_us = observation->receive_time_us;
  const Sensor *sensor = site_sensor (preview->site, observation->sensor);
  if (preview->within == NULL || (sensor != NULL && is_within (preview, sensor->grid)))
    rehearsal_observe (preview->rehearsal, observation->receive_time_us, observation);
  return TRUE;
}

static json_t *show (const Preview *preview, gboolean is_complete)
{
  g_autofree char *from = time_to_rfc3339 (preview->from_us);
  g_autofree char *to = time_to_rfc3339 (is_complete ? preview->now_us : preview->last_us);
  json_t *examples = json_array ();
  for (guint i = 0; i < preview->examples->len; i++)
    json_array_append (examples, g_hash_table_lookup (preview->shown, preview->examples->pdata[i]));
  return json_pack ("{s:I, s:o, s:s, s:s, s:I, s:b}", "alerts", (json_int_t) preview->alerts, "examples", examples,
                    "from", from, "to", to, "observations", (json_int_t) preview->observations, "is_complete",
                    is_complete);
}

static void drop_json (gpointer json)
{
  json_decref (json);
}

json_t *rule_preview (const char *data_dir, Site *site, const Rule *rule, const char *within, gint64 now_us, GError **error)
{
  Preview preview = { .site = site, .within = within, .from_us = now_us - PREVIEW_SPAN_US, .now_us = now_us };
  const ObservationWalk walk = { .from_us = preview.from_us, .limit = PREVIEW_ROWS_MAX,
                                 .deadline_us = g_get_monotonic_time () + PREVIEW_TIME_US };
  json_t *shown = NULL;
  preview.last_us = preview.from_us;
  preview.examples = g_ptr_array_new_with_free_func (g_free);
  preview.shown = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, drop_json);
  preview.rehearsal = rehearsal_new (site, rule, preview.from_us, told, &preview);
  if (observation_walk (data_dir, &walk, visit, &preview, error)) {
    gboolean is_complete = preview.observations < walk.limit && g_get_monotonic_time () <= walk.deadline_us;
    if (is_complete)
      rehearsal_pass (preview.rehearsal, now_us);
    shown = show (&preview, is_complete);
  }
  rehearsal_free (preview.rehearsal);
  g_hash_table_unref (preview.shown);
  g_ptr_array_unref (preview.examples);
  return shown;
}
