#include "gateway/access/permit.h"

gboolean role_is_in (Role role, guint roles)
{
  return role != ROLE_NONE && (roles & ROLE_BIT (role)) != 0;
}

static gboolean is_within_own_grid (const Site *site, const Actor *actor, const char *grid)
{
  return actor->grid == NULL || (grid != NULL && site_grid_is_within (site, grid, actor->grid));
}

static gboolean grant_is_valid (const Grant *grant, gint64 now_us)
{
  return grant->until_us == 0 || now_us < grant->until_us;
}

static gboolean grant_covers_grid (const Site *site, const Grant *grant, const char *grid)
{
  for (char **root = grant->grids; grid != NULL && root != NULL && *root != NULL; root++)
    if (site_grid_is_within (site, grid, *root))
      return TRUE;
  return FALSE;
}

static gboolean grant_covers_category (const Grant *grant, const char *category)
{
  for (char **one = grant->categories; category != NULL && one != NULL && *one != NULL; one++)
    if (g_str_equal (*one, "*") || g_str_equal (*one, category))
      return TRUE;
  return FALSE;
}

static gboolean grant_covers_matter (const Site *site, const Grant *grant, const char *grid, const char *category,
                                     Severity severity, gint64 now_us)
{
  return grant_is_valid (grant, now_us) && severity >= grant->min_severity && grant_covers_category (grant, category)
         && grant_covers_grid (site, grant, grid);
}

static const Agency *agency_of (const Site *site, const Actor *actor)
{
  return actor->agency != NULL ? site_agency (site, actor->agency) : NULL;
}

/* The grant for live pictures in `grid` that lasts longest. */
static gboolean agency_sees_live (const Agency *agency, const Site *site, const char *grid, gint64 now_us,
                                  gint64 *until_us)
{
  gboolean is_granted = FALSE;
  for (guint i = 0; agency != NULL && i < agency->grants->len; i++) {
    const Grant *grant = agency->grants->pdata[i];
    if (!grant->live || !grant_is_valid (grant, now_us) || !grant_covers_grid (site, grant, grid))
      continue;
    if (!is_granted || grant->until_us == 0 || (*until_us != 0 && grant->until_us > *until_us))
      *until_us = grant->until_us;
    is_granted = TRUE;
  }
  return is_granted;
}

gboolean permit_grid (const Site *site, const Actor *actor, const char *grid, gint64 now_us)
{
  if (actor->role == ROLE_NONE || !is_within_own_grid (site, actor, grid))
    return FALSE;
  if (actor->role != ROLE_AGENCY)
    return TRUE;
  const Agency *agency = agency_of (site, actor);
  for (guint i = 0; agency != NULL && i < agency->grants->len; i++) {
    const Grant *grant = agency->grants->pdata[i];
    if (grant_is_valid (grant, now_us) && grant_covers_grid (site, grant, grid))
      return TRUE;
  }
  return FALSE;
}

gboolean permit_live (const Site *site, const Actor *actor, const Camera *camera, gint64 now_us, gint64 *until_us)
{
  gint64 until = 0;
  gboolean may = role_is_in (actor->role, ROLES_LIVE) && is_within_own_grid (site, actor, camera->grid);
  if (may && actor->role == ROLE_AGENCY) {
    gboolean is_own = actor->agency != NULL && g_strcmp0 (camera->owner, actor->agency) == 0;
    may = is_own || agency_sees_live (agency_of (site, actor), site, camera->grid, now_us, &until);
  }
  if (until_us != NULL)
    *until_us = until;
  return may;
}

gboolean permit_camera (const Site *site, const Actor *actor, const Camera *camera, gint64 now_us)
{
  if (actor->role == ROLE_AGENCY) /* one that it may not watch doesn't exist for it */
    return permit_live (site, actor, camera, now_us, NULL);
  return permit_grid (site, actor, camera->grid, now_us);
}

gboolean permit_playback (const Site *site, const Actor *actor, const Camera *camera)
{
  return role_is_in (actor->role, ROLES_OPERATE) && is_within_own_grid (site, actor, camera->grid);
}

gboolean permit_matter (const Site *site, const Actor *actor, const char *grid, const char *category, Severity severity,
                        const char *assigned_agency, gint64 now_us)
{
  if (actor->role == ROLE_NONE || !is_within_own_grid (site, actor, grid))
    return FALSE;
  if (actor->role != ROLE_AGENCY)
    return TRUE;
  const Agency *agency = agency_of (site, actor);
  if (agency == NULL)
    return FALSE;
  if (assigned_agency != NULL && g_str_equal (assigned_agency, agency->id))
    return TRUE;
  for (guint i = 0; i < agency->grants->len; i++)
    if (grant_covers_matter (site, agency->grants->pdata[i], grid, category, severity, now_us))
      return TRUE;
  return FALSE;
}

gboolean permit_rule (const Site *site, const Actor *actor, const Rule *rule, gint64 now_us)
{
  if (actor->role != ROLE_AGENCY)
    return actor->role != ROLE_NONE;
  const Agency *agency = agency_of (site, actor);
  for (guint i = 0; agency != NULL && i < agency->grants->len; i++) {
    const Grant *grant = agency->grants->pdata[i];
    if (grant_is_valid (grant, now_us) && rule->severity >= grant->min_severity
        && grant_covers_category (grant, rule->category))
      return TRUE;
  }
  return FALSE;
}

gboolean permit_evidence (const Site *site, const Actor *actor, const char *grid, const char *category,
                          Severity severity, gint64 now_us)
{
  if (!role_is_in (actor->role, ROLES_LIVE) || !is_within_own_grid (site, actor, grid))
    return FALSE;
  if (actor->role != ROLE_AGENCY)
    return TRUE;
  const Agency *agency = agency_of (site, actor);
  for (guint i = 0; agency != NULL && i < agency->grants->len; i++) {
    const Grant *grant = agency->grants->pdata[i];
    if (grant->evidence && grant_covers_matter (site, grant, grid, category, severity, now_us))
      return TRUE;
  }
  return FALSE;
}
