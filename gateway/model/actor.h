/* actor.h: who does something: a person with a session, a program with a token, the center, or the gateway itself.
 *
 * thread: any; a value that its holder owns. */
#pragma once

#include <glib.h>

typedef enum { ROLE_NONE, ROLE_ADMIN, ROLE_AUDITOR, ROLE_OPERATOR, ROLE_WORKER, ROLE_VIEWER, ROLE_AGENCY } Role;

typedef struct {
  char *name;   /* account or token name; "gridgate" for the gateway, "center:ID" for a center */
  Role role;
  char *agency; /* the agency it acts for, or NULL */
  char *grid;   /* the subtree it is bound to, or NULL for all */
  char *unit;   /* the person's unit, for the registers; NULL: the township */
} Actor;

void actor_clear (Actor *actor);
Actor *actor_copy (const Actor *actor);
void actor_free (Actor *actor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Actor, actor_free)

const char *role_name (Role role); /* "admin" … "agency"; "none" */
Role role_from_name (const char *name); /* ROLE_NONE for an unknown one */
