#include "gateway/http/http_matter.h"

GPtrArray *matter_grids (const Site *site, const Actor *actor, const char *root)
{
  if (root == NULL && actor->grid == NULL)
    return NULL;
  GPtrArray *grids = g_ptr_array_new ();
  const char *division = site->gateway.division;
  for (guint i = 0; i < site->grids->len; i++) {
    const char *id = ((const Grid *) site->grids->pdata[i])->id;
    if ((root == NULL || site_grid_is_within (site, id, root))
        && (actor->grid == NULL || site_grid_is_within (site, id, actor->grid)))
      g_ptr_array_add (grids, (gpointer) id);
  }
  /* the root may stand for itself without being listed */
  if (division != NULL && site_grid (site, division) == NULL && (root == NULL || g_str_equal (root, division))
      && (actor->grid == NULL || g_str_equal (actor->grid, division)))
    g_ptr_array_add (grids, (gpointer) division);
  g_ptr_array_add (grids, NULL);
  return grids;
}

static const char *text_of (json_t *object, const char *field)
{
  return json_string_value (json_object_get (object, field));
}

gboolean matter_cut (const Site *site, const Actor *actor, json_t *incident, gint64 now_us)
{
  const char *grid = text_of (incident, "grid"), *category = text_of (incident, "category");
  const char *severity_text = text_of (incident, "severity");
  const char *agency = text_of (json_object_get (incident, "assignee"), "agency");
  Severity severity = severity_text != NULL ? severity_from_name (severity_text) : 0;
  if (!permit_matter (site, actor, grid, category, severity, agency, now_us))
    return FALSE;
  if (!permit_evidence (site, actor, grid, category, severity, now_us))
    json_object_set_new (incident, "evidence", json_array ());
  return TRUE;
}
