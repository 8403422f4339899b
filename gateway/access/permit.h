/* permit.h: who may see what: role, grid and an agency's grants, decided for each object at each fetch.
 *
 * What isn't allowed here is forbidden. A role says what kind of thing; a bound grid says where; for agencies their grants
 * say both, and their own cameras are theirs to see.
 *
 * thread: any; pure functions of an immutable site. */
#pragma once

#include "gateway/model/actor.h"
#include "gateway/model/site.h"

/* A route or an act names the roles that may; ROLE_NONE is never in a set. */
#define ROLE_BIT(role) (1u << (role))
enum {
  ROLES_ADMIN = ROLE_BIT (ROLE_ADMIN),
  ROLES_AUDIT = ROLE_BIT (ROLE_ADMIN) | ROLE_BIT (ROLE_AUDITOR),
  ROLES_OPERATE = ROLE_BIT (ROLE_ADMIN) | ROLE_BIT (ROLE_OPERATOR),
  ROLES_WATCH_MACHINE = ROLES_AUDIT | ROLES_OPERATE, /* metrics, accounts of messages */
  ROLES_REPORT = ROLES_OPERATE | ROLE_BIT (ROLE_WORKER),
  ROLES_ACT = ROLES_REPORT | ROLE_BIT (ROLE_AGENCY),
  ROLES_LIVE = ROLES_ACT | ROLE_BIT (ROLE_VIEWER), /* an auditor reads registers and sees no pictures */
  ROLES_ALL = ROLES_LIVE | ROLE_BIT (ROLE_AUDITOR),
};

gboolean role_is_in (Role role, guint roles);

/* Whether the caller may know that the camera, or the sensor in `grid`, exists and how it fares. */
gboolean permit_camera (const Site *site, const Actor *actor, const Camera *camera, gint64 now_us);
gboolean permit_grid (const Site *site, const Actor *actor, const char *grid, gint64 now_us);

/* Live pictures of it. `*until_us` (may be NULL) is when a grant ends; 0: never. */
gboolean permit_live (const Site *site, const Actor *actor, const Camera *camera, gint64 now_us, gint64 *until_us);

/* What is recorded of it. */
gboolean permit_playback (const Site *site, const Actor *actor, const Camera *camera);

/* An alert or incident. `assigned_agency` (may be NULL) may see what it is to deal with. `grid` NULL: of the gateway
 * itself, which only those see who see everything. */
gboolean permit_matter (const Site *site, const Actor *actor, const char *grid, const char *category, Severity severity,
                        const char *assigned_agency, gint64 now_us);

/* The name of a rule; an agency those that its grants may tell it of. */
gboolean permit_rule (const Site *site, const Actor *actor, const Rule *rule, gint64 now_us);

/* Its clips and pictures. */
gboolean permit_evidence (const Site *site, const Actor *actor, const char *grid, const char *category,
                          Severity severity, gint64 now_us);
