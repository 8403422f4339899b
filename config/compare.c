#include "config/compare.h"

#include "config/key.h"

#include <string.h>

/* Adds the versions of all files that a shown item names, at any depth. */
static void add_versions (const Site *site, const json_t *value, GString *text)
{
  const char *key;
  json_t *child;
  size_t index;
  if (json_is_array (value)) {
    json_array_foreach (value, index, child)
      add_versions (site, child, text);
    return;
  }
  json_object_foreach ((json_t *) value, key, child) {
    const char *version = json_is_string (child) && g_str_has_suffix (key, "_file")
                              ? g_hash_table_lookup (site->file_versions, json_string_value (child))
                              : NULL;
    if (version != NULL)
      g_string_append_printf (text, " %s", version);
    add_versions (site, child, text);
  }
}

static char *describe (const Site *site, const Section *section, gconstpointer item)
{
  json_t *shown = section_show (section, item);
  char *json = json_dumps (shown, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION (17));
  GString *text = g_string_new (json);
  add_versions (site, shown, text);
  free (json);
  json_decref (shown);
  return g_string_free (text, FALSE);
}

static gboolean differs (const Site *old, const Site *new, const Section *section, gconstpointer before,
                         gconstpointer after)
{
  if (before == NULL || after == NULL)
    return before != after;
  g_autofree char *left = describe (old, section, before);
  g_autofree char *right = describe (new, section, after);
  return strcmp (left, right) != 0;
}

static void compare_kind (const Site *old, const Site *new, SiteKind kind, KindDifference *difference)
{
  const GPtrArray *items = site_list (new, kind);
  difference->put = g_ptr_array_new ();
  difference->removed = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < items->len; i++) {
    gconstpointer before = old != NULL ? site_find (old, kind, *(char **) items->pdata[i]) : NULL;
    if (differs (old, new, section_of_kind (kind), before, items->pdata[i]))
      g_ptr_array_add (difference->put, items->pdata[i]);
  }
  for (guint i = 0; old != NULL && i < site_list (old, kind)->len; i++) {
    const char *id = *(char **) site_list (old, kind)->pdata[i];
    if (site_find (new, kind, id) == NULL)
      g_ptr_array_add (difference->removed, g_strdup (id));
  }
}

static gboolean duties_differ (const Site *old, const Site *new)
{
  if (old == NULL || old->duties->len != new->duties->len)
    return TRUE;
  for (guint i = 0; i < new->duties->len; i++)
    if (differs (old, new, &duty_section, old->duties->pdata[i], new->duties->pdata[i]))
      return TRUE;
  return FALSE;
}

static gboolean templates_differ (const Site *old, const Site *new)
{
  if (old == NULL || old->templates->len != new->templates->len)
    return TRUE;
  for (guint i = 0; i < new->templates->len; i++)
    if (differs (old, new, section_of_kind (SITE_SENSORS), old->templates->pdata[i], new->templates->pdata[i]))
      return TRUE;
  return FALSE;
}

static gboolean needs_restart (const GatewaySettings *old, const GatewaySettings *new)
{
  return strcmp (old->id, new->id) != 0 || strcmp (old->division, new->division) != 0
         || strcmp (old->data_dir, new->data_dir) != 0 || strcmp (old->runtime_dir, new->runtime_dir) != 0;
}

SiteDifference *site_compare (const Site *old, const Site *new)
{
  SiteDifference *difference = g_new0 (SiteDifference, 1);
  difference->gateway = differs (old, new, &gateway_section, old != NULL ? &old->gateway : NULL, &new->gateway);
  difference->http = differs (old, new, &http_section, old != NULL ? &old->http : NULL, &new->http);
  difference->rtsp = differs (old, new, &rtsp_section, old != NULL ? &old->rtsp : NULL, &new->rtsp);
  difference->recording = differs (old, new, &recording_section, old != NULL ? &old->recording : NULL, &new->recording);
  difference->alerts = differs (old, new, &alerts_section, old != NULL ? &old->alerts : NULL, &new->alerts);
  difference->duties = duties_differ (old, new);
  difference->templates = templates_differ (old, new);
  difference->needs_restart = old != NULL && needs_restart (&old->gateway, &new->gateway);
  for (SiteKind kind = 0; kind < SITE_KINDS; kind++)
    compare_kind (old, new, kind, &difference->kinds[kind]);
  return difference;
}

gboolean site_difference_is_empty (const SiteDifference *difference)
{
  for (SiteKind kind = 0; kind < SITE_KINDS; kind++)
    if (difference->kinds[kind].put->len > 0 || difference->kinds[kind].removed->len > 0)
      return FALSE;
  return !difference->gateway && !difference->http && !difference->rtsp && !difference->recording && !difference->alerts
         && !difference->duties && !difference->templates;
}

void site_difference_free (SiteDifference *difference)
{
  if (difference == NULL)
    return;
  for (SiteKind kind = 0; kind < SITE_KINDS; kind++) {
    g_ptr_array_unref (difference->kinds[kind].removed);
    g_ptr_array_unref (difference->kinds[kind].put);
  }
  g_free (difference);
}

char *site_item_json (const Site *site, SiteKind kind, const char *id)
{
  gconstpointer item = site_find (site, kind, id);
  if (item == NULL)
    return NULL;
  json_t *shown = section_show (section_of_kind (kind), item);
  char *text = json_dumps (shown, JSON_COMPACT | JSON_REAL_PRECISION (15));
  json_decref (shown);
  return text;
}
