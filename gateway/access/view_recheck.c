/* view_recheck.c: rights that end while somebody watches. */
#include <string.h>

#include "gateway/access/access_private.h"
#include "gateway/access/view.h"

char *access_credential (const Caller *caller)
{
  if (caller->kind == CALLER_SESSION)
    return g_strconcat ("session:", caller->id, NULL);
  if (caller->kind == CALLER_TOKEN || (caller->kind == CALLER_PLAY && caller->id != NULL))
    return g_strconcat ("token:", caller->id, NULL);
  return caller->kind == CALLER_PLAY ? g_strconcat ("account:", caller->actor.name, NULL) : NULL;
}

static gboolean load_actor (Access *access, const char *sql, const char *key, Actor *actor)
{
  Database *reader = store_reader (access->store, NULL);
  g_autoptr (Statement) row = NULL;
  if (reader == NULL)
    return FALSE;
  row = database_query (reader, NULL, sql, "si", key, access_now_us (access));
  if (!statement_step (row, NULL))
    return FALSE;
  actor_from_row (actor, row, 0);
  return TRUE;
}

/* Whoever holds the credential now, with the role and bindings of now; FALSE when it is void. */
static gboolean actor_of (Access *access, const char *credential, Actor *actor)
{
  if (g_str_has_prefix (credential, "token:"))
    return load_actor (access,
                       "SELECT name, role, agency, grid, NULL FROM tokens WHERE id = ?1 AND revoked_at IS NULL"
                       " AND (expires_at IS NULL OR expires_at > ?2)",
                       credential + strlen ("token:"), actor);
  if (g_str_has_prefix (credential, "account:"))
    return load_actor (access, "SELECT name, role, agency, grid, unit FROM accounts WHERE name = ?1 AND is_locked = 0 AND ?2",
                       credential + strlen ("account:"), actor);
  Caller caller = { 0 };
  if (!g_str_has_prefix (credential, "session:")
      || !session_load_in_use (access, credential + strlen ("session:"), &caller))
    return FALSE;
  *actor = caller.actor;
  caller.actor = (Actor){ 0 };
  caller_clear (&caller);
  return TRUE;
}

static gboolean may_watch (Access *access, const Site *site, const Actor *actor, const Camera *camera, const char *kind)
{
  if (g_str_equal (kind, "live"))
    return permit_live (site, actor, camera, access_now_us (access), NULL);
  return permit_playback (site, actor, camera);
}

static gboolean may_go_on (Access *access, const Site *site, char *const *view)
{
  Actor actor = { 0 };
  const Camera *camera = site_camera (site, view[1]);
  gboolean may
    = camera != NULL && actor_of (access, view[2], &actor) && may_watch (access, site, &actor, camera, view[3]);
  actor_clear (&actor);
  return may;
}

static GPtrArray *open_views (Access *access)
{
  GPtrArray *views = g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  Database *reader = store_reader (access->store, NULL);
  g_autoptr (Statement) rows = NULL;
  if (reader != NULL)
    rows = database_query (reader, NULL,
                           "SELECT id, camera, coalesce (credential, ''), kind FROM views WHERE to_at IS NULL"
                           " AND kind IN ('live', 'playback', 'export')",
                           "");
  while (statement_step (rows, NULL)) {
    const char *const view[] = { statement_text (rows, 0), statement_text (rows, 1), statement_text (rows, 2),
                                 statement_text (rows, 3), NULL };
    g_ptr_array_add (views, g_strdupv ((char **) view));
  }
  return views;
}

void access_views_recheck (Access *access)
{
  if (access->viewer_end == NULL)
    return;
  g_autoptr (Site) site = access_site (access);
  g_autoptr (GPtrArray) views = open_views (access);
  for (guint i = 0; i < views->len; i++) {
    char **view = views->pdata[i];
    if (!may_go_on (access, site, view))
      access->viewer_end (view[0], "the right to watch was taken away", access->viewer_end_data);
  }
}
