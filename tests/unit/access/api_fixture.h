/* api_fixture.h: the HTTP API over an access fixture, on a free port; a raw client.
 *
 * Media, vision and observe are away, unless a test brings a double of media. */
#pragma once

#include "gateway/http/http_api.h"
#include "tests/support/http_client.h"
#include "tests/unit/access/access_fixture.h"

typedef struct {
  AccessFixture *access;
  EventBus *events;
  IncidentBook *incidents;
  MediaLink *media; /* the test's; NULL: away */
  HttpApi *api;
  char *base;
} ApiFixture;

int api_fixture_setup (void **state);
int api_fixture_teardown (void **state);

/* The second half of the set-up, for a test that has set `access` and `media`. */
void api_fixture_open (ApiFixture *fixture);

/* A client that sends the secret of a new token with this role. */
HttpClient *api_fixture_client (ApiFixture *fixture, Role role, const char *agency, const char *grid);

/* Sends `text` on a new connection. Returns what came until the other end closed or `until` (may be NULL) came. */
char *api_fixture_raw (ApiFixture *fixture, const char *text, const char *until);
int api_fixture_raw_status (ApiFixture *fixture, const char *text); /* of the first answer; 0: none */
int api_fixture_connect (ApiFixture *fixture);
char *api_fixture_read (int fd, const char *until);
