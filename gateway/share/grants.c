#include "gateway/share/grants.h"

static gboolean is_current (const Grant *grant, gint64 now_us)
{
  return grant->until_us == 0 || now_us < grant->until_us;
}

static gboolean covers_grid (const Site *site, const Grant *grant, const char *grid)
{
  for (char **root = grant->grids; root != NULL && *root != NULL; root++)
    if (site_grid_is_within (site, grid, *root))
      return TRUE;
  return FALSE;
}

static gboolean covers_category (const Grant *grant, const char *category)
{
  return grant->categories != NULL
         && (g_strv_contains ((const char *const *) grant->categories, "*")
             || g_strv_contains ((const char *const *) grant->categories, category));
}

gboolean grants_admit (const Site *site, const char *agency, const char *category, const char *grid, Severity severity,
                       gint64 now_us, gboolean *with_evidence)
{
  const Agency *found = site_agency (site, agency);
  gboolean admits = FALSE, evidence = FALSE;
  for (guint i = 0; found != NULL && i < found->grants->len; i++) {
    const Grant *grant = found->grants->pdata[i];
    if (!is_current (grant, now_us) || severity < grant->min_severity || !covers_category (grant, category)
        || !covers_grid (site, grant, grid))
      continue;
    admits = TRUE;
    evidence = evidence || grant->evidence;
  }
  if (with_evidence != NULL)
    *with_evidence = evidence;
  return admits;
}

gboolean grants_admit_live (const Site *site, const char *agency, const char *grid, gint64 now_us)
{
  const Agency *found = site_agency (site, agency);
  for (guint i = 0; found != NULL && i < found->grants->len; i++) {
    const Grant *grant = found->grants->pdata[i];
    if (grant->live && is_current (grant, now_us) && covers_grid (site, grant, grid))
      return TRUE;
  }
  return FALSE;
}
