#include "gateway/model/site.h"

#include <string.h>

static const char *const kind_names[SITE_KINDS] = { "brokers", "grids",    "cameras", "sensors",
                                                    "rules",   "agencies", "centers" };

static void origin_free (SiteOrigin *origin)
{
  g_free (origin->file);
  g_free (origin);
}

Site *site_new (void)
{
  Site *site = g_new0 (Site, 1);
  site->references = 1;
  site->brokers = g_ptr_array_new_with_free_func ((GDestroyNotify) broker_free);
  site->grids = g_ptr_array_new_with_free_func ((GDestroyNotify) grid_free);
  site->duties = g_ptr_array_new_with_free_func ((GDestroyNotify) duty_free);
  site->cameras = g_ptr_array_new_with_free_func ((GDestroyNotify) camera_free);
  site->sensors = g_ptr_array_new_with_free_func ((GDestroyNotify) sensor_free);
  site->templates = g_ptr_array_new_with_free_func ((GDestroyNotify) sensor_free);
  site->rules = g_ptr_array_new_with_free_func ((GDestroyNotify) rule_free);
  site->agencies = g_ptr_array_new_with_free_func ((GDestroyNotify) agency_free);
  site->centers = g_ptr_array_new_with_free_func ((GDestroyNotify) center_free);
  site->origins = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) origin_free);
  site->file_versions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return site;
}

/* Every indexed type starts with its id. The loader also indexes sites that it will refuse, whose items may lack one. */
static GHashTable *index_by_id (GPtrArray *items)
{
  GHashTable *index = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < items->len; i++)
    if (*(char **) items->pdata[i] != NULL)
      g_hash_table_insert (index, *(char **) items->pdata[i], items->pdata[i]);
  return index;
}

const char *site_kind_name (SiteKind kind)
{
  return kind_names[kind];
}

SiteKind site_kind_from_name (const char *name)
{
  SiteKind kind = 0;
  while (kind < SITE_KINDS && g_strcmp0 (name, kind_names[kind]) != 0)
    kind++;
  return kind;
}

GPtrArray *site_list (const Site *site, SiteKind kind)
{
  GPtrArray *const lists[SITE_KINDS] = { site->brokers, site->grids,    site->cameras, site->sensors,
                                         site->rules,   site->agencies, site->centers };
  return lists[kind];
}

void site_publish (Site *site)
{
  for (SiteKind kind = 0; kind < SITE_KINDS; kind++)
    site->index[kind] = index_by_id (site_list (site, kind));
}

Site *site_configured (Site *site)
{
  return site->configured != NULL ? site->configured : site;
}

Site *site_with_discovered (Site *configured, const GPtrArray *discovered)
{
  Site *site = g_memdup2 (configured, sizeof *configured);
  site->references = 1;
  site->configured = site_ref (configured);
  site->sensors = g_ptr_array_copy (configured->sensors, NULL, NULL);
  g_ptr_array_set_free_func (site->sensors, NULL);
  site->discovered = g_ptr_array_new_full (discovered->len, (GDestroyNotify) sensor_unref);
  for (guint i = 0; i < discovered->len; i++) {
    g_ptr_array_add (site->discovered, sensor_ref (discovered->pdata[i]));
    g_ptr_array_add (site->sensors, discovered->pdata[i]);
  }
  for (SiteKind kind = 0; kind < SITE_KINDS; kind++)
    site->index[kind] = kind == SITE_SENSORS ? index_by_id (site->sensors) : g_hash_table_ref (configured->index[kind]);
  return site;
}

Site *site_ref (Site *site)
{
  g_atomic_int_inc (&site->references);
  return site;
}

void site_unref (Site *site)
{
  if (site == NULL || !g_atomic_int_dec_and_test (&site->references))
    return;
  for (int i = 0; i < SITE_KINDS; i++)
    g_clear_pointer (&site->index[i], g_hash_table_unref);
  g_ptr_array_unref (site->sensors);
  if (site->configured != NULL) {
    g_ptr_array_unref (site->discovered);
    site_unref (site->configured);
    g_free (site);
    return;
  }
  g_ptr_array_unref (site->templates);
  g_hash_table_unref (site->file_versions);
  g_hash_table_unref (site->origins);
  g_ptr_array_unref (site->centers);
  g_ptr_array_unref (site->agencies);
  g_ptr_array_unref (site->rules);
  g_ptr_array_unref (site->cameras);
  g_ptr_array_unref (site->duties);
  g_ptr_array_unref (site->grids);
  g_ptr_array_unref (site->brokers);
  g_free (site->rtsp.listen);
  g_free (site->rtsp.tls_listen);
  g_free (site->rtsp.cert_file);
  g_free (site->rtsp.key_file);
  g_free (site->http.listen);
  g_strfreev (site->http.trusted_proxies);
  g_strfreev (site->http.allowed_origins);
  g_free (site->gateway.id);
  g_free (site->gateway.division);
  g_free (site->gateway.name);
  g_free (site->gateway.data_dir);
  g_free (site->gateway.time_zone);
  g_free (site->gateway.runtime_dir);
  g_free (site->alerts.unless.alert);
  g_free (site);
}

gconstpointer site_find (const Site *site, SiteKind kind, const char *id)
{
  return id != NULL ? g_hash_table_lookup (site->index[kind], id) : NULL;
}

