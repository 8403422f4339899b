#include "gateway/model/actor.h"

static const char *const role_names[] = { "none", "admin", "auditor", "operator", "worker", "viewer", "agency" };

void actor_clear (Actor *actor)
{
  g_clear_pointer (&actor->name, g_free);
  g_clear_pointer (&actor->agency, g_free);
  g_clear_pointer (&actor->grid, g_free);
  g_clear_pointer (&actor->unit, g_free);
  actor->role = ROLE_NONE;
}

Actor *actor_copy (const Actor *actor)
{
  Actor *copy = g_new0 (Actor, 1);
  copy->name = g_strdup (actor->name);
  copy->role = actor->role;
  copy->agency = g_strdup (actor->agency);
  copy->grid = g_strdup (actor->grid);
  copy->unit = g_strdup (actor->unit);
  return copy;
}

void actor_free (Actor *actor)
{
  if (actor == NULL)
    return;
  actor_clear (actor);
  g_free (actor);
}

const char *role_name (Role role)
{
  return (guint) role < G_N_ELEMENTS (role_names) ? role_names[role] : "none";
}

Role role_from_name (const char *name)
{
  for (guint i = ROLE_ADMIN; i < G_N_ELEMENTS (role_names); i++)
    if (g_strcmp0 (name, role_names[i]) == 0)
      return (Role) i;
  return ROLE_NONE;
}
