#include "gateway/observe/routes.h"

#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/topic_filter.h"
#include "gateway/core/topic_template.h"

struct Routes {
  gint references;
  Site *site;
  GHashTable *inputs; /* sensor id → SensorInput */
  GHashTable *exact;  /* "broker\ntopic" → GPtrArray of SensorInput */
  GPtrArray *wildcard; /* of SensorInput */
  GHashTable *grown_inputs; /* sensor id → SensorInput: the store's thread's alone, as the next */
  GPtrArray *grown;         /* of Sensor: theirs */
};

/* Counted: inputs of older routes, that messages still wait with, have it too. The sensor outlives them all. */
struct Preparation {
  const Decoder *decoder;
  gpointer prepared;
};

static Preparation *preparation_new (const Sensor *sensor, DecoderFind find_decoder, GError **error)
{
  const Decoder *decoder = find_decoder (sensor->format);
  if (decoder == NULL) {
    error_set (error, ERROR_RECONFIGURE, "sensor %s: format %s is not in this version", sensor->id, sensor->format);
    return NULL;
  }
  gpointer prepared = decoder->prepare (sensor, error);
  if (prepared == NULL) {
    g_prefix_error (error, "sensor %s: ", sensor->id);
    return NULL;
  }
  Preparation *preparation = g_atomic_rc_box_new (Preparation);
  *preparation = (Preparation){ decoder, prepared };
  return preparation;
}

static void preparation_clear (gpointer data)
{
  Preparation *preparation = data;
  preparation->decoder->release (preparation->prepared);
}

static void preparation_unref (Preparation *preparation)
{
  g_atomic_rc_box_release_full (preparation, preparation_clear);
}

static void input_free (gpointer data)
{
  SensorInput *input = data;
  preparation_unref (input->preparation);
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

/* One that the store's thread knows. */
static SensorInput *known_input (const Routes *routes, const char *sensor)
{
  SensorInput *input = routes_input (routes, sensor);
  return input != NULL ? input : g_hash_table_lookup (routes->grown_inputs, sensor);
}

/* Adds it to `inputs`. NULL: the sensor can't be read. */
static SensorInput *add_input (GHashTable *inputs, const Sensor *sensor, DecoderFind find_decoder, Routes *before, GError **error)
{
  SensorInput *known = before != NULL ? known_input (before, sensor->id) : NULL;
  Preparation *preparation = known != NULL && known->sensor == sensor ? g_atomic_rc_box_acquire (known->preparation)
                                                                      : preparation_new (sensor, find_decoder, error);
  if (preparation == NULL)
    return NULL;
  SensorInput *input = g_new0 (SensorInput, 1);
  *input = (SensorInput){ sensor, preparation->decoder, preparation->prepared, preparation };
  g_hash_table_insert (inputs, g_strdup (sensor->id), input);
  filter_init (&input->filter, sensor);
  if (known != NULL) {
    input->clock = known->clock;
    keep_filter (input, known);
    input->has_last_hash = known->has_last_hash;
    input->last_hash = known->last_hash;
    input->is_hash_unwritten = known->is_hash_unwritten;
  }
  return input;
}

/* What it becomes is read like itself: an error belongs to the site that has it. */
static gboolean check_template (const Sensor *template, DecoderFind find_decoder, GError **error)
{
  Preparation *preparation = preparation_new (template, find_decoder, error);
  if (preparation == NULL)
    return FALSE;
  preparation_unref (preparation);
  return TRUE;
}

static gboolean add_route (Routes *routes, const Sensor *sensor, DecoderFind find_decoder, Routes *before, GError **error)
{
  SensorInput *input = add_input (routes->inputs, sensor, find_decoder, before, error);
  if (input == NULL)
    return FALSE;
  if (has_wildcard (sensor->topic) && sensor->template == NULL)
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
  routes->grown_inputs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, input_free);
  routes->grown = g_ptr_array_new_with_free_func ((GDestroyNotify) sensor_unref);
  for (guint i = 0; i < site->sensors->len; i++)
    if (!add_route (routes, site->sensors->pdata[i], find_decoder, before, error))
      return NULL;
  for (guint i = 0; i < site->templates->len; i++)
    if (!check_template (site->templates->pdata[i], find_decoder, error))
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
  g_hash_table_unref (routes->grown_inputs);
  g_ptr_array_unref (routes->grown);
  site_unref (routes->site);
  g_free (routes);
}

