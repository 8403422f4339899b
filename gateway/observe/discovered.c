#include "gateway/observe/discovered.h"

#include <string.h>

#include "gateway/core/ids.h"
#include "gateway/core/topic_filter.h"
#include "gateway/core/topic_template.h"

struct Discovered {
  Site *configured;
  GPtrArray *sensors;   /* of Sensor */
  GHashTable *by_topic; /* "broker\ntopic" → Sensor; the topic is the sensor's, which may have wildcards */
  GHashTable *ids;      /* of all sensors, configured and discovered */
  GHashTable *counts;   /* template → how many it has become */
};

const Sensor *site_template (const Site *site, const char *broker, const char *topic)
{
  for (guint i = 0; i < site->templates->len; i++) {
    const Sensor *template = site->templates->pdata[i];
    if (strcmp (template->broker, broker) == 0 && topic_template_takes (template->topic, topic))
      return template;
  }
  return NULL;
}

Discovered *discovered_new (Site *configured)
{
  Discovered *discovered = g_new0 (Discovered, 1);
  discovered->configured = site_ref (configured);
  discovered->sensors = g_ptr_array_new_with_free_func ((GDestroyNotify) sensor_unref);
  discovered->by_topic = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  discovered->ids = g_hash_table_new (g_str_hash, g_str_equal);
  discovered->counts = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < configured->sensors->len; i++)
    g_hash_table_add (discovered->ids, ((const Sensor *) configured->sensors->pdata[i])->id);
  return discovered;
}

/* Marks that turn text around or can't be seen make one name look like another. */
static gboolean is_readable (gunichar character)
{
  switch (g_unichar_type (character)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_FORMAT:
  case G_UNICODE_UNASSIGNED:
  case G_UNICODE_PRIVATE_USE:
  case G_UNICODE_SURROGATE:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
    return FALSE;
  default:
    return TRUE;
  }
}

static gboolean levels_are_right (const char *topic)
{
  if (!g_utf8_validate (topic, -1, NULL))
    return FALSE;
  for (const char *at = topic; *at != '\0'; at = g_utf8_next_char (at))
    if (!is_readable (g_utf8_get_char (at)))
      return FALSE;
  for (const char *at = topic; *at != '\0'; at += strspn (at, "/")) {
    gsize length = strcspn (at, "/");
    if (length > DEVICE_LEVEL_BYTES_MAX)
      return FALSE;
    at += length;
  }
  return TRUE;
}

/* A configured sensor wins over a template that takes its topic. */
static gboolean is_configured (const Site *site, const char *broker, const char *topic)
{
  for (guint i = 0; i < site->sensors->len; i++) {
    const Sensor *sensor = site->sensors->pdata[i];
    if (strcmp (sensor->broker, broker) == 0 && topic_filter_covers (sensor->topic, topic))
      return TRUE;
  }
  return FALSE;
}

static void find_grid (const Site *site, Sensor *sensor)
{
  if (sensor->grid_from == NULL)
    return;
  const GHashTable *map = sensor->template->grid_map;
  const char *mapped = map != NULL ? g_hash_table_lookup ((GHashTable *) map, sensor->grid_from) : NULL;
  const Grid *grid = site_grid (site, mapped != NULL ? mapped : sensor->grid_from);
  sensor->has_unknown_grid = grid == NULL;
  if (grid != NULL)
    sensor->grid = grid->id;
}

static const char *refusal (const Discovered *discovered, const Sensor *sensor, guint count)
{
  if (!site_id_is_valid (sensor->id))
    return REASON_BAD_DEVICE;
  if (g_hash_table_contains (discovered->ids, sensor->id))
    return REASON_DEVICE_ID_TAKEN;
  return count >= (guint) sensor->max_devices ? REASON_TOO_MANY_DEVICES : NULL;
}

/* Takes the sensor. */
static const char *add (Discovered *discovered, Sensor *sensor)
{
  guint count = GPOINTER_TO_UINT (g_hash_table_lookup (discovered->counts, sensor->template));
  const char *reason = refusal (discovered, sensor, count);
  if (reason != NULL) {
    sensor_unref (sensor);
    return reason;
  }
  find_grid (discovered->configured, sensor);
  g_hash_table_add (discovered->ids, sensor->id);
  g_hash_table_insert (discovered->counts, (gpointer) sensor->template, GUINT_TO_POINTER (count + 1));
  g_hash_table_insert (discovered->by_topic, g_strconcat (sensor->broker, "\n", sensor->topic, NULL), sensor);
  g_ptr_array_add (discovered->sensors, sensor);
  return NULL;
}

