/* access_private.h: the inside of Access, for this folder only. */
#pragma once

#include "gateway/access/access.h"
#include "gateway/access/lockout.h"

struct Access {
  Store *store;
  SiteGetter site;
  gpointer site_data;
  ViewerEnd viewer_end;
  gpointer viewer_end_data;
  Lockout *by_name, *by_address;
  GMutex mutex;              /* over what follows */
  char *setup_sha256;        /* NULL: no link is out */
  GHashTable *expected_views; /* viewer → ExpectedView: RTSP viewers that were admitted and haven't started yet */
};

/* Fills `actor` from the columns name, role, agency, grid, unit at `column` and after. */
void actor_from_row (Actor *actor, Statement *row, int column);

#define TEXT_SHA256(text) sha256_hex (text, strlen (text))