Site *routes_site (const Routes *routes)
{
  return routes->site;
}

static GPtrArray *exact_of (const Routes *routes, const char *broker, const char *topic)
{
  g_autofree char *key = g_strconcat (broker, "\n", topic, NULL);
  return g_hash_table_lookup (routes->exact, key);
}

/* Takes `found` and returns it, or a copy: `exact` is the routes', and others read it. */
static GPtrArray *add_found (GPtrArray *found, GPtrArray *exact, SensorInput *input)
{
  if (found == exact) {
    found = g_ptr_array_copy (exact, NULL, NULL);
    g_ptr_array_unref (exact);
  }
  g_ptr_array_add (found, input);
  return found;
}

/* A thousand discovered sensors with wildcards stand under the topic that their template fills: it is asked, not each of them. */
static GPtrArray *discovered_of (const Routes *routes, const char *broker, const char *topic)
{
  GPtrArray *known = NULL;
  for (guint i = 0; known == NULL && i < routes->site->templates->len; i++) {
    const Sensor *template = routes->site->templates->pdata[i];
    if (!has_wildcard (template->topic) || strcmp (template->broker, broker) != 0)
      continue;
    g_autofree char *own_topic = topic_template_fill (template->topic, topic, template->topic);
    known = own_topic != NULL ? exact_of (routes, broker, own_topic) : NULL;
  }
  return known;
}

GPtrArray *routes_find (const Routes *routes, const char *broker, const char *topic)
{
  GPtrArray *exact = exact_of (routes, broker, topic);
  GPtrArray *found = exact != NULL ? g_ptr_array_ref (exact) : g_ptr_array_new ();
  for (guint i = 0; i < routes->wildcard->len; i++) {
    SensorInput *input = routes->wildcard->pdata[i];
    if (strcmp (input->sensor->broker, broker) == 0 && topic_filter_matches (input->sensor->topic, topic))
      found = add_found (found, exact, input);
  }
  GPtrArray *discovered = found->len == 0 ? discovered_of (routes, broker, topic) : NULL;
  for (guint i = 0; discovered != NULL && i < discovered->len; i++)
    g_ptr_array_add (found, discovered->pdata[i]);
  return found;
}

SensorInput *routes_grow (Routes *routes, const Sensor *sensor, DecoderFind find_decoder, GError **error)
{
  SensorInput *input = known_input (routes, sensor->id);
  if (input != NULL)
    return input;
  input = add_input (routes->grown_inputs, sensor, find_decoder, NULL, error);
  if (input != NULL)
    g_ptr_array_add (routes->grown, sensor_ref ((Sensor *) sensor));
  return input;
}

SensorInput *routes_input (const Routes *routes, const char *sensor)
{
  return g_hash_table_lookup (routes->inputs, sensor);
}

GHashTable *routes_inputs (const Routes *routes)
{
  return routes->inputs;
}

/* Discovered sensors have no place in it: their template's filter covers theirs, and to reduce them takes a time that grows with the
 * square of their number. */
GStrv routes_filters (const Routes *routes, const char *broker)
{
  g_autoptr (GPtrArray) filters = g_ptr_array_new ();
  for (guint i = 0; i < routes->site->sensors->len; i++) {
    const Sensor *sensor = routes->site->sensors->pdata[i];
    if (sensor->template == NULL && strcmp (sensor->broker, broker) == 0)
      g_ptr_array_add (filters, sensor->topic);
  }
  g_autoptr (GPtrArray) made = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < routes->site->templates->len; i++) {
    const Sensor *template = routes->site->templates->pdata[i];
    if (strcmp (template->broker, broker) != 0)
      continue;
    g_ptr_array_add (made, topic_template_filter (template->topic));
    g_ptr_array_add (filters, made->pdata[made->len - 1]);
  }
  return topic_filters_reduce (filters);
}