const Sensor *discovered_take (Discovered *discovered, const char *broker, const char *topic, gint64 at_us, const char **reason)
{
  const Sensor *template = site_template (discovered->configured, broker, topic);
  *reason = NULL;
  if (template == NULL)
    return NULL;
  g_autofree char *own_topic = topic_template_fill (template->topic, topic, template->topic);
  g_autofree char *key = g_strconcat (broker, "\n", own_topic, NULL);
  const Sensor *known = g_hash_table_lookup (discovered->by_topic, key);
  if (known != NULL || is_configured (discovered->configured, broker, topic))
    return known;
  *reason = levels_are_right (topic) ? add (discovered, sensor_new_discovered (template, topic, at_us)) : REASON_BAD_DEVICE;
  return *reason == NULL ? g_ptr_array_index (discovered->sensors, discovered->sensors->len - 1) : NULL;
}

const GPtrArray *discovered_sensors (const Discovered *discovered)
{
  return discovered->sensors;
}

Site *discovered_configured (const Discovered *discovered)
{
  return discovered->configured;
}

gboolean discovered_remove (Discovered *discovered, const char *id)
{
  guint i = 0;
  while (i < discovered->sensors->len && strcmp (((const Sensor *) discovered->sensors->pdata[i])->id, id) != 0)
    i++;
  if (i == discovered->sensors->len)
    return FALSE;
  const Sensor *sensor = discovered->sensors->pdata[i];
  g_autofree char *key = g_strconcat (sensor->broker, "\n", sensor->topic, NULL);
  guint count = GPOINTER_TO_UINT (g_hash_table_lookup (discovered->counts, sensor->template));
  g_hash_table_insert (discovered->counts, (gpointer) sensor->template, GUINT_TO_POINTER (count - 1));
  g_hash_table_remove (discovered->by_topic, key);
  g_hash_table_remove (discovered->ids, sensor->id);
  g_ptr_array_remove_index (discovered->sensors, i);
  return TRUE;
}

Site *discovered_site (const Discovered *discovered)
{
  return site_with_discovered (discovered->configured, discovered->sensors);
}

gboolean discovered_each_row (Database *database, DiscoveredRow each, gpointer data, GError **error)
{
  GError *problem = NULL;
  g_autoptr (Statement) rows
    = database_query (database, &problem, "SELECT broker, topic, at FROM discovered_sensors ORDER BY number", "");
  while (statement_step (rows, &problem))
    each (data, statement_text (rows, 0), statement_text (rows, 1), statement_integer (rows, 2));
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, problem);
  return FALSE;
}

static void recall (gpointer data, const char *broker, const char *topic, gint64 at_us)
{
  const char *reason;
  discovered_take (data, broker, topic, at_us, &reason);
}

Site *discovered_recall (Database *reader, Site *configured, GError **error)
{
  g_autoptr (Discovered) discovered = discovered_new (configured);
  return discovered_each_row (reader, recall, discovered, error) ? discovered_site (discovered) : NULL;
}

void discovered_free (Discovered *discovered)
{
  if (discovered == NULL)
    return;
  g_hash_table_unref (discovered->counts);
  g_hash_table_unref (discovered->ids);
  g_hash_table_unref (discovered->by_topic);
  g_ptr_array_unref (discovered->sensors);
  site_unref (discovered->configured);
  g_free (discovered);
}

/* What a template has become. */
static json_t *describe_template (const Site *site, const Sensor *template)
{
  guint devices = 0, lost = 0;
  for (guint i = 0; site->discovered != NULL && i < site->discovered->len; i++) {
    const Sensor *sensor = site->discovered->pdata[i];
    devices += sensor->template == template;
    lost += sensor->template == template && sensor->has_unknown_grid;
  }
  return json_pack ("{s:s, s:s, s:i, s:i, s:i}", "id", template->id, "topic", template->topic, "devices", (int) devices,
                    "max_devices", template->max_devices, "unknown_grid", (int) lost);
}

json_t *templates_describe (const Site *site, const char *broker)
{
  json_t *templates = json_array ();
  for (guint i = 0; i < site->templates->len; i++) {
    const Sensor *template = site->templates->pdata[i];
    if (strcmp (template->broker, broker) == 0)
      json_array_append_new (templates, describe_template (site, template));
  }
  return templates;
}
