/* access_fixture.h: a store in a folder of its own, a small township and an Access over it.
 *
 * Times come from a clock that stands still at FIXTURE_NOW until a test moves it. */
#pragma once

#include "gateway/access/access.h"

typedef struct {
  char *folder;
  Clock *clock;
  Store *store;
  Site *site;
  Access *access;
} AccessFixture;

/* Grids town > village > farm and town > hill; cameras bridge (village), peak (hill), post (hill, owned by police);
 * agencies water (flood in village: live and evidence) and fire (fire in town: neither). */
Site *site_fixture_new (const char *data_dir);

int access_fixture_setup (void **state);
int access_fixture_teardown (void **state);

/* Adds an account; its password is "river stone 7". */
void access_fixture_add (AccessFixture *fixture, const char *name, Role role, const char *agency, const char *grid);
#define FIXTURE_PASSWORD "river stone 7"

/* Adds a token for a program; both are the caller's. */
void access_fixture_add_token (AccessFixture *fixture, const char *name, Role role, const char *agency, const char *grid,
                               char **id, char **secret);