const SiteOrigin *site_origin (const Site *site, SiteKind kind, const char *id)
{
  g_autofree char *key = g_strconcat (site_kind_name (kind), "/", id, NULL);
  return g_hash_table_lookup (site->origins, key);
}

const Broker *site_broker (const Site *site, const char *id)
{
  return site_find (site, SITE_BROKERS, id);
}

const Grid *site_grid (const Site *site, const char *id)
{
  return site_find (site, SITE_GRIDS, id);
}

const Camera *site_camera (const Site *site, const char *id)
{
  return site_find (site, SITE_CAMERAS, id);
}

const Sensor *site_sensor (const Site *site, const char *id)
{
  return site_find (site, SITE_SENSORS, id);
}

const Rule *site_rule (const Site *site, const char *id)
{
  return site_find (site, SITE_RULES, id);
}

const Agency *site_agency (const Site *site, const char *id)
{
  return site_find (site, SITE_AGENCIES, id);
}

const Center *site_center (const Site *site, const char *id)
{
  return site_find (site, SITE_CENTERS, id);
}

gboolean site_grid_is_within (const Site *site, const char *grid, const char *root)
{
  if (grid == NULL || root == NULL)
    return FALSE;
  if (g_strcmp0 (root, site->gateway.division) == 0)
    return TRUE;
  for (guint depth = 0; grid != NULL && depth <= site->grids->len; depth++) {
    if (strcmp (grid, root) == 0)
      return TRUE;
    const Grid *node = site_grid (site, grid);
    grid = node != NULL ? node->parent : NULL;
  }
  return FALSE;
}

Broker *broker_copy (const Broker *broker)
{
  Broker *copy = g_memdup2 (broker, sizeof *broker);
  copy->id = g_strdup (broker->id);
  copy->url = g_strdup (broker->url);
  copy->client_id = g_strdup (broker->client_id);
  copy->username = g_strdup (broker->username);
  copy->password_file = g_strdup (broker->password_file);
  copy->ca_file = g_strdup (broker->ca_file);
  copy->cert_file = g_strdup (broker->cert_file);
  copy->key_file = g_strdup (broker->key_file);
  return copy;
}

void broker_free (Broker *broker)
{
  if (broker == NULL)
    return;
  g_free (broker->id);
  g_free (broker->url);
  g_free (broker->client_id);
  g_free (broker->username);
  g_free (broker->password_file);
  g_free (broker->ca_file);
  g_free (broker->cert_file);
  g_free (broker->key_file);
  g_free (broker);
}

void grid_free (Grid *grid)
{
  if (grid == NULL)
    return;
  g_free (grid->id);
  g_free (grid->name);
  g_free (grid->parent);
  g_clear_pointer (&grid->area, g_array_unref);
  g_free (grid);
}

void duty_free (Duty *duty)
{
  if (duty == NULL)
    return;
  g_free (duty->grid);
  g_strfreev (duty->categories);
  g_free (duty->post);
  g_free (duty->account);
  g_free (duty->agency);
  g_free (duty->hours);
  g_free (duty);
}

void camera_free (Camera *camera)
{
  if (camera == NULL)
    return;
  g_free (camera->id);
  g_free (camera->name);
  g_free (camera->grid);
  g_free (camera->owner);
  g_free (camera->gb_id);
  g_free (camera->url);
  g_free (camera->username);
  g_free (camera->password_file);
  g_free (camera->ca_file);
  g_free (camera->fingerprint);
  if (camera->sub != NULL) {
    g_free (camera->sub->url);
    g_free (camera->sub->username);
    g_free (camera->sub->password_file);
    g_free (camera->sub->ca_file);
    g_free (camera->sub->fingerprint);
    g_free (camera->sub);
  }
  g_free (camera);
}

void grant_free (Grant *grant)
{
  if (grant == NULL)
    return;
  g_strfreev (grant->categories);
  g_strfreev (grant->grids);
  g_free (grant);
}

void delivery_free (Delivery *delivery)
{
  if (delivery == NULL)
    return;
  g_free (delivery->mqtt_center);
  g_free (delivery->webhook_url);
  g_free (delivery->secret_file);
  g_free (delivery);
}

void agency_free (Agency *agency)
{
  if (agency == NULL)
    return;
  g_free (agency->id);
  g_free (agency->name);
  g_clear_pointer (&agency->grants, g_ptr_array_unref);
  g_clear_pointer (&agency->deliveries, g_ptr_array_unref);
  g_free (agency);
}

Center *center_copy (const Center *center)
{
  Center *copy = g_memdup2 (center, sizeof *center);
  copy->id = g_strdup (center->id);
  copy->url = g_strdup (center->url);
  copy->username = g_strdup (center->username);
  copy->password_file = g_strdup (center->password_file);
  copy->ca_file = g_strdup (center->ca_file);
  copy->cert_file = g_strdup (center->cert_file);
  copy->key_file = g_strdup (center->key_file);
  copy->client_id = g_strdup (center->client_id);
  return copy;
}

void center_free (Center *center)
{
  if (center == NULL)
    return;
  g_free (center->id);
  g_free (center->url);
  g_free (center->username);
  g_free (center->password_file);
  g_free (center->ca_file);
  g_free (center->cert_file);
  g_free (center->key_file);
  g_free (center->client_id);
  g_free (center);
}
