/* book_fixture.h: a store, a small site and an incident book for one test. */
#pragma once

#include "gateway/incident/incident_book.h"
#include "gateway/incident/incident_view.h"

typedef struct {
  char *folder;
  Clock *clock;
  Store *store;
  EventBus *events;
  Site *site;
  IncidentBook *book;
} BookFixture;

/* Two grids below the division, a rule `flood` (camera bridge, agency water, two hours), agencies water and fire. */
Site *site_for_test (void);

int book_fixture_setup (void **state);
int book_fixture_teardown (void **state);

/* Opens (or joins) as the alert engine would; the alert is the caller's. */
Alert *raise_alert (BookFixture *fixture, const char *rule, const char *category, const char *grid, Severity severity);
Alert *raise_historical (BookFixture *fixture, const char *rule, const char *grid);
void clear_alert (BookFixture *fixture, Alert *alert);

extern const Actor operator_actor, water_actor, viewer_actor;

/* Acts on the store's thread; returns the incident as incident_book_act gives it. */
json_t *do_action (BookFixture *fixture, const Actor *actor, const char *id, json_t *arguments, GError **error);

/* The incident as a reader sees it. */
json_t *look_at (BookFixture *fixture, const char *id);

const char *text_of (const json_t *json, const char *member);
