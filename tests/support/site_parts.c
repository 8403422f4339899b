#include "tests/support/site_parts.h"

Grid *site_add_grid (Site *site, const char *id, const char *parent)
{
  Grid *grid = g_new0 (Grid, 1);
  grid->id = g_strdup (id);
  grid->name = g_strdup (id);
  grid->parent = g_strdup (parent);
  grid->area = g_array_new (FALSE, FALSE, sizeof (Location));
  g_ptr_array_add (site->grids, grid);
  return grid;
}

Agency *site_add_agency (Site *site, const char *id, const char *categories, const char *grids)
{
  Agency *agency = g_new0 (Agency, 1);
  Grant *grant = g_new0 (Grant, 1);
  agency->id = g_strdup (id);
  agency->name = g_strdup (id);
  agency->grants = g_ptr_array_new_with_free_func ((GDestroyNotify) grant_free);
  agency->deliveries = g_ptr_array_new_with_free_func ((GDestroyNotify) delivery_free);
  grant->categories = g_strsplit (categories, " ", -1);
  grant->grids = g_strsplit (grids, " ", -1);
  grant->min_severity = SEVERITY_MODERATE;
  g_ptr_array_add (agency->grants, grant);
  g_ptr_array_add (site->agencies, agency);
  return agency;
}

Grant *agency_grant (Agency *agency)
{
  return agency->grants->pdata[0];
}
