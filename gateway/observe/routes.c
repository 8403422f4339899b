#include "gateway/observe/routes.h"

#include <string.h>

#include "gateway/core/error.h"
#include "gateway/observe/topic_filter.h"

struct Routes {
  gint references;
  Site *site;
  GHashTable *inputs; /* sensor id → SensorInput */
  GHashTable *exact;  /* "broker\ntopic" → GPtrArray of SensorInput */
  GPtrArray *wildcard; /* of SensorInput */
};

static void input_free (gpointer data)
{
  SensorInput *input = data;
  if (input->prepared != NULL)
    input->decoder->release (input->prepared);
  filter_clear (&input->filter);
  g_free (input);
}

static gboolean has_wildcard (const char *topic)
{
  return strpbrk (topic, "+#") != NULL;
}

static void add_exact (Routes *routes, SensorInput *input)
{
  char *key = g_strconcat (input->sensor->broker, "\n", input->sensor->topic, NULL);
  GPtrArray *list = g_hash_table_lookup (routes->exact, key);
  if (list == NULL) {
    list = g_ptr_array_new ();
    g_hash_table_insert (routes->exact, key, list);
  } else {
    g_free (key);
  }
  g_ptr_array_add (list, input);
}

/* What a sensor sent is remembered as long as it measures the same things. */
static void keep_filter (SensorInput *input, const SensorInput *known)
{
  const GPtrArray *now = input->sensor->metrics, *before = known->sensor->metrics;
  gboolean is_same = now->len == before->len;
  for (guint i = 0; is_same && i < now->len; i++)
    is_same = strcmp (((const Metric *) now->pdata[i])->name, ((const Metric *) before->pdata[i])->name) == 0;
  if (is_same)
    filter_copy (&known->filter, &input->filter, input->sensor);
}

static gboolean add_input (Routes *routes, const Sensor *sensor, DecoderFind find_decoder, Routes *before, GError **error)
{
  SensorInput *input = g_new0 (SensorInput, 1);
  g_hash_table_insert (routes->inputs, g_strdup (sensor->id), input);
  input->sensor = sensor;
  filter_init (&input->filter, sensor);
  input->decoder = find_decoder (sensor->format);
  if (input->decoder == NULL)
    return error_set (error, ERROR_RECONFIGURE, "sensor %s: format %s is not in this version", sensor->id, sensor->format);
  input->prepared = input->decoder->prepare (sensor, error);
  if (input->prepared == NULL) {
    g_prefix_error (error, "sensor %s: ", sensor->id);
    return FALSE;
  }
  SensorInput *known = before != NULL ? routes_input (before, sensor->id) : NULL;
  if (known != NULL) {
    input->clock = known->clock;
    keep_filter (input, known);
    input->has_last_hash = known->has_last_hash;
    input->last_hash = known->last_hash;
  }
  if (has_wildcard (sensor->topic))
    g_ptr_array_add (routes->wildcard, input);
  else
    add_exact (routes, input);
  return TRUE;
}

Routes *routes_new (Site *site, DecoderFind find_decoder, Routes *before, GError **error)
{
  g_autoptr (Routes) routes = g_new0 (Routes, 1);
  routes->references = 1;
  routes->site = site_ref (site);
  routes->inputs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, input_free);
  routes->exact = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_ptr_array_unref);
  routes->wildcard = g_ptr_array_new ();
  for (guint i = 0; i < site->sensors->len; i++)
    if (!add_input (routes, site->sensors->pdata[i], find_decoder, before, error))
      return NULL;
  return g_steal_pointer (&routes);
}

Routes *routes_ref (Routes *routes)
{
  g_atomic_int_inc (&routes->references);
  return routes;
}

void routes_unref (Routes *routes)
{
  if (routes == NULL || !g_atomic_int_dec_and_test (&routes->references))
    return;
  g_ptr_array_unref (routes->wildcard);
  g_hash_table_unref (routes->exact);
  g_hash_table_unref (routes->inputs);
  site_unref (routes->site);
  g_free (routes);
}

Site *routes_site (const Routes *routes)
{
  return routes->site;
}

GPtrArray *routes_find (const Routes *routes, const char *broker, const char *topic)
{
  g_autofree char *key = g_strconcat (broker, "\n", topic, NULL);
  GPtrArray *exact = g_hash_table_lookup (routes->exact, key);
  GPtrArray *found = g_ptr_array_new ();
  for (guint i = 0; exact != NULL && i < exact->len; i++)
    g_ptr_array_add (found, exact->pdata[i]);
  for (guint i = 0; i < routes->wildcard->len; i++) {
    SensorInput *input = routes->wildcard->pdata[i];
    if (strcmp (input->sensor->broker, broker) == 0 && topic_filter_matches (input->sensor->topic, topic))
      g_ptr_array_add (found, input);
  }
  return found;
}

SensorInput *routes_input (const Routes *routes, const char *sensor)
{
  return g_hash_table_lookup (routes->inputs, sensor);
}

GHashTable *routes_inputs (const Routes *routes)
{
  return routes->inputs;
}

GStrv routes_filters (const Routes *routes, const char *broker)
{
  g_autoptr (GPtrArray) filters = g_ptr_array_new ();
  for (guint i = 0; i < routes->site->sensors->len; i++) {
    const Sensor *sensor = routes->site->sensors->pdata[i];
    if (strcmp (sensor->broker, broker) == 0)
      g_ptr_array_add (filters, sensor->topic);
  }
  return topic_filters_reduce (filters);
}
