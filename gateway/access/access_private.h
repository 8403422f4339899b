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
  GHashTable *refusals;       /* address → what refusals.c keeps of it */
  GHashTable *expected_views; /* viewer → ExpectedView: RTSP viewers that were admitted and haven't started yet */
};

/* Fills `actor` from the columns name, role, agency, grid, unit at `column` and after. */
void actor_from_row (Actor *actor, Statement *row, int column);

/* The session of a cookie's hash, kept from idling. FALSE: it is over. */
gboolean session_load_in_use (Access *access, const char *sha256, Caller *caller);

/* Enters a refused RTSP client in the audit log, once an address and minute. Does not wait. `actor` NULL: not known. */
void access_note_refusal (Access *access, const Actor *actor, const char *address, const char *camera, const char *why);

#define TEXT_SHA256(text) sha256_hex (text, strlen (text))
